// What is seen: the facts that drivers report. Stale, doubled and senseless ones change nothing.
#include "core/phases.h"

#include "base/err.h"

// A node ended or is known not to run: nothing in it runs either.
static void node_lost(struct lp_state *s, uint32_t id)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    lp_repair_was_healthy(s, id);
    for (uint32_t i = 0; i < node->app_count; i++) {
        struct lp_app_inside *app = lp_app_get(s, node, i);
        lp_order_clear(&app->order);
        app->watched_as = LP_WATCH_NONE;
        app->is_restart_asked = app->is_stop_ours = false;
        app->fails = 0;
        app->ready_ms = 0;
        if (app->row.phase != LP_APP_GAVE_UP)
            lp_app_phase_set(s, id, i, LP_APP_IDLE);
    }
    node->row.phase = LP_NODE_ABSENT;
    node->fix = LP_FIX_NONE;
    node->is_fix_ordered = false;
    node->mute_since_ms = 0;
    node->is_restart_asked = false;
    lp_order_clear(&node->render);
}

static bool is_current(struct lp_state *s, const struct lp_event *event)
{
    if (event->node >= s->limits.nodes)
        return false;
    const struct lp_node_inside *node = lp_node_get(s, event->node);
    return node->row.is_used && event->incarnation == node->row.incarnation &&
           node->row.incarnation > 0;
}

static void node_up(struct lp_state *s, uint32_t id)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    if (node->row.phase == LP_NODE_STOPPING || node->row.phase == LP_NODE_ABSENT)
        return; // a late word: it was stopped since, or is confirmed dead
    if (node->order.kind == LP_ACTION_START_NODE)
        lp_order_clear(&node->order);
    node->row.phase = LP_NODE_UP;
    node->mute_since_ms = 0;
}

static void node_dead(struct lp_state *s, const struct lp_event *event)
{
    struct lp_node_inside *node = lp_node_get(s, event->node);
    if (node->row.phase == LP_NODE_ABSENT)
        return;
    bool is_ordered = node->row.phase == LP_NODE_STOPPING && node->order.kind != LP_ACTION_NONE;
    if (node->order.kind == LP_ACTION_REMOVE_NODE) {
        node_lost(s, event->node); // still to be removed: the order stays out
        node->row.phase = LP_NODE_STOPPING;
        return;
    }
    bool is_fix = node->is_fix_ordered;
    bool is_known = event->status != LP_STATUS_UNKNOWN;
    enum lp_reason reason = event->is_oom ? LP_REASON_OOM
                            : is_known    ? LP_REASON_NODE_DEAD
                                          : LP_REASON_NODE_VANISHED;
    struct lp_because because = lp_because_of(s, reason, is_known ? (uint32_t)event->status : 0);
    lp_order_clear(&node->order);
    node_lost(s, event->node);
    if (!is_ordered || is_fix)
        lp_repair_node(s, event->node, is_fix ? node->because : because, false);
}

static void node_failed(struct lp_state *s, const struct lp_event *event)
{
    struct lp_node_inside *node = lp_node_get(s, event->node);
    if (node->row.phase != LP_NODE_STARTING && node->row.phase != LP_NODE_UNKNOWN)
        return;
    lp_order_clear(&node->order);
    node_lost(s, event->node);
    lp_repair_node(s, event->node,
                   lp_because_of(s, LP_REASON_NODE_START_FAILED, node->failed_lives + 1), true);
}

static void node_mute(struct lp_state *s, uint32_t id)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    if (node->row.phase != LP_NODE_UP && node->row.phase != LP_NODE_UNKNOWN &&
        node->row.phase != LP_NODE_STARTING)
        return;
    if (node->order.kind == LP_ACTION_START_NODE)
        lp_order_clear(&node->order); // it came up, and the word of that was lost
    node->row.phase = LP_NODE_MUTE;
    node->mute_since_ms = s->now_ms;
}

static void node_gone(struct lp_state *s, uint32_t id)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    bool was_ordered = node->order.kind == LP_ACTION_REMOVE_NODE;
    if (node->row.phase == LP_NODE_ABSENT && !was_ordered)
        return;
    lp_order_clear(&node->order);
    node_lost(s, id);
    node->has_root = false;
    node->is_fresh_wanted = false;
    node->node_hash = 0;
    lp_schedule_release(s, id);
    if (!was_ordered) // somebody took it away
        lp_repair_node(s, id, lp_because_of(s, LP_REASON_NODE_VANISHED, 0), false);
}

static void rendered(struct lp_state *s, const struct lp_event *event)
{
    struct lp_node_inside *node = lp_node_get(s, event->node);
    if (node->row.phase != LP_NODE_UP || node->render.kind == LP_ACTION_NONE)
        return;
    lp_order_clear(&node->render);
    node->render_done = event->revision;
    for (uint32_t i = 0; i < node->app_count; i++) {
        const struct lp_service_inside *service = lp_service_get(s, node->row.service);
        struct lp_app_inside *app = lp_app_get(s, node, i);
        if (i >= service->app_want_count)
            break;
        const struct lp_app_want *want = &lp_want_get(s, node->row.service, i)->want;
        bool is_alive = app->row.phase == LP_APP_RUNNING || app->row.phase == LP_APP_READY ||
                        app->row.phase == LP_APP_SUSPECT;
        if (!is_alive || want->kind != LP_APP_SERVE || want->reload_kind != LP_RELOAD_RESTART)
            continue;
        app->is_restart_asked = true;
        app->because = lp_because_of(s, (enum lp_reason)service->render_reason, 0);
    }
}

static void node_event(struct lp_state *s, const struct lp_event *event)
{
    if (!is_current(s, event))
        return;
    switch (event->kind) {
    case LP_EVENT_NODE_UP:
        node_up(s, event->node);
        break;
    case LP_EVENT_NODE_FAILED:
        node_failed(s, event);
        break;
    case LP_EVENT_NODE_DEAD:
        node_dead(s, event);
        break;
    case LP_EVENT_NODE_MUTE:
        node_mute(s, event->node);
        break;
    case LP_EVENT_NODE_GONE:
        node_gone(s, event->node);
        break;
    default:
        rendered(s, event);
    }
    lp_node_touch(s, event->node);
    lp_verdict_update(s, event->node);
}

static bool app_is_alive(const struct lp_app_inside *app)
{
    return app->row.phase == LP_APP_STARTING || app->row.phase == LP_APP_RUNNING ||
           app->row.phase == LP_APP_READY || app->row.phase == LP_APP_SUSPECT ||
           app->row.phase == LP_APP_STOPPING;
}

// Is it news of what ran before this daemon? A node that did not answer when all was counted as
// told tells of its applications later, before it counts as up again.
static bool is_adoption(const struct lp_state *s, const struct lp_node_inside *node,
                        const struct lp_app_inside *app)
{
    return app->row.phase == LP_APP_IDLE && (!s->is_synced || node->row.phase == LP_NODE_MUTE);
}

static void app_started(struct lp_state *s, const struct lp_event *event)
{
    struct lp_node_inside *node = lp_node_get(s, event->node);
    struct lp_app_inside *app = lp_app_get(s, node, event->app);
    bool is_adopted = is_adoption(s, node, app);
    if (app->row.phase != LP_APP_STARTING && !is_adopted)
        return;
    lp_order_clear(&app->order);
    app->row.run = event->run;
    app->started_ms = s->now_ms;
    app->ready_ms = 0;
    app->fails = 0;
    app->suspected_s = 0;
    app->watched_as = LP_WATCH_NONE;
    lp_app_phase_set(s, event->node, event->app, LP_APP_RUNNING);
    if (event->app >= lp_service_get(s, node->row.service)->app_want_count)
        return;
    const struct lp_app_want *want = &lp_want_get(s, node->row.service, event->app)->want;
    if (want->kind == LP_APP_SERVE && !want->has_health && !want->has_readiness) {
        app->ready_ms = s->now_ms;
        lp_app_phase_set(s, event->node, event->app, LP_APP_READY);
    }
}

static void app_ended(struct lp_state *s, const struct lp_event *event)
{
    struct lp_node_inside *node = lp_node_get(s, event->node);
    struct lp_app_inside *app = lp_app_get(s, node, event->app);
    bool is_adopted = is_adoption(s, node, app);
    if (!app_is_alive(app) && !is_adopted)
        return;
    bool is_ours =
        is_adopted ? app->is_restart_asked : app->row.phase == LP_APP_STOPPING && app->is_stop_ours;
    struct lp_because because = app->order.because;
    enum lp_reason reason = event->is_oom                        ? LP_REASON_OOM
                            : event->kind == LP_EVENT_APP_FAILED ? LP_REASON_APP_START_FAILED
                                                                 : LP_REASON_APP_EXITED;
    bool was_silent =
        because.reason == LP_REASON_APP_HUNG || because.reason == LP_REASON_APP_SUSPECTED;
    if (app->row.phase != LP_APP_STOPPING || !was_silent)
        because = lp_because_of(s, reason, (uint32_t)event->status);
    lp_order_clear(&app->order);
    app->row.run = event->run;
    app->row.status = event->status;
    app->is_stop_ours = false;
    app->fails = 0;
    lp_app_phase_set(s, event->node, event->app, LP_APP_EXITED);
    if (is_ours || node->row.phase == LP_NODE_STOPPING) {
        app->next_try_ms = s->now_ms; // a person or a change wanted it: no fault
        return;
    }
    lp_repair_app(s, event->node, event->app, because);
}

static void app_event(struct lp_state *s, const struct lp_event *event)
{
    if (!is_current(s, event))
        return;
    struct lp_node_inside *node = lp_node_get(s, event->node);
    if (event->app >= node->app_count || node->row.phase == LP_NODE_ABSENT ||
        event->run < lp_app_get(s, node, event->app)->row.run)
        return;
    if (event->kind == LP_EVENT_APP_STARTED)
        app_started(s, event);
    else if (event->kind == LP_EVENT_READING || event->kind == LP_EVENT_SUSPICION) {
        if (event->run != lp_app_get(s, node, event->app)->row.run)
            return;
        if (event->kind == LP_EVENT_READING)
            lp_detect_reading(s, event->node, event->app, event->is_ok);
        else
            lp_detect_suspicion(s, event->node, event->app);
    } else
        app_ended(s, event);
    lp_node_touch(s, event->node);
    lp_verdict_update(s, event->node);
}

// Nothing of the node is known any more, but what a person asked for and has not got stays asked:
// a restart of the node until it is dead, of an application until it has ended.
static void node_forget(struct lp_state *s, uint32_t id)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    bool was_absent = node->row.phase == LP_NODE_ABSENT;
    bool is_restart_asked = node->is_restart_asked && !was_absent;
    uint32_t apps_asked = 0; // a bit each
    for (uint32_t i = 0; i < node->app_count && !was_absent; i++) {
        const struct lp_app_inside *app = lp_app_get(s, node, i);
        bool is_stopping = app->row.phase == LP_APP_STOPPING && app->is_stop_ours;
        apps_asked |= (uint32_t)(app->is_restart_asked || is_stopping) << i;
    }
    lp_order_clear(&node->order);
    node_lost(s, id);
    node->is_restart_asked = is_restart_asked;
    for (uint32_t i = 0; i < node->app_count; i++)
        lp_app_get(s, node, i)->is_restart_asked = apps_asked >> i & 1;
    node->row.phase = was_absent ? LP_NODE_ABSENT : LP_NODE_UNKNOWN;
    lp_verdict_update(s, id);
}

static void daemon_started(struct lp_state *s)
{
    s->is_synced = false;
    for (uint32_t i = 0; i < s->limits.images; i++) {
        struct lp_image_inside *image = lp_image_get(s, i);
        lp_order_clear(&image->order);
        if (image->phase != LP_IMAGE_FAILED)
            image->phase = LP_IMAGE_ABSENT;
    }
    for (uint32_t i = 0; i < s->limits.infras; i++) {
        struct lp_infra_inside *infra = lp_infra_get(s, i);
        lp_order_clear(&infra->network);
        lp_order_clear(&infra->publish);
        infra->row.network_phase = 0;
        infra->is_network_stale = false;
        infra->row.publish_wanted += infra->row.is_used;
    }
    for (uint32_t i = 0; i < s->limits.nodes; i++)
        if (lp_node_get(s, i)->row.is_used)
            node_forget(s, i);
}

static void drivers_synced(struct lp_state *s)
{
    s->is_synced = true;
    for (uint32_t i = 0; i < s->limits.nodes; i++) {
        struct lp_node_inside *node = lp_node_get(s, i);
        if (!node->row.is_used)
            continue;
        if (node->row.phase == LP_NODE_UNKNOWN) {
            node_lost(s, i);
            if (node->row.is_wanted)
                lp_repair_node(s, i, lp_because_of(s, LP_REASON_NODE_VANISHED, 0), false);
        }
        lp_node_touch(s, i);
        lp_verdict_update(s, i);
    }
    for (uint32_t i = 0; i < s->limits.infras; i++)
        if (lp_infra_get(s, i)->row.is_used)
            lp_infra_touch(s, i);
    for (uint32_t i = 0; i < s->limits.images; i++)
        if (lp_image_get(s, i)->is_used)
            lp_image_touch(s, i);
    for (uint32_t i = 0; i < s->limits.services; i++)
        if (lp_service_get(s, i)->row.is_used)
            lp_service_touch(s, i);
    for (uint32_t i = 0; i < LP_FAULTS_MAX; i++)
        if (lp_fault_get(s, i)->row.is_used)
            lp_fault_touch(s, i);
}

static void host_event(struct lp_state *s, const struct lp_event *event)
{
    struct lp_host *host = lp_host_get(s, event->host);
    if (event->kind == LP_EVENT_HOST_UP) {
        host->is_up = true;
        host->memory_bytes = event->host_facts.memory_bytes;
    } else {
        host->is_up = false;
        host->memory_bytes = 0;
    }
    lp_schedule_host_changed(s, event->host);
    for (uint32_t i = 0; i < s->limits.nodes; i++) {
        struct lp_node_inside *node = lp_node_get(s, i);
        if (!node->row.is_used)
            continue;
        lp_node_touch(s, i); // it may have waited for a place
        if (event->kind == LP_EVENT_HOST_UP || node->row.host != event->host)
            continue;
        lp_order_clear(&node->order);
        bool had_life = node->row.phase != LP_NODE_ABSENT;
        node_lost(s, i);
        node->has_root = false;
        lp_schedule_release(s, i);
        if (had_life && node->row.is_wanted)
            lp_repair_node(s, i, lp_because_of(s, LP_REASON_HOST_DEAD, 0), false);
        lp_verdict_update(s, i);
    }
}

static void image_event(struct lp_state *s, const struct lp_event *event)
{
    struct lp_image_inside *image = lp_image_get(s, event->image);
    if (!image->is_used)
        return;
    if (event->kind == LP_EVENT_IMAGE_READY) {
        image->phase = LP_IMAGE_READY;
        image->attempts = 0;
    } else if (image->phase == LP_IMAGE_ORDERED) {
        image->attempts++;
        image->phase = LP_IMAGE_FAILED;
        image->next_try_ms = s->now_ms + ((int64_t)1000 << image->attempts);
    } else {
        return;
    }
    lp_order_clear(&image->order);
    lp_image_touch(s, event->image);
    lp_image_touch_nodes(s, event->image);
}

static void network_event(struct lp_state *s, const struct lp_event *event)
{
    struct lp_infra_inside *infra = lp_infra_get(s, event->infra);
    if (!infra->row.is_used)
        return;
    if (event->kind == LP_EVENT_PUBLISHED) {
        if (infra->publish.kind != LP_ACTION_NONE && event->revision >= infra->row.publish_done &&
            event->revision <= infra->row.publish_wanted) {
            lp_order_clear(&infra->publish);
            infra->row.publish_done = event->revision;
        }
    } else if (event->kind == LP_EVENT_NETWORK_READY && infra->row.network_phase < 2) {
        lp_order_clear(&infra->network);
        infra->row.network_phase = infra->is_network_stale ? 0 : 2;
        infra->is_network_stale = false;
        infra->attempts = 0;
        lp_infra_touch_nodes(s, event->infra);
    } else if (event->kind == LP_EVENT_NETWORK_FAILED && infra->row.network_phase == 1) {
        lp_order_clear(&infra->network);
        infra->row.network_phase = 0;
        infra->is_network_stale = false;
        infra->attempts += infra->attempts < 5;
        infra->next_try_ms = s->now_ms + ((int64_t)500 << infra->attempts);
    } else if (event->kind == LP_EVENT_NETWORK_GONE && infra->row.network_phase == 3) {
        lp_order_clear(&infra->network);
        infra->row.network_phase = 0;
        infra->row.is_used = infra->row.is_wanted;
    }
    lp_infra_touch(s, event->infra);
}

void lp_absorb(struct lp_state *s, const struct lp_event *event)
{
    switch (event->kind) {
    case LP_EVENT_NONE:
    case LP_EVENT_TICK:
    case LP_EVENT_IMAGE_PROGRESS:
    case LP_EVENT_KINDS:
        break;
    case LP_EVENT_DAEMON_STARTED:
        daemon_started(s);
        lp_faults_daemon_started(s);
        break;
    case LP_EVENT_DRIVERS_SYNCED:
        drivers_synced(s);
        break;
    case LP_EVENT_FAULT_ASKED:
    case LP_EVENT_HEAL_ASKED:
    case LP_EVENT_FAULTS_LOCKED:
    case LP_EVENT_FAULT_ACTIVE:
    case LP_EVENT_FAULT_FAILED:
    case LP_EVENT_FAULT_HEALED:
        lp_fault_absorb(s, event);
        break;
    case LP_EVENT_HOST_UP:
    case LP_EVENT_HOST_DEAD:
        host_event(s, event);
        break;
    case LP_EVENT_IMAGE_READY:
    case LP_EVENT_IMAGE_FAILED:
        image_event(s, event);
        break;
    case LP_EVENT_NETWORK_READY:
    case LP_EVENT_NETWORK_FAILED:
    case LP_EVENT_NETWORK_GONE:
    case LP_EVENT_PUBLISHED:
        network_event(s, event);
        break;
    case LP_EVENT_NODE_UP:
    case LP_EVENT_NODE_FAILED:
    case LP_EVENT_NODE_DEAD:
    case LP_EVENT_NODE_MUTE:
    case LP_EVENT_NODE_GONE:
    case LP_EVENT_RENDERED:
        node_event(s, event);
        break;
    case LP_EVENT_APP_STARTED:
    case LP_EVENT_APP_EXITED:
    case LP_EVENT_APP_FAILED:
    case LP_EVENT_READING:
    case LP_EVENT_SUSPICION:
        app_event(s, event);
        break;
    default:
        lp_absorb_want(s, event);
    }
}
