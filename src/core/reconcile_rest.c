// Reconcile, what nodes stand on: images, networks, names and ports.
#include "core/phases.h"

enum { PUBLISH_EVERY_MS = 50 }; // changes of names that come together are told together

static bool image_is_needed(struct lp_state *s, uint32_t id)
{
    for (uint32_t i = 0; i < s->limits.services; i++) {
        const struct lp_service_inside *service = lp_service_get(s, i);
        if (service->row.is_used && service->row.is_wanted && service->row.want.image == id &&
            !lp_infra_get(s, service->row.infra)->is_open)
            return true;
    }
    return false;
}

void lp_reconcile_image(struct lp_state *s, uint32_t id, struct lp_planner *planner)
{
    struct lp_image_inside *image = lp_image_get(s, id);
    planner->due_ms = INT64_MAX;
    if (!s->is_synced || !image->is_used || !image_is_needed(s, id))
        return;
    bool is_due = lp_order_is_due(s, &image->order);
    bool may_retry = image->phase == LP_IMAGE_FAILED && image->attempts <= LP_IMAGE_ATTEMPTS_MAX;
    if (may_retry && s->now_ms < image->next_try_ms)
        lp_planner_wait(planner, image->next_try_ms);
    else if (is_due || image->phase == LP_IMAGE_ABSENT || may_retry) {
        struct lp_action action =
            lp_action_new(LP_ACTION_ENSURE_IMAGE, lp_because_of(s, LP_REASON_WANTED, 0));
        action.image = id;
        lp_order_give(s, &image->order, planner, &action);
        image->phase = LP_IMAGE_ORDERED;
    }
    if (image->order.kind != LP_ACTION_NONE)
        lp_planner_wait(planner, image->order.deadline_ms);
    lp_timer_set(s, lp_timer_id(s, LP_TIMER_IMAGE, id), planner->due_ms);
}

static void network_order(struct lp_state *s, uint32_t id, enum lp_action_kind kind,
                          struct lp_planner *planner)
{
    struct lp_infra_inside *infra = lp_infra_get(s, id);
    bool is_removal = kind == LP_ACTION_REMOVE_NETWORK;
    struct lp_action action = lp_action_new(
        kind, lp_because_of(s, is_removal ? LP_REASON_NOT_WANTED : LP_REASON_WANTED, 0));
    action.infra = id;
    if (infra->network.kind != (uint8_t)kind)
        lp_order_clear(&infra->network);
    lp_order_give(s, &infra->network, planner, &action);
    infra->row.network_phase = is_removal ? 3 : 1;
}

static void network(struct lp_state *s, uint32_t id, struct lp_planner *planner)
{
    struct lp_infra_inside *infra = lp_infra_get(s, id);
    bool is_removal = !infra->row.is_wanted;
    if (is_removal && infra->network.kind == LP_ACTION_ENSURE_NETWORK)
        lp_order_clear(&infra->network); // nobody wants it any more: its reply is not waited for
    bool is_due = lp_order_is_due(s, &infra->network);
    if (is_removal) {
        bool may_go = infra->row.node_count == 0 && infra->first_service == LP_NONE;
        if (may_go && (infra->row.network_phase != 3 || is_due))
            network_order(s, id, LP_ACTION_REMOVE_NETWORK, planner);
    } else if (infra->row.network_phase == 0 && s->now_ms < infra->next_try_ms) {
        lp_planner_wait(planner, infra->next_try_ms);
    } else if (infra->row.network_phase == 0 || is_due) {
        network_order(s, id, LP_ACTION_ENSURE_NETWORK, planner);
    }
    if (infra->network.kind != LP_ACTION_NONE)
        lp_planner_wait(planner, infra->network.deadline_ms);
}

static void publish(struct lp_state *s, uint32_t id, struct lp_planner *planner)
{
    struct lp_infra_inside *infra = lp_infra_get(s, id);
    bool is_out = infra->publish.kind != LP_ACTION_NONE;
    if (infra->row.network_phase != 2 || !infra->row.is_wanted)
        return;
    if (is_out && !lp_order_is_due(s, &infra->publish)) {
        lp_planner_wait(planner, infra->publish.deadline_ms);
        return;
    }
    if (infra->row.publish_done == infra->row.publish_wanted)
        return;
    if (s->now_ms < infra->next_publish_ms) {
        lp_planner_wait(planner, infra->next_publish_ms);
        return;
    }
    lp_order_clear(&infra->publish); // names have changed since: a new order
    struct lp_action action =
        lp_action_new(LP_ACTION_PUBLISH, lp_because_of(s, LP_REASON_ADDRESS_CHANGED, 0));
    action.infra = id;
    action.revision = infra->row.publish_wanted;
    lp_order_give(s, &infra->publish, planner, &action);
    infra->next_publish_ms = s->now_ms + PUBLISH_EVERY_MS;
}

void lp_reconcile_infra(struct lp_state *s, uint32_t id, struct lp_planner *planner)
{
    struct lp_infra_inside *infra = lp_infra_get(s, id);
    planner->due_ms = INT64_MAX;
    if (!s->is_synced || !infra->row.is_used || infra->is_open)
        return;
    network(s, id, planner);
    publish(s, id, planner);
    lp_timer_set(s, lp_timer_id(s, LP_TIMER_INFRA, id), planner->due_ms);
}
