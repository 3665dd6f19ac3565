// Connecting to limpet-init's Unix socket, whatever the length of its path.
#pragma once

#include <stdbool.h>

#include "base/err.h"

// LP_ENOTFOUND: no such socket, or nobody listens; LP_ETIMEOUT: its queue of connections is full
// (try again); LP_EIO: else. The fd is closed on exec and the caller's.
LP_MUST_CHECK int lp_init_socket_open(const char *path, bool is_nonblocking, int *ret_fd,
                                      struct lp_err *err);
// Make the socket and listen, replacing a stale one; for the driver that starts limpet-init, which
// inherits the fd. Mode 0600. LP_EIO.
LP_MUST_CHECK int lp_init_socket_listen(const char *path, int *ret_fd, struct lp_err *err);
