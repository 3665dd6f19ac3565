// The network driver: per infrastructure a namespace with bridges, names by dnsmasq, published
// ports by the forwarder, and the way out when a network says so. See docs/network.md.
#pragma once

#include "model/driver.h"

// ENSURE_NETWORK, REMOVE_NETWORK, PUBLISH. What people should know besides comes as text of a
// repeated NETWORK_READY (a helper ended and was started again) or PUBLISHED (a port is busy, or
// is there at last): to the controller both are duplicates.
extern const struct lp_driver lp_driver_network;
