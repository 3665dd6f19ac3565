// Files that grow are followed across every way in which logs are rotated.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "logs/logs.h"

static char folder[64];

static const char *at(const char *name)
{
    static char paths[4][128];
    static int next;
    next = (next + 1) % 4;
    snprintf(paths[next], sizeof paths[next], "%s/%s", folder, name);
    return paths[next];
}

static void append(const char *name, const char *text)
{
    LP_OWNS_FILE FILE *file = fopen(at(name), "a");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) < 0, 0);
}

// Everything that is new, as "SOURCE:line|SOURCE:line|".
static const char *news(struct lp_log_follow *follow)
{
    static struct lp_str text;
    const char *line;
    size_t source, bytes;
    lp_str_clear(&text);
    lp_log_follow_look(follow);
    while (lp_log_follow_next(follow, &source, &line, &bytes)) {
        lp_str_printf(&text, "%zu:", source);
        lp_str_add_n(&text, line, bytes);
        lp_str_add_char(&text, '|');
    }
    return lp_str_text(&text);
}

static struct lp_log_follow *open_one(const char *name, struct lp_log_follow_config config)
{
    struct lp_log_follow *follow = lp_log_follow_open(&config);
    assert_int_equal(lp_log_follow_add(follow, at(name), NULL), 0);
    return follow;
}

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/limpet-follow-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return lp_dir_remove(folder, NULL);
}

static void test_lines_in_pieces(void **state)
{
    (void)state;
    struct lp_log_follow *follow = open_one("a.log", (struct lp_log_follow_config){0});
    assert_string_equal(news(follow), "");
    append("a.log", "one\ntw");
    assert_string_equal(news(follow), "0:one|");
    append("a.log", "o\n\nthree\n");
    assert_string_equal(news(follow), "0:two|0:|0:three|");
    lp_log_follow_close(follow);
}

static void test_rotation_by_name(void **state)
{
    (void)state;
    struct lp_log_follow *follow = open_one("a.log", (struct lp_log_follow_config){0});
    append("a.log", "one\n");
    assert_string_equal(news(follow), "0:one|");
    append("a.log", "two\n");
    assert_int_equal(rename(at("a.log"), at("a.log.1")), 0);
    append("a.log.1", "three\nhalf"); // its writer has not noticed yet
    assert_string_equal(news(follow), "0:two|0:three|");
    append("a.log", "four\n");
    assert_string_equal(news(follow), "0:half|0:four|");
    lp_log_follow_close(follow);
}

static void test_rotation_by_copy(void **state)
{
    (void)state;
    struct lp_log_follow *follow = open_one("a.log", (struct lp_log_follow_config){0});
    append("a.log", "a long line\nhalf of one");
    assert_string_equal(news(follow), "0:a long line|");
    assert_int_equal(truncate(at("a.log"), 0), 0);
    append("a.log", "new\n");
    assert_string_equal(news(follow), "0:new|");
    lp_log_follow_close(follow);
}

static void test_file_that_goes_and_comes(void **state)
{
    (void)state;
    struct lp_log_follow *follow = open_one("a.log", (struct lp_log_follow_config){0});
    append("a.log", "one\n");
    assert_string_equal(news(follow), "0:one|");
    assert_int_equal(unlink(at("a.log")), 0);
    assert_string_equal(news(follow), "");
    append("a.log", "two\n");
    assert_string_equal(news(follow), "0:two|");
    lp_log_follow_close(follow);
}

// A node that is gone: its log is not held open; one that comes again is followed again.
static void test_folder_that_goes_and_comes(void **state)
{
    (void)state;
    struct lp_log_follow *follow = lp_log_follow_open(&(struct lp_log_follow_config){0});
    for (int round = 0; round < 2; round++) {
        assert_int_equal(lp_dir_make(at("node"), 0755, NULL), 0);
        assert_int_equal(lp_log_follow_add(follow, at("node"), NULL), 0);
        append("node/a.log", "one\nlast");
        assert_string_equal(news(follow), "0:one|");
        assert_int_equal(lp_dir_remove(at("node"), NULL), 0);
        assert_string_equal(news(follow), "0:last|");
        char link[64], path[256];
        for (int fd = 3; fd < 64; fd++) {
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
            ssize_t bytes = readlink(link, path, sizeof path - 1);
            path[bytes > 0 ? bytes : 0] = 0;
            assert_null(strstr(path, folder));
        }
    }
    lp_log_follow_close(follow);
}

static void test_many_files(void **state)
{
    (void)state;
    struct lp_log_follow *follow =
        lp_log_follow_open(&(struct lp_log_follow_config){.is_polling = true});
    assert_int_equal(lp_log_follow_add(follow, folder, NULL), 0);
    for (int i = 0; i < 1024; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%d.log", folder, i);
        assert_int_equal(lp_log_follow_add(follow, path, NULL), 0);
    }
    (void)news(follow);
    assert_false(lp_log_follow_is_full(follow));
    append("more.log", "one\n");
    (void)news(follow);
    assert_true(lp_log_follow_is_full(follow));
    lp_log_follow_close(follow);
}

static void test_from_the_end(void **state)
{
    (void)state;
    append("a.log", "old\nhalf ");
    struct lp_log_follow *follow =
        open_one("a.log", (struct lp_log_follow_config){.from_end = true});
    assert_string_equal(news(follow), "");
    append("a.log", "a line\nnew\n");
    assert_string_equal(news(follow), "0:new|");
    assert_int_equal(lp_log_follow_add(follow, at("b.log"), NULL), 0);
    append("b.log", "all of it\n");
    assert_string_equal(news(follow), "1:all of it|");
    lp_log_follow_close(follow);
}

static void test_folder(void **state)
{
    (void)state;
    struct lp_log_follow *follow = lp_log_follow_open(&(struct lp_log_follow_config){0});
    assert_int_equal(lp_log_follow_add(follow, folder, NULL), 0);
    append("a.log", "one\n");
    append("notes.txt", "not a log\n");
    assert_string_equal(news(follow), "0:one|");
    append("b.log", "two\n");
    assert_string_equal(news(follow), "1:two|");
    // Renamed to another name that is followed: the same file, not a new one.
    assert_int_equal(rename(at("a.log"), at("a-old.log")), 0);
    append("a-old.log", "three\n");
    append("a.log", "four\n");
    assert_string_equal(news(follow), "0:three|0:four|");
    assert_int_equal(rename(at("a-old.log"), at("a-older.log")), 0);
    assert_int_equal(rename(at("a.log"), at("a-old.log")), 0);
    append("a.log", "five\n");
    assert_string_equal(news(follow), "0:five|"); // nor is the one that had it before that
    assert_int_equal(symlink("/etc/passwd", at("link.log")), 0);
    assert_string_equal(news(follow), "");
    assert_string_equal(strrchr(lp_log_follow_name(follow, 1), '/'), "/b.log");
    lp_log_follow_close(follow);
}

static void test_long_line(void **state)
{
    (void)state;
    struct lp_log_follow *follow = open_one("a.log", (struct lp_log_follow_config){0});
    char *line = malloc(3 * LP_LOG_LINE_BYTES + 1);
    memset(line, 'x', 3 * LP_LOG_LINE_BYTES);
    line[3 * LP_LOG_LINE_BYTES] = 0;
    append("a.log", line);
    append("a.log", "\nshort\n");
    free(line);
    const char *text;
    size_t source, bytes;
    lp_log_follow_look(follow);
    assert_true(lp_log_follow_next(follow, &source, &text, &bytes));
    assert_int_equal(bytes, LP_LOG_LINE_BYTES);
    assert_true(lp_log_follow_next(follow, &source, &text, &bytes));
    assert_int_equal(bytes, 5);
    assert_memory_equal(text, "short", 5);
    assert_false(lp_log_follow_next(follow, &source, &text, &bytes));
    lp_log_follow_close(follow);
}

static void test_pipe(void **state)
{
    (void)state;
    int ends[2];
    size_t source;
    assert_int_equal(pipe(ends), 0);
    struct lp_log_follow *follow = lp_log_follow_open(&(struct lp_log_follow_config){0});
    assert_int_equal(lp_log_follow_add_pipe(follow, ends[0], "pipe", &source, NULL), 0);
    assert_string_equal(news(follow), "");
    assert_int_equal(write(ends[1], "one\ntwo", 7), 7);
    assert_string_equal(news(follow), "0:one|");
    assert_false(lp_log_follow_has_ended(follow));
    close(ends[1]);
    assert_string_equal(news(follow), "0:two|");
    assert_true(lp_log_follow_has_ended(follow));
    lp_log_follow_close(follow);
}

// However a log is written and rotated, every line arrives once, in order.
static void test_every_line_once(void **state)
{
    (void)state;
    struct lp_log_follow *follow =
        open_one("a.log", (struct lp_log_follow_config){.is_polling = true});
    LP_OWNS_STR struct lp_str wanted = {0}, got = {0};
    srand(7);
    for (int i = 0; i < 300; i++) {
        char line[32];
        snprintf(line, sizeof line, "line %d\n", i);
        append("a.log", line);
        lp_str_printf(&wanted, "0:line %d|", i);
        int chance = rand() % 10;
        if (chance < 3)
            lp_str_add(&got, news(follow));
        else if (chance == 3) {
            lp_str_add(&got, news(follow)); // a second rotation unseen loses the first
            assert_int_equal(rename(at("a.log"), at("a.log.1")), 0);
        }
    }
    lp_str_add(&got, news(follow));
    assert_string_equal(lp_str_text(&got), lp_str_text(&wanted));
    lp_log_follow_close(follow);
}

int main(void)
{
#define EACH(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        EACH(test_lines_in_pieces),
        EACH(test_rotation_by_name),
        EACH(test_rotation_by_copy),
        EACH(test_folder),
        EACH(test_file_that_goes_and_comes),
        EACH(test_folder_that_goes_and_comes),
        EACH(test_many_files),
        EACH(test_from_the_end),
        EACH(test_long_line),
        EACH(test_pipe),
        EACH(test_every_line_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
