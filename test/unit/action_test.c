// Tests of the actions' JSON and of the clauses that say why.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/action.h"

static void every_kind_survives(void **state)
{
    (void)state;
    for (int kind = 1; kind < LP_ACTION_KINDS; kind++) {
        for (int reason = 0; reason < LP_REASONS; reason++) {
            LP_OWNS_STR struct lp_str first = {0}, second = {0};
            struct lp_action action = {.id = UINT64_MAX,
                                       .kind = (enum lp_action_kind)kind,
                                       .infra = LP_NONE,
                                       .node = 3,
                                       .incarnation = 4,
                                       .run = 5,
                                       .grace_ms = 6,
                                       .revision = UINT64_C(1) << 53,
                                       .because = {(uint32_t)reason, 137, 99}};
            struct lp_action again;
            struct lp_err err = {0};
            lp_action_print(&action, &first);
            assert_int_equal(lp_action_parse(first.text, first.bytes, &again, &err), 0);
            lp_action_print(&again, &second);
            assert_string_equal(lp_str_text(&first), lp_str_text(&second));
            assert_true(again.id == UINT64_MAX);
            assert_int_equal(again.because.reason, reason);
        }
    }
}

static void the_line_is_stable(void **state)
{
    (void)state;
    LP_OWNS_STR struct lp_str line = {0};
    struct lp_action action = {.id = 7,
                               .kind = LP_ACTION_START_APP,
                               .infra = LP_NONE,
                               .service = LP_NONE,
                               .node = 3,
                               .app = 1,
                               .host = LP_NONE,
                               .image = LP_NONE,
                               .incarnation = 2,
                               .run = 4,
                               .because = {LP_REASON_APP_EXITED, 1, 12}};
    lp_action_print(&action, &line);
    assert_string_equal(
        lp_str_text(&line),
        "{\"action\":\"start-app\",\"id\":7,\"node\":3,\"app\":1,\"incarnation\":2,\"run\":4,"
        "\"because\":\"app-exited\",\"because_a\":1,\"because_seq\":12}");
}

static void why_reads_as_a_clause(void **state)
{
    (void)state;
    static const struct {
        struct lp_because because;
        const char *text;
    } cases[] = {
        {{LP_REASON_APP_EXITED, 1, 0}, "it exited with code 1"},
        {{LP_REASON_APP_EXITED, 256 + 9, 0}, "it was killed by signal 9 (SIGKILL)"},
        {{LP_REASON_NODE_DEAD, 256 + 15, 0}, "the node was killed by signal 15 (SIGTERM)"},
        {{LP_REASON_APP_HUNG, 3, 0}, "its check failed 3 times in a row"},
        {{LP_REASON_APP_HUNG, 1, 0}, "its check failed once in a row"},
        {{LP_REASON_NODE_START_FAILED, 2, 0}, "the node could not be started (attempt 2)"},
        {{LP_REASON_NO_REPLY, 5500, 0}, "nothing was heard of the order for 5.5 s"},
        {{LP_REASON_RESTARTS_NO_HELP, 2, 0}, "restarting it in the same node 2 times did not help"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        LP_OWNS_STR struct lp_str text = {0};
        lp_because_print(&cases[i].because, &text);
        assert_string_equal(lp_str_text(&text), cases[i].text);
    }
    for (int reason = 0; reason < LP_REASONS; reason++) {
        LP_OWNS_STR struct lp_str text = {0};
        lp_because_print(&(struct lp_because){.reason = (uint32_t)reason}, &text);
        assert_true(text.bytes > 10);
    }
}

static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *text;
    } cases[] = {
        {"{\"action\":\"start-nod\"}",
         "action: unknown action \"start-nod\", did you mean \"start-node\"?"},
        {"{\"action\":\"start-node\",\"run\":1}", "action: unknown key \"run\""},
        {"{\"action\":\"start-node\",\"because\":\"scald\"}",
         "action: unknown because \"scald\", did you mean \"scaled\"?"},
        {"{\"action\":\"start-node\",\"because\":7}", "action: \"because\" must be a word"},
        {"{}", "action: the key \"action\" with a word is missing"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lp_action action;
        struct lp_err err = {0};
        const char *line = cases[i].line;
        assert_int_equal(lp_action_parse(line, strlen(line), &action, &err), LP_EINPUT);
        assert_string_equal(err.text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_survives),
        cmocka_unit_test(the_line_is_stable),
        cmocka_unit_test(why_reads_as_a_clause),
        cmocka_unit_test(what_is_wrong_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
