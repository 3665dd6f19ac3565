// The root folder of one Limpet: made once, held by one daemon at a time.
#pragma once

#include "base/err.h"

struct lp_root {
    char id[9]; // 8 hexadecimal digits: the mark of everything it makes
    int lock_fd;
};

// Make the folder (0700) and its id when absent, and take the lock.
LP_MUST_CHECK int lp_root_open(const char *root, struct lp_root *ret_root, struct lp_err *err);
void lp_root_close(struct lp_root *root);
