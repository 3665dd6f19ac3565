// The verbs, one file each.
#pragma once

#include "cmd/cmd.h"

extern const struct lp_verb lp_verb_break, lp_verb_check, lp_verb_daemon, lp_verb_doctor,
    lp_verb_down, lp_verb_events, lp_verb_exec, lp_verb_experiment, lp_verb_probe, lp_verb_faults,
    lp_verb_forward, lp_verb_heal, lp_verb_hog, lp_verb_layer, lp_verb_relay, lp_verb_images,
    lp_verb_load, lp_verb_log, lp_verb_logs, lp_verb_plan, lp_verb_ps, lp_verb_restart,
    lp_verb_scale, lp_verb_shutdown, lp_verb_simulate, lp_verb_status, lp_verb_up, lp_verb_version,
    lp_verb_why;
