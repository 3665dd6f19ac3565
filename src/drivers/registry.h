// The one table of drivers.
#pragma once

#include <stddef.h>

#include "model/driver.h"

extern const struct lp_driver *const lp_drivers[];
extern const size_t lp_driver_count;
