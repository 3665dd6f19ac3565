// Anomalies put into a log on purpose: S3's insertions and deletions, with the truth beside them.
#include "logs/logs.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/rng.h"

enum {
    APART = 4,           // lines between two anomalies, at least
    EXPECTED_LEAST = 30, // fewer lines that are worth deleting: any line is taken
    TRIES = 1000,        // for one anomaly, before the log is called too short
};

struct injector {
    struct lp_rng rng;
    const struct lp_log_lines *lines;
    size_t *places; // of the lines that have a state
    size_t place_count;
    size_t *expected; // indices into places
    size_t expected_count;
    uint16_t *types;
    size_t type_count;
    struct lp_log_edit *edits;
    size_t edit_count;
    size_t *taken; // indices into places of the edits
};

static uint16_t state_at(const struct injector *injector, size_t index)
{
    return injector->lines->states[injector->places[index]];
}

static void places_find(struct injector *injector)
{
    const struct lp_log_lines *lines = injector->lines;
    injector->places = lp_heap_grow(NULL, lines->count + 1, sizeof *injector->places);
    for (size_t i = 0; i < lines->count; i++)
        if (lines->states[i] != LP_LOG_NOTHING)
            injector->places[injector->place_count++] = i;
}

static void types_find(struct injector *injector, const struct lp_log_inject_config *config)
{
    bool *is_known = lp_heap_take((size_t)LP_LOG_NOTHING + 1);
    injector->types = lp_heap_grow(NULL, (size_t)LP_LOG_NOTHING + 1, sizeof *injector->types);
    for (size_t i = 0; i < injector->place_count + config->more_count; i++) {
        uint16_t state = i < injector->place_count ? state_at(injector, i)
                                                   : config->more[i - injector->place_count];
        if (state == LP_LOG_NOTHING || is_known[state])
            continue;
        is_known[state] = true;
        injector->types[injector->type_count++] = state;
    }
    lp_heap_free(is_known);
}

static int pair_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

// Which neighbours a,b have P(b|a) >= 1/2? At most two of each a; sorted pairs tell.
static size_t likely_pairs(const struct injector *injector, uint32_t *ret_pairs)
{
    size_t count = injector->place_count - 1, kept = 0;
    for (size_t i = 0; i < count; i++)
        ret_pairs[i] = (uint32_t)state_at(injector, i) << 16 | state_at(injector, i + 1);
    qsort(ret_pairs, count, sizeof *ret_pairs, pair_order);
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first; end < count && ret_pairs[end] >> 16 == ret_pairs[first] >> 16; end++)
            ;
        size_t total = end - first;
        for (size_t i = first, next; i < end; i = next) {
            for (next = i; next < end && ret_pairs[next] == ret_pairs[i]; next++)
                ;
            uint32_t pair = ret_pairs[i];
            if (2 * (next - i) >= total)
                ret_pairs[kept++] = pair; // never overtakes i
        }
    }
    return kept;
}

static void expected_find(struct injector *injector)
{
    size_t count = injector->place_count;
    uint32_t *pairs = lp_heap_grow(NULL, count + 1, sizeof *pairs);
    size_t pair_count = likely_pairs(injector, pairs);
    injector->expected = lp_heap_grow(NULL, count + 1, sizeof *injector->expected);
    for (size_t i = 1; i + 1 < count; i++) {
        uint16_t a = state_at(injector, i - 1), b = state_at(injector, i);
        uint16_t c = state_at(injector, i + 1);
        uint32_t pair = (uint32_t)a << 16 | b;
        if (a == b || b == c || a == c)
            continue;
        if (bsearch(&pair, pairs, pair_count, sizeof pair, pair_order))
            injector->expected[injector->expected_count++] = i;
    }
    lp_heap_free(pairs);
}

static bool is_apart(const struct injector *injector, size_t index)
{
    for (size_t i = 0; i < injector->edit_count; i++) {
        size_t other = injector->taken[i];
        if ((index > other ? index - other : other - index) < APART)
            return false;
    }
    return true;
}

// Draws a place that is far from the others. among: indices into places; NULL: any.
static bool place_draw(struct injector *injector, const size_t *among, size_t among_count,
                       size_t *ret_index)
{
    for (int i = 0; i < TRIES; i++) {
        size_t drawn = (size_t)lp_rng_below(&injector->rng, among_count);
        size_t index = among ? among[drawn] : drawn + 1;
        if (!is_apart(injector, index))
            continue;
        *ret_index = index;
        return true;
    }
    return false;
}

static void edit_add(struct injector *injector, size_t index, bool is_insertion, uint16_t state)
{
    injector->taken[injector->edit_count] = index;
    injector->edits[injector->edit_count++] = (struct lp_log_edit){
        .at = injector->places[index], .is_insertion = is_insertion, .state = state};
}

// A line of its own between two others; never the first or the last.
static bool deletion_add(struct injector *injector, bool is_hard)
{
    bool is_any = is_hard || injector->expected_count < EXPECTED_LEAST;
    size_t index;
    if (!(!is_any && place_draw(injector, injector->expected, injector->expected_count, &index)) &&
        !place_draw(injector, NULL, injector->place_count - 2, &index))
        return false;
    edit_add(injector, index, false, state_at(injector, index));
    return true;
}

static bool insertion_add(struct injector *injector, bool is_hard)
{
    size_t index;
    if (!place_draw(injector, NULL, injector->place_count - 1, &index))
        return false;
    uint16_t state =
        is_hard ? state_at(injector, (size_t)lp_rng_below(&injector->rng, injector->place_count))
                : injector->types[lp_rng_below(&injector->rng, injector->type_count)];
    edit_add(injector, index, true, state);
    return true;
}

static bool edits_draw(struct injector *injector, const struct lp_log_inject_config *config)
{
    size_t wanted = config->insert + config->delete;
    if (wanted == 0)
        return true;
    if (injector->place_count < APART || injector->place_count / APART < wanted)
        return false;
    for (size_t i = 0; i < config->delete; i++)
        if (!deletion_add(injector, config->is_hard))
            return false;
    for (size_t i = 0; i < config->insert; i++)
        if (!insertion_add(injector, config->is_hard))
            return false;
    return true;
}

static int edit_order(const void *a, const void *b)
{
    size_t x = ((const struct lp_log_edit *)a)->at, y = ((const struct lp_log_edit *)b)->at;
    return x < y ? -1 : x > y;
}

int lp_log_inject(const struct lp_log_lines *lines, const struct lp_log_inject_config *config,
                  struct lp_log_edit *ret_edits, struct lp_err *err)
{
    size_t wanted = config->insert + config->delete;
    struct injector injector = {.lines = lines, .edits = ret_edits};
    injector.taken = lp_heap_grow(NULL, wanted + 1, sizeof *injector.taken);
    lp_rng_init(&injector.rng, config->seed);
    places_find(&injector);
    types_find(&injector, config);
    if (config->delete > 0 && injector.place_count > 1)
        expected_find(&injector);
    bool is_done = edits_draw(&injector, config);
    qsort(ret_edits, injector.edit_count, sizeof *ret_edits, edit_order);
    size_t place_count = injector.place_count;
    lp_heap_free(injector.taken);
    lp_heap_free(injector.places);
    lp_heap_free(injector.types);
    lp_heap_free(injector.expected);
    if (!is_done)
        return lp_err_set(
            err, LP_EINPUT,
            "a log of %zu lines is too short for %zu anomalies that are %d lines apart",
            place_count, wanted, APART);
    return LP_OK;
}

// ---- carrying them out

static void line_add(struct lp_log_lines *to, const struct lp_log_lines *from, size_t at)
{
    to->states[to->count] = from->states[at];
    if (to->keys && from->keys)
        to->keys[to->count] = from->keys[at];
    if (to->at_ms && from->at_ms)
        to->at_ms[to->count] = from->at_ms[at];
    to->count++;
}

static void line_insert(struct lp_log_lines *to, uint16_t state)
{
    to->states[to->count] = state;
    if (to->keys)
        to->keys[to->count] = 0;
    if (to->at_ms)
        to->at_ms[to->count] = INT64_MIN;
    to->count++;
}

// 1-based number of the last line that has a state; 0: none.
static uint64_t last_line(const struct lp_log_lines *lines)
{
    size_t at = lines->count;
    while (at > 0 && lines->states[at - 1] == LP_LOG_NOTHING)
        at--;
    return at;
}

size_t lp_log_inject_apply(const struct lp_log_lines *lines, const struct lp_log_edit *edits,
                           size_t edit_count, struct lp_log_lines *ret_lines, uint64_t *ret_truth)
{
    size_t room = lines->count + edit_count + 1, truths = 0;
    *ret_lines = (struct lp_log_lines){.capacity = room};
    ret_lines->states = lp_heap_grow(NULL, room, sizeof *ret_lines->states);
    if (lines->keys)
        ret_lines->keys = lp_heap_grow(NULL, room, sizeof *ret_lines->keys);
    if (lines->at_ms)
        ret_lines->at_ms = lp_heap_grow(NULL, room, sizeof *ret_lines->at_ms);
    for (size_t i = 0, next = 0; i < lines->count; i++) {
        if (next == edit_count || edits[next].at != i) {
            line_add(ret_lines, lines, i);
            continue;
        }
        ret_truth[truths++] = last_line(ret_lines);
        if (edits[next].is_insertion) {
            line_insert(ret_lines, edits[next].state);
            ret_truth[truths++] = ret_lines->count;
            line_add(ret_lines, lines, i);
        }
        next++;
    }
    return truths;
}
