// A relay: a process that stands between a node's link and its bridge and passes frames on late,
// twice, damaged or in another order. `limpet relay ...`, started by the fault driver inside the
// infrastructure's network namespace. Its death leaves the link cut; the undo is its death and the
// link's way back to the bridge.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/fault.h"

#define LP_RELAY_ON "limpet-relay-on" // its name (/proc/PID/comm) once frames pass through it

struct lp_relay_spec {
    const char *netns;          // path of the infrastructure's namespace
    const char *link;           // the outer end of the node's link
    const char *bridge;         // that it belongs to
    const char *tap;            // the relay's own end at the bridge
    struct lp_fault_spec fault; // kind, delay, jitter, share, direction, distribution, seed
    const uint32_t *peers;      // IPv4, host byte order; only frames to and from them are touched
    size_t peer_count;          // 0: all frames are touched
};

// Returns when the link or the bridge is gone, or on SIGTERM. LP_ECONFLICT: another relay is there.
LP_MUST_CHECK int lp_relay_run(const struct lp_relay_spec *spec, struct lp_err *err);
// In the namespace: put the link back under its bridge. Fine when it is there, or gone.
LP_MUST_CHECK int lp_relay_reattach(int netns_fd, const char *link, const char *bridge,
                                    struct lp_err *err);
