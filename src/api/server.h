// The HTTP server: libmicrohttpd on a Unix socket, driven by the daemon's own loop.
#pragma once

#include <stdint.h>

#include "api/routes.h"

struct lp_server;

// Listen on the socket path (0600; a stale one is replaced). api is lent for the server's life.
LP_MUST_CHECK int lp_server_open(const char *socket_path, struct lp_api *api,
                                 struct lp_server **ret_server, struct lp_err *err);
void lp_server_close(struct lp_server *server);
int lp_server_fd(const struct lp_server *server); // readable: call run
// Answer what can be answered; never blocks. Held requests are answered when the journal has grown
// or their time is over.
void lp_server_run(struct lp_server *server, int64_t now_ms);
// Milliseconds until run must be called again; -1: no need.
int lp_server_timeout_ms(const struct lp_server *server, int64_t now_ms);
