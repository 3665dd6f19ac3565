// Fuzzer of experiments, of both dialects: no bytes may crash the reader, whatever it refuses has
// a mistake, and what it accepts is read again from the sources that runs hand to their probes.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/own.h"
#include "base/str.h"
#include "model/experiment.h"
#include "model/parse_mistake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lp_mistakes mistakes;

static void checks_try(const struct lp_experiment_checks *checks, struct lp_arena *arena)
{
    struct lp_experiment_check check;
    struct lp_experiment_activity activity;
    struct lp_err err;
    for (size_t i = 0; i < checks->count; i++) {
        const struct lp_experiment_check *one = &checks->items[i];
        int code = one->kind == LP_EXPERIMENT_TOLERANCE
                       ? lp_experiment_activity_read(one->source, arena, &activity, &err)
                       : lp_experiment_check_read(one->source, arena, &check, &err);
        if (code == 0)
            continue;
        fprintf(stderr, "refused: %s\n%s\n", err.text, one->source);
        abort();
    }
}

static void steps_try(const struct lp_experiment_steps *steps, struct lp_arena *arena)
{
    struct lp_experiment_activity activity;
    struct lp_err err;
    for (size_t i = 0; i < steps->count; i++) {
        const struct lp_experiment_step *one = &steps->items[i];
        lp_assert(one->name && one->source);
        steps_try(&one->inner, arena);
        if (one->kind == LP_EXPERIMENT_REQUEST &&
            lp_experiment_activity_read(one->source, arena, &activity, &err) < 0) {
            fprintf(stderr, "refused: %s\n%s\n", err.text, one->source);
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_experiment experiment;
    struct lp_err err;
    struct lp_pair pair[] = {{"NAME", "value"}, {"HOME", "/root"}};
    const struct lp_pairs variables = {pair, 2};
    lp_str_add_n(&text, (const char *)data, size);
    const struct lp_experiment_input input = {.path = "/tmp/fuzz.yaml",
                                              .text = lp_str_text(&text),
                                              .bytes = text.bytes,
                                              .variables = &variables};
    if (lp_experiment_parse(&input, &arena, &mistakes, &experiment, &err) < 0) {
        lp_assert(mistakes.count > 0);
        return 0;
    }
    lp_assert(mistakes.count == 0 && experiment.title);
    checks_try(&experiment.steady, &arena);
    checks_try(&experiment.guards, &arena);
    for (size_t i = 0; i < experiment.stage_count; i++) {
        checks_try(&experiment.stages[i].checks, &arena);
        steps_try(&experiment.stages[i].steps, &arena);
    }
    return 0;
}
