// The driver of faults on purpose: INJECT_FAULT and HEAL_FAULT. docs/faults.md says what each kind
// does and how it is undone.
#pragma once

#include "model/driver.h"

extern const struct lp_driver lp_driver_fault;
