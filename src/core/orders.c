// Orders: given once, given again with the same id when nothing was heard in time.
#include "core/phases.h"

// How long a reply may take, by action; ms. Generous: begun twice is safe but not free.
static const int64_t reply_ms[LP_ACTION_KINDS] = {
    [LP_ACTION_ENSURE_IMAGE] = 3600 * 1000, [LP_ACTION_ENSURE_NETWORK] = 30 * 1000,
    [LP_ACTION_REMOVE_NETWORK] = 30 * 1000, [LP_ACTION_PUBLISH] = 10 * 1000,
    [LP_ACTION_START_NODE] = 120 * 1000,    [LP_ACTION_STOP_NODE] = 10 * 1000,
    [LP_ACTION_FENCE_NODE] = 10 * 1000,     [LP_ACTION_REMOVE_NODE] = 30 * 1000,
    [LP_ACTION_RENDER] = 30 * 1000,         [LP_ACTION_START_APP] = 10 * 1000,
    [LP_ACTION_STOP_APP] = 10 * 1000,       [LP_ACTION_KILL_APP] = 10 * 1000,
    [LP_ACTION_INJECT_FAULT] = 30 * 1000,   [LP_ACTION_HEAL_FAULT] = 30 * 1000,
};

struct lp_because lp_because_of(const struct lp_state *s, enum lp_reason reason, uint32_t a)
{
    return (struct lp_because){.reason = (uint8_t)reason, .a = a, .event_seq = s->seq};
}

bool lp_plan_has_room(const struct lp_planner *planner, size_t actions)
{
    return planner->plan->capacity - planner->plan->count >= actions;
}

void lp_planner_wait(struct lp_planner *planner, int64_t due_ms)
{
    if (due_ms < planner->due_ms)
        planner->due_ms = due_ms;
}

struct lp_action *lp_order_give(struct lp_state *s, struct lp_order_slot *slot,
                                struct lp_planner *planner, const struct lp_action *order)
{
    struct lp_action *action = &planner->plan->actions[planner->plan->count++];
    *action = *order;
    bool is_again = slot && slot->kind == order->kind;
    action->id = is_again ? slot->id : ++s->actions;
    if (!slot)
        return action;
    int64_t wait_ms = reply_ms[order->kind] + order->grace_ms;
    if (is_again) {
        action->because = lp_because_of(s, LP_REASON_NO_REPLY, (uint32_t)wait_ms);
        slot->tries += slot->tries < UINT8_MAX;
    } else {
        slot->tries = 1;
        slot->because = order->because;
    }
    slot->id = action->id;
    slot->kind = (uint8_t)order->kind;
    slot->deadline_ms = s->now_ms + wait_ms;
    lp_planner_wait(planner, slot->deadline_ms);
    return action;
}

bool lp_order_is_due(const struct lp_state *s, const struct lp_order_slot *slot)
{
    return slot->kind != LP_ACTION_NONE && slot->deadline_ms <= s->now_ms;
}

void lp_order_clear(struct lp_order_slot *slot)
{
    *slot = (struct lp_order_slot){0};
}
