// How an infrastructure comes up or goes down: live on a terminal, silent in a pipe.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct lp_client;
struct lp_cmd;

struct lp_progress { // {0} with the first four is ready for lp_progress_turn
    struct lp_cmd *cmd;
    struct lp_client *client;
    const char *infra;
    uint64_t after; // journal record after which news count
    int64_t start_ms, news_ms;
    json_t *row;      // of the infrastructure; NULL: it is gone
    json_t *nodes;    // of it
    json_t *troubles; // subject -> what went wrong last
    json_t *images;   // image -> what is being done
    json_t *ordered;  // subject -> true: Limpet itself has ended it, and it is not over yet
    size_t drawn;     // lines on the terminal
    unsigned turns;
};

// Wait a little, look again, draw. LP_EIO, ... when the daemon cannot be asked.
LP_MUST_CHECK int lp_progress_turn(struct lp_progress *progress);
// Take the drawing away; what is known stays readable.
void lp_progress_erase(struct lp_progress *progress);
// After a turn that failed: tell it, with what to do; returns the exit status.
int lp_progress_fail(struct lp_progress *progress);
void lp_progress_end(struct lp_progress *progress);
// What last went wrong with this node or its applications; NULL: nothing.
const char *lp_progress_trouble(const struct lp_progress *progress, const char *node);
// Read the news that no turn has read yet.
void lp_progress_catch_up(struct lp_progress *progress);
// Print to standard error who is not healthy and why, and what went wrong with the whole.
void lp_progress_tell_unwell(const struct lp_progress *progress);

// Ctrl-C ends the waiting, not the work: true when it was pressed since the handler was set.
void lp_interrupt_watch(void);
bool lp_interrupt_came(void);
