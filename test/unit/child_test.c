// Children: output, status, time limits, namespaces, words for what goes wrong.
#define _GNU_SOURCE
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/own.h"
#include "base/str.h"
#include "drivers/child.h"

static void test_output(void **state)
{
    (void)state;
    const char *argv[] = {"sh", "-c", "cat; echo err >&2; exit 3", NULL};
    struct lp_child_spec spec = {.argv = argv, .input = "hello\n", .output_max = 100};
    LP_OWNS_STR struct lp_str output = {0};
    struct lp_err err = {0};
    int status;
    assert_int_equal(lp_child_run(&spec, &status, &output, &err), 0);
    assert_int_equal(status, 3);
    assert_string_equal(lp_str_text(&output), "hello\nerr\n");
}

static void test_output_bound(void **state)
{
    (void)state;
    const char *argv[] = {"sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; printf end", NULL};
    struct lp_child_spec spec = {.argv = argv, .output_max = 1000};
    LP_OWNS_STR struct lp_str output = {0};
    struct lp_err err = {0};
    int status;
    assert_int_equal(lp_child_run(&spec, &status, &output, &err), 0);
    assert_int_equal(output.bytes, 1000);
    assert_true(lp_text_ends(lp_str_text(&output), "xend"));
}

static void test_limit(void **state)
{
    (void)state;
    const char *argv[] = {"sh", "-c", "sleep 60 & sleep 60", NULL};
    struct lp_child_spec spec = {.argv = argv, .timeout_ms = 50};
    struct lp_err err = {0};
    int status;
    assert_int_equal(lp_child_run(&spec, &status, NULL, &err), LP_ETIMEOUT);
    assert_non_null(strstr(err.text, "50 ms"));
}

static void test_missing(void **state)
{
    (void)state;
    const char *nowhere[] = {"no-such-program", NULL}, *path[] = {"/no/such/program", NULL};
    struct lp_child_spec spec = {.argv = nowhere};
    struct lp_err err = {0};
    int status;
    assert_int_equal(lp_child_run(&spec, &status, NULL, &err), LP_EIO);
    assert_string_equal(err.text, "no-such-program is not installed");
    spec.argv = path;
    assert_int_equal(lp_child_run(&spec, &status, NULL, &err), LP_EIO);
    assert_string_equal(err.text, "start /no/such/program: execute: No such file or directory");
}

static void exit_note(void *context, const struct lp_child_exit *exit)
{
    uint64_t *sum = context;
    assert_int_equal(exit->status, 256 + SIGTERM);
    *sum += exit->tag;
}

static void test_many(void **state)
{
    (void)state;
    struct lp_children *children;
    struct lp_err err = {0};
    const char *argv[] = {"sleep", "60", NULL};
    struct lp_child_spec spec = {.argv = argv};
    uint64_t sum = 0;
    assert_int_equal(lp_children_open(&children, &err), 0);
    for (uint64_t i = 1; i <= 20; i++)
        assert_int_equal(lp_children_spawn(children, &spec, i, NULL, &err), 0);
    assert_int_equal(lp_children_count(children), 20);
    for (uint64_t i = 1; i <= 20; i++)
        assert_int_equal(lp_children_signal(children, i, SIGTERM), 1);
    struct pollfd wait = {.fd = lp_children_wait_fd(children), .events = POLLIN};
    while (lp_children_count(children) > 0 && poll(&wait, 1, 60000) > 0)
        lp_children_collect(children, exit_note, &sum);
    assert_int_equal(sum, 210);
    lp_children_close(children);
}

static void test_words(void **state)
{
    (void)state;
    LP_OWNS_STR struct lp_str text = {0};
    lp_child_status_print(1, &text);
    lp_str_add(&text, ", ");
    lp_child_status_print(256 + SIGKILL, &text);
    assert_string_equal(lp_str_text(&text), "exited with code 1, was killed by signal 9 (Killed)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output), cmocka_unit_test(test_output_bound),
        cmocka_unit_test(test_limit),  cmocka_unit_test(test_missing),
        cmocka_unit_test(test_many),   cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
