// Timers and dirty rows: who is to be looked at now, and who later.
// A binary heap over (due time, timer id): equal times are served in a fixed order, so that the
// same journal gives the same plans.
#include <string.h>

#include "base/err.h"
#include "core/tables.h"

static uint32_t *heap_of(const struct lp_state *s)
{
    return (uint32_t *)(void *)((char *)(uintptr_t)s + s->heap_at);
}

static uint32_t *places_of(const struct lp_state *s) // 0: not in the heap, else its place + 1
{
    return (uint32_t *)(void *)((char *)(uintptr_t)s + s->place_at);
}

static int64_t *dues_of(const struct lp_state *s)
{
    return (int64_t *)(void *)((char *)(uintptr_t)s + s->due_at);
}

uint32_t lp_timer_id(const struct lp_state *s, enum lp_timer_of kind, uint32_t row)
{
    uint32_t base = kind == LP_TIMER_NODE    ? 0
                    : kind == LP_TIMER_INFRA ? s->limits.nodes
                    : kind == LP_TIMER_IMAGE
                        ? s->limits.nodes + s->limits.infras
                        : s->limits.nodes + s->limits.infras + s->limits.images;
    return base + row;
}

static bool is_before(const struct lp_state *s, uint32_t a, uint32_t b)
{
    const int64_t *due = dues_of(s);
    return due[a] != due[b] ? due[a] < due[b] : a < b;
}

static void put(struct lp_state *s, uint32_t place, uint32_t timer)
{
    heap_of(s)[place] = timer;
    places_of(s)[timer] = place + 1;
}

static void sift_up(struct lp_state *s, uint32_t place)
{
    uint32_t timer = heap_of(s)[place];
    while (place > 0 && is_before(s, timer, heap_of(s)[(place - 1) / 2])) {
        put(s, place, heap_of(s)[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(s, place, timer);
}

static void sift_down(struct lp_state *s, uint32_t place)
{
    uint32_t timer = heap_of(s)[place];
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= s->timer_count)
            break;
        if (child + 1 < s->timer_count && is_before(s, heap_of(s)[child + 1], heap_of(s)[child]))
            child++;
        if (!is_before(s, heap_of(s)[child], timer))
            break;
        put(s, place, heap_of(s)[child]);
        place = child;
    }
    put(s, place, timer);
}

static void heap_remove(struct lp_state *s, uint32_t timer)
{
    uint32_t place = places_of(s)[timer] - 1;
    uint32_t last = heap_of(s)[--s->timer_count];
    places_of(s)[timer] = 0;
    if (last == timer)
        return;
    put(s, place, last);
    sift_up(s, place);
    sift_down(s, places_of(s)[last] - 1);
}

void lp_timer_set(struct lp_state *s, uint32_t timer, int64_t due_ms)
{
    bool is_in = places_of(s)[timer] != 0;
    if (is_in && dues_of(s)[timer] == due_ms)
        return;
    if (is_in)
        heap_remove(s, timer);
    dues_of(s)[timer] = due_ms;
    if (due_ms == INT64_MAX)
        return;
    put(s, s->timer_count, timer);
    sift_up(s, s->timer_count++);
}

int64_t lp_timer_next(const struct lp_state *s)
{
    return s->timer_count ? dues_of(s)[heap_of(s)[0]] : INT64_MAX;
}

void lp_timers_expire(struct lp_state *s)
{
    while (s->timer_count && dues_of(s)[heap_of(s)[0]] <= s->now_ms) {
        uint32_t timer = heap_of(s)[0];
        heap_remove(s, timer);
        if (timer < s->limits.nodes)
            lp_node_touch(s, timer);
        else if (timer < s->limits.nodes + s->limits.infras)
            lp_infra_touch(s, timer - s->limits.nodes);
        else if (timer < s->limits.nodes + s->limits.infras + s->limits.images)
            lp_image_touch(s, timer - s->limits.nodes - s->limits.infras);
        else
            lp_fault_touch(s, timer - lp_timer_id(s, LP_TIMER_FAULT, 0));
    }
}

void lp_node_touch(struct lp_state *s, uint32_t node)
{
    struct lp_node_inside *row = lp_node_get(s, node);
    if (row->fault_count)
        lp_node_touch_faults(s, node);
    if (row->is_dirty || !row->row.is_used)
        return;
    uint32_t *ring = (uint32_t *)(void *)((char *)s + s->ring_at);
    lp_assert(s->dirty_count < s->limits.nodes);
    ring[(s->dirty_first + s->dirty_count++) % s->limits.nodes] = node;
    row->is_dirty = true;
}

uint32_t lp_dirty_node_take(struct lp_state *s)
{
    if (!s->dirty_count)
        return LP_NONE;
    const uint32_t *ring = (const uint32_t *)(const void *)((const char *)s + s->ring_at);
    uint32_t node = ring[s->dirty_first];
    s->dirty_first = (s->dirty_first + 1) % s->limits.nodes;
    s->dirty_count--;
    lp_node_get(s, node)->is_dirty = false;
    return node;
}

void lp_infra_touch(struct lp_state *s, uint32_t infra)
{
    struct lp_infra_inside *row = lp_infra_get(s, infra);
    s->dirty_infras += !row->is_dirty;
    row->is_dirty = true;
}

void lp_service_touch(struct lp_state *s, uint32_t service)
{
    struct lp_service_inside *row = lp_service_get(s, service);
    s->dirty_services += !row->is_dirty;
    row->is_dirty = true;
}

void lp_image_touch(struct lp_state *s, uint32_t image)
{
    struct lp_image_inside *row = lp_image_get(s, image);
    s->dirty_images += !row->is_dirty;
    row->is_dirty = true;
}

void lp_fault_touch(struct lp_state *s, uint32_t fault)
{
    struct lp_fault_inside *row = lp_fault_get(s, fault);
    s->dirty_faults += !row->is_dirty;
    row->is_dirty = true;
}

void lp_node_touch_faults(struct lp_state *s, uint32_t node)
{
    for (uint32_t i = 0; i < LP_FAULTS_MAX; i++)
        if (lp_fault_get(s, i)->row.is_used && lp_fault_get(s, i)->row.node == node)
            lp_fault_touch(s, i);
}

void lp_service_touch_nodes(struct lp_state *s, uint32_t service)
{
    for (uint32_t n = lp_service_get(s, service)->row.first_node; n != LP_NONE;
         n = lp_node_get(s, n)->next)
        lp_node_touch(s, n);
}

void lp_infra_touch_nodes(struct lp_state *s, uint32_t infra)
{
    for (uint32_t id = lp_infra_get(s, infra)->first_service; id != LP_NONE;
         id = lp_service_get(s, id)->next)
        lp_service_touch_nodes(s, id);
}

void lp_image_touch_nodes(struct lp_state *s, uint32_t image)
{
    for (uint32_t i = 0; i < s->limits.services; i++)
        if (lp_service_get(s, i)->row.is_used && lp_service_get(s, i)->row.want.image == image)
            lp_service_touch_nodes(s, i);
}
