// The node driver for containers: START_NODE, STOP_NODE, FENCE_NODE, REMOVE_NODE, RENDER,
// START_APP, STOP_APP, KILL_APP, by crun and limpet-init. See docs/containers.md.
#pragma once

#include "model/driver.h"

extern const struct lp_driver lp_driver_crun;
