// The routes: one table, one function each.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/arguments.h"
#include "api/metrics.h"
#include "engine/engine.h"
#include "base/own.h"
#include "model/limits.h"

struct route {
    const char *method, *path; // "{name}" stands for one part of it
    const struct lp_api_field *query, *body;
    size_t body_max;
    int (*answer)(struct lp_api *api, const struct lp_api_arguments *arguments,
                  struct lp_api_answer *answer, struct lp_err *err);
};

#define AT(member) offsetof(struct lp_api_arguments, member)

static int version_get(struct lp_api *api, const struct lp_api_arguments *arguments,
                       struct lp_api_answer *answer, struct lp_err *err)
{
    (void)arguments, (void)err;
    lp_str_add(&answer->body, "{\"version\":\"" LP_VERSION "\",\"root\":");
    lp_str_add_json(&answer->body, api->root);
    lp_str_printf(&answer->body,
                  ",\"pid\":%d,\"since\":%lld,\"is_synced\":%s,\"journal_seq\":%llu}",
                  (int)getpid(), (long long)api->since_ms,
                  lp_engine_is_synced(api->engine) ? "true" : "false",
                  (unsigned long long)lp_engine_last_seq(api->engine));
    return 0;
}

static int metrics_get(struct lp_api *api, const struct lp_api_arguments *arguments,
                       struct lp_api_answer *answer, struct lp_err *err)
{
    (void)arguments, (void)err;
    lp_metrics_print(api->metrics, &answer->body);
    return 0;
}

static int infrastructures_get(struct lp_api *api, const struct lp_api_arguments *arguments,
                               struct lp_api_answer *answer, struct lp_err *err)
{
    return lp_view_infras(api->engine, arguments->infrastructure, &answer->body, err);
}

// The answer to a request that is in the journal: what follows is told by events and listings.
static int accepted(struct lp_api *api, struct lp_api_answer *answer)
{
    lp_str_printf(&answer->body, "{\"accepted\":true,\"journal_seq\":%llu}",
                  (unsigned long long)lp_engine_last_seq(api->engine));
    return 0;
}

LP_MUST_CHECK static int name_check(const struct lp_api_arguments *arguments, struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    const struct lp_descriptor *descriptor = NULL;
    struct lp_mistakes *mistakes = lp_arena_new(&arena, struct lp_mistakes);
    struct lp_parse_input input = {.path = "descriptor",
                                   .text = arguments->descriptor,
                                   .bytes = arguments->descriptor_bytes,
                                   .is_canonical = true};
    if (lp_descriptor_parse(&input, &arena, mistakes, &descriptor, err) < 0)
        return err->code;
    if (strcmp(descriptor->name, arguments->infrastructure) != 0)
        return lp_err_set(err, LP_EINPUT, "the descriptor is of '%s', the path says '%s'",
                          descriptor->name, arguments->infrastructure);
    return 0;
}

static int infrastructure_put(struct lp_api *api, const struct lp_api_arguments *arguments,
                              struct lp_api_answer *answer, struct lp_err *err)
{
    if (name_check(arguments, err) < 0 ||
        lp_request_apply(api->engine, arguments->descriptor, arguments->descriptor_bytes,
                         &arguments->secrets, err) < 0)
        return err->code;
    return accepted(api, answer);
}

static int infrastructure_delete(struct lp_api *api, const struct lp_api_arguments *arguments,
                                 struct lp_api_answer *answer, struct lp_err *err)
{
    if (lp_request_down(api->engine, arguments->infrastructure, arguments->with_volumes, err) < 0)
        return err->code;
    return accepted(api, answer);
}

static int nodes_get(struct lp_api *api, const struct lp_api_arguments *arguments,
                     struct lp_api_answer *answer, struct lp_err *err)
{
    return lp_view_nodes(api->engine, arguments->infrastructure, &answer->body, err);
}

static int services_get(struct lp_api *api, const struct lp_api_arguments *arguments,
                        struct lp_api_answer *answer, struct lp_err *err)
{
    return lp_view_services(api->engine, arguments->infrastructure, &answer->body, err);
}

static int scale_post(struct lp_api *api, const struct lp_api_arguments *arguments,
                      struct lp_api_answer *answer, struct lp_err *err)
{
    if (lp_request_scale(api->engine, arguments->infrastructure, arguments->service,
                         (uint32_t)arguments->replicas, err) < 0)
        return err->code;
    return accepted(api, answer);
}

static int restart_post(struct lp_api *api, const struct lp_api_arguments *arguments,
                        struct lp_api_answer *answer, struct lp_err *err)
{
    if (lp_request_restart(api->engine, arguments->infrastructure, arguments->target, err) < 0)
        return err->code;
    return accepted(api, answer);
}

static int suspicions_post(struct lp_api *api, const struct lp_api_arguments *arguments,
                           struct lp_api_answer *answer, struct lp_err *err)
{
    if (lp_request_suspicion(api->engine, arguments->infrastructure, arguments->target,
                             arguments->because, err) < 0)
        return err->code;
    return accepted(api, answer);
}

static int faults_get(struct lp_api *api, const struct lp_api_arguments *arguments,
                      struct lp_api_answer *answer, struct lp_err *err)
{
    return lp_view_faults(api->engine, arguments->infrastructure, &answer->body, err);
}

static int faults_post(struct lp_api *api, const struct lp_api_arguments *arguments,
                       struct lp_api_answer *answer, struct lp_err *err)
{
    struct lp_fault_ask ask = {.infra = arguments->infrastructure ? arguments->infrastructure : "",
                               .target = arguments->target,
                               .fault = arguments->fault,
                               .duration = arguments->duration,
                               .select = arguments->select,
                               .options = arguments->options};
    return lp_request_fault(api->engine, &ask, &answer->body, err);
}

static int heal_post(struct lp_api *api, const struct lp_api_arguments *arguments,
                     struct lp_api_answer *answer, struct lp_err *err)
{
    return lp_request_heal(api->engine, arguments->infrastructure, arguments->target, &answer->body,
                           err);
}

static int lock_post(struct lp_api *api, const struct lp_api_arguments *arguments,
                     struct lp_api_answer *answer, struct lp_err *err)
{
    if (lp_request_faults_lock(api->engine, arguments->is_locked, err) < 0)
        return err->code;
    return accepted(api, answer);
}

static int events_get(struct lp_api *api, const struct lp_api_arguments *arguments,
                      struct lp_api_answer *answer, struct lp_err *err)
{
    size_t limit = arguments->limit ? arguments->limit : 100;
    if (arguments->node && !arguments->infrastructure)
        return lp_err_set(err, LP_EINPUT, "query: 'node' needs 'infrastructure'");
    struct lp_view_query asked = {arguments->infrastructure, arguments->node, arguments->after,
                                  limit, arguments->is_told};
    if (lp_view_events(api->engine, &asked, &answer->body, err) < 0)
        return err->code;
    if (arguments->has_after && strstr(lp_str_text(&answer->body), "\"events\":[]"))
        answer->wait_ms = (int64_t)arguments->wait_ms;
    return 0;
}

static int why_get(struct lp_api *api, const struct lp_api_arguments *arguments,
                   struct lp_api_answer *answer, struct lp_err *err)
{
    return lp_view_why(api->engine, arguments->infrastructure, arguments->node, &answer->body, err);
}

static int plan_post(struct lp_api *api, const struct lp_api_arguments *arguments,
                     struct lp_api_answer *answer, struct lp_err *err)
{
    return lp_view_plan(api->engine, arguments->descriptor, arguments->descriptor_bytes,
                        &answer->body, err);
}

static int plan_if_post(struct lp_api *api, const struct lp_api_arguments *arguments,
                        struct lp_api_answer *answer, struct lp_err *err)
{
    return lp_view_plan_if(api->engine, arguments->infrastructure, arguments->condition,
                           &answer->body, err);
}

static int shutdown_post(struct lp_api *api, const struct lp_api_arguments *arguments,
                         struct lp_api_answer *answer, struct lp_err *err)
{
    (void)arguments, (void)err;
    api->is_ending = true;
    return accepted(api, answer);
}

static const struct lp_api_field infra_query[] = {
    {"infrastructure", LP_API_TEXT, false, AT(infrastructure), 0}, {0}};
static const struct lp_api_field delete_query[] = {
    {"volumes", LP_API_FLAG, false, AT(with_volumes), 0}, {0}};
static const struct lp_api_field why_query[] = {
    {"infrastructure", LP_API_TEXT, false, AT(infrastructure), 0},
    {"node", LP_API_TEXT, true, AT(node), 0},
    {0}};
static const struct lp_api_field events_query[] = {
    {"infrastructure", LP_API_TEXT, false, AT(infrastructure), 0},
    {"node", LP_API_TEXT, false, AT(node), 0},
    {"after", LP_API_NUMBER, false, AT(after), INT64_MAX},
    {"limit", LP_API_NUMBER, false, AT(limit), LP_API_EVENTS_MAX},
    {"told", LP_API_FLAG, false, AT(is_told), 0},
    {"wait_ms", LP_API_NUMBER, false, AT(wait_ms), LP_API_WAIT_MAX_MS},
    {0}};
static const struct lp_api_field apply_body[] = {{"descriptor", LP_API_DESCRIPTOR, true, 0, 0},
                                                 {"secrets", LP_API_PAIRS, false, AT(secrets), 0},
                                                 {0}};
static const struct lp_api_field plan_body[] = {{"descriptor", LP_API_DESCRIPTOR, true, 0, 0}, {0}};
static const struct lp_api_field scale_body[] = {
    {"infrastructure", LP_API_TEXT, true, AT(infrastructure), 0},
    {"service", LP_API_TEXT, true, AT(service), 0},
    {"replicas", LP_API_NUMBER, true, AT(replicas), LP_REPLICAS_MAX},
    {0}};
static const struct lp_api_field restart_body[] = {
    {"infrastructure", LP_API_TEXT, true, AT(infrastructure), 0},
    {"target", LP_API_TEXT, true, AT(target), 0},
    {0}};
static const struct lp_api_field suspicion_body[] = {
    {"infrastructure", LP_API_TEXT, true, AT(infrastructure), 0},
    {"target", LP_API_TEXT, true, AT(target), 0},
    {"because", LP_API_TEXT, true, AT(because), 0},
    {0}};
static const struct lp_api_field fault_body[] = {
    {"infrastructure", LP_API_TEXT, false, AT(infrastructure), 0},
    {"target", LP_API_TEXT, true, AT(target), 0},
    {"fault", LP_API_TEXT, true, AT(fault), 0},
    {"for", LP_API_TEXT, false, AT(duration), 0},
    {"select", LP_API_TEXT, false, AT(select), 0},
    {"options", LP_API_PAIRS, false, AT(options), 0},
    {0}};
static const struct lp_api_field heal_body[] = {
    {"infrastructure", LP_API_TEXT, false, AT(infrastructure), 0},
    {"target", LP_API_TEXT, true, AT(target), 0},
    {0}};
static const struct lp_api_field lock_body[] = {{"locked", LP_API_FLAG, true, AT(is_locked), 0},
                                                {0}};
static const struct lp_api_field if_body[] = {
    {"infrastructure", LP_API_TEXT, false, AT(infrastructure), 0},
    {"if", LP_API_TEXT, true, AT(condition), 0},
    {0}};

enum { SMALL = LP_API_SMALL_BODY_MAX, LARGE = LP_API_BODY_MAX };
static const struct route routes[] = {
    {"GET", "/v1/version", NULL, NULL, SMALL, version_get},
    {"GET", "/v1/metrics", NULL, NULL, SMALL, metrics_get},
    {"GET", "/v1/infrastructures", infra_query, NULL, SMALL, infrastructures_get},
    {"PUT", "/v1/infrastructures/{name}", NULL, apply_body, LARGE, infrastructure_put},
    {"DELETE", "/v1/infrastructures/{name}", delete_query, NULL, SMALL, infrastructure_delete},
    {"GET", "/v1/nodes", infra_query, NULL, SMALL, nodes_get},
    {"GET", "/v1/services", infra_query, NULL, SMALL, services_get},
    {"POST", "/v1/services/scale", NULL, scale_body, SMALL, scale_post},
    {"POST", "/v1/restart", NULL, restart_body, SMALL, restart_post},
    {"POST", "/v1/suspicions", NULL, suspicion_body, SMALL, suspicions_post},
    {"GET", "/v1/faults", infra_query, NULL, SMALL, faults_get},
    {"POST", "/v1/faults", NULL, fault_body, SMALL, faults_post},
    {"POST", "/v1/faults/heal", NULL, heal_body, SMALL, heal_post},
    {"POST", "/v1/faults/lock", NULL, lock_body, SMALL, lock_post},
    {"GET", "/v1/events", events_query, NULL, SMALL, events_get},
    {"GET", "/v1/why", why_query, NULL, SMALL, why_get},
    {"POST", "/v1/plan", NULL, plan_body, LARGE, plan_post},
    {"POST", "/v1/plan-if", NULL, if_body, SMALL, plan_if_post},
    {"POST", "/v1/shutdown", NULL, NULL, SMALL, shutdown_post},
};
enum { ROUTE_COUNT = sizeof(routes) / sizeof(*routes) };

bool lp_api_route(size_t index, const char **ret_method, const char **ret_path)
{
    if (index >= ROUTE_COUNT)
        return false;
    *ret_method = routes[index].method;
    *ret_path = routes[index].path;
    return true;
}

// Does the path match? The part that stands for {name} is *ret_name, up to *ret_bytes.
static bool path_matches(const char *pattern, const char *path, const char **ret_name,
                         size_t *ret_bytes)
{
    *ret_bytes = 0;
    size_t fixed = strcspn(pattern, "{");
    if (strncmp(pattern, path, fixed) != 0)
        return false;
    if (!pattern[fixed])
        return path[fixed] == '\0';
    *ret_name = path + fixed;
    *ret_bytes = strcspn(path + fixed, "/");
    return *ret_bytes > 0 && path[fixed + *ret_bytes] == '\0';
}

static const struct route *route_find(const char *method, const char *path, const char **ret_name,
                                      size_t *ret_bytes)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        if (strcmp(routes[i].method, method) == 0 &&
            path_matches(routes[i].path, path, ret_name, ret_bytes))
            return &routes[i];
    return NULL;
}

size_t lp_api_body_max(const char *method, const char *path)
{
    const char *name;
    size_t bytes;
    const struct route *route = route_find(method, path, &name, &bytes);
    return route ? route->body_max : 0;
}

static const struct {
    int code;
    unsigned status;
} statuses[] = {
    {LP_EINPUT, 400},       {LP_EDENIED, 403}, {LP_ENOTFOUND, 404}, {LP_ECONFLICT, 409},
    {LP_EUNSUPPORTED, 501}, {LP_EIO, 503},     {LP_ETIMEOUT, 504},  {LP_EFULL, 507},
};

void lp_api_refuse(struct lp_api_answer *answer, const struct lp_err *err)
{
    answer->status = 500;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
        if (statuses[i].code == err->code)
            answer->status = statuses[i].status;
    answer->wait_ms = 0;
    lp_str_clear(&answer->body);
    lp_str_printf(&answer->body, "{\"error\":\"%s\",\"text\":", lp_code_word(err->code));
    lp_str_add_json(&answer->body, err->text);
    lp_str_add_char(&answer->body, '}');
}

static void unrouted(const struct lp_api_call *call, struct lp_api_answer *answer)
{
    struct lp_err err;
    const char *name;
    size_t bytes;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (!path_matches(routes[i].path, call->path, &name, &bytes))
            continue;
        size_t used = strlen(answer->allow);
        snprintf(answer->allow + used, sizeof(answer->allow) - used, "%s%s", used ? ", " : "",
                 routes[i].method);
    }
    if (!answer->allow[0]) {
        lp_err_set(&err, LP_ENOTFOUND, "there is no %s", call->path);
        lp_api_refuse(answer, &err);
        return;
    }
    lp_err_set(&err, LP_EINPUT, "%s takes %s", call->path, answer->allow);
    lp_api_refuse(answer, &err);
    answer->status = 405;
}

void lp_api_answer(struct lp_api *api, const struct lp_api_call *call,
                   struct lp_api_answer *ret_answer)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_api_arguments arguments = {0};
    struct lp_err err;
    const char *name = NULL;
    size_t bytes = 0;
    *ret_answer = (struct lp_api_answer){.status = 200, .body = ret_answer->body};
    lp_str_clear(&ret_answer->body);
    const struct route *route = route_find(call->method, call->path, &name, &bytes);
    if (!route) {
        unrouted(call, ret_answer);
        return;
    }
    if (bytes) // names have no letters that a path would have to write otherwise
        arguments.infrastructure = lp_arena_text_n(&arena, name, bytes);
    if (lp_api_read_query(route->query, &call->query, &arena, &arguments, &err) < 0 ||
        lp_api_read_body(route->body, call, &arena, &arguments, &err) < 0 ||
        route->answer(api, &arguments, ret_answer, &err) < 0)
        lp_api_refuse(ret_answer, &err);
}
