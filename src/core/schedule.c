// Schedule: a host for every node that has none. Most free memory first, which spreads the nodes of
// a service; ties go to the lowest host. The cost grows with the number of hosts, not of nodes.
#include "core/phases.h"

#define NOMINAL_BYTES (16u * 1024 * 1024) // of a node that names no limit

static uint64_t bytes_of(struct lp_state *s, const struct lp_node_inside *node)
{
    uint64_t bytes = lp_service_get(s, node->row.service)->row.want.memory_bytes;
    return bytes ? bytes : NOMINAL_BYTES;
}

// Memory limits are promises that are seldom used to the full: a host takes up to four times its
// memory in limits before it counts as full.
static uint64_t room_of(const struct lp_host *host)
{
    uint64_t room = host->memory_bytes * 4;
    return host->is_up && room > host->used_bytes ? room - host->used_bytes : 0;
}

uint32_t lp_schedule_place(struct lp_state *s, uint32_t node_id)
{
    struct lp_node_inside *node = lp_node_get(s, node_id);
    if (node->row.host != LP_NONE)
        return node->row.host;
    uint64_t wanted = bytes_of(s, node), best_room = 0;
    uint32_t best = LP_NONE;
    for (uint32_t i = 0; i < s->limits.hosts; i++) {
        uint64_t room = room_of(lp_host_get(s, i));
        if (room >= wanted && room > best_room) {
            best = i;
            best_room = room;
        }
    }
    if (best != LP_NONE) {
        lp_host_get(s, best)->used_bytes += wanted;
        node->row.host = best;
        node->placed_bytes = wanted;
    }
    return best;
}

void lp_schedule_release(struct lp_state *s, uint32_t node_id)
{
    struct lp_node_inside *node = lp_node_get(s, node_id);
    if (node->row.host == LP_NONE)
        return;
    struct lp_host *host = lp_host_get(s, node->row.host);
    uint64_t bytes = node->placed_bytes;
    host->used_bytes = host->used_bytes > bytes ? host->used_bytes - bytes : 0;
    node->row.host = LP_NONE;
}
