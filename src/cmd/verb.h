// The verbs, one file each.
#pragma once

#include "cmd/cmd.h"

extern const struct lp_verb lp_verb_doctor, lp_verb_forward;
extern const struct lp_verb lp_verb_exec, lp_verb_logs, lp_verb_version;
