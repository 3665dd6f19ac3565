// Scores of lines: by hand, against a plain computation, and the properties that must hold.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/hash.h"
#include "base/str.h"
#include "log_bits.h"
#include "log_fixture.h"
#include "logs/judge.h"

struct ranking {
    struct lp_log_verdict *rows;
    size_t count;
};

static struct ranking rank(const struct lp_log_model *model, const struct lp_log_lines *lines,
                           struct lp_log_rank_config config)
{
    if (!config.top)
        config.top = lines->count;
    struct ranking ranking = {.rows = lp_heap_take((config.top + 1) * sizeof *ranking.rows)};
    lp_log_rank(model, lines, &config, ranking.rows, &ranking.count);
    return ranking;
}

static const struct lp_log_verdict *verdict_of(const struct ranking *ranking, uint64_t line)
{
    for (size_t i = 0; i < ranking->count; i++)
        if (ranking->rows[i].line == line)
            return &ranking->rows[i];
    return NULL;
}

static int64_t score_of(const struct ranking *ranking, uint64_t line)
{
    const struct lp_log_verdict *verdict = verdict_of(ranking, line);
    return verdict ? verdict->score : LP_LOG_NO_SCORE;
}

// The log A B A C A B, no training. count: A 3, B 2, C 1; classes by rarity: {A} and {B, C}.
// N(A,B) 2, N(A,C) 1, N(B,A) 1, N(C,A) 1; N({A},{BC}) 3, N({BC},{A}) 2; two classes, six lines.
// INS of C between A and A = L(A|A) - L'(C|A) - L'(A|C):
//   P(A|A): P0 = (3*2+1)/((3+1)*2) = 7/8, Q = (3*3+2)/((6+2)*3) = 11/24,
//           Pg = (0 + 1*11/24)/(3+1) = 11/96, R = 77/768, P = (0 + 2 R)/(3+2) = 77/1920
//   P'(C|A), without these neighbours: P0 = (0*2+1)/((2+1)*2) = 1/6, Q = (2*3+2)/((5+2)*3) = 8/21,
//           Pg = (2 + 1*8/21)/(2+1) = 50/63, R = 25/189, P = (0 + 1 R)/(2+1) = 25/567
//   P'(A|C), nothing else followed C: P0 = (2*2+1)/((2+1)*2) = 5/6, Q = 8/21,
//           Pg = (1 + 1*8/21)/(1+1) = 29/42, P = R = 145/252
static void test_unexpected_by_hand(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    struct lp_log_lines lines = lines_of(model, "ABACAB");
    struct ranking ranking = rank(model, &lines, (struct lp_log_rank_config){0});
    int64_t expected = bits(77, 1920) - bits(25, 567) - bits(145, 252); // 0.661 bits
    assert_near(expected, 169);
    assert_near(score_of(&ranking, 4), expected);
    assert_near(score_of(&ranking, 3), expected); // the line before is credited too
    assert_int_equal(verdict_of(&ranking, 4)->unfit, 4);
    assert_int_equal(verdict_of(&ranking, 3)->unfit, 4);
    assert_int_equal(ranking.count, 5); // nothing follows the last line
    lp_heap_free(ranking.rows);
    lp_log_lines_release(&lines);
    lp_log_model_close(model);
}

// Training: 20 times A B C, then the same log with one B gone. Between A and C, B is missing:
// A is followed by B 20 + 5 times of 26 (in the log under test 5 of 6), B by C always.
// BRIDGE = log2 25/26 + log2 25/25 + min(10, -log2 P'(C|A)); P'(C|A) = T(A) R / (N(A) + T(A)) with
//   N(A) = 25 and T(A) = 1 without these neighbours, so -log2 P' >= log2 26 = 4.7
// MISS: k = 24 of n = 25 windows of A have B ahead, 24 of 24 of C have B behind...
static void test_missing_by_hand(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    for (int i = 0; i < 20; i++)
        train(model, "ABCD");
    struct lp_log_lines lines = lines_of(model, "ABCDABCDACDABCDABCDABCD");
    struct ranking ranking =
        rank(model, &lines, (struct lp_log_rank_config){.list = LP_LOG_MISSING});
    const struct lp_log_verdict *verdict = &ranking.rows[0];
    assert_int_equal(verdict->line, 9);
    assert_int_equal(verdict->state, state_of(model, 'A'));
    assert_int_equal(verdict->after, state_of(model, 'C'));
    assert_int_equal(verdict->missing, state_of(model, 'B'));
    assert_int_equal(verdict->score, verdict->bits_missing);
    // Windows ahead of A: 20 of training (one a stretch), 6 here (all have three lines behind
    // them); B is in all but one, where C D A stand. f = log2(2*26+2) - log2(2*1+1).
    // Windows behind C: none in training (only two lines before it), 5 here with three lines before
    // them; one of them lacks B. g = log2(2*5+2) - log2(2*1+1).
    assert_int_equal(verdict->evidence, LP_LOG_AHEAD);
    assert_int_equal(verdict->hits, 25);
    assert_int_equal(verdict->cases, 26);
    // B is 25 of 103 lines: three lines go without it by chance too, which is 3 log2(103/78) each.
    // Only the B of the next A comes after A's: nothing is late, and B fits the place.
    int64_t miss = bits(54, 3) + bits(12, 3) - 2 * 3 * bits(103, 78);
    // All states have count 26 or 25 and no tag: one class, P0(C) = (25*5+4)/((102+4)*5),
    // Q = Pg = (102*2+1)/... is close to 1 and cancels within the tolerance of a tenth of a bit.
    int64_t seen = bits(1, 26) + bits(129, 530);
    int64_t bridge = bits(25, 26) - seen;
    assert_true(verdict->score > miss + bridge - 40 && verdict->score < miss + bridge + 40);
    lp_heap_free(ranking.rows);
    lp_log_lines_release(&lines);
    lp_log_model_close(model);
}

// INS less its burst, and how lines come in bursts, straight from their definitions.
static bool plain_is_near(const struct lp_log_lines *lines, size_t q)
{
    for (size_t k = q < 8 ? 0 : q - 8; k <= q + 8 && k < lines->count; k++)
        if (k != q && lines->states[k] == lines->states[q])
            return true;
    return false;
}

static int64_t plain_ins(const struct lp_log_scores *scores, const struct lp_log_lines *lines,
                         size_t q)
{
    const uint16_t *x = lines->states + q;
    return lp_log_scores_unexpected(scores, x[-1], x[0], x[1]) -
           lp_log_scores_burst(scores, x[0], plain_is_near(lines, q), 16);
}

static void plain_bursts(struct lp_log_scores *scores, const struct lp_log_lines *lines)
{
    for (size_t q = 0; q < lines->count; q++) {
        bool is_again = lp_log_counts_row(scores->counts, lines->states[q]).count > 1;
        scores->again += is_again;
        scores->near += is_again && plain_is_near(lines, q);
    }
}

// Each list, computed line by line without any cache.
static int64_t plain_score(const struct lp_log_scores *scores, const struct lp_log_lines *lines,
                           size_t i, enum lp_log_list list)
{
    const uint16_t *x = lines->states + i;
    struct lp_log_around around;
    for (size_t k = 0; k < LP_LOG_AROUNDS; k++) {
        size_t q = i + k - LP_LOG_AROUND;
        bool is_inner = i + k > LP_LOG_AROUND && q + 1 < lines->count;
        around.states[k] =
            i + k >= LP_LOG_AROUND && q < lines->count ? lines->states[q] : LP_LOG_NOTHING;
        around.ins[k] = is_inner ? plain_ins(scores, lines, q) : LP_LOG_NO_SCORE;
    }
    size_t left = lines->count - i - 1, back = i < 2 ? i : 2;
    struct lp_log_judgement judgement = {
        .here = around.ins[LP_LOG_AROUND],
        .next = around.ins[LP_LOG_AROUND + 1],
        .bridge = lp_log_scores_bridge(scores, x[0], x[1]),
        .ahead = lp_log_habits_broken(&lp_log_scores_row(scores, x[0])->ahead, x + 1,
                                      left < 3 ? left : 3),
        .behind =
            lp_log_habits_broken(&lp_log_scores_row(scores, x[1])->behind, x - back, back + 1),
    };
    const struct lp_log_absence absence = {.before = x[0],
                                           .after = x[1],
                                           .ahead = judgement.ahead,
                                           .behind = judgement.behind,
                                           .is_rough = true};
    judgement.miss = lp_log_scores_miss(scores, &absence);
    lp_log_judgement_compare(&judgement, scores, &around);
    return lp_log_judgement_score(&judgement, list);
}

static void test_plain(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 12; seed++) {
        struct lp_log_model *model = model_open();
        struct lp_log_lines lines = lines_random(model, seed, seed < 8 ? seed : 700);
        lp_log_model_train(model, &lines, 0, lines.count); // so that no neighbours are new
        struct lp_log_counts counts = {0};
        lp_log_counts_merge(&counts, &model->counts, NULL);
        lp_log_counts_merge(&counts, &model->counts, NULL);
        struct lp_log_scores scores;
        lp_log_scores_init(&scores, &counts, lp_log_model_states(model), false);
        plain_bursts(&scores, &lines);
        for (enum lp_log_list list = LP_LOG_UNEXPECTED; list <= LP_LOG_MERGED; list++) {
            struct ranking ranking = rank(model, &lines, (struct lp_log_rank_config){.list = list});
            for (size_t i = 0; i + 1 < lines.count; i++)
                assert_int_equal(score_of(&ranking, i + 1), plain_score(&scores, &lines, i, list));
            lp_heap_free(ranking.rows);
        }
        lp_log_scores_release(&scores);
        lp_log_counts_release(&counts);
        lp_log_lines_release(&lines);
        lp_log_model_close(model);
    }
}

// A short list is the head of the long one, also when it ends among equals.
static void assert_head(const struct lp_log_model *model, const struct lp_log_lines *lines,
                        enum lp_log_list list, const struct ranking *all, size_t top)
{
    struct ranking head = rank(model, lines, (struct lp_log_rank_config){.list = list, .top = top});
    assert_int_equal(head.count, all->count < top ? all->count : top);
    for (size_t i = 0; i < head.count; i++) {
        assert_int_equal(head.rows[i].line, all->rows[i].line);
        assert_int_equal(head.rows[i].score, all->rows[i].score);
        assert_int_equal(head.rows[i].missing, all->rows[i].missing);
    }
    lp_heap_free(head.rows);
}

// The order: the highest first, of equals the lower line.
static void test_order(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    struct lp_log_lines lines = lines_random(model, 4, 2000);
    for (enum lp_log_list list = 0; list < LP_LOG_LISTS; list++) {
        struct ranking all = rank(model, &lines, (struct lp_log_rank_config){.list = list});
        for (size_t i = 0; i + 1 < all.count; i++) {
            const struct lp_log_verdict *a = &all.rows[i], *b = &all.rows[i + 1];
            assert_true(a->score > b->score || (a->score == b->score && a->line < b->line));
        }
        for (size_t top = 25; top < lines.count; top *= 2)
            assert_head(model, &lines, list, &all, top);
        lp_heap_free(all.rows);
    }
    lp_log_lines_release(&lines);
    lp_log_model_close(model);
}

// An inserted line that moves by one moves its entry by one.
static void test_moved(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    char log[] = "AAAAAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAA";
    train(model, log);
    int64_t score = 0;
    for (size_t at = 32; at < 38; at++) {
        char moved[sizeof log];
        memcpy(moved, log, sizeof log);
        moved[at] = 'Q';
        struct lp_log_lines lines = lines_of(model, moved);
        struct ranking ranking = rank(model, &lines, (struct lp_log_rank_config){.top = 2});
        assert_int_equal(ranking.rows[0].line, at); // the line before it, and it (1-based)
        assert_int_equal(ranking.rows[1].line, at + 1);
        assert_int_equal(ranking.rows[1].unfit, at + 1);
        assert_true(at == 32 || ranking.rows[0].score == score);
        score = ranking.rows[0].score;
        lp_heap_free(ranking.rows);
        lp_log_lines_release(&lines);
    }
    lp_log_model_close(model);
}

// A log trained on itself has no new neighbours and gets no bonus; two new ones in 200 do.
static void test_bonus(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    struct lp_log_lines lines = lines_random(model, 9, 400);
    lp_log_model_train(model, &lines, 0, lines.count);
    struct ranking merged = rank(model, &lines, (struct lp_log_rank_config){.list = LP_LOG_MERGED});
    struct ranking unexpected = rank(model, &lines, (struct lp_log_rank_config){0});
    struct ranking missing =
        rank(model, &lines, (struct lp_log_rank_config){.list = LP_LOG_MISSING});
    for (uint64_t line = 1; line < lines.count; line++) {
        int64_t gap = score_of(&missing, line), expected = score_of(&unexpected, line) - 2560;
        gap = gap == LP_LOG_NO_SCORE ? 0 : gap;
        assert_int_equal(score_of(&merged, line), gap > expected ? gap : expected);
    }
    lp_heap_free(merged.rows);
    lp_heap_free(unexpected.rows);
    lp_heap_free(missing.rows);
    const struct lp_log_novelty varied = {.total = 1000, .once = 100};
    const struct lp_log_novelty regular = {.total = 1599, .once = 3};
    assert_int_equal(lp_log_merged_bonus(0, 1000, &regular), 0);
    assert_int_equal(lp_log_merged_bonus(20, 1000, &varied), 0);           // 2 %: none
    assert_int_equal(lp_log_merged_bonus(5, 1000, &varied), 12 * 2 * 256); // 1 in 200: 12 * log2 4
    // Training saw 3 of 1,599 once, so (3 + 1) of (1,599 + 1) are expected: 1 in 400, 12 * log2 8.
    assert_int_equal(lp_log_merged_bonus(20, 1000, &regular), 12 * 3 * 256);
    lp_log_lines_release(&lines);
    lp_log_model_close(model);
}

// The verdicts are these, each once; those of the last lines when nothing more comes.
static void stream_compare(struct lp_log_stream *stream, const struct lp_log_lines *lines,
                           const struct ranking *unexpected, const struct ranking *missing)
{
    size_t judged = 0, gaps = 0;
    struct lp_log_verdict odd, gap;
    for (size_t i = 0; i < lines->count || judged < unexpected->count; i++) {
        bool is_judged = i < lines->count ? lp_log_stream_step(stream, lines->states[i], &odd, &gap)
                                          : lp_log_stream_settle_of(stream, 0, &odd, &gap);
        if (i == lines->count)
            assert_int_equal(judged, lines->count - 1 - LP_LOG_LAG);
        assert_true(is_judged || i < lines->count);
        if (!is_judged)
            continue;
        judged++;
        gaps += gap.score > 0;
        const struct lp_log_verdict *twin = verdict_of(unexpected, odd.line);
        assert_non_null(twin);
        assert_memory_equal(twin, &odd, sizeof odd);
        twin = verdict_of(missing, odd.line);
        assert_true((twin != NULL) == (gap.score > 0));
        if (twin)
            assert_memory_equal(twin, &gap, sizeof gap);
    }
    assert_false(lp_log_stream_settle_of(stream, 0, &odd, &gap));
    assert_int_equal(judged, lines->count - 1 - LP_LOG_WINDOW);
    assert_int_equal(gaps, missing->count);
}

// Line by line as in one go; and no more of the future is used than is said.
static void test_streaming(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open(), *same = model_open();
    struct lp_log_lines past = lines_random(model, 1, 1500), lines = lines_random(model, 2, 1500);
    struct lp_log_lines past_again = lines_random(same, 1, 1500);
    struct lp_log_lines again = lines_random(same, 2, 1500);
    lines.states[77] = again.states[77] = LP_LOG_NOTHING; // an empty line
    lp_log_model_train(model, &past, 0, past.count);
    lp_log_model_train(same, &past_again, 0, past_again.count);
    struct ranking unexpected =
        rank(model, &lines, (struct lp_log_rank_config){.is_streaming = true});
    struct ranking missing = rank(
        model, &lines, (struct lp_log_rank_config){.list = LP_LOG_MISSING, .is_streaming = true});
    struct lp_log_stream *stream = lp_log_stream_open(same);
    stream_compare(stream, &again, &unexpected, &missing);
    lp_log_stream_close(stream);
    // The model has grown by the log.
    struct lp_str grown = {0}, trained = {0};
    lp_log_model_train(model, &lines, 0, lines.count);
    lp_log_model_print(same, &grown);
    lp_log_model_print(model, &trained);
    assert_int_equal(grown.bytes, trained.bytes);
    assert_memory_equal(grown.text, trained.text, grown.bytes);
    // A longer log changes nothing about its beginning, but for the lines behind which little
    // stood.
    struct lp_log_model *fresh = model_open();
    struct lp_log_lines past_third = lines_random(fresh, 1, 1500);
    struct lp_log_lines third = lines_random(fresh, 2, 1500);
    third.states[77] = LP_LOG_NOTHING;
    third.count = 900;
    lp_log_model_train(fresh, &past_third, 0, past_third.count);
    struct ranking shorter = rank(fresh, &third, (struct lp_log_rank_config){.is_streaming = true});
    for (size_t i = 0; i < shorter.count; i++)
        if (shorter.rows[i].line <= third.count - LP_LOG_LAG)
            assert_int_equal(shorter.rows[i].score, score_of(&unexpected, shorter.rows[i].line));
    lp_heap_free(shorter.rows);
    lp_heap_free(unexpected.rows);
    lp_heap_free(missing.rows);
    lp_str_release(&grown);
    lp_str_release(&trained);
    struct lp_log_lines *all[] = {&past, &lines, &past_again, &again, &past_third, &third};
    for (size_t i = 0; i < 6; i++)
        lp_log_lines_release(all[i]);
    lp_log_model_close(model);
    lp_log_model_close(same);
    lp_log_model_close(fresh);
}

// A model that decays while it is being used: the stream goes on with what is left.
static void test_stream_decay(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    struct lp_log_lines lines = lines_random(model, 3, 600);
    lp_log_model_train(model, &lines, 0, lines.count);
    struct lp_log_stream *stream = lp_log_stream_open(model);
    struct lp_log_verdict odd, gap;
    for (size_t i = 0; i < lines.count; i++) {
        if (i % 100 == 50)
            lp_log_model_decay(model);
        lp_log_stream_step(stream, lines.states[i], &odd, &gap);
    }
    assert_int_equal(odd.line, lines.count - LP_LOG_LAG);
    while (lp_log_stream_settle_of(stream, 0, &odd, &gap))
        ;
    assert_int_equal(odd.line, lines.count - LP_LOG_WINDOW);
    lp_log_stream_close(stream);
    lp_log_lines_release(&lines);
    lp_log_model_close(model);
}

// Two processes whose lines are mixed: each has its own chain, numbers are those of the log.
static void test_keys(void **state)
{
    (void)state;
    const struct lp_log_states_config config = {.format = LP_LOG_FREE, .with_keys = true};
    struct lp_log_model *model = lp_log_model_open(&config);
    const char first[] = "ABCDABCDABCDABCDABCDABCDABCDABCD", second[] = "xyzxyzxyzxyzxyzxyzxy";
    struct lp_log_lines lines = {0};
    uint32_t keys[64];
    struct lp_rng rng;
    lp_rng_init(&rng, 1);
    for (size_t i = 0, k = 0; first[i] || second[k];) {
        bool is_first = first[i] && (!second[k] || lp_rng_chance(&rng, 500));
        keys[lines.count] = is_first ? 7 : 9;
        lines_add(&lines, state_of(model, is_first ? first[i++] : second[k++]));
    }
    lines.keys = keys;
    lp_log_model_train(model, &lines, 0, lines.count);
    assert_int_equal(lp_log_model_pairs(model, state_of(model, 'A'), state_of(model, 'x')), 0);
    assert_int_equal(lp_log_model_pairs(model, state_of(model, 'A'), state_of(model, 'B')), 8);
    // One line in the middle of the first process is changed.
    size_t changed = 0;
    for (size_t seen = 0; seen < 17; changed++)
        seen += keys[changed] == 7;
    lines.states[changed - 1] = state_of(model, 'Q');
    for (int streaming = 0; streaming < 2; streaming++) {
        struct ranking ranking = rank(
            model, &lines,
            (struct lp_log_rank_config){.top = 2, .with_keys = true, .is_streaming = streaming});
        assert_true(ranking.rows[0].line == changed || ranking.rows[1].line == changed);
        assert_int_equal(ranking.rows[0].unfit, changed);
        lp_heap_free(ranking.rows);
    }
    lines.keys = NULL;
    lp_log_lines_release(&lines);
    lp_log_model_close(model);
}

// Empty lines count as lines but not as states.
static void test_empty_lines(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    train(model, "ABCABCABCABCABC");
    struct lp_log_lines dense = lines_of(model, "ABCABQCABCABC");
    struct lp_log_lines sparse = lines_of(model, ".A..B.C.A.B.Q.C.A.B.C.A.B...C.");
    struct ranking a = rank(model, &dense, (struct lp_log_rank_config){0});
    struct ranking b = rank(model, &sparse, (struct lp_log_rank_config){0});
    assert_int_equal(a.count, b.count);
    for (size_t i = 0; i < a.count; i++) {
        assert_int_equal(a.rows[i].score, b.rows[i].score);
        assert_int_equal(dense.states[a.rows[i].line - 1], sparse.states[b.rows[i].line - 1]);
    }
    assert_int_equal(verdict_of(&b, 13)->unfit, 13); // Q
    struct lp_log_lines none = lines_of(model, "..");
    struct ranking c = rank(model, &none, (struct lp_log_rank_config){0});
    assert_int_equal(c.count, 0);
    lp_heap_free(a.rows);
    lp_heap_free(b.rows);
    lp_heap_free(c.rows);
    lp_log_lines_release(&dense);
    lp_log_lines_release(&sparse);
    lp_log_lines_release(&none);
    lp_log_model_close(model);
}

// S3: training A B A C A B. P(B|A) = 2/3, P(C|A) = 1/3, P(A|B) = P(A|C) = 1; B ends the log, but
// it has a next line elsewhere. Tags: a and b are "low", so P(low|none) and so on are added.
static void test_s3(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    train(model, "ABACAB");
    struct lp_log_lines lines = lines_of(model, "ABACCB");
    struct ranking ranking =
        rank(model, &lines, (struct lp_log_rank_config){.list = LP_LOG_S3_MESSAGE});
    assert_near(score_of(&ranking, 1), bits(3, 2));
    assert_int_equal(score_of(&ranking, 2), 0);
    assert_near(score_of(&ranking, 3), bits(3, 1));
    assert_int_equal(score_of(&ranking, 4), 64 * 256); // never seen
    assert_int_equal(ranking.rows[0].line, 4);
    assert_int_equal(ranking.rows[1].line, 5);
    lp_heap_free(ranking.rows);
    // One tag: P_tag = 1 is added everywhere.
    ranking = rank(model, &lines, (struct lp_log_rank_config){.list = LP_LOG_S3_TAG});
    assert_near(score_of(&ranking, 1), -bits(5, 3));
    assert_int_equal(score_of(&ranking, 2), -256);
    assert_int_equal(score_of(&ranking, 4), 0);
    lp_heap_free(ranking.rows);
    lp_log_lines_release(&lines);
    // The last message of a log goes on for ever.
    struct lp_log_model *end = model_open();
    train(end, "AB");
    lines = lines_of(end, "BBA");
    ranking = rank(end, &lines, (struct lp_log_rank_config){.list = LP_LOG_S3_MESSAGE});
    assert_int_equal(score_of(&ranking, 1), 0);
    assert_int_equal(score_of(&ranking, 2), 64 * 256);
    lp_heap_free(ranking.rows);
    lp_log_lines_release(&lines);
    lp_log_model_close(end);
    lp_log_model_close(model);
}

static void assert_said(const struct lp_log_model *model, const struct lp_log_verdict *verdict,
                        const char *expected)
{
    struct lp_str text = {0};
    lp_log_explain(model->states, verdict, &text);
    assert_string_equal(lp_str_text(&text), expected);
    lp_str_release(&text);
}

static void test_explained(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    const uint16_t a = state_of(model, 'A'), b = state_of(model, 'b'), c = state_of(model, 'C');
    struct lp_log_verdict verdict = {.line = 812,
                                     .score = 3635,
                                     .list = LP_LOG_UNEXPECTED,
                                     .state = b,
                                     .before = a,
                                     .after = c,
                                     .unfit = 812,
                                     .missing = LP_LOG_NOTHING,
                                     .hits = 38,
                                     .cases = 40};
    assert_said(model, &verdict,
                "line 812 `text b` (low) was not expected after `text A`: 14.2 bits; without it "
                "`text C` would have followed, as in 38 of 40 cases");
    verdict.unfit = 813;
    assert_said(model, &verdict,
                "line 812 `text b` (low) is followed by what was not expected, line 813 `text C`: "
                "14.2 bits");
    verdict = (struct lp_log_verdict){.line = 9,
                                      .score = 2400,
                                      .list = LP_LOG_MISSING,
                                      .state = a,
                                      .before = c,
                                      .after = c,
                                      .missing = b,
                                      .bits_missing = 2330,
                                      .evidence = LP_LOG_AHEAD,
                                      .hits = 38,
                                      .cases = 40};
    assert_said(model, &verdict,
                "between line 9 `text A` and `text C`, `text b` (low) is missing: 9.1 bits (after "
                "`text A` it follows in 38 of 40 cases)");
    verdict.evidence = LP_LOG_BEHIND;
    assert_said(model, &verdict,
                "between line 9 `text A` and `text C`, `text b` (low) is missing: 9.1 bits (before "
                "`text C` it stands in 38 of 40 cases)");
    lp_log_model_close(model);
}

// The same bits with every compiler and optimization: all scores of a log, as one number.
static void test_same_bits(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    struct lp_log_lines past = lines_random(model, 11, 3000), lines = lines_random(model, 12, 3000);
    lp_log_model_train(model, &past, 0, past.count);
    uint64_t hash = LP_FNV_START;
    for (int i = 0; i < 2 * LP_LOG_LISTS; i++) {
        struct ranking ranking =
            rank(model, &lines,
                 (struct lp_log_rank_config){.list = (enum lp_log_list)(i % LP_LOG_LISTS),
                                             .is_streaming = i >= LP_LOG_LISTS});
        for (size_t k = 0; k < ranking.count; k++) {
            const struct lp_log_verdict *row = &ranking.rows[k];
            const int64_t numbers[] = {(int64_t)row->line, row->score, row->missing,
                                       row->bits_missing};
            hash = lp_fnv(hash, numbers, sizeof numbers);
        }
        lp_heap_free(ranking.rows);
    }
    if (hash != 0x2b44739de018f9cau)
        fail_msg("the scores have the hash 0x%llx", (unsigned long long)hash);
    lp_log_lines_release(&past);
    lp_log_lines_release(&lines);
    lp_log_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unexpected_by_hand),
        cmocka_unit_test(test_missing_by_hand),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_bonus),
        cmocka_unit_test(test_streaming),
        cmocka_unit_test(test_stream_decay),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_empty_lines),
        cmocka_unit_test(test_s3),
        cmocka_unit_test(test_explained),
        cmocka_unit_test(test_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
