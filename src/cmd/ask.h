// Requests that a person makes of what runs: one POST about one target.
#pragma once

#include <jansson.h>

struct lp_cmd;

// POST body to path, after "infrastructure" was put into it: --infra, or the only one that has
// target. Takes body over. Prints `done` and returns the exit status.
int lp_ask(struct lp_cmd *cmd, const char *path, const char *target, json_t *body,
           const char *done);
