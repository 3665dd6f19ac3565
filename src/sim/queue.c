// The future of the simulated world: a binary heap.
#include "sim/queue.h"

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

void lp_queue_release(struct lp_queue *queue)
{
    for (size_t i = 0; i < queue->count; i++)
        lp_heap_free(queue->items[i].mail);
    lp_heap_free(queue->items);
    *queue = (struct lp_queue){0};
}

static bool is_before(const struct lp_happening *a, const struct lp_happening *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

void lp_queue_add(struct lp_queue *queue, const struct lp_happening *happening)
{
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity ? queue->capacity * 2 : 256;
        queue->items = lp_heap_grow(queue->items, queue->capacity, sizeof(*queue->items));
    }
    struct lp_happening new = *happening;
    new.order = ++queue->orders;
    size_t at = queue->count++;
    while (at > 0 && is_before(&new, &queue->items[(at - 1) / 2])) {
        queue->items[at] = queue->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    queue->items[at] = new;
}

int64_t lp_queue_next_ms(const struct lp_queue *queue)
{
    return queue->count ? queue->items[0].at_ms : INT64_MAX;
}

struct lp_happening lp_queue_take(struct lp_queue *queue)
{
    lp_assert(queue->count > 0);
    struct lp_happening first = queue->items[0];
    const struct lp_happening *last = &queue->items[--queue->count];
    size_t at = 0;
    for (size_t child = 1; child < queue->count; child = 2 * at + 1) {
        if (child + 1 < queue->count && is_before(&queue->items[child + 1], &queue->items[child]))
            child++;
        if (is_before(last, &queue->items[child]))
            break;
        queue->items[at] = queue->items[child];
        at = child;
    }
    queue->items[at] = *last;
    return first;
}
