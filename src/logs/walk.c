// A synthetic log: a random walk over the chain, and how alike two logs are.
// Source: S3 (Haque, DeLucia, Baseman 2017) 4; the measure is ours, S3 compares by eye.
#include "logs/model_parts.h"
#include "logs/sequence.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/rng.h"

struct step { // what may come after a state, and how often it or one before it came
    uint64_t until;
    uint16_t from, to;
};

struct steps {
    struct step *rows; // by `from`, then by `to`
    size_t count;
    size_t *starts;     // [row_count + 1]
    struct step *first; // the states that begin a stretch
    size_t first_count;
};

static int order(const void *a, const void *b)
{
    const struct step *x = a, *y = b;
    uint32_t k = lp_log_pair_key(x->from, x->to), l = lp_log_pair_key(y->from, y->to);
    return k < l ? -1 : k > l;
}

static void steps_make(const struct lp_log_counts *counts, struct steps *steps)
{
    *steps = (struct steps){0};
    steps->rows = lp_heap_grow(NULL, counts->pairs.count + 1, sizeof *steps->rows);
    for (uint32_t i = 0; i < counts->pairs.slot_count; i++) {
        struct lp_log_pair pair = lp_log_pairs_at(&counts->pairs, i);
        if (pair.next)
            steps->rows[steps->count++] = (struct step){
                .until = pair.next, .from = (uint16_t)(pair.key >> 16), .to = (uint16_t)pair.key};
    }
    qsort(steps->rows, steps->count, sizeof *steps->rows, order);
    for (size_t i = 1; i < steps->count; i++)
        if (steps->rows[i].from == steps->rows[i - 1].from)
            steps->rows[i].until += steps->rows[i - 1].until;
    steps->starts = lp_heap_grow(NULL, counts->row_count + 1, sizeof *steps->starts);
    steps->first = lp_heap_grow(NULL, counts->row_count + 1, sizeof *steps->first);
    size_t at = 0;
    uint64_t until = 0;
    for (size_t i = 0; i < counts->row_count; i++) {
        for (; at < steps->count && steps->rows[at].from < i; at++)
            ;
        steps->starts[i] = at;
        until += counts->rows[i].first;
        if (counts->rows[i].first)
            steps->first[steps->first_count++] = (struct step){.until = until, .to = (uint16_t)i};
    }
    steps->starts[counts->row_count] = steps->count;
}

// One of the rows, as often as it came. count > 0.
static uint16_t draw(const struct step *rows, size_t count, struct lp_rng *rng)
{
    uint64_t drawn = lp_rng_below(rng, rows[count - 1].until);
    size_t low = 0, high = count - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (rows[middle].until > drawn)
            high = middle;
        else
            low = middle + 1;
    }
    return rows[low].to;
}

void lp_log_model_walk(const struct lp_log_model *model, uint64_t seed, uint16_t *ret_states,
                       size_t count)
{
    struct steps steps;
    struct lp_rng rng;
    lp_rng_init(&rng, seed);
    steps_make(&model->counts, &steps);
    bool is_start = true;
    uint16_t state = 0;
    for (size_t i = 0; i < count; i++) {
        size_t start = is_start ? 0 : steps.starts[state];
        size_t left = is_start ? 0 : steps.starts[state + 1] - start;
        if (left)
            state = draw(steps.rows + start, left, &rng);
        else if (steps.first_count) // a dead end, or the beginning
            state = draw(steps.first, steps.first_count, &rng);
        else if (steps.count) // no beginning was kept: anywhere
            state = steps.rows[lp_rng_below(&rng, steps.count)].from;
        else
            state = LP_LOG_NOTHING;
        is_start = state == LP_LOG_NOTHING;
        ret_states[i] = state;
    }
    lp_heap_free(steps.rows);
    lp_heap_free(steps.starts);
    lp_heap_free(steps.first);
}

static uint64_t neighbours(const struct lp_log_counts *counts)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < counts->pairs.slot_count; i++)
        sum += lp_log_pairs_at(&counts->pairs, i).next;
    return sum;
}

// |x / whole_x - y / whole_y|, in units of 2^-60.
static uint64_t difference(uint64_t x, uint64_t whole_x, uint64_t y, uint64_t whole_y)
{
    uint64_t a = whole_x ? (uint64_t)(((unsigned __int128)x << 60) / whole_x) : 0;
    uint64_t b = whole_y ? (uint64_t)(((unsigned __int128)y << 60) / whole_y) : 0;
    return a > b ? a - b : b - a;
}

uint32_t lp_log_model_distance_ppm(const struct lp_log_model *model,
                                   const struct lp_log_lines *lines)
{
    struct lp_log_counts other = {0};
    struct lp_log_sequences sequences;
    lp_log_sequences_init(&sequences, lines, 0, lines->count, model->config.with_keys);
    size_t start = 0;
    for (size_t i = 0; i < sequences.end_count; start = sequences.ends[i++])
        lp_log_counts_add(&other, sequences.states + start, sequences.ends[i] - start);
    lp_log_sequences_release(&sequences);
    const struct lp_log_counts *own = &model->counts;
    uint64_t own_all = neighbours(own), other_all = neighbours(&other);
    unsigned __int128 sum = 0;
    for (uint32_t i = 0; i < own->pairs.slot_count; i++) {
        struct lp_log_pair pair = lp_log_pairs_at(&own->pairs, i);
        if (pair.next)
            sum += difference(pair.next, own_all, lp_log_pairs_find(&other.pairs, pair.key).next,
                              other_all);
    }
    for (uint32_t i = 0; i < other.pairs.slot_count; i++) {
        struct lp_log_pair pair = lp_log_pairs_at(&other.pairs, i);
        if (pair.next && !lp_log_pairs_find(&own->pairs, pair.key).next)
            sum += difference(0, own_all, pair.next, other_all);
    }
    lp_log_counts_release(&other);
    return (uint32_t)((sum * 500000 + ((uint64_t)1 << 59)) >> 60);
}
