// The check driver: sensors. Asks applications whether they are well, off the loop: over HTTP,
// TCP, by ping, or by a command inside the node. See docs/network.md.
#pragma once

#include "model/driver.h"

// WATCH, UNWATCH. READING is told when the answer differs from the one before, and for every
// failure; before the first success failures are told at the pace that the descriptor asks for,
// although it is looked more often (so that readiness is seen early).
extern const struct lp_driver lp_driver_check;
