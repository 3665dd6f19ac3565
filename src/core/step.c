// The controller: absorb an event, then look at every row that it concerns.
#include "core/step.h"

#include "base/err.h"
#include "core/phases.h"

// The most actions that looking at one row can give: a WATCH or an UNWATCH with an order for each
// application, and two of the node itself.
enum { ACTIONS_OF_A_NODE = 2 * LP_APPS_MAX + 4, ACTIONS_OF_AN_INFRA = 3 };

// A life that nobody knows (the end of the journal was lost, or it outlived its row): it is not
// ours to keep. Lives are counted on from it; and where no other life is known to be, none begins
// before this one is confirmed gone.
static void remove_orphan(struct lp_state *s, const struct lp_event *event,
                          struct lp_planner *planner)
{
    if (event->kind != LP_EVENT_NODE_UP && event->kind != LP_EVENT_NODE_MUTE)
        return;
    struct lp_node_inside *node =
        event->node < s->limits.nodes ? lp_node_get(s, event->node) : NULL;
    if (node && node->row.is_used && node->row.incarnation == event->incarnation)
        return;
    struct lp_action action =
        lp_action_new(LP_ACTION_REMOVE_NODE, lp_because_of(s, LP_REASON_NOT_WANTED, 0));
    action.node = event->node;
    action.host = event->host;
    action.incarnation = event->incarnation;
    bool is_newer = node && event->incarnation > node->row.incarnation;
    bool is_only = is_newer && node->row.is_used && node->order.kind == LP_ACTION_NONE &&
                   (node->row.phase == LP_NODE_ABSENT || node->row.phase == LP_NODE_UNKNOWN);
    lp_order_give(s, is_only ? &node->order : NULL, planner, &action);
    if (is_only) {
        node->row.phase = LP_NODE_STOPPING;
        node->has_root = true;
        lp_node_touch(s, event->node);
    }
    if (is_only || (is_newer && !node->row.is_used))
        node->row.incarnation = event->incarnation;
}

// A network of an infrastructure that nobody knows: it goes the same way.
static void remove_orphan_network(struct lp_state *s, const struct lp_event *event,
                                  struct lp_planner *planner)
{
    if (event->kind != LP_EVENT_NETWORK_READY ||
        (event->infra < s->limits.infras && lp_infra_get(s, event->infra)->row.is_used))
        return;
    struct lp_action action =
        lp_action_new(LP_ACTION_REMOVE_NETWORK, lp_because_of(s, LP_REASON_NOT_WANTED, 0));
    action.infra = event->infra;
    lp_order_give(s, NULL, planner, &action);
}

static void services_scale(struct lp_state *s)
{
    for (uint32_t i = 0; i < s->limits.services && s->dirty_services; i++) {
        struct lp_service_inside *service = lp_service_get(s, i);
        if (!service->is_dirty)
            continue;
        bool is_open = service->row.is_used && lp_infra_get(s, service->row.infra)->is_open;
        service->is_dirty = false;
        s->dirty_services--;
        if (!is_open)
            lp_scale_service(s, i);
    }
}

static bool images_reconcile(struct lp_state *s, struct lp_planner *planner)
{
    for (uint32_t i = 0; i < s->limits.images && s->dirty_images; i++) {
        if (!lp_image_get(s, i)->is_dirty)
            continue;
        if (!lp_plan_has_room(planner, 1))
            return false;
        lp_image_get(s, i)->is_dirty = false;
        s->dirty_images--;
        lp_reconcile_image(s, i, planner);
    }
    return true;
}

static bool infras_reconcile(struct lp_state *s, struct lp_planner *planner)
{
    for (uint32_t i = 0; i < s->limits.infras && s->dirty_infras; i++) {
        if (!lp_infra_get(s, i)->is_dirty)
            continue;
        if (!lp_plan_has_room(planner, ACTIONS_OF_AN_INFRA))
            return false;
        lp_infra_get(s, i)->is_dirty = false;
        s->dirty_infras--;
        lp_reconcile_infra(s, i, planner);
    }
    return true;
}

static bool faults_reconcile(struct lp_state *s, struct lp_planner *planner)
{
    for (uint32_t i = 0; i < LP_FAULTS_MAX && s->dirty_faults; i++) {
        if (!lp_fault_get(s, i)->is_dirty)
            continue;
        if (!lp_plan_has_room(planner, 1))
            return false;
        lp_fault_get(s, i)->is_dirty = false;
        s->dirty_faults--;
        lp_reconcile_fault(s, i, planner);
    }
    return true;
}

static bool nodes_reconcile(struct lp_state *s, struct lp_planner *planner)
{
    // Rows may touch each other; those that come up again wait for the next round, so that two
    // that wait for one another cannot keep the step going.
    for (uint32_t left = s->dirty_count; left > 0 && s->dirty_count > 0; left--) {
        if (!lp_plan_has_room(planner, ACTIONS_OF_A_NODE))
            return false;
        lp_reconcile_node(s, lp_dirty_node_take(s), planner);
    }
    return true;
}

// Does the event name rows that the tables have? Which ids a kind needs: one table.
static bool is_sane(const struct lp_state *s, const struct lp_event *event)
{
    enum { INFRA = 1, SERVICE = 2, NODE = 4, IMAGE = 8, HOST = 16, FAULT = 32 };
    static const uint8_t needs[LP_EVENT_KINDS] = {
        [LP_EVENT_INFRA_SET] = INFRA,
        [LP_EVENT_IMAGE_SET] = IMAGE,
        [LP_EVENT_SERVICE_SET] = INFRA | SERVICE,
        [LP_EVENT_APP_SET] = SERVICE,
        [LP_EVENT_SERVICE_UNSET] = SERVICE,
        [LP_EVENT_INFRA_APPLIED] = INFRA,
        [LP_EVENT_INFRA_UNSET] = INFRA,
        [LP_EVENT_SCALE_SET] = SERVICE,
        [LP_EVENT_RESTART_ASKED] = NODE,
        [LP_EVENT_FAULT_ASKED] = FAULT,
        [LP_EVENT_HEAL_ASKED] = FAULT,
        [LP_EVENT_FAULT_ACTIVE] = FAULT,
        [LP_EVENT_FAULT_FAILED] = FAULT,
        [LP_EVENT_FAULT_HEALED] = FAULT,
        [LP_EVENT_HOST_UP] = HOST,
        [LP_EVENT_HOST_DEAD] = HOST,
        [LP_EVENT_IMAGE_READY] = IMAGE,
        [LP_EVENT_IMAGE_FAILED] = IMAGE,
        [LP_EVENT_NETWORK_READY] = INFRA,
        [LP_EVENT_NETWORK_FAILED] = INFRA,
        [LP_EVENT_NETWORK_GONE] = INFRA,
        [LP_EVENT_PUBLISHED] = INFRA,
    };
    if ((unsigned)event->kind >= LP_EVENT_KINDS)
        return false;
    uint8_t need = needs[event->kind];
    bool has_image =
        event->kind != LP_EVENT_SERVICE_SET || event->service_want.image < s->limits.images;
    return has_image && (!(need & INFRA) || event->infra < s->limits.infras) &&
           (!(need & SERVICE) || event->service < s->limits.services) &&
           (!(need & NODE) || event->node < s->limits.nodes) &&
           (!(need & IMAGE) || event->image < s->limits.images) &&
           (!(need & FAULT) || event->fault < LP_FAULTS_MAX) &&
           (!(need & HOST) || event->host < s->limits.hosts);
}

static bool is_dirty(const struct lp_state *s)
{
    return s->dirty_count || s->dirty_infras || s->dirty_images || s->dirty_services ||
           s->dirty_faults;
}

void lp_step(struct lp_state *s, const struct lp_event *event, struct lp_plan *plan)
{
    enum { ROUNDS_MAX = 16 };
    lp_assert(plan->capacity >= ACTIONS_OF_A_NODE + ACTIONS_OF_AN_INFRA);
    struct lp_planner planner = {.plan = plan};
    plan->count = 0;
    s->seq = event->seq;
    if (event->at_ms > s->now_ms)
        s->now_ms = event->at_ms;
    if (is_sane(s, event))
        lp_absorb(s, event);
    remove_orphan(s, event, &planner);
    remove_orphan_network(s, event, &planner);
    lp_timers_expire(s);
    bool has_room = true;
    for (int round = 0; round < ROUNDS_MAX && has_room; round++) {
        services_scale(s);
        has_room = images_reconcile(s, &planner) && infras_reconcile(s, &planner) &&
                   faults_reconcile(s, &planner) && nodes_reconcile(s, &planner);
        if (!is_dirty(s))
            break;
    }
    plan->wake_at_ms = is_dirty(s) ? s->now_ms : lp_timer_next(s);
}

// What is over at once is not kept for later: it needs something that runs now.
LP_MUST_CHECK static int fault_check(const struct lp_state *state, const struct lp_event *event,
                                     struct lp_err *err)
{
    uint32_t flags = event->fault_spec.flags;
    bool has_node = event->node < state->limits.nodes;
    if (state->are_faults_locked)
        return lp_err_set(err, LP_ECONFLICT,
                          "faults are locked; limpet faults --unlock admits them again");
    if (event->fault >= LP_FAULTS_MAX)
        return lp_err_set(err, LP_EFULL, "%d faults are out already: that is the bound",
                          LP_FAULTS_MAX);
    if (!(flags & LP_FAULT_IS_INSTANT) || !has_node)
        return 0;
    if (lp_state_node(state, event->node)->phase != LP_NODE_UP)
        return lp_err_set(err, LP_ECONFLICT, "the node is not up: there is nothing to break");
    return (flags & LP_FAULT_ON_APP) && !lp_fault_app_runs(state, event->node, event->app)
               ? lp_err_set(err, LP_ECONFLICT,
                            "the application does not run: there is nothing to break")
               : 0;
}

int lp_step_check(const struct lp_state *state, const struct lp_event *event, struct lp_err *err)
{
    const struct lp_limits *limits = lp_state_limits(state);
    switch (event->kind) {
    case LP_EVENT_SCALE_SET:
        if (event->service >= limits->services ||
            !lp_state_service(state, event->service)->is_used ||
            !lp_state_service(state, event->service)->is_wanted)
            return lp_err_set(err, LP_ENOTFOUND, "there is no such service");
        if (event->replicas > limits->nodes)
            return lp_err_set(err, LP_EFULL, "%u nodes are more than the bound of %u",
                              event->replicas, limits->nodes);
        return 0;
    case LP_EVENT_RESTART_ASKED:
        if (event->node >= limits->nodes || !lp_state_node(state, event->node)->is_used)
            return lp_err_set(err, LP_ENOTFOUND, "there is no such node");
        if (event->app != LP_NONE &&
            event->app >=
                lp_state_service(state, lp_state_node(state, event->node)->service)->want.app_count)
            return lp_err_set(err, LP_ENOTFOUND, "the node has no such application");
        return 0;
    case LP_EVENT_FAULT_ASKED:
        return fault_check(state, event, err);
    default:
        return 0;
    }
}
