// How often which state follows which: one bounded table of pairs, and one row a state.
// Source: docs/logs-arithmetic.md, "Sequences and counts".
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LP_LOG_PAIRS_MAX = 786432, // 3/4 of 2^20 slots: 8 MiB; later pairs are not kept
};

struct lp_log_pair {
    uint32_t key;    // first << 16 | second, or LP_LOG_PAIR_NONE
    uint32_t next;   // second right behind first
    uint32_t ahead;  // lines with state first that have second among the next W
    uint32_t behind; // lines with state second that have first among the last W
};
#define LP_LOG_PAIR_NONE UINT32_MAX

// Most pairs are rare: their three counts share 32 bits of the slot; those of the others, at most
// one for each 146 lines, are in a table of their own.
struct lp_log_pairs { // {0} is ready for use; counts stop at 2^32 - 1
    struct lp_log_pair_slot {
        uint32_t key, packed;
    } * slots;
    uint32_t slot_count, count; // slot_count: 0 or a power of two
    struct lp_log_pair_wide {
        uint32_t next, ahead, behind;
    } * wide;
    uint32_t wide_count, wide_capacity;
};
void lp_log_pairs_release(struct lp_log_pairs *pairs);
// A copy that shares nothing. ret_pairs: not yet in use.
void lp_log_pairs_copy(const struct lp_log_pairs *pairs, struct lp_log_pairs *ret_pairs);
// Zeroes and LP_LOG_PAIR_NONE: never seen.
struct lp_log_pair lp_log_pairs_find(const struct lp_log_pairs *pairs, uint32_t key);
// The pair in a slot (0 .. slot_count - 1); LP_LOG_PAIR_NONE: there is none.
struct lp_log_pair lp_log_pairs_at(const struct lp_log_pairs *pairs, uint32_t slot);
// Add the counts; the pair is made when absent. False: the table is full. ret_next: `next` as it
// was before.
bool lp_log_pairs_add(struct lp_log_pairs *pairs, const struct lp_log_pair *more,
                      uint32_t *ret_next);

static inline uint32_t lp_log_pair_key(uint16_t first, uint16_t second)
{
    return (uint32_t)first << 16 | second;
}

struct lp_log_row {    // of one state
    uint64_t count;    // lines
    uint64_t out;      // lines that had a next line: N(a)
    uint64_t ahead;    // lines whose W next lines were looked at: nA(a)
    uint64_t behind;   // lines whose W last lines were looked at: nB(a)
    uint64_t first;    // stretches that began with it
    uint32_t distinct; // states that came right behind it: T(a)
};

struct lp_log_counts { // {0} is ready for use
    struct lp_log_pairs pairs;
    struct lp_log_row *rows;
    size_t row_count;
    uint64_t total;   // lines
    uint64_t lost;    // pairs that found the table full
    uint64_t changes; // whatever was done but for lp_log_counts_step
};
void lp_log_counts_release(struct lp_log_counts *counts);
// A copy that shares nothing. ret_counts: {0}.
void lp_log_counts_copy(const struct lp_log_counts *counts, struct lp_log_counts *ret_counts);
// Zeroes for a state that was never counted.
struct lp_log_row lp_log_counts_row(const struct lp_log_counts *counts, uint16_t state);
uint32_t lp_log_counts_next(const struct lp_log_counts *counts, uint16_t a, uint16_t b);
// Nothing but time: what is known of a pair and of b is soon going to be asked for or changed, and
// may be fetched from memory until then.
void lp_log_counts_fetch(const struct lp_log_counts *counts, uint16_t a, uint16_t b);
// Count a whole stretch: states without LP_LOG_NOTHING. Linear; equal windows are counted at once.
void lp_log_counts_add(struct lp_log_counts *counts, const uint16_t *states, size_t count);

// Count one line more of a stretch. past: the states up to and with it, the oldest first, at most
// W + 1 of them; past_count 1: it begins the stretch. The sum over a stretch equals
// lp_log_counts_add.
void lp_log_counts_step(struct lp_log_counts *counts, const uint16_t *past, size_t past_count);
// Add all of `from`, whose state s is map[s] here (map NULL: the same).
void lp_log_counts_merge(struct lp_log_counts *counts, const struct lp_log_counts *from,
                         const uint16_t *map);
// Add the lines and neighbours of `from` (what stands ahead and behind is left out), its state s as
// map[s]: what classes of states need.
void lp_log_counts_fold(struct lp_log_counts *counts, const struct lp_log_counts *from,
                        const uint16_t *map);
void lp_log_counts_halve(struct lp_log_counts *counts); // pairs and rows that reach 0 are dropped
