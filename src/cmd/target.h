// Which infrastructure a person means who did not say it.
#pragma once

#include "base/err.h"

struct lp_client;
struct lp_cmd;

// --infra, or the only one there is. LP_EINPUT: there are several (err lists them); LP_ENOTFOUND:
// there is none.
LP_MUST_CHECK int lp_target_infra(struct lp_cmd *cmd, struct lp_client *client,
                                  const char **ret_infra);
// The same for a node ("db-1"), application ("db-1/mariadb") or service ("db"): when there are
// several infrastructures, the only one that has it.
LP_MUST_CHECK int lp_target_infra_of(struct lp_cmd *cmd, struct lp_client *client,
                                     const char *target, const char **ret_infra);
