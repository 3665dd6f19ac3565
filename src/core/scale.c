// Scale: as many node rows as are wanted. The lowest free numbers come first, the highest go first.
#include "core/phases.h"

// Files that list this service's nodes are to be rendered anew.
void lp_scale_members_changed(struct lp_state *s, uint32_t id)
{
    const struct lp_service_inside *service = lp_service_get(s, id);
    if (!service->has_observers)
        return;
    const struct lp_infra_inside *infra = lp_infra_get(s, service->row.infra);
    for (uint32_t i = infra->first_service; i != LP_NONE; i = lp_service_get(s, i)->next) {
        struct lp_service_inside *other = lp_service_get(s, i);
        for (uint32_t k = 0; k < other->row.want.observe_count; k++) {
            if (other->row.want.observes[k] != id)
                continue;
            other->render_version++;
            other->render_reason = LP_REASON_ADDRESS_CHANGED;
            lp_service_touch_nodes(s, i);
            break;
        }
    }
}

void lp_scale_service(struct lp_state *s, uint32_t id)
{
    struct lp_service_inside *service = lp_service_get(s, id);
    if (!service->row.is_used)
        return;
    struct lp_infra_inside *infra = lp_infra_get(s, service->row.infra);
    uint32_t wanted = service->row.is_wanted && infra->row.is_wanted ? service->row.replicas : 0;
    bool is_changed = false;
    for (uint32_t n = service->last_node; n != LP_NONE && service->wanted_count > wanted;
         n = lp_node_get(s, n)->prev) {
        struct lp_node_inside *node = lp_node_get(s, n);
        if (!node->row.is_wanted)
            continue;
        node->row.is_wanted = false;
        node->because =
            lp_because_of(s, service->row.is_wanted ? LP_REASON_SCALED : LP_REASON_NOT_WANTED, 0);
        service->wanted_count--;
        is_changed = true;
        lp_node_touch(s, n);
        lp_verdict_update(s, n);
    }
    while (service->wanted_count < wanted) {
        uint32_t n = lp_node_add(s, id);
        if (n == LP_NONE) {
            s->is_short = true; // tried again when a node goes
            break;
        }
        lp_node_get(s, n)->because = infra->because;
        is_changed = true;
        lp_verdict_update(s, n);
    }
    if (is_changed) {
        lp_scale_members_changed(s, id);
        infra->row.publish_wanted++;
        lp_infra_touch(s, service->row.infra);
        lp_gate_service_changed(s, id);
    }
    if (!service->row.is_wanted && service->row.node_count == 0) {
        uint32_t owner = service->row.infra;
        lp_service_remove(s, id);
        lp_infra_touch(s, owner);
    }
}
