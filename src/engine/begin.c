// From an action to an order: everything a driver needs, looked up; then handed over.
#include <string.h>

#include "engine/places.h"
#include "engine/publish.h"
#include "engine/render.h"
#include "engine/secrets.h"
#include "engine/self.h"

// The event that stands for "this could not even be begun"; LP_EVENT_NONE: the order is given
// again after a while, because nothing was heard.
static enum lp_event_kind failure_of(enum lp_action_kind kind)
{
    switch (kind) {
    case LP_ACTION_ENSURE_IMAGE:
        return LP_EVENT_IMAGE_FAILED;
    case LP_ACTION_ENSURE_NETWORK:
        return LP_EVENT_NETWORK_FAILED;
    case LP_ACTION_START_NODE:
        return LP_EVENT_NODE_FAILED;
    case LP_ACTION_START_APP:
        return LP_EVENT_APP_FAILED;
    case LP_ACTION_INJECT_FAULT:
        return LP_EVENT_FAULT_FAILED;
    default:
        return LP_EVENT_NONE;
    }
}

static void put_failure(struct lp_engine *engine, const struct lp_action *action,
                        const struct lp_err *err)
{
    enum lp_event_kind kind = failure_of(action->kind);
    if (kind == LP_EVENT_NONE)
        return;
    struct lp_event event;
    lp_event_reply(&event, kind, action);
    event.text = err->text;
    lp_engine_put(engine, &event);
}

static void fill_names(const struct lp_engine *engine, struct lp_order *order,
                       struct lp_arena *arena)
{
    const struct lp_action *action = &order->action;
    const struct lp_state *state = engine->state;
    uint32_t service = action->service, infra = action->infra;
    if (action->node < engine->limits.nodes && lp_state_node(state, action->node)->is_used) {
        const struct lp_node_row *row = lp_state_node(state, action->node);
        LP_OWNS_STR struct lp_str name = {0};
        lp_catalog_add_node_name(&engine->catalog, state, action->node, &name);
        order->node_name = lp_arena_text(arena, lp_str_text(&name));
        order->ordinal = row->ordinal;
        service = row->service;
        infra = row->infra;
    }
    if (service < engine->limits.services) {
        order->service = engine->catalog.services[service].service;
        if (action->app != LP_NONE)
            order->app = lp_catalog_find_app(&engine->catalog, service, action->app);
    }
    if (infra < engine->limits.infras) {
        const struct lp_catalog_infra *entry = &engine->catalog.infras[infra];
        order->infra_name = entry->name;
        order->descriptor = entry->version ? entry->version->descriptor : NULL;
        order->with_volumes = entry->with_volumes;
    }
}

static void fill_networks(const struct lp_engine *engine, struct lp_order *order,
                          struct lp_arena *arena)
{
    (void)engine;
    if (!order->descriptor)
        return;
    size_t count = order->descriptor->network_count;
    struct lp_attachment *places = lp_arena_new_array(arena, struct lp_attachment, count + 1);
    for (uint32_t i = 0; i < count; i++)
        places[i] = lp_places_network(order->descriptor, order->action.infra, i);
    order->attachments = places;
    order->attachment_count = count;
}

LP_MUST_CHECK static int fill_node(const struct lp_engine *engine, struct lp_order *order,
                                   struct lp_arena *arena, struct lp_err *err)
{
    struct lp_attachment *places;
    if (lp_places_node(engine, order->action.node, arena, &places, &order->attachment_count, err) <
        0)
        return err->code;
    order->attachments = places;
    order->address = order->attachment_count ? places[0].address : 0;
    return 0;
}

LP_MUST_CHECK static int fill_files(const struct lp_engine *engine, struct lp_order *order,
                                    struct lp_arena *arena, struct lp_err *err)
{
    struct lp_render render = {engine, order->action.node, arena};
    struct lp_rendered_file *files;
    if (fill_node(engine, order, arena, err) < 0 ||
        lp_render_files(&render, &files, &order->file_count, err) < 0)
        return err->code;
    order->files = files;
    order->image = order->service ? &order->service->image : NULL;
    return 0;
}

LP_MUST_CHECK static int fill_app(const struct lp_engine *engine, struct lp_order *order,
                                  struct lp_arena *arena, struct lp_err *err)
{
    if (!order->app)
        return lp_err_set(err, LP_ENOTFOUND, "the application is not described any more");
    struct lp_render render = {engine, order->action.node, arena};
    if (fill_node(engine, order, arena, err) < 0 ||
        lp_render_texts(&render, &order->app->argv, &order->argv, err) < 0 ||
        lp_render_pairs(&render, &order->app->environment, &order->environment, err) < 0)
        return err->code;
    return 0;
}

LP_MUST_CHECK static int fill_watch(const struct lp_engine *engine, struct lp_order *order,
                                    struct lp_arena *arena, struct lp_err *err)
{
    if (!order->app)
        return lp_err_set(err, LP_ENOTFOUND, "the application is not described any more");
    // One sensor an application: readiness until it is ready, health from then on; either stands
    // in for the other when only one is described.
    const struct lp_app_row *row =
        lp_state_app(engine->state, order->action.node, order->action.app);
    bool is_for_health = row->phase == LP_APP_READY || order->app->readiness.kind == LP_CHECK_NONE;
    order->check = is_for_health && order->app->health.kind != LP_CHECK_NONE
                       ? &order->app->health
                       : &order->app->readiness;
    struct lp_render render = {engine, order->action.node, arena};
    if (fill_node(engine, order, arena, err) < 0 ||
        lp_render_texts(&render, &order->check->argv, &order->argv, err) < 0)
        return err->code;
    return lp_render_pairs(&render, &order->app->environment, &order->environment, err);
}

static void peer_add(const struct lp_engine *engine, uint32_t node, struct lp_arena *arena,
                     uint32_t *peers, size_t *count)
{
    struct lp_attachment *places;
    size_t place_count = 0;
    struct lp_err err;
    if (lp_places_node(engine, node, arena, &places, &place_count, &err) < 0)
        return; // it has no address: nothing can be sent to it
    for (size_t i = 0; i < place_count; i++)
        peers[(*count)++] = places[i].address;
}

// The addresses that a fault of the network is limited to.
static void fill_peers(const struct lp_engine *engine, struct lp_order *order,
                       struct lp_arena *arena)
{
    const struct lp_fault_spec *spec = order->fault_spec;
    const struct lp_state *state = engine->state;
    bool is_one = spec->peer_node < engine->limits.nodes;
    if (!is_one && spec->peer_service >= engine->limits.services)
        return;
    uint32_t service = is_one ? lp_state_node(state, spec->peer_node)->service : spec->peer_service;
    size_t most = lp_state_service(state, service)->node_count * (size_t)LP_NETWORKS_MAX;
    uint32_t *peers = lp_arena_new_array(arena, uint32_t, most + LP_NETWORKS_MAX);
    if (is_one)
        peer_add(engine, spec->peer_node, arena, peers, &order->peer_count);
    for (uint32_t n = is_one ? LP_NONE : lp_state_next_node(state, service, LP_NONE); n != LP_NONE;
         n = lp_state_next_node(state, service, n))
        peer_add(engine, n, arena, peers, &order->peer_count);
    order->peers = peers;
}

LP_MUST_CHECK static int fill_fault(const struct lp_engine *engine, struct lp_order *order,
                                    struct lp_arena *arena, struct lp_err *err)
{
    order->fault_spec = &lp_state_fault(engine->state, order->action.fault)->spec;
    order->fault_text = engine->catalog.faults[order->action.fault].text;
    bool has_node = order->action.node < engine->limits.nodes;
    if (order->action.kind != LP_ACTION_INJECT_FAULT || !has_node)
        return 0;
    fill_peers(engine, order, arena);
    return fill_node(engine, order, arena, err);
}

LP_MUST_CHECK static int fill(const struct lp_engine *engine, struct lp_order *order,
                              struct lp_arena *arena, struct lp_err *err)
{
    fill_names(engine, order, arena);
    switch (order->action.kind) {
    case LP_ACTION_ENSURE_IMAGE:
        order->image = lp_catalog_find_image(&engine->catalog, order->action.image);
        if (!order->image)
            return lp_err_set(err, LP_ENOTFOUND, "the image is not described any more");
        return 0;
    case LP_ACTION_ENSURE_NETWORK:
    case LP_ACTION_REMOVE_NETWORK:
        fill_networks(engine, order, arena);
        return 0;
    case LP_ACTION_PUBLISH:
        fill_networks(engine, order, arena);
        return lp_publish_fill(engine, order->action.infra, arena, order, err);
    case LP_ACTION_START_NODE:
    case LP_ACTION_RENDER:
        return fill_files(engine, order, arena, err);
    case LP_ACTION_START_APP:
        return fill_app(engine, order, arena, err);
    case LP_ACTION_INJECT_FAULT:
    case LP_ACTION_HEAL_FAULT:
        return fill_fault(engine, order, arena, err);
    case LP_ACTION_WATCH:
        return fill_watch(engine, order, arena, err);
    default:
        return 0;
    }
}

void lp_engine_begin(struct lp_engine *engine, const struct lp_action *action)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_order order = {.action = *action};
    struct lp_err err = {0};
    if (fill(engine, &order, &arena, &err) < 0) {
        put_failure(engine, action, &err);
        return;
    }
    for (size_t i = 0; i < engine->config.driver_count; i++) {
        const struct lp_driver *driver = engine->config.drivers[i];
        if (!(driver->action_kinds >> action->kind & 1) || !engine->driver_selves[i])
            continue;
        if (driver->begin(engine->driver_selves[i], &order, &err) < 0)
            put_failure(engine, action, &err);
    }
    if (action->kind == LP_ACTION_REMOVE_NETWORK && order.infra_name)
        (void)!lp_secrets_remove(engine->config.root, order.infra_name, &err);
}
