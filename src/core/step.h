// The controller: one pure function. state = fold(lp_step, journal).
#pragma once

#include "core/state.h"
#include "model/action.h"
#include "model/event.h"

// Take one event in and say what to do now. No clock, file, allocation, global or hidden chance.
// The event is lent for the call; the plan is the caller's (actions, capacity set; count and
// wake_at_ms are written). Cannot fail: an event that makes no sense (unknown id, earlier life,
// duplicate) changes nothing. Cost does not depend on the number of rows.
// Source of the fold: event sourcing; phases as in [S1] III (detect, diagnose, repair).
void lp_step(struct lp_state *state, const struct lp_event *event, struct lp_plan *plan);

// Would this event be accepted (tables full, unknown id)? For requests of people, before they are
// journaled. 0 or LP_EFULL, LP_ENOTFOUND with err.
LP_MUST_CHECK int lp_step_check(const struct lp_state *state, const struct lp_event *event,
                                struct lp_err *err);
