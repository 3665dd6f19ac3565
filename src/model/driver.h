// What a driver is: five functions; operations are data. The table of them is
// drivers/registry.c; the simulator has its own.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/event.h"
#include "model/order.h"

// Where collect() puts what happened. The engine copies event and text during the call.
struct lp_inbox {
    void (*put)(struct lp_inbox *inbox, const struct lp_event *event);
};

struct lp_driver_env {
    const char *root;    // folder of this Limpet, absolute
    const char *root_id; // 8 hex digits: the mark on every object it makes
};

struct lp_driver {
    const char *name;
    uint64_t action_kinds; // bit (1 << enum lp_action_kind): which actions it carries out
    // Open, look at what exists already (found by its mark; the ids and the incarnation stand in
    // files beside it) and report it by collect: NODE_UP and APP_STARTED / APP_EXITED for what is
    // adopted, NODE_MUTE, NETWORK_READY, IMAGE_READY; remains of dead nodes: NODE_DEAD. When all
    // is told, put one LP_EVENT_DRIVERS_SYNCED: the engine journals one when every driver has.
    int (*open)(const struct lp_driver_env *env, void **ret_self, struct lp_err *err);
    // Begin the order; returns at once. Beginning twice with one action.id does no harm: the
    // reply is sent again. REMOVE_NODE must work when only ids are known (names NULL). An error is
    // reported as the matching ..._FAILED event by the engine where there is one, else the order
    // is given again after a while. So START_NODE and START_APP fail here only when nothing of that
    // life or run is there; what an earlier begin of the same order has started is told (NODE_UP,
    // APP_STARTED) instead.
    int (*begin)(void *self, const struct lp_order *order, struct lp_err *err);
    // Tell what happened since the last call. Never blocks.
    int (*collect)(void *self, struct lp_inbox *inbox, struct lp_err *err);
    // Becomes readable when collect has something to tell; -1: never. Constant after open.
    int (*wait_fd)(void *self);
    void (*close)(void *self); // nodes keep running
};
