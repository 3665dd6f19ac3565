// Nodes of the simulated world: their roots, their lives, and what is told of them.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/world.h"

static struct lp_event event_of(enum lp_event_kind kind, uint32_t node, uint32_t incarnation)
{
    struct lp_event event;
    lp_event_init(&event, kind);
    event.node = node;
    event.incarnation = incarnation;
    return event;
}

static void tell_dead(struct lp_world *world, uint32_t node, uint32_t incarnation, bool is_reply)
{
    struct lp_event event = event_of(LP_EVENT_NODE_DEAD, node, incarnation);
    const struct lp_life *life = lp_world_find_life(world, node, incarnation);
    event.status = life ? life->status : 256 + 9;
    event.is_oom = life && life->is_oom;
    lp_world_tell(world, &event, is_reply);
}

// As a driver tells what it finds when it opens, or again when it is asked again.
void lp_world_tell_life(struct lp_world *world, uint32_t node)
{
    const struct lp_life *life = &world->lives[node];
    if (life->phase == LP_LIFE_DEAD) {
        tell_dead(world, node, life->incarnation, false);
        return;
    }
    if (life->phase == LP_LIFE_COMING)
        return; // told when it is up
    struct lp_event event =
        event_of(life->is_mute ? LP_EVENT_NODE_MUTE : LP_EVENT_NODE_UP, node, life->incarnation);
    event.host = life->host;
    lp_world_tell(world, &event, false);
    if (!life->is_mute)
        lp_world_tell_apps(world, node);
}

// The processes of the node are gone; its root stays.
void lp_world_life_end(struct lp_world *world, uint32_t node, int32_t status, bool is_oom)
{
    struct lp_life *life = &world->lives[node];
    life->phase = LP_LIFE_DEAD;
    life->is_mute = false;
    life->is_oom = is_oom;
    life->status = status;
    life->serial = ++world->serials;
    for (uint32_t a = 0; a < life->app_count; a++) {
        struct lp_world_app *app = &life->apps[a];
        if (app->life == LP_APP_ALIVE || app->life == LP_APP_COMING)
            app->life = LP_APP_OVER;
        app->is_watched = false;
        app->serial = app->watch_serial = ++world->serials;
    }
    lp_world_say(world, "dead: %s/%s life %u status %d", life->infra_name, life->name,
                 life->incarnation, status);
}

void lp_world_life_up(struct lp_world *world, uint32_t node)
{
    struct lp_life *life = &world->lives[node];
    life->phase = LP_LIFE_UP;
    lp_world_say(world, "up: %s/%s life %u", life->infra_name, life->name, life->incarnation);
    for (uint32_t i = 0; i < world->people.infra_count; i++)
        for (uint32_t s = 0; s < LP_PEOPLE_SERVICES; s++)
            if (strcmp(world->people.wishes[i].name, life->infra_name) == 0 &&
                strcmp(world->people.wishes[i].services[s].name, life->service) == 0)
                world->started_ever[i][s]++;
}

static void node_comes_up(struct lp_world *world, const struct lp_happening *this)
{
    struct lp_life *life = lp_world_find_life(world, this->node, this->incarnation);
    if (!life || life->serial != this->serial || life->phase != LP_LIFE_COMING)
        return;
    if (world->hosts[life->host].is_dead)
        return; // it ended with its host
    if (lp_world_chance(world, world->faults.start_fails)) {
        struct lp_event event = event_of(LP_EVENT_NODE_FAILED, this->node, this->incarnation);
        event.text = "the simulated start failed";
        life->phase = LP_LIFE_DEAD;
        lp_world_tell(world, &event, true);
        return;
    }
    lp_world_life_up(world, this->node);
    struct lp_event event = event_of(LP_EVENT_NODE_UP, this->node, this->incarnation);
    event.host = life->host;
    lp_world_tell(world, &event, true);
}

static void app_describe(struct lp_world_app *app, const struct lp_app *described)
{
    const struct lp_check *check =
        described->health.kind ? &described->health : &described->readiness;
    struct lp_world_app before = *app;
    memset(app, 0, sizeof(*app));
    app->is_done_mark = before.is_done_mark; // stands in the root
    app->starts = before.starts;             // the budget is the node's, not the life's
    memcpy(app->started_ms, before.started_ms, sizeof(app->started_ms));
    app->is_setup = described->kind == LP_APP_SETUP;
    app->has_check = check->kind != LP_CHECK_NONE;
    app->interval_ms = check->interval_ms;
    app->max_attempts = described->restart.max_attempts;
    app->window_ms = described->restart.window_ms;
    app->restart = (uint8_t)described->restart.condition;
}

static void file_keep(struct lp_life *life, const struct lp_order *order)
{
    life->file[0] = '\0';
    if (order->file_count)
        snprintf(life->file, sizeof(life->file), "%.*s", (int)order->files[0].count,
                 order->files[0].bytes);
}

static void life_describe(struct lp_world *world, struct lp_life *life,
                          const struct lp_order *order)
{
    life->is_there = true;
    life->phase = LP_LIFE_COMING;
    life->is_mute = life->is_oom = false;
    life->incarnation = order->action.incarnation;
    life->host = order->action.host < world->config.hosts ? order->action.host : 0;
    life->infra = order->action.infra;
    life->serial = ++world->serials;
    life->address = order->attachment_count ? order->attachments[0].address : 0;
    life->app_count = (uint32_t)order->service->app_count;
    lp_assert(life->app_count <= LP_SIM_APPS_MAX);
    for (uint32_t a = 0; a < life->app_count; a++)
        app_describe(&life->apps[a], &order->service->apps[a]);
    snprintf(life->infra_name, sizeof(life->infra_name), "%s", order->infra_name);
    snprintf(life->service, sizeof(life->service), "%s", order->service->name);
    snprintf(life->name, sizeof(life->name), "%s", order->node_name);
    file_keep(life, order);
}

static bool image_is_there(const struct lp_world *world, const struct lp_image *image)
{
    for (size_t i = 0; image && i < world->image_count; i++)
        if (strcmp(world->images[i], image->hash) == 0)
            return true;
    return false;
}

static void node_start(struct lp_world *world, const struct lp_order *order)
{
    const struct lp_action *action = &order->action;
    struct lp_life *life = &world->lives[action->node];
    if (life->is_there && life->incarnation == action->incarnation) {
        lp_world_tell_life(world, action->node); // begun before
        return;
    }
    bool has_place = world->infras[action->infra].has_network &&
                     image_is_there(world, order->image) &&
                     !world->hosts[action->host < world->config.hosts ? action->host : 0].is_dead;
    if (life->is_there && life->incarnation > action->incarnation)
        return; // an order from the past
    if (!has_place) {
        struct lp_event event = event_of(LP_EVENT_NODE_FAILED, action->node, action->incarnation);
        event.text = "no network, image or host to start on";
        lp_world_tell(world, &event, true);
        return;
    }
    life_describe(world, life, order);
    lp_world_later(world, lp_world_between(world, 15, 80 + world->faults.slow_ms),
                   (struct lp_happening){.happen = node_comes_up,
                                         .node = action->node,
                                         .incarnation = action->incarnation,
                                         .serial = life->serial});
}

static void node_ends(struct lp_world *world, const struct lp_happening *this)
{
    struct lp_life *life = lp_world_find_life(world, this->node, this->incarnation);
    if (!life || life->serial != this->serial)
        return;
    bool is_reply = life->phase == LP_LIFE_DEAD; // a death is seen, whoever ordered it
    if (!is_reply)
        lp_world_life_end(world, this->node, this->status, false);
    tell_dead(world, this->node, this->incarnation, is_reply);
}

static void node_stop(struct lp_world *world, const struct lp_order *order)
{
    const struct lp_action *action = &order->action;
    struct lp_life *life = lp_world_find_life(world, action->node, action->incarnation);
    if (!life || life->phase == LP_LIFE_DEAD) {
        tell_dead(world, action->node, action->incarnation, true);
        return;
    }
    bool is_kill = action->kind == LP_ACTION_FENCE_NODE || lp_rng_chance(&world->rng, 100);
    int64_t most_ms = action->kind == LP_ACTION_STOP_NODE ? action->grace_ms : 0;
    lp_world_later(world, lp_world_between(world, 2, 30 + most_ms + world->faults.slow_ms),
                   (struct lp_happening){.happen = node_ends,
                                         .node = action->node,
                                         .incarnation = action->incarnation,
                                         .status = is_kill ? 256 + 9 : 0,
                                         .serial = life->serial});
}

static void tell_gone(struct lp_world *world, uint32_t node, uint32_t incarnation)
{
    struct lp_event event = event_of(LP_EVENT_NODE_GONE, node, incarnation);
    lp_world_tell(world, &event, true);
}

void lp_world_root_lose(struct lp_world *world, uint32_t node)
{
    struct lp_life *life = &world->lives[node];
    int64_t last_mail_ms = life->last_mail_ms;
    memset(life, 0, sizeof(*life));
    life->last_mail_ms = last_mail_ms;
}

static void node_goes(struct lp_world *world, const struct lp_happening *this)
{
    struct lp_life *life = lp_world_find_life(world, this->node, this->incarnation);
    if (life) {
        if (life->phase != LP_LIFE_DEAD)
            lp_world_life_end(world, this->node, 256 + 9, false);
        lp_world_say(world, "gone: %s/%s", life->infra_name, life->name);
        lp_world_root_lose(world, this->node);
    }
    tell_gone(world, this->node, this->incarnation);
}

static void node_remove(struct lp_world *world, const struct lp_order *order)
{
    const struct lp_action *action = &order->action;
    struct lp_life *life = &world->lives[action->node];
    if (life->is_there && life->incarnation > action->incarnation)
        return; // an order from the past
    lp_world_later(world, lp_world_between(world, 2, 40 + world->faults.slow_ms),
                   (struct lp_happening){.happen = node_goes,
                                         .node = action->node,
                                         .incarnation = life->is_there ? life->incarnation
                                                                       : action->incarnation});
}

static void node_rendered(struct lp_world *world, const struct lp_happening *this)
{
    const struct lp_life *life = lp_world_find_life(world, this->node, this->incarnation);
    if (!life || life->serial != this->serial || life->phase != LP_LIFE_UP || life->is_mute)
        return;
    struct lp_event event = event_of(LP_EVENT_RENDERED, this->node, this->incarnation);
    event.revision = this->revision;
    lp_world_tell(world, &event, true);
}

static void node_render(struct lp_world *world, const struct lp_order *order)
{
    const struct lp_action *action = &order->action;
    struct lp_life *life = lp_world_find_life(world, action->node, action->incarnation);
    if (!life || life->phase == LP_LIFE_DEAD)
        return;
    file_keep(life, order);
    lp_world_later(world, lp_world_between(world, 1, 10 + world->faults.slow_ms),
                   (struct lp_happening){.happen = node_rendered,
                                         .node = action->node,
                                         .incarnation = action->incarnation,
                                         .revision = action->revision,
                                         .serial = life->serial});
}

void lp_world_begin_node(struct lp_world *world, const struct lp_order *order)
{
    switch (order->action.kind) {
    case LP_ACTION_START_NODE:
        node_start(world, order);
        break;
    case LP_ACTION_STOP_NODE:
    case LP_ACTION_FENCE_NODE:
        node_stop(world, order);
        break;
    case LP_ACTION_REMOVE_NODE:
        node_remove(world, order);
        break;
    default:
        node_render(world, order);
        break;
    }
}
