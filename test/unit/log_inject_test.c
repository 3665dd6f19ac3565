// Anomalies put into a log: where they may be, what is true then, and what an evaluation counts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "log_fixture.h"

static size_t taken_out(const struct lp_log_lines *lines, const struct lp_log_edit *edits,
                        size_t count, struct lp_log_lines *ret_lines, uint64_t *ret_truth)
{
    size_t truths = lp_log_inject_apply(lines, edits, count, ret_lines, ret_truth);
    size_t inserted = 0, deleted = 0;
    for (size_t i = 0; i < count; i++)
        edits[i].is_insertion ? inserted++ : deleted++;
    assert_int_equal(truths, 2 * inserted + deleted);
    assert_int_equal(ret_lines->count, lines->count + inserted - deleted);
    return truths;
}

// By hand: A B C . D E with X put before D and B taken out.
static void test_truth_by_hand(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    struct lp_log_lines lines = lines_of(model, "ABC.DE"), damaged;
    uint16_t x = state_of(model, 'X');
    const struct lp_log_edit edits[] = {{.at = 1, .state = lines.states[1]},
                                        {.at = 4, .is_insertion = true, .state = x}};
    uint64_t truth[4];
    assert_int_equal(taken_out(&lines, edits, 2, &damaged, truth), 3);
    struct lp_log_lines wanted = lines_of(model, "AC.XDE");
    assert_memory_equal(damaged.states, wanted.states, 6 * sizeof *wanted.states);
    assert_int_equal(truth[0], 1); // the line before the gap
    assert_int_equal(truth[1], 2); // C: the line before X, over the empty one
    assert_int_equal(truth[2], 4); // X
    lp_log_lines_release(&wanted);
    lp_log_lines_release(&damaged);
    lp_log_lines_release(&lines);
    lp_log_model_close(model);
}

static void test_places(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    struct lp_log_lines lines = lines_random(model, 3, 2000);
    for (uint64_t seed = 0; seed < 50; seed++) {
        const struct lp_log_inject_config config = {
            .insert = 10, .delete = 10, .seed = seed, .is_hard = seed % 2};
        struct lp_log_edit edits[20], again[20];
        assert_int_equal(lp_log_inject(&lines, &config, edits, NULL), 0);
        assert_int_equal(lp_log_inject(&lines, &config, again, NULL), 0);
        size_t inserted = 0;
        for (size_t i = 0; i < 20; i++) {
            inserted += edits[i].is_insertion;
            assert_true(edits[i].at == again[i].at && edits[i].state == again[i].state &&
                        edits[i].is_insertion == again[i].is_insertion);
            assert_true(edits[i].at > 0 && edits[i].at < lines.count);
            assert_true(i == 0 || edits[i].at >= edits[i - 1].at + 4);
            assert_int_not_equal(lines.states[edits[i].at], LP_LOG_NOTHING);
            if (!edits[i].is_insertion)
                assert_int_equal(edits[i].state, lines.states[edits[i].at]);
        }
        assert_int_equal(inserted, 10);
    }
    lp_log_lines_release(&lines);
    lp_log_model_close(model);
}

// B always follows A, and A what was before it; C to F follow each by chance: A and B are expected.
static void test_deletions_are_expected(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    struct lp_log_lines lines = {0};
    struct lp_rng rng;
    lp_rng_init(&rng, 5);
    for (int i = 0; i < 200; i++) {
        lines_add(&lines, state_of(model, 'A'));
        lines_add(&lines, state_of(model, 'B'));
        for (int k = 0; k < 4; k++)
            lines_add(&lines, state_of(model, "CDEF"[lp_rng_below(&rng, 4)]));
    }
    struct lp_log_edit edits[10];
    size_t hard = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct lp_log_inject_config config = {.delete = 10, .seed = seed};
        assert_int_equal(lp_log_inject(&lines, &config, edits, NULL), 0);
        for (int i = 0; i < 10; i++)
            assert_true(edits[i].state == state_of(model, 'A') ||
                        edits[i].state == state_of(model, 'B'));
        config.is_hard = true;
        assert_int_equal(lp_log_inject(&lines, &config, edits, NULL), 0);
        for (int i = 0; i < 10; i++)
            hard +=
                edits[i].state != state_of(model, 'A') && edits[i].state != state_of(model, 'B');
    }
    assert_true(hard > 50); // of 200; two thirds of the lines are such
    lp_log_lines_release(&lines);
    lp_log_model_close(model);
}

static void test_too_short(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    struct lp_log_edit edits[8];
    struct lp_err err;
    for (size_t length = 0; length < 12; length++) {
        struct lp_log_lines lines = {0};
        while (lines.count < length)
            lines_add(&lines, state_of(model, 'A'));
        const struct lp_log_inject_config config = {.insert = 4, .delete = 4};
        assert_int_equal(lp_log_inject(&lines, &config, edits, &err), LP_EINPUT);
        lp_log_lines_release(&lines);
    }
    lp_log_model_close(model);
}

static void test_figures(void **state)
{
    (void)state;
    // 0.2, 0.4, 0.9: mean 0.5, sample deviation sqrt(0.13) = 0.360555
    const uint64_t shares[] = {200000, 400000, 900000};
    struct lp_log_figure figure = {0};
    for (int i = 0; i < 3; i++) {
        figure.trials++;
        figure.sum += shares[i];
        figure.squares += shares[i] * shares[i];
    }
    assert_int_equal(lp_log_figure_mean(&figure), 500000);
    assert_int_equal(lp_log_figure_deviation(&figure), 360555);
    assert_int_equal(lp_log_figure_deviation(&(struct lp_log_figure){0}), 0);
}

// A log that repeats itself: what is odd in it is what was put in.
static void test_evaluation(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    struct lp_log_lines lines = {0};
    for (int i = 0; i < 1400; i++)
        lines_add(&lines, state_of(model, "ABCDEFG"[i % 7]));
    struct lp_log_window windows[2] = {{&lines, 0, 700}, {&lines, 700, 700}};
    struct lp_log_evaluate_config config = {.train = windows,
                                            .test = windows,
                                            .train_count = 2,
                                            .test_count = 2,
                                            .insert = 10,
                                            .delete = 10,
                                            .repeats = 2,
                                            .seed = 1};
    struct lp_log_evaluation found, again;
    assert_int_equal(lp_log_evaluate(lp_log_model_states(model), &config, &found, NULL), 0);
    assert_int_equal(lp_log_evaluate(lp_log_model_states(model), &config, &again, NULL), 0);
    assert_memory_equal(&found, &again, sizeof found);
    struct lp_log_result(*results)[LP_LOG_LISTS] = found.results[LP_LOG_OTHER_PERIOD];
    assert_int_equal(results[LP_LOG_DELETIONS][LP_LOG_MISSING].p_at_10.trials, 4);
    assert_int_equal(lp_log_figure_mean(&results[LP_LOG_DELETIONS][LP_LOG_MISSING].p_at_10),
                     1000000);
    assert_int_equal(lp_log_figure_mean(&results[LP_LOG_INSERTIONS][LP_LOG_UNEXPECTED].p_at_10),
                     1000000);
    assert_int_equal(found.results[LP_LOG_OTHER_LOG][LP_LOG_BOTH][LP_LOG_MERGED].r_at_r.trials, 0);
    lp_log_lines_release(&lines);
    lp_log_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truth_by_hand), cmocka_unit_test(test_places),
        cmocka_unit_test(test_too_short),     cmocka_unit_test(test_deletions_are_expected),
        cmocka_unit_test(test_figures),       cmocka_unit_test(test_evaluation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
