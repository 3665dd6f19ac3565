// The sequences of a log: its lines without the empty ones; with keys, one sequence a key.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lp_log_lines;

struct lp_log_sequences {
    const uint16_t *states; // one sequence behind the other; lent from the lines, or `owned`
    size_t count;
    size_t *ends; // [end_count] where each sequence ends
    size_t end_count;
    uint16_t *owned;
    uint32_t *places; // with keys: which line (from first) a position is
    size_t *marks;    // without keys but with empty lines: the line of each MARK_STEP-th position
    const struct lp_log_lines *lines;
    size_t first; // of the lines
};
// Of the lines [first, first + count); at most 2^32 - 1 lines with keys. lines: lent until release.
// with_keys is without effect when the lines have no keys. Sequences in order of their first lines.
void lp_log_sequences_init(struct lp_log_sequences *sequences, const struct lp_log_lines *lines,
                           size_t first, size_t count, bool with_keys);
void lp_log_sequences_release(struct lp_log_sequences *sequences);
// The 1-based number of the line at a position.
uint64_t lp_log_sequences_line(const struct lp_log_sequences *sequences, size_t position);
