// Diagnose: is this one fault, or are many one? When most nodes of a service fail at once, the
// cause is probably elsewhere (an overload, a bad release, the sensors): repair with the brake on.
// Source: Kubernetes' node eviction rates ([k8s]); here: one node at a time.
#include "core/phases.h"

enum {
    MANY_WINDOW_MS = 10 * 1000, // faults so close together are one event
    BRAKE_NODES_MIN = 3,        // a service smaller than this has no "most"
    TOKEN_MS = 5 * 1000,        // so long one node's repair keeps the others waiting
};

void lp_diagnose_fault(struct lp_state *s, uint32_t node_id)
{
    struct lp_node_inside *node = lp_node_get(s, node_id);
    struct lp_service_inside *service = lp_service_get(s, node->row.service);
    bool is_first = !node->is_repairing;
    node->is_repairing = true;
    if (s->now_ms - service->fault_start_ms > MANY_WINDOW_MS) {
        service->fault_start_ms = s->now_ms;
        service->fault_count = 0;
    }
    service->fault_count += is_first;
    bool are_most = service->row.node_count >= BRAKE_NODES_MIN &&
                    service->fault_count * 2 > service->row.node_count;
    if (are_most && !service->row.is_braked) {
        service->row.is_braked = true;
        service->token_node = LP_NONE;
    }
    if (service->row.is_braked)
        service->brake_until_ms = s->now_ms + MANY_WINDOW_MS;
}

bool lp_diagnose_may_repair(struct lp_state *s, uint32_t node_id, int64_t *ret_wait_until_ms)
{
    struct lp_service_inside *service = lp_service_get(s, lp_node_get(s, node_id)->row.service);
    if (!service->row.is_braked)
        return true;
    if (s->now_ms >= service->brake_until_ms) {
        service->row.is_braked = false;
        service->token_node = LP_NONE;
        return true;
    }
    if (service->token_node == node_id)
        return true;
    if (service->token_node == LP_NONE || s->now_ms >= service->token_until_ms) {
        service->token_node = node_id;
        service->token_until_ms = s->now_ms + TOKEN_MS;
        return true;
    }
    *ret_wait_until_ms = service->token_until_ms;
    return false;
}
