// Reading an application's log: rotation, tails, times, and what a hostile node may plant.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/log_source.h"
#include "base/file.h"

struct folder {
    char path[64];
};

static int setup(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    strcpy(folder->path, "/tmp/limpet-logs-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    *state = folder;
    return 0;
}

static int teardown(void **state)
{
    struct lp_err err;
    assert_int_equal(lp_dir_remove(((struct folder *)*state)->path, &err), 0);
    free(*state);
    return 0;
}

static void path_make(const struct folder *folder, const char *name, char ret_path[128])
{
    snprintf(ret_path, 128, "%s/%s", folder->path, name);
}

static void put(const struct folder *folder, const char *name, const char *text, size_t bytes)
{
    char path[128];
    path_make(folder, name, path);
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, bytes, file), bytes);
    fclose(file);
}

static void put_text(const struct folder *folder, const char *name, const char *text)
{
    put(folder, name, text, strlen(text));
}

static void put_time(const struct folder *folder, const char *name, uint64_t offset, uint64_t ms)
{
    char record[16];
    for (int i = 0; i < 8; i++) {
        record[i] = (char)(offset >> (8 * i));
        record[8 + i] = (char)(ms >> (8 * i));
    }
    put(folder, name, record, sizeof(record));
}

static struct lp_log_source source_open(const struct folder *folder, uint64_t tail)
{
    struct lp_log_source source = {.folder = folder->path, .app = "app"};
    lp_log_source_open(&source, tail);
    return source;
}

// All lines that are there now, each with its time when it has one, joined by '|'.
static const char *drain(struct lp_log_source *source, bool is_last)
{
    static char text[4096];
    const char *line = NULL;
    size_t bytes = 0, at = 0;
    text[0] = '\0';
    while (lp_log_source_peek(source, is_last, &line, &bytes)) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%.*s", (int)bytes, line);
        if (source->time_ms)
            at += (size_t)snprintf(text + at, sizeof(text) - at, "@%d", (int)source->time_ms);
        at += (size_t)snprintf(text + at, sizeof(text) - at, "|");
        lp_log_source_take(source);
    }
    return text;
}

static void test_both_parts_in_order(void **state)
{
    const struct folder *folder = *state;
    put_text(folder, "app.log.1", "one\ntwo\n");
    put_text(folder, "app.log", "three\n\nfo");
    struct lp_log_source source = source_open(folder, 0);
    assert_string_equal(drain(&source, false), "one|two|three||");
    put_text(folder, "app.log", "ur\nfive");
    assert_string_equal(drain(&source, false), "four|");
    assert_string_equal(drain(&source, true), "five|");
    lp_log_source_close(&source);
}

static void test_tail(void **state)
{
    static const struct {
        uint64_t tail;
        const char *wanted;
    } cases[] = {{1, "6|"},         {2, "5|6|"},         {3, "4|5|6|"},
                 {5, "2|3|4|5|6|"}, {6, "1|2|3|4|5|6|"}, {100, "1|2|3|4|5|6|"}};
    const struct folder *folder = *state;
    put_text(folder, "app.log.1", "1\n2\n3\n");
    put_text(folder, "app.log", "4\n5\n6\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lp_log_source source = source_open(folder, cases[i].tail);
        assert_string_equal(drain(&source, true), cases[i].wanted);
        lp_log_source_close(&source);
    }
}

static void test_tail_of_much(void **state)
{
    const struct folder *folder = *state;
    for (int i = 0; i < 5000; i++)
        put_text(folder, "app.log", i % 1000 == 999 ? "mark\n" : "a line of some length\n");
    struct lp_log_source source = source_open(folder, 2001);
    const char *line = NULL;
    size_t bytes = 0, lines = 0, marks = 0;
    while (lp_log_source_peek(&source, true, &line, &bytes)) {
        lines++;
        marks += bytes == 4;
        lp_log_source_take(&source);
    }
    assert_int_equal(lines, 2001);
    assert_int_equal(marks, 3);
    lp_log_source_close(&source);
}

static void test_follows_rotation(void **state)
{
    const struct folder *folder = *state;
    char from[128], to[128];
    struct lp_log_source source = source_open(folder, 0); // there is no log yet
    assert_string_equal(drain(&source, false), "");
    put_text(folder, "app.log", "a\n");
    assert_string_equal(drain(&source, false), "a|");
    put_text(folder, "app.log", "b\n");
    path_make(folder, "app.log", from);
    path_make(folder, "app.log.1", to);
    assert_int_equal(rename(from, to), 0);
    put_text(folder, "app.log", "c\n");
    assert_string_equal(drain(&source, false), "b|c|");
    put_text(folder, "app.log", "d\n");
    assert_string_equal(drain(&source, false), "d|");
    lp_log_source_close(&source);
}

static void test_times(void **state)
{
    const struct folder *folder = *state;
    put_text(folder, "app.log", "a\nb\nc\nd\n");
    put_time(folder, "app.log.times", 0, 100);
    put_time(folder, "app.log.times", 4, 200);
    struct lp_log_source source = source_open(folder, 0);
    assert_string_equal(drain(&source, false), "a@100|b@100|c@200|d@200|");
    put_text(folder, "app.log", "e\n");
    put_time(folder, "app.log.times", 8, 300);
    assert_string_equal(drain(&source, false), "e@300|");
    lp_log_source_close(&source);
    source = source_open(folder, 2);
    assert_string_equal(drain(&source, false), "d@200|e@300|");
    lp_log_source_close(&source);
}

static void test_hostile(void **state)
{
    const struct folder *folder = *state;
    char path[128];
    static char longest[3 * LP_LOG_LINE_MAX];
    path_make(folder, "app.log", path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    struct lp_log_source source = source_open(folder, 0);
    assert_string_equal(drain(&source, true), "");
    lp_log_source_close(&source);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); // opening it must not block
    source = source_open(folder, 1);
    assert_string_equal(drain(&source, true), "");
    lp_log_source_close(&source);
    assert_int_equal(unlink(path), 0);

    memset(longest, 'x', sizeof(longest)); // a line without an end arrives in pieces
    put(folder, "app.log", longest, sizeof(longest));
    put_time(folder, "app.log.times", UINT64_MAX, UINT64_MAX);
    put_text(folder, "app.log.times", "torn");
    source = source_open(folder, 0);
    const char *line = NULL;
    size_t bytes = 0, total = 0;
    while (lp_log_source_peek(&source, true, &line, &bytes)) {
        assert_in_range(bytes, 1, 2 * LP_LOG_LINE_MAX);
        total += bytes;
        lp_log_source_take(&source);
    }
    assert_int_equal(total, sizeof(longest));
    lp_log_source_close(&source);
}

#define with_folder(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_folder(test_both_parts_in_order),
        with_folder(test_tail),
        with_folder(test_tail_of_much),
        with_folder(test_follows_rotation),
        with_folder(test_times),
        with_folder(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
