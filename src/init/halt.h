// Powering off: applications are stopped one by one, the last started first; then limpet-init exits
// and the kernel takes the rest of the node with it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { LP_HALT_GRACE_MS = 10000 }; // when SIGTERM asks for it

void lp_halt_begin(uint32_t grace_ms); // again: the earlier deadline counts
bool lp_halt_is_on(void);
// Do the next step. True: nothing is left to wait for.
bool lp_halt_step(int64_t now_ms);
int64_t lp_halt_wake_ms(void); // INT64_MAX: none
