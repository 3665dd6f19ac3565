// The step between fork and exec of a child: namespaces, handles, signals. Used by child.c only.
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "drivers/child.h"

// Start spec->argv with these as stdin and as stdout and stderr. Returns once exec has happened;
// an error before it (program not found, namespace refused) is told in words.
LP_MUST_CHECK int lp_child_exec(const struct lp_child_spec *spec, int input, int output,
                                pid_t *ret_pid, struct lp_err *err);
