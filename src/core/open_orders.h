// What was ordered and not answered yet: for whoever has to answer in the drivers' stead.
#pragma once

#include "core/state.h"
#include "model/action.h"

// Call visit for each order that is out and for each application whose end (a setup step) or first
// good reading (WATCH) is awaited, as the action that led to it; action->because says why it was
// given. Order: infrastructures, images, nodes, their applications. The state is only read.
void lp_open_orders_visit(struct lp_state *state,
                          void (*visit)(void *context, const struct lp_action *action),
                          void *context);
