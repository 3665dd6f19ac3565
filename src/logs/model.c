// The model: the table of templates, and how often which follows which.
#include "logs/model_parts.h"

#include "base/arena.h"
#include "logs/sequence.h"

struct lp_log_model *lp_log_model_open(const struct lp_log_states_config *config)
{
    struct lp_log_model *model = lp_heap_take(sizeof *model);
    model->config = *config;
    model->states = lp_log_states_open(config);
    return model;
}

void lp_log_model_close(struct lp_log_model *model)
{
    if (!model)
        return;
    lp_log_states_close(model->states);
    lp_log_counts_release(&model->counts);
    lp_heap_free(model);
}

struct lp_log_states *lp_log_model_states(struct lp_log_model *model)
{
    return model->states;
}

bool lp_log_model_has_keys(const struct lp_log_model *model)
{
    return model->config.with_keys;
}

void lp_log_model_train(struct lp_log_model *model, const struct lp_log_lines *lines, size_t first,
                        size_t count)
{
    struct lp_log_sequences sequences;
    lp_log_sequences_init(&sequences, lines, first, count, model->config.with_keys);
    size_t start = 0;
    for (size_t i = 0; i < sequences.end_count; i++) {
        lp_log_counts_add(&model->counts, sequences.states + start, sequences.ends[i] - start);
        start = sequences.ends[i];
    }
    lp_log_sequences_release(&sequences);
}

void lp_log_model_decay(struct lp_log_model *model)
{
    lp_log_counts_halve(&model->counts);
}

// Where the states of `from` are in `states`. make: add those that are absent; else NOTHING.
static uint16_t *states_map(struct lp_log_states *states, const struct lp_log_states *from)
{
    size_t count = lp_log_states_count(from);
    uint16_t *map = lp_heap_grow(NULL, count + 1, sizeof *map);
    for (size_t i = 0; i < count; i++) {
        struct lp_log_template template = lp_log_states_get(from, (uint16_t)i);
        map[i] = lp_log_states_take(states, template.tag, template.text);
    }
    return map;
}

int lp_log_model_merge(struct lp_log_model *model, const struct lp_log_model *from,
                       struct lp_err *err)
{
    if (model->config.cleaning != from->config.cleaning)
        return lp_err_set(err, LP_EINPUT,
                          "one model cleans lines by tokens, the other by numerals: their "
                          "templates cannot be added up");
    if (model->config.with_keys != from->config.with_keys)
        return lp_err_set(err, LP_EINPUT,
                          "one model has a chain for each process or request, the other one for "
                          "the whole log: they cannot be added up");
    uint16_t *map = states_map(model->states, from->states);
    lp_log_counts_merge(&model->counts, &from->counts, map);
    lp_heap_free(map);
    return LP_OK;
}

uint64_t lp_log_model_lines(const struct lp_log_model *model)
{
    return model->counts.total;
}

uint64_t lp_log_model_count(const struct lp_log_model *model, uint16_t a)
{
    return lp_log_counts_row(&model->counts, a).out;
}

uint64_t lp_log_model_pairs(const struct lp_log_model *model, uint16_t a, uint16_t b)
{
    return lp_log_counts_next(&model->counts, a, b);
}
