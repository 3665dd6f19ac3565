// S3's experiment: train on one window, damage another, count what the lists find of it.
#include "logs/logs.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { SHOWN = 10, MILLION = 1000000 };

const char *lp_log_damage_word(enum lp_log_damage damage)
{
    static const char *const words[LP_LOG_DAMAGES] = {"insertions", "deletions", "both"};
    return words[damage];
}

const char *lp_log_pairing_word(enum lp_log_pairing pairing)
{
    static const char *const words[LP_LOG_PAIRINGS] = {"same window", "other period", "other log"};
    return words[pairing];
}

// ---- figures

static void figure_add(struct lp_log_figure *figure, uint64_t share)
{
    figure->trials++;
    figure->sum += share;
    figure->squares += share * share;
}

uint32_t lp_log_figure_mean(const struct lp_log_figure *figure)
{
    if (!figure->trials)
        return 0;
    return (uint32_t)((figure->sum + figure->trials / 2) / figure->trials);
}

// The largest number whose square is not above x.
static uint64_t root(unsigned __int128 x)
{
    uint64_t found = 0;
    for (uint64_t bit = (uint64_t)1 << 62; bit; bit >>= 1)
        if ((unsigned __int128)(found | bit) * (found | bit) <= x)
            found |= bit;
    return found;
}

uint32_t lp_log_figure_deviation(const struct lp_log_figure *figure)
{
    if (figure->trials < 2)
        return 0;
    unsigned __int128 n = figure->trials;
    unsigned __int128 spread = n * figure->squares - (unsigned __int128)figure->sum * figure->sum;
    return (uint32_t)root(spread / (n * (n - 1)));
}

// ---- one trial

struct evaluator {
    const struct lp_log_states *states;
    const struct lp_log_evaluate_config *config;
    struct lp_log_model *model; // of the training window
    uint16_t *types;            // of the training window
    size_t type_count;
    uint16_t *map; // states -> the model's
    struct lp_log_verdict *verdicts;
};

static struct lp_log_lines window_lines(const struct lp_log_window *window)
{
    const struct lp_log_lines *lines = window->lines;
    return (struct lp_log_lines){
        .states = lines->states + window->first,
        .count = window->count,
        .keys = lines->keys ? lines->keys + window->first : NULL,
        .at_ms = lines->at_ms ? lines->at_ms + window->first : NULL,
    };
}

static int number_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static size_t hits(const struct lp_log_verdict *verdicts, size_t count, const uint64_t *truth,
                   size_t truth_count)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += bsearch(&verdicts[i].line, truth, truth_count, sizeof *truth, number_order) != 0;
    return found;
}

static void list_judge(struct evaluator *evaluator, const struct lp_log_lines *damaged,
                       const uint64_t *truth, size_t truth_count, struct lp_log_result *results)
{
    if (truth_count == 0)
        return;
    size_t top = truth_count > SHOWN ? truth_count : SHOWN;
    for (int list = 0; list < LP_LOG_LISTS; list++) {
        const struct lp_log_rank_config rank = {.list = (enum lp_log_list)list,
                                                .top = top,
                                                .is_streaming = evaluator->config->is_streaming,
                                                .with_keys = evaluator->config->with_keys};
        size_t count = 0;
        lp_log_rank(evaluator->model, damaged, &rank, evaluator->verdicts, &count);
        size_t first = hits(evaluator->verdicts, count < SHOWN ? count : SHOWN, truth, truth_count);
        size_t all = hits(evaluator->verdicts, count < truth_count ? count : truth_count, truth,
                          truth_count);
        figure_add(&results[list].p_at_10, (uint64_t)first * MILLION / SHOWN);
        figure_add(&results[list].r_at_r, (uint64_t)all * MILLION / truth_count);
    }
}

static uint64_t mix(uint64_t seed, uint64_t number)
{
    return (seed ^ number) * 0x9e3779b97f4a7c15u + number;
}

LP_MUST_CHECK static int trial(struct evaluator *evaluator, const struct lp_log_window *window,
                               uint64_t seed, enum lp_log_damage damage,
                               struct lp_log_result *results, struct lp_err *err)
{
    const struct lp_log_evaluate_config *config = evaluator->config;
    struct lp_log_lines lines = window_lines(window), damaged = {0};
    const struct lp_log_inject_config inject = {
        .insert = damage == LP_LOG_DELETIONS ? 0 : config->insert,
        .delete = damage == LP_LOG_INSERTIONS ? 0 : config->delete,
        .seed = seed,
        .is_hard = config->is_hard,
        .more = evaluator->types,
        .more_count = evaluator->type_count,
    };
    size_t edit_count = inject.insert + inject.delete;
    if (edit_count == 0)
        return LP_OK;
    struct lp_log_edit *edits = lp_heap_grow(NULL, edit_count, sizeof *edits);
    int code = lp_log_inject(&lines, &inject, edits, err);
    if (code == LP_OK) {
        uint64_t *truth = lp_heap_grow(NULL, 2 * edit_count, sizeof *truth);
        size_t truths = lp_log_inject_apply(&lines, edits, edit_count, &damaged, truth);
        for (size_t i = 0; i < damaged.count; i++)
            if (damaged.states[i] != LP_LOG_NOTHING)
                damaged.states[i] = evaluator->map[damaged.states[i]];
        list_judge(evaluator, &damaged, truth, truths, results);
        lp_log_lines_release(&damaged);
        lp_heap_free(truth);
    }
    lp_heap_free(edits);
    return code;
}

// ---- all of them

// A model of the window alone; its states have numbers of their own, mapped from those of all.
static void model_make(struct evaluator *evaluator, const struct lp_log_window *window)
{
    const struct lp_log_states_config config = {.format = LP_LOG_FREE,
                                                .cleaning = evaluator->config->cleaning,
                                                .with_keys = evaluator->config->with_keys};
    evaluator->model = lp_log_model_open(&config);
    size_t count = lp_log_states_count(evaluator->states);
    evaluator->map = lp_heap_grow(NULL, count + 1, sizeof *evaluator->map);
    for (size_t i = 0; i < count; i++) {
        struct lp_log_template template = lp_log_states_get(evaluator->states, (uint16_t)i);
        evaluator->map[i] =
            lp_log_states_take(lp_log_model_states(evaluator->model), template.tag, template.text);
    }
    struct lp_log_lines lines = window_lines(window);
    evaluator->types = lp_heap_grow(NULL, lines.count + 1, sizeof *evaluator->types);
    memcpy(evaluator->types, lines.states, lines.count * sizeof *lines.states);
    evaluator->type_count = lines.count;
    lines.states = lp_heap_grow(NULL, lines.count + 1, sizeof *lines.states);
    for (size_t i = 0; i < lines.count; i++)
        lines.states[i] = evaluator->types[i] == LP_LOG_NOTHING
                              ? (uint16_t)LP_LOG_NOTHING
                              : evaluator->map[evaluator->types[i]];
    lp_log_model_train(evaluator->model, &lines, 0, lines.count);
    lp_heap_free(lines.states);
}

static void model_drop(struct evaluator *evaluator)
{
    lp_log_model_close(evaluator->model);
    lp_heap_free(evaluator->types);
    lp_heap_free(evaluator->map);
}

static enum lp_log_pairing pairing_of(const struct lp_log_window *a, const struct lp_log_window *b)
{
    if (a->lines != b->lines)
        return LP_LOG_OTHER_LOG;
    return a->first == b->first ? LP_LOG_SAME_WINDOW : LP_LOG_OTHER_PERIOD;
}

LP_MUST_CHECK static int test_all(struct evaluator *evaluator, size_t train,
                                  struct lp_log_evaluation *evaluation, struct lp_err *err)
{
    const struct lp_log_evaluate_config *config = evaluator->config;
    for (size_t test = 0; test < config->test_count; test++) {
        enum lp_log_pairing pairing = pairing_of(&config->train[train], &config->test[test]);
        for (uint32_t repeat = 0; repeat < config->repeats; repeat++)
            for (int damage = 0; damage < LP_LOG_DAMAGES; damage++) {
                uint64_t number = ((uint64_t)repeat * config->train_count + train) *
                                      config->test_count * LP_LOG_DAMAGES +
                                  test * LP_LOG_DAMAGES + (uint64_t)damage;
                int code =
                    trial(evaluator, &config->test[test], mix(config->seed, number),
                          (enum lp_log_damage)damage, evaluation->results[pairing][damage], err);
                if (code < 0)
                    return lp_err_wrap(err, "window %zu of the test", test + 1);
            }
    }
    return LP_OK;
}

int lp_log_evaluate(const struct lp_log_states *states, const struct lp_log_evaluate_config *config,
                    struct lp_log_evaluation *ret_evaluation, struct lp_err *err)
{
    struct lp_log_evaluation evaluation = {0};
    struct evaluator evaluator = {.states = states, .config = config};
    size_t most = 2 * config->insert + config->delete + SHOWN;
    int code = LP_OK;
    evaluator.verdicts = lp_heap_grow(NULL, most, sizeof *evaluator.verdicts);
    for (size_t train = 0; train < config->train_count && code == LP_OK; train++) {
        model_make(&evaluator, &config->train[train]);
        code = test_all(&evaluator, train, &evaluation, err);
        model_drop(&evaluator);
    }
    lp_heap_free(evaluator.verdicts);
    if (code == LP_OK)
        *ret_evaluation = evaluation;
    return code;
}
