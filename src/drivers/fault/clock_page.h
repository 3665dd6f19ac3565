// The page that sets the clocks of a node (model/clock_page.h), as a file beside the node.
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "model/clock_page.h"

// A new one, on which the clocks are the machine's; one of an earlier life, which processes may
// still have mapped, goes.
LP_MUST_CHECK int lp_clock_page_make(const char *path, struct lp_err *err);
// What it says now. LP_ENOTFOUND: there is none; LP_ECORRUPT.
LP_MUST_CHECK int lp_clock_page_read(const char *path, struct lp_clock_setting *ret_setting,
                                     struct lp_err *err);
// Set it; who has it mapped sees it at once. Errors as for reading.
LP_MUST_CHECK int lp_clock_page_write(const char *path, const struct lp_clock_setting *setting,
                                      struct lp_err *err);
