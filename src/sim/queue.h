// What is going to happen in the simulated world, by time; ties in the order of entry.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "model/event.h"

struct lp_world;

struct lp_happening {
    int64_t at_ms;
    void (*happen)(struct lp_world *world, const struct lp_happening *this);
    uint64_t order;  // by entry; written by lp_queue_add
    uint64_t serial; // of the life (or the daemon) that is meant: what is over does not happen
    uint32_t node, app, infra, image, incarnation, run;
    int32_t status;
    uint64_t revision;
    struct lp_event *mail; // on the heap; freed by whoever takes it out
};

struct lp_queue { // {0} is empty
    struct lp_happening *items;
    size_t count, capacity;
    uint64_t orders;
};

void lp_queue_release(struct lp_queue *queue);
void lp_queue_add(struct lp_queue *queue, const struct lp_happening *happening);
int64_t lp_queue_next_ms(const struct lp_queue *queue);    // INT64_MAX when empty
struct lp_happening lp_queue_take(struct lp_queue *queue); // the first; must not be empty
