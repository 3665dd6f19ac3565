// The page that sets a node's clocks: what it says, what a drift comes to, and that nobody reads
// half of a change.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "drivers/fault/clock_page.h"

static char folder[] = "/tmp/clock-test-XXXXXX", path[64];

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/clock", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void page_says_what_was_written(void **state)
{
    (void)state;
    struct lp_clock_setting read, setting = {.fault = 7, .real_ns = -5, .drift_ppm = 100};
    struct lp_err err;
    struct stat facts;
    assert_int_equal(lp_clock_page_read(path, &read, &err), LP_ENOTFOUND);
    assert_int_equal(lp_clock_page_write(path, &setting, &err), LP_ENOTFOUND);
    assert_int_equal(lp_clock_page_make(path, &err), 0);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0644); // the node's users read it
    assert_int_equal(lp_clock_page_read(path, &read, &err), 0);
    assert_true(read.fault == 0 && read.real_ns == 0 && read.drift_ppm == 0);
    for (uint64_t i = 1; i < 4; i++) {
        setting.fault = i;
        assert_int_equal(lp_clock_page_write(path, &setting, &err), 0);
        assert_int_equal(lp_clock_page_read(path, &read, &err), 0);
        assert_memory_equal(&read, &setting, sizeof(read));
    }
    assert_int_equal(lp_clock_page_make(path, &err), 0); // of a new life
    assert_int_equal(lp_clock_page_read(path, &read, &err), 0);
    assert_int_equal(read.fault, 0);
    assert_int_equal(truncate(path, 10), 0);
    assert_int_equal(lp_clock_page_read(path, &read, &err), LP_ECORRUPT);
    assert_int_equal(lp_clock_page_write(path, &setting, &err), LP_ECORRUPT);
}

static void nonsense_is_not_trusted(void **state)
{
    (void)state;
    struct lp_clock_setting setting;
    struct lp_clock_page page = {.magic = LP_CLOCK_MAGIC};
    assert_true(lp_clock_setting_get(&page, &setting));
    page.settings[0].drift_ppm = -1000000; // it would stand still: no deadline is ever reached
    assert_false(lp_clock_setting_get(&page, &setting));
    page.turn = 1;
    assert_true(lp_clock_setting_get(&page, &setting));
    page.magic++;
    assert_false(lp_clock_setting_get(&page, &setting));
}

static void drift_is_exact(void **state)
{
    (void)state;
    static const struct {
        int64_t drift_ppm, spent_ns, gain_ns;
    } cases[] = {
        {100, INT64_C(1000000000), 100000},
        {1000000, 123456789, 123456789},
        {-500000, INT64_C(10000000000), INT64_C(-5000000000)},
        {9000000, INT64_C(31536000) * 1000000000, INT64_C(31536000) * 9000000000}, // a year
        {-900000, INT64_C(31536000) * 1000000000, INT64_C(-31536000) * 900000000},
        {1, 999999, 0},
        {1, 1000000, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lp_clock_setting setting = {.anchor_ns = 5000, .drift_ppm = cases[i].drift_ppm};
        assert_int_equal(lp_clock_gain(&setting, 5000 + cases[i].spent_ns), cases[i].gain_ns);
    }
}

// A writer that changes it all the time and is killed in the midst of it.
static void no_half_of_a_change_is_read(void **state)
{
    (void)state;
    struct lp_clock_setting setting = {0}, first;
    struct lp_err err;
    assert_int_equal(lp_clock_page_make(path, &err), 0);
    pid_t writer = fork();
    assert_true(writer >= 0);
    while (writer == 0) {
        setting.fault++;
        setting.real_ns = setting.monotonic_ns = setting.anchor_ns = (int64_t)setting.fault;
        if (lp_clock_page_write(path, &setting, &err) < 0)
            _exit(1);
    }
    LP_OWNS_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    const struct lp_clock_page *page = mmap(NULL, sizeof(*page), PROT_READ, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    uint64_t changes = 0, last = 0;
    while (changes < 500) {
        if (!lp_clock_setting_get(page, &first))
            continue; // eight changes while it was read: not a half one
        assert_true(first.real_ns == (int64_t)first.fault && first.monotonic_ns == first.real_ns &&
                    first.anchor_ns == first.real_ns);
        changes += first.fault != last;
        last = first.fault;
    }
    kill(writer, SIGKILL);
    assert_int_equal(waitpid(writer, NULL, 0), writer);
    assert_true(lp_clock_setting_get(page, &first));
    assert_true(first.real_ns == (int64_t)first.fault);
    munmap((void *)(uintptr_t)page, sizeof(*page));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_says_what_was_written),
        cmocka_unit_test(nonsense_is_not_trusted),
        cmocka_unit_test(drift_is_exact),
        cmocka_unit_test(no_half_of_a_change_is_read),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
