// From a descriptor to the events that make it wanted.
#pragma once

#include "engine/self.h"

struct lp_change { // what is to be journaled together
    struct lp_event *events;
    size_t count;
    uint32_t infra;
};

// Events for `descriptor` (canonical text beside it): slots of known names are kept, new ones are
// chosen among the free. Events and their texts live in arena. LP_EFULL when a table is full.
LP_MUST_CHECK int lp_compile(const struct lp_engine *engine, const struct lp_descriptor *descriptor,
                             const char *text, struct lp_arena *arena, struct lp_change *ret_change,
                             struct lp_err *err);
