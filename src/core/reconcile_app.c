// Reconcile, applications of a node that is up.
#include "core/phases.h"

enum {
    UNANSWERED_MAX = 3,           // orders without a reply that make a node mute
    FIRST_READING_MS = 60 * 1000, // the longest that a new sensor may be silent
};

static struct lp_action action_of(const struct lp_node_inside *node, uint32_t id, uint32_t app,
                                  uint32_t run)
{
    struct lp_action action = lp_action_new(LP_ACTION_NONE, (struct lp_because){0});
    action.infra = node->row.infra;
    action.service = node->row.service;
    action.node = id;
    action.app = app;
    action.host = node->row.host;
    action.incarnation = node->row.incarnation;
    action.run = run;
    return action;
}

static void order(struct lp_state *s, uint32_t id, uint32_t app_id, enum lp_action_kind kind,
                  struct lp_because because, struct lp_planner *planner)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    struct lp_app_inside *app = lp_app_get(s, node, app_id);
    struct lp_action action = action_of(node, id, app_id, app->row.run);
    action.kind = kind;
    action.because = because;
    if (kind == LP_ACTION_STOP_APP)
        action.grace_ms = lp_want_get(s, node->row.service, app_id)->want.stop_grace_ms;
    lp_order_give(s, &app->order, planner, &action);
}

static void start(struct lp_state *s, uint32_t id, uint32_t app_id, struct lp_planner *planner)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    struct lp_app_inside *app = lp_app_get(s, node, app_id);
    int64_t wait_until_ms = 0;
    if (app->row.phase == LP_APP_IDLE && !lp_gate_app(s, id, app_id))
        return; // what ran once in this life of the node waits for nobody
    if (s->now_ms < app->next_try_ms) {
        lp_planner_wait(planner, app->next_try_ms);
        return;
    }
    if (node->is_repairing && !lp_diagnose_may_repair(s, id, &wait_until_ms)) {
        lp_planner_wait(planner, wait_until_ms);
        return;
    }
    struct lp_because because = app->because;
    bool has_waited = lp_want_get(s, node->row.service, app_id)->want.depend_count > 0;
    if (because.reason == LP_REASON_NONE)
        because = lp_because_of(s, has_waited ? LP_REASON_DEPENDENCY_READY : LP_REASON_WANTED, 0);
    app->because = (struct lp_because){0};
    if (app->row.phase == LP_APP_EXITED) {
        app->row.restarts++;
        node->row.restarts++;
    }
    app->row.run++;
    app->ready_ms = 0;
    app->started_ms = s->now_ms;
    lp_app_phase_set(s, id, app_id, LP_APP_STARTING);
    order(s, id, app_id, LP_ACTION_START_APP, because, planner);
}

static void sensor(struct lp_state *s, uint32_t id, uint32_t app_id, enum lp_action_kind kind,
                   struct lp_planner *planner)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    struct lp_action action = action_of(node, id, app_id, lp_app_get(s, node, app_id)->row.run);
    action.kind = kind;
    bool is_on = kind == LP_ACTION_WATCH;
    action.because = lp_because_of(s, is_on ? LP_REASON_WANTED : LP_REASON_NOT_WANTED, 0);
    lp_order_give(s, NULL, planner, &action);
}

// The sensor that fits: readiness until it is ready, health from then on.
static void watch(struct lp_state *s, uint32_t id, uint32_t app_id, struct lp_planner *planner)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    struct lp_app_inside *app = lp_app_get(s, node, app_id);
    const struct lp_app_want *want = &lp_want_get(s, node->row.service, app_id)->want;
    if (want->kind == LP_APP_SETUP || (!want->has_readiness && !want->has_health))
        return;
    bool is_for_readiness = want->has_readiness && (!want->has_health || !app->ready_ms);
    uint8_t as = is_for_readiness ? LP_WATCH_READINESS : LP_WATCH_HEALTH;
    if (app->watched_as == as && (!app->watch_due_ms || s->now_ms < app->watch_due_ms)) {
        if (app->watch_due_ms)
            lp_planner_wait(planner, app->watch_due_ms);
        return;
    }
    app->watched_as = as;
    app->watch_due_ms = s->now_ms + FIRST_READING_MS;
    lp_planner_wait(planner, app->watch_due_ms);
    sensor(s, id, app_id, LP_ACTION_WATCH, planner);
}

static void stop(struct lp_state *s, uint32_t id, uint32_t app_id, enum lp_action_kind kind,
                 struct lp_because because, struct lp_planner *planner)
{
    struct lp_app_inside *app = lp_app_get(s, lp_node_get(s, id), app_id);
    if (app->watched_as != LP_WATCH_NONE) {
        app->watched_as = LP_WATCH_NONE;
        sensor(s, id, app_id, LP_ACTION_UNWATCH, planner);
    }
    app->is_stop_ours = kind == LP_ACTION_STOP_APP;
    lp_app_phase_set(s, id, app_id, LP_APP_STOPPING);
    order(s, id, app_id, kind, because, planner);
}

static void alive(struct lp_state *s, uint32_t id, uint32_t app_id, struct lp_planner *planner)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    struct lp_app_inside *app = lp_app_get(s, node, app_id);
    int64_t wait_until_ms = 0;
    if (app->is_restart_asked) {
        app->is_restart_asked = false;
        stop(s, id, app_id, LP_ACTION_STOP_APP, app->because, planner);
        return;
    }
    if (app->row.phase == LP_APP_SUSPECT) {
        uint8_t retries = lp_want_get(s, node->row.service, app_id)->want.retries;
        lp_diagnose_silence(s, id);
        if (lp_diagnose_may_repair(s, id, &wait_until_ms) &&
            lp_diagnose_may_trust_sensors(s, id, &wait_until_ms))
            stop(s, id, app_id, LP_ACTION_KILL_APP,
                 lp_because_of(s,
                               app->fails < retries ? LP_REASON_APP_SUSPECTED : LP_REASON_APP_HUNG,
                               app->fails),
                 planner);
        else
            lp_planner_wait(planner, wait_until_ms);
        return;
    }
    watch(s, id, app_id, planner);
}

// Nothing was heard of an order: give it again; in the end the node counts as mute.
static void insist(struct lp_state *s, uint32_t id, uint32_t app_id, struct lp_planner *planner)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    struct lp_app_inside *app = lp_app_get(s, node, app_id);
    if (app->order.tries >= UNANSWERED_MAX) {
        app->order.tries = 0; // given anew should the node speak again
        node->row.phase = LP_NODE_MUTE;
        node->mute_since_ms = s->now_ms;
        lp_node_touch(s, id);
        return;
    }
    order(s, id, app_id, app->order.kind, app->order.because, planner);
}

static void one(struct lp_state *s, uint32_t id, uint32_t app_id, struct lp_planner *planner)
{
    struct lp_app_inside *app = lp_app_get(s, lp_node_get(s, id), app_id);
    if (lp_order_is_due(s, &app->order))
        insist(s, id, app_id, planner);
    if (app->order.kind != LP_ACTION_NONE) {
        lp_planner_wait(planner, app->order.deadline_ms);
        return;
    }
    switch (app->row.phase) {
    case LP_APP_IDLE:
    case LP_APP_EXITED:
        app->is_restart_asked = false;
        if (app->watched_as != LP_WATCH_NONE) {
            app->watched_as = LP_WATCH_NONE;
            sensor(s, id, app_id, LP_ACTION_UNWATCH, planner);
        }
        start(s, id, app_id, planner);
        break;
    case LP_APP_RUNNING:
    case LP_APP_READY:
    case LP_APP_SUSPECT:
        alive(s, id, app_id, planner);
        break;
    default:
        if (app->watched_as != LP_WATCH_NONE) {
            app->watched_as = LP_WATCH_NONE;
            sensor(s, id, app_id, LP_ACTION_UNWATCH, planner);
        }
    }
}

void lp_reconcile_apps(struct lp_state *s, uint32_t id, struct lp_planner *planner)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    uint32_t count = node->app_count;
    uint32_t wanted = lp_service_get(s, node->row.service)->app_want_count;
    for (uint32_t i = 0; i < count && i < wanted && node->row.phase == LP_NODE_UP; i++)
        one(s, id, i, planner);
}
