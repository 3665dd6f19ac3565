// Repair: which fix, and not before when. Restart in the same node first; when that does not help
// replace the node; every repair has a budget, and past it a stated end.
// Sources: restart in place for what needs no state, replacement otherwise [S1] III-A; readiness
// decides between at once and later [s6]; doubling delay with a cap, forgiven after ten good
// minutes [k8s]; attempts within a window [nomad].
#include "core/phases.h"

enum {
    GOOD_RUN_MS = 1000,       // ran so long: its first failure is answered at once
    HELPED_MS = 5 * 1000,     // ready for so long: the restart has helped
    FORGIVE_MS = 600 * 1000,  // good for so long: all is forgiven
    DELAY_CAP_MS = 30 * 1000, // no back-off is longer
    NO_HELP_MAX = 3,          // restarts in one node that may be in vain
    SETUP_ATTEMPTS = 3,       // of a setup step, unless the descriptor says otherwise
    NODE_DELAY_MS = 200,      // first back-off of a node
    LIVES_MAX = 10,           // lives of a node without becoming healthy
    LIVES_WINDOW_MS = 600 * 1000,
    FRESH_AFTER = 2, // replacements in vain: then with a fresh root
};

// base * 2^doublings, capped, with up to a tenth of jitter so that many do not come at once.
static int64_t back_off(struct lp_state *s, int64_t base_ms, uint32_t doublings)
{
    int64_t delay_ms = base_ms;
    for (uint32_t i = 0; i < doublings && delay_ms < DELAY_CAP_MS; i++)
        delay_ms *= 2;
    if (delay_ms > DELAY_CAP_MS)
        delay_ms = DELAY_CAP_MS;
    return delay_ms + (int64_t)lp_rng_below(&s->rng, (uint64_t)delay_ms / 10 + 1);
}

static void app_give_up(struct lp_state *s, uint32_t node, uint32_t app)
{
    lp_app_phase_set(s, node, app, LP_APP_GAVE_UP);
    lp_node_get(s, node)->is_repairing = false;
}

// Does its policy let it be? A setup step that ended well is done; a job may be.
static bool app_may_rest(const struct lp_app_want *want, const struct lp_because *because,
                         int32_t status)
{
    bool is_clean = because->reason == LP_REASON_APP_EXITED && status == 0;
    if (want->kind == LP_APP_SETUP)
        return is_clean;
    return is_clean && want->restart_condition != LP_RESTART_ALWAYS;
}

// The window is Compose's: how long it must have been good for a restart to count as a success.
static void attempts_count(const struct lp_state *s, struct lp_app_inside *app,
                           const struct lp_app_want *want)
{
    bool is_short = want->window_ms && want->window_ms < FORGIVE_MS;
    int64_t good_ms = is_short ? want->window_ms : FORGIVE_MS;
    if (app->ready_ms && s->now_ms - app->ready_ms >= good_ms)
        app->attempts = 0;
    app->attempts += app->attempts < UINT32_MAX;
    if (app->ready_ms && s->now_ms - app->ready_ms >= HELPED_MS)
        app->no_help = 0;
}

static uint32_t attempts_max(const struct lp_app_want *want)
{
    if (want->max_attempts)
        return want->max_attempts;
    return want->kind == LP_APP_SETUP ? SETUP_ATTEMPTS : UINT32_MAX;
}

void lp_repair_app(struct lp_state *s, uint32_t node_id, uint32_t app_id, struct lp_because because)
{
    struct lp_node_inside *node = lp_node_get(s, node_id);
    struct lp_app_inside *app = lp_app_get(s, node, app_id);
    if (app_id >= lp_service_get(s, node->row.service)->app_want_count)
        return;
    const struct lp_app_want *want = &lp_want_get(s, node->row.service, app_id)->want;
    if (app_may_rest(want, &because, app->row.status)) {
        lp_app_phase_set(s, node_id, app_id, LP_APP_DONE);
        return;
    }
    lp_diagnose_fault(s, node_id);
    attempts_count(s, app, want);
    if ((want->kind == LP_APP_SERVE && want->restart_condition == LP_RESTART_NO) ||
        app->attempts > attempts_max(want)) {
        app_give_up(s, node_id, app_id);
        return;
    }
    bool was_good = app->ready_ms || s->now_ms - app->started_ms >= GOOD_RUN_MS;
    bool is_at_once = app->attempts == 1 && was_good && want->kind == LP_APP_SERVE;
    uint32_t doublings = app->attempts > 1 ? app->attempts - 2 : 0;
    int64_t base_ms = want->delay_ms ? want->delay_ms : 100;
    app->next_try_ms = s->now_ms + (is_at_once ? 0 : back_off(s, base_ms, doublings));
    app->because = because;
    app->ready_ms = 0;
    if (want->kind == LP_APP_SERVE && app->no_help++ >= NO_HELP_MAX) {
        app->no_help = 0;
        node->fix = LP_FIX_FENCE;
        node->because = lp_because_of(s, LP_REASON_RESTARTS_NO_HELP, NO_HELP_MAX);
    }
}

void lp_repair_node(struct lp_state *s, uint32_t node_id, struct lp_because because,
                    bool is_start_failure)
{
    struct lp_node_inside *node = lp_node_get(s, node_id);
    const struct lp_service_inside *service = lp_service_get(s, node->row.service);
    if (!node->row.is_wanted)
        return;
    lp_diagnose_fault(s, node_id);
    bool was_healthy = node->is_ever_healthy;
    if (s->now_ms - node->lives_start_ms > LIVES_WINDOW_MS) {
        node->lives_start_ms = s->now_ms;
        node->failed_lives = 0;
        node->replacements = 0;
    }
    node->is_ever_healthy = false;
    node->failed_lives++;
    node->because = because;
    if (node->failed_lives > LIVES_MAX) {
        node->is_gave_up = true;
        node->is_repairing = false;
        return;
    }
    bool is_at_once = was_healthy && !is_start_failure && node->failed_lives == 1;
    node->next_try_ms =
        s->now_ms + (is_at_once ? 0 : back_off(s, NODE_DELAY_MS, node->failed_lives - 1));
    bool is_in_vain = ++node->replacements > FRESH_AFTER && !is_start_failure;
    if (is_in_vain && !service->row.want.owns_state && node->has_root)
        node->is_fresh_wanted = true;
}

void lp_repair_healthy(struct lp_state *s, uint32_t node_id)
{
    struct lp_node_inside *node = lp_node_get(s, node_id);
    struct lp_service_inside *service = lp_service_get(s, node->row.service);
    node->is_ever_healthy = true;
    node->is_repairing = false;
    node->healthy_since_ms = s->now_ms;
    lp_diagnose_release(s, node_id);
    if (service->roll_node == node_id && node->node_hash == service->row.want.node_hash) {
        service->roll_node = LP_NONE;
        lp_service_touch_nodes(s, node->row.service);
    }
}

// For long enough, and what was before is forgotten. Kubernetes' words: a crash loop is over when
// it is not looping any more.
void lp_repair_was_healthy(struct lp_state *s, uint32_t node_id)
{
    struct lp_node_inside *node = lp_node_get(s, node_id);
    if (node->healthy_since_ms && s->now_ms - node->healthy_since_ms >= HELPED_MS) {
        node->failed_lives = 0;
        node->replacements = 0;
    }
    node->healthy_since_ms = 0;
}

void lp_repair_forgive(struct lp_state *s, uint32_t node_id)
{
    struct lp_node_inside *node = lp_node_get(s, node_id);
    node->is_gave_up = false;
    node->failed_lives = 0;
    node->replacements = 0;
    node->next_try_ms = 0;
    for (uint32_t i = 0; i < node->app_count; i++) {
        struct lp_app_inside *app = lp_app_get(s, node, i);
        app->attempts = 0;
        app->no_help = 0;
        app->next_try_ms = s->now_ms;
        if (app->row.phase == LP_APP_GAVE_UP)
            lp_app_phase_set(s, node_id, i,
                             node->row.phase == LP_NODE_UP ? LP_APP_EXITED : LP_APP_IDLE);
    }
    lp_node_touch(s, node_id);
}
