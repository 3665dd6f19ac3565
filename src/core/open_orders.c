// What was ordered and not answered yet.
#include "core/open_orders.h"

#include "core/phases.h"

struct walk {
    struct lp_state *state;
    void (*visit)(void *context, const struct lp_action *action);
    void *context;
};

static struct lp_action blank(void)
{
    return lp_action_new(LP_ACTION_NONE, (struct lp_because){0});
}

static void slot_tell(const struct walk *walk, const struct lp_order_slot *slot,
                      struct lp_action action)
{
    if (slot->kind == LP_ACTION_NONE)
        return;
    action.id = slot->id;
    action.kind = (enum lp_action_kind)slot->kind;
    action.because = slot->because;
    walk->visit(walk->context, &action);
}

static void app_tell(const struct walk *walk, uint32_t id, uint32_t index, struct lp_action action)
{
    struct lp_node_inside *node = lp_node_get(walk->state, id);
    struct lp_app_inside *app = lp_app_get(walk->state, node, index);
    action.app = index;
    action.run = app->row.run;
    slot_tell(walk, &app->order, action);
    if (app->order.kind != LP_ACTION_NONE || app->row.phase != LP_APP_RUNNING ||
        index >= lp_service_get(walk->state, node->row.service)->app_want_count)
        return;
    bool is_setup = lp_want_get(walk->state, node->row.service, index)->want.kind == LP_APP_SETUP;
    action.kind = is_setup ? LP_ACTION_START_APP : LP_ACTION_WATCH;
    if (is_setup || app->watched_as != LP_WATCH_NONE)
        walk->visit(walk->context, &action);
}

static void node_tell(const struct walk *walk, uint32_t id)
{
    struct lp_node_inside *node = lp_node_get(walk->state, id);
    struct lp_action action = blank();
    if (!node->row.is_used)
        return;
    action.infra = node->row.infra;
    action.service = node->row.service;
    action.node = id;
    action.host = node->row.host;
    action.incarnation = node->row.incarnation;
    action.revision = lp_service_get(walk->state, node->row.service)->render_version;
    slot_tell(walk, &node->order, action);
    slot_tell(walk, &node->render, action);
    for (uint32_t i = 0; i < node->app_count; i++)
        app_tell(walk, id, i, action);
}

void lp_open_orders_visit(struct lp_state *state,
                          void (*visit)(void *context, const struct lp_action *action),
                          void *context)
{
    const struct walk walk = {state, visit, context};
    for (uint32_t i = 0; i < state->limits.infras; i++) {
        const struct lp_infra_inside *infra = lp_infra_get(state, i);
        struct lp_action action = blank();
        action.infra = i;
        action.revision = infra->row.publish_wanted;
        slot_tell(&walk, &infra->network, action);
        slot_tell(&walk, &infra->publish, action);
    }
    for (uint32_t i = 0; i < state->limits.images; i++) {
        struct lp_action action = blank();
        action.image = i;
        slot_tell(&walk, &lp_image_get(state, i)->order, action);
    }
    for (uint32_t i = 0; i < state->limits.nodes; i++)
        node_tell(&walk, i);
    for (uint32_t i = 0; i < LP_FAULTS_MAX; i++) {
        const struct lp_fault_inside *fault = lp_fault_get(state, i);
        slot_tell(&walk, &fault->order, lp_fault_action(&fault->row, i));
    }
}
