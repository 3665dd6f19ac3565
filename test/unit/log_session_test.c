// Sessions of events: the session file and its errors, raw lines grouped by an id.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "logs/logs.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_group),
        cmocka_unit_test(test_group_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
