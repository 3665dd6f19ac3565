// The daemon dies at every step of every fault on purpose, in the simulated world: the judge finds
// nothing of it left, whatever the step was.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/fault.h"
#include "sim/sim.h"

static struct lp_sim_report run(const struct lp_sim_config *config)
{
    struct lp_sim_report report;
    struct lp_err err = {0};
    if (lp_sim_run(config, &report, &err) < 0)
        fail_msg("%s at write %llu%s: %s\n%s", lp_fault_words[config->fault_kind],
                 (unsigned long long)config->crash_at_write,
                 config->is_crash_after ? ", after it" : "", err.text, report.failure);
    return report;
}

// A small world: one node.
enum { SEED = 9 };

static void sweep(bool is_after)
{
    struct lp_sim_config config = {.seed = SEED, .nodes = 1, .span_ms = 1};
    uint32_t kinds = 0;
    config.is_crash_after = is_after;
    for (uint32_t kind = LP_FAULT_KILL; kind < LP_FAULT_KINDS; kind++) {
        if (lp_fault_about((enum lp_fault_kind)kind)->place == LP_FAULT_OF_DAEMON)
            continue; // its death is what this is about
        config.fault_kind = kind;
        config.crash_at_write = UINT64_MAX; // never
        struct lp_sim_report calm = run(&config);
        assert_true(calm.faults >= 1);
        assert_in_range(calm.writes, 5, 200);
        for (uint64_t write = 1; write <= calm.writes; write++) {
            config.crash_at_write = write;
            assert_int_equal(run(&config).crashes, 1);
        }
        kinds++;
    }
    assert_true(kinds >= 28);
}

static void the_daemon_dies_before_each_write_of_each_fault(void **state)
{
    (void)state;
    sweep(false);
}

static void the_daemon_dies_after_each_write_of_each_fault(void **state)
{
    (void)state;
    sweep(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_daemon_dies_before_each_write_of_each_fault),
        cmocka_unit_test(the_daemon_dies_after_each_write_of_each_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
