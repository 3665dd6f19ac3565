// The figures of one run under load: what was served, what a fault cost, how long it took. All of
// it is counted from the samples of the load and from marks on its clock; the order of the samples
// does not matter. Times are microseconds from the start of the load.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/sample.h"

enum {
    LP_OUTCOME_SCRATCH = 3,         // values of scratch a sample
    LP_OUTCOME_WINDOW_US = 1000000, // full throughput must hold so long,
    LP_OUTCOME_FULL_PERMILLE = 950, // at this share of what is offered
};

struct lp_outcome_marks { // -1: did not happen, or nobody knows
    int64_t fault_us;     // the order to inject was given
    int64_t effect_us;    // the fault was seen to be in effect
    int64_t detected_us;  // the controller first said so
    int64_t repaired_us;  // the controller's repair was done
};
#define LP_OUTCOME_NO_MARKS ((struct lp_outcome_marks){-1, -1, -1, -1})

struct lp_outcome_input {
    const struct lp_sample *samples;
    size_t count;
    int64_t end_us; // what was offered ended here: the plan's length, or when it was stopped
    int64_t delayed_after_us;
    struct lp_outcome_marks marks;
    int64_t *scratch; // room for LP_OUTCOME_SCRATCH * count values
};

// Percentiles are nearest-rank: the smallest value that at least so large a share does not exceed.
struct lp_outcome_spread { // microseconds; all -1 when count is 0
    uint64_t count;
    int64_t p50_us, p99_us, p999_us, max_us;
};

struct lp_outcome {
    // Requests: the arrivals of the plan, without readings back and without those aborted.
    uint64_t requests, good, failed;
    uint64_t endings[LP_END_COUNT]; // of all samples
    uint64_t delayed;               // good, but later than delayed_after_us
    uint32_t availability_ppm;      // good of requests; 0 when there are none

    // Seconds in which something was scheduled; good when no request scheduled in it failed.
    uint64_t seconds, good_seconds;
    uint32_t availability_seconds_ppm;

    // The longest time in which no good reply arrived, from the first arrival (or a good reply) to
    // the next good reply (or end_us); it includes the pauses that the plan itself makes.
    int64_t longest_gap_us, longest_gap_from_us;

    // Writes that are read back.
    uint64_t acknowledged, kept, lost, unread;

    // Of good replies, from the scheduled time. before: scheduled before the fault (all without
    // one); during: from there to the repair's mark, else to full throughput, else to the end.
    struct lp_outcome_spread latency, before, during, after;
    // Of the generator: sent - scheduled where an open connection was free.
    struct lp_outcome_spread lateness;

    // From the fault; -1: there was none, or it never came to that.
    int64_t to_effect_us, to_detect_us, to_repair_us; // by the marks
    int64_t to_first_failure_us; // to when the first request was scheduled that failed
    int64_t to_last_failure_us;  // the last one
    int64_t to_first_good_us;    // to the first good answer to one scheduled since the effect, and
                                 // since the first failure if any failed
    // To the first good reply, not before the one of to_first_good_us, from which on, for
    // LP_OUTCOME_WINDOW_US, good replies arrive at LP_OUTCOME_FULL_PERMILLE or more of what the
    // plan offers in that window.
    int64_t to_full_us;
};
void lp_outcome_count(const struct lp_outcome_input *input, struct lp_outcome *ret_outcome);

struct lp_outcome_step {
    uint32_t offered;               // requests scheduled in it
    uint32_t failed;                // of them
    uint32_t good;                  // good replies that arrived in it: the throughput
    int64_t p50_us, p99_us, max_us; // their latencies; -1 without any
};
// Row i is the time from i * step_us on; what lies behind `count` steps is left out.
void lp_outcome_series(const struct lp_outcome_input *input, int64_t step_us,
                       struct lp_outcome_step *ret_steps, size_t count);

// Sort ascending. spare: room for count values. Source: LSD radix sort, Knuth 5.2.5, a byte a
// pass; passes in which all bytes are equal are left out.
void lp_outcome_sort(int64_t *values, size_t count, int64_t *spare);
// The value at a share of 0 to 1000 permille of sorted values, nearest-rank; -1 when count is 0.
int64_t lp_outcome_percentile(const int64_t *sorted, size_t count, uint32_t permille);
