// Memory with one lifetime: many allocations, one release.
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 16 * 1024, ALIGN_BYTES = 16 };

struct lp_arena_block {
    struct lp_arena_block *next;
    size_t used, size;
    _Alignas(ALIGN_BYTES) unsigned char bytes[];
};

_Noreturn static void out_of_memory(size_t bytes)
{
    fprintf(stderr, "limpet: out of memory (%zu bytes wanted)\n", bytes);
    abort();
}

void lp_arena_release(struct lp_arena *arena)
{
    for (struct lp_arena_block *block = arena->head, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    *arena = (struct lp_arena){0};
}

static struct lp_arena_block *block_add(struct lp_arena *arena, size_t bytes)
{
    size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    struct lp_arena_block *block = calloc(1, sizeof(*block) + size);
    if (!block)
        out_of_memory(size);
    block->size = size;
    block->next = arena->head;
    arena->head = block;
    return block;
}

void *lp_arena_take(struct lp_arena *arena, size_t bytes)
{
    lp_assert(bytes < SIZE_MAX / 2);
    size_t rounded = (bytes + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
    struct lp_arena_block *block = arena->head;
    if (!block || block->size - block->used < rounded)
        block = block_add(arena, rounded);
    void *memory = block->bytes + block->used;
    block->used += rounded;
    arena->total_bytes += rounded;
    return memory;
}

void *lp_arena_take_array(struct lp_arena *arena, size_t count, size_t size)
{
    lp_assert(size == 0 || count < SIZE_MAX / 4 / size);
    return lp_arena_take(arena, count * size);
}

char *lp_arena_text_n(struct lp_arena *arena, const char *text, size_t bytes)
{
    char *copy = lp_arena_take(arena, bytes + 1);
    if (bytes)
        memcpy(copy, text, bytes);
    return copy;
}

char *lp_arena_text(struct lp_arena *arena, const char *text)
{
    return text ? lp_arena_text_n(arena, text, strlen(text)) : NULL;
}

char *lp_arena_printf(struct lp_arena *arena, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    lp_assert(bytes >= 0);
    char *text = lp_arena_take(arena, (size_t)bytes + 1);
    vsnprintf(text, (size_t)bytes + 1, fmt, again);
    va_end(again);
    return text;
}

void *lp_heap_take(size_t bytes)
{
    void *memory = calloc(1, bytes ? bytes : 1);
    if (!memory)
        out_of_memory(bytes);
    return memory;
}

void *lp_heap_grow(void *old, size_t count, size_t size)
{
    void *memory = reallocarray(old, count ? count : 1, size ? size : 1);
    if (!memory)
        out_of_memory(count);
    return memory;
}

void lp_heap_free(void *memory)
{
    free(memory);
}
