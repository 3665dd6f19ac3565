// Done-marks of setup steps: a file a step, kept in the node's root, so that a step that succeeded
// never runs again in this root, whatever becomes of limpet-init and the daemon.
#pragma once

#include <stdbool.h>

#include "base/err.h"

bool lp_mark_exists(const char *folder, const char *name);
// Can a mark be written afterwards? Makes the folder. A step whose success could not be remembered
// must not begin.
LP_MUST_CHECK int lp_mark_prepare(const char *folder, struct lp_err *err);
// Durable when it returns 0.
LP_MUST_CHECK int lp_mark_write(const char *folder, const char *name, struct lp_err *err);
