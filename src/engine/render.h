// Templates in the world of one node: its configs, environment and commands.
#pragma once

#include "engine/self.h"
#include "model/order.h"

struct lp_render { // what the template functions look at
    const struct lp_engine *engine;
    uint32_t node;
    struct lp_arena *arena;
};

// One text; without "{{" it is returned as it is, else rendered into the arena.
LP_MUST_CHECK int lp_render_text(const struct lp_render *render, const char *text,
                                 const char **ret_text, struct lp_err *err);
LP_MUST_CHECK int lp_render_texts(const struct lp_render *render, const struct lp_texts *texts,
                                  struct lp_texts *ret_texts, struct lp_err *err);
LP_MUST_CHECK int lp_render_pairs(const struct lp_render *render, const struct lp_pairs *pairs,
                                  struct lp_pairs *ret_pairs, struct lp_err *err);
// Configs and secrets of the node's service.
LP_MUST_CHECK int lp_render_files(const struct lp_render *render,
                                  struct lp_rendered_file **ret_files, size_t *ret_count,
                                  struct lp_err *err);
