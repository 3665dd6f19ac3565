// Pieces that the views share.
#pragma once

#include "engine/self.h"

void lp_view_add_text(struct lp_str *json, const char *key, const char *text); // "key":"text"
// name NULL: LP_NONE, which means every infrastructure.
LP_MUST_CHECK int lp_view_find_infra(const struct lp_engine *engine, const char *name,
                                     uint32_t *ret_infra, struct lp_err *err);
// A node by its name in infra (LP_NONE: wherever there is just one of that name).
LP_MUST_CHECK int lp_view_find_node(const struct lp_engine *engine, uint32_t infra,
                                    const char *name, uint32_t *ret_node, struct lp_err *err);
