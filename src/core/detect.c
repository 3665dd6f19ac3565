// Detect: from readings and silence to suspicions.
// Source: [S1] III-A; counting failures in a row as the Compose Specification's healthcheck does.
#include "core/phases.h"

enum { MUTE_MS = 1000 }; // so long may limpet-init be silent before its node counts as faulty

static void reading_ok(struct lp_state *s, uint32_t node, uint32_t app_id)
{
    struct lp_app_inside *app = lp_app_get(s, lp_node_get(s, node), app_id);
    app->fails = 0;
    app->is_ever_ready = true;
    if (app->row.phase != LP_APP_RUNNING && app->row.phase != LP_APP_SUSPECT)
        return;
    if (!app->ready_ms)
        app->ready_ms = s->now_ms;
    lp_app_phase_set(s, node, app_id, LP_APP_READY);
}

void lp_detect_reading(struct lp_state *s, uint32_t node_id, uint32_t app_id, bool is_ok)
{
    const struct lp_node_inside *node = lp_node_get(s, node_id);
    struct lp_app_inside *app = lp_app_get(s, node, app_id);
    bool is_alive = app->row.phase == LP_APP_RUNNING || app->row.phase == LP_APP_READY ||
                    app->row.phase == LP_APP_SUSPECT;
    if (!is_alive || app_id >= lp_service_get(s, node->row.service)->app_want_count)
        return;
    app->watch_due_ms = 0;
    if (is_ok) {
        reading_ok(s, node_id, app_id);
        return;
    }
    const struct lp_app_want *want = &lp_want_get(s, node->row.service, app_id)->want;
    bool is_starting = !app->ready_ms && s->now_ms < app->started_ms + want->start_period_ms;
    if (is_starting)
        return;
    app->fails += app->fails < UINT8_MAX;
    if (app->fails >= (want->retries ? want->retries : 1))
        lp_app_phase_set(s, node_id, app_id, LP_APP_SUSPECT);
}

bool lp_detect_is_mute(const struct lp_state *s, const struct lp_node_inside *node)
{
    return node->row.phase == LP_NODE_MUTE && s->now_ms >= node->mute_since_ms + MUTE_MS;
}
