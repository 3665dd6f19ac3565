// What people want: descriptors, numbers, requests.
#include "core/phases.h"

static void infra_set(struct lp_state *s, uint32_t id, uint64_t networks_hash)
{
    struct lp_infra_inside *infra = lp_infra_get(s, id);
    if (!infra->row.is_used) {
        bool was_dirty = infra->is_dirty;
        // Versions are counted on: a late word of the infrastructure that had this row is older.
        uint64_t published = infra->row.publish_wanted;
        *infra = (struct lp_infra_inside){.first_service = LP_NONE, .is_dirty = was_dirty};
        infra->row.is_used = true;
        infra->row.publish_wanted = published + 1;
    }
    infra->row.is_wanted = true;
    infra->is_open = true;
    if (infra->networks_hash != networks_hash && infra->row.network_phase == 2)
        infra->row.network_phase = 0; // its networks changed: made anew around what runs
    else if (infra->networks_hash != networks_hash && infra->row.network_phase == 1)
        infra->is_network_stale = true;
    infra->networks_hash = networks_hash;
}

// A change of a service interests somebody only if it is named; the mark is never taken back.
static void named_mark(struct lp_state *s, const struct lp_service_want *want)
{
    for (uint32_t i = 0; i < want->depend_count; i++)
        if (want->depends[i].service < s->limits.services)
            lp_service_get(s, want->depends[i].service)->has_dependents = true;
    for (uint32_t i = 0; i < want->observe_count; i++)
        if (want->observes[i] < s->limits.services)
            lp_service_get(s, want->observes[i])->has_observers = true;
}

static void service_set(struct lp_state *s, const struct lp_event *event)
{
    struct lp_service_inside *service = lp_service_get(s, event->service);
    bool is_elsewhere = service->row.is_used && service->row.infra != event->infra;
    if (is_elsewhere || !lp_infra_get(s, event->infra)->is_open ||
        event->service_want.app_count > LP_APPS_MAX ||
        event->service_want.depend_count > LP_DEPENDS_MAX ||
        event->service_want.observe_count > LP_OBSERVES_MAX)
        return;
    if (!service->row.is_used)
        lp_service_link(s, event->service, event->infra);
    bool is_other_number = service->row.want.replicas != event->service_want.replicas;
    service->row.want = event->service_want;
    named_mark(s, &service->row.want);
    if (is_other_number || !service->row.is_wanted) // what was taken away comes back as described
        service->by_hand = LP_NONE;
    service->row.is_wanted = true;
    service->row.replicas =
        service->by_hand != LP_NONE ? service->by_hand : service->row.want.replicas;
    if (service->files_hash != service->row.want.files_hash) {
        service->files_hash = service->row.want.files_hash;
        service->render_version++;
        service->render_reason = LP_REASON_CHANGED;
    }
    if (!lp_service_wants_resize(s, event->service, service->row.want.app_count))
        service->row.want.app_count = service->app_want_count;
    lp_image_get(s, service->row.want.image)->is_wanted = true;
}

static void app_set(struct lp_state *s, const struct lp_event *event)
{
    const struct lp_service_inside *service = lp_service_get(s, event->service);
    if (!service->row.is_used || !lp_infra_get(s, service->row.infra)->is_open ||
        event->app >= service->app_want_count || event->app_want.depend_count > LP_DEPENDS_MAX)
        return;
    lp_want_get(s, event->service, event->app)->want = event->app_want;
    for (uint32_t i = 0; i < event->app_want.depend_count; i++)
        if (event->app_want.depends[i].service < s->limits.services)
            lp_service_get(s, event->app_want.depends[i].service)->has_dependents = true;
}

static void image_reset(struct lp_state *s, uint32_t id, uint64_t revision)
{
    struct lp_image_inside *image = lp_image_get(s, id);
    *image = (struct lp_image_inside){
        .is_used = true, .is_dirty = image->is_dirty, .revision = revision};
    lp_image_touch_nodes(s, id);
}

static bool image_has_users(struct lp_state *s, uint32_t id)
{
    for (uint32_t i = 0; i < s->limits.services; i++) {
        const struct lp_service_row *row = &lp_service_get(s, i)->row;
        if (row->is_used && row->want.image == id)
            return true;
    }
    return false;
}

// A person has spoken: what failed or gave up is tried again.
static void image_forgive(struct lp_state *s, uint32_t id)
{
    const struct lp_image_inside *image = lp_image_get(s, id);
    if (image->phase == LP_IMAGE_FAILED)
        image_reset(s, id, image->revision);
    lp_image_touch(s, id);
}

// The change is complete: number the nodes, look at every row of the infrastructure.
static void infra_applied(struct lp_state *s, uint32_t id)
{
    struct lp_infra_inside *infra = lp_infra_get(s, id);
    if (!infra->row.is_used)
        return;
    infra->is_open = false;
    infra->because = lp_because_of(s, LP_REASON_WANTED, 0);
    for (uint32_t i = infra->first_service; i != LP_NONE; i = lp_service_get(s, i)->next) {
        struct lp_service_inside *service = lp_service_get(s, i);
        lp_service_touch(s, i);
        if (service->row.want.image < s->limits.images) {
            image_forgive(s, service->row.want.image);
        }
        for (uint32_t n = service->row.first_node; n != LP_NONE; n = lp_node_get(s, n)->next) {
            lp_node_touch(s, n);
            if (lp_node_get(s, n)->node_hash != service->row.want.node_hash ||
                lp_node_get(s, n)->render_done != service->render_version)
                lp_repair_forgive(s, n);
        }
        lp_gate_service_changed(s, i);
    }
    infra->row.publish_wanted++;
    lp_infra_touch(s, id);
}

static void service_unset(struct lp_state *s, uint32_t id)
{
    struct lp_service_inside *service = lp_service_get(s, id);
    if (!service->row.is_used)
        return;
    service->row.is_wanted = false;
    service->row.replicas = 0;
    lp_service_touch(s, id);
}

static void infra_unset(struct lp_state *s, uint32_t id)
{
    struct lp_infra_inside *infra = lp_infra_get(s, id);
    if (!infra->row.is_used)
        return;
    infra->row.is_wanted = false;
    infra->is_open = false;
    for (uint32_t i = infra->first_service; i != LP_NONE; i = lp_service_get(s, i)->next)
        service_unset(s, i);
    lp_infra_touch_nodes(s, id);
    lp_infra_touch(s, id);
}

static void scale_set(struct lp_state *s, const struct lp_event *event)
{
    struct lp_service_inside *service = lp_service_get(s, event->service);
    if (!service->row.is_used || !service->row.is_wanted)
        return;
    service->by_hand = event->replicas;
    service->row.replicas = event->replicas;
    lp_service_touch(s, event->service);
}

static void restart_asked(struct lp_state *s, const struct lp_event *event)
{
    struct lp_node_inside *node = lp_node_get(s, event->node);
    if (!node->row.is_used)
        return;
    bool is_whole = event->app == LP_NONE || node->row.phase != LP_NODE_UP;
    lp_repair_forgive(s, event->node);
    if (is_whole)
        node->is_restart_asked = node->row.phase != LP_NODE_ABSENT;
    else if (event->app < node->app_count) {
        lp_app_get(s, node, event->app)->is_restart_asked = true;
        lp_app_get(s, node, event->app)->because = lp_because_of(s, LP_REASON_ASKED, 0);
    }
    if (is_whole)
        node->because = lp_because_of(s, LP_REASON_ASKED, 0);
    image_forgive(s, lp_service_get(s, node->row.service)->row.want.image);
}

void lp_absorb_want(struct lp_state *s, const struct lp_event *event)
{
    switch (event->kind) {
    case LP_EVENT_INFRA_SET:
        infra_set(s, event->infra, event->revision);
        break;
    case LP_EVENT_IMAGE_SET:
        // One that nobody used may have been removed from the cache since.
        if (lp_image_get(s, event->image)->revision != event->revision ||
            !image_has_users(s, event->image))
            image_reset(s, event->image, event->revision);
        lp_image_get(s, event->image)->is_used = true;
        break;
    case LP_EVENT_SERVICE_SET:
        service_set(s, event);
        break;
    case LP_EVENT_APP_SET:
        app_set(s, event);
        break;
    case LP_EVENT_SERVICE_UNSET:
        service_unset(s, event->service);
        break;
    case LP_EVENT_INFRA_APPLIED:
        infra_applied(s, event->infra);
        break;
    case LP_EVENT_INFRA_UNSET:
        infra_unset(s, event->infra);
        break;
    case LP_EVENT_SCALE_SET:
        scale_set(s, event);
        break;
    default: // RESTART_ASKED
        restart_asked(s, event);
        lp_node_touch(s, event->node);
    }
}
