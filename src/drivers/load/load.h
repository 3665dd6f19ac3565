// The load generator: sends the requests of a plan at their times and notes what came of each.
// One thread, one epoll; nothing it waits for can delay an arrival. For the best punctuality give
// it a process of its own.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "drivers/load/load_file.h"
#include "model/load.h"
#include "model/sample.h"

struct lp_load_run;

struct lp_load_counts {
    uint64_t due;                     // arrivals so far
    uint64_t good, failed;            // of them, ended so far
    uint64_t outstanding;             // under way or waiting for a connection
    uint64_t acknowledged, read_back; // writes; those whose reading back has ended
    bool is_reading_back;
};

// Look up the addresses (may take as long as the resolver does), begin the file and start the
// clock: the first request is due now. load and its texts must outlive the run; every target must
// have its url. out_path NULL: no file. LP_EINPUT: a URL; LP_EIO: address or file.
LP_MUST_CHECK int lp_load_open(const struct lp_load *load, const char *out_path,
                               struct lp_load_run **ret_run, struct lp_err *err);
// Send what is due and take what arrived, for at most max_ms. 1: goes on; 0: all is done.
LP_MUST_CHECK int lp_load_turn(struct lp_load_run *run, uint32_t max_ms, struct lp_err *err);
// No further arrivals; what is outstanding ends, and writes are read back. Called again: end all
// at once; what was under way is aborted, what was not read back stays unread.
void lp_load_stop(struct lp_load_run *run);
// What has ended so far, in the order in which it ended; lent until the next turn.
const struct lp_sample *lp_load_samples(const struct lp_load_run *run, size_t *ret_count);
void lp_load_count(const struct lp_load_run *run, struct lp_load_counts *ret_counts);
const struct lp_load_header *lp_load_started(const struct lp_load_run *run);
int64_t lp_load_now_us(const struct lp_load_run *run); // since the start
// End the file, when it is not yet, and give everything back.
LP_MUST_CHECK int lp_load_close(struct lp_load_run *run, struct lp_err *err);
