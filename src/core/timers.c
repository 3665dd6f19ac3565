// Timers and dirty rows: who is to be looked at now, and who later.
// A binary heap over (due time, timer id): equal times are served in a fixed order, so that the
// same journal gives the same plans.
#include <string.h>

#include "base/err.h"
#include "core/tables.h"

static struct lp_heap_entry *heap_of(const struct lp_state *s)
{
    return (struct lp_heap_entry *)(void *)((char *)(uintptr_t)s + s->heap_at);
}

static struct lp_timer *timers_of(const struct lp_state *s)
{
    return (struct lp_timer *)(void *)((char *)(uintptr_t)s + s->timers_at);
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

static bool is_before(const struct lp_heap_entry *a, const struct lp_heap_entry *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->timer < b->timer;
}

static void put(struct lp_state *s, uint32_t place, struct lp_heap_entry entry)
{
    heap_of(s)[place] = entry;
    timers_of(s)[entry.timer].place = place + 1;
}

static void sift_up(struct lp_state *s, uint32_t place)
{
    struct lp_heap_entry entry = heap_of(s)[place];
    while (place > 0 && is_before(&entry, &heap_of(s)[(place - 1) / 2])) {
        put(s, place, heap_of(s)[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(s, place, entry);
}

static void sift_down(struct lp_state *s, uint32_t place)
{
    const struct lp_heap_entry *heap = heap_of(s);
    struct lp_heap_entry entry = heap[place];
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= s->timer_count)
            break;
        if (child + 1 < s->timer_count && is_before(&heap[child + 1], &heap[child]))
            child++;
        if (!is_before(&heap[child], &entry))
            break;
        put(s, place, heap[child]);
        place = child;
    }
    put(s, place, entry);
}

static void heap_remove(struct lp_state *s, uint32_t timer)
{
    uint32_t place = timers_of(s)[timer].place - 1;
    struct lp_heap_entry last = heap_of(s)[--s->timer_count];
    timers_of(s)[timer].place = 0;
    heap_of(s)[s->timer_count] = (struct lp_heap_entry){0};
    if (last.timer == timer)
        return;
    put(s, place, last);
    sift_up(s, place);
    sift_down(s, timers_of(s)[last.timer].place - 1);
}

void lp_timer_set(struct lp_state *s, uint32_t timer, int64_t due_ms)
{
    struct lp_timer *row = &timers_of(s)[timer];
    if (row->place == 0 && due_ms == INT64_MAX)
        return;
    if (row->place != 0 && row->due_ms == due_ms)
        return;
    if (row->place != 0)
        heap_remove(s, timer);
    row->due_ms = due_ms;
    if (due_ms == INT64_MAX)
        return;
    put(s, s->timer_count, (struct lp_heap_entry){.due_ms = due_ms, .timer = timer});
    sift_up(s, s->timer_count++);
}

int64_t lp_timer_next(const struct lp_state *s)
{
    return s->timer_count ? heap_of(s)[0].due_ms : INT64_MAX;
}

void lp_timers_expire(struct lp_state *s)
{
    while (s->timer_count && heap_of(s)[0].due_ms <= s->now_ms) {
        uint32_t timer = heap_of(s)[0].timer;
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
