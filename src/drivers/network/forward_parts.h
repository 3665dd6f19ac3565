// The parts of the forwarder as they see each other: sources of events, ports, the loop's state.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "drivers/network/forward_conf.h"

struct lp_forwarder;

enum {
    LP_FORWARD_CONNECTIONS_MAX = 4096, // and as many UDP flows
    LP_FORWARD_CONNECT_MS = 1000,      // then the next backend is tried
    LP_FORWARD_LAST_MS = 8000,         // in all, when no other is left
    LP_FORWARD_DOWN_MS = 2000,         // a backend that failed comes last for so long
    LP_FORWARD_FLOW_IDLE_MS = 60000,
    LP_FORWARD_RETRY_MS = 1000, // a port that could not be had
};

struct lp_forward_source { // what an epoll event points to
    void (*ready)(struct lp_forwarder *forwarder, struct lp_forward_source *source,
                  uint32_t events);
    int fd;
};

struct lp_forward_backend {
    uint32_t address;
    int64_t down_at_ms; // when it last failed; INT64_MIN: never
};

struct lp_forward_listener {
    struct lp_forward_source source; // first; fd -1 while the port cannot be had
    struct lp_forward_listener *next;
    struct lp_forward_port port; // backends: not used, see below
    struct lp_forward_backend *backends;
    size_t backend_count, next_backend;
    bool is_wanted; // while the file is read anew
    bool is_paused; // not in the epoll: no room for connections
    int trouble;    // errno of the last attempt
};

struct lp_forward_connection;
struct lp_forward_flow;

struct lp_forwarder {
    int epoll_fd, host_fd, infra_fd; // it lives in infra_fd and visits host_fd to listen
    int64_t now_ms;
    const char *conf_path;
    struct lp_forward_listener *listeners;
    uint64_t revision;
    int64_t retry_at_ms; // INT64_MAX: every port is there
    bool is_changed;     // the answer has to be written
    bool is_ended, is_reload_asked;
    struct lp_forward_source signals;

    struct lp_forward_connection *connections, *connecting, *connecting_last; // see forward_tcp.c
    struct lp_forward_connection *unfinished, *dead, *spare;
    size_t connection_count, connection_max;
    int pipes[32][2]; // empty ones, kept for the next use
    size_t pipe_count;
    bool is_starved; // no handle was left for a pipe

    struct lp_forward_flow *flow_table[1024]; // by client and listener
    struct lp_forward_flow *flow_oldest, *flow_newest, *flow_dead, *flow_spare;
    size_t flow_count;
};

// The loop (forward.c).
LP_MUST_CHECK int lp_forward_watch(struct lp_forwarder *forwarder, struct lp_forward_source *source,
                                   uint32_t events);
// The backend to try: those not known to be down first, in turn. step counts from 0 for each
// attempt of one connection and is moved on; since_ms: when the connection came. NULL: none left.
struct lp_forward_backend *lp_forward_next_backend(struct lp_forwarder *forwarder,
                                                   struct lp_forward_listener *listener,
                                                   size_t *step, int64_t since_ms);

// TCP (forward_tcp.c).
void lp_forward_tcp_accept(struct lp_forwarder *forwarder, struct lp_forward_source *source,
                           uint32_t events);
void lp_forward_tcp_forget(struct lp_forwarder *forwarder,
                           const struct lp_forward_listener *listener);
// Time limits, connections that had more to do than their turn allowed, and the freeing of dead
// ones. Returns the milliseconds until it wants to be called again; -1: no need.
int lp_forward_tcp_work(struct lp_forwarder *forwarder);

// UDP (forward_udp.c).
LP_MUST_CHECK int lp_forward_udp_prepare(int fd, int family); // 0 or -errno
void lp_forward_udp_receive(struct lp_forwarder *forwarder, struct lp_forward_source *source,
                            uint32_t events);
// Drop the flows of a listener that go; all of them when it is not wanted, else those to backends
// that it no longer has.
void lp_forward_udp_forget(struct lp_forwarder *forwarder,
                           const struct lp_forward_listener *listener);
int lp_forward_udp_work(struct lp_forwarder *forwarder); // as lp_forward_tcp_work
