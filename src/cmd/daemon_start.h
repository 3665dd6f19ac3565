// A daemon where there is none: started in the background, waited for.
#pragma once

#include "base/err.h"

struct lp_client;
struct lp_cmd;

// Does nothing when one answers. LP_EIO, or what the daemon itself said.
LP_MUST_CHECK int lp_daemon_ensure(struct lp_cmd *cmd, struct lp_client *client);
// Start one in the background and wait until it answers.
LP_MUST_CHECK int lp_daemon_start(struct lp_cmd *cmd);
