// Events: their words, and their one line of JSON.
#include "model/event.h"

#include <jansson.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "model/fields.h"

static const char *const words[LP_EVENT_KINDS] = {
    [LP_EVENT_NONE] = "none",
    [LP_EVENT_DAEMON_STARTED] = "daemon-started",
    [LP_EVENT_DRIVERS_SYNCED] = "drivers-synced",
    [LP_EVENT_TICK] = "tick",
    [LP_EVENT_INFRA_SET] = "infra-set",
    [LP_EVENT_IMAGE_SET] = "image-set",
    [LP_EVENT_SERVICE_SET] = "service-set",
    [LP_EVENT_APP_SET] = "app-set",
    [LP_EVENT_SERVICE_UNSET] = "service-unset",
    [LP_EVENT_INFRA_APPLIED] = "infra-applied",
    [LP_EVENT_INFRA_UNSET] = "infra-unset",
    [LP_EVENT_SCALE_SET] = "scale-set",
    [LP_EVENT_RESTART_ASKED] = "restart-asked",
    [LP_EVENT_FAULT_ASKED] = "fault-asked",
    [LP_EVENT_HEAL_ASKED] = "heal-asked",
    [LP_EVENT_FAULTS_LOCKED] = "faults-locked",
    [LP_EVENT_FAULT_ACTIVE] = "fault-active",
    [LP_EVENT_FAULT_FAILED] = "fault-failed",
    [LP_EVENT_FAULT_HEALED] = "fault-healed",
    [LP_EVENT_HOST_UP] = "host-up",
    [LP_EVENT_HOST_DEAD] = "host-dead",
    [LP_EVENT_IMAGE_READY] = "image-ready",
    [LP_EVENT_IMAGE_FAILED] = "image-failed",
    [LP_EVENT_IMAGE_PROGRESS] = "image-progress",
    [LP_EVENT_NETWORK_READY] = "network-ready",
    [LP_EVENT_NETWORK_FAILED] = "network-failed",
    [LP_EVENT_NETWORK_GONE] = "network-gone",
    [LP_EVENT_PUBLISHED] = "published",
    [LP_EVENT_NODE_UP] = "node-up",
    [LP_EVENT_NODE_FAILED] = "node-failed",
    [LP_EVENT_NODE_DEAD] = "node-dead",
    [LP_EVENT_NODE_MUTE] = "node-mute",
    [LP_EVENT_NODE_GONE] = "node-gone",
    [LP_EVENT_RENDERED] = "rendered",
    [LP_EVENT_APP_STARTED] = "app-started",
    [LP_EVENT_APP_EXITED] = "app-exited",
    [LP_EVENT_APP_FAILED] = "app-failed",
    [LP_EVENT_READING] = "reading",
    [LP_EVENT_SUSPICION] = "suspicion",
};

#define WANT(key_, type_, member_, ...)                                                  \
    {                                                                                    \
        .key = key_, .type = type_, .offset = offsetof(struct lp_service_want, member_), \
        __VA_ARGS__                                                                      \
    }
static const struct lp_field service_fields[] = {
    WANT("node_hash", LP_FIELD_U64, node_hash, .max = 0),
    WANT("files_hash", LP_FIELD_U64, files_hash, .max = 0),
    WANT("memory_bytes", LP_FIELD_U64, memory_bytes, .max = 0),
    WANT("replicas", LP_FIELD_U32, replicas, .max = LP_REPLICAS_MAX),
    WANT("image", LP_FIELD_ID, image, .max = 0),
    WANT("cpu_permille", LP_FIELD_U32, cpu_permille, .max = 0),
    WANT("stop_grace_ms", LP_FIELD_U32, stop_grace_ms, .max = 0),
    WANT("apps", LP_FIELD_U16, app_count, .max = LP_APPS_MAX),
    WANT("owns_state", LP_FIELD_BOOL, owns_state, .max = 0),
    WANT("depends", LP_FIELD_DEPENDS, depends,
         .count_offset = offsetof(struct lp_service_want, depend_count)),
    WANT("observes", LP_FIELD_IDS, observes,
         .count_offset = offsetof(struct lp_service_want, observe_count)),
};
#undef WANT

static const char *const app_kinds[] = {"serve", "setup"};
static const char *const conditions[] = {"no", "on-failure", "always"};
static const char *const reloads[] = {"restart", "command", "signal", "nothing"};

#define WANT(key_, type_, member_, ...)                                                          \
    {                                                                                            \
        .key = key_, .type = type_, .offset = offsetof(struct lp_app_want, member_), __VA_ARGS__ \
    }
static const struct lp_field app_fields[] = {
    WANT("kind", LP_FIELD_WORD, kind, .words = app_kinds, .max = LP_APP_SETUP),
    WANT("restart", LP_FIELD_WORD, restart_condition, .words = conditions,
         .max = LP_RESTART_ALWAYS),
    WANT("has_readiness", LP_FIELD_BOOL, has_readiness, .max = 0),
    WANT("has_health", LP_FIELD_BOOL, has_health, .max = 0),
    WANT("reload", LP_FIELD_WORD, reload_kind, .words = reloads, .max = LP_RELOAD_NOTHING),
    WANT("delay_ms", LP_FIELD_U32, delay_ms, .max = 0),
    WANT("max_attempts", LP_FIELD_U32, max_attempts, .max = 0),
    WANT("window_ms", LP_FIELD_U32, window_ms, .max = 0),
    WANT("stop_grace_ms", LP_FIELD_U32, stop_grace_ms, .max = 0),
    WANT("timeout_ms", LP_FIELD_U32, timeout_ms, .max = 0),
    WANT("start_period_ms", LP_FIELD_U32, start_period_ms, .max = 0),
    WANT("retries", LP_FIELD_U32, retries, .max = 0),
    WANT("depends", LP_FIELD_DEPENDS, depends,
         .count_offset = offsetof(struct lp_app_want, depend_count)),
};
#undef WANT

static const struct lp_field host_fields[] = {
    {.key = "memory_bytes",
     .type = LP_FIELD_U64,
     .offset = offsetof(struct lp_host_facts, memory_bytes)},
    {.key = "cpu_permille",
     .type = LP_FIELD_U32,
     .offset = offsetof(struct lp_host_facts, cpu_permille)},
};

#define SPEC(key_, type_, member_, ...)                                                            \
    {                                                                                              \
        .key = key_, .type = type_, .offset = offsetof(struct lp_fault_spec, member_), __VA_ARGS__ \
    }
static const struct lp_field fault_fields[] = {
    SPEC("bytes", LP_FIELD_U64, bytes, .max = 0),
    SPEC("clock_ms", LP_FIELD_I64, clock_ms, .max = 0),
    SPEC("kind", LP_FIELD_WORD32, kind, .words = lp_fault_words, .max = LP_FAULT_KINDS - 1),
    SPEC("permille", LP_FIELD_U32, permille, .max = 0),
    SPEC("delay_us", LP_FIELD_U32, delay_us, .max = 0),
    SPEC("jitter_us", LP_FIELD_U32, jitter_us, .max = 0),
    SPEC("distribution", LP_FIELD_U32, distribution, .max = LP_FAULT_NORMAL),
    SPEC("direction", LP_FIELD_U32, direction, .max = LP_FAULT_OUT),
    SPEC("peer_service", LP_FIELD_ID, peer_service, .max = 0),
    SPEC("peer_node", LP_FIELD_ID, peer_node, .max = 0),
    SPEC("network", LP_FIELD_ID, network, .max = 0),
    SPEC("drift_ppm", LP_FIELD_I32, drift_ppm, .max = 0),
    SPEC("count", LP_FIELD_U32, count, .max = 0),
    SPEC("duration_ms", LP_FIELD_U32, duration_ms, .max = 0),
    SPEC("seed", LP_FIELD_U32, seed, .max = 0),
    SPEC("flags", LP_FIELD_U32, flags, .max = 15),
};
#undef SPEC

// The fields, in the order in which they are printed. Bits of the masks below.
enum {
    SEQ,
    AT,
    INFRA,
    SERVICE,
    NODE,
    APP,
    HOST,
    INCARNATION,
    RUN,
    IMAGE,
    FAULT,
    STATUS,
    REPLICAS,
    REVISION,
    IS_OOM,
    IS_OK,
    IS_FORCED,
    SERVICE_WANT,
    APP_WANT,
    HOST_FACTS,
    FAULT_SPEC,
    TEXT,
    FIELDS
};

#define FIELD(key_, type_, member_)                                              \
    {                                                                            \
        .key = key_, .type = type_, .offset = offsetof(struct lp_event, member_) \
    }
#define OBJECT(key_, member_, fields_)                                                      \
    {                                                                                       \
        .key = key_, .type = LP_FIELD_OBJECT, .offset = offsetof(struct lp_event, member_), \
        .fields = fields_, .field_count = sizeof(fields_) / sizeof((fields_)[0])            \
    }
static const struct lp_field fields[FIELDS] = {
    [SEQ] = FIELD("seq", LP_FIELD_U64, seq),
    [AT] = FIELD("at_ms", LP_FIELD_I64, at_ms),
    [INFRA] = FIELD("infra", LP_FIELD_ID, infra),
    [SERVICE] = FIELD("service", LP_FIELD_ID, service),
    [NODE] = FIELD("node", LP_FIELD_ID, node),
    [APP] = FIELD("app", LP_FIELD_ID, app),
    [HOST] = FIELD("host", LP_FIELD_ID, host),
    [INCARNATION] = FIELD("incarnation", LP_FIELD_U32, incarnation),
    [RUN] = FIELD("run", LP_FIELD_U32, run),
    [IMAGE] = FIELD("image", LP_FIELD_ID, image),
    [FAULT] = FIELD("fault", LP_FIELD_ID, fault),
    [STATUS] = FIELD("status", LP_FIELD_I32, status),
    [REPLICAS] = FIELD("replicas", LP_FIELD_U32, replicas),
    [REVISION] = FIELD("revision", LP_FIELD_U64, revision),
    [IS_OOM] = FIELD("is_oom", LP_FIELD_BOOL, is_oom),
    [IS_OK] = FIELD("is_ok", LP_FIELD_BOOL, is_ok),
    [IS_FORCED] = FIELD("is_forced", LP_FIELD_BOOL, is_forced),
    [SERVICE_WANT] = OBJECT("want", service_want, service_fields),
    [APP_WANT] = OBJECT("want", app_want, app_fields),
    [HOST_FACTS] = OBJECT("facts", host_facts, host_fields),
    [FAULT_SPEC] = OBJECT("spec", fault_spec, fault_fields),
    [TEXT] = FIELD("text", LP_FIELD_TEXT, text),
};

#define BIT(field) (UINT64_C(1) << (field))
// What every kind has; ids that are not meant are left out, and so is a missing text.
#define COMMON \
    (BIT(SEQ) | BIT(AT) | BIT(INFRA) | BIT(SERVICE) | BIT(NODE) | BIT(APP) | BIT(HOST) | BIT(TEXT))
#define LIFE    (COMMON | BIT(INCARNATION))
#define ENDING  (LIFE | BIT(STATUS) | BIT(IS_OOM))
#define RUNNING (LIFE | BIT(RUN))
#define FAULTY  (COMMON | BIT(FAULT) | BIT(REVISION))
static const uint64_t masks[LP_EVENT_KINDS] = {
    [LP_EVENT_DAEMON_STARTED] = COMMON,
    [LP_EVENT_DRIVERS_SYNCED] = COMMON,
    [LP_EVENT_TICK] = COMMON,
    [LP_EVENT_INFRA_SET] = COMMON | BIT(REVISION),
    [LP_EVENT_IMAGE_SET] = COMMON | BIT(IMAGE) | BIT(REVISION),
    [LP_EVENT_SERVICE_SET] = COMMON | BIT(SERVICE_WANT),
    [LP_EVENT_APP_SET] = COMMON | BIT(APP_WANT),
    [LP_EVENT_SERVICE_UNSET] = COMMON,
    [LP_EVENT_INFRA_APPLIED] = COMMON | BIT(REVISION),
    [LP_EVENT_INFRA_UNSET] = COMMON | BIT(IS_FORCED),
    [LP_EVENT_SCALE_SET] = COMMON | BIT(REPLICAS),
    [LP_EVENT_RESTART_ASKED] = COMMON | BIT(IS_FORCED),
    [LP_EVENT_FAULT_ASKED] = FAULTY | BIT(FAULT_SPEC),
    [LP_EVENT_HEAL_ASKED] = FAULTY,
    [LP_EVENT_FAULTS_LOCKED] = COMMON | BIT(IS_OK),
    [LP_EVENT_FAULT_ACTIVE] = FAULTY | RUNNING,
    [LP_EVENT_FAULT_FAILED] = FAULTY,
    [LP_EVENT_FAULT_HEALED] = FAULTY,
    [LP_EVENT_HOST_UP] = COMMON | BIT(HOST_FACTS),
    [LP_EVENT_HOST_DEAD] = COMMON,
    [LP_EVENT_IMAGE_READY] = COMMON | BIT(IMAGE),
    [LP_EVENT_IMAGE_FAILED] = COMMON | BIT(IMAGE),
    [LP_EVENT_IMAGE_PROGRESS] = COMMON | BIT(IMAGE),
    [LP_EVENT_NETWORK_READY] = COMMON,
    [LP_EVENT_NETWORK_FAILED] = COMMON,
    [LP_EVENT_NETWORK_GONE] = COMMON,
    [LP_EVENT_PUBLISHED] = COMMON | BIT(REVISION),
    [LP_EVENT_NODE_UP] = LIFE,
    [LP_EVENT_NODE_FAILED] = LIFE,
    [LP_EVENT_NODE_DEAD] = ENDING,
    [LP_EVENT_NODE_MUTE] = LIFE,
    [LP_EVENT_NODE_GONE] = LIFE,
    [LP_EVENT_RENDERED] = LIFE | BIT(REVISION),
    [LP_EVENT_APP_STARTED] = RUNNING,
    [LP_EVENT_APP_EXITED] = RUNNING | ENDING,
    [LP_EVENT_APP_FAILED] = RUNNING,
    [LP_EVENT_READING] = RUNNING | BIT(IS_OK),
    [LP_EVENT_SUSPICION] = RUNNING,
};

void lp_event_init(struct lp_event *event, enum lp_event_kind kind)
{
    // Byte for byte, so that the padding never carries what was there before.
    memset(event, 0, sizeof(*event));
    event->kind = kind;
    event->infra = event->service = event->node = event->app = event->host = LP_NONE;
    event->image = event->fault = LP_NONE;
    if (kind == LP_EVENT_SERVICE_SET)
        event->service_want.image = LP_NONE;
    if (kind == LP_EVENT_FAULT_ASKED)
        event->fault_spec.peer_service = event->fault_spec.peer_node = event->fault_spec.network =
            LP_NONE;
}

const char *lp_event_word(enum lp_event_kind kind)
{
    lp_assert((unsigned)kind < LP_EVENT_KINDS);
    return words[kind];
}

void lp_event_print(const struct lp_event *event, struct lp_str *ret_text)
{
    lp_str_printf(ret_text, "{\"event\":\"%s\"", lp_event_word(event->kind));
    struct lp_fields having = {fields, FIELDS, masks[event->kind]};
    lp_fields_print(&having, event, ret_text);
    lp_str_add_char(ret_text, '}');
}

LP_MUST_CHECK static int event_read(json_t *object, struct lp_arena *arena,
                                    struct lp_event *ret_event, struct lp_err *err)
{
    const char *word = json_string_value(json_object_get(object, "event"));
    if (!word)
        return lp_err_set(err, LP_EINPUT, "the key \"event\" with a word is missing");
    // words + 1: an event of no kind is none.
    int kind = lp_word_find("event", word, words + 1, LP_EVENT_KINDS - 1, err);
    if (kind < 0)
        return kind;
    lp_event_init(ret_event, (enum lp_event_kind)(kind + 1));
    struct lp_fields having = {fields, FIELDS, masks[kind + 1]};
    return lp_fields_parse(&having, object, "event", arena, ret_event, err);
}

int lp_event_parse(const char *json, size_t bytes, struct lp_arena *arena,
                   struct lp_event *ret_event, struct lp_err *err)
{
    json_error_t why;
    json_t *object = json_loadb(json, bytes, JSON_REJECT_DUPLICATES, &why);
    if (!object)
        return lp_err_set(err, LP_EINPUT, "event: %d:%d: %s", why.line, why.column, why.text);
    struct lp_event event;
    int result = event_read(object, arena, &event, err);
    json_decref(object);
    if (result < 0)
        return lp_err_wrap(err, "event");
    *ret_event = event;
    return 0;
}

void lp_event_reply(struct lp_event *event, enum lp_event_kind kind, const struct lp_action *action)
{
    lp_event_init(event, kind);
    event->infra = action->infra;
    event->service = action->service;
    event->node = action->node;
    event->app = action->app;
    event->image = action->image;
    event->incarnation = action->incarnation;
    event->run = action->run;
    event->fault = action->fault;
    event->revision = action->revision;
}

enum lp_event_kind lp_event_of_success(enum lp_action_kind action)
{
    static const enum lp_event_kind replies[LP_ACTION_KINDS] = {
        [LP_ACTION_ENSURE_IMAGE] = LP_EVENT_IMAGE_READY,
        [LP_ACTION_ENSURE_NETWORK] = LP_EVENT_NETWORK_READY,
        [LP_ACTION_REMOVE_NETWORK] = LP_EVENT_NETWORK_GONE,
        [LP_ACTION_PUBLISH] = LP_EVENT_PUBLISHED,
        [LP_ACTION_START_NODE] = LP_EVENT_NODE_UP,
        [LP_ACTION_STOP_NODE] = LP_EVENT_NODE_DEAD,
        [LP_ACTION_FENCE_NODE] = LP_EVENT_NODE_DEAD,
        [LP_ACTION_REMOVE_NODE] = LP_EVENT_NODE_GONE,
        [LP_ACTION_RENDER] = LP_EVENT_RENDERED,
        [LP_ACTION_START_APP] = LP_EVENT_APP_STARTED,
        [LP_ACTION_STOP_APP] = LP_EVENT_APP_EXITED,
        [LP_ACTION_KILL_APP] = LP_EVENT_APP_EXITED,
        [LP_ACTION_WATCH] = LP_EVENT_READING,
        [LP_ACTION_INJECT_FAULT] = LP_EVENT_FAULT_ACTIVE,
        [LP_ACTION_HEAL_FAULT] = LP_EVENT_FAULT_HEALED,
    };
    return (unsigned)action < LP_ACTION_KINDS ? replies[action] : LP_EVENT_NONE;
}
