// Foresight: what the live controller would do, found by running a copy of it in a world where
// every order succeeds at once. The copy is the real engine, state and catalog.
#pragma once

#include "engine/self.h"

struct lp_foreseen {
    int64_t after_ms; // from now
    struct lp_action action;
    const char *subject;
    struct lp_foreseen *next;
};

struct lp_foresight {
    struct lp_engine *engine; // the copy
    struct lp_arena arena;
    struct lp_foreseen *first, **end; // actions in order
    size_t count;
    int64_t start_ms, now_ms;
    struct lp_event *replies; // of the friendly world
    size_t reply_count, reply_capacity;
};

LP_MUST_CHECK int lp_foresee_begin(const struct lp_engine *engine, struct lp_foresight *foresight,
                                   struct lp_err *err);
// Run until nothing is left to do in infra, or for ten minutes of its own time.
LP_MUST_CHECK int lp_foresee_run(struct lp_foresight *foresight, uint32_t infra,
                                 struct lp_err *err);
void lp_foresee_end(struct lp_foresight *foresight);
