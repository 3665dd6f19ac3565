// The forwarder: one small process an infrastructure that carries its published ports from the
// host's network namespace to its nodes. It outlives the daemon, which talks to it by a file
// (forward_conf.h), SIGHUP and a file back.
#pragma once

#include "base/err.h"

// Run until SIGTERM. conf_path: a file made by lp_forward_conf_print; its answer is written as
// "forward.status" into the same folder after each change. SIGHUP reads the file anew: ports that
// stay keep their connections. A port that cannot be had is tried again every second.
// Must be called single-threaded, in the host's network namespace, as root; gives up every
// capability but CAP_SYS_ADMIN (setns(2) between the two namespaces) and CAP_NET_BIND_SERVICE.
// LP_EINPUT: the file is wrong; LP_EIO: no namespace.
LP_MUST_CHECK int lp_forward_run(const char *conf_path, struct lp_err *err);
