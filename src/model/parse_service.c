// Reads one service.
#include "model/parse_service.h"

#include <ctype.h>
#include <signal.h>
#include <string.h>

#include "base/str.h"
#include "model/limits.h"

enum { STOP_GRACE_MS = 10 * 1000 };

static void applications_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    (void)reader;
    struct lp_service_draft *draft = into;
    draft->applications = value;
}

static void setup_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    (void)reader;
    struct lp_service_draft *draft = into;
    draft->setup = value;
}

static void health_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    draft->check = value;
    lp_read_healthcheck(reader, value, into);
}

static void readiness_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    draft->check = value;
    lp_read_readiness(reader, value, into);
}

static void grace_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    draft->has_grace = true;
    lp_read_stop_grace(reader, value, into);
}

static void depends_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    lp_read_depends(reader, value, &draft->service->depends);
}

static void hostname_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    const char *text = lp_parse_text(reader, value);
    if (text && !lp_name_is(text, LP_NAME_LABEL))
        lp_mistake_at(reader, value,
                      "'%s' is not a host name of lower-case letters, digits and '-'", text);
    draft->service->hostname = text;
}

static void init_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    (void)into;
    bool is_on = true;
    if (lp_parse_bool(reader, value, &is_on) && !is_on)
        lp_mistake_at(reader, value, "limpet-init is the first process of every node");
}

static void read_only_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    lp_parse_bool(reader, value, &draft->service->is_read_only);
}

static void privileged_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    lp_parse_bool(reader, value, &draft->service->is_privileged);
}

static void breakable_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    bool is_breakable = true;
    lp_parse_bool(reader, value, &is_breakable);
    draft->service->is_unbreakable = !is_breakable;
}

static void clock_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    const char *text = lp_parse_text(reader, value);
    draft->service->is_clock_adjustable = text && strcmp(text, "adjustable") == 0;
    if (text && !draft->service->is_clock_adjustable && strcmp(text, "host") != 0)
        lp_mistake_at(reader, value, "'%s' is neither 'host' nor 'adjustable'", text);
}

static const char *const capabilities[] = {"ALL",
                                           "AUDIT_CONTROL",
                                           "AUDIT_READ",
                                           "AUDIT_WRITE",
                                           "BLOCK_SUSPEND",
                                           "BPF",
                                           "CHECKPOINT_RESTORE",
                                           "CHOWN",
                                           "DAC_OVERRIDE",
                                           "DAC_READ_SEARCH",
                                           "FOWNER",
                                           "FSETID",
                                           "IPC_LOCK",
                                           "IPC_OWNER",
                                           "KILL",
                                           "LEASE",
                                           "LINUX_IMMUTABLE",
                                           "MAC_ADMIN",
                                           "MAC_OVERRIDE",
                                           "MKNOD",
                                           "NET_ADMIN",
                                           "NET_BIND_SERVICE",
                                           "NET_BROADCAST",
                                           "NET_RAW",
                                           "PERFMON",
                                           "SETFCAP",
                                           "SETGID",
                                           "SETPCAP",
                                           "SETUID",
                                           "SYSLOG",
                                           "SYS_ADMIN",
                                           "SYS_BOOT",
                                           "SYS_CHROOT",
                                           "SYS_MODULE",
                                           "SYS_NICE",
                                           "SYS_PACCT",
                                           "SYS_PTRACE",
                                           "SYS_RAWIO",
                                           "SYS_RESOURCE",
                                           "SYS_TIME",
                                           "SYS_TTY_CONFIG",
                                           "WAKE_ALARM"};

static void caps_read(struct lp_reader *reader, struct lp_yaml_node *value,
                      struct lp_texts *ret_caps)
{
    struct lp_texts given;
    *ret_caps = (struct lp_texts){0};
    if (!lp_parse_texts(reader, value, &given))
        return;
    for (size_t i = 0; i < given.count; i++) {
        char *name = lp_arena_text(reader->arena, given.items[i]);
        for (char *c = name; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        if (lp_text_starts(name, "CAP_"))
            name += 4;
        size_t known = 0;
        while (known < LP_COUNT(capabilities) && strcmp(capabilities[known], name) != 0)
            known++;
        if (known == LP_COUNT(capabilities))
            lp_mistake_at(reader, value->items[i], "'%s' is not a capability%s", given.items[i],
                          lp_hint_nearest(reader, name, capabilities, LP_COUNT(capabilities)));
        else
            lp_texts_add(reader->arena, ret_caps,
                         known ? lp_arena_printf(reader->arena, "CAP_%s", name) : "ALL");
    }
}

static void cap_add_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    caps_read(reader, value, &draft->service->cap_add);
}

static void cap_drop_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    caps_read(reader, value, &draft->service->cap_drop);
}

static void labels_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    lp_parse_pairs(reader, value, &draft->service->labels);
}

static void image_hash_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    const char *text = lp_parse_text(reader, value);
    if (!text)
        return;
    if (strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64)
        lp_mistake_at(reader, value, "not 64 hexadecimal digits");
    draft->service->image.hash = text;
}

static const struct lp_key keys[] = {
    {"profiles", NULL, LP_KEY_IGNORED}, // read before, see parse_top.c
    {"image", NULL, LP_KEY_IGNORED},    // these two are read together, see parse_image.c
    {"build", NULL, LP_KEY_IGNORED},
    {"image_hash", image_hash_read, LP_KEY_CANONICAL},
    {"entrypoint", lp_read_entrypoint, 0},
    {"command", lp_read_command, 0},
    {"env_file", lp_read_env_file, 0},
    {"environment", lp_read_environment, 0},
    {"working_dir", lp_read_working_dir, 0},
    {"user", lp_read_user, 0},
    {"hostname", hostname_read, 0},
    {"ports", lp_read_ports, 0},
    {"expose", lp_read_expose, 0},
    {"volumes", lp_read_volumes, 0},
    {"tmpfs", lp_read_tmpfs, 0},
    {"configs", lp_read_configs, 0},
    {"secrets", lp_read_secrets, 0},
    {"networks", lp_read_networks, 0},
    {"depends_on", depends_read, 0},
    {"healthcheck", health_read, LP_KEY_OWN},
    {"readiness", readiness_read, LP_KEY_OWN},
    {"restart", lp_read_restart, 0},
    {"reload", lp_read_reload, LP_KEY_OWN},
    {"breakable", breakable_read, LP_KEY_OWN},
    {"clock", clock_read, LP_KEY_OWN},
    {"scale", lp_read_scale, 0},
    {"deploy", lp_read_deploy, 0},
    {"stop_signal", lp_read_stop_signal, 0},
    {"stop_grace_period", grace_read, 0},
    {"init", init_read, 0},
    {"read_only", read_only_read, 0},
    {"privileged", privileged_read, 0},
    {"cap_add", cap_add_read, 0},
    {"cap_drop", cap_drop_read, 0},
    {"labels", labels_read, 0},
    {"applications", applications_read, LP_KEY_OWN},
    {"setup", setup_read, LP_KEY_OWN},
};

// Without networks a service is on "default".
static void networks_default(struct lp_reader *reader, const struct lp_yaml_node *key,
                             struct lp_service *service)
{
    if (service->network_count)
        return;
    service->networks = lp_arena_new(reader->arena, struct lp_network_use);
    service->networks->network = lp_arena_text(reader->arena, "default");
    service->network_count = 1;
    lp_mark_add(reader, service->networks->network, key);
}

void lp_parse_service(struct lp_reader *reader, const struct lp_yaml_node *key,
                      struct lp_yaml_node *value, struct lp_service *ret_service)
{
    const struct lp_schema schema = {"service", keys, LP_COUNT(keys), lp_compose_service,
                                     lp_compose_service_count};
    struct lp_service_draft draft = {.service = ret_service};
    ret_service->name = key->text;
    ret_service->replicas = 1;
    draft.base.app.stop_signal = SIGTERM;
    draft.base.app.stop_grace_ms = STOP_GRACE_MS;
    lp_restart_default(&draft.base.app.restart);
    if (!lp_is_mapping(reader, value, "a service"))
        return;
    size_t unknown = reader->unknown_count;
    lp_schema_read(reader, &schema, value, &draft);
    draft.has_unknown = reader->unknown_count > unknown;
    draft.base.inherited =
        lp_pairs_overlay(reader->arena, &draft.env_file, &draft.base.environment);
    lp_parse_image(reader, key, value, &ret_service->image);
    lp_parse_apps(reader, key, &draft);
    networks_default(reader, key, ret_service);
    ret_service->stop_grace_ms = draft.base.app.stop_grace_ms;
    for (size_t i = 0; !draft.has_grace && i < ret_service->app_count; i++)
        if (ret_service->apps[i].stop_grace_ms > ret_service->stop_grace_ms)
            ret_service->stop_grace_ms = ret_service->apps[i].stop_grace_ms;
}
