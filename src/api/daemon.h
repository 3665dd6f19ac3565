// The daemon: the engine's loop, the drivers and the HTTP server in one process and thread.
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct lp_daemon_config {
    const char *root;  // absolute
    bool has_log_file; // output goes to <root>/daemon.log, which is kept short
    int ready_fd;      // gets "ready\n", or what is wrong; closed then. -1: nobody asks
};

// Run until SIGTERM, SIGINT or POST /v1/shutdown; the nodes keep running. LP_ECONFLICT: another
// daemon runs for this root. LP_ECORRUPT: the journal is damaged; err says what to do.
LP_MUST_CHECK int lp_daemon_run(const struct lp_daemon_config *config, struct lp_err *err);
