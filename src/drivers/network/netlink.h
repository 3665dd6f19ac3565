// Links, addresses and routes of one network namespace, by rtnetlink (libnl-route).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct nl_sock;

// A socket that speaks for the namespace it was opened in, whatever the thread enters later.
// netns_fd -1: the caller's own. Closed by lp_netlink_close (NULL is fine).
LP_MUST_CHECK int lp_netlink_open(int netns_fd, struct nl_sock **ret_netlink, struct lp_err *err);
void lp_netlink_close(struct nl_sock *netlink);

LP_MUST_CHECK int lp_netlink_link_up(struct nl_sock *netlink, const char *link, struct lp_err *err);
bool lp_netlink_link_exists(struct nl_sock *netlink, const char *link);
// Absent is fine.
LP_MUST_CHECK int lp_netlink_link_remove(struct nl_sock *netlink, const char *link,
                                         struct lp_err *err);
// Make the bridge, up, with this MAC; an existing one is left as it is.
LP_MUST_CHECK int lp_netlink_bridge_ensure(struct nl_sock *netlink, const char *bridge,
                                           const uint8_t mac[6], struct lp_err *err);
// A veth pair: `link` here, `peer` in peer_netns_fd. Both are down.
LP_MUST_CHECK int lp_netlink_veth_make(struct nl_sock *netlink, const char *link, const char *peer,
                                       int peer_netns_fd, struct lp_err *err);
// Afterwards the link has exactly this IPv4 address (host byte order).
LP_MUST_CHECK int lp_netlink_address_set(struct nl_sock *netlink, const char *link,
                                         uint32_t address, uint32_t prefix, struct lp_err *err);
// The default route leads to gateway; an existing one is replaced.
LP_MUST_CHECK int lp_netlink_default_route_set(struct nl_sock *netlink, uint32_t gateway,
                                               struct lp_err *err);
// Is some address of this namespace inside address/prefix?
LP_MUST_CHECK int lp_netlink_subnet_is_used(struct nl_sock *netlink, uint32_t address,
                                            uint32_t prefix, bool *ret_is_used, struct lp_err *err);
// Does a link exist whose name starts with prefix?
LP_MUST_CHECK int lp_netlink_prefix_is_used(struct nl_sock *netlink, const char *prefix,
                                            bool *ret_is_used, struct lp_err *err);
