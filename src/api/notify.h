// Tells the service manager that started this process that it is ready: sd_notify(3)'s protocol.
#pragma once

#include "base/err.h"

// Send text ("READY=1") as one datagram to the socket that $NOTIFY_SOCKET names, a path or, after
// '@', an abstract name; the variable is removed, so that children do not speak for us. 0 also when
// nobody wants to know. LP_EINPUT: it names no socket. LP_EIO: it could not be sent.
LP_MUST_CHECK int lp_notify_send(const char *text, struct lp_err *err);
