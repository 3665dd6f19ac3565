// The forwarder's file: which ports to listen on and where they lead.
//   limpet-forward 1
//   netns /run/netns/NAME
//   revision 7
//   tcp 0.0.0.0 8080 80 10.1.0.2 10.1.0.3     protocol, host address and port, node port, backends
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/order.h"

struct lp_str;

enum {
    LP_FORWARD_PORTS_MAX = 4096,     // listening sockets
    LP_FORWARD_BACKENDS_MAX = 10000, // of one port
    LP_FORWARD_CONF_BYTES_MAX = 4 * 1024 * 1024,
    LP_FORWARD_HOST_BYTES = 46, // an IPv6 address as text
};

struct lp_forward_port {
    bool is_udp;
    char host[LP_FORWARD_HOST_BYTES]; // numeric
    uint16_t host_port, node_port;
    uint32_t *backends; // IPv4, host byte order
    size_t backend_count;
};

struct lp_forward_conf {
    const char *netns;
    uint64_t revision;
    struct lp_forward_port *ports;
    size_t port_count;
};

// host_ip NULL is printed as 0.0.0.0.
void lp_forward_conf_print(const char *netns, uint64_t revision, const struct lp_port_entry *ports,
                           size_t count, struct lp_str *ret_text);
// All lives in arena. LP_EINPUT says line and mistake; LP_EFULL: a bound above is passed.
LP_MUST_CHECK int lp_forward_conf_parse(const char *text, size_t bytes, struct lp_arena *arena,
                                        struct lp_forward_conf *ret_conf, struct lp_err *err);

// What the forwarder answers: the revision in force and the ports it could not get.
//   limpet-forward 1
//   revision 7
//   busy tcp 0.0.0.0 8080 Address already in use
struct lp_forward_trouble {
    bool is_udp;
    char host[LP_FORWARD_HOST_BYTES];
    uint16_t host_port;
    char reason[128];
};
struct lp_forward_status {
    uint64_t revision;
    struct lp_forward_trouble *troubles;
    size_t trouble_count;
};
void lp_forward_status_print(const struct lp_forward_status *status, struct lp_str *ret_text);
LP_MUST_CHECK int lp_forward_status_parse(const char *text, size_t bytes, struct lp_arena *arena,
                                          struct lp_forward_status *ret_status, struct lp_err *err);
