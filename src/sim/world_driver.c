// The simulated drivers, as the engine sees them: five functions over the world.
#include <inttypes.h>

#include "base/arena.h"
#include "base/hash.h"
#include "sim/world.h"

#define KIND(kind) (UINT64_C(1) << (kind))
static const uint64_t node_kinds = KIND(LP_ACTION_START_NODE) | KIND(LP_ACTION_STOP_NODE) |
                                   KIND(LP_ACTION_FENCE_NODE) | KIND(LP_ACTION_REMOVE_NODE) |
                                   KIND(LP_ACTION_RENDER);
static const uint64_t app_kinds = KIND(LP_ACTION_START_APP) | KIND(LP_ACTION_STOP_APP) |
                                  KIND(LP_ACTION_KILL_APP) | KIND(LP_ACTION_WATCH) |
                                  KIND(LP_ACTION_UNWATCH);

// An lp_driver is opened without a context; one world runs at a time in a thread.
static _Thread_local struct lp_world *current;

void lp_world_driver_use(struct lp_world *world)
{
    current = world;
}

// Everything that is told while a driver opens arrives at one time, and the end of it last.
static void tell_all(struct lp_world *world, void (*tell)(struct lp_world *world))
{
    world->is_telling = true;
    tell(world);
    struct lp_event event;
    lp_event_init(&event, LP_EVENT_DRIVERS_SYNCED);
    lp_world_tell(world, &event, false);
    world->is_telling = false;
}

static void tell_nodes(struct lp_world *world)
{
    for (uint32_t node = 0; node < world->limits.nodes; node++) {
        struct lp_life *life = &world->lives[node];
        if (!life->is_there)
            continue;
        // A start that the daemon's death cut short: the driver finishes it or clears it away.
        if (life->phase == LP_LIFE_COMING && lp_world_chance(world, 500))
            lp_world_life_up(world, node);
        if (life->phase == LP_LIFE_COMING)
            lp_world_life_end(world, node, 256 + 9, false);
        lp_world_tell_life(world, node);
        life->last_mail_ms = world->tell_at_ms;
    }
}

static int nodes_open(const struct lp_driver_env *env, void **ret_self, struct lp_err *err)
{
    (void)env, (void)err;
    *ret_self = current;
    current->tell_at_ms =
        current->now_ms + lp_world_between(current, 0, 20 + current->faults.late_ms);
    tell_all(current, tell_nodes);
    return 0;
}

static int places_open(const struct lp_driver_env *env, void **ret_self, struct lp_err *err)
{
    (void)env, (void)err;
    *ret_self = current;
    tell_all(current, lp_world_tell_places);
    return 0;
}

static void order_say(struct lp_world *world, const struct lp_order *order)
{
    struct lp_str text = {0};
    lp_action_print(&order->action, &text);
    world->report->orders++;
    world->report->trace_hash = lp_fnv(world->report->trace_hash, text.text, text.bytes);
    lp_world_say(world, "order %s %s %s", order->infra_name ? order->infra_name : "-",
                 order->node_name ? order->node_name : "-", lp_str_text(&text));
    lp_str_release(&text);
}

// What an earlier begin of the same order has started, a driver finds and tells.
static bool may_refuse(struct lp_world *world, const struct lp_action *action)
{
    const struct lp_life *life = lp_world_find_life(world, action->node, action->incarnation);
    if (action->kind == LP_ACTION_START_NODE)
        return !life;
    if (action->kind == LP_ACTION_START_APP)
        return !life || action->app >= life->app_count ||
               life->apps[action->app].run != action->run;
    return true;
}

static const uint64_t fault_kinds = KIND(LP_ACTION_INJECT_FAULT) | KIND(LP_ACTION_HEAL_FAULT);

static int begin(void *self, const struct lp_order *order, struct lp_err *err)
{
    struct lp_world *world = self;
    if (!world->is_dying && !world->config.crash_at_write &&
        lp_world_chance(world, world->faults.daemon_dies))
        lp_world_crash(world, "before an order");
    if (world->is_dying || world->is_broken)
        return 0; // in truth the daemon does not get here
    order_say(world, order);
    lp_judge_order(world, order);
    if (may_refuse(world, &order->action) && lp_world_chance(world, world->faults.order_refused)) {
        lp_world_say(world, "refused");
        return lp_err_set(err, LP_EIO, "the machine refuses");
    }
    uint64_t kind = KIND(order->action.kind);
    if (kind & node_kinds)
        lp_world_begin_node(world, order);
    else if (kind & app_kinds)
        lp_world_begin_app(world, order);
    else if (kind & fault_kinds)
        lp_world_begin_fault(world, order);
    else
        lp_world_begin_place(world, order);
    return 0;
}

static int collect(void *self, struct lp_inbox *inbox, struct lp_err *err)
{
    (void)err;
    struct lp_world *world = self;
    for (size_t i = 0; i < world->mail_count; i++) {
        inbox->put(inbox, world->mail[i]);
        lp_heap_free(world->mail[i]);
    }
    world->mail_count = 0;
    return 0;
}

static int wait_fd(void *self)
{
    (void)self;
    return -1;
}

static void close_nothing(void *self)
{
    (void)self; // the world goes on without the daemon
}

static const struct lp_driver nodes = {
    .name = "simulated nodes",
    .action_kinds = KIND(LP_ACTION_START_NODE) | KIND(LP_ACTION_STOP_NODE) |
                    KIND(LP_ACTION_FENCE_NODE) | KIND(LP_ACTION_REMOVE_NODE) |
                    KIND(LP_ACTION_RENDER) | KIND(LP_ACTION_START_APP) | KIND(LP_ACTION_STOP_APP) |
                    KIND(LP_ACTION_KILL_APP) | KIND(LP_ACTION_WATCH) | KIND(LP_ACTION_UNWATCH) |
                    KIND(LP_ACTION_INJECT_FAULT) | KIND(LP_ACTION_HEAL_FAULT),
    .open = nodes_open,
    .begin = begin,
    .collect = collect,
    .wait_fd = wait_fd,
    .close = close_nothing};

static const struct lp_driver places = {
    .name = "simulated images, networks and hosts",
    .action_kinds = KIND(LP_ACTION_ENSURE_IMAGE) | KIND(LP_ACTION_ENSURE_NETWORK) |
                    KIND(LP_ACTION_REMOVE_NETWORK) | KIND(LP_ACTION_PUBLISH),
    .open = places_open,
    .begin = begin,
    .collect = collect,
    .wait_fd = wait_fd,
    .close = close_nothing};

const struct lp_driver *const lp_world_drivers[] = {&nodes, &places};
const size_t lp_world_driver_count = 2;
