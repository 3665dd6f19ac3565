// The daemon: the engine's loop, the drivers and the HTTP server in one process and thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct lp_daemon_config {
    const char *root;  // absolute
    bool has_log_file; // output goes to <root>/daemon.log, which is kept short
    int ready_fd;      // gets "ready\n", or what is wrong; closed then. -1: nobody asks
};

struct lp_salvage {
    uint64_t last_seq; // the last record kept
    bool is_sound;     // the journal is in order: nothing was changed
};
// Keep the longest sound run of records of a damaged journal; the damaged file is moved aside.
// LP_ECONFLICT: a daemon runs for this root. LP_ENOTFOUND: there is no journal. LP_ECORRUPT: not
// one record is sound; nothing was changed.
LP_MUST_CHECK int lp_daemon_salvage(const char *root, struct lp_salvage *ret_kept,
                                    struct lp_err *err);

// Run until SIGTERM, SIGINT or POST /v1/shutdown; the nodes keep running. LP_ECONFLICT: another
// daemon runs for this root. LP_ECORRUPT: the journal is damaged; err says what to do.
LP_MUST_CHECK int lp_daemon_run(const struct lp_daemon_config *config, struct lp_err *err);
