// The root: the folder that is one Limpet. Made, marked and locked here; its layout is
// drivers/place.h's.
#pragma once

#include "base/err.h"

struct lp_home {
    int lock_fd;
    char id[9]; // 8 hexadecimal digits: the mark on every object of this Limpet
};

// Make the folder (mode 0700) when it is absent, take its lock, read or make its id.
// LP_ECONFLICT: a daemon has the lock (err says which process) or the folder holds other things.
// LP_EINPUT: it cannot be a root. LP_EIO.
LP_MUST_CHECK int lp_home_open(const char *root, struct lp_home *ret_home, struct lp_err *err);
void lp_home_close(struct lp_home *home);
