// Nodes as the folders under the root know them: for verbs that go straight to a node's socket or
// log files, also when no daemon runs.
#pragma once

#include <stddef.h>

#include "base/err.h"

struct lp_arena;

struct lp_found_node {
    const char *infra, *name;
    const char *socket;     // of its limpet-init
    const char *log_folder; // of its applications
};
struct lp_found_nodes { // by infrastructure, service and ordinal
    struct lp_found_node *items;
    size_t count;
};

// The nodes that target names, in arena: "db-1", "db" (all nodes of the service), either with
// "infra/" before it; NULL: all. infra NULL: of any infrastructure. LP_ENOTFOUND: none (err names
// the nearest). LP_EIO.
LP_MUST_CHECK int lp_nodes_find(const char *root, const char *infra, const char *target,
                                struct lp_arena *arena, struct lp_found_nodes *ret_nodes,
                                struct lp_err *err);
// Just one: LP_ECONFLICT when several are meant.
LP_MUST_CHECK int lp_node_find(const char *root, const char *infra, const char *target,
                               struct lp_arena *arena, struct lp_found_node *ret_node,
                               struct lp_err *err);
