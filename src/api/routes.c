// The routes of the HTTP interface.
#include "api/routes.h"

#include <stdlib.h>
#include <string.h>

#include "api/metrics.h"
#include "base/arena.h"
#include "base/own.h"

enum { EVENTS_DEFAULT = 100, EVENTS_MAX = 10 * 1000 };

static const char *text_of(const struct lp_call *call, const char *key)
{
    return json_string_value(json_object_get(call->body, key));
}

LP_MUST_CHECK static int text_get(const struct lp_call *call, const char *key,
                                  const char **ret_text, struct lp_err *err)
{
    *ret_text = text_of(call, key);
    if (!*ret_text)
        return lp_err_set(err, LP_EINPUT, "the request lacks \"%s\" (a string)", key);
    return 0;
}

static int version_get(struct lp_api *api, const struct lp_call *call, struct lp_str *reply,
                       struct lp_err *err)
{
    (void)call, (void)err;
    lp_str_printf(reply, "{\"version\":\"%s\",\"journal_seq\":%llu,\"is_synced\":%s}", LP_VERSION,
                  (unsigned long long)lp_engine_last_seq(api->engine),
                  lp_engine_is_synced(api->engine) ? "true" : "false");
    return 0;
}

static int metrics_get(struct lp_api *api, const struct lp_call *call, struct lp_str *reply,
                       struct lp_err *err)
{
    (void)call, (void)err;
    lp_metrics_print(api->metrics, reply);
    return 0;
}

static int infras_get(struct lp_api *api, const struct lp_call *call, struct lp_str *reply,
                      struct lp_err *err)
{
    return lp_view_infras(api->engine, call->query(call, "infrastructure"), reply, err);
}

// The descriptor of a body, as text: given as a string, or as the object itself.
LP_MUST_CHECK static int descriptor_get(const struct lp_call *call, struct lp_str *ret_text,
                                        struct lp_err *err)
{
    const json_t *descriptor = json_object_get(call->body, "descriptor");
    if (json_is_string(descriptor)) {
        lp_str_add(ret_text, json_string_value(descriptor));
        return 0;
    }
    if (!json_is_object(descriptor))
        return lp_err_set(err, LP_EINPUT, "the request lacks \"descriptor\" (text or an object)");
    LP_OWNS_TEXT char *text = json_dumps(descriptor, JSON_COMPACT);
    lp_str_add(ret_text, text ? text : "");
    return 0;
}

static int infra_put(struct lp_api *api, const struct lp_call *call, struct lp_str *reply,
                     struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    LP_OWNS_ARENA struct lp_arena arena = {0};
    json_t *secrets = json_object_get(call->body, "secrets");
    size_t count = json_object_size(secrets);
    struct lp_pairs pairs = {lp_arena_new_array(&arena, struct lp_pair, count + 1), 0};
    const char *key;
    json_t *value;
    json_object_foreach(secrets, key, value)
    {
        if (!json_is_string(value))
            return lp_err_set(err, LP_EINPUT, "secret %s is not a string", key);
        pairs.items[pairs.count++] = (struct lp_pair){key, json_string_value(value)};
    }
    if (descriptor_get(call, &text, err) < 0 ||
        lp_request_apply(api->engine, lp_str_text(&text), text.bytes, &pairs, err) < 0)
        return err->code;
    lp_str_printf(reply, "{\"accepted\":true,\"journal_seq\":%llu}",
                  (unsigned long long)lp_engine_last_seq(api->engine));
    return 0;
}

static void accepted(struct lp_str *reply)
{
    lp_str_add(reply, "{\"accepted\":true}");
}

static int infra_delete(struct lp_api *api, const struct lp_call *call, struct lp_str *reply,
                        struct lp_err *err)
{
    const char *volumes = call->query(call, "volumes");
    if (lp_request_down(api->engine, call->path_name, volumes && strcmp(volumes, "true") == 0,
                        err) < 0)
        return err->code;
    accepted(reply);
    return 0;
}

static int nodes_get(struct lp_api *api, const struct lp_call *call, struct lp_str *reply,
                     struct lp_err *err)
{
    return lp_view_nodes(api->engine, call->query(call, "infrastructure"), reply, err);
}

static int services_get(struct lp_api *api, const struct lp_call *call, struct lp_str *reply,
                        struct lp_err *err)
{
    return lp_view_services(api->engine, call->query(call, "infrastructure"), reply, err);
}

static int scale_post(struct lp_api *api, const struct lp_call *call, struct lp_str *reply,
                      struct lp_err *err)
{
    const char *infra, *service;
    const json_t *replicas = json_object_get(call->body, "replicas");
    if (text_get(call, "infrastructure", &infra, err) < 0 ||
        text_get(call, "service", &service, err) < 0)
        return err->code;
    if (!json_is_integer(replicas) || json_integer_value(replicas) < 0 ||
        json_integer_value(replicas) > LP_REPLICAS_MAX)
        return lp_err_set(err, LP_EINPUT, "\"replicas\" is a number from 0 to %d", LP_REPLICAS_MAX);
    if (lp_request_scale(api->engine, infra, service, (uint32_t)json_integer_value(replicas), err) <
        0)
        return err->code;
    accepted(reply);
    return 0;
}

static int restart_post(struct lp_api *api, const struct lp_call *call, struct lp_str *reply,
                        struct lp_err *err)
{
    const char *infra, *target;
    if (text_get(call, "infrastructure", &infra, err) < 0 ||
        text_get(call, "target", &target, err) < 0 ||
        lp_request_restart(api->engine, infra, target, err) < 0)
        return err->code;
    accepted(reply);
    return 0;
}

static int break_post(struct lp_api *api, const struct lp_call *call, struct lp_str *reply,
                      struct lp_err *err)
{
    const char *infra, *target;
    bool is_node = json_is_true(json_object_get(call->body, "is_node"));
    if (text_get(call, "infrastructure", &infra, err) < 0 ||
        text_get(call, "target", &target, err) < 0 ||
        lp_request_break(api->engine, infra, target, is_node, err) < 0)
        return err->code;
    accepted(reply);
    return 0;
}

static uint64_t number_of(const struct lp_call *call, const char *name, uint64_t otherwise)
{
    const char *text = call->query(call, name);
    char *end = NULL;
    uint64_t number = text ? strtoull(text, &end, 10) : otherwise;
    return text && (end == text || *end) ? otherwise : number;
}

static int events_get(struct lp_api *api, const struct lp_call *call, struct lp_str *reply,
                      struct lp_err *err)
{
    uint64_t limit = number_of(call, "limit", EVENTS_DEFAULT);
    return lp_view_events(api->engine, call->query(call, "infrastructure"),
                          call->query(call, "node"), number_of(call, "after", 0),
                          limit < EVENTS_MAX ? (size_t)limit : EVENTS_MAX, reply, err);
}

static int why_get(struct lp_api *api, const struct lp_call *call, struct lp_str *reply,
                   struct lp_err *err)
{
    const char *node = call->query(call, "node");
    if (!node)
        return lp_err_set(err, LP_EINPUT, "say which node: ?node=NAME");
    return lp_view_why(api->engine, call->query(call, "infrastructure"), node, reply, err);
}

static int plan_post(struct lp_api *api, const struct lp_call *call, struct lp_str *reply,
                     struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    if (descriptor_get(call, &text, err) < 0)
        return err->code;
    return lp_view_plan(api->engine, lp_str_text(&text), text.bytes, reply, err);
}

static int plan_if_post(struct lp_api *api, const struct lp_call *call, struct lp_str *reply,
                        struct lp_err *err)
{
    const char *what;
    if (text_get(call, "if", &what, err) < 0)
        return err->code;
    return lp_view_plan_if(api->engine, text_of(call, "infrastructure"), what, reply, err);
}

static int shutdown_post(struct lp_api *api, const struct lp_call *call, struct lp_str *reply,
                         struct lp_err *err)
{
    (void)call, (void)err;
    api->is_shutdown_asked = true;
    accepted(reply);
    return 0;
}

const struct lp_route lp_routes[] = {
    {"GET", "/v1/version", version_get, false, false},
    {"GET", "/v1/metrics", metrics_get, false, false},
    {"GET", "/v1/infrastructures", infras_get, false, false},
    {"PUT", "/v1/infrastructures/{name}", infra_put, true, false},
    {"DELETE", "/v1/infrastructures/{name}", infra_delete, false, false},
    {"GET", "/v1/nodes", nodes_get, false, false},
    {"GET", "/v1/services", services_get, false, false},
    {"POST", "/v1/services/scale", scale_post, true, false},
    {"POST", "/v1/restart", restart_post, true, false},
    {"POST", "/v1/break", break_post, true, false},
    {"GET", "/v1/events", events_get, false, true},
    {"GET", "/v1/why", why_get, false, false},
    {"POST", "/v1/plan", plan_post, true, false},
    {"POST", "/v1/plan-if", plan_if_post, true, false},
    {"POST", "/v1/shutdown", shutdown_post, false, false},
};
const size_t lp_route_count = sizeof(lp_routes) / sizeof(lp_routes[0]);

// Does path fit the pattern? *ret_name: what stands at {name}, to the end of path.
static bool path_fits(const char *pattern, const char *path, const char **ret_name)
{
    const char *brace = strchr(pattern, '{');
    *ret_name = NULL;
    if (!brace)
        return strcmp(pattern, path) == 0;
    size_t fixed = (size_t)(brace - pattern);
    if (strncmp(pattern, path, fixed) != 0 || !path[fixed] || strchr(path + fixed, '/'))
        return false;
    *ret_name = path + fixed;
    return true;
}

const struct lp_route *lp_route_find(const char *method, const char *path, const char **ret_name,
                                     bool *ret_is_other_method)
{
    *ret_is_other_method = false;
    for (size_t i = 0; i < lp_route_count; i++) {
        if (!path_fits(lp_routes[i].path, path, ret_name))
            continue;
        if (strcmp(lp_routes[i].method, method) == 0)
            return &lp_routes[i];
        *ret_is_other_method = true;
    }
    return NULL;
}

unsigned lp_route_status(int code)
{
    static const struct {
        int code;
        unsigned status;
    } statuses[] = {{LP_EINPUT, 400},    {LP_EDENIED, 403}, {LP_ENOTFOUND, 404},
                    {LP_ECONFLICT, 409}, {LP_EFULL, 413},   {LP_EUNSUPPORTED, 501},
                    {LP_EIO, 507},       {LP_ETIMEOUT, 504}};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (statuses[i].code == code)
            return statuses[i].status;
    return code == 0 ? 200 : 500;
}

void lp_route_error(const struct lp_err *err, struct lp_str *reply)
{
    lp_str_clear(reply);
    lp_str_printf(reply, "{\"error\":\"%s\",\"text\":", lp_code_word(err->code));
    lp_str_add_json(reply, err->text);
    lp_str_add_char(reply, '}');
}
