// The OCI bundle of a node: config.json.
#define _GNU_SOURCE
#include "drivers/crun/bundle.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "drivers/crun/bundle_caps.h"
#include "drivers/crun/seccomp_profile.h"

static void list_print(const char *key, const char *const *items, struct lp_str *json)
{
    lp_str_printf(json, ",\"%s\":[", key);
    for (size_t i = 0; items[i]; i++) {
        if (i)
            lp_str_add(json, ",");
        lp_str_add_json(json, items[i]);
    }
    lp_str_add(json, "]");
}

static void process_print(const struct lp_bundle *bundle, struct lp_str *json)
{
    static const char *const environment[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "container=limpet",
        NULL};
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    lp_str_add(json, "\"process\":{\"terminal\":false,\"user\":{\"uid\":0,\"gid\":0},"
                     "\"cwd\":\"/\"");
    list_print("args", bundle->argv, json);
    list_print("env", environment, json);
    lp_str_add(json, ",\"capabilities\":{");
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        lp_str_printf(json, "%s\"%s\":", i ? "," : "", sets[i]);
        lp_caps_print(bundle->capabilities, json);
    }
    lp_str_printf(json, "},\"noNewPrivileges\":%s}", bundle->is_privileged ? "false" : "true");
}

static void mount_print(const struct lp_bundle_mount *mount, struct lp_str *json)
{
    lp_str_add(json, ",{\"destination\":");
    lp_str_add_json(json, mount->target);
    const char *access = mount->is_read_only ? "ro" : "rw";
    const char *exec = mount->is_executable ? "exec" : "noexec";
    if (mount->source) {
        lp_str_add(json, ",\"type\":\"bind\",\"source\":");
        lp_str_add_json(json, mount->source);
        lp_str_printf(json, ",\"options\":[\"rbind\",\"%s\",\"nosuid\",\"nodev\",\"%s\"]}", access,
                      exec);
        return;
    }
    lp_str_printf(json,
                  ",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"%s\",\"nosuid\","
                  "\"nodev\",\"%s\",\"mode=%o\"",
                  access, exec, mount->mode ? mount->mode : 01777);
    if (mount->size_bytes)
        lp_str_printf(json, ",\"size=%" PRIu64 "\"", mount->size_bytes);
    lp_str_add(json, "]}");
}

static void mounts_print(const struct lp_bundle *bundle, struct lp_str *json)
{
    lp_str_printf(
        json,
        "\"mounts\":["
        "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\","
        "\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"
        "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
        "\"options\":[\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"]},"
        "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":"
        "[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]},"
        "{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\",\"options\":"
        "[\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"]},"
        "{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\","
        "\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"
        "{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\","
        "\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"%s\"]}",
        bundle->is_privileged ? "rw" : "ro");
    for (size_t i = 0; i < bundle->mount_count; i++)
        mount_print(&bundle->mounts[i], json);
    lp_str_add(json, "]");
}

static void masks_print(const struct lp_bundle *bundle, struct lp_str *json)
{
    static const char *const read_only[] = {
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL};
    static const char *const kernel[] = {"/proc/acpi",
                                         "/proc/asound",
                                         "/proc/kcore",
                                         "/proc/keys",
                                         "/proc/latency_stats",
                                         "/proc/timer_list",
                                         "/proc/timer_stats",
                                         "/proc/sched_debug",
                                         "/proc/scsi",
                                         "/proc/kallsyms",
                                         "/sys/firmware",
                                         "/sys/kernel/debug",
                                         "/sys/devices/virtual/powercap"};
    static const char *const secrets[] = {"/etc/shadow",
                                          "/etc/shadow-",
                                          "/etc/gshadow",
                                          "/etc/gshadow-",
                                          "/etc/ssh",
                                          "/etc/ssl/private",
                                          "/etc/sudoers",
                                          "/etc/sudoers.d",
                                          "/root",
                                          "/home",
                                          "/var/lib/limpet",
                                          "/var/spool/cron",
                                          "/var/backups",
                                          "/etc/NetworkManager/system-connections",
                                          "/etc/wireguard",
                                          "/etc/krb5.keytab",
                                          "/etc/security/opasswd",
                                          "/var/mail",
                                          "/var/lib/private",
                                          "/run/credstore",
                                          "/etc/credstore",
                                          "/lost+found"};
    const char
        *masked[sizeof(kernel) / sizeof(kernel[0]) + sizeof(secrets) / sizeof(secrets[0]) + 2];
    size_t count = 0;
    for (size_t i = 0; !bundle->is_privileged && i < sizeof(kernel) / sizeof(kernel[0]); i++)
        masked[count++] = kernel[i];
    for (size_t i = 0; bundle->masks_host && i < sizeof(secrets) / sizeof(secrets[0]); i++)
        masked[count++] = secrets[i];
    if (bundle->masks_host && bundle->limpet_root &&
        strcmp(bundle->limpet_root, "/var/lib/limpet") != 0)
        masked[count++] = bundle->limpet_root;
    masked[count] = NULL;
    list_print("maskedPaths", masked, json);
    if (!bundle->is_privileged)
        list_print("readonlyPaths", read_only, json);
}

static void namespaces_print(const struct lp_bundle *bundle, struct lp_str *json)
{
    lp_str_add(json, "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"ipc\"},"
                     "{\"type\":\"uts\"},{\"type\":\"network\",\"path\":");
    lp_str_add_json(json, bundle->network_ns);
    if (bundle->user_ns) {
        lp_str_add(json, "},{\"type\":\"user\",\"path\":");
        lp_str_add_json(json, bundle->user_ns);
    }
    lp_str_add(json, "}]");
}

static void resources_print(const struct lp_bundle *bundle, struct lp_str *json)
{
    lp_str_printf(json, ",\"resources\":{\"devices\":[{\"allow\":%s,\"access\":\"rwm\"}]",
                  bundle->is_privileged ? "true" : "false");
    if (bundle->memory_bytes)
        lp_str_printf(json, ",\"memory\":{\"limit\":%" PRIu64 "}", bundle->memory_bytes);
    if (bundle->pids)
        lp_str_printf(json, ",\"pids\":{\"limit\":%u}", bundle->pids);
    lp_str_add(json, "}");
}

void lp_bundle_print(const struct lp_bundle *bundle, struct lp_str *ret_json)
{
    lp_str_add(ret_json, "{\"ociVersion\":\"1.0.2\",");
    process_print(bundle, ret_json);
    lp_str_add(ret_json, ",\"root\":{\"path\":");
    lp_str_add_json(ret_json, bundle->root_path);
    lp_str_printf(ret_json,
                  ",\"readonly\":%s},\"hostname\":", bundle->is_read_only ? "true" : "false");
    lp_str_add_json(ret_json, bundle->hostname);
    lp_str_add(ret_json, ",");
    mounts_print(bundle, ret_json);
    lp_str_add(ret_json, ",\"linux\":{");
    namespaces_print(bundle, ret_json);
    lp_str_add(ret_json, ",\"cgroupsPath\":");
    lp_str_add_json(ret_json, bundle->cgroup_path);
    resources_print(bundle, ret_json);
    masks_print(bundle, ret_json);
    if (!bundle->is_privileged) {
        lp_str_add(ret_json, ",\"seccomp\":");
        lp_seccomp_print(bundle->process_capabilities, ret_json);
    }
    lp_str_add(ret_json, "}}\n");
}
