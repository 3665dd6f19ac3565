// Faults on purpose in the simulated world: what INJECT_FAULT leaves behind and HEAL_FAULT must
// take away. Half done is possible at any point: the daemon dies between any two orders.
#include <inttypes.h>

#include "sim/world.h"

static struct lp_world_fault *find(struct lp_world *world, uint64_t number)
{
    for (size_t i = 0; i < LP_FAULTS_MAX; i++)
        if (world->faults_out[i].number == number)
            return &world->faults_out[i];
    return NULL;
}

static void tell(struct lp_world *world, const struct lp_action *action, enum lp_event_kind kind)
{
    struct lp_event event;
    lp_event_reply(&event, kind, action);
    lp_world_tell(world, &event, true);
}

// Law 3: what undoes it must be in the journal already.
static void judge(struct lp_world *world, const struct lp_action *action)
{
    const struct lp_fault_row *row = lp_state_fault(world->store.shadow, action->fault);
    if (!row->is_used || row->number != action->revision)
        lp_world_accuse(world, "law 3 (undo)",
                        "fault f%" PRIu64 " is injected, and the journal does not know it",
                        action->revision);
}

static void effect_begin(struct lp_world *world, const struct lp_action *action, uint32_t kind)
{
    struct lp_life *life = &world->lives[action->node];
    switch (kind) {
    case LP_FAULT_KILL:
        if (life->apps[action->app].life == LP_APP_ALIVE)
            lp_world_app_end(world, action->node, action->app, 256 + 9);
        break;
    case LP_FAULT_HANG:
        life->apps[action->app].is_hung = true;
        break;
    case LP_FAULT_PAUSE:
        life->is_mute = true;
        lp_world_tell_life(world, action->node);
        break;
    case LP_FAULT_CRASH:
        lp_world_life_end(world, action->node, 256 + 9, false);
        lp_world_tell_life(world, action->node);
        break;
    default: // of the network, of a disk, of the clock, a command's: the controller cannot notice
        break;
    }
}

// Does another fault do the same to the same target?
static bool has_twin(const struct lp_world *world, const struct lp_world_fault *fault)
{
    for (size_t i = 0; i < LP_FAULTS_MAX; i++) {
        const struct lp_world_fault *other = &world->faults_out[i];
        if (other != fault && other->number && other->kind == fault->kind &&
            other->node == fault->node && other->incarnation == fault->incarnation &&
            other->app == fault->app)
            return true;
    }
    return false;
}

static void effect_end(struct lp_world *world, const struct lp_world_fault *fault)
{
    struct lp_life *life = lp_world_find_life(world, fault->node, fault->incarnation);
    if (!life || life->phase != LP_LIFE_UP || has_twin(world, fault))
        return; // gone with the life, or to stay
    if (fault->kind == LP_FAULT_HANG && life->apps[fault->app].run == fault->run)
        life->apps[fault->app].is_hung = false;
    if (fault->kind == LP_FAULT_PAUSE && life->is_mute) {
        life->is_mute = false;
        lp_world_tell_apps(world, fault->node); // before it counts as up: they are not started anew
        lp_world_tell_life(world, fault->node);
    }
}

// A person's command fails in the midst and is undone, or is still at it when the daemon dies.
static void half_done(struct lp_world *world, const struct lp_action *action,
                      struct lp_world_fault *fault)
{
    lp_world_say(world, "half broken: f%" PRIu64, action->revision);
    fault->is_half_done = lp_world_chance(world, 500);
    if (fault->is_half_done) {
        lp_world_crash(world, "while the command of a fault ran");
        return;
    }
    *fault = (struct lp_world_fault){0};
    tell(world, action, LP_EVENT_FAULT_FAILED);
}

static void inject(struct lp_world *world, const struct lp_order *order)
{
    const struct lp_action *action = &order->action;
    const struct lp_fault_spec *spec = order->fault_spec;
    struct lp_life *life = lp_world_find_life(world, action->node, action->incarnation);
    struct lp_world_fault *fault = find(world, action->revision);
    bool is_instant = spec->flags & LP_FAULT_IS_INSTANT;
    bool has_app = !(spec->flags & LP_FAULT_ON_APP) || (life && action->app < life->app_count &&
                                                        life->apps[action->app].run == action->run);
    bool is_off = (spec->flags & LP_FAULT_HOLDS) && world->lives[action->node].phase != LP_LIFE_UP;
    if (!life || life->phase != LP_LIFE_UP || !has_app) {
        tell(world, action, is_instant || is_off ? LP_EVENT_FAULT_ACTIVE : LP_EVENT_FAULT_FAILED);
        return;
    }
    if (fault && fault->is_half_done) { // a daemon of before died over it: undone, and told
        *fault = (struct lp_world_fault){0};
        tell(world, action, LP_EVENT_FAULT_FAILED);
        return;
    }
    if (!fault && !is_instant)
        fault = find(world, 0);
    lp_assert(is_instant || fault);
    if (!is_instant && fault) {
        *fault = (struct lp_world_fault){.number = action->revision,
                                         .kind = spec->kind,
                                         .node = action->node,
                                         .app = action->app,
                                         .incarnation = action->incarnation,
                                         .run = action->run};
    }
    bool is_by_chance = !world->is_calm && !world->config.crash_at_write;
    if (fault && spec->kind == LP_FAULT_EXEC && is_by_chance && lp_world_chance(world, 300)) {
        half_done(world, action, fault);
        return;
    }
    world->report->faults++;
    effect_begin(world, action, spec->kind);
    lp_world_say(world, "broken: f%" PRIu64 " %s on %s", action->revision,
                 lp_fault_words[spec->kind], life->name);
    tell(world, action, LP_EVENT_FAULT_ACTIVE);
}

void lp_world_begin_fault(struct lp_world *world, const struct lp_order *order)
{
    const struct lp_action *action = &order->action;
    if (action->kind == LP_ACTION_INJECT_FAULT) {
        judge(world, action);
        inject(world, order);
        return;
    }
    struct lp_world_fault *fault = find(world, action->revision);
    if (fault) {
        effect_end(world, fault);
        *fault = (struct lp_world_fault){0};
    }
    lp_world_say(world, "mended: f%" PRIu64, action->revision);
    tell(world, action, LP_EVENT_FAULT_HEALED);
}

bool lp_world_has_stray_fault(struct lp_world *world, struct lp_str *ret_why)
{
    for (size_t i = 0; i < LP_FAULTS_MAX; i++) {
        bool is_known = world->faults_out[i].number == 0;
        for (uint32_t row = 0; row < LP_FAULTS_MAX && !is_known; row++) {
            const struct lp_fault_row *known = lp_state_fault(lp_engine_state(world->engine), row);
            is_known = known->is_used && known->number == world->faults_out[i].number;
        }
        if (is_known)
            continue;
        lp_str_printf(ret_why, "fault f%" PRIu64 " (%s) is in the world and nobody knows it",
                      world->faults_out[i].number, lp_fault_words[world->faults_out[i].kind]);
        return true;
    }
    return false;
}
