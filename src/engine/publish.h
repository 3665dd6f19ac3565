// The names that resolve in an infrastructure and where its published ports lead.
#pragma once

#include "engine/self.h"
#include "model/order.h"

// Fill names and ports of the order for infrastructure `infra`; memory in arena.
// A node's own name resolves as long as it is wanted. A service's name leads to its healthy
// nodes; when none is, to those that are up; when none is, to all: so that a name which exists
// always resolves, and traffic prefers whoever can answer.
LP_MUST_CHECK int lp_publish_fill(const struct lp_engine *engine, uint32_t infra,
                                  struct lp_arena *arena, struct lp_order *order,
                                  struct lp_err *err);
