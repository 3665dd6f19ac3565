// Memory with one lifetime: many allocations, one release. Out of memory aborts: the process is
// restarted and replays the journal, which is safer than a half-done step.
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "base/err.h"

struct lp_arena_block;
struct lp_arena { // {0} is ready for use
    struct lp_arena_block *head;
    size_t total_bytes; // handed out so far
};

void lp_arena_release(struct lp_arena *arena); // frees all; the arena may be used again
// Zeroed, aligned for any type. Lives until release. Never NULL.
void *lp_arena_take(struct lp_arena *arena, size_t bytes);
// count * size without overflow.
void *lp_arena_take_array(struct lp_arena *arena, size_t count, size_t size);
char *lp_arena_text(struct lp_arena *arena, const char *text); // a copy; NULL gives NULL
char *lp_arena_text_n(struct lp_arena *arena, const char *text, size_t bytes);
char *lp_arena_printf(struct lp_arena *arena, const char *fmt, ...) LP_PRINTF(2, 3);

#define lp_arena_new(arena, type) ((type *)lp_arena_take((arena), sizeof(type)))
#define lp_arena_new_array(arena, type, count) \
    ((type *)lp_arena_take_array((arena), (count), sizeof(type)))

// The heap, for what outlives every arena (growing tables). Abort when memory is out.
void *lp_heap_take(size_t bytes); // zeroed
void *lp_heap_grow(void *old, size_t count, size_t size);
void lp_heap_free(void *memory);
