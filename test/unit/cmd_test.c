// Tests of the command line's parts: options by the table, tables for people, times.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/table.h"
#include "base/clock.h"
#include "base/own.h"

static const struct lp_option options[] = {
    {"wait", 0, "[SECONDS]", ""}, {"follow", 'f', NULL, ""}, {"last", 'n', "N", ""}, {0}};
static const struct lp_verb verb = {.name = "verb", .options = options};

struct line {
    struct lp_arena arena;
    struct lp_cmd cmd;
    int argc, code;
    char *argv[16];
};

// words: separated by blanks.
static void take(struct line *line, const char *words)
{
    *line = (struct line){0};
    line->cmd.arena = &line->arena;
    char *text = lp_arena_text(&line->arena, words);
    line->argv[line->argc++] = lp_arena_text(&line->arena, "verb");
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        line->argv[line->argc++] = word;
    line->code = lp_options_take(&line->cmd, &verb, &line->argc, line->argv, &line->cmd.err);
}

static void options_stand_anywhere(void **state)
{
    struct line line;
    (void)state;
    take(&line, "a -f --root /x b -n5 --output=json -q --infra demo -- --c -d");
    assert_int_equal(line.code, 0);
    assert_int_equal(line.argc, 5);
    assert_string_equal(line.argv[1], "a");
    assert_string_equal(line.argv[3], "--c");
    assert_string_equal(line.cmd.root, "/x");
    assert_string_equal(line.cmd.infra, "demo");
    assert_true(line.cmd.is_json && line.cmd.is_quiet);
    assert_true(lp_option_is_given(&line.cmd, "follow"));
    assert_false(lp_option_is_given(&line.cmd, "wait"));
    assert_string_equal(lp_option_value(&line.cmd, "last"), "5");
    lp_arena_release(&line.arena);
}

static void values_may_be_left_out_or_come_twice(void **state)
{
    struct line line;
    (void)state;
    take(&line, "--wait seven -fn 8 --last 9");
    assert_string_equal(lp_option_value(&line.cmd, "wait"), "");
    assert_string_equal(lp_option_value(&line.cmd, "last"), "9");
    assert_int_equal(line.argc, 2);
    lp_arena_release(&line.arena);
    take(&line, "--wait=7");
    assert_string_equal(lp_option_value(&line.cmd, "wait"), "7");
    lp_arena_release(&line.arena);
}

static void a_time_behind_wait_is_its_value(void **state)
{
    static const struct {
        const char *words;
        int argc, code;
        int64_t ms;
    } cases[] = {
        {"f.yaml", 2, 0, 600000},
        {"--wait f.yaml", 2, 0, 600000},
        {"--wait 8s f.yaml", 2, 0, 8000},
        {"--wait 90 f.yaml", 2, 0, 90000},
        {"--wait=1m30s", 1, 0, 90000},
        {"--wait=soon", 1, LP_EINPUT, 0},
        {"--wait 7d.yaml", 2, 0, 600000},
        {"--wait=-3", 1, LP_EINPUT, 0},
        {"--wait=0", 1, 0, 0},
        {"--wait=900h", 1, LP_EINPUT, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct line line;
        int64_t ms = 0;
        take(&line, cases[i].words);
        assert_int_equal(line.code, 0);
        assert_int_equal(line.argc, cases[i].argc);
        assert_int_equal(lp_option_wait_ms(&line.cmd, &ms, &line.cmd.err), cases[i].code);
        assert_int_equal(ms, cases[i].ms);
        lp_arena_release(&line.arena);
    }
}

static void wrong_options_are_told(void **state)
{
    static const struct {
        const char *words, *text;
    } cases[] = {
        {"--folow", "did you mean --follow?"},
        {"--inrfa x", "did you mean --infra?"},
        {"--zzzzzzzzz", "limpet verb --help"},
        {"-z", "no option -z"},
        {"--follow=1", "takes no value"},
        {"--last", "--last needs N"},
        {"-n", "-n needs N"},
        {"-o xml", "json and text"},
        {"-fz", "no option -z"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct line line;
        take(&line, cases[i].words);
        assert_int_equal(line.code, LP_EINPUT);
        if (!strstr(line.cmd.err.text, cases[i].text))
            fail_msg("%s: %s", cases[i].words, line.cmd.err.text);
        lp_arena_release(&line.arena);
    }
}

static void the_program_takes_options_up_to_the_verb(void **state)
{
    static const char *const words[] = {"limpet", "--root", "/x", "ps", "--all"};
    struct line line = {0};
    (void)state;
    line.cmd.arena = &line.arena;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        line.argv[line.argc++] = lp_arena_text(&line.arena, words[i]);
    assert_int_equal(lp_options_take(&line.cmd, NULL, &line.argc, line.argv, &line.cmd.err), 0);
    assert_int_equal(line.argc, 3);
    assert_string_equal(line.argv[1], "ps");
    assert_string_equal(line.argv[2], "--all");
    lp_arena_release(&line.arena);
}

static void numbers_are_whole_and_bounded(void **state)
{
    static const struct {
        const char *text;
        int code;
        long number;
    } cases[] = {
        {"0", 0, 0},          {"10", 0, 10},         {"11", LP_EINPUT, 0},
        {"-1", LP_EINPUT, 0}, {"", LP_EINPUT, 0},    {"1x", LP_EINPUT, 0},
        {"x", LP_EINPUT, 0},  {"1e1", LP_EINPUT, 0}, {"99999999999999999999", LP_EINPUT, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct lp_err err;
        long number = 0;
        assert_int_equal(lp_number_parse(cases[i].text, 0, 10, "n", &number, &err), cases[i].code);
        assert_int_equal(number, cases[i].number);
    }
}

static void widths_count_columns(void **state)
{
    (void)state;
    assert_int_equal(lp_text_width(""), 0);
    assert_int_equal(lp_text_width("abc"), 3);
    assert_int_equal(lp_text_width("äöü"), 3);
    assert_int_equal(lp_text_width("e\xcc\x81"), 1); // a combining accent
    assert_int_equal(lp_text_width("日本"), 4);
    assert_int_equal(lp_text_width("\xff\xfe"), 2); // not UTF-8: one '?' each
    assert_int_equal(lp_text_width("\xe2\x82"), 2); // cut in the middle
}

static void texts_are_cut_and_cleaned(void **state)
{
    static const struct {
        const char *text;
        size_t columns;
        const char *shown;
    } cases[] = {
        {"abc", 3, "abc"},
        {"abcd", 3, "ab…"},
        {"abc", 0, ""},
        {"日本語", 4, "日…"},
        {"日本語", 5, "日本…"},
        {"a\033[2Jb", 9, "a?[2Jb"},
        {"a\tb\n", 9, "a?b?"},
        {"\xff"
         "a",
         9, "?a"},
        {"a\xc2\x9b"
         "b",
         9, "a?b"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        LP_OWNS_STR struct lp_str out = {0};
        lp_text_fit(&out, cases[i].text, cases[i].columns);
        assert_string_equal(lp_str_text(&out), cases[i].shown);
    }
}

static void tables_are_aligned(void **state)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str out = {0};
    struct lp_cmd cmd = {.arena = &arena};
    struct lp_table table = {.columns = 3};
    (void)state;
    lp_table_add(&cmd, &table, (struct lp_cell[]){{"A", LP_DIM}, {"BB", LP_DIM}, {"", LP_DIM}});
    lp_table_add(&cmd, &table,
                 (struct lp_cell[]){{"日本", LP_PLAIN}, {"x", LP_GREEN}, {"note", LP_PLAIN}});
    lp_table_add(&cmd, &table,
                 (struct lp_cell[]){{"longer", LP_PLAIN}, {"", LP_PLAIN}, {"", LP_PLAIN}});
    lp_table_render(&table, false, &out);
    assert_string_equal(lp_str_text(&out), "A       BB\n日本    x   note\nlonger\n");
    lp_str_clear(&out);
    lp_table_render(&table, true, &out);
    assert_non_null(strstr(lp_str_text(&out), "\033[32mx\033[0m"));
}

static void times_are_for_people(void **state)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_cmd cmd = {.arena = &arena};
    int64_t now_ms = lp_wall_ms();
    (void)state;
    assert_string_equal(lp_time_span(&cmd, -5), "0 ms");
    assert_string_equal(lp_time_span(&cmd, 999), "999 ms");
    assert_string_equal(lp_time_span(&cmd, 1234), "1.2 s");
    assert_string_equal(lp_time_span(&cmd, 59999), "59 s");
    assert_string_equal(lp_time_span(&cmd, 61000), "1 min 1 s");
    assert_string_equal(lp_time_span(&cmd, 7260000), "2 h 1 min");
    assert_string_equal(lp_time_ago(&cmd, 0), "");
    assert_string_equal(lp_time_ago(&cmd, now_ms + 5000), "just now");
    assert_string_equal(lp_time_ago(&cmd, now_ms - 185 * 1000), "3 min ago");
    assert_string_equal(lp_time_ago(&cmd, now_ms - 72LL * 3600 * 1000), "3 days ago");
}

static void health_has_its_colour(void **state)
{
    (void)state;
    assert_int_equal(lp_health_color("healthy"), LP_GREEN);
    assert_int_equal(lp_health_color("gave up"), LP_RED);
    assert_int_equal(lp_health_color("repairing"), LP_YELLOW);
    assert_int_equal(lp_health_color(""), LP_YELLOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(values_may_be_left_out_or_come_twice),
        cmocka_unit_test(a_time_behind_wait_is_its_value),
        cmocka_unit_test(wrong_options_are_told),
        cmocka_unit_test(the_program_takes_options_up_to_the_verb),
        cmocka_unit_test(numbers_are_whole_and_bounded),
        cmocka_unit_test(widths_count_columns),
        cmocka_unit_test(texts_are_cut_and_cleaned),
        cmocka_unit_test(tables_are_aligned),
        cmocka_unit_test(times_are_for_people),
        cmocka_unit_test(health_has_its_colour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
