// How often which state follows which: a flat open-addressing table of pairs and one row a state.
#include "logs/counts.h"

#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "logs/logs.h"

enum {
    SLOTS_FIRST = 1024,
    CACHE_BITS = 14,       // windows of four lines that are counted together
    CACHE_WORTH = 1 << 13, // shorter stretches are counted without a cache
    GRAM = LP_LOG_WINDOW + 1,
    WAITING = 16, // windows whose memory is on its way while others are counted
};

// ---- pairs

// A slot's counts, ten bits each; one that has grown wider is the index of its wide ones.
#define PACKED_WIDE (UINT32_C(1) << 31)
enum { PACKED_BITS = 10, PACKED_MAX = (1 << PACKED_BITS) - 1 };

static struct lp_log_pair slot_read(const struct lp_log_pairs *pairs,
                                    const struct lp_log_pair_slot *slot)
{
    uint32_t packed = slot->packed;
    if (packed & PACKED_WIDE) {
        const struct lp_log_pair_wide *wide = &pairs->wide[packed & ~PACKED_WIDE];
        return (struct lp_log_pair){slot->key, wide->next, wide->ahead, wide->behind};
    }
    return (struct lp_log_pair){slot->key, packed & PACKED_MAX, packed >> PACKED_BITS & PACKED_MAX,
                                packed >> 2 * PACKED_BITS & PACKED_MAX};
}

// Where a key is looked for first.
static uint32_t slot_of(const struct lp_log_pairs *pairs, uint32_t key)
{
    return (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 32) & (pairs->slot_count - 1);
}

static uint32_t slot_find(const struct lp_log_pairs *pairs, uint32_t key)
{
    uint32_t mask = pairs->slot_count - 1, at = slot_of(pairs, key);
    while (pairs->slots[at].key != key && pairs->slots[at].key != LP_LOG_PAIR_NONE)
        at = (at + 1) & mask;
    return at;
}

static void pairs_size(struct lp_log_pairs *pairs, uint32_t slot_count)
{
    struct lp_log_pair_slot *old = pairs->slots;
    uint32_t old_count = pairs->slot_count;
    pairs->slot_count = slot_count;
    pairs->slots = lp_heap_grow(NULL, slot_count, sizeof *pairs->slots);
    memset(pairs->slots, 0xff, slot_count * sizeof *pairs->slots); // no key
    for (uint32_t i = 0; i < old_count; i++)
        if (old[i].key != LP_LOG_PAIR_NONE)
            pairs->slots[slot_find(pairs, old[i].key)] = old[i];
    lp_heap_free(old);
}

void lp_log_pairs_release(struct lp_log_pairs *pairs)
{
    lp_heap_free(pairs->slots);
    lp_heap_free(pairs->wide);
    *pairs = (struct lp_log_pairs){0};
}

static void *copy_of(const void *rows, size_t count, size_t size)
{
    if (!count)
        return NULL;
    void *copy = lp_heap_grow(NULL, count, size);
    memcpy(copy, rows, count * size);
    return copy;
}

void lp_log_pairs_copy(const struct lp_log_pairs *pairs, struct lp_log_pairs *ret_pairs)
{
    *ret_pairs = *pairs;
    ret_pairs->slots = copy_of(pairs->slots, pairs->slot_count, sizeof *pairs->slots);
    ret_pairs->wide = copy_of(pairs->wide, pairs->wide_count, sizeof *pairs->wide);
    ret_pairs->wide_capacity = pairs->wide_count;
}

struct lp_log_pair lp_log_pairs_at(const struct lp_log_pairs *pairs, uint32_t slot)
{
    if (pairs->slots[slot].key == LP_LOG_PAIR_NONE)
        return (struct lp_log_pair){.key = LP_LOG_PAIR_NONE};
    return slot_read(pairs, &pairs->slots[slot]);
}

struct lp_log_pair lp_log_pairs_find(const struct lp_log_pairs *pairs, uint32_t key)
{
    if (!pairs->slot_count)
        return (struct lp_log_pair){.key = LP_LOG_PAIR_NONE};
    return lp_log_pairs_at(pairs, slot_find(pairs, key));
}

// Its slot, made when absent; NULL: the table is full.
static struct lp_log_pair_slot *slot_take(struct lp_log_pairs *pairs, uint32_t key)
{
    if (!pairs->slot_count)
        pairs_size(pairs, SLOTS_FIRST);
    struct lp_log_pair_slot *slot = &pairs->slots[slot_find(pairs, key)];
    if (slot->key == key)
        return slot;
    if (pairs->count == LP_LOG_PAIRS_MAX)
        return NULL;
    // Half full at most while it may grow; the last size is filled to 3/4.
    if (pairs->count >= pairs->slot_count / 2 && pairs->slot_count < LP_LOG_PAIRS_MAX) {
        pairs_size(pairs, pairs->slot_count * 2);
        slot = &pairs->slots[slot_find(pairs, key)];
    }
    pairs->count++;
    *slot = (struct lp_log_pair_slot){.key = key};
    return slot;
}

static void slot_widen(struct lp_log_pairs *pairs, struct lp_log_pair_slot *slot)
{
    if (pairs->wide_count == pairs->wide_capacity) {
        pairs->wide_capacity = pairs->wide_capacity ? pairs->wide_capacity * 2 : 64;
        pairs->wide = lp_heap_grow(pairs->wide, pairs->wide_capacity, sizeof *pairs->wide);
    }
    struct lp_log_pair pair = slot_read(pairs, slot);
    pairs->wide[pairs->wide_count] = (struct lp_log_pair_wide){pair.next, pair.ahead, pair.behind};
    slot->packed = PACKED_WIDE | pairs->wide_count++;
}

static void count_more(uint32_t *count, uint32_t times)
{
    if (__builtin_add_overflow(*count, times, count))
        *count = UINT32_MAX;
}

static bool is_narrow(uint32_t count, uint32_t more)
{
    return more <= PACKED_MAX && count + more <= PACKED_MAX;
}

bool lp_log_pairs_add(struct lp_log_pairs *pairs, const struct lp_log_pair *more,
                      uint32_t *ret_next)
{
    struct lp_log_pair_slot *slot = slot_take(pairs, more->key);
    if (!slot)
        return false;
    if (!(slot->packed & PACKED_WIDE)) {
        struct lp_log_pair pair = slot_read(pairs, slot);
        *ret_next = pair.next;
        if (is_narrow(pair.next, more->next) && is_narrow(pair.ahead, more->ahead) &&
            is_narrow(pair.behind, more->behind)) {
            slot->packed +=
                more->next | more->ahead << PACKED_BITS | more->behind << 2 * PACKED_BITS;
            return true;
        }
        slot_widen(pairs, slot);
    }
    struct lp_log_pair_wide *wide = &pairs->wide[slot->packed & ~PACKED_WIDE];
    *ret_next = wide->next;
    count_more(&wide->next, more->next);
    count_more(&wide->ahead, more->ahead);
    count_more(&wide->behind, more->behind);
    return true;
}

// ---- counts

void lp_log_counts_release(struct lp_log_counts *counts)
{
    lp_log_pairs_release(&counts->pairs);
    lp_heap_free(counts->rows);
    *counts = (struct lp_log_counts){0};
}

void lp_log_counts_copy(const struct lp_log_counts *counts, struct lp_log_counts *ret_counts)
{
    *ret_counts = *counts;
    lp_log_pairs_copy(&counts->pairs, &ret_counts->pairs);
    ret_counts->rows = copy_of(counts->rows, counts->row_count, sizeof *counts->rows);
}

struct lp_log_row lp_log_counts_row(const struct lp_log_counts *counts, uint16_t state)
{
    return state < counts->row_count ? counts->rows[state] : (struct lp_log_row){0};
}

uint32_t lp_log_counts_next(const struct lp_log_counts *counts, uint16_t a, uint16_t b)
{
    return lp_log_pairs_find(&counts->pairs, lp_log_pair_key(a, b)).next;
}

void lp_log_counts_fetch(const struct lp_log_counts *counts, uint16_t a, uint16_t b)
{
    if (!counts->pairs.slot_count || b >= counts->row_count)
        return;
    __builtin_prefetch(&counts->pairs.slots[slot_of(&counts->pairs, lp_log_pair_key(a, b))]);
    __builtin_prefetch(&counts->rows[b]);
}

static struct lp_log_row *row_take(struct lp_log_counts *counts, uint16_t state)
{
    if (state >= counts->row_count) {
        size_t more = counts->row_count < 64 ? 64 : counts->row_count * 2;
        more = more > state ? more : (size_t)state + 1;
        more = more <= LP_LOG_STATES_MAX ? more : LP_LOG_STATES_MAX + 1;
        counts->rows = lp_heap_grow(counts->rows, more, sizeof *counts->rows);
        memset(counts->rows + counts->row_count, 0,
               (more - counts->row_count) * sizeof *counts->rows);
        counts->row_count = more;
    }
    return &counts->rows[state];
}

static void pair_add(struct lp_log_counts *counts, const struct lp_log_pair *more)
{
    uint32_t next;
    if (!lp_log_pairs_add(&counts->pairs, more, &next))
        counts->lost++;
    else if (more->next && !next)
        row_take(counts, (uint16_t)(more->key >> 16))->distinct++;
}

static void line_add(struct lp_log_counts *counts, uint16_t state, uint32_t times)
{
    row_take(counts, state)->count += times;
    counts->total += times;
}

static void next_add(struct lp_log_counts *counts, uint16_t a, uint16_t b, uint32_t times)
{
    row_take(counts, a)->out += times;
    pair_add(counts, &(struct lp_log_pair){.key = lp_log_pair_key(a, b), .next = times});
}

// Of W + 1 lines: what the first has ahead, what the last has behind. A state that stands twice in
// a window counts once.
static void windows_add(struct lp_log_counts *counts, const uint16_t gram[GRAM], uint32_t times)
{
    row_take(counts, gram[0])->ahead += times;
    row_take(counts, gram[GRAM - 1])->behind += times;
    for (int i = 1; i < GRAM; i++) {
        bool is_again = false;
        for (int k = 1; k < i; k++)
            is_again |= gram[k] == gram[i];
        struct lp_log_pair more = {.key = lp_log_pair_key(gram[0], gram[i]), .ahead = times};
        if (!is_again)
            pair_add(counts, &more);
    }
    for (int i = 0; i < GRAM - 1; i++) {
        bool is_again = false;
        for (int k = 0; k < i; k++)
            is_again |= gram[k] == gram[i];
        struct lp_log_pair more = {.key = lp_log_pair_key(gram[i], gram[GRAM - 1]),
                                   .behind = times};
        if (!is_again)
            pair_add(counts, &more);
    }
}

// Equal windows come back soon: they are gathered in a small direct-mapped cache and counted when
// another one needs the place. Sums do not depend on the order, so the result is the same.
struct gram_slot {
    uint64_t key;
    uint64_t times;
};

static void gram_flush(struct lp_log_counts *counts, const struct gram_slot *slot)
{
    if (!slot->times)
        return;
    uint16_t gram[GRAM];
    for (int i = 0; i < GRAM; i++)
        gram[i] = (uint16_t)(slot->key >> (48 - 16 * i));
    uint32_t times = slot->times > UINT32_MAX ? UINT32_MAX : (uint32_t)slot->times;
    line_add(counts, gram[0], times);
    next_add(counts, gram[0], gram[1], times);
    windows_add(counts, gram, times);
}

// What gram_flush is going to touch.
static void gram_fetch(const struct lp_log_counts *counts, uint64_t key)
{
    const uint16_t gram[GRAM] = {(uint16_t)(key >> 48), (uint16_t)(key >> 32),
                                 (uint16_t)(key >> 16), (uint16_t)key};
    lp_log_counts_fetch(counts, gram[0], gram[1]);
    lp_log_counts_fetch(counts, gram[0], gram[2]);
    lp_log_counts_fetch(counts, gram[0], gram[3]);
    lp_log_counts_fetch(counts, gram[1], gram[3]);
    lp_log_counts_fetch(counts, gram[2], gram[3]);
}

// Windows that left the cache. They are counted in the order in which they came, so that a table
// that becomes full keeps the same pairs.
struct gram_queue {
    struct gram_slot slots[WAITING];
    size_t at; // the oldest
};

static void gram_push(struct lp_log_counts *counts, struct gram_queue *queue,
                      const struct gram_slot *slot)
{
    gram_fetch(counts, slot->key);
    struct gram_slot *oldest = &queue->slots[queue->at++ % WAITING];
    gram_flush(counts, oldest);
    *oldest = *slot;
}

// Count what begins at each line that has W lines behind it.
static void grams_add(struct lp_log_counts *counts, const uint16_t *states, size_t count)
{
    struct gram_slot *cache = lp_heap_take(sizeof *cache << CACHE_BITS);
    struct gram_queue queue = {0};
    uint64_t key = (uint64_t)states[0] << 32 | (uint64_t)states[1] << 16 | states[2];
    for (size_t end = GRAM - 1; end < count; end++) {
        key = key << 16 | states[end];
        struct gram_slot *slot = &cache[(key * 0x9e3779b97f4a7c15u) >> (64 - CACHE_BITS)];
        if (slot->key != key) {
            if (slot->times)
                gram_push(counts, &queue, slot);
            *slot = (struct gram_slot){.key = key};
        }
        slot->times++;
    }
    for (size_t i = 0; i < WAITING; i++)
        gram_flush(counts, &queue.slots[queue.at++ % WAITING]);
    for (size_t i = 0; i < (size_t)1 << CACHE_BITS; i++)
        gram_flush(counts, &cache[i]);
    lp_heap_free(cache);
}

void lp_log_counts_add(struct lp_log_counts *counts, const uint16_t *states, size_t count)
{
    if (!count)
        return;
    counts->changes++;
    row_take(counts, states[0])->first++;
    size_t at = 0;
    if (count >= CACHE_WORTH) {
        grams_add(counts, states, count);
        at = count - GRAM + 1;
    }
    for (; at < count; at++) {
        line_add(counts, states[at], 1);
        if (at + 1 < count)
            next_add(counts, states[at], states[at + 1], 1);
        if (at + GRAM <= count)
            windows_add(counts, states + at, 1);
    }
}

void lp_log_counts_step(struct lp_log_counts *counts, const uint16_t *past, size_t past_count)
{
    uint16_t state = past[past_count - 1];
    line_add(counts, state, 1);
    row_take(counts, state)->first += past_count == 1;
    if (past_count > 1)
        next_add(counts, past[past_count - 2], state, 1);
    if (past_count >= GRAM)
        windows_add(counts, past + past_count - GRAM, 1);
}

void lp_log_counts_merge(struct lp_log_counts *counts, const struct lp_log_counts *from,
                         const uint16_t *map)
{
    for (size_t i = 0; i < from->row_count; i++) {
        const struct lp_log_row *more = &from->rows[i];
        if (!more->count)
            continue;
        struct lp_log_row *row = row_take(counts, map ? map[i] : (uint16_t)i);
        row->count += more->count;
        row->out += more->out;
        row->ahead += more->ahead;
        row->behind += more->behind;
        row->first += more->first;
    }
    for (uint32_t i = 0; i < from->pairs.slot_count; i++) {
        struct lp_log_pair more = lp_log_pairs_at(&from->pairs, i);
        if (more.key == LP_LOG_PAIR_NONE)
            continue;
        if (map)
            more.key = lp_log_pair_key(map[more.key >> 16], map[more.key & 0xffff]);
        pair_add(counts, &more);
    }
    counts->total += from->total;
    counts->lost += from->lost;
    counts->changes++;
}

void lp_log_counts_fold(struct lp_log_counts *counts, const struct lp_log_counts *from,
                        const uint16_t *map)
{
    for (size_t i = 0; i < from->row_count; i++) {
        if (!from->rows[i].count)
            continue;
        struct lp_log_row *row = row_take(counts, map[i]);
        row->count += from->rows[i].count;
        row->out += from->rows[i].out;
    }
    for (uint32_t i = 0; i < from->pairs.slot_count; i++) {
        struct lp_log_pair more = lp_log_pairs_at(&from->pairs, i);
        if (!more.next)
            continue;
        more.key = lp_log_pair_key(map[more.key >> 16], map[more.key & 0xffff]);
        more.ahead = more.behind = 0;
        pair_add(counts, &more);
    }
    counts->total += from->total;
    counts->changes++;
}

void lp_log_counts_halve(struct lp_log_counts *counts)
{
    struct lp_log_counts old = *counts;
    *counts = (struct lp_log_counts){.changes = old.changes + 1};
    for (size_t i = 0; i < old.row_count; i++) {
        if (old.rows[i].count < 2)
            continue;
        struct lp_log_row *row = row_take(counts, (uint16_t)i);
        const struct lp_log_row *was = &old.rows[i];
        *row = (struct lp_log_row){.count = was->count / 2,
                                   .ahead = was->ahead / 2,
                                   .behind = was->behind / 2,
                                   .first = was->first / 2};
        counts->total += row->count;
    }
    for (uint32_t i = 0; i < old.pairs.slot_count; i++) {
        struct lp_log_pair pair = lp_log_pairs_at(&old.pairs, i);
        pair.next /= 2;
        pair.ahead /= 2;
        pair.behind /= 2;
        if (pair.key == LP_LOG_PAIR_NONE || !(pair.next | pair.ahead | pair.behind))
            continue;
        row_take(counts, (uint16_t)(pair.key >> 16))->out += pair.next;
        pair_add(counts, &pair);
    }
    lp_log_counts_release(&old);
}
