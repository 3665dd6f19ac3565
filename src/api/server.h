// HTTP on the Unix socket <root>/limpet.sock (mode 0600), by libmicrohttpd with an epoll handle of
// its own, so that one poll(2) waits for it and the drivers together.
#pragma once

#include <stdint.h>

#include "base/err.h"

struct lp_api;
struct lp_server;

// api: lent until close. A socket that a dead daemon left is replaced: the caller holds the lock.
LP_MUST_CHECK int lp_server_open(struct lp_api *api, struct lp_server **ret_server,
                                 struct lp_err *err);
int lp_server_wait_fd(const struct lp_server *server);
// How long may be waited before the next turn, in milliseconds; -1: for ever.
int lp_server_wait_ms(const struct lp_server *server);
// Take bytes in, answer calls, send bytes. Never blocks.
void lp_server_turn(struct lp_server *server);
// Readable when something was removed from the root, perhaps the socket; -1: it cannot be watched.
int lp_server_watch_fd(const struct lp_server *server);
// Make the socket anew when somebody removed it: nobody could reach the daemon any more. Calls that
// are being answered get their answers first. Returns 1 when it was, 0 when all is well; LP_EIO:
// try again.
LP_MUST_CHECK int lp_server_heal(struct lp_server *server, struct lp_err *err);
// Take no more calls, answer those that wait, and give the answers at most limit_ms to leave.
void lp_server_finish(struct lp_server *server, int limit_ms);
void lp_server_close(struct lp_server *server); // the socket is removed
