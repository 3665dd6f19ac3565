// Lines of a story about faults on purpose.
#pragma once

#include "core/state.h"
#include "model/event.h"

struct lp_str;

// Fill in a line of the kinds fault-asked, heal-asked, faults-locked, fault-active, fault-failed,
// fault-healed; rest: strtok_r's. For fault-asked, node and app are there already, and
// the words are KIND and for=30s; else f1, or locked / unlocked.
LP_MUST_CHECK int scenario_fault_read(const struct lp_state *state, char **rest,
                                      struct lp_event *event, struct lp_err *err);
// "  f1 hang: active", a line each.
void scenario_faults_show(const struct lp_state *state, struct lp_str *text);
bool scenario_is_fault(int kind);
