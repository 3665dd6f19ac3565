// The invariants of the state, held against the rows one by one.
#include "core/check.h"

#include "base/err.h"
#include "core/phases.h"

#define BAD(...) lp_err_set(err, LP_ECORRUPT, __VA_ARGS__)

static int check_heap(struct lp_state *s, struct lp_err *err)
{
    const struct lp_heap_entry *heap =
        (const struct lp_heap_entry *)(const void *)((const char *)s + s->heap_at);
    const struct lp_timer *rows =
        (const struct lp_timer *)(const void *)((const char *)s + s->timers_at);
    uint32_t timers = lp_timer_id(s, LP_TIMER_FAULT, LP_FAULTS_MAX), in_heap = 0;
    if (s->timer_count > timers)
        return BAD("%u timers, but %u rows", s->timer_count, timers);
    for (uint32_t i = 0; i < s->timer_count; i++) {
        if (heap[i].timer >= timers || rows[heap[i].timer].place != i + 1 ||
            rows[heap[i].timer].due_ms != heap[i].due_ms)
            return BAD("timer %u is not where it says", heap[i].timer);
        if (i > 0 && heap[(i - 1) / 2].due_ms > heap[i].due_ms)
            return BAD("timer %u is due before its parent in the heap", heap[i].timer);
    }
    for (uint32_t i = 0; i < timers; i++)
        in_heap += rows[i].place != 0;
    return in_heap == s->timer_count ? 0 : BAD("a timer claims a place that it has not");
}

static int check_dirty(struct lp_state *s, struct lp_err *err)
{
    const uint32_t *ring = (const uint32_t *)(const void *)((const char *)s + s->ring_at);
    uint32_t nodes = 0, infras = 0, services = 0, images = 0;
    for (uint32_t i = 0; i < s->limits.nodes; i++)
        nodes += lp_node_get(s, i)->is_dirty;
    for (uint32_t i = 0; i < s->limits.infras; i++)
        infras += lp_infra_get(s, i)->is_dirty;
    for (uint32_t i = 0; i < s->limits.services; i++)
        services += lp_service_get(s, i)->is_dirty;
    for (uint32_t i = 0; i < s->limits.images; i++)
        images += lp_image_get(s, i)->is_dirty;
    if (nodes != s->dirty_count || infras != s->dirty_infras || services != s->dirty_services ||
        images != s->dirty_images)
        return BAD("dirty rows are not counted right");
    for (uint32_t i = 0; i < s->dirty_count; i++) {
        uint32_t node = ring[(s->dirty_first + i) % s->limits.nodes];
        if (node >= s->limits.nodes || !lp_node_get(s, node)->is_dirty)
            return BAD("node %u is in the ring, but not dirty", node);
    }
    return 0;
}

static int check_free_nodes(struct lp_state *s, struct lp_err *err)
{
    uint32_t unused = 0, listed = 0;
    for (uint32_t i = 0; i < s->limits.nodes; i++)
        unused += !lp_node_get(s, i)->row.is_used;
    for (uint32_t i = s->free_node; i != LP_NONE && listed <= unused; i = lp_node_get(s, i)->next) {
        if (lp_node_get(s, i)->row.is_used)
            return BAD("node %u is used and free", i);
        listed++;
    }
    return listed == unused ? 0 : BAD("%u free nodes are listed of %u", listed, unused);
}

static uint32_t free_rows(struct lp_state *s, const struct lp_blocks *blocks, bool are_apps)
{
    uint32_t rows = 0;
    for (uint32_t size = 1; size <= LP_APPS_MAX; size++) {
        for (uint32_t at = blocks->heads[size]; at != LP_NONE && rows <= blocks->capacity;) {
            rows += size;
            at =
                are_apps
                    ? ((const struct lp_app_inside *)(void *)((char *)s + s->apps_at))[at].next_free
                    : ((const struct lp_app_want_inside *)(void *)((char *)s + s->wants_at))[at]
                          .next_free;
        }
    }
    return rows;
}

static int check_blocks(struct lp_state *s, struct lp_err *err)
{
    uint64_t apps = free_rows(s, &s->app_blocks, true);
    uint64_t wants = free_rows(s, &s->want_blocks, false);
    for (uint32_t i = 0; i < s->limits.nodes; i++)
        apps += lp_node_get(s, i)->row.is_used ? lp_node_get(s, i)->app_count : 0;
    for (uint32_t i = 0; i < s->limits.services; i++)
        wants += lp_service_get(s, i)->row.is_used ? lp_service_get(s, i)->app_want_count : 0;
    if (apps != s->app_blocks.top || s->app_blocks.top > s->limits.apps)
        return BAD("%llu application rows are used or free, of %u", (unsigned long long)apps,
                   s->app_blocks.top);
    if (wants != s->want_blocks.top || s->want_blocks.top > s->limits.apps)
        return BAD("%llu rows of wanted applications are used or free, of %u",
                   (unsigned long long)wants, s->want_blocks.top);
    return 0;
}

static bool has_reply_to_come(enum lp_app_phase phase)
{
    return phase == LP_APP_STARTING || phase == LP_APP_STOPPING;
}

static int check_apps(struct lp_state *s, uint32_t id, struct lp_err *err)
{
    const struct lp_node_inside *node = lp_node_get(s, id);
    bool is_there = node->row.phase == LP_NODE_UP || node->row.phase == LP_NODE_MUTE;
    for (uint32_t i = 0; i < node->app_count; i++) {
        const struct lp_app_inside *app = lp_app_get(s, node, i);
        bool is_ordered = app->order.kind != LP_ACTION_NONE;
        if (app->row.phase > LP_APP_GAVE_UP)
            return BAD("application %u of node %u has no phase", i, id);
        if (is_ordered != has_reply_to_come(app->row.phase))
            return BAD("application %u of node %u is %s, order %u", i, id,
                       lp_app_phase_word(app->row.phase), app->order.kind);
        bool is_quiet = app->row.phase == LP_APP_IDLE || app->row.phase == LP_APP_GAVE_UP;
        if (!is_there && !is_quiet && node->row.phase != LP_NODE_STOPPING &&
            node->row.phase != LP_NODE_UNKNOWN)
            return BAD("application %u of node %u is %s, the node %s", i, id,
                       lp_app_phase_word(app->row.phase), lp_node_phase_word(node->row.phase));
    }
    return 0;
}

// An order is out exactly when a reply is waited for; its deadline has a timer.
static int check_order(struct lp_state *s, uint32_t id, struct lp_err *err)
{
    const struct lp_node_inside *node = lp_node_get(s, id);
    uint8_t kind = node->order.kind;
    bool is_right = kind == LP_ACTION_NONE;
    if (node->row.phase == LP_NODE_STARTING)
        is_right = kind == LP_ACTION_START_NODE;
    if (node->row.phase == LP_NODE_STOPPING)
        is_right = kind == LP_ACTION_STOP_NODE || kind == LP_ACTION_FENCE_NODE ||
                   kind == LP_ACTION_REMOVE_NODE;
    if (!is_right)
        return BAD("node %u is %s, order %u", id, lp_node_phase_word(node->row.phase), kind);
    if (node->render.kind != LP_ACTION_NONE && node->row.phase == LP_NODE_ABSENT)
        return BAD("node %u is absent and being rendered", id);
    bool is_looked_at = s->is_synced && !lp_infra_get(s, node->row.infra)->is_open;
    const struct lp_timer *timers =
        (const struct lp_timer *)(const void *)((const char *)s + s->timers_at);
    const struct lp_timer *timer = &timers[lp_timer_id(s, LP_TIMER_NODE, id)];
    if (kind != LP_ACTION_NONE && is_looked_at && !node->is_dirty &&
        (timer->place == 0 || timer->due_ms > node->order.deadline_ms))
        return BAD("node %u waits for a reply without a timer", id);
    return 0;
}

static int check_node(struct lp_state *s, uint32_t id, struct lp_err *err)
{
    const struct lp_node_inside *node = lp_node_get(s, id);
    const struct lp_service_inside *service = lp_service_get(s, node->row.service);
    if (!service->row.is_used || service->row.infra != node->row.infra)
        return BAD("node %u belongs to service %u, which is not there", id, node->row.service);
    if (node->row.is_wanted && !service->row.is_wanted && !service->is_dirty &&
        !lp_infra_get(s, node->row.infra)->is_open)
        return BAD("node %u is wanted, its service is not", id);
    if (node->row.phase > LP_NODE_STOPPING || node->row.verdict > LP_VERDICT_GAVE_UP)
        return BAD("node %u has no phase or verdict", id);
    if (node->row.host != LP_NONE && node->row.host >= s->limits.hosts)
        return BAD("node %u is on host %u", id, node->row.host);
    if (!node->is_dirty && !lp_infra_get(s, node->row.infra)->is_open &&
        node->row.verdict != lp_verdict_of(s, id))
        return BAD("node %u is called %s, but is %s", id, lp_verdict_word(node->row.verdict),
                   lp_verdict_word(lp_verdict_of(s, id)));
    int result = check_order(s, id, err);
    return result < 0 ? result : check_apps(s, id, err);
}

struct sums {
    uint32_t nodes, wanted, good, started, completed;
};

static bool is_good(const struct lp_node_inside *node)
{
    return node->row.verdict == LP_VERDICT_HEALTHY || node->row.verdict == LP_VERDICT_COMPLETED;
}

static int sum_nodes(struct lp_state *s, uint32_t id, struct sums *ret_sums, struct lp_err *err)
{
    const struct lp_service_inside *service = lp_service_get(s, id);
    uint32_t prev = LP_NONE;
    struct sums sums = {0};
    for (uint32_t n = service->row.first_node; n != LP_NONE; n = lp_node_get(s, n)->next) {
        const struct lp_node_inside *node = lp_node_get(s, n);
        bool is_ordered = prev == LP_NONE || lp_node_get(s, prev)->row.ordinal < node->row.ordinal;
        if (!node->row.is_used || node->row.service != id || node->prev != prev || !is_ordered ||
            ++sums.nodes > s->limits.nodes)
            return BAD("the nodes of service %u are not well linked at %u", id, n);
        sums.wanted += node->row.is_wanted;
        sums.good += is_good(node);
        sums.started += node->is_started;
        sums.completed += node->row.verdict == LP_VERDICT_COMPLETED;
        int result = check_node(s, n, err);
        if (result < 0)
            return result;
        prev = n;
    }
    *ret_sums = sums;
    return service->last_node == prev ? 0 : BAD("service %u lost its last node", id);
}

static int check_wants(struct lp_state *s, uint32_t id, struct lp_err *err)
{
    const struct lp_service_inside *service = lp_service_get(s, id);
    for (uint32_t i = 0; i < service->app_want_count; i++) {
        uint32_t started = 0, ready = 0, done = 0;
        for (uint32_t n = service->row.first_node; n != LP_NONE; n = lp_node_get(s, n)->next) {
            const struct lp_node_inside *node = lp_node_get(s, n);
            uint8_t phase = i < node->app_count ? lp_app_get(s, node, i)->row.phase : LP_APP_IDLE;
            started += phase == LP_APP_RUNNING || phase == LP_APP_READY || phase == LP_APP_SUSPECT;
            ready += phase == LP_APP_READY;
            done += phase == LP_APP_DONE;
        }
        const struct lp_app_want_inside *want = lp_want_get(s, id, i);
        if (want->started != started || want->ready != ready || want->done != done)
            return BAD("application %u of service %u: %u started, %u ready, %u done, counted as "
                       "%u, %u, %u",
                       i, id, started, ready, done, want->started, want->ready, want->done);
    }
    return 0;
}

static int check_service(struct lp_state *s, uint32_t id, struct sums *infra, struct lp_err *err)
{
    const struct lp_service_inside *service = lp_service_get(s, id);
    struct sums sums = {0};
    int result = sum_nodes(s, id, &sums, err);
    if (result < 0)
        return result;
    if (sums.nodes != service->row.node_count || sums.good != service->row.healthy_count ||
        sums.started != service->started_count || sums.completed != service->completed_count)
        return BAD("service %u has %u nodes, %u healthy, %u started, %u completed; counted as %u, "
                   "%u, %u, %u",
                   id, sums.nodes, sums.good, sums.started, sums.completed, service->row.node_count,
                   service->row.healthy_count, service->started_count, service->completed_count);
    bool is_settled = !service->is_dirty && !lp_infra_get(s, service->row.infra)->is_open;
    if (sums.wanted != service->wanted_count)
        return BAD("service %u has %u wanted nodes, counted as %u", id, sums.wanted,
                   service->wanted_count);
    if (is_settled && sums.wanted > service->row.replicas)
        return BAD("service %u keeps %u nodes, %u are wanted", id, sums.wanted,
                   service->row.replicas);
    infra->nodes += sums.nodes;
    infra->good += sums.good;
    return check_wants(s, id, err);
}

static int check_infra(struct lp_state *s, uint32_t id, uint32_t *ret_services, struct lp_err *err)
{
    const struct lp_infra_inside *infra = lp_infra_get(s, id);
    struct sums sums = {0};
    uint32_t prev = LP_NONE;
    for (uint32_t i = infra->row.is_used ? infra->first_service : LP_NONE; i != LP_NONE;
         i = lp_service_get(s, i)->next) {
        const struct lp_service_inside *service = lp_service_get(s, i);
        if (!service->row.is_used || service->row.infra != id || service->prev != prev ||
            ++*ret_services > s->limits.services)
            return BAD("the services of infrastructure %u are not well linked at %u", id, i);
        int result = check_service(s, i, &sums, err);
        if (result < 0)
            return result;
        prev = i;
    }
    if (sums.nodes != infra->row.node_count || sums.good != infra->row.healthy_count)
        return BAD("infrastructure %u has %u nodes, %u healthy; counted as %u, %u", id, sums.nodes,
                   sums.good, infra->row.node_count, infra->row.healthy_count);
    if (infra->row.publish_done > infra->row.publish_wanted)
        return BAD("infrastructure %u published what nobody wanted", id);
    return 0;
}

static int check_addresses(struct lp_state *s, struct lp_err *err)
{
    const uint64_t *words = (const uint64_t *)(const void *)((const char *)s + s->addresses_at);
    uint64_t width = (s->limits.nodes + 63) / 64, taken = 0, used = 0;
    for (uint64_t i = 0; i < width * s->limits.infras; i++)
        for (uint64_t left = words[i]; left; left &= left - 1)
            taken++;
    for (uint32_t i = 0; i < s->limits.nodes; i++) {
        const struct lp_node_row *row = &lp_node_get(s, i)->row;
        if (!row->is_used)
            continue;
        used++;
        if (row->address_index >= s->limits.nodes ||
            !(words[row->infra * width + row->address_index / 64] >> (row->address_index % 64) & 1))
            return BAD("the address of node %u counts as free", i);
    }
    return taken == used ? 0 : BAD("addresses of nodes that are gone are still taken, or shared");
}

static int check_hosts(struct lp_state *s, struct lp_err *err)
{
    uint64_t used = 0, placed = 0;
    for (uint32_t i = 0; i < s->limits.hosts; i++)
        used += lp_host_get(s, i)->used_bytes;
    for (uint32_t i = 0; i < s->limits.nodes; i++) {
        const struct lp_node_inside *node = lp_node_get(s, i);
        placed += node->row.is_used && node->row.host != LP_NONE ? node->placed_bytes : 0;
    }
    const uint32_t *rooms = (const uint32_t *)(const void *)((const char *)s + s->rooms_at);
    for (uint32_t i = 0; i < s->limits.hosts; i++) {
        const struct lp_host *host = lp_host_get(s, i),
                             *best = lp_host_get(s, rooms[1] ? rooms[1] - 1 : i);
        if (host->is_up && lp_schedule_room(host) > lp_schedule_room(best))
            return BAD("host %u has more room than the winner of the tournament", i);
    }
    return used == placed ? 0 : BAD("the hosts' memory in use is not what their nodes take");
}

// Faults on purpose: each counts at its node, and only there.
static int check_faults(struct lp_state *s, struct lp_err *err)
{
    uint64_t faults = 0, holds = 0;
    uint32_t dirty = 0;
    for (uint32_t i = 0; i < LP_FAULTS_MAX; i++) {
        const struct lp_fault_inside *fault = lp_fault_get(s, i);
        dirty += fault->is_dirty;
        if (!fault->row.is_used || fault->row.node == LP_NONE)
            continue;
        if (fault->row.node >= s->limits.nodes || !lp_node_get(s, fault->row.node)->row.is_used)
            return BAD("fault %u is aimed at a node that is not there", fault->row.number);
        faults++;
        holds += (fault->row.spec.flags & LP_FAULT_HOLDS) != 0;
    }
    for (uint32_t i = 0; i < s->limits.nodes; i++) {
        const struct lp_node_inside *node = lp_node_get(s, i);
        faults -= node->row.is_used ? node->fault_count : 0;
        holds -= node->row.is_used ? node->hold_count : 0;
    }
    if (dirty != s->dirty_faults)
        return BAD("dirty faults are not counted right");
    return faults || holds ? BAD("faults are not counted right at their nodes") : 0;
}

int lp_state_check(const struct lp_state *state, struct lp_err *err)
{
    struct lp_state *s = (struct lp_state *)(uintptr_t)state;
    uint32_t linked = 0, used = 0;
    int result = 0;
    for (uint32_t i = 0; i < s->limits.infras && result == 0; i++)
        result = check_infra(s, i, &linked, err);
    for (uint32_t i = 0; i < s->limits.services; i++)
        used += lp_service_get(s, i)->row.is_used;
    if (result == 0 && linked != used)
        result = BAD("%u services are used, %u belong to an infrastructure", used, linked);
    int (*const checks[])(struct lp_state *, struct lp_err *) = {
        check_heap,      check_dirty, check_free_nodes, check_blocks,
        check_addresses, check_hosts, check_faults};
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && result == 0; i++)
        result = checks[i](s, err);
    return result;
}
