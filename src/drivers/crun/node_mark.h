// What stands beside a node so that a later daemon knows whose it is:
// nodes/<infra>/<node>/mark.json (written before the node starts) and the pid of its limpet-init
// (crun's pid file).
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "model/driver.h"

struct lp_node_mark {
    uint32_t node, infra, service, incarnation;
    bool is_privileged;
    char infra_name[64], name[80];
};

// Replaces an earlier one at once; not forced to the disk: no node outlives the machine.
LP_MUST_CHECK int lp_node_mark_write(const struct lp_driver_env *env,
                                     const struct lp_node_mark *mark, struct lp_err *err);
// LP_ENOTFOUND: none; LP_ECORRUPT: not a mark.
LP_MUST_CHECK int lp_node_mark_read(const struct lp_driver_env *env, const char *infra,
                                    const char *node, struct lp_node_mark *ret_mark,
                                    struct lp_err *err);
// A handle of the node's first process, when it lives and is in the node's cgroup (a reused pid is
// not). LP_ENOTFOUND: it does not run.
LP_MUST_CHECK int lp_node_mark_process(const struct lp_driver_env *env,
                                       const struct lp_node_mark *mark, pid_t *ret_pid,
                                       int *ret_pidfd, struct lp_err *err);
// How the process behind a readable pidfd ended, if this kernel tells others than its parent
// (Linux 6.15); -1 when not. 0..255 exit code, 256 + N killed by signal N.
int lp_node_exit_status(int pidfd);
