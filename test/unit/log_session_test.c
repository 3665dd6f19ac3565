// Sessions of events: the session file and its errors, raw lines grouped by an id.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "logs/session_parts.h"

static void test_parse(void **unused)
{
    (void)unused;
    static const char text[] = "5 5 22\n\n blk_1 ,\t22 4294967295 \r\nempty,\n7";
    struct lp_log_sessions sessions = {0};
    struct lp_err err = {0};
    assert_int_equal(lp_log_sessions_parse(text, sizeof text - 1, &sessions, &err), 0);
    assert_int_equal(sessions.count, 4);
    assert_null(sessions.sessions[0].name);
    assert_int_equal(sessions.sessions[0].count, 3);
    assert_int_equal(sessions.events[2], 22);
    assert_string_equal(sessions.sessions[1].name, "blk_1");
    assert_int_equal(sessions.sessions[1].first, 3);
    assert_int_equal(sessions.sessions[1].count, 2);
    assert_int_equal(sessions.events[4], 4294967295U);
    assert_string_equal(sessions.sessions[2].name, "empty");
    assert_int_equal(sessions.sessions[2].count, 0);
    assert_int_equal(sessions.events[5], 7);
    lp_log_sessions_release(&sessions);
    assert_int_equal(sessions.count, 0);
}

static void test_parse_refuses(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *at;
    } rows[] = {
        {"1 2\n3 x\n", "2:3:"},  {"1 2a\n", "1:4:"}, {"4294967296", "1:1:"}, {"1 -2", "1:3:"},
        {"1\n\n  ,3\n", "3:3:"}, {"a,b,1", "1:3:"},  {"name", "1:1:"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lp_log_sessions sessions = {0};
        struct lp_err err = {0};
        int rc = lp_log_sessions_parse(rows[i].text, strlen(rows[i].text), &sessions, &err);
        assert_int_equal(rc, LP_EINPUT);
        assert_memory_equal(err.text, rows[i].at, strlen(rows[i].at));
        assert_int_equal(sessions.count, 0);
    }
}

static void test_group(void **unused)
{
    (void)unused;
    static const char text[] = "open blk_2\nopen blk_1 x\nidle\n\nshut blk_2\nshut blk_1";
    uint16_t states[] = {0, 0, 1, LP_LOG_NOTHING, 2, 2};
    struct lp_log_lines lines = {.states = states, .count = 6};
    struct lp_log_sessions sessions = {0};
    struct lp_err err = {0};
    static const char *const regexes[] = {"(blk_[0-9]+)", "blk_[0-9]+"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            lp_log_sessions_group(text, sizeof text - 1, regexes[i], &lines, &sessions, &err), 0);
        assert_int_equal(sessions.count, 2);
        assert_string_equal(sessions.sessions[0].name, "blk_2");
        assert_string_equal(sessions.sessions[1].name, "blk_1");
        for (size_t s = 0; s < 2; s++) {
            assert_int_equal(sessions.sessions[s].count, 2);
            assert_int_equal(sessions.events[sessions.sessions[s].first], 0);
            assert_int_equal(sessions.events[sessions.sessions[s].first + 1], 2);
        }
        lp_log_sessions_release(&sessions);
    }
    assert_int_equal(lp_log_sessions_group(text, sizeof text - 1, "(blk", &lines, &sessions, &err),
                     LP_EINPUT);
}

// More ids than the table of names has at first: it grows, and no two become one.
static void test_group_many(void **unused)
{
    (void)unused;
    enum { IDS = 1000, BYTES = 4 };
    static char text[2 * IDS * BYTES];
    static uint16_t states[2 * IDS];
    for (int i = 0; i < 2 * IDS; i++) {
        int id = i % IDS;
        char line[BYTES] = {(char)('0' + id / 100), (char)('0' + id / 10 % 10),
                            (char)('0' + id % 10), '\n'};
        memcpy(text + i * BYTES, line, BYTES);
        states[i] = (uint16_t)i;
    }
    struct lp_log_lines lines = {.states = states, .count = 2 * IDS};
    struct lp_log_sessions sessions = {0};
    struct lp_err err = {0};
    assert_int_equal(lp_log_sessions_group(text, sizeof text, "...", &lines, &sessions, &err), 0);
    assert_int_equal(sessions.count, IDS);
    for (size_t i = 0; i < IDS; i++) {
        assert_int_equal(sessions.sessions[i].count, 2);
        assert_int_equal(sessions.events[2 * i], i);
        assert_int_equal(sessions.events[2 * i + 1], i + IDS);
    }
    lp_log_sessions_release(&sessions);
}

// ---- the model: 8 sessions of `5 5 5 22`, 8 of `7`

static struct lp_log_session_model *model_of(const char *text, uint32_t allowed, bool with_order)
{
    struct lp_log_sessions sessions = {0};
    struct lp_err err = {0};
    assert_int_equal(lp_log_sessions_parse(text, strlen(text), &sessions, &err), 0);
    struct lp_log_session_config config = {.allowed = allowed, .with_order = with_order, .seed = 1};
    struct lp_log_session_model *model = NULL;
    assert_int_equal(lp_log_session_train(&sessions, &config, &model, &err), 0);
    lp_log_sessions_release(&sessions);
    return model;
}

#define TWICE(text) text text
#define EIGHT(text) TWICE(TWICE(TWICE(text)))
static const char training[] = EIGHT("5 5 5 22\n7\n");

static void verdict_check(const struct lp_log_session_model *model, const char *session,
                          struct lp_log_session_verdict *ret_verdict, const char *because)
{
    struct lp_log_sessions sessions = {0};
    struct lp_err err = {0};
    struct lp_str text = {0};
    assert_int_equal(lp_log_sessions_parse(session, strlen(session), &sessions, &err), 0);
    lp_log_session_score(model, &sessions, 0, ret_verdict);
    lp_log_session_explain(model, ret_verdict, &text);
    assert_string_equal(lp_str_text(&text), because);
    lp_str_release(&text);
    lp_log_sessions_release(&sessions);
}

static void test_value(void **unused)
{
    (void)unused;
    static const uint32_t rows[][2] = {{0, 0}, {4, 4},  {5, 5},  {6, 5},
                                       {7, 6}, {10, 6}, {11, 7}, {UINT32_MAX, 35}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(lp_log_session_value(rows[i][0]), rows[i][1]);
    for (uint32_t value = 1; value < LP_LOG_SESSION_VALUES; value++) {
        assert_int_equal(lp_log_session_value(lp_log_session_value_least(value)), value);
        assert_int_equal(lp_log_session_value(lp_log_session_value_least(value) - 1), value - 1);
    }
}

// Each event has two values, in eight sessions each, and each tells the others: 1 bit between any
// two. So the root is the lowest, 5, and 7 and 22 hang from it.
static void test_count(void **unused)
{
    (void)unused;
    struct lp_log_session_model *model = model_of(training, 0, false);
    assert_int_equal(model->tree.count, 3);
    assert_int_equal(model->tree.branches[0].parent, LP_LOG_SESSION_NO_EVENT);
    assert_int_equal(model->tree.branches[1].parent, 0);
    assert_int_equal(model->tree.branches[2].parent, 0);

    // `5 22`: one 5 was never seen. P(5 = 1) = (0 + 1/16) / (16 + 1) = 1/272: 8.0875 bits, in
    // integers 2070. Given that, nothing is known of the others: P = (8 + 1/16) / 17 = 129/272.
    struct lp_log_session_verdict verdict;
    verdict_check(model, "5 22", &verdict, "`5` seen 1 time, expected 0 (8.1 bits)");
    assert_true(verdict.is_anomalous);
    assert_int_equal(verdict.channel, LP_LOG_CHANNEL_COUNT);
    assert_int_equal(verdict.score, 2070);

    // `5 5 5 22 22`: given 5 = 3 (8 cases, 1 kind), P(22 = 2) = (0 + 1/272) / (8 + 1) = 1/2448:
    // 11.257 bits.
    verdict_check(model, "5 5 5 22 22", &verdict,
                  "`22` seen 2 times, expected 1 because `5` = 3 (11.3 bits)");
    assert_true(verdict.is_anomalous);
    assert_int_equal(verdict.score, 2882);
    assert_int_equal(verdict.because_event, 5);

    // `5 5 5 22`: the oddest is 5 = 3 itself, 129/272: 1.0763 bits. No session held out was odder
    // than log2(15 / (6 + 1/16)) = 1.31 bits (two of one kind held out), or less odd than this.
    verdict_check(model, "5 5 5 22", &verdict, "`5` seen 3 times, expected 0 (1.1 bits)");
    assert_false(verdict.is_anomalous);
    assert_int_equal(verdict.channel, LP_LOG_CHANNEL_NONE);
    assert_in_range(verdict.score, 275, 276);
    assert_in_range(verdict.threshold, verdict.score, 336);

    verdict_check(model, "7 6 6", &verdict, "`6` was never seen in training");
    assert_int_equal(verdict.channel, LP_LOG_CHANNEL_NEW);
    assert_int_equal(verdict.seen, 2);
    lp_log_session_model_close(model);
}

// P(END | START) of 16 sessions, 2 kinds: whole log 56 symbols of 4 kinds, END 16 of them; 3
// events.
//   p0 = (16 + 4/4) / 60 = .28333, p1 = (0 + 2 * .28333) / 18 = .031481: 4.989 bits.
static void test_order(void **unused)
{
    (void)unused;
    struct lp_log_session_model *model = model_of(training, 0, true);
    assert_int_equal(model->order.symbols, 3);
    struct lp_log_session_order_score score = lp_log_session_order_score(&model->order, NULL, 0);
    assert_int_equal(score.at, 0);
    assert_in_range(score.most, 1276, 1278);
    // `5 22` by its order: p0(22) = (8 + 4/4) / 60 = .15, p1(22|5) = (8 + 2 * .15) / 26 = .31923,
    // p2(22|START 5) = (0 + .31923) / 9 = .035470: 4.817 bits, at the second place.
    const uint32_t events[] = {0, 2};
    score = lp_log_session_order_score(&model->order, events, 2);
    assert_int_equal(score.at, 1);
    assert_in_range(score.most, 1232, 1234);
    lp_log_session_model_close(model);
}

static void test_train_refuses(void **unused)
{
    (void)unused;
    static const char one[] = "1 2 3\n";
    struct lp_log_sessions sessions = {0};
    struct lp_err err = {0};
    struct lp_log_session_config config = {.allowed = 5};
    struct lp_log_session_model *model = NULL;
    assert_int_equal(lp_log_sessions_parse(one, sizeof one - 1, &sessions, &err), 0);
    assert_int_equal(lp_log_session_train(&sessions, &config, &model, &err), LP_EINPUT);
    assert_null(model);
    lp_log_sessions_release(&sessions);
}

// Sessions without any event, two sessions only, one event only: nothing breaks.
static void test_edges(void **unused)
{
    (void)unused;
    struct lp_log_session_verdict verdict;
    struct lp_log_session_model *model = model_of("a,\nb,\n", 5, true);
    verdict_check(model, "c,", &verdict, "training has no events (0.0 bits)");
    assert_false(verdict.is_anomalous);
    verdict_check(model, "1", &verdict, "`1` was never seen in training");
    lp_log_session_model_close(model);
    model = model_of("1 1\n1 1\n", 0, false);
    verdict_check(model, "1 1 1 1 1 1 1", &verdict, "`1` seen 7 times, expected 2 (5.6 bits)");
    assert_true(verdict.is_anomalous);
    lp_log_session_model_close(model);
}

// ---- the file

static void test_file(void **unused)
{
    (void)unused;
    for (int with_order = 0; with_order < 2; with_order++) {
        struct lp_log_session_model *model = model_of(training, 2, with_order), *read = NULL;
        struct lp_str text = {0}, again = {0};
        struct lp_err err = {0};
        lp_log_session_model_print(model, &text);
        assert_int_equal(lp_log_session_model_parse(text.text, text.bytes, &read, &err), 0);
        lp_log_session_model_print(read, &again);
        assert_int_equal(again.bytes, text.bytes);
        assert_memory_equal(again.text, text.text, text.bytes);
        struct lp_log_session_verdict verdict;
        verdict_check(read, "5 5 5 22 22", &verdict,
                      with_order ? "the counts do not fit each other, most of all `22` seen 2 "
                                   "times, expected 1 because `5` = 3 (12.4 bits)"
                                 : "`22` seen 2 times, expected 1 because `5` = 3 (11.3 bits)");
        lp_log_session_model_close(read);
        lp_log_session_model_close(model);
        lp_str_release(&text);
        lp_str_release(&again);
    }
}

// Whichever byte is changed and wherever it is cut, it is refused; with a checksum that fits, it is
// refused or makes a model that prints as it was read.
static void test_file_damage(void **unused)
{
    (void)unused;
    enum { SUM = LP_SHA256_TEXT - 1 };
    struct lp_log_session_model *model = model_of(training, 2, true), *read = NULL;
    struct lp_str text = {0};
    lp_log_session_model_print(model, &text);
    for (size_t i = 0; i < text.bytes; i++) {
        struct lp_err err = {0};
        assert_int_equal(lp_log_session_model_parse(text.text, i, &read, &err), LP_ECORRUPT);
        text.text[i] ^= 1;
        assert_int_equal(lp_log_session_model_parse(text.text, text.bytes, &read, &err),
                         LP_ECORRUPT);
        assert_true(err.text[0]);
        text.text[i] ^= 1;
    }
    for (size_t i = 0; i < text.bytes - SUM; i++) {
        struct lp_str changed = {0}, again = {0};
        char sum[LP_SHA256_TEXT];
        lp_str_add_n(&changed, text.text, text.bytes - SUM);
        changed.text[i] ^= 1;
        lp_sha256_text(changed.text, changed.bytes, sum);
        lp_str_add_n(&changed, sum, SUM);
        struct lp_err err = {0};
        if (lp_log_session_model_parse(changed.text, changed.bytes, &read, &err) == 0) {
            lp_log_session_model_print(read, &again);
            assert_int_equal(again.bytes, changed.bytes);
            assert_memory_equal(again.text, changed.text, changed.bytes);
            lp_log_session_model_close(read);
        } else {
            assert_int_equal(err.code, LP_ECORRUPT);
        }
        lp_str_release(&changed);
        lp_str_release(&again);
    }
    lp_str_release(&text);
    lp_log_session_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),       cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_group),       cmocka_unit_test(test_group_many),
        cmocka_unit_test(test_value),       cmocka_unit_test(test_count),
        cmocka_unit_test(test_order),       cmocka_unit_test(test_train_refuses),
        cmocka_unit_test(test_edges),       cmocka_unit_test(test_file),
        cmocka_unit_test(test_file_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
