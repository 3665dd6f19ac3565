// The simulator: the shipped engine in a world made of one seed, and a judge over both.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

struct lp_sim_config {
    uint64_t seed;
    uint32_t hosts;  // machines, the first of which runs the daemon; 0: 1
    uint32_t nodes;  // about so many at a time; 0: 6
    int64_t span_ms; // simulated time; 0: one hour
    FILE *trace;     // every line of the trace goes here; NULL: nowhere
    // For sweeps: the daemon dies at this write of the journal (the first is 1), before or after
    // it; no other crash happens then. 0: crashes come by chance.
    uint64_t crash_at_write;
    bool is_crash_after;
    uint32_t fault_kind; // in such a world, what is aimed at a node once all is up; 0: none, but
                         // each kind of change is asked for
};

struct lp_sim_report {
    uint64_t trace_hash; // of every record and every order: the same for the same seed, anywhere
    int64_t simulated_ms;
    uint64_t records, orders, writes, crashes, faults, requests, settlings;
    // When a law is broken: the law, the step and its time, the last lines of the trace and the
    // command that replays it. Else empty.
    char failure[8192];
};

// Run one world to its end. ret_report is written in any case. LP_ECONFLICT when a law is broken
// (err has its first line); LP_EINPUT when the configuration makes no world.
LP_MUST_CHECK int lp_sim_run(const struct lp_sim_config *config, struct lp_sim_report *ret_report,
                             struct lp_err *err);
