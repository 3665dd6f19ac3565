// Addresses: where each node of an infrastructure stands on each of its networks.
#pragma once

#include "engine/self.h"
#include "model/order.h"

// The network's place in its descriptor; LP_NONE when there is no such network.
uint32_t lp_places_network_index(const struct lp_descriptor *descriptor, const char *network);
// The gateway row of network k: address == gateway.
struct lp_attachment lp_places_network(const struct lp_descriptor *descriptor, uint32_t infra,
                                       uint32_t network_index);
// The node's attachments, in the order of its service's networks; in arena.
// LP_EFULL when a subnet has no address left.
LP_MUST_CHECK int lp_places_node(const struct lp_engine *engine, uint32_t node,
                                 struct lp_arena *arena, struct lp_attachment **ret_attachments,
                                 size_t *ret_count, struct lp_err *err);
void lp_address_print(uint32_t address, char ret_text[16]); // "10.64.0.2"
