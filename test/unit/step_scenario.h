// A small language for stories about the controller: docs/controller.md says which lines there are.
#pragma once

#include "base/err.h"

struct lp_str;

// Play the story. Lines that begin with two spaces are what the controller answered when it was
// written down; they are left out, and what it answers now is put in their place. After each event
// the state's invariants are checked. LP_EINPUT with err when a line is not understood.
LP_MUST_CHECK int scenario_play(const char *story, struct lp_str *ret_text, struct lp_err *err);
