// Actions: their words, and their one line of JSON.
#include "model/action.h"

#include <jansson.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "model/fields.h"

static const char *const words[LP_ACTION_KINDS] = {
    [LP_ACTION_NONE] = "none",
    [LP_ACTION_ENSURE_IMAGE] = "ensure-image",
    [LP_ACTION_ENSURE_NETWORK] = "ensure-network",
    [LP_ACTION_REMOVE_NETWORK] = "remove-network",
    [LP_ACTION_PUBLISH] = "publish",
    [LP_ACTION_START_NODE] = "start-node",
    [LP_ACTION_STOP_NODE] = "stop-node",
    [LP_ACTION_FENCE_NODE] = "fence-node",
    [LP_ACTION_REMOVE_NODE] = "remove-node",
    [LP_ACTION_RENDER] = "render",
    [LP_ACTION_START_APP] = "start-app",
    [LP_ACTION_STOP_APP] = "stop-app",
    [LP_ACTION_KILL_APP] = "kill-app",
    [LP_ACTION_WATCH] = "watch",
    [LP_ACTION_UNWATCH] = "unwatch",
    [LP_ACTION_INJECT_FAULT] = "inject-fault",
    [LP_ACTION_HEAL_FAULT] = "heal-fault",
};

// The fields, in the order in which they are printed. Bits of the masks below.
enum {
    ID,
    INFRA,
    SERVICE,
    NODE,
    APP,
    HOST,
    IMAGE,
    FAULT,
    INCARNATION,
    RUN,
    GRACE,
    REVISION,
    REASON,
    REASON_A,
    REASON_SEQ,
    FIELDS
};

#define FIELD(key_, type_, member_)                                               \
    {                                                                             \
        .key = key_, .type = type_, .offset = offsetof(struct lp_action, member_) \
    }
static const struct lp_field fields[FIELDS] = {
    [ID] = FIELD("id", LP_FIELD_U64, id),
    [INFRA] = FIELD("infra", LP_FIELD_ID, infra),
    [SERVICE] = FIELD("service", LP_FIELD_ID, service),
    [NODE] = FIELD("node", LP_FIELD_ID, node),
    [APP] = FIELD("app", LP_FIELD_ID, app),
    [HOST] = FIELD("host", LP_FIELD_ID, host),
    [IMAGE] = FIELD("image", LP_FIELD_ID, image),
    [FAULT] = FIELD("fault", LP_FIELD_ID, fault),
    [INCARNATION] = FIELD("incarnation", LP_FIELD_U32, incarnation),
    [RUN] = FIELD("run", LP_FIELD_U32, run),
    [GRACE] = FIELD("grace_ms", LP_FIELD_U32, grace_ms),
    [REVISION] = FIELD("revision", LP_FIELD_U64, revision),
    [REASON] = FIELD("because", LP_FIELD_U32, because.reason), // printed as its word, see below
    [REASON_A] = FIELD("because_a", LP_FIELD_U32, because.a),
    [REASON_SEQ] = FIELD("because_seq", LP_FIELD_U64, because.event_seq),
};

#define BIT(field) (UINT64_C(1) << (field))
// What every kind has; ids that are not meant are left out.
#define COMMON                                                                             \
    (BIT(ID) | BIT(INFRA) | BIT(SERVICE) | BIT(NODE) | BIT(APP) | BIT(HOST) | BIT(IMAGE) | \
     BIT(REASON) | BIT(REASON_A) | BIT(REASON_SEQ))
#define LIFE    (COMMON | BIT(INCARNATION))
#define RUNNING (LIFE | BIT(RUN))
static const uint64_t masks[LP_ACTION_KINDS] = {
    [LP_ACTION_ENSURE_IMAGE] = COMMON,
    [LP_ACTION_ENSURE_NETWORK] = COMMON,
    [LP_ACTION_REMOVE_NETWORK] = COMMON,
    [LP_ACTION_PUBLISH] = COMMON | BIT(REVISION),
    [LP_ACTION_START_NODE] = LIFE | BIT(REVISION),
    [LP_ACTION_STOP_NODE] = LIFE | BIT(GRACE),
    [LP_ACTION_FENCE_NODE] = LIFE,
    [LP_ACTION_REMOVE_NODE] = LIFE | BIT(GRACE),
    [LP_ACTION_RENDER] = LIFE | BIT(REVISION),
    [LP_ACTION_START_APP] = RUNNING,
    [LP_ACTION_STOP_APP] = RUNNING | BIT(GRACE),
    [LP_ACTION_KILL_APP] = RUNNING,
    [LP_ACTION_WATCH] = RUNNING,
    [LP_ACTION_UNWATCH] = RUNNING,
    [LP_ACTION_INJECT_FAULT] = RUNNING | BIT(FAULT) | BIT(REVISION),
    [LP_ACTION_HEAL_FAULT] = RUNNING | BIT(FAULT) | BIT(REVISION),
};

const char *lp_action_word(enum lp_action_kind kind)
{
    lp_assert((unsigned)kind < LP_ACTION_KINDS);
    return words[kind];
}

// The table with the reasons' words put in; they are kept in because.c, together with the clauses.
static void table_make(struct lp_field ret_fields[FIELDS], const char *ret_words[LP_REASONS])
{
    memcpy(ret_fields, fields, sizeof(fields));
    for (int i = 0; i < LP_REASONS; i++)
        ret_words[i] = lp_reason_word((enum lp_reason)i);
    ret_fields[REASON].type = LP_FIELD_WORD32;
    ret_fields[REASON].words = ret_words;
    ret_fields[REASON].max = LP_REASONS - 1;
}

void lp_action_print(const struct lp_action *action, struct lp_str *ret_text)
{
    struct lp_field table[FIELDS];
    const char *reasons[LP_REASONS];
    table_make(table, reasons);
    lp_str_printf(ret_text, "{\"action\":\"%s\"", lp_action_word(action->kind));
    struct lp_fields having = {table, FIELDS, masks[action->kind]};
    lp_fields_print(&having, action, ret_text);
    lp_str_add_char(ret_text, '}');
}

LP_MUST_CHECK static int action_read(json_t *object, struct lp_action *ret_action,
                                     struct lp_err *err)
{
    const char *word = json_string_value(json_object_get(object, "action"));
    if (!word)
        return lp_err_set(err, LP_EINPUT, "the key \"action\" with a word is missing");
    // words + 1: an action of no kind is none.
    int kind = lp_word_find("action", word, words + 1, LP_ACTION_KINDS - 1, err);
    if (kind < 0)
        return kind;
    struct lp_field table[FIELDS];
    const char *reasons[LP_REASONS];
    table_make(table, reasons);
    memset(ret_action, 0, sizeof(*ret_action));
    ret_action->kind = (enum lp_action_kind)(kind + 1);
    ret_action->infra = ret_action->service = ret_action->node = LP_NONE;
    ret_action->app = ret_action->host = ret_action->image = ret_action->fault = LP_NONE;
    struct lp_fields having = {table, FIELDS, masks[kind + 1]};
    return lp_fields_parse(&having, object, "action", NULL, ret_action, err);
}

int lp_action_parse(const char *json, size_t bytes, struct lp_action *ret_action,
                    struct lp_err *err)
{
    json_error_t why;
    json_t *object = json_loadb(json, bytes, JSON_REJECT_DUPLICATES, &why);
    if (!object)
        return lp_err_set(err, LP_EINPUT, "action: %d:%d: %s", why.line, why.column, why.text);
    struct lp_action action;
    int result = action_read(object, &action, err);
    json_decref(object);
    if (result < 0)
        return lp_err_wrap(err, "action");
    *ret_action = action;
    return 0;
}
