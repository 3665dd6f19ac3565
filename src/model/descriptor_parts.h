// What the parts of the descriptor's parser do with each other after reading.
#pragma once

#include "model/parse.h"

// Settle what names in depends_on mean, and refuse references to what is not there
// (descriptor_refs.c).
void lp_descriptor_settle(struct lp_reader *reader);
// Addresses, subnets and ports that collide (descriptor_net.c).
void lp_descriptor_check_network(struct lp_reader *reader);
// Dependencies that wait for each other (descriptor_cycle.c).
void lp_descriptor_check_cycles(struct lp_reader *reader);
// observes, owns_state, node_hash, files_hash; templates are checked on the way
// (descriptor_derive.c).
void lp_descriptor_derive(struct lp_reader *reader);

// JSON pieces (descriptor_print.c).
void lp_print_text(struct lp_str *out, const char *text);
// The service as the canonical text has it; with is_node_only just what a node is made from.
void lp_print_service(struct lp_str *out, const struct lp_service *service, bool is_node_only);
