// Detect: from readings and silence to suspicions.
// Source: [S1] III-A; counting failures in a row as the Compose Specification's healthcheck does.
// Other sensors than an application's own check (what watches its log) only confirm: a suspicion
// counts as one failed reading more for a while, and alone it changes nothing.
#include "core/phases.h"

enum {
    MUTE_MS = 1000, // so long may limpet-init be silent before its node counts as faulty
    CONFIRM_S = 10, // so long a suspicion confirms what the check says
};

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

// NULL: nothing runs there that could be doubted.
static struct lp_app_inside *alive_get(struct lp_state *s, uint32_t node_id, uint32_t app_id)
{
    const struct lp_node_inside *node = lp_node_get(s, node_id);
    struct lp_app_inside *app = lp_app_get(s, node, app_id);
    bool is_alive = app->row.phase == LP_APP_RUNNING || app->row.phase == LP_APP_READY ||
                    app->row.phase == LP_APP_SUSPECT;
    return is_alive && app_id < lp_service_get(s, node->row.service)->app_want_count ? app : NULL;
}

// Enough failed readings in a row, counted with what confirms them?
static void doubt(struct lp_state *s, uint32_t node_id, uint32_t app_id)
{
    const struct lp_node_inside *node = lp_node_get(s, node_id);
    const struct lp_app_inside *app = lp_app_get(s, node, app_id);
    uint8_t retries = lp_want_get(s, node->row.service, app_id)->want.retries;
    bool is_confirmed = app->suspected_s && s->now_ms / 1000 - app->suspected_s <= CONFIRM_S;
    uint32_t against = app->fails + (app->fails > 0 && is_confirmed);
    if (against >= (retries ? retries : 1))
        lp_app_phase_set(s, node_id, app_id, LP_APP_SUSPECT);
}

void lp_detect_suspicion(struct lp_state *s, uint32_t node_id, uint32_t app_id)
{
    struct lp_app_inside *app = alive_get(s, node_id, app_id);
    if (!app)
        return;
    app->suspected_s = (uint32_t)(s->now_ms / 1000);
    if (app->fails > 0)
        doubt(s, node_id, app_id);
}

void lp_detect_reading(struct lp_state *s, uint32_t node_id, uint32_t app_id, bool is_ok)
{
    const struct lp_node_inside *node = lp_node_get(s, node_id);
    struct lp_app_inside *app = alive_get(s, node_id, app_id);
    if (!app)
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
    doubt(s, node_id, app_id);
}

bool lp_detect_is_mute(const struct lp_state *s, const struct lp_node_inside *node)
{
    return node->row.phase == LP_NODE_MUTE && s->now_ms >= node->mute_since_ms + MUTE_MS;
}
