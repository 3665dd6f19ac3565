// What people ask for: checked, journaled, then acted on. Refused whole when anything is wrong.
#include <string.h>

#include "engine/compile.h"
#include "engine/secrets.h"
#include "engine/self.h"

LP_MUST_CHECK static int check_all(const struct lp_engine *engine, const struct lp_change *change,
                                   struct lp_err *err)
{
    for (size_t i = 0; i < change->count; i++)
        if (lp_step_check(engine->state, &change->events[i], err) < 0)
            return err->code;
    return 0;
}

// Rows that the tables must still hold once the change is in force.
LP_MUST_CHECK static int check_room(const struct lp_engine *engine,
                                    const struct lp_descriptor *descriptor, uint32_t infra,
                                    struct lp_err *err)
{
    uint64_t nodes = 0, apps = 0;
    for (uint32_t i = 0; i < engine->limits.services; i++) {
        const struct lp_service_row *row = lp_state_service(engine->state, i);
        if (!row->is_used || row->infra == infra)
            continue;
        nodes += row->node_count;
        apps += (uint64_t)row->node_count * row->want.app_count;
    }
    for (size_t i = 0; i < descriptor->service_count; i++) {
        nodes += descriptor->services[i].replicas;
        apps += (uint64_t)descriptor->services[i].replicas * descriptor->services[i].app_count;
    }
    if (nodes > engine->limits.nodes || apps > engine->limits.apps)
        return lp_err_set(err, LP_EFULL,
                          "%llu nodes with %llu applications are more than this Limpet's bounds "
                          "(%u and %u)",
                          (unsigned long long)nodes, (unsigned long long)apps, engine->limits.nodes,
                          engine->limits.apps);
    return 0;
}

int lp_request_apply(struct lp_engine *engine, const char *descriptor, size_t bytes,
                     const struct lp_pairs *secrets, struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    const struct lp_descriptor *parsed = NULL;
    struct lp_parse_input input = {
        .path = "descriptor", .text = descriptor, .bytes = bytes, .is_canonical = true};
    struct lp_mistakes *mistakes = lp_arena_new(&arena, struct lp_mistakes);
    if (lp_descriptor_parse(&input, &arena, mistakes, &parsed, err) < 0)
        return err->code;
    struct lp_change change;
    char *text = lp_arena_text_n(&arena, descriptor, bytes);
    engine->applied_secrets = secrets;
    int compiled = lp_compile(engine, parsed, text, &arena, &change, err);
    engine->applied_secrets = NULL;
    if (compiled < 0 || check_room(engine, parsed, change.infra, err) < 0 ||
        lp_secrets_keep(engine->config.root, parsed->name, secrets, err) < 0)
        return err->code;
    engine->applied_name = parsed->name;
    int result = lp_engine_submit(engine, change.events, change.count, err);
    engine->applied_name = NULL;
    return result;
}

LP_MUST_CHECK static int find_infra(const struct lp_engine *engine, const char *name,
                                    uint32_t *ret_infra, struct lp_err *err)
{
    *ret_infra = lp_catalog_find_infra(&engine->catalog, engine->state, name);
    if (*ret_infra == LP_NONE)
        return lp_err_set(err, LP_ENOTFOUND, "there is no infrastructure '%s'", name);
    return 0;
}

int lp_request_down(struct lp_engine *engine, const char *infra, bool with_volumes,
                    struct lp_err *err)
{
    struct lp_event event;
    lp_event_init(&event, LP_EVENT_INFRA_UNSET);
    event.is_forced = with_volumes;
    if (find_infra(engine, infra, &event.infra, err) < 0)
        return err->code;
    return lp_engine_submit(engine, &event, 1, err);
}

int lp_request_scale(struct lp_engine *engine, const char *infra, const char *service,
                     uint32_t replicas, struct lp_err *err)
{
    struct lp_event event;
    lp_event_init(&event, LP_EVENT_SCALE_SET);
    if (find_infra(engine, infra, &event.infra, err) < 0)
        return err->code;
    event.service = lp_catalog_find_service(&engine->catalog, engine->state, event.infra, service);
    if (event.service == LP_NONE)
        return lp_err_set(err, LP_ENOTFOUND, "%s has no service '%s'", infra, service);
    if (replicas > LP_REPLICAS_MAX)
        return lp_err_set(err, LP_EINPUT, "%u replicas are more than the bound of %d", replicas,
                          LP_REPLICAS_MAX);
    event.replicas = replicas;
    if (lp_step_check(engine->state, &event, err) < 0)
        return err->code;
    return lp_engine_submit(engine, &event, 1, err);
}

// Resolve "db-1", "db-1/mariadb" or (when may_be_service) "db" into events of one kind.
LP_MUST_CHECK static int target_events(const struct lp_engine *engine, struct lp_event *model,
                                       const char *target, struct lp_arena *arena,
                                       struct lp_change *ret_change, struct lp_err *err)
{
    const char *slash = strchr(target, '/');
    char *name = slash ? lp_arena_text_n(arena, target, (size_t)(slash - target))
                       : lp_arena_text(arena, target);
    model->node = lp_catalog_find_node(&engine->catalog, engine->state, model->infra, name);
    uint32_t service = lp_catalog_find_service(&engine->catalog, engine->state, model->infra, name);
    if (model->node != LP_NONE)
        service = lp_state_node(engine->state, model->node)->service;
    if (service == LP_NONE)
        return lp_err_set(err, LP_ENOTFOUND, "there is no node or service '%s'", name);
    const struct lp_service_row *row = lp_state_service(engine->state, service);
    for (uint32_t i = 0; slash && i < row->want.app_count && model->app == LP_NONE; i++) {
        const struct lp_app *app = lp_catalog_find_app(&engine->catalog, service, i);
        model->app = app && strcmp(app->name, slash + 1) == 0 ? i : LP_NONE;
    }
    if (slash && model->app == LP_NONE)
        return lp_err_set(err, LP_ENOTFOUND, "%s has no application '%s'", name, slash + 1);
    struct lp_event *events = lp_arena_new_array(arena, struct lp_event, row->node_count + 1);
    size_t count = 0;
    uint32_t first =
        model->node != LP_NONE ? model->node : lp_state_next_node(engine->state, service, LP_NONE);
    for (uint32_t n = first; n != LP_NONE && count < row->node_count;
         n = lp_state_next_node(engine->state, service, n)) {
        events[count] = *model;
        events[count].service = service;
        events[count++].node = n;
        if (model->node != LP_NONE)
            break;
    }
    *ret_change = (struct lp_change){events, count, model->infra};
    return 0;
}

int lp_request_restart(struct lp_engine *engine, const char *infra, const char *target,
                       struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_event model;
    struct lp_change change = {0};
    lp_event_init(&model, LP_EVENT_RESTART_ASKED);
    if (find_infra(engine, infra, &model.infra, err) < 0 ||
        target_events(engine, &model, target, &arena, &change, err) < 0 ||
        check_all(engine, &change, err) < 0)
        return err->code;
    return lp_engine_submit(engine, change.events, change.count, err);
}

int lp_request_suspicion(struct lp_engine *engine, const char *infra, const char *target,
                         const char *text, struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_event model;
    struct lp_change change = {0};
    lp_event_init(&model, LP_EVENT_SUSPICION);
    if (find_infra(engine, infra, &model.infra, err) < 0 ||
        target_events(engine, &model, target, &arena, &change, err) < 0)
        return err->code;
    if (model.node == LP_NONE || model.app == LP_NONE)
        return lp_err_set(err, LP_EINPUT, "%s is no application of a node, such as db-1/mariadb",
                          target);
    if (lp_utf8_count(text) > LP_SUSPICION_TEXT_MAX)
        return lp_err_set(err, LP_EINPUT, "'because' is longer than %d characters",
                          LP_SUSPICION_TEXT_MAX);
    int64_t latest_ms = lp_state_app_suspected_ms(engine->state, model.node, model.app);
    if (lp_engine_now_ms(engine) - latest_ms < 1000)
        return 0;
    struct lp_event *event = &change.events[0];
    event->incarnation = lp_state_node(engine->state, model.node)->incarnation;
    event->run = lp_state_app(engine->state, model.node, model.app)->run;
    event->text = text;
    return lp_engine_submit(engine, event, 1, err);
}
