// The judge: holds the laws over the controller, the journal and the world, after every step.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "core/check.h"
#include "sim/world.h"

enum { CHECK_EVERY = 8, ORDERS_A_MINUTE = 400 }; // of one node

// Law 1: nothing is acted on before the journal has it.
static void judge_cause(struct lp_world *world, const struct lp_action *action)
{
    if (action->because.event_seq > world->store.last_seq)
        lp_world_accuse(world, "law 1 (journal)",
                        "%s because of record %" PRIu64 ", but the journal ends at %" PRIu64,
                        lp_action_word(action->kind), action->because.event_seq,
                        world->store.last_seq);
    if (action->because.reason == LP_REASON_NONE)
        lp_world_accuse(world, "law 1 (journal)", "%s without a reason",
                        lp_action_word(action->kind));
}

// Law 2: never two live incarnations; and no two nodes under one name or address.
static void judge_start(struct lp_world *world, const struct lp_order *order)
{
    const struct lp_action *action = &order->action;
    const struct lp_life *old = &world->lives[action->node];
    if (!order->service || !order->node_name || !order->infra_name) {
        lp_world_accuse(world, "law 1 (journal)", "start-node %u without names", action->node);
        return;
    }
    if (old->is_there && old->phase != LP_LIFE_DEAD && old->incarnation != action->incarnation)
        lp_world_accuse(
            world, "law 2 (fencing)", "start of %s/%s life %u while life %u of %s is still there",
            order->infra_name, order->node_name, action->incarnation, old->incarnation, old->name);
    if (old->is_there && strcmp(old->name, order->node_name) != 0)
        lp_world_accuse(world, "law 3 (residue)", "start of %s over what is left of %s",
                        order->node_name, old->name);
    uint32_t address = order->attachment_count ? order->attachments[0].address : 0;
    for (uint32_t n = 0; n < world->limits.nodes; n++) {
        const struct lp_life *other = &world->lives[n];
        if (n == action->node || !other->is_there || other->phase == LP_LIFE_DEAD ||
            strcmp(other->infra_name, order->infra_name) != 0)
            continue;
        if (other->address == address || strcmp(other->name, order->node_name) == 0)
            lp_world_accuse(world, "law 2 (fencing)",
                            "start of %s with the address or name of %s, which lives",
                            order->node_name, other->name);
    }
}

static const struct lp_wish *find_wish(const struct lp_world *world, const char *infra,
                                       uint32_t *ret_index)
{
    for (uint32_t i = 0; i < world->people.infra_count; i++) {
        *ret_index = i;
        if (strcmp(world->people.wishes[i].name, infra) == 0)
            return &world->people.wishes[i];
    }
    return NULL;
}

// What a service depends on must have been there at least once before it is started.
static void judge_order_of_start(struct lp_world *world, const struct lp_order *order)
{
    uint32_t index = 0;
    const struct lp_wish *wish =
        order->infra_name ? find_wish(world, order->infra_name, &index) : NULL;
    for (size_t i = 0; wish && order->service && i < order->service->depends.count; i++) {
        for (uint32_t s = 0; s < wish->service_count; s++) {
            bool is_it =
                strcmp(wish->services[s].name, order->service->depends.items[i].service) == 0;
            if (is_it && wish->services[s].replicas && !world->started_ever[index][s])
                lp_world_accuse(world, "order", "%s is started before %s ever came up",
                                order->node_name, wish->services[s].name);
        }
    }
}

static bool is_silence(uint32_t reason)
{
    return reason == LP_REASON_APP_HUNG || reason == LP_REASON_APP_SUSPECTED;
}

// A suspicion is never a fault by itself: the application's own check must have failed, too.
static void judge_doubt(struct lp_world *world, const struct lp_action *action)
{
    const struct lp_life *life = lp_world_find_life(world, action->node, action->incarnation);
    if (!life || action->app >= life->app_count || !is_silence(action->because.reason))
        return;
    if (life->apps[action->app].doubted_run != action->run)
        lp_world_accuse(world, "law 4 (suspicion)",
                        "%s/%s app %u is killed as silent, and no check of it ever failed",
                        life->infra_name, life->name, action->app);
}

static bool is_repair(uint32_t reason)
{
    return reason == LP_REASON_APP_EXITED || is_silence(reason) ||
           reason == LP_REASON_APP_START_FAILED || reason == LP_REASON_OOM;
}

// Law 4: repairs stay within their budget. Windows follow one another, so that two of them may fall
// into any time as long as one.
static void judge_budget(struct lp_world *world, const struct lp_order *order)
{
    const struct lp_action *action = &order->action;
    struct lp_life *life = lp_world_find_life(world, action->node, action->incarnation);
    if (!life || action->app >= life->app_count)
        return;
    struct lp_world_app *app = &life->apps[action->app];
    if (action->run <= app->run || !is_repair(action->because.reason))
        return;
    enum { STARTS = sizeof(app->started_ms) / sizeof(app->started_ms[0]) };
    app->started_ms[app->starts++ % STARTS] = world->now_ms;
    uint32_t recent = 0;
    for (uint32_t i = 0; i < STARTS && i < app->starts; i++)
        recent += world->now_ms - app->started_ms[i] < app->window_ms;
    if (app->max_attempts && recent > 2 * app->max_attempts)
        lp_world_accuse(world, "law 4 (budget)",
                        "%s/%s app %u is started %u times within %u ms, %u are allowed in a window",
                        life->infra_name, life->name, action->app, recent, app->window_ms,
                        app->max_attempts);
}

void lp_judge_forgive(struct lp_world *world)
{
    for (uint32_t n = 0; n < world->limits.nodes; n++)
        for (uint32_t a = 0; a < LP_SIM_APPS_MAX; a++)
            world->lives[n].apps[a].starts = 0;
}

static void judge_network(struct lp_world *world, const struct lp_action *action)
{
    for (uint32_t n = 0; n < world->limits.nodes; n++)
        if (world->lives[n].is_there && world->lives[n].infra == action->infra &&
            world->lives[n].phase != LP_LIFE_DEAD)
            lp_world_accuse(world, "order", "the network goes while %s lives",
                            world->lives[n].name);
}

static void judge_rate(struct lp_world *world)
{
    int64_t minute = (world->now_ms - world->start_ms) / 60000;
    if (minute != world->minute) {
        world->minute = minute;
        world->minute_orders = 0;
    }
    if (++world->minute_orders > ORDERS_A_MINUTE * (world->config.nodes + 4))
        lp_world_accuse(world, "law 4 (budget)", "a storm: %" PRIu64 " orders within a minute",
                        world->minute_orders);
}

void lp_judge_order(struct lp_world *world, const struct lp_order *order)
{
    judge_cause(world, &order->action);
    judge_rate(world);
    if (order->action.kind == LP_ACTION_START_NODE) {
        judge_start(world, order);
        judge_order_of_start(world, order);
    }
    if (order->action.kind == LP_ACTION_START_APP)
        judge_budget(world, order);
    if (order->action.kind == LP_ACTION_KILL_APP)
        judge_doubt(world, &order->action);
    if (order->action.kind == LP_ACTION_REMOVE_NETWORK)
        judge_network(world, &order->action);
}

// Law 5: the controller is the fold of its journal, byte for byte.
static void judge_fold(struct lp_world *world)
{
    const struct lp_state *live = lp_engine_state(world->engine);
    if (lp_engine_last_seq(world->engine) != world->store.last_seq)
        lp_world_accuse(world, "law 1 (journal)",
                        "the controller stands at record %" PRIu64 ", the journal at %" PRIu64,
                        lp_engine_last_seq(world->engine), world->store.last_seq);
    else if (memcmp(live, world->store.shadow, lp_state_bytes(&world->limits)) != 0)
        lp_world_accuse(
            world, "law 5 (replay)",
            "the state is not the fold of the journal, differing first at byte %zu",
            lp_judge_first_difference(live, world->store.shadow, lp_state_bytes(&world->limits)));
}

size_t lp_judge_first_difference(const void *a, const void *b, size_t bytes)
{
    size_t at = 0;
    while (at < bytes && ((const char *)a)[at] == ((const char *)b)[at])
        at++;
    return at;
}

void lp_judge_step(struct lp_world *world)
{
    if (!world->engine || world->is_dying || world->is_broken)
        return;
    struct lp_err err;
    if (lp_state_check(lp_engine_state(world->engine), &err) < 0)
        lp_world_accuse(world, "law 4 (order)", "the tables contradict each other: %s", err.text);
    LP_OWNS_STR struct lp_str why = {0};
    if (lp_world_has_stray_fault(world, &why))
        lp_world_accuse(world, "law 3 (undo)", "%s", lp_str_text(&why));
    if (world->judged++ % CHECK_EVERY == 0)
        judge_fold(world);
}

// Is the world as people want it?

static const struct lp_node_row *row_of(const struct lp_world *world, uint32_t node)
{
    return lp_state_node(lp_engine_state(world->engine), node);
}

static bool has_given_up(const struct lp_world *world, uint32_t node)
{
    return row_of(world, node)->is_used && row_of(world, node)->verdict == LP_VERDICT_GAVE_UP;
}

static bool apps_are_well(const struct lp_world *world, uint32_t node, struct lp_str *why)
{
    const struct lp_life *life = &world->lives[node];
    for (uint32_t a = 0; a < life->app_count; a++) {
        const struct lp_world_app *app = &life->apps[a];
        bool is_well = app->is_setup ? app->is_done_mark : app->life == LP_APP_ALIVE;
        if (is_well && !app->is_hung)
            continue;
        lp_str_printf(why, "%s/%s: app %u run %u %s", life->infra_name, life->name, a, app->run,
                      app->is_hung    ? "hangs"
                      : app->is_setup ? "is not set up"
                                      : "does not run");
        return false;
    }
    return true;
}

// The config of a node, as it should be: the version and every node of the observed service.
static void file_expect(const struct lp_world *world, const struct lp_wish *wish,
                        const struct lp_wish_service *service, struct lp_str *text)
{
    lp_str_printf(text, "%u:", service->file_version);
    if (service->observes < 0)
        return;
    const struct lp_wish_service *observed = &wish->services[service->observes];
    for (uint32_t ordinal = 1; ordinal <= world->limits.nodes; ordinal++) {
        LP_OWNS_STR struct lp_str name = {0};
        lp_str_printf(&name, "%s-%u", observed->name, ordinal);
        for (uint32_t n = 0; n < world->limits.nodes; n++) {
            const struct lp_life *life = &world->lives[n];
            uint32_t a = life->address;
            if (life->is_there && strcmp(life->infra_name, wish->name) == 0 &&
                strcmp(life->name, name.text) == 0)
                lp_str_printf(text, "%s=%u.%u.%u.%u,", life->name, a >> 24, a >> 16 & 255,
                              a >> 8 & 255, a & 255);
        }
    }
}

static bool node_is_well(const struct lp_world *world, const struct lp_wish *wish,
                         const struct lp_wish_service *service, uint32_t node, struct lp_str *why)
{
    const struct lp_life *life = &world->lives[node];
    if (life->phase != LP_LIFE_UP || life->is_mute) {
        lp_str_printf(why, "%s/%s is %s", life->infra_name, life->name,
                      life->is_mute ? "mute" : "not up");
        return false;
    }
    LP_OWNS_STR struct lp_str file = {0};
    LP_OWNS_STR struct lp_str entry = {0};
    file_expect(world, wish, service, &file);
    if (strncmp(life->file, file.text, sizeof(life->file) - 1) != 0) {
        lp_str_printf(why, "%s/%s has the file '%s' instead of '%s'", life->infra_name, life->name,
                      life->file, file.text);
        return false;
    }
    lp_str_printf(&entry, "%s=%u ", life->name, life->address);
    if (!strstr(lp_str_text(&world->infras[life->infra].names), entry.text)) {
        lp_str_printf(why, "%s/%s is not published with its address", life->infra_name, life->name);
        return false;
    }
    return apps_are_well(world, node, why);
}

static bool service_is_well(struct lp_world *world, const struct lp_wish *wish,
                            const struct lp_wish_service *service, bool may_have_given_up,
                            struct lp_str *why)
{
    uint32_t count = 0;
    for (uint32_t n = 0; n < world->limits.nodes; n++) {
        const struct lp_life *life = &world->lives[n];
        if (!life->is_there || strcmp(life->infra_name, wish->name) != 0 ||
            strcmp(life->service, service->name) != 0)
            continue;
        count++;
        if (may_have_given_up && (world->has_given_up || has_given_up(world, n)))
            continue;
        if (!node_is_well(world, wish, service, n, why))
            return false;
    }
    if (count == service->replicas || (may_have_given_up && world->has_given_up))
        return true;
    lp_str_printf(why, "%s/%s has %u nodes, wanted are %u", wish->name, service->name, count,
                  service->replicas);
    return false;
}

static bool has_service(const struct lp_wish *wish, const char *name)
{
    for (uint32_t s = 0; wish && wish->is_wanted && s < wish->service_count; s++)
        if (strcmp(wish->services[s].name, name) == 0)
            return true;
    return false;
}

static bool has_nothing_else(struct lp_world *world, struct lp_str *why)
{
    uint32_t index;
    for (uint32_t n = 0; n < world->limits.nodes; n++) {
        const struct lp_life *life = &world->lives[n];
        if (!life->is_there ||
            has_service(find_wish(world, life->infra_name, &index), life->service))
            continue;
        lp_str_printf(why, "%s/%s is there and nobody wants it", life->infra_name, life->name);
        return false;
    }
    for (uint32_t i = 0; i < world->limits.infras; i++) {
        const struct lp_wish *wish = find_wish(world, world->infras[i].name, &index);
        if (!world->infras[i].has_network || (wish && wish->is_wanted))
            continue;
        lp_str_printf(why, "the network of %s is there and nobody wants it", world->infras[i].name);
        return false;
    }
    return !lp_world_has_stray_fault(world, why);
}

// What the controller itself still finds wanting.
static void unsettled_describe(const struct lp_world *world, struct lp_str *why)
{
    static const char *const lives[] = {"never", "coming", "alive", "over"};
    const struct lp_state *state = lp_engine_state(world->engine);
    lp_str_add(why, "the controller does not say that it is settled;");
    for (uint32_t n = 0; n < world->limits.nodes; n++) {
        const struct lp_node_row *row = lp_state_node(state, n);
        bool is_well = row->verdict == LP_VERDICT_HEALTHY || row->verdict == LP_VERDICT_COMPLETED;
        if (!row->is_used || (row->is_wanted && is_well))
            continue;
        lp_str_printf(why, " node %u ", n);
        lp_world_add_node_name(world, n, why);
        lp_str_printf(why, " %s %s%s", lp_node_phase_word(row->phase),
                      lp_verdict_word(row->verdict), row->is_wanted ? "" : " unwanted");
        const struct lp_life *life = &world->lives[n];
        for (uint32_t a = 0; life->phase == LP_LIFE_UP && a < life->app_count; a++)
            lp_str_printf(why, ", app %u run %u %s (in truth run %u %s%s)", a,
                          lp_state_app(state, n, a)->run,
                          lp_app_phase_word(lp_state_app(state, n, a)->phase), life->apps[a].run,
                          lives[life->apps[a].life], life->apps[a].is_hung ? ", hangs" : "");
        lp_str_add_char(why, ';');
    }
    for (uint32_t i = 0; i < world->limits.infras; i++) {
        const struct lp_infra_row *row = lp_state_infra(state, i);
        if (row->is_used)
            lp_str_printf(why, " infra %u%s network %u published %u/%u;", i,
                          row->is_wanted ? "" : " unwanted", row->network_phase,
                          (unsigned)row->publish_done, (unsigned)row->publish_wanted);
    }
}

bool lp_judge_is_settled(struct lp_world *world, bool may_have_given_up, struct lp_str *ret_why)
{
    lp_str_clear(ret_why);
    if (!world->engine || !lp_engine_is_synced(world->engine)) {
        lp_str_add(ret_why, "the daemon is down, or its drivers have not spoken");
        return false;
    }
    world->has_given_up = false;
    for (uint32_t n = 0; n < world->limits.nodes; n++)
        world->has_given_up = world->has_given_up || has_given_up(world, n);
    // What gave up holds back what depends on it: the rest is judged when a person has spoken.
    if (world->has_given_up && may_have_given_up)
        return true;
    if (!lp_state_is_settled(lp_engine_state(world->engine), LP_NONE, may_have_given_up)) {
        unsettled_describe(world, ret_why);
        return false;
    }
    for (uint32_t i = 0; i < world->people.infra_count; i++) {
        const struct lp_wish *wish = &world->people.wishes[i];
        for (uint32_t s = 0; wish->is_wanted && s < wish->service_count; s++)
            if (!service_is_well(world, wish, &wish->services[s], may_have_given_up, ret_why))
                return false;
    }
    return has_nothing_else(world, ret_why);
}

void lp_judge_empty(struct lp_world *world)
{
    for (uint32_t n = 0; n < world->limits.nodes; n++)
        if (world->lives[n].is_there)
            lp_world_accuse(world, "law 3 (residue)", "after down %s/%s is left",
                            world->lives[n].infra_name, world->lives[n].name);
    for (uint32_t i = 0; i < world->limits.infras; i++)
        if (world->infras[i].has_network)
            lp_world_accuse(world, "law 3 (residue)", "after down the network of %s is left",
                            world->infras[i].name);
    for (size_t i = 0; i < LP_FAULTS_MAX; i++)
        if (world->faults_out[i].number)
            lp_world_accuse(world, "law 3 (residue)", "after down fault f%" PRIu64 " is left",
                            world->faults_out[i].number);
}
