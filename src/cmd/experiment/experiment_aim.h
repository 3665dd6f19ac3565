// Whether a fault can be aimed where an experiment aims it: known from the descriptor alone.
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct lp_descriptor;
struct lp_experiment_step;
struct lp_service;

// step: one that breaks, or a swizzle. 0, or the error that says what the daemon would refuse. A
// target whose service is not there is not looked at; the number of a node is not, either, as
// services are scaled.
LP_MUST_CHECK int lp_experiment_aim_check(const struct lp_descriptor *descriptor,
                                          const struct lp_experiment_step *step,
                                          struct lp_err *err);
// The service of "web", "web-1" or "web-1/httpd"; NULL: there is none. Lent from the descriptor.
const struct lp_service *lp_experiment_service_of(const struct lp_descriptor *descriptor,
                                                  const char *target, bool *ret_is_node);
