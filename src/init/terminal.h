// A pseudo-terminal of the node, for exec with a terminal.
#pragma once

#include <stdint.h>

#include "base/err.h"

// *ret_master does not block; both are closed on exec. LP_EIO: the node has no /dev/pts, or it is
// full.
LP_MUST_CHECK int lp_terminal_open(int *ret_master, int *ret_slave, struct lp_err *err);
void lp_terminal_resize(int master, uint16_t rows, uint16_t columns); // 0: 24 x 80
