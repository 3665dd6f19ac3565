// The engine's time: what a step of the clock of the day does to it, in both directions.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/steady.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

static const int64_t start_ms = 1700000000000;

static struct lp_steady begun(int64_t not_before_ms)
{
    struct lp_steady steady;
    lp_steady_start(&steady, start_ms, 5000, not_before_ms);
    return steady;
}

static void test_even_clock_is_followed(void **state)
{
    (void)state;
    struct lp_steady steady = begun(0);
    assert_int_equal(lp_steady_time(&steady, start_ms, 5000), start_ms);
    // Slewed by 500 ppm, read as seldom as once a minute.
    for (int64_t i = 1; i <= 100; i++) {
        int64_t wall_ms = start_ms + i * (MINUTE + 30);
        assert_int_equal(lp_steady_time(&steady, wall_ms, 5000 + i * MINUTE), wall_ms);
        lp_steady_note(&steady, wall_ms, 5000 + i * MINUTE);
    }
}

// Set by so much, and then read every second for a day: each second lasts between 7/8 and 9/8, and
// in the end the time is the clock's.
static void step_is_worked_off(int64_t step_ms, int64_t until_even_ms)
{
    struct lp_steady steady = begun(0);
    int64_t before_ms = start_ms;
    for (int64_t s = 1; s * SECOND <= 24 * (int64_t)HOUR; s++) {
        int64_t wall_ms = start_ms + step_ms + s * SECOND, even_ms = 5000 + s * SECOND;
        int64_t time_ms = lp_steady_time(&steady, wall_ms, even_ms);
        assert_in_range(time_ms - before_ms, SECOND - SECOND / 8, SECOND + SECOND / 8);
        if (s * SECOND >= until_even_ms)
            assert_int_equal(time_ms, wall_ms);
        else
            assert_int_not_equal(time_ms, wall_ms);
        lp_steady_note(&steady, wall_ms, even_ms);
        before_ms = time_ms;
    }
}

static void test_steps_are_worked_off(void **state)
{
    (void)state;
    step_is_worked_off(HOUR, 8 * HOUR);
    step_is_worked_off(-HOUR, 8 * HOUR);
    step_is_worked_off(10 * SECOND, 80 * SECOND);
    step_is_worked_off(-10 * SECOND, 80 * SECOND);
}

// Reading often must not hide how much was worked off: notes closer than a second change nothing.
static void test_reading_often_is_no_different(void **state)
{
    (void)state;
    struct lp_steady seldom = begun(0), often = begun(0);
    for (int64_t ms = 1; ms <= 20 * SECOND; ms++)
        lp_steady_note(&often, start_ms + HOUR + ms, 5000 + ms);
    lp_steady_note(&seldom, start_ms + HOUR + 20 * SECOND, 5000 + 20 * SECOND);
    assert_int_equal(seldom.hidden_ms, HOUR - 20 * SECOND / 8);
    assert_int_equal(often.hidden_ms, seldom.hidden_ms);
}

// The journal has times ahead of the clock of the day: time goes on from there.
static void test_journal_ahead_of_the_clock(void **state)
{
    (void)state;
    struct lp_steady steady = begun(start_ms + HOUR);
    assert_int_equal(lp_steady_time(&steady, start_ms, 5000), start_ms + HOUR);
    assert_int_equal(lp_steady_time(&steady, start_ms + 8 * SECOND, 5000 + 8 * SECOND),
                     start_ms + HOUR + 7 * SECOND);
    assert_int_equal(
        lp_steady_time(&steady, start_ms + 8 * (int64_t)HOUR, 5000 + 8 * (int64_t)HOUR),
        start_ms + 8 * (int64_t)HOUR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_even_clock_is_followed),
        cmocka_unit_test(test_steps_are_worked_off),
        cmocka_unit_test(test_reading_often_is_no_different),
        cmocka_unit_test(test_journal_ahead_of_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
