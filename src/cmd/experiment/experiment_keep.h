// Where the result of an experiment is kept: always at home, below the root, and besides wherever
// --out and --journal say.
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

struct lp_cmd;

struct lp_keep {
    const char *id;
    const char *home;    // folder, absolute: all is written there while it runs
    const char *out;     // --out, absolute; NULL: not given, or home itself
    const char *journal; // --journal; NULL
    bool is_below_root;
    int hold_fd; // home is locked as long as this program lives; -1: not yet
};

// Choose the places of an experiment that begins now, and try those that are there or were asked
// for: LP_EINPUT when one cannot be written to. has_infra: a Limpet lives at the root, or will.
LP_MUST_CHECK int lp_keep_open(struct lp_cmd *cmd, const char *title, bool has_infra,
                               struct lp_keep *ret_keep);
// Write the result as it is so far, and from now on be seen as running it.
LP_MUST_CHECK int lp_keep_begin(struct lp_cmd *cmd, struct lp_keep *keep, const json_t *result);
// Whether somebody runs the experiment of this folder.
bool lp_keep_is_running(const char *home);
// Write the result as it is so far.
LP_MUST_CHECK int lp_keep_result(struct lp_cmd *cmd, const struct lp_keep *keep,
                                 const json_t *result);
// Write the whole result, its copy and its journal (source: the experiment's own text, as JSON).
// What cannot be written is told, and the rest is written all the same. Where the result lies is
// printed unless -o json or --quiet. Returns whether all is there.
bool lp_keep_end(struct lp_cmd *cmd, struct lp_keep *keep, const json_t *result,
                 const char *source);
