// Faults on purpose: a row for each, wanted until its time is over or somebody heals it. Like a
// node it is level-triggered: a fault whose node began a new life is injected into that one, and
// what may be in the world is always undone by an order of its own, which is safe to give twice.
// Law 3: the row, and with it the undo, is in the journal before the first order.
#include "core/phases.h"

#include "base/err.h"

enum { RETRY_MS = 1000 };

static struct lp_node_inside *node_of(struct lp_state *s, const struct lp_fault_row *row)
{
    return row->node == LP_NONE ? NULL : lp_node_get(s, row->node);
}

static bool is_held(const struct lp_fault_row *row)
{
    return (row->spec.flags & LP_FAULT_HOLDS) != 0;
}

static void row_free(struct lp_state *s, uint32_t id)
{
    struct lp_fault_inside *fault = lp_fault_get(s, id);
    struct lp_node_inside *node = node_of(s, &fault->row);
    fault->row.is_used = false;
    lp_order_clear(&fault->order);
    lp_timer_set(s, lp_timer_id(s, LP_TIMER_FAULT, id), INT64_MAX);
    if (!node)
        return;
    node->fault_count--;
    node->hold_count -= is_held(&fault->row);
    lp_node_touch(s, fault->row.node);
}

static int64_t end_of(int64_t start_ms, const struct lp_fault_spec *spec)
{
    return spec->duration_ms == LP_FAULT_FOREVER ? INT64_MAX : start_ms + spec->duration_ms;
}

static void asked(struct lp_state *s, const struct lp_event *event)
{
    struct lp_fault_inside *fault = lp_fault_get(s, event->fault);
    bool has_node = event->node < s->limits.nodes;
    if (fault->row.is_used || s->are_faults_locked ||
        (has_node && !lp_node_get(s, event->node)->row.is_used))
        return;
    bool is_dirty = fault->is_dirty;
    *fault = (struct lp_fault_inside){.row = {.is_used = true,
                                              .phase = LP_FAULT_ASKED,
                                              .number = ++s->faults_asked,
                                              .infra = event->infra,
                                              .service = event->service,
                                              .node = has_node ? event->node : LP_NONE,
                                              .app = event->app,
                                              .spec = event->fault_spec,
                                              .asked_ms = s->now_ms,
                                              .until_ms = end_of(s->now_ms, &event->fault_spec)},
                                      .is_dirty = is_dirty};
    struct lp_node_inside *node = node_of(s, &fault->row);
    if (!node)
        return;
    node->fault_count++;
    node->hold_count += is_held(&fault->row);
}

static void active(struct lp_state *s, const struct lp_event *event)
{
    struct lp_fault_inside *fault = lp_fault_get(s, event->fault);
    if (fault->row.phase != LP_FAULT_INJECTING || event->incarnation != fault->row.incarnation)
        return;
    lp_order_clear(&fault->order);
    fault->row.phase = LP_FAULT_ACTIVE;
    if (!fault->row.active_ms) {
        fault->row.active_ms = s->now_ms;
        fault->row.until_ms = end_of(s->now_ms, &fault->row.spec);
    }
    if (fault->row.spec.flags & LP_FAULT_IS_INSTANT)
        row_free(s, event->fault);
}

// One that was in effect and cannot be had in the node's new life yet is tried again. Another is
// undone all the same: an order of which nothing was heard may have done it before.
static void failed(struct lp_state *s, const struct lp_event *event)
{
    struct lp_fault_inside *fault = lp_fault_get(s, event->fault);
    if (fault->row.phase != LP_FAULT_INJECTING)
        return;
    if (fault->row.spec.flags & LP_FAULT_IS_INSTANT) {
        row_free(s, event->fault);
        return;
    }
    lp_order_clear(&fault->order);
    if (!fault->row.active_ms) {
        fault->is_failed = true;
        fault->row.phase = LP_FAULT_HEALING;
        return;
    }
    fault->row.phase = LP_FAULT_ASKED;
    fault->next_try_ms = s->now_ms + RETRY_MS;
}

void lp_fault_absorb(struct lp_state *s, const struct lp_event *event)
{
    if (event->kind == LP_EVENT_FAULTS_LOCKED) {
        s->are_faults_locked = event->is_ok;
        for (uint32_t i = 0; i < LP_FAULTS_MAX; i++)
            if (lp_fault_get(s, i)->row.is_used)
                lp_fault_touch(s, i);
        return;
    }
    struct lp_fault_inside *fault = lp_fault_get(s, event->fault);
    if (event->kind == LP_EVENT_FAULT_ASKED)
        asked(s, event);
    if (!fault->row.is_used ||
        (event->kind != LP_EVENT_FAULT_ASKED && event->revision != fault->row.number))
        return; // a word about an earlier fault of this slot
    if (event->kind == LP_EVENT_HEAL_ASKED)
        fault->is_heal_asked = true;
    else if (event->kind == LP_EVENT_FAULT_ACTIVE)
        active(s, event);
    else if (event->kind == LP_EVENT_FAULT_HEALED && fault->row.phase == LP_FAULT_HEALING)
        row_free(s, event->fault);
    else if (event->kind == LP_EVENT_FAULT_FAILED)
        failed(s, event);
    lp_fault_touch(s, event->fault);
}

// What was injected may have gone with the daemon: it is ordered anew, which is safe.
void lp_faults_daemon_started(struct lp_state *s)
{
    for (uint32_t i = 0; i < LP_FAULTS_MAX; i++) {
        struct lp_fault_inside *fault = lp_fault_get(s, i);
        if (!fault->row.is_used)
            continue;
        lp_order_clear(&fault->order);
        if (fault->row.phase != LP_FAULT_HEALING)
            fault->row.phase = LP_FAULT_ASKED;
    }
}

// Has the application been started anew since? What was done to its processes went with them.
static bool is_other_run(struct lp_state *s, const struct lp_fault_row *row,
                         const struct lp_node_inside *node)
{
    return (row->spec.flags & LP_FAULT_ON_APP) && row->incarnation && row->app < node->app_count &&
           lp_app_get(s, node, row->app)->row.run != row->run;
}

static bool is_target_gone(struct lp_state *s, const struct lp_fault_inside *fault)
{
    const struct lp_fault_row *row = &fault->row;
    const struct lp_node_inside *node = node_of(s, row);
    if (!node)
        return false;
    if (!node->row.is_wanted || !lp_infra_get(s, node->row.infra)->row.is_wanted)
        return true;
    bool is_other_life = row->incarnation && row->incarnation != node->row.incarnation;
    bool is_dead = row->incarnation && node->row.phase == LP_NODE_ABSENT;
    return (row->spec.flags & LP_FAULT_IS_OF_LIFE) &&
           (is_other_life || is_dead || is_other_run(s, row, node));
}

static bool is_over(struct lp_state *s, const struct lp_fault_inside *fault)
{
    if (fault->row.phase == LP_FAULT_HEALING || fault->is_heal_asked || s->are_faults_locked ||
        is_target_gone(s, fault))
        return true;
    bool is_instant = fault->row.spec.flags & LP_FAULT_IS_INSTANT;
    return !is_instant && s->now_ms >= fault->row.until_ms;
}

struct lp_action lp_fault_action(const struct lp_fault_row *row, uint32_t id)
{
    struct lp_action action = lp_action_new(LP_ACTION_NONE, (struct lp_because){0});
    action.infra = row->infra;
    action.service = row->service;
    action.node = row->node;
    action.app = row->app;
    action.fault = id;
    action.incarnation = row->incarnation;
    action.run = row->run;
    action.revision = row->number;
    return action;
}

static void give(struct lp_state *s, uint32_t id, enum lp_action_kind kind,
                 struct lp_because because, struct lp_planner *planner)
{
    struct lp_fault_inside *fault = lp_fault_get(s, id);
    struct lp_action action = lp_fault_action(&fault->row, id);
    action.kind = kind;
    action.because = because;
    if (fault->order.kind != (uint8_t)kind)
        lp_order_clear(&fault->order);
    lp_order_give(s, &fault->order, planner, &action);
}

static enum lp_reason why_over(struct lp_state *s, const struct lp_fault_inside *fault)
{
    if (fault->is_failed)
        return LP_REASON_FAULT_FAILED;
    if (fault->is_heal_asked || s->are_faults_locked)
        return LP_REASON_ASKED;
    return is_target_gone(s, fault) ? LP_REASON_FAULT_GONE : LP_REASON_FAULT_OVER;
}

static void heal(struct lp_state *s, uint32_t id, struct lp_planner *planner)
{
    struct lp_fault_inside *fault = lp_fault_get(s, id);
    bool is_out = fault->order.kind == LP_ACTION_HEAL_FAULT;
    if (is_out && !lp_order_is_due(s, &fault->order))
        return;
    enum lp_reason reason = why_over(s, fault);
    fault->row.phase = LP_FAULT_HEALING;
    give(s, id, LP_ACTION_HEAL_FAULT, lp_because_of(s, reason, 0), planner);
}

bool lp_fault_app_runs(const struct lp_state *state, uint32_t node, uint32_t app)
{
    const struct lp_app_row *row = lp_state_app(state, node, app);
    return row && (row->phase == LP_APP_RUNNING || row->phase == LP_APP_READY ||
                   row->phase == LP_APP_SUSPECT);
}

// Is there something that it could be injected into? Fills which life and run.
static bool find_life(struct lp_state *s, struct lp_fault_row *row)
{
    const struct lp_node_inside *node = node_of(s, row);
    bool is_again = row->incarnation && (row->spec.flags & LP_FAULT_IS_INSTANT);
    if (!node || is_again)
        return true; // an instant one meant that life: if it is over, so is the fault
    // What is to be held down may be down already: nobody starts it meanwhile.
    bool is_off = is_held(row) && node->row.phase == LP_NODE_ABSENT;
    if (node->row.phase != LP_NODE_UP && !is_off)
        return false;
    if (row->spec.flags & LP_FAULT_ON_APP) {
        if (!lp_fault_app_runs(s, row->node, row->app))
            return false;
        row->run = lp_app_get(s, node, row->app)->row.run;
    }
    row->incarnation = node->row.incarnation;
    return true;
}

static bool is_to_inject(struct lp_state *s, const struct lp_fault_inside *fault)
{
    const struct lp_node_inside *node = node_of(s, &fault->row);
    if (fault->row.phase == LP_FAULT_ASKED)
        return true;
    if (fault->row.phase == LP_FAULT_INJECTING)
        return lp_order_is_due(s, &fault->order);
    return node && !is_held(&fault->row) && node->row.incarnation != fault->row.incarnation;
}

static void inject(struct lp_state *s, uint32_t id, struct lp_planner *planner)
{
    struct lp_fault_inside *fault = lp_fault_get(s, id);
    if (s->now_ms < fault->next_try_ms) {
        lp_planner_wait(planner, fault->next_try_ms);
        return;
    }
    if (!is_to_inject(s, fault))
        return;
    if (!find_life(s, &fault->row)) { // nothing was heard, and what it was for is gone
        lp_order_clear(&fault->order);
        fault->row.phase = LP_FAULT_ASKED;
        fault->is_failed = (fault->row.spec.flags & LP_FAULT_IS_INSTANT) != 0;
        if (fault->is_failed) // it meant what ran when it was asked for: never a later one
            heal(s, id, planner);
        return;
    }
    fault->row.phase = LP_FAULT_INJECTING;
    give(s, id, LP_ACTION_INJECT_FAULT, lp_because_of(s, LP_REASON_ASKED, 0), planner);
}

void lp_reconcile_fault(struct lp_state *s, uint32_t id, struct lp_planner *planner)
{
    struct lp_fault_inside *fault = lp_fault_get(s, id);
    planner->due_ms = INT64_MAX;
    if (!s->is_synced || !fault->row.is_used)
        return;
    if (is_over(s, fault)) {
        heal(s, id, planner);
    } else {
        inject(s, id, planner);
        if (!(fault->row.spec.flags & LP_FAULT_IS_INSTANT))
            lp_planner_wait(planner, fault->row.until_ms);
    }
    if (fault->order.kind != LP_ACTION_NONE)
        lp_planner_wait(planner, fault->order.deadline_ms);
    lp_timer_set(s, lp_timer_id(s, LP_TIMER_FAULT, id), planner->due_ms);
}
