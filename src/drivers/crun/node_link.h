// A node's links: one veth pair a network, its outer end on the network's bridge, its inner end
// "eth<k>" with the node's address. Plain rtnetlink, a few messages a node, no process.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/order.h"

// infra_netns_fd: where the bridges are. node_netns_fd: the node's. Outer ends left over from an
// earlier life of the node are replaced. On failure nothing of it is left.
LP_MUST_CHECK int lp_node_link_make(int infra_netns_fd, int node_netns_fd, uint32_t node,
                                    const struct lp_attachment *attachments, size_t count,
                                    struct lp_err *err);
// Remove the outer ends "v<node>n<0..>" (and with them the inner ones). Absent is fine.
LP_MUST_CHECK int lp_node_link_remove(int infra_netns_fd, uint32_t node, struct lp_err *err);
