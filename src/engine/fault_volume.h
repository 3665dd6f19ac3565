// Which volume a fault of the disk is aimed at.
#pragma once

#include "base/err.h"

struct lp_service;

// wanted: a name of the descriptor's volumes, or where a volume is mounted in the node; NULL: the
// only one there is. Volumes and bind mounts count. *ret_target: where it is mounted, lent from the
// service. LP_EINPUT, LP_ENOTFOUND: says which there are.
LP_MUST_CHECK int lp_fault_volume_find(const struct lp_service *service, const char *wanted,
                                       const char **ret_target, struct lp_err *err);
