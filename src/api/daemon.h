// The daemon: the root folder, the engine in its loop, and the HTTP interface on a Unix socket.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct lp_daemon_config {
    const char *root; // absolute path; made when absent
    int ready_fd;     // "ok\n" or an error's text is written here once; -1: nowhere
};

// Run until SIGTERM, SIGINT or POST /v1/shutdown. Nodes keep running. LP_ECONFLICT when another
// daemon holds the root.
LP_MUST_CHECK int lp_daemon_run(const struct lp_daemon_config *config, struct lp_err *err);

// <root>/limpet.sock, as an address; LP_EINPUT when too long for one (108 bytes).
LP_MUST_CHECK int lp_daemon_socket_path(const char *root, char *ret_path, size_t bytes,
                                        struct lp_err *err);
