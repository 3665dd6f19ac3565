// Starting a process in the node: fork, become the user, execute; and learn whether that worked.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct lp_launch {    // lent for the call
    char **argv;      // NULL-ended, not empty
    char **env;       // NULL-ended "KEY=value"
    char **base;      // NULL or as env: overlaid by env
    const char *cwd;  // NULL: "/"
    const char *user; // NULL: root; see lp_user_find
    const char *mark; // "LIMPET_APP=name": in the environment of it and its descendants; or NULL
    int in, out, err; // become 0, 1, 2; owned by the user then, so that /dev/stdout can be opened
    bool has_tty;     // in is a terminal: becomes the controlling one
};

// What the node's processes may have of limpet-init's own capabilities (bits as in
// linux/capability.h); all of them unless this is called. limpet-init needs some for itself (to
// become a user, to end other users' processes) that a node may well be denied.
void lp_launch_capabilities_set(uint64_t mask);
// A library that every program loads before others (LD_PRELOAD), unless this is never called.
void lp_launch_preload_set(const char *path); // kept
// Fork. The child has a session of its own, default signals, no other fd, and tells through
// *ret_report how it went. LP_EIO: no process could be made.
LP_MUST_CHECK int lp_launch_begin(const struct lp_launch *launch, pid_t *ret_pid, int *ret_report,
                                  struct lp_err *err);
// Read the report when it is readable (it is closed by the execution). 1: not known yet; 0: the
// command runs, as *ret_uid; else why not: LP_ENOTFOUND, LP_EDENIED, LP_EINPUT (user), LP_EIO.
LP_MUST_CHECK int lp_launch_collect(int report, uid_t *ret_uid, struct lp_err *err);
