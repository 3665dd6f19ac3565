// The plan of a load as a person gives it: by options, or in a file.
#pragma once

#include "model/load.h"

struct lp_cmd;

// From the options and `count` targets (URL, HOST:PORT[/PATH], [INFRASTRUCTURE/]SERVICE[:PORT]),
// or from --plan; services are found through the ports that they publish. Returns the exit status;
// mistakes are told. Everything lives in cmd's arena.
LP_MUST_CHECK int lp_load_plan_read(struct lp_cmd *cmd, int count, char **targets,
                                    struct lp_load *ret_load);
