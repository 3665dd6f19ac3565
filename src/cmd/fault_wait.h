// Waiting until faults are in effect, or undone.
#pragma once

#include "cmd/client.h"

struct lp_cmd;

// answer: of POST /v1/faults or /v1/faults/heal. Waits until an event of kind `good` or `bad`
// (NULL: there is none) has come for each of its faults and prints one line, or one JSON object,
// each. With a `bad` one, "fault-healed" is bad, too: it came before the good one. Returns the exit
// status: LP_EXIT_FAILED when one was bad, or nothing came within two minutes.
int lp_fault_wait(struct lp_cmd *cmd, struct lp_client *client, const json_t *answer,
                  const char *good, const char *bad);
