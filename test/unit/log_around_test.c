// What stands around a line: bursts, what comes late; and regular logs, where S3 is at its best.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

#include "log_bits.h"
#include "log_fixture.h"
#include "logs/judge.h"

// A B and its habits, 30 windows. What comes late is 2 bits less missing, what does not fit between
// its neighbours up to 4, and never less than nothing.
static void test_late_by_hand(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    for (int i = 0; i < 30; i++)
        train(model, "ABCXYZ");
    struct lp_log_scores scores;
    lp_log_scores_init(&scores, &model->counts, lp_log_model_states(model), false);
    uint16_t a = state_of(model, 'A'), b = state_of(model, 'B'), x = state_of(model, 'X');
    const struct lp_log_habits *habits = &lp_log_scores_row(&scores, a)->ahead;
    assert_int_equal(habits->count, 3); // B, C and X
    assert_int_equal(habits->states[0], b);
    // f = log2(2*30+2) - log2(1) - 3 log2(180/150), B being 30 of 180 lines
    int64_t habit = bits(62, 1) - 3 * bits(180, 150);
    struct lp_log_absence absence = {.before = a, .after = x, .ahead = 1, .is_rough = true};
    assert_near(lp_log_scores_miss(&scores, &absence).bits, habit); // 5.2 bits
    absence.ahead_late = 1;
    assert_near(lp_log_scores_miss(&scores, &absence).bits, habit - 2 * 256);
    absence.is_rough =
        false; // B X was never seen, and is as unlikely as A X (both at least 4 bits)
    int64_t with =
        lp_log_scores_bits(&scores, a, b, false) + lp_log_scores_bits(&scores, b, x, false);
    int64_t without = lp_log_scores_bits(&scores, a, x, true);
    without = without < -10 * 256 ? -10 * 256 : without;
    int64_t misfit = with < without ? with - without : 0;
    assert_true(misfit > -4 * 256);
    assert_near(lp_log_scores_miss(&scores, &absence).bits, habit - 2 * 256 + misfit);
    absence.after = b; // a B beside the B cannot be told from it: 4 bits less
    assert_int_equal(lp_log_scores_miss(&scores, &absence).bits, 0);
    absence.ahead_late = 0;
    assert_near(lp_log_scores_miss(&scores, &absence).bits, habit - 4 * 256);
    lp_log_scores_release(&scores);
    lp_log_model_close(model);
}

// 38 A and 2 Q. Near: if all 40 lines have one of their kind near, another line of this log that
// comes again does so with (2*39+1)/(2*39+2) = 79/80, one strewn at random with 16/(16+40) = 2/7.
// Alone: if four lines are, 36 of 39 others are near, (2*3+1)/(2*39+2) = 7/80 against 40/56 = 5/7.
// If only the two Q are alone it is 3/80, which would be 4.3 bits: 4 count.
static void test_burst_by_hand(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    train(model, "AAAAAAAAAAAAAAAAAAAAQQAAAAAAAAAAAAAAAAAA");
    struct lp_log_scores scores;
    lp_log_scores_init(&scores, &model->counts, lp_log_model_states(model), false);
    uint16_t q = state_of(model, 'Q'), never = state_of(model, 'N');
    scores.again = scores.near = 40;
    assert_near(lp_log_scores_burst(&scores, q, true, 16), bits(79, 80) - bits(2, 7)); // 1.8 bits
    scores.near = 36;
    assert_near(lp_log_scores_burst(&scores, q, false, 16), bits(7, 80) - bits(5, 7)); // -3.0 bits
    scores.near = 38;
    assert_int_equal(lp_log_scores_burst(&scores, q, false, 16), -4 * 256);
    assert_int_equal(lp_log_scores_burst(&scores, never, false, 16), 0);
    lp_log_scores_release(&scores);
    lp_log_model_close(model);
}

// ---- train = test window: never below S3's own scores

// Bodies that come again and again, each in its turn or by chance.
struct regular {
    const char *bodies[4];
    size_t body_count, line_count;
    bool is_drawn;
};

static struct lp_log_lines regular_lines(struct lp_log_model *model, const struct regular *regular)
{
    struct lp_log_lines lines = {0};
    struct lp_rng rng;
    lp_rng_init(&rng, 5);
    for (size_t turn = 0; lines.count < regular->line_count; turn++) {
        size_t which = regular->is_drawn ? lp_rng_below(&rng, regular->body_count)
                                         : turn % regular->body_count;
        for (const char *body = regular->bodies[which]; *body; body++)
            lines_add(&lines, state_of(model, *body));
    }
    return lines;
}

static void test_regular(void **state)
{
    (void)state;
    const struct regular logs[] = {
        {{"ABCD"}, 1, 400, false},        {{"ABCDEF"}, 1, 1560, false},
        {{"ABABCDEF"}, 1, 1560, false},   {{"ABCEF", "ABCEF", "ABCEF", "ABDEF"}, 4, 1560, true},
        {{"ABC", "DEF"}, 2, 1560, true},  {{"ABC", "ABBC", "ABBBC", "ABBBBC"}, 4, 1560, true},
        {{"AABB", "ABAC"}, 2, 700, true},
    };
    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
        struct lp_log_model *model = model_open();
        struct lp_log_lines lines = regular_lines(model, &logs[i]);
        const struct lp_log_window window = {.lines = &lines, .count = lines.count};
        const struct lp_log_evaluate_config config = {.train = &window,
                                                      .test = &window,
                                                      .train_count = 1,
                                                      .test_count = 1,
                                                      .insert = 10,
                                                      .delete = 10,
                                                      .repeats = 10,
                                                      .seed = 1};
        struct lp_log_evaluation found;
        struct lp_err err = {0};
        assert_int_equal(lp_log_evaluate(lp_log_model_states(model), &config, &found, &err), LP_OK);
        for (int damage = 0; damage < LP_LOG_DAMAGES; damage++) {
            const struct lp_log_result *lists = found.results[LP_LOG_SAME_WINDOW][damage];
            uint32_t ours = lp_log_figure_mean(&lists[LP_LOG_MERGED].p_at_10);
            uint32_t theirs = lp_log_figure_mean(&lists[LP_LOG_S3_MESSAGE].p_at_10);
            assert_int_equal(lists[LP_LOG_MERGED].p_at_10.trials, config.repeats);
            if (ours < theirs)
                fail_msg("log %zu, %s: P@10 %u of a million, S3 %u", i,
                         lp_log_damage_word((enum lp_log_damage)damage), ours, theirs);
        }
        lp_log_lines_release(&lines);
        lp_log_model_close(model);
    }
}

// Ahead of B stand C, X and Y in 30 of 30 windows, behind X stand A, B and C. With one of them
// there the line is at home: one of three lines at random is a C with 90 of 180, one bit. With none
// of them, f = log2(2*30+2) - log2(1) - 3 log2(180/150) is 5.2 bits, of which 4 count.
static void test_company_by_hand(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    for (int i = 0; i < 30; i++)
        train(model, "ABCXYZ");
    struct lp_log_scores scores;
    lp_log_scores_init(&scores, &model->counts, lp_log_model_states(model), false);
    uint16_t a = state_of(model, 'A'), b = state_of(model, 'B'), c = state_of(model, 'C');
    uint16_t x = state_of(model, 'X'), y = state_of(model, 'Y'), z = state_of(model, 'Z');
    uint16_t home[] = {a, c, a}, away[] = {a, z, a}, alone[] = {z, y, z}, with[] = {y, y, a};
    assert_near(lp_log_scores_company(&scores, b, home, true), -bits(180, 90));
    assert_int_equal(lp_log_scores_company(&scores, b, away, true), 4 * 256);
    assert_near(lp_log_scores_company(&scores, x, with, false), -bits(180, 90));
    assert_int_equal(lp_log_scores_company(&scores, x, alone, false), 4 * 256);
    assert_int_equal(lp_log_scores_company_most(&scores, b), 4 * 256); // nothing is behind it
    assert_int_equal(lp_log_scores_company(&scores, b, alone, false), 0);
    assert_int_equal(lp_log_scores_company(&scores, state_of(model, 'N'), home, true), 0);
    lp_log_scores_release(&scores);
    lp_log_model_close(model);
}

// 67 times ABC, of which the first `short_count` of number 20 and 40 lack their B.
static struct lp_log_lines lines_abc(struct lp_log_model *model, int short_count)
{
    struct lp_log_lines lines = {0};
    for (int i = 0; i < 67; i++) {
        bool is_short = i && i % 20 == 0 && i / 20 <= short_count;
        lines_add(&lines, state_of(model, 'A'));
        if (!is_short)
            lines_add(&lines, state_of(model, 'B'));
        lines_add(&lines, state_of(model, 'C'));
    }
    return lines;
}

static void scores_take(const struct lp_log_model *model, const struct lp_log_lines *lines,
                        enum lp_log_list list, int64_t *ret_scores, uint64_t *ret_first)
{
    struct lp_log_verdict *verdicts = lp_heap_take((lines->count + 1) * sizeof *verdicts);
    size_t count;
    const struct lp_log_rank_config config = {.list = list, .top = lines->count};
    lp_log_rank(model, lines, &config, verdicts, &count);
    for (size_t i = 0; i < lines->count; i++)
        ret_scores[i] = LP_LOG_NO_SCORE;
    for (size_t i = 0; i < count; i++)
        ret_scores[verdicts[i].line - 1] = verdicts[i].score;
    *ret_first = verdicts[0].line;
    lp_heap_free(verdicts);
}

// Training has A, C side by side once in 199 neighbours, the log twice in 198. Training as long
// would have it 198/199 times, C, A (66 times in both) 66 * 198/199 times; A, B and B, C come less
// often. So 2 - 198/199 + 66/199 = 266/199, that is one of the 198 neighbours, is too many.
static void test_more_often(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    struct lp_log_lines past = lines_abc(model, 1), lines = lines_abc(model, 2);
    lp_log_model_train(model, &past, 0, past.count);
    int64_t scores[3][200];
    uint64_t first;
    assert_int_equal(lines.count, 199);
    for (enum lp_log_list list = LP_LOG_UNEXPECTED; list <= LP_LOG_MERGED; list++)
        scores_take(model, &lines, list, scores[list], &first);
    assert_int_equal(first, 61); // 20 ABC before it, and both gaps are alike
    int64_t bonus = 12 * (lp_log2(198) - lp_log2(50));
    for (size_t i = 0; i + 1 < lines.count; i++) {
        int64_t gap = scores[LP_LOG_MISSING][i], base = scores[LP_LOG_UNEXPECTED][i] - 10 * 256;
        gap = gap == LP_LOG_NO_SCORE ? 0 : gap;
        base = gap > base ? gap : base;
        bool is_short =
            lines.states[i] == state_of(model, 'A') && lines.states[i + 1] == state_of(model, 'C');
        if (is_short)
            base += bonus * (2 * 199 - 198) / (2 * 199);
        else if (lines.states[i] == state_of(model, 'C'))
            base += bonus / 199;
        assert_int_equal(scores[LP_LOG_MERGED][i], base);
    }
    lp_log_lines_release(&past);
    lp_log_lines_release(&lines);
    lp_log_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late_by_hand), cmocka_unit_test(test_burst_by_hand),
        cmocka_unit_test(test_regular),      cmocka_unit_test(test_company_by_hand),
        cmocka_unit_test(test_more_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
