// Schedule: a host for every node that has none. Most free memory first, which spreads the nodes of
// a service; ties go to the lowest host. The hosts play a tournament (a complete binary tree whose
// inner places hold the winner of the two below), so that a choice costs one look, and a change
// O(log hosts).
#include "core/phases.h"

#define NOMINAL_BYTES (16u * 1024 * 1024) // of a node that names no limit

static uint64_t bytes_of(struct lp_state *s, const struct lp_node_inside *node)
{
    uint64_t bytes = lp_service_get(s, node->row.service)->row.want.memory_bytes;
    return bytes ? bytes : NOMINAL_BYTES;
}

// Memory limits are promises that are seldom used to the full: a host takes up to four times its
// memory in limits before it counts as full.
uint64_t lp_schedule_room(const struct lp_host *host)
{
    uint64_t room = host->memory_bytes * 4;
    return host->is_up && room > host->used_bytes ? room - host->used_bytes : 0;
}

static uint32_t *rooms_of(struct lp_state *s)
{
    return (uint32_t *)(void *)((char *)s + s->rooms_at);
}

static uint32_t width_of(const struct lp_state *s) // leaves of the tree
{
    uint32_t width = 1;
    while (width < s->limits.hosts)
        width *= 2;
    return width;
}

void lp_schedule_host_changed(struct lp_state *s, uint32_t host)
{
    uint32_t *rooms = rooms_of(s); // 0: nobody, else host + 1
    uint32_t at = width_of(s) + host;
    rooms[at] = host + 1;
    while (at > 1) {
        at /= 2;
        uint32_t left = rooms[2 * at], right = rooms[2 * at + 1];
        bool is_right = right && (!left || lp_schedule_room(lp_host_get(s, right - 1)) >
                                               lp_schedule_room(lp_host_get(s, left - 1)));
        rooms[at] = is_right ? right : left;
    }
}

uint32_t lp_schedule_place(struct lp_state *s, uint32_t node_id)
{
    struct lp_node_inside *node = lp_node_get(s, node_id);
    if (node->row.host != LP_NONE)
        return node->row.host;
    uint64_t wanted = bytes_of(s, node);
    uint32_t best = rooms_of(s)[1] - 1;
    if (!rooms_of(s)[1] || lp_schedule_room(lp_host_get(s, best)) < wanted)
        return LP_NONE;
    lp_host_get(s, best)->used_bytes += wanted;
    lp_host_get(s, best)->node_count++;
    node->row.host = best;
    node->placed_bytes = wanted;
    lp_schedule_host_changed(s, best);
    return best;
}

void lp_schedule_release(struct lp_state *s, uint32_t node_id)
{
    struct lp_node_inside *node = lp_node_get(s, node_id);
    if (node->row.host == LP_NONE)
        return;
    lp_host_get(s, node->row.host)->used_bytes -= node->placed_bytes;
    lp_host_get(s, node->row.host)->node_count--;
    lp_schedule_host_changed(s, node->row.host);
    node->row.host = LP_NONE;
    node->placed_bytes = 0;
}
