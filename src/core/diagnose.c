// Diagnose: is this one fault, or are many one? When most nodes of a service fail at once, the
// cause is probably elsewhere (an overload, a bad release): repair with the brake on, one node at a
// time. When most nodes of a host fall silent to their sensors and nothing else speaks of a fault,
// the sensors are suspects themselves: from then on one node at a time is repaired on trial.
// Source: Kubernetes slows evictions down when many nodes of a zone are unhealthy ([k8s], node
// controller); weighing sensors against each other: [S1] III-A.
#include "core/phases.h"

enum {
    MANY_WINDOW_MS = 10 * 1000, // faults so close together are one event
    BRAKE_NODES_MIN = 3,        // fewer nodes than this have no "most"
    TOKEN_MS = 5 * 1000,        // so long one node's repair keeps the others waiting
};

static void brake_count(const struct lp_state *s, struct lp_brake *brake, bool is_first)
{
    if (s->now_ms - brake->fault_start_ms > MANY_WINDOW_MS) {
        brake->fault_start_ms = s->now_ms;
        brake->fault_count = 0;
    }
    brake->fault_count += is_first;
}

static void brake_pull(const struct lp_state *s, struct lp_brake *brake, bool are_many)
{
    if (are_many && !brake->is_on) {
        brake->is_on = true;
        brake->token_node = LP_NONE;
    }
    if (brake->is_on)
        brake->until_ms = s->now_ms + MANY_WINDOW_MS;
}

void lp_diagnose_fault(struct lp_state *s, uint32_t node_id)
{
    struct lp_node_inside *node = lp_node_get(s, node_id);
    struct lp_service_inside *service = lp_service_get(s, node->row.service);
    brake_count(s, &service->brake, !node->is_repairing);
    node->is_repairing = true;
    brake_pull(s, &service->brake,
               service->row.node_count >= BRAKE_NODES_MIN &&
                   service->brake.fault_count * 2 > service->row.node_count);
    service->row.is_braked = service->brake.is_on;
}

void lp_diagnose_silence(struct lp_state *s, uint32_t node_id)
{
    struct lp_node_inside *node = lp_node_get(s, node_id);
    bool is_first = !node->is_repairing;
    lp_diagnose_fault(s, node_id);
    if (node->row.host == LP_NONE)
        return;
    struct lp_host *host = lp_host_get(s, node->row.host);
    brake_count(s, &host->brake, is_first);
    brake_pull(s, &host->brake,
               host->node_count >= BRAKE_NODES_MIN &&
                   host->brake.fault_count * 2 > host->node_count);
}

static bool brake_lets(const struct lp_state *s, struct lp_brake *brake, uint32_t node_id,
                       int64_t *ret_wait_until_ms)
{
    if (!brake->is_on)
        return true;
    if (s->now_ms >= brake->until_ms) {
        brake->is_on = false;
        return true;
    }
    if (brake->token_node == node_id)
        return true;
    if (brake->token_node == LP_NONE || s->now_ms >= brake->token_until_ms) {
        brake->token_node = node_id;
        brake->token_until_ms = s->now_ms + TOKEN_MS;
        return true;
    }
    *ret_wait_until_ms = brake->token_until_ms;
    return false;
}

bool lp_diagnose_may_repair(struct lp_state *s, uint32_t node_id, int64_t *ret_wait_until_ms)
{
    struct lp_service_inside *service = lp_service_get(s, lp_node_get(s, node_id)->row.service);
    bool may = brake_lets(s, &service->brake, node_id, ret_wait_until_ms);
    service->row.is_braked = service->brake.is_on;
    return may;
}

bool lp_diagnose_may_trust_sensors(struct lp_state *s, uint32_t node_id, int64_t *ret_wait_until_ms)
{
    uint32_t host = lp_node_get(s, node_id)->row.host;
    return host == LP_NONE ||
           brake_lets(s, &lp_host_get(s, host)->brake, node_id, ret_wait_until_ms);
}

void lp_diagnose_release(struct lp_state *s, uint32_t node_id)
{
    const struct lp_node_inside *node = lp_node_get(s, node_id);
    struct lp_service_inside *service = lp_service_get(s, node->row.service);
    if (service->brake.is_on && service->brake.token_node == node_id) {
        service->brake.token_node = LP_NONE;
        lp_service_touch_nodes(s, node->row.service);
    }
    if (node->row.host == LP_NONE)
        return;
    struct lp_host *host = lp_host_get(s, node->row.host);
    if (host->brake.token_node == node_id) // the others ask again when its time is over
        host->brake.token_until_ms = s->now_ms;
}

bool lp_diagnose_brake_ended(struct lp_state *s, uint32_t service_id)
{
    struct lp_service_inside *service = lp_service_get(s, service_id);
    if (service->brake.is_on && s->now_ms >= service->brake.until_ms)
        service->brake.is_on = false;
    service->row.is_braked = service->brake.is_on;
    return !service->brake.is_on;
}
