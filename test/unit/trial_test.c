// Stories of experiments: facts in, orders out, and the verdict.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "base/str.h"
#include "core/trial.h"

// The plan of most stories; steps and checks by their index:
//   prepare 0 | setup 1 | steady 0 | break 2(breaks) 3(wait 1 s), checks 1 2 | heal 4, check 3 |
//   cleanup 5(heals all) 6(undoes 1) 7 | after 4 | teardown 8 | guard 5
enum { STEPS = 9, CHECKS = 6 };
static const struct lp_trial_stage stages[] = {
    {LP_TRIAL_PREPARE, 0, 1, 0, 0}, {LP_TRIAL_SETUP, 1, 1, 0, 0},    {LP_TRIAL_STEADY, 2, 0, 0, 1},
    {LP_TRIAL_BREAK, 2, 2, 1, 2},   {LP_TRIAL_HEAL, 4, 1, 3, 1},     {LP_TRIAL_CLEANUP, 5, 3, 4, 0},
    {LP_TRIAL_AFTER, 8, 0, 4, 1},   {LP_TRIAL_TEARDOWN, 8, 1, 5, 0},
};
#define NO_UNDO LP_TRIAL_NONE
static const struct lp_trial_step steps[STEPS] = {
    {.undo_of = NO_UNDO},
    {.undo_of = NO_UNDO},
    {.undo_of = NO_UNDO, .breaks = true},
    {.undo_of = NO_UNDO, .kind = LP_TRIAL_WAIT, .wait_ms = 1000},
    {.undo_of = NO_UNDO},
    {.undo_of = NO_UNDO},
    {.undo_of = 1},
    {.undo_of = NO_UNDO},
    {.undo_of = NO_UNDO},
};
static const struct lp_trial_check checks[CHECKS] = {
    {.for_ms = 1000, .within_ms = 2000, .every_ms = 500},
    {.within_ms = 3000, .every_ms = 1000},
    {.every_ms = 1000, .is_failure_expected = true},
    {.within_ms = 1000, .every_ms = 100},
    {.every_ms = 1000},
    {.for_ms = 2000, .every_ms = 1000, .is_failure_expected = true},
};

struct line {
    int64_t at_ms;
    enum lp_trial_event_kind kind;
    uint32_t index;
    bool is_ok;
    const char *orders; // "run 2, read 1 @5000": what is ordered, and when it wants to be woken
};

static struct lp_trial trial;
static struct lp_trial_orders orders;

static struct lp_trial_plan plan_of(uint32_t guards)
{
    return (struct lp_trial_plan){.stages = stages,
                                  .steps = steps,
                                  .checks = checks,
                                  .stage_count = 8,
                                  .step_count = STEPS,
                                  .check_count = CHECKS,
                                  .first_guard = 5,
                                  .guard_count = guards,
                                  .heal_step = 5};
}

static const char *orders_text(void)
{
    static const char *const words[] = {"run", "cancel", "read", "drop"};
    static char text[4096];
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < orders.count; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s %u", i ? ", " : "",
                               words[orders.items[i].kind], orders.items[i].index);
    if (orders.wake_at_ms != INT64_MAX)
        at +=
            (size_t)snprintf(text + at, sizeof(text) - at, " @%lld", (long long)orders.wake_at_ms);
    if (orders.is_over)
        snprintf(text + at, sizeof(text) - at, "; %s", lp_trial_status_words[trial.status]);
    return text;
}

static void story_tell(const struct lp_trial_plan *plan, const struct line *lines)
{
    lp_trial_init(&trial, plan);
    for (size_t i = 0; lines[i].at_ms; i++) {
        const struct lp_trial_event event = {lines[i].kind, lines[i].index, lines[i].is_ok,
                                             lines[i].at_ms};
        lp_trial_step(&trial, &event, &orders);
        if (strcmp(orders_text(), lines[i].orders) != 0)
            fail_msg("line %zu (at %lld): '%s', not '%s'", i, (long long)lines[i].at_ms,
                     orders_text(), lines[i].orders);
    }
}

#define DONE(at, step, orders)                     \
    {                                              \
        at, LP_TRIAL_STEP_DONE, step, true, orders \
    }
#define BROKE(at, step, orders)                     \
    {                                               \
        at, LP_TRIAL_STEP_DONE, step, false, orders \
    }
#define GOOD(at, check, orders)                   \
    {                                             \
        at, LP_TRIAL_READING, check, true, orders \
    }
#define BAD(at, check, orders)                     \
    {                                              \
        at, LP_TRIAL_READING, check, false, orders \
    }
#define TICK(at, orders)                   \
    {                                      \
        at, LP_TRIAL_TICK, 0, true, orders \
    }
#define BEGIN                                  \
    {                                          \
        1000, LP_TRIAL_BEGIN, 0, true, "run 0" \
    }
// Up, set up, and steady for a second: at 2100 the first thing is broken.
#define UNTIL_BROKEN                                                                 \
    BEGIN, DONE(1050, 0, "run 1"), DONE(1100, 1, "read 0"), GOOD(1110, 0, " @1600"), \
        TICK(1600, "read 0"), GOOD(1610, 0, " @2100"), TICK(2100, "read 0"),         \
        GOOD(2110, 0, "run 2")

static void all_goes_well(void **state)
{
    (void)state;
    const struct lp_trial_plan plan = plan_of(0);
    const struct line lines[] = {
        UNTIL_BROKEN,
        TICK(5000, ""), // no check is read before the fault is in effect
        DONE(5100, 2, " @6100"),
        TICK(6100, "read 1, read 2"),
        BAD(6110, 2, ""), // as expected
        BAD(6120, 1, " @7100"),
        TICK(7100, "read 1"),
        GOOD(7150, 1, "run 4"),
        DONE(7200, 4, "read 3"),
        GOOD(7210, 3, "run 5"),
        DONE(7220, 5, "run 6"),
        DONE(7230, 6, "run 7"),
        DONE(7240, 7, "read 4"),
        GOOD(7250, 4, "run 8"),
        DONE(7260, 8, "; passed"),
        {0},
    };
    story_tell(&plan, lines);
    assert_int_equal(trial.reason_count, 0);
}

static void requirement_not_met(void **state)
{
    (void)state;
    const struct lp_trial_plan plan = plan_of(1);
    const struct line lines[] = {{1000, LP_TRIAL_BEGIN, 0, false, "; skipped"}, {0}};
    story_tell(&plan, lines);
    assert_int_equal(trial.reasons[0].kind, LP_TRIAL_NOT_MET);
    for (size_t i = 0; i < STEPS; i++)
        assert_int_equal(trial.steps[i].state, LP_TRIAL_LEFT_OUT);
}

static void never_steady(void **state)
{
    (void)state;
    const struct lp_trial_plan plan = plan_of(0);
    const struct line lines[] = {
        BEGIN,
        DONE(1050, 0, "run 1"),
        DONE(1100, 1, "read 0"),
        GOOD(1110, 0, " @1600"),
        TICK(1600, "read 0"),
        BAD(1610, 0, " @2100"), // the second of good begins anew
        TICK(2100, "read 0"),
        BAD(2110, 0, " @2600"),
        TICK(2600, "read 0"),
        BAD(2610, 0, " @3100"),
        TICK(3100, "read 0"), // its time is over: nothing is broken, all is cleaned up
        BAD(3110, 0, "run 5"),
        DONE(3120, 5, "run 6"),
        DONE(3130, 6, "run 7"),
        DONE(3140, 7, "run 8"),
        DONE(3150, 8, "; invalid"),
        {0},
    };
    story_tell(&plan, lines);
    assert_int_equal(trial.steps[2].state, LP_TRIAL_LEFT_OUT);
}

static void setup_fails(void **state)
{
    (void)state;
    const struct lp_trial_plan plan = plan_of(0);
    const struct line lines[] = {
        BEGIN,
        BROKE(1050, 0, "run 5"), // what was not done is not undone: no 6
        DONE(1060, 5, "run 7"),
        BROKE(1070, 7, "run 8"), // cleanup goes on whatever happens
        DONE(1080, 8, "; invalid"),
        {0},
    };
    story_tell(&plan, lines);
    assert_int_equal(trial.reason_count, 2);
}

static void check_fails(void **state)
{
    (void)state;
    const struct lp_trial_plan plan = plan_of(0);
    const struct line lines[] = {
        UNTIL_BROKEN,
        DONE(2200, 2, " @3200"),
        TICK(3200, "read 1, read 2"),
        GOOD(3210, 2, ""),      // it should have failed
        GOOD(3220, 1, "run 4"), // healed all the same
        DONE(3230, 4, "read 3"),
        GOOD(3240, 3, "run 5"),
        DONE(3250, 5, "run 6"),
        DONE(3260, 6, "run 7"),
        DONE(3270, 7, "read 4"),
        GOOD(3280, 4, "run 8"),
        DONE(3290, 8, "; failed"),
        {0},
    };
    story_tell(&plan, lines);
    assert_int_equal(trial.reason_count, 1);
    assert_int_equal(trial.reasons[0].kind, LP_TRIAL_CHECK_FAILED);
    assert_int_equal(trial.reasons[0].index, 2);
}

static void fault_fails(void **state)
{
    (void)state;
    const struct lp_trial_plan plan = plan_of(0);
    const struct line lines[] = {
        UNTIL_BROKEN,           BROKE(2200, 2, "run 5"), // nothing was tested
        DONE(2300, 5, "run 6"), DONE(2310, 6, "run 7"),     DONE(2320, 7, "read 4"),
        GOOD(2330, 4, "run 8"), DONE(2340, 8, "; invalid"), {0},
    };
    story_tell(&plan, lines);
}

static void not_steady_afterwards(void **state)
{
    (void)state;
    const struct lp_trial_plan plan = plan_of(0);
    const struct line lines[] = {
        UNTIL_BROKEN,
        DONE(2200, 2, " @3200"),
        TICK(3200, "read 1, read 2"),
        BAD(3210, 2, ""),
        GOOD(3220, 1, "run 4"),
        DONE(3230, 4, "read 3"),
        GOOD(3240, 3, "run 5"),
        DONE(3250, 5, "run 6"),
        DONE(3260, 6, "run 7"),
        DONE(3270, 7, "read 4"),
        BAD(3280, 4, "run 8"),
        DONE(3290, 8, "; failed"),
        {0},
    };
    story_tell(&plan, lines);
}

static void guard_ends_it(void **state)
{
    (void)state;
    const struct lp_trial_plan plan = plan_of(1);
    const struct line lines[] = {
        BEGIN,
        DONE(1050, 0, "run 1"),
        DONE(1100, 1, "read 0"),
        GOOD(1110, 0, " @1600"),
        TICK(1600, "read 0"),
        GOOD(1610, 0, " @2100"),
        TICK(2100, "read 0"),
        GOOD(2110, 0, "read 5, run 2"), // it watches from here on
        GOOD(2120, 5, " @3110"),
        DONE(2200, 2, " @3110"),
        TICK(3110, "read 5 @3200"),
        BAD(3120, 5, " @3200"),
        TICK(3200, "read 1, read 2 @4110"),
        BAD(3210, 1, " @4110"), // check 2 is being read all the while
        TICK(4110, "read 5 @4200"),
        BAD(4120, 5, " @4200"),
        TICK(4200, "read 1 @5110"),
        TICK(5110, "read 5"),
        // Two seconds of it: what is under way is dropped, all is healed before anything else.
        BAD(5120, 5, "drop 1, drop 2, run 5"),
        DONE(5130, 5, "run 6"),
        DONE(5140, 6, "run 7"),
        DONE(5150, 7, "read 4"),
        BAD(5160, 4, "run 8"),
        DONE(5170, 8, "; aborted"),
        {0},
    };
    story_tell(&plan, lines);
    assert_int_equal(trial.reasons[0].kind, LP_TRIAL_GUARD);
    assert_int_equal(trial.stages[4].state, LP_TRIAL_LEFT_OUT);
}

static void interrupted_twice(void **state)
{
    (void)state;
    const struct lp_trial_plan plan = plan_of(0);
    const struct line lines[] = {
        UNTIL_BROKEN,
        {2150, LP_TRIAL_INTERRUPT, 0, true, "cancel 2"},
        TICK(2160, ""), // what it has ordered has to be known before it is healed
        DONE(2170, 2, "run 5"),
        DONE(2180, 5, "run 6"),
        {2185, LP_TRIAL_INTERRUPT, 0, true, ""}, // the cleanup is done all the same
        DONE(2190, 6, "run 7"),
        DONE(2200, 7, "run 8"), // but nothing is checked again
        DONE(2210, 8, "; aborted"),
        {0},
    };
    story_tell(&plan, lines);
    assert_int_equal(trial.reason_count, 1);
}

static void late_facts_change_nothing(void **state)
{
    (void)state;
    const struct lp_trial_plan plan = plan_of(0);
    const struct line lines[] = {
        UNTIL_BROKEN,
        GOOD(2120, 0, ""),
        GOOD(2130, 3, ""),
        DONE(2140, 0, ""),
        DONE(2150, 7, ""),
        GOOD(2160, 99, ""),
        DONE(2170, 99, ""),
        BROKE(2180, 1, ""),
        DONE(2200, 2, " @3200"),
        {0},
    };
    story_tell(&plan, lines);
    assert_int_equal(trial.status, LP_TRIAL_PASSED);
}

// break 0(background, breaks) 1(background) 2 | check 0 until the faults end | cleanup 3 |
static void background_and_until(void **state)
{
    (void)state;
    static const struct lp_trial_stage few[] = {{LP_TRIAL_BREAK, 0, 3, 0, 1},
                                                {LP_TRIAL_CLEANUP, 3, 1, 1, 0}};
    static const struct lp_trial_step own[] = {
        {.undo_of = NO_UNDO, .is_background = true, .breaks = true},
        {.undo_of = NO_UNDO, .is_background = true, .may_fail = true},
        {.undo_of = NO_UNDO, .kind = LP_TRIAL_WAIT_LOAD, .wait_ms = 500},
        {.undo_of = NO_UNDO}};
    static const struct lp_trial_check one[] = {{.every_ms = 100, .until = LP_TRIAL_FAULTS_END}};
    const struct lp_trial_plan plan = {.stages = few,
                                       .steps = own,
                                       .checks = one,
                                       .stage_count = 2,
                                       .step_count = 4,
                                       .check_count = 1,
                                       .first_guard = 1,
                                       .heal_step = 3};
    const struct line lines[] = {
        {1000, LP_TRIAL_BEGIN, 0, true, "run 0, run 1"},
        {1100, LP_TRIAL_LOAD_BEGAN, 0, true, " @1600"},
        TICK(1600, ""), // its fault is not in effect yet
        {1650, LP_TRIAL_FAULTS, 0, false, ""},
        DONE(1700, 0, "read 0"),
        GOOD(1710, 0, " @1800"),
        TICK(1800, "read 0"),
        {1805, LP_TRIAL_FAULTS, 0, true, ""},
        GOOD(1810, 0, ""), // the other one in the background is still under way
        BROKE(1900, 1, "run 3"),
        DONE(1910, 3, "; passed"),
        {0},
    };
    story_tell(&plan, lines);
}

// Whatever comes in whatever order: it ends, cleans up once, and never reads a check of a stage
// that breaks before what breaks is done.
static void chance(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        const struct lp_trial_plan plan = plan_of(1);
        unsigned ran[STEPS] = {0};
        bool is_open[STEPS] = {false}, is_read[CHECKS] = {false}, is_broken = false;
        struct lp_rng rng;
        int64_t at_ms = 1000;
        lp_rng_init(&rng, seed);
        lp_trial_init(&trial, &plan);
        struct lp_trial_event event = {LP_TRIAL_BEGIN, 0, true, at_ms};
        size_t turn = 0;
        for (; turn < 4000; turn++) {
            lp_trial_step(&trial, &event, &orders);
            for (size_t i = 0; i < orders.count; i++) {
                uint32_t index = orders.items[i].index;
                if (orders.items[i].kind == LP_TRIAL_RUN_STEP) {
                    ran[index]++;
                    is_open[index] = true;
                } else if (orders.items[i].kind == LP_TRIAL_READ_CHECK) {
                    assert_true(is_broken || (index != 1 && index != 2 && index != 3));
                    is_read[index] = true;
                } else if (orders.items[i].kind == LP_TRIAL_DROP_CHECK) {
                    is_read[index] = false;
                }
            }
            if (orders.is_over)
                break;
            at_ms += (int64_t)lp_rng_below(&rng, 400);
            event = (struct lp_trial_event){LP_TRIAL_TICK, 0, true, at_ms};
            uint32_t step = (uint32_t)lp_rng_below(&rng, STEPS);
            uint32_t check = (uint32_t)lp_rng_below(&rng, CHECKS);
            if (is_open[step]) {
                is_open[step] = false;
                event.kind = LP_TRIAL_STEP_DONE;
                event.index = step;
                event.is_ok = !lp_rng_chance(&rng, 100);
                is_broken = is_broken || (step == 2 && event.is_ok);
            } else if (is_read[check]) {
                is_read[check] = false;
                event.kind = LP_TRIAL_READING;
                event.index = check;
                event.is_ok = lp_rng_chance(&rng, 800);
            } else if (lp_rng_chance(&rng, 3)) {
                event.kind = LP_TRIAL_INTERRUPT;
            }
        }
        if (!orders.is_over || ran[5] != 1 || ran[7] != 1 || ran[8] != 1)
            fail_msg("seed %llu", (unsigned long long)seed);
        for (size_t i = 0; i < STEPS; i++)
            assert_true(ran[i] <= 1);
        assert_int_equal(ran[6], ran[1]);
        for (size_t i = 0; i < STEPS; i++)
            assert_false(is_open[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_goes_well),         cmocka_unit_test(requirement_not_met),
        cmocka_unit_test(never_steady),          cmocka_unit_test(setup_fails),
        cmocka_unit_test(check_fails),           cmocka_unit_test(fault_fails),
        cmocka_unit_test(not_steady_afterwards), cmocka_unit_test(guard_ends_it),
        cmocka_unit_test(interrupted_twice),     cmocka_unit_test(late_facts_change_nothing),
        cmocka_unit_test(background_and_until),  cmocka_unit_test(chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
