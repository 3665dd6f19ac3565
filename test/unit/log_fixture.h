// Small logs for tests of models and scores: a letter is a line; '.' is an empty one.
#pragma once

#include <string.h>

#include "base/arena.h"
#include "base/rng.h"
#include "logs/logs.h"
#include "logs/model_parts.h"

static inline struct lp_log_model *model_open(void)
{
    const struct lp_log_states_config config = {.format = LP_LOG_FREE};
    return lp_log_model_open(&config);
}

// The line "text X" of the letter X; lower-case letters have the tag "low", others none.
static inline uint16_t state_of(struct lp_log_model *model, char letter)
{
    const char text[] = {'t', 'e', 'x', 't', ' ', letter, 0};
    bool is_low = letter >= 'a' && letter <= 'z';
    return letter == '.'
               ? LP_LOG_NOTHING
               : lp_log_states_take(lp_log_model_states(model), is_low ? "low" : "", text);
}

static inline void lines_add(struct lp_log_lines *lines, uint16_t state)
{
    if (lines->count == lines->capacity) {
        lines->capacity = lines->capacity ? lines->capacity * 2 : 64;
        lines->states = lp_heap_grow(lines->states, lines->capacity, sizeof *lines->states);
    }
    lines->states[lines->count++] = state;
}

static inline struct lp_log_lines lines_of(struct lp_log_model *model, const char *letters)
{
    struct lp_log_lines lines = {0};
    for (; *letters; letters++)
        lines_add(&lines, state_of(model, *letters));
    return lines;
}

static inline void train(struct lp_log_model *model, const char *letters)
{
    struct lp_log_lines lines = lines_of(model, letters);
    lp_log_model_train(model, &lines, 0, lines.count);
    lp_log_lines_release(&lines);
}

// A log of a few habits and much chance.
static inline struct lp_log_lines lines_random(struct lp_log_model *model, uint64_t seed,
                                               size_t count)
{
    struct lp_log_lines lines = {0};
    struct lp_rng rng;
    lp_rng_init(&rng, seed);
    while (lines.count < count) {
        const char *habits[] = {"ABC", "aabb", "XYZX", "Q", "AcBd", "mnop"};
        const char *habit = habits[lp_rng_below(&rng, 6)];
        for (; *habit; habit++)
            if (!lp_rng_chance(&rng, 30))
                lines_add(&lines, state_of(model, *habit));
        if (lp_rng_chance(&rng, 60))
            lines_add(&lines, state_of(model, (char)('A' + lp_rng_below(&rng, 26))));
    }
    return lines;
}
