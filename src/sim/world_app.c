// Applications of the simulated world, and the sensors on them.
#include "sim/world.h"

static struct lp_event event_of(enum lp_event_kind kind, const struct lp_life *life, uint32_t node,
                                uint32_t app)
{
    struct lp_event event;
    lp_event_init(&event, kind);
    event.node = node;
    event.app = app;
    event.incarnation = life->incarnation;
    event.run = life->apps[app].run;
    return event;
}

static void tell_app(struct lp_world *world, uint32_t node, uint32_t app, bool is_reply)
{
    const struct lp_life *life = &world->lives[node];
    const struct lp_world_app *row = &life->apps[app];
    if (life->is_mute || row->life == LP_APP_NEVER || row->life == LP_APP_COMING)
        return; // init says it when it answers again, or when there is something to say
    bool is_over = row->life == LP_APP_OVER;
    struct lp_event event =
        event_of(is_over ? LP_EVENT_APP_EXITED : LP_EVENT_APP_STARTED, life, node, app);
    if (is_over) {
        event.status = row->status;
        event.is_oom = row->is_oom;
    }
    lp_world_tell(world, &event, is_reply);
}

void lp_world_tell_apps(struct lp_world *world, uint32_t node)
{
    for (uint32_t a = 0; a < world->lives[node].app_count; a++)
        tell_app(world, node, a, false);
}

static void app_over(struct lp_world *world, uint32_t node, uint32_t app, int32_t status)
{
    struct lp_life *life = &world->lives[node];
    struct lp_world_app *row = &life->apps[app];
    row->life = LP_APP_OVER;
    row->status = status;
    row->is_hung = false;
    row->serial = ++world->serials;
    if (row->is_setup && status == 0)
        row->is_done_mark = true;
    lp_world_say(world, "over: %s/%s app %u run %u status %d", life->infra_name, life->name, app,
                 row->run, status);
}

// It ends by itself or is broken.
void lp_world_app_end(struct lp_world *world, uint32_t node, uint32_t app, int32_t status)
{
    app_over(world, node, app, status);
    tell_app(world, node, app, false);
}

static struct lp_world_app *find_app(struct lp_world *world, const struct lp_happening *this)
{
    struct lp_life *life = lp_world_find_life(world, this->node, this->incarnation);
    if (!life || life->phase != LP_LIFE_UP || this->app >= life->app_count)
        return NULL;
    struct lp_world_app *app = &life->apps[this->app];
    return app->run == this->run && app->serial == this->serial ? app : NULL;
}

static struct lp_happening app_happening(const struct lp_world *world, uint32_t node, uint32_t app,
                                         void (*happen)(struct lp_world *,
                                                        const struct lp_happening *))
{
    const struct lp_life *life = &world->lives[node];
    return (struct lp_happening){.happen = happen,
                                 .node = node,
                                 .app = app,
                                 .incarnation = life->incarnation,
                                 .run = life->apps[app].run,
                                 .serial = life->apps[app].serial};
}

static void app_ends(struct lp_world *world, const struct lp_happening *this)
{
    const struct lp_world_app *app = find_app(world, this);
    if (app && (app->life == LP_APP_ALIVE || app->life == LP_APP_COMING)) {
        app_over(world, this->node, this->app, this->status);
        tell_app(world, this->node, this->app, false); // an exit is seen, whoever ordered it
    }
}

static void app_ends_alone(struct lp_world *world, const struct lp_happening *this)
{
    const struct lp_world_app *app = find_app(world, this);
    if (app && app->life == LP_APP_ALIVE)
        lp_world_app_end(world, this->node, this->app, this->status);
}

static void app_comes_up(struct lp_world *world, const struct lp_happening *this)
{
    struct lp_world_app *app = find_app(world, this);
    if (!app || app->life != LP_APP_COMING)
        return;
    struct lp_life *life = &world->lives[this->node];
    if (lp_world_chance(world, world->faults.app_start_fails)) {
        struct lp_event event = event_of(LP_EVENT_APP_FAILED, life, this->node, this->app);
        event.text = "the simulated program cannot be executed";
        app->life = LP_APP_OVER;
        app->status = 127;
        lp_world_say(world, "start failed: %s/%s app %u run %u", life->infra_name, life->name,
                     this->app, app->run);
        if (!life->is_mute)
            lp_world_tell(world, &event, true);
        return;
    }
    app->life = LP_APP_ALIVE;
    tell_app(world, this->node, this->app, true);
    struct lp_happening end = app_happening(world, this->node, this->app, app_ends_alone);
    if (app->is_setup) {
        end.status = lp_world_chance(world, world->faults.app_fails_early) ? 1 : 0;
        int64_t most_ms = app->is_done_mark ? 0 : 3000 + world->faults.slow_ms;
        lp_world_later(world, lp_world_between(world, 0, most_ms), end);
    } else if (lp_world_chance(world, world->faults.app_fails_early)) {
        end.status = lp_rng_chance(&world->rng, 500) ? 1 : 256 + 11;
        lp_world_later(world, lp_world_between(world, 0, 5000), end);
    }
}

static void app_start(struct lp_world *world, const struct lp_order *order, struct lp_life *life)
{
    const struct lp_action *action = &order->action;
    struct lp_world_app *app = &life->apps[action->app];
    if (action->run == app->run) {
        tell_app(world, action->node, action->app, true); // begun before
        return;
    }
    if (action->run < app->run || life->is_mute)
        return; // from the past, or nobody who hears it
    app->run = action->run;
    app->life = LP_APP_COMING;
    app->is_hung = app->is_oom = false;
    app->serial = ++world->serials;
    lp_world_later(world, lp_world_between(world, 1, 20 + world->faults.slow_ms),
                   app_happening(world, action->node, action->app, app_comes_up));
}

static void app_stop(struct lp_world *world, const struct lp_order *order,
                     const struct lp_life *life)
{
    const struct lp_action *action = &order->action;
    const struct lp_world_app *app = &life->apps[action->app];
    if (life->is_mute || action->run > app->run)
        return;
    if (action->run < app->run || app->life == LP_APP_OVER || app->life == LP_APP_NEVER) {
        struct lp_event event = event_of(LP_EVENT_APP_EXITED, life, action->node, action->app);
        event.run = action->run;
        event.status = action->run == app->run ? app->status : 0;
        lp_world_tell(world, &event, true);
        return;
    }
    struct lp_happening end = app_happening(world, action->node, action->app, app_ends);
    bool is_kill = action->kind == LP_ACTION_KILL_APP || app->is_hung;
    end.status = is_kill ? 256 + 9 : lp_rng_chance(&world->rng, 500) ? 0 : 256 + 15;
    int64_t most_ms = action->kind == LP_ACTION_KILL_APP ? 0 : action->grace_ms;
    int64_t least_ms = app->is_hung ? most_ms : 0;
    lp_world_later(world, 1 + lp_world_between(world, least_ms, most_ms), end);
}

// Sensors.

// What watches the log may doubt what is well; of what hangs it tells more often.
static void log_speaks(struct lp_world *world, const struct lp_life *life,
                       const struct lp_happening *this)
{
    const struct lp_world_app *app = &life->apps[this->app];
    uint32_t permille = world->faults.log_doubts;
    if (!lp_world_chance(world, app->is_hung ? permille * 3 : permille))
        return;
    struct lp_event event = event_of(LP_EVENT_SUSPICION, life, this->node, this->app);
    event.run = app->watch_run;
    lp_world_tell(world, &event, false);
}

static void sensor_checks(struct lp_world *world, const struct lp_happening *this)
{
    struct lp_life *life = lp_world_find_life(world, this->node, this->incarnation);
    if (!life || life->phase != LP_LIFE_UP)
        return;
    struct lp_world_app *app = &life->apps[this->app];
    if (!app->is_watched || app->watch_serial != this->serial || !world->engine)
        return;
    bool is_ok = app->life == LP_APP_ALIVE && app->run == app->watch_run && !app->is_hung;
    if (lp_world_chance(world, world->faults.sensor_lies)) {
        is_ok = !is_ok;
        lp_world_say(world, "sensor lies: %s/%s app %u: %d", life->infra_name, life->name,
                     this->app, is_ok);
    }
    if (!is_ok || !app->has_reading || !app->last_reading) {
        struct lp_event event = event_of(LP_EVENT_READING, life, this->node, this->app);
        event.run = app->watch_run;
        event.is_ok = is_ok;
        lp_world_tell(world, &event, false);
    }
    if (!is_ok)
        app->doubted_run = app->watch_run;
    log_speaks(world, life, this);
    app->has_reading = true;
    app->last_reading = is_ok;
    lp_world_later(world, app->interval_ms ? app->interval_ms : 30000, *this);
}

static void watch(struct lp_world *world, const struct lp_action *action, struct lp_life *life)
{
    struct lp_world_app *app = &life->apps[action->app];
    if (app->is_watched && app->watch_run == action->run)
        return;
    app->is_watched = true;
    app->has_reading = false;
    app->watch_run = action->run;
    app->watch_serial = ++world->serials;
    struct lp_happening check = app_happening(world, action->node, action->app, sensor_checks);
    check.serial = app->watch_serial;
    lp_world_later(world, lp_world_between(world, 1, 100), check);
}

void lp_world_watches_forget(struct lp_world *world)
{
    for (uint32_t node = 0; node < world->limits.nodes; node++)
        for (uint32_t a = 0; a < LP_SIM_APPS_MAX; a++)
            world->lives[node].apps[a].is_watched = false;
}

void lp_world_begin_app(struct lp_world *world, const struct lp_order *order)
{
    const struct lp_action *action = &order->action;
    struct lp_life *life = lp_world_find_life(world, action->node, action->incarnation);
    if (!life || life->phase != LP_LIFE_UP || action->app >= life->app_count)
        return; // the node is no more; that was told
    switch (action->kind) {
    case LP_ACTION_START_APP:
        app_start(world, order, life);
        break;
    case LP_ACTION_STOP_APP:
    case LP_ACTION_KILL_APP:
        app_stop(world, order, life);
        break;
    case LP_ACTION_WATCH:
        watch(world, action, life);
        break;
    default:
        life->apps[action->app].is_watched = false;
        break;
    }
}
