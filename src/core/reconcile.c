// Reconcile, nodes: what is wanted against what is seen, and the orders that close the gap.
#include "core/phases.h"

#include "base/err.h"

static struct lp_action action_of(const struct lp_node_inside *node, uint32_t id,
                                  enum lp_action_kind kind, struct lp_because because)
{
    struct lp_action action = lp_action_new(kind, because);
    action.infra = node->row.infra;
    action.service = node->row.service;
    action.node = id;
    action.host = node->row.host;
    action.incarnation = node->row.incarnation;
    return action;
}

static void order(struct lp_state *s, uint32_t id, enum lp_action_kind kind,
                  struct lp_because because, struct lp_planner *planner)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    struct lp_action action = action_of(node, id, kind, because);
    if (kind == LP_ACTION_STOP_NODE)
        action.grace_ms = lp_service_get(s, node->row.service)->row.want.stop_grace_ms;
    if (kind == LP_ACTION_START_NODE) {
        action.image = lp_service_get(s, node->row.service)->row.want.image;
        action.revision = node->render_done;
    }
    lp_order_give(s, &node->order, planner, &action);
}

static void stop_by(struct lp_state *s, uint32_t id, enum lp_action_kind kind,
                    struct lp_because because, struct lp_planner *planner)
{
    lp_node_get(s, id)->row.phase = LP_NODE_STOPPING;
    order(s, id, kind, because, planner);
}

// A new life. Law 2: only when the one before is confirmed dead, which ABSENT means.
static void start(struct lp_state *s, uint32_t id, struct lp_planner *planner)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    const struct lp_service_inside *service = lp_service_get(s, node->row.service);
    lp_assert(node->row.phase == LP_NODE_ABSENT && node->order.kind == LP_ACTION_NONE);
    if (!lp_node_apps_resize(s, id, service->app_want_count)) {
        s->is_short = true;
        return;
    }
    struct lp_because because = node->because;
    bool has_waited = !node->is_ever_passed && service->row.want.depend_count > 0;
    if (because.reason == LP_REASON_NONE || (because.reason == LP_REASON_WANTED && has_waited))
        because = lp_because_of(s, has_waited ? LP_REASON_DEPENDENCY_READY : LP_REASON_WANTED, 0);
    node->row.restarts += node->is_ever_passed && because.reason != LP_REASON_CHANGED;
    node->row.incarnation++;
    node->row.phase = LP_NODE_STARTING;
    node->has_root = true;
    node->is_ever_passed = true;
    node->node_hash = service->row.want.node_hash;
    node->render_done = service->render_version;
    node->because = (struct lp_because){0};
    order(s, id, LP_ACTION_START_NODE, because, planner);
}

// It is time, there is a place, and nothing it waits for is missing?
static void start_when_possible(struct lp_state *s, uint32_t id, struct lp_planner *planner)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    int64_t wait_until_ms = 0;
    if (node->is_gave_up || node->hold_count || !lp_gate_node(s, id))
        return;
    if (s->now_ms < node->next_try_ms) {
        lp_planner_wait(planner, node->next_try_ms);
        return;
    }
    if (node->is_repairing && !lp_diagnose_may_repair(s, id, &wait_until_ms)) {
        lp_planner_wait(planner, wait_until_ms);
        return;
    }
    if (node->has_root && (node->is_fresh_wanted || node->is_changed_root)) {
        stop_by(s, id, LP_ACTION_REMOVE_NODE, node->because, planner);
        return;
    }
    if (lp_schedule_place(s, id) != LP_NONE)
        start(s, id, planner);
}

// When everything goes: nodes of services that depend on this one go first.
static bool must_stay_for_dependents(struct lp_state *s, const struct lp_node_inside *node)
{
    const struct lp_infra_inside *infra = lp_infra_get(s, node->row.infra);
    if (infra->row.is_wanted || !lp_service_get(s, node->row.service)->has_dependents)
        return false;
    for (uint32_t i = infra->first_service; i != LP_NONE; i = lp_service_get(s, i)->next) {
        const struct lp_service_inside *other = lp_service_get(s, i);
        if (i == node->row.service || other->row.node_count == 0)
            continue;
        for (uint32_t k = 0; k < other->row.want.depend_count; k++)
            if (other->row.want.depends[k].service == node->row.service)
                return true;
    }
    return false;
}

static void free_row(struct lp_state *s, uint32_t id)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    uint32_t owner = node->row.service;
    struct lp_service_inside *service = lp_service_get(s, owner);
    lp_assert(node->fault_count == 0);
    lp_schedule_release(s, id);
    lp_diagnose_release(s, id);
    if (service->roll_node == id) { // it went before its change was done: the next one's turn
        service->roll_node = LP_NONE;
        lp_service_touch_nodes(s, owner);
    }
    lp_infra_get(s, node->row.infra)->row.publish_wanted++;
    lp_infra_touch(s, node->row.infra);
    lp_node_remove(s, id);
    lp_service_touch(s, owner);
    if (service->row.node_count == 0 && !service->row.is_wanted)
        lp_infra_touch_nodes(s, service->row.infra); // those it depends on may go now
    for (uint32_t i = 0; s->is_short && i < s->limits.services; i++) {
        if (!lp_service_get(s, i)->row.is_used)
            continue;
        lp_service_touch(s, i);
        lp_service_touch_nodes(s, i);
    }
    s->is_short = false;
}

static void leave(struct lp_state *s, uint32_t id, struct lp_planner *planner)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    if (node->fault_count || must_stay_for_dependents(s, node))
        return; // its faults are undone first
    struct lp_because because = node->because;
    if (because.reason != LP_REASON_SCALED)
        because = lp_because_of(s, LP_REASON_NOT_WANTED, 0);
    switch (node->row.phase) {
    case LP_NODE_UP:
        stop_by(s, id, LP_ACTION_STOP_NODE, because, planner);
        break;
    case LP_NODE_STARTING:
        lp_order_clear(&node->order);
        stop_by(s, id, LP_ACTION_REMOVE_NODE, because, planner);
        break;
    case LP_NODE_MUTE:
        stop_by(s, id, LP_ACTION_REMOVE_NODE, because, planner);
        break;
    case LP_NODE_ABSENT:
        if (node->has_root)
            stop_by(s, id, LP_ACTION_REMOVE_NODE, because, planner);
        else
            free_row(s, id);
        break;
    default:
        break;
    }
}

// Its descriptor changed: one node of a service after the other.
static bool replace_when_its_turn(struct lp_state *s, uint32_t id, struct lp_planner *planner)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    struct lp_service_inside *service = lp_service_get(s, node->row.service);
    node->is_changed_root = node->has_root && node->node_hash != service->row.want.node_hash;
    if (!node->is_changed_root || node->row.phase == LP_NODE_ABSENT)
        return false;
    if (lp_image_get(s, service->row.want.image)->phase != LP_IMAGE_READY)
        return false; // first make sure that the new one can be made
    bool is_good =
        node->row.verdict == LP_VERDICT_HEALTHY || node->row.verdict == LP_VERDICT_COMPLETED;
    if (is_good && service->roll_node != LP_NONE && service->roll_node != id)
        return false;
    if (is_good || service->roll_node == LP_NONE)
        service->roll_node = id;
    node->because = lp_because_of(s, LP_REASON_CHANGED, 0);
    node->is_repairing = false;
    if (node->row.phase == LP_NODE_UP)
        stop_by(s, id, LP_ACTION_STOP_NODE, node->because, planner);
    else if (node->row.phase == LP_NODE_MUTE)
        stop_by(s, id, LP_ACTION_FENCE_NODE, node->because, planner);
    return true;
}

static void keep_up(struct lp_state *s, uint32_t id, struct lp_planner *planner)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    const struct lp_service_inside *service = lp_service_get(s, node->row.service);
    int64_t wait_until_ms = 0;
    if (node->is_restart_asked) {
        stop_by(s, id, LP_ACTION_STOP_NODE, lp_because_of(s, LP_REASON_ASKED, 0), planner);
        return;
    }
    if (node->fix != LP_FIX_NONE) {
        if (!lp_diagnose_may_repair(s, id, &wait_until_ms)) {
            lp_planner_wait(planner, wait_until_ms);
            return;
        }
        node->is_fix_ordered = true;
        stop_by(s, id, LP_ACTION_FENCE_NODE, node->because, planner);
        return;
    }
    if (node->render.kind == LP_ACTION_NONE ? node->render_done != service->render_version
                                            : lp_order_is_due(s, &node->render)) {
        struct lp_action action =
            action_of(node, id, LP_ACTION_RENDER,
                      lp_because_of(s, (enum lp_reason)service->render_reason, 0));
        action.revision = service->render_version;
        lp_order_give(s, &node->render, planner, &action);
    }
    if (node->render.kind != LP_ACTION_NONE)
        lp_planner_wait(planner, node->render.deadline_ms);
    lp_reconcile_apps(s, id, planner);
}

static void seen_as_it_is(struct lp_state *s, uint32_t id, struct lp_planner *planner)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    int64_t wait_until_ms = 0;
    switch (node->row.phase) {
    case LP_NODE_ABSENT:
        start_when_possible(s, id, planner);
        break;
    case LP_NODE_UP:
        keep_up(s, id, planner);
        break;
    case LP_NODE_MUTE:
        if (!lp_detect_is_mute(s, node)) {
            lp_planner_wait(planner, node->mute_since_ms + 1000);
            break;
        }
        lp_diagnose_fault(s, id);
        if (!lp_diagnose_may_repair(s, id, &wait_until_ms)) {
            lp_planner_wait(planner, wait_until_ms);
            break;
        }
        node->is_fix_ordered = true;
        node->because = lp_because_of(s, LP_REASON_NODE_MUTE, 0);
        stop_by(s, id, LP_ACTION_FENCE_NODE, node->because, planner);
        break;
    default:
        break;
    }
}

void lp_reconcile_node(struct lp_state *s, uint32_t id, struct lp_planner *planner)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    planner->due_ms = INT64_MAX;
    if (!node->row.is_used)
        return;
    if (!s->is_synced || lp_infra_get(s, node->row.infra)->is_open) {
        lp_verdict_update(s, id);
        return;
    }
    bool is_waiting = node->order.kind != LP_ACTION_NONE;
    if (is_waiting && lp_order_is_due(s, &node->order))
        order(s, id, node->order.kind, node->order.because, planner);
    bool may_cut_in = !node->row.is_wanted && node->row.phase == LP_NODE_STARTING;
    if (is_waiting)
        lp_planner_wait(planner, node->order.deadline_ms);
    bool may_act = !is_waiting || may_cut_in; // else its reply comes first
    if (may_act && !node->row.is_wanted)
        leave(s, id, planner);
    else if (may_act && !replace_when_its_turn(s, id, planner))
        seen_as_it_is(s, id, planner);
    lp_verdict_update(s, id);
    if (!lp_node_get(s, id)->row.is_used)
        return;
    if (!lp_diagnose_brake_ended(s, node->row.service))
        lp_planner_wait(planner, lp_service_get(s, node->row.service)->brake.until_ms);
    lp_timer_set(s, lp_timer_id(s, LP_TIMER_NODE, id), planner->due_ms);
}
