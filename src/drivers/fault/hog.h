// A hog: a process that takes something away from a node, or from the host, until it is killed.
// `limpet hog MARK KIND AMOUNT SHARE [FOLDER]`, started by the fault driver in the node's cgroup.
#pragma once

#include <stdint.h>

#include "base/err.h"

#define LP_HOG_BUSY "limpet-hog-busy" // its name (/proc/PID/comm) once it has what it is to take

struct lp_hog {
    const char *kind;   // "cpu", "memory", "oom", "disk-load", "processes"
    uint64_t amount;    // workers; bytes; 0: one a processor
    uint32_t permille;  // cpu: share of its time each worker burns
    const char *folder; // disk-load: where it writes; its files have no name
};

// Does not return while all is well. LP_EINPUT, LP_EIO.
LP_MUST_CHECK int lp_hog_run(const struct lp_hog *hog, struct lp_err *err);
