// Rules of the kernel's packet filter.
#pragma once

#include "base/err.h"

// Run nft commands, all or none, in the network namespace. LP_EIO: refused, says why.
LP_MUST_CHECK int lp_firewall_run(int netns_fd, const char *commands, struct lp_err *err);
