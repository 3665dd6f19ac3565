// What the daemon says: dated lines on standard error, or in a file that is kept short.
#pragma once

#include "base/err.h"

// From now on standard output and error go to path. LP_EIO.
LP_MUST_CHECK int lp_daemon_log_open(const char *path, struct lp_err *err);
// When the file of lp_daemon_log_open has become long, it is renamed to PATH.1 and begun anew.
void lp_daemon_log_rotate(const char *path);
// One dated line.
void lp_daemon_log(const char *fmt, ...) LP_PRINTF(1, 2);
