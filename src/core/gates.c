// Gates: may it start yet? They hold back the first start in a node's life only; what runs is not
// stopped because something it depends on fails later.
#include "core/phases.h"

static bool service_meets(const struct lp_service_inside *service, uint8_t condition)
{
    switch (condition) {
    case LP_DEPEND_COMPLETED:
        return service->is_completed;
    case LP_DEPEND_HEALTHY:
        return service->is_healthy;
    default:
        return service->is_started;
    }
}

static bool service_depend_is_met(struct lp_state *s, const struct lp_want_depend *depend)
{
    if (depend->service >= s->limits.services)
        return true;
    const struct lp_service_inside *service = lp_service_get(s, depend->service);
    if (!service->row.is_used || !service->row.is_wanted)
        return true; // no longer described: nothing to wait for
    if (depend->app == LP_WHOLE_SERVICE)
        return service_meets(service, depend->condition);
    if (depend->app >= service->app_want_count)
        return true;
    const struct lp_app_want_inside *want = lp_want_get(s, depend->service, depend->app);
    uint32_t wanted = service->row.replicas;
    uint32_t count = depend->condition == LP_DEPEND_COMPLETED ? want->done
                     : depend->condition == LP_DEPEND_HEALTHY ? want->ready + want->done
                                                              : want->started + want->done;
    return wanted > 0 && count >= wanted;
}

bool lp_gate_node(struct lp_state *s, uint32_t id)
{
    const struct lp_node_inside *node = lp_node_get(s, id);
    const struct lp_service_want *want = &lp_service_get(s, node->row.service)->row.want;
    if (lp_infra_get(s, node->row.infra)->row.network_phase != 2 ||
        lp_image_get(s, want->image)->phase != LP_IMAGE_READY)
        return false;
    if (node->is_ever_passed)
        return true;
    for (uint32_t i = 0; i < want->depend_count; i++)
        if (!service_depend_is_met(s, &want->depends[i]))
            return false;
    return true;
}

// An application of the same node: is it there?
static bool own_depend_is_met(struct lp_state *s, const struct lp_node_inside *node,
                              const struct lp_want_depend *depend)
{
    if (depend->app >= node->app_count)
        return true;
    uint8_t phase = lp_app_get(s, node, depend->app)->row.phase;
    switch (depend->condition) {
    case LP_DEPEND_COMPLETED:
        return phase == LP_APP_DONE;
    case LP_DEPEND_HEALTHY:
        return phase == LP_APP_READY || phase == LP_APP_DONE;
    default:
        return phase == LP_APP_RUNNING || phase == LP_APP_READY || phase == LP_APP_SUSPECT ||
               phase == LP_APP_DONE;
    }
}

bool lp_gate_app(struct lp_state *s, uint32_t id, uint32_t app)
{
    const struct lp_node_inside *node = lp_node_get(s, id);
    const struct lp_app_want *want = &lp_want_get(s, node->row.service, app)->want;
    // Setup steps run one after the other, before all else.
    for (uint32_t i = 0; i < node->app_count; i++) {
        if (want->kind == LP_APP_SETUP && i >= app)
            break;
        bool is_setup = i < lp_service_get(s, node->row.service)->app_want_count &&
                        lp_want_get(s, node->row.service, i)->want.kind == LP_APP_SETUP;
        if (is_setup && lp_app_get(s, node, i)->row.phase != LP_APP_DONE)
            return false;
    }
    for (uint32_t i = 0; i < want->depend_count; i++) {
        const struct lp_want_depend *depend = &want->depends[i];
        bool is_own = depend->service == node->row.service && depend->app != LP_WHOLE_SERVICE;
        if (is_own ? !own_depend_is_met(s, node, depend) : !service_depend_is_met(s, depend))
            return false;
    }
    return true;
}

static bool names(const struct lp_want_depend *depends, uint32_t count, uint32_t service)
{
    for (uint32_t i = 0; i < count; i++)
        if (depends[i].service == service)
            return true;
    return false;
}

static bool service_names(struct lp_state *s, uint32_t id, uint32_t named)
{
    const struct lp_service_inside *service = lp_service_get(s, id);
    if (names(service->row.want.depends, service->row.want.depend_count, named))
        return true;
    for (uint32_t a = 0; a < service->app_want_count; a++) {
        const struct lp_app_want *want = &lp_want_get(s, id, a)->want;
        if (names(want->depends, want->depend_count, named))
            return true;
    }
    return false;
}

void lp_gate_service_changed(struct lp_state *s, uint32_t id)
{
    const struct lp_service_inside *service = lp_service_get(s, id);
    if (!service->has_dependents)
        return;
    const struct lp_infra_inside *infra = lp_infra_get(s, service->row.infra);
    for (uint32_t i = infra->first_service; i != LP_NONE; i = lp_service_get(s, i)->next) {
        const struct lp_service_inside *other = lp_service_get(s, i);
        bool may_wait = other->started_count < other->row.node_count;
        if (may_wait && service_names(s, i, id))
            lp_service_touch_nodes(s, i);
    }
}
