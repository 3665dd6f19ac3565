// The one table of drivers: a new one adds its line here.
#include "drivers/registry.h"

#include "drivers/check/check.h"
#include "drivers/crun/crun.h"
#include "drivers/fault/fault.h"
#include "drivers/image/image.h"
#include "drivers/network/network.h"

const struct lp_driver *const lp_drivers[] = {
    &lp_driver_crun, &lp_driver_network, &lp_driver_check, &lp_driver_image, &lp_driver_fault,
};
const size_t lp_driver_count = sizeof(lp_drivers) / sizeof(lp_drivers[0]);
