// Tests of the floor base: strings, memory, fingerprints, spelling, files.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/handover.h"
#include "base/hash.h"
#include "base/own.h"
#include "base/rng.h"
#include "base/spelling.h"
#include "base/str.h"

static void json_escapes_and_repairs(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", "\"\""},
        {"a\"b\\", "\"a\\\"b\\\\\""},
        {"\n\t\x01", "\"\\n\\t\\u0001\""},
        {"gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
        {"\xff|\xc0\x80|\xed\xa0\x80", "\"\\ufffd|\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd\""}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        LP_OWNS_STR struct lp_str str = {0};
        lp_str_add_json(&str, cases[i].in);
        assert_string_equal(lp_str_text(&str), cases[i].out);
    }
}

static void errors_wrap_outside_in(void **state)
{
    (void)state;
    struct lp_err err;
    assert_int_equal(lp_err_set(&err, LP_EIO, "open %s", "x"), LP_EIO);
    assert_int_equal(lp_err_wrap(&err, "stop node %d", 3), LP_EIO);
    assert_string_equal(err.text, "stop node 3: open x");
    assert_string_equal(lp_code_word(LP_ETIMEOUT), "timeout");
}

static void spelling_is_near_or_nothing(void **state)
{
    (void)state;
    static const char *const words[] = {"image", "volumes", "healthcheck", "ports"};
    assert_string_equal(lp_spelling_nearest("volume", words, 4), "volumes");
    assert_string_equal(lp_spelling_nearest("iamge", words, 4), "image");
    assert_string_equal(lp_spelling_nearest("heatlhchekc", words, 4), "healthcheck");
    assert_null(lp_spelling_nearest("banana", words, 4));
}

static void fingerprints_match_the_standards(void **state)
{
    (void)state;
    char text[LP_SHA256_TEXT];
    lp_sha256_text("abc", 3, text); // FIPS 180-4, example
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(lp_hash64("abc", 3) == 0xba7816bf8f01cfeau);
    assert_true(lp_fnv(LP_FNV_START, "a", 1) == 0xaf63dc4c8601ec8cu);
}

static void random_numbers_repeat_and_stay_below(void **state)
{
    (void)state;
    struct lp_rng a, b;
    lp_rng_init(&a, 7);
    lp_rng_init(&b, 7);
    for (int i = 0; i < 1000; i++) {
        uint64_t x = lp_rng_below(&a, 10);
        assert_true(x < 10);
        assert_true(x == lp_rng_below(&b, 10));
    }
}

static void files_are_replaced_whole(void **state)
{
    (void)state;
    char folder[] = "/tmp/limpet-base-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct lp_err err;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    char *deep = lp_arena_printf(&arena, "%s/a/b", folder);
    char *path = lp_arena_printf(&arena, "%s/x", deep);
    assert_int_equal(lp_dir_make(deep, 0700, &err), 0);
    assert_int_equal(lp_file_write(path, "one", 3, 0600, &err), 0);
    assert_int_equal(lp_file_write(path, "two!", 4, 0600, &err), 0);
    LP_OWNS_STR struct lp_str text = {0};
    assert_int_equal(lp_file_read(path, 100, &text, &err), 0);
    assert_string_equal(lp_str_text(&text), "two!");
    assert_int_equal(lp_file_read(path, 3, &text, &err), LP_EFULL);
    assert_int_equal(lp_dir_remove(folder, &err), 0);
    assert_false(lp_path_exists(folder));
    assert_int_equal(lp_file_read(path, 3, &text, &err), LP_ENOTFOUND);
}

static void what_is_handed_over_is_tried_before(void **state)
{
    (void)state;
    char folder[] = "/tmp/limpet-base-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct lp_err err;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0};
    char *deep = lp_arena_printf(&arena, "%s/a/b", folder);
    char *path = lp_arena_printf(&arena, "%s/x", deep),
         *copy = lp_arena_printf(&arena, "%s.2", path);
    char *link = lp_arena_printf(&arena, "%s/link", folder);
    char *under_file = lp_arena_printf(&arena, "%s/c/d", path);
    assert_int_equal(lp_handover_check_file(path, &err), LP_EINPUT);
    assert_non_null(strstr(err.text, "No such file"));
    assert_int_equal(lp_handover_check_folder("/proc/nowhere/at/all", &err), LP_EINPUT);
    assert_int_equal(lp_handover_check_folder(deep, &err), 0);
    assert_int_equal(lp_handover_check_file(path, &err), 0);
    assert_false(lp_path_exists(path));
    assert_int_equal(lp_handover_check_file(deep, &err), LP_EINPUT);
    assert_int_equal(lp_handover_write(path, "one", 3, 0600, &err), 0);
    assert_int_equal(lp_handover_check_file(path, &err), 0);
    assert_int_equal(lp_handover_check_folder(under_file, &err), LP_EINPUT);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(lp_handover_write(link, "two!", 4, 0600, &err), 0);
    assert_int_equal(lp_handover_copy(path, copy, &err), 0);
    assert_int_equal(lp_handover_copy(path, copy, &err), 0);
    assert_int_equal(lp_handover_copy("/proc/self/comm", link, &err), 0); // another file system
    assert_int_equal(lp_file_read(copy, 100, &text, &err), 0);
    assert_string_equal(lp_str_text(&text), "two!");
    assert_false(lp_path_exists(lp_arena_printf(&arena, "%s.new", copy)));
    assert_int_equal(lp_dir_remove(folder, &err), 0);
}

static void what_is_no_file_is_written_to(void **state)
{
    (void)state;
    struct lp_err err;
    int ends[2];
    char got[16] = "", path[32];
    LP_OWNS_FD int fd = -1;
    assert_int_equal(pipe(ends), 0);
    assert_true(snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[1]) > 0);
    assert_int_equal(lp_handover_check_file(path, &err), 0);
    assert_int_equal(lp_handover_begin(path, "be", 2, &fd, &err), 0);
    assert_int_equal(lp_fd_write(fd, "gun", 3, &err), 0);
    assert_int_equal(lp_handover_write(path, "!", 1, 0600, &err), 0);
    assert_int_equal(read(ends[0], got, sizeof(got) - 1), 6);
    assert_string_equal(got, "begun!");
    close(ends[0]);
    close(ends[1]);
}

static void arenas_hold_what_they_gave(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    char *texts[200];
    for (int i = 0; i < 200; i++)
        texts[i] = lp_arena_printf(&arena, "%0*d", 300 + i, i);
    for (int i = 0; i < 200; i++)
        assert_int_equal(atoi(texts[i]), i);
    assert_true(arena.total_bytes >= 200u * 300u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_escapes_and_repairs),
        cmocka_unit_test(errors_wrap_outside_in),
        cmocka_unit_test(spelling_is_near_or_nothing),
        cmocka_unit_test(fingerprints_match_the_standards),
        cmocka_unit_test(random_numbers_repeat_and_stay_below),
        cmocka_unit_test(files_are_replaced_whole),
        cmocka_unit_test(what_is_handed_over_is_tried_before),
        cmocka_unit_test(what_is_no_file_is_written_to),
        cmocka_unit_test(arenas_hold_what_they_gave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
