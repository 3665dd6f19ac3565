// A YAML document as a tree with positions. Bounded: depth, nodes and text are counted after
// aliases are expanded, so that no small file becomes a large tree.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "model/parse_mistake.h"

enum lp_yaml_kind { LP_YAML_SCALAR, LP_YAML_SEQUENCE, LP_YAML_MAPPING };

struct lp_yaml_node {
    enum lp_yaml_kind kind;
    bool is_plain; // SCALAR without quotes: only these can be null or a merge key
    struct lp_place place;
    const char *text;           // SCALAR, as written; holds no NUL
    const char *value;          // SCALAR, after interpolation; NULL: not yet. Written by the reader
    struct lp_yaml_node **keys; // MAPPING: scalars, unique, merge keys already resolved
    struct lp_yaml_node **items; // MAPPING: the values; SEQUENCE: the items
    size_t count;
    size_t total_nodes, total_bytes, height; // of the whole subtree, aliases expanded
};

// Read exactly one document. Subtrees that aliases name are shared. NULL when something was wrong:
// then at least one mistake is in the sink.
struct lp_yaml_node *lp_yaml_parse(const char *text, size_t bytes, struct lp_sink *sink);
// ~, null or nothing at all, without quotes.
bool lp_yaml_is_null(const struct lp_yaml_node *node);
// The value of a key; NULL when absent.
struct lp_yaml_node *lp_yaml_find(const struct lp_yaml_node *mapping, const char *key);
// Resolve `<<` and refuse keys that are given twice. Used by lp_yaml_parse on each mapping.
// false when a mistake was put.
bool lp_yaml_merge(struct lp_yaml_node *mapping, struct lp_sink *sink);
