// `limpet log watch --sensor`: what is odd in the log of an application is told to the daemon, as
// a suspicion: the controller's detect phase takes it as what confirms the application's check.
#pragma once

#include "base/err.h"

struct lp_cmd;
struct lp_log_sensor;

// cmd: lent, with --root and --infra. LP_EIO.
LP_MUST_CHECK int lp_log_sensor_open(struct lp_cmd *cmd, struct lp_log_sensor **ret_sensor,
                                     struct lp_err *err);
// An odd line in the log file `path`; because: a sentence. A file that is no node's log is none of
// ours. What the daemon does not take is said once on stderr, and again after it took one.
void lp_log_sensor_tell(struct lp_log_sensor *sensor, const char *path, const char *because);
void lp_log_sensor_close(struct lp_log_sensor *sensor); // NULL is fine
