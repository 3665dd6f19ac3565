// Where the following of files stopped is kept, and gone on from: through rotation while nobody
// looked, with what cannot be read any more said.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "logs/follow_parts.h"

static char folder[64];
static int64_t now_ms;

static const char *at(const char *name)
{
    static char paths[4][128];
    static int next;
    next = (next + 1) % 4;
    snprintf(paths[next], sizeof paths[next], "%s/%s", folder, name);
    return paths[next];
}

// Each write is a second after the one before: no test waits for a clock.
static void append(const char *name, const char *text)
{
    FILE *file = fopen(at(name), "a");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
    now_ms += 1000;
    const struct timespec times[2] = {{.tv_sec = now_ms / 1000}, {.tv_sec = now_ms / 1000}};
    assert_int_equal(utimensat(AT_FDCWD, at(name), times, 0), 0);
}

static void move(const char *from, const char *to)
{
    assert_int_equal(rename(at(from), at(to)), 0);
}

// Follow the file (or "": the folder), from where the last one stopped; everything that is new, as
// "line|line|", and what was not seen, as "(PATH: ...)". Then keep the places.
static const char *session(const char *name, bool from_end)
{
    static struct lp_str text;
    LP_OWNS_STR struct lp_str unseen = {0};
    const char *line;
    size_t source, bytes;
    struct lp_log_follow_kept kept = {0};
    lp_str_clear(&text);
    struct lp_log_follow *follow = lp_log_follow_open(
        &(struct lp_log_follow_config){.from_end = from_end, .is_polling = true});
    assert_int_equal(lp_log_follow_add(follow, name[0] ? at(name) : folder, NULL), 0);
    int code = lp_log_follow_resume(follow, at("places"), &kept, &unseen, NULL);
    assert_true(code == 0 || code == LP_ENOTFOUND);
    lp_log_follow_look(follow);
    while (lp_log_follow_next(follow, &source, &line, &bytes)) {
        lp_str_add_n(&text, line, bytes);
        lp_str_add_char(&text, '|');
    }
    kept.saved_ms = now_ms += 1000;
    assert_int_equal(lp_log_follow_save(follow, &kept, at("places"), NULL), 0);
    lp_log_follow_close(follow);
    if (unseen.bytes > 0)
        lp_str_printf(&text, "(%s)", strstr(lp_str_text(&unseen), folder) + strlen(folder) + 1);
    return lp_str_text(&text);
}

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/limpet-place-XXXXXX");
    now_ms = (int64_t)1700000000 * 1000;
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return lp_dir_remove(folder, NULL);
}

static void test_nothing_happened(void **state)
{
    (void)state;
    append("a.log", "one\ntwo\nhal");
    assert_string_equal(session("a.log", false), "one|two|");
    assert_string_equal(session("a.log", true), "");
    append("a.log", "f\nthree\n");
    assert_string_equal(session("a.log", true), "half|three|");
    assert_string_equal(session("a.log", true), "");
}

static void test_end_in_the_middle_of_a_line(void **state)
{
    (void)state;
    append("a.log", "one\nhal");
    assert_string_equal(session("a.log", true), "");
    append("a.log", "f\ntwo\n");
    assert_string_equal(session("a.log", true), "two|"); // as it would without a restart
}

static void test_rotated_twice(void **state)
{
    (void)state;
    append("a.log", "one\n");
    assert_string_equal(session("a.log", false), "one|");
    append("a.log", "two\n");
    move("a.log", "a.log.1");
    append("a.log", "three\n");
    move("a.log.1", "a.log.2");
    move("a.log", "a.log.1");
    append("a.log", "four\n");
    assert_string_equal(session("a.log", true), "two|three|four|");
    move("a.log.2", "a.log.3");
    move("a.log.1", "a.log.2");
    move("a.log", "a.log.1"); // and nothing has the name
    append("a.log.1", "late\n");
    assert_string_equal(session("a.log", true), "late|");
    append("a.log", "five\n");
    assert_string_equal(session("a.log", true), "five|");
}

static void test_rotated_by_copy(void **state)
{
    (void)state;
    append("a.log", "one\n");
    assert_string_equal(session("a.log", false), "one|");
    append("a.log.1", "one\ntwo\n");
    assert_int_equal(truncate(at("a.log"), 0), 0);
    append("a.log", "three\n");
    assert_string_equal(session("a.log", true), "two|three|");
}

static void test_rotated_away(void **state)
{
    (void)state;
    append("a.log.5", "before anybody looked\n");
    append("a.log", "one\ntwo\n");
    assert_string_equal(session("a.log", false), "one|two|");
    move("a.log", "elsewhere"); // keeps its inode from being used again
    assert_int_equal(truncate(at("elsewhere"), 3), 0);
    append("a.log.1", "three\n");
    append("a.log", "four\n");
    assert_string_equal(session("a.log", true),
                        "three|four|(a.log: what came behind byte 8 was not seen: the file is not "
                        "there any more\n)");
}

static void test_compressed_and_cut(void **state)
{
    (void)state;
    append("a.log", "one\n");
    assert_string_equal(session("a.log", false), "one|");
    append("a.log.1.gz", "?");
    assert_int_equal(truncate(at("a.log"), 0), 0);
    append("a.log", "another\n");
    const char *news = session("a.log", true);
    assert_non_null(strstr(news, "another|"));
    assert_non_null(strstr(news, "a.log.1.gz was not seen: it is compressed\n"));
    assert_non_null(strstr(news, "behind byte 4 was not seen: it was cut or overwritten\n"));
}

static void test_folder(void **state)
{
    (void)state;
    append("a.log", "one\n");
    append("b.log", "eins\n");
    assert_int_equal(strlen(session("", false)), strlen("one|eins|")); // in any order
    append("a.log", "two\n");
    move("a.log", "a-old.log"); // a name that is followed, too: no new file
    append("a.log", "three\n");
    append("c.log", "uno\n");
    const char *news = session("", true);
    assert_int_equal(strlen(news), strlen("two|three|uno|"));
    assert_true(strstr(news, "two|") && strstr(news, "three|") && strstr(news, "uno|"));
    assert_true(strstr(news, "two|") < strstr(news, "three|"));
    assert_string_equal(session("", true), "");
    assert_non_null(strstr(session("a.log", true), "(and others) was followed before and is not "
                                                   "now: what came since was not seen"));
}

// Nodes: a new one beside those that were followed is read from its start, unlike one of another
// kind.
static void test_kin(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        LP_OWNS_STR struct lp_str unseen = {0};
        struct lp_log_follow_kept kept = {.saved_ms = now_ms += 1000};
        const char *line, *nodes[] = {"one", "two"};
        size_t source, bytes, count = 0;
        struct lp_log_follow *follow = lp_log_follow_open(
            &(struct lp_log_follow_config){.from_end = true, .is_polling = true});
        assert_int_equal(lp_dir_make(at(nodes[round]), 0755, NULL), 0);
        append(round ? "two/a.log" : "one/a.log", "line\n");
        for (int i = 0; i < 2; i++) // of which in the first round one is not there
            assert_int_equal(lp_log_follow_add_kin(follow, at(nodes[i]), NULL), 0);
        int code = lp_log_follow_resume(follow, at("places"), &kept, &unseen, NULL);
        assert_int_equal(code, round ? 0 : LP_ENOTFOUND);
        lp_log_follow_look(follow);
        while (lp_log_follow_next(follow, &source, &line, &bytes))
            count++;
        assert_int_equal(count, round);
        assert_int_equal(lp_log_follow_save(follow, &kept, at("places"), NULL), 0);
        lp_log_follow_close(follow);
    }
}

static void test_absent_before(void **state)
{
    (void)state;
    assert_string_equal(session("a.log", true), "");
    append("a.log", "all of it\n");
    assert_string_equal(session("a.log", true), "all of it|");
}

// However a log is written and rotated, while it is followed and while it is not, every line
// arrives once, in order.
static void test_every_line_once(void **state)
{
    (void)state;
    LP_OWNS_STR struct lp_str wanted = {0}, got = {0};
    srand(11);
    lp_str_add(&got, session("a.log", true));
    for (int i = 0; i < 400; i++) {
        char line[32];
        snprintf(line, sizeof line, "line %d of the log\n", i);
        append("a.log", line);
        lp_str_printf(&wanted, "line %d of the log|", i);
        int chance = rand() % 10;
        if (chance < 3)
            lp_str_add(&got, session("a.log", true));
        for (int k = 30; chance == 3 && k >= 0; k--) {
            char from[32], to[32];
            snprintf(from, sizeof from, k ? "a.log.%d" : "a.log", k);
            snprintf(to, sizeof to, "a.log.%d", k + 1);
            if (lp_path_exists(at(from)))
                move(from, to);
        }
    }
    lp_str_add(&got, session("a.log", true));
    assert_string_equal(lp_str_text(&got), lp_str_text(&wanted));
}

static void test_damage(void **state)
{
    (void)state;
    append("a.log", "one\n");
    session("a.log", false);
    LP_OWNS_STR struct lp_str text = {0}, unseen = {0};
    struct lp_log_follow_kept kept;
    struct lp_err err;
    assert_int_equal(lp_file_read(at("places"), 1 << 20, &text, NULL), 0);
    struct lp_log_follow *follow =
        lp_log_follow_open(&(struct lp_log_follow_config){.is_polling = true});
    for (size_t i = 0; i < text.bytes; i++) {
        text.text[i] ^= 1;
        assert_int_equal(lp_log_follow_resume_text(follow, &text, &kept, &unseen, &err),
                         LP_ECORRUPT);
        text.text[i] ^= 1;
        struct lp_str cut = {.text = text.text, .bytes = i};
        assert_int_equal(lp_log_follow_resume_text(follow, &cut, &kept, &unseen, &err),
                         LP_ECORRUPT);
    }
    assert_int_equal(lp_log_follow_resume_text(follow, &text, &kept, &unseen, &err), 0);
    lp_log_follow_close(follow);
}

int main(void)
{
#define EACH(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        EACH(test_nothing_happened), EACH(test_end_in_the_middle_of_a_line),
        EACH(test_rotated_twice),    EACH(test_rotated_by_copy),
        EACH(test_rotated_away),     EACH(test_compressed_and_cut),
        EACH(test_folder),           EACH(test_kin),
        EACH(test_absent_before),    EACH(test_every_line_once),
        EACH(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
