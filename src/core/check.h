// Is a state in order? For tests, the simulator and whoever loads a snapshot.
#pragma once

#include "core/state.h"

// Hold every invariant of the tables against the rows: lists, counts, timers, dirty rows, blocks,
// orders in flight, verdicts. Between two steps all of them are true. Cost: a few passes over all
// rows. 0, or LP_ECORRUPT with the first thing that is wrong in err.
LP_MUST_CHECK int lp_state_check(const struct lp_state *state, struct lp_err *err);
