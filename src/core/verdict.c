// Counts and verdicts, kept up to date at every change instead of being counted anew.
#include "core/phases.h"

static bool is_alive(uint8_t phase)
{
    return phase == LP_APP_RUNNING || phase == LP_APP_READY || phase == LP_APP_SUSPECT;
}

void lp_app_phase_set(struct lp_state *s, uint32_t node_id, uint32_t app_id,
                      enum lp_app_phase phase)
{
    struct lp_node_inside *node = lp_node_get(s, node_id);
    struct lp_app_inside *app = lp_app_get(s, node, app_id);
    uint8_t before = app->row.phase;
    if (before == phase)
        return;
    app->row.phase = (uint8_t)phase;
    app->row.since_ms = s->now_ms;
    if (app_id >= lp_service_get(s, node->row.service)->app_want_count)
        return;
    struct lp_app_want_inside *want = lp_want_get(s, node->row.service, app_id);
    want->started += is_alive((uint8_t)phase) - is_alive(before);
    want->ready += (phase == LP_APP_READY) - (before == LP_APP_READY);
    want->done += (phase == LP_APP_DONE) - (before == LP_APP_DONE);
    const struct lp_service_inside *service = lp_service_get(s, node->row.service);
    uint32_t count = phase == LP_APP_READY ? want->ready + want->done : want->started + want->done;
    bool is_better = phase == LP_APP_READY || phase == LP_APP_DONE || phase == LP_APP_RUNNING;
    if (is_better && service->has_dependents && count >= service->row.replicas)
        lp_gate_service_changed(s, node->row.service);
}

void lp_want_recount(struct lp_state *s, uint32_t id)
{
    const struct lp_service_inside *service = lp_service_get(s, id);
    for (uint32_t i = 0; i < service->app_want_count; i++) {
        struct lp_app_want_inside *want = lp_want_get(s, id, i);
        want->started = want->ready = want->done = 0;
        for (uint32_t n = service->row.first_node; n != LP_NONE; n = lp_node_get(s, n)->next) {
            const struct lp_node_inside *node = lp_node_get(s, n);
            uint8_t phase = i < node->app_count ? lp_app_get(s, node, i)->row.phase : LP_APP_IDLE;
            want->started += is_alive(phase);
            want->ready += phase == LP_APP_READY;
            want->done += phase == LP_APP_DONE;
        }
    }
}

struct app_sums {
    uint32_t serving, ready, done, suspect, gave_up, started;
};

static struct app_sums sums_of(struct lp_state *s, const struct lp_node_inside *node)
{
    struct app_sums sums = {0};
    for (uint32_t i = 0; i < node->app_count; i++) {
        uint8_t phase = lp_app_get(s, node, i)->row.phase;
        sums.ready += phase == LP_APP_READY;
        sums.done += phase == LP_APP_DONE;
        sums.suspect += phase == LP_APP_SUSPECT;
        sums.gave_up += phase == LP_APP_GAVE_UP;
        sums.started += is_alive(phase) || phase == LP_APP_DONE;
    }
    return sums;
}

static enum lp_node_verdict verdict_of(struct lp_state *s, const struct lp_node_inside *node,
                                       const struct app_sums *sums)
{
    if (!node->row.is_wanted)
        return LP_VERDICT_STOPPING;
    if (node->is_gave_up || sums->gave_up)
        return LP_VERDICT_GAVE_UP;
    if (lp_image_get(s, lp_service_get(s, node->row.service)->row.want.image)->attempts >
        LP_IMAGE_ATTEMPTS_MAX)
        return LP_VERDICT_GAVE_UP;
    switch (node->row.phase) {
    case LP_NODE_UP:
        if (sums->ready + sums->done == node->app_count)
            return sums->ready ? LP_VERDICT_HEALTHY : LP_VERDICT_COMPLETED;
        if (sums->suspect)
            return LP_VERDICT_UNHEALTHY;
        return node->is_repairing ? LP_VERDICT_REPAIRING : LP_VERDICT_STARTING;
    case LP_NODE_MUTE:
        return LP_VERDICT_UNHEALTHY;
    case LP_NODE_STARTING:
        return node->is_repairing ? LP_VERDICT_REPAIRING : LP_VERDICT_STARTING;
    default:
        return node->is_repairing ? LP_VERDICT_REPAIRING : LP_VERDICT_WAITING;
    }
}

static bool is_good(uint8_t verdict)
{
    return verdict == LP_VERDICT_HEALTHY || verdict == LP_VERDICT_COMPLETED;
}

// Crossing one of its conditions, a service lets its dependents start.
static void service_crossed(struct lp_state *s, uint32_t id)
{
    struct lp_service_inside *service = lp_service_get(s, id);
    uint32_t wanted = service->row.replicas;
    bool is_started = wanted && service->started_count >= wanted;
    bool is_healthy = wanted && service->row.healthy_count >= wanted;
    bool is_completed = wanted && service->completed_count >= wanted;
    bool is_changed = is_started != service->is_started || is_healthy != service->is_healthy ||
                      is_completed != service->is_completed;
    service->is_started = is_started;
    service->is_healthy = is_healthy;
    service->is_completed = is_completed;
    if (is_changed && (is_started || is_healthy || is_completed) && service->has_dependents)
        lp_gate_service_changed(s, id);
}

enum lp_node_verdict lp_verdict_of(struct lp_state *s, uint32_t id)
{
    const struct lp_node_inside *node = lp_node_get(s, id);
    struct app_sums sums = sums_of(s, node);
    return verdict_of(s, node, &sums);
}

void lp_verdict_update(struct lp_state *s, uint32_t id)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    if (!node->row.is_used)
        return;
    struct lp_service_inside *service = lp_service_get(s, node->row.service);
    struct lp_infra_inside *infra = lp_infra_get(s, node->row.infra);
    struct app_sums sums = sums_of(s, node);
    bool is_started =
        node->row.is_wanted && node->row.phase == LP_NODE_UP && sums.started == node->app_count;
    service->started_count += is_started - node->is_started;
    node->is_started = is_started;
    uint8_t before = node->row.verdict;
    uint8_t after = (uint8_t)verdict_of(s, node, &sums);
    if (before != after) {
        node->row.verdict = after;
        node->row.since_ms = s->now_ms;
        int change = is_good(after) - is_good(before);
        service->row.healthy_count += (uint32_t)change;
        infra->row.healthy_count += (uint32_t)change;
        service->completed_count +=
            (uint32_t)((after == LP_VERDICT_COMPLETED) - (before == LP_VERDICT_COMPLETED));
        if (is_good(after) && !is_good(before))
            lp_repair_healthy(s, id);
        else if (!is_good(after))
            lp_repair_was_healthy(s, id);
    }
    bool is_up = node->row.phase == LP_NODE_UP;
    if (is_up != node->is_published_up || is_good(after) != node->is_published_good) {
        node->is_published_up = is_up;
        node->is_published_good = is_good(after);
        infra->row.publish_wanted++;
        lp_infra_touch(s, node->row.infra);
    }
    service_crossed(s, node->row.service);
}
