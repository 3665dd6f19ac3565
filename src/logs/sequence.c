// The sequences of a log. Nothing is copied unless lines are empty or told apart by keys.
#include "logs/sequence.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "logs/logs.h"

enum { MARK_STEP = 4096 };

static size_t lines_kept(const uint16_t *states, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        kept += states[i] != LP_LOG_NOTHING;
    return kept;
}

static void without_empty(struct lp_log_sequences *sequences, const uint16_t *states, size_t count)
{
    sequences->owned = lp_heap_grow(NULL, sequences->count + 1, sizeof *sequences->owned);
    sequences->marks =
        lp_heap_grow(NULL, sequences->count / MARK_STEP + 1, sizeof *sequences->marks);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (states[i] == LP_LOG_NOTHING)
            continue;
        if (at % MARK_STEP == 0)
            sequences->marks[at / MARK_STEP] = i;
        sequences->owned[at++] = states[i];
    }
    sequences->states = sequences->owned;
}

// ---- with keys

struct key_slot {
    uint32_t key, id; // id + 1; 0: free
};
struct keys {
    struct key_slot *slots;
    size_t slot_count;
    size_t *counts; // lines of each id
    size_t count, capacity;
};

static struct key_slot *key_slot(const struct keys *keys, uint32_t key)
{
    size_t mask = keys->slot_count - 1;
    size_t at = (size_t)((key * 0x9e3779b97f4a7c15u) >> 32) & mask;
    while (keys->slots[at].id && keys->slots[at].key != key)
        at = (at + 1) & mask;
    return &keys->slots[at];
}

static void keys_grow(struct keys *keys)
{
    struct keys old = *keys;
    keys->slot_count = old.slot_count ? old.slot_count * 2 : 256;
    keys->slots = lp_heap_take(keys->slot_count * sizeof *keys->slots);
    for (size_t i = 0; i < old.slot_count; i++)
        if (old.slots[i].id)
            *key_slot(keys, old.slots[i].key) = old.slots[i];
    lp_heap_free(old.slots);
    keys->capacity = keys->slot_count / 2;
    keys->counts = lp_heap_grow(keys->counts, keys->capacity, sizeof *keys->counts);
}

static uint32_t key_id(struct keys *keys, uint32_t key)
{
    if (keys->count == keys->capacity)
        keys_grow(keys);
    struct key_slot *slot = key_slot(keys, key);
    if (!slot->id) {
        keys->counts[keys->count] = 0;
        *slot = (struct key_slot){.key = key, .id = (uint32_t)++keys->count};
    }
    return slot->id - 1;
}

static void by_key(struct lp_log_sequences *sequences, const struct lp_log_lines *lines,
                   size_t first, size_t count)
{
    struct keys keys = {0};
    for (size_t i = first; i < first + count; i++) {
        if (lines->states[i] == LP_LOG_NOTHING)
            continue;
        uint32_t id = key_id(&keys, lines->keys[i]); // may move the counts
        keys.counts[id]++;
    }
    size_t total = sequences->count;
    sequences->owned = lp_heap_grow(NULL, total + 1, sizeof *sequences->owned);
    sequences->places = lp_heap_grow(NULL, total + 1, sizeof *sequences->places);
    sequences->ends = lp_heap_grow(NULL, keys.count + 1, sizeof *sequences->ends);
    sequences->end_count = keys.count;
    size_t at = 0;
    for (size_t id = 0; id < keys.count; id++) {
        sequences->ends[id] = at; // for now: where the next line of this key goes
        at += keys.counts[id];
    }
    for (size_t i = first; i < first + count; i++) {
        if (lines->states[i] == LP_LOG_NOTHING)
            continue;
        size_t to = sequences->ends[key_id(&keys, lines->keys[i])]++;
        sequences->owned[to] = lines->states[i];
        sequences->places[to] = (uint32_t)(i - first);
    }
    sequences->states = sequences->owned;
    lp_heap_free(keys.slots);
    lp_heap_free(keys.counts);
}

void lp_log_sequences_init(struct lp_log_sequences *sequences, const struct lp_log_lines *lines,
                           size_t first, size_t count, bool with_keys)
{
    lp_assert(first <= lines->count && count <= lines->count - first);
    static const uint16_t none = LP_LOG_NOTHING; // of a log without lines
    const uint16_t *states = count ? lines->states + first : &none;
    *sequences = (struct lp_log_sequences){.states = states, .lines = lines, .first = first};
    sequences->count = lines_kept(states, count);
    if (with_keys && lines->keys && count < UINT32_MAX) {
        by_key(sequences, lines, first, count);
        return;
    }
    if (sequences->count < count)
        without_empty(sequences, states, count);
    sequences->ends = lp_heap_grow(NULL, 1, sizeof *sequences->ends);
    sequences->ends[0] = sequences->count;
    sequences->end_count = 1;
}

void lp_log_sequences_release(struct lp_log_sequences *sequences)
{
    lp_heap_free(sequences->owned);
    lp_heap_free(sequences->places);
    lp_heap_free(sequences->marks);
    lp_heap_free(sequences->ends);
    *sequences = (struct lp_log_sequences){0};
}

uint64_t lp_log_sequences_line(const struct lp_log_sequences *sequences, size_t position)
{
    if (sequences->places)
        return sequences->first + sequences->places[position] + 1;
    if (!sequences->marks)
        return sequences->first + position + 1;
    const uint16_t *states = sequences->lines->states + sequences->first;
    size_t line = sequences->marks[position / MARK_STEP];
    for (size_t left = position % MARK_STEP; left; left--)
        do
            line++;
        while (states[line] == LP_LOG_NOTHING);
    return sequences->first + line + 1;
}
