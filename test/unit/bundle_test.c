// The pure parts of the container driver: config.json, capabilities, system calls, names, cgroups.
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "drivers/crun/bundle.h"
#include "drivers/crun/bundle_caps.h"
#include "drivers/crun/cgroup.h"
#include "drivers/place.h"
#include "drivers/crun/seccomp_profile.h"

static const char *const argv_init[] = {"/.limpet/init", "--node", "db-1", NULL};
static const struct lp_bundle_mount mounts[] = {
    {.source = "/mnt/m0", .target = "/.limpet/init", .is_read_only = true, .is_executable = true},
    {.source = "/mnt/m1", .target = "/data \"quoted\"", .is_executable = true},
    {.target = "/scratch", .size_bytes = 1048576, .is_executable = true}};

static struct lp_bundle bundle_make(void)
{
    return (struct lp_bundle){.root_path = "/mnt/root",
                              .hostname = "db-1",
                              .cgroup_path = "/limpet-0badcafe/demo/db-1",
                              .argv = argv_init,
                              .user_ns = "/proc/7/fd/8",
                              .network_ns = "/proc/7/fd/9",
                              .capabilities = lp_caps_default(),
                              .process_capabilities = lp_caps_default(),
                              .memory_bytes = 64 << 20,
                              .pids = 100,
                              .mounts = mounts,
                              .mount_count = 3};
}

static void golden_check(const char *name, const struct lp_bundle *bundle)
{
    char path[512];
    LP_OWNS_STR struct lp_str json = {0};
    LP_OWNS_STR struct lp_str pretty = {0};
    LP_OWNS_STR struct lp_str wanted = {0};
    struct lp_err err = {0};
    lp_bundle_print(bundle, &json);
    json_t *parsed = json_loadb(lp_str_text(&json), json.bytes, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(parsed);
    char *text = json_dumps(parsed, JSON_INDENT(1));
    lp_str_printf(&pretty, "%s\n", text);
    free(text);
    json_decref(parsed);
    snprintf(path, sizeof(path), "%s/%s", LP_GOLDEN, name);
    if (getenv("LP_GOLDEN_WRITE")) // make golden
        assert_int_equal(lp_file_write(path, pretty.text, pretty.bytes, 0644, &err), 0);
    if (lp_file_read(path, 1 << 20, &wanted, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(lp_str_text(&pretty), lp_str_text(&wanted));
}

static void test_bundle_hardened(void **state)
{
    (void)state;
    struct lp_bundle bundle = bundle_make();
    golden_check("hardened.json", &bundle);
}

static void test_bundle_host(void **state)
{
    (void)state;
    struct lp_bundle bundle = bundle_make();
    bundle.user_ns = NULL;
    bundle.masks_host = true;
    bundle.is_read_only = true;
    bundle.limpet_root = "/srv/limpet";
    LP_OWNS_STR struct lp_str json = {0};
    lp_bundle_print(&bundle, &json);
    assert_non_null(strstr(json.text, "\"/etc/shadow\""));
    assert_non_null(strstr(json.text, "\"/srv/limpet\""));
    assert_non_null(strstr(json.text, "\"readonly\":true"));
    assert_null(strstr(json.text, "\"type\":\"user\""));
}

static void test_bundle_privileged(void **state)
{
    (void)state;
    struct lp_bundle bundle = bundle_make();
    bundle.is_privileged = true;
    bundle.user_ns = NULL;
    LP_OWNS_STR struct lp_str json = {0};
    lp_bundle_print(&bundle, &json);
    assert_null(strstr(json.text, "seccomp"));
    assert_null(strstr(json.text, "readonlyPaths"));
    assert_non_null(strstr(json.text, "\"maskedPaths\":[]"));
    assert_non_null(strstr(json.text, "\"noNewPrivileges\":false"));
}

static void test_caps(void **state)
{
    (void)state;
    struct lp_err err = {0};
    const char *add[] = {"net_admin", "CAP_SYS_TIME"}, *drop[] = {"ALL"}, *wrong[] = {"NET_ADMN"};
    struct lp_texts added = {add, 2}, dropped = {drop, 1}, mistaken = {wrong, 1}, none = {0};
    uint64_t caps = lp_caps_default();
    assert_int_equal(caps, 0xa80425fb); // the set of other container tools
    assert_int_equal(lp_caps_change(&caps, &added, &dropped, &err), 0);
    LP_OWNS_STR struct lp_str json = {0};
    lp_caps_print(caps, &json);
    assert_string_equal(lp_str_text(&json), "[\"CAP_NET_ADMIN\",\"CAP_SYS_TIME\"]");
    assert_int_equal(lp_caps_change(&caps, &mistaken, &none, &err), LP_EINPUT);
    assert_non_null(strstr(err.text, "NET_ADMIN"));
}

static void test_seccomp(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_allowed;
    } cases[] = {{"read", true},         {"execve", true},
                 {"clone", true},        {"clone3", false},
                 {"mount", false},       {"unshare", false},
                 {"setns", false},       {"bpf", false},
                 {"keyctl", false},      {"kexec_load", false},
                 {"ptrace", false},      {"io_uring_setup", false},
                 {"init_module", false}, {"open_by_handle_at", false},
                 {"pidfd_open", true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (lp_seccomp_allows(cases[i].name, lp_caps_default()) != cases[i].is_allowed)
            fail_msg("%s", cases[i].name);
    }
    uint64_t caps = lp_caps_default() | UINT64_C(1) << 21; // SYS_ADMIN
    assert_true(lp_seccomp_allows("mount", caps));
}

static void test_places(void **state)
{
    (void)state;
    struct lp_driver_env env = {"/var/lib/limpet", "0badcafe"};
    struct lp_err err = {0};
    uint8_t mac[6];
    assert_int_equal(lp_place_check(&env, &err), 0);
    assert_string_equal(lp_place_netns(&env, "demo").text, "/run/netns/limpet-0badcafe-demo");
    assert_string_equal(lp_place_cgroup(&env, "demo", "db-1").text, "/limpet-0badcafe/demo/db-1");
    // A link's name has 15 bytes at most, up to the largest table.
    assert_true(strlen(lp_place_veth(9999999, 15).text) <= 15);
    lp_place_mac(0x0a400002, mac);
    assert_memory_equal(mac, "\x02\x4c\x0a\x40\x00\x02", 6);
    env.root = "relative";
    assert_int_equal(lp_place_check(&env, &err), LP_EINPUT);
    env = (struct lp_driver_env){"/x", "0BADCAFE"};
    assert_int_equal(lp_place_check(&env, &err), LP_EINPUT);
}

static char folder[64];

static void file_put(const char *path, const char *text)
{
    char full[256];
    struct lp_err err = {0};
    snprintf(full, sizeof(full), "%s/%s", folder, path);
    *strrchr(full, '/') = '\0';
    assert_int_equal(lp_dir_make(full, 0700, &err), 0);
    snprintf(full, sizeof(full), "%s/%s", folder, path);
    assert_int_equal(lp_file_write(full, text, strlen(text), 0600, &err), 0);
}

static void file_is(const char *path, const char *text)
{
    char full[256];
    LP_OWNS_STR struct lp_str got = {0};
    struct lp_err err = {0};
    snprintf(full, sizeof(full), "%s/%s", folder, path);
    assert_int_equal(lp_file_read(full, 4096, &got, &err), 0);
    assert_memory_equal(lp_str_text(&got), text, strlen(text));
}

static int folder_init(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/limpet-cgroup-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int folder_release(void **state)
{
    (void)state;
    return lp_dir_remove(folder, NULL);
}

static void test_cgroup_v1(void **state)
{
    (void)state;
    struct lp_cgroup_layout layout;
    struct lp_err err = {0};
    file_put("memory/n/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
    file_put("memory/n/cgroup.procs", "");
    file_put("cpu,cpuacct/n/cpu.cfs_period_us", "0");
    file_put("cpu,cpuacct/n/cpu.cfs_quota_us", "-1");
    file_put("freezer/n/freezer.state", "THAWED");
    lp_cgroup_detect(folder, false, &layout);
    assert_int_equal(layout.kind, LP_CGROUP_V1);
    assert_true(layout.has_memory && layout.has_cpu && layout.has_freezer);
    assert_false(layout.has_pids);
    assert_int_equal(lp_cgroup_oom_kills(&layout, "/n"), 3);
    assert_int_equal(lp_cgroup_oom_kills(&layout, "/other"), 0);
    assert_int_equal(lp_cgroup_set_cpu(&layout, "/n", 1500, &err), 0);
    file_is("cpu,cpuacct/n/cpu.cfs_quota_us", "150000");
    file_put("memory/n/memory.limit_in_bytes", "67108864\n");
    assert_int_equal(lp_cgroup_bar_swap(&layout, "/n", &err), 0); // no account of swap is kept
    file_put("memory/n/memory.memsw.limit_in_bytes", "-");
    assert_int_equal(lp_cgroup_bar_swap(&layout, "/n", &err), 0);
    file_is("memory/n/memory.memsw.limit_in_bytes", "67108864\n");
    assert_false(lp_cgroup_has_processes(&layout, "/n"));
    file_put("memory/n/cgroup.procs", "1234567\n");
    assert_true(lp_cgroup_has_processes(&layout, "/n"));
    file_put("unified/cgroup.procs", "");
    lp_cgroup_detect(folder, false, &layout);
    assert_int_equal(layout.kind, LP_CGROUP_HYBRID);
    assert_int_equal(lp_cgroup_oom_kills(&layout, "/n"), 3);
}

static void test_cgroup_v2(void **state)
{
    (void)state;
    struct lp_cgroup_layout layout;
    struct lp_err err = {0};
    file_put("cgroup.controllers", "cpuset cpu io memory pids\n");
    file_put("n/memory.events", "low 0\nhigh 0\nmax 12\noom 2\noom_kill 2\noom_group_kill 0\n");
    file_put("n/cpu.max", "max 100000");
    file_put("n/cgroup.freeze", "0");
    lp_cgroup_detect(folder, false, &layout);
    assert_int_equal(layout.kind, LP_CGROUP_V2);
    assert_true(layout.has_memory && layout.has_cpu && layout.has_pids);
    assert_int_equal(lp_cgroup_oom_kills(&layout, "/n"), 2);
    assert_int_equal(lp_cgroup_set_cpu(&layout, "/n", 500, &err), 0);
    file_is("n/cpu.max", "50000 100000");
    assert_int_equal(lp_cgroup_bar_swap(&layout, "/n", &err), 0); // no account of swap is kept
    file_put("n/memory.swap.max", "-");
    assert_int_equal(lp_cgroup_bar_swap(&layout, "/n", &err), 0);
    file_is("n/memory.swap.max", "0");
    lp_cgroup_freeze(&layout, "/n", true);
    file_is("n/cgroup.freeze", "1");
    file_put("cgroup.controllers", "cpuset io\n");
    lp_cgroup_detect(folder, false, &layout);
    assert_false(layout.has_cpu);
    assert_int_equal(lp_cgroup_set_cpu(&layout, "/n", 500, &err), LP_EUNSUPPORTED);
}

static void test_cgroup_none(void **state)
{
    (void)state;
    struct lp_cgroup_layout layout;
    lp_cgroup_detect("/nonexistent", false, &layout);
    assert_int_equal(layout.kind, LP_CGROUP_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bundle_hardened),
        cmocka_unit_test(test_bundle_host),
        cmocka_unit_test(test_bundle_privileged),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_seccomp),
        cmocka_unit_test(test_places),
        cmocka_unit_test_setup_teardown(test_cgroup_v1, folder_init, folder_release),
        cmocka_unit_test_setup_teardown(test_cgroup_v2, folder_init, folder_release),
        cmocka_unit_test(test_cgroup_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
