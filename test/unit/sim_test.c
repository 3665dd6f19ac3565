// Tests of the simulator: seeds that once broke a law, every write of a short life, and that the
// same seed gives the same trace.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "sim/sim.h"

static struct lp_sim_report run(const struct lp_sim_config *config)
{
    static struct lp_sim_report report;
    struct lp_err err = {0};
    if (lp_sim_run(config, &report, &err) < 0)
        fail_msg("%s\n%s", err.text, report.failure);
    return report;
}

static void the_same_seed_gives_the_same_trace(void **state)
{
    (void)state;
    struct lp_sim_config config = {.seed = 42, .hosts = 2, .nodes = 6, .span_ms = 10 * 60 * 1000};
    struct lp_sim_report first = run(&config), again = run(&config);
    assert_true(first.trace_hash == again.trace_hash);
    assert_true(first.records > 100 && first.orders > 10);
    config.seed = 43;
    assert_true(run(&config).trace_hash != first.trace_hash);
}

static void faults_really_happen(void **state)
{
    (void)state;
    struct lp_sim_config config = {.nodes = 6, .hosts = 2, .span_ms = 60 * 60 * 1000};
    uint64_t crashes = 0, faults = 0, requests = 0;
    for (config.seed = 1; config.seed <= 2; config.seed++) {
        struct lp_sim_report report = run(&config);
        crashes += report.crashes;
        faults += report.faults;
        requests += report.requests;
    }
    assert_true(crashes >= 5 && faults >= 30 && requests >= 20);
}

// More of them in test/seeds.txt, which says what each one showed.
static void seeds_that_once_broke_a_law_hold(void **state)
{
    (void)state;
    static const uint64_t seeds[] = {129, 246, 287, 389};
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
        run(&(struct lp_sim_config){.seed = seeds[i], .nodes = 6, .span_ms = 60 * 60 * 1000});
}

static void every_write_may_be_the_last(void **state)
{
    (void)state;
    struct lp_sim_config config = {
        .seed = 3, .nodes = 3, .span_ms = 1, .crash_at_write = UINT64_MAX};
    uint64_t writes = run(&config).writes;
    assert_in_range(writes, 5, 2000);
    for (uint64_t write = 1; write <= writes; write++) {
        for (int after = 0; after < 2; after++) {
            config.crash_at_write = write;
            config.is_crash_after = after;
            struct lp_sim_report report = run(&config);
            assert_int_equal(report.crashes, 1);
        }
    }
}

static void what_makes_no_world_is_refused(void **state)
{
    (void)state;
    static struct lp_sim_report report;
    struct lp_err err = {0};
    struct lp_sim_config config = {.hosts = 1000};
    assert_int_equal(lp_sim_run(&config, &report, &err), LP_EINPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_trace),
        cmocka_unit_test(faults_really_happen),
        cmocka_unit_test(seeds_that_once_broke_a_law_hold),
        cmocka_unit_test(every_write_may_be_the_last),
        cmocka_unit_test(what_makes_no_world_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
