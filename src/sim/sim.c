// The run of one simulated world: rounds of faults and calm, then down, then nothing may be left.
#include "sim/sim.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/own.h"
#include "sim/world.h"

enum { TURNS_AT_ONCE = 2000, HOLD_MS = 60 * 1000, RETRY_MS = 100 };

static void daemon_gone(struct lp_world *world)
{
    if (world->engine)
        lp_engine_abandon(world->engine);
    world->engine = NULL;
    world->is_dying = false;
    world->daemon++;
    for (size_t i = 0; i < world->mail_count; i++)
        lp_heap_free(world->mail[i]);
    world->mail_count = 0;
    lp_world_watches_forget(world);
    world->reopen_ms = world->now_ms + lp_world_between(world, 10, 15000);
}

static void daemon_open(struct lp_world *world)
{
    struct lp_engine_config config = {.root_id = "51510000",
                                      .limits = world->limits,
                                      .store = lp_world_store_open(world),
                                      .clock = lp_world_clock(world),
                                      .drivers = lp_world_drivers,
                                      .driver_count = lp_world_driver_count,
                                      .seed = world->config.seed};
    struct lp_err err = {0};
    lp_world_say(world, "daemon starts");
    lp_world_driver_use(world);
    world->retry_ms = 0;
    if (lp_engine_open(&config, &world->engine, &err) == 0) {
        if (world->is_dying)
            daemon_gone(world);
        return;
    }
    world->engine = NULL;
    if (err.code != LP_EIO)
        lp_world_accuse(world, "law 1 (journal)", "the daemon cannot start: %s", err.text);
    daemon_gone(world);
}

static void daemon_turn(struct lp_world *world)
{
    struct lp_err err = {0};
    if (++world->ticks_now > TURNS_AT_ONCE)
        lp_world_accuse(world, "law 4 (budget)", "the loop turns without end");
    if (lp_engine_tick(world->engine, &err) < 0) {
        if (err.code != LP_EIO)
            lp_world_accuse(world, "law 1 (journal)", "the loop failed: %s", err.text);
        world->retry_ms = world->now_ms + RETRY_MS;
    }
    if (!world->is_dying)
        lp_judge_step(world);
}

// When the loop turns again by itself, as the daemon's does: its wait is told in the engine's time.
static int64_t turn_ms(const struct lp_world *world)
{
    int64_t at_ms = lp_engine_wake_at_ms(world->engine);
    if (at_ms == INT64_MAX)
        return INT64_MAX;
    int64_t wait_ms = at_ms - lp_engine_now_ms(world->engine);
    return world->now_ms + (wait_ms > 0 ? wait_ms : 0);
}

static int64_t wake_ms(const struct lp_world *world)
{
    if (!world->engine)
        return world->reopen_ms;
    int64_t wake_at_ms = world->mail_count ? world->now_ms : turn_ms(world);
    return wake_at_ms > world->retry_ms ? wake_at_ms : world->retry_ms;
}

// On to the next time at which something happens, at most to until_ms.
static void advance(struct lp_world *world, int64_t until_ms)
{
    int64_t next_ms = lp_queue_next_ms(&world->queue);
    if (wake_ms(world) < next_ms)
        next_ms = wake_ms(world);
    if (next_ms > until_ms)
        next_ms = until_ms;
    if (next_ms > world->now_ms) {
        world->now_ms = next_ms;
        world->ticks_now = 0;
    }
    while (lp_queue_next_ms(&world->queue) <= world->now_ms) {
        struct lp_happening happening = lp_queue_take(&world->queue);
        happening.happen(world, &happening);
    }
    if (world->is_dying)
        daemon_gone(world);
    if (wake_ms(world) > world->now_ms)
        return;
    if (world->engine)
        daemon_turn(world);
    else
        daemon_open(world);
    if (world->is_dying)
        daemon_gone(world);
}

static void run_until(struct lp_world *world, int64_t until_ms)
{
    while (world->now_ms < until_ms && !world->is_broken)
        advance(world, until_ms);
}

// Law 4: after faults stop, wanted equals seen within the bound; and it stays so.
static void settle(struct lp_world *world, bool may_have_given_up)
{
    LP_OWNS_STR struct lp_str why = {0};
    int64_t bound_ms = world->now_ms + LP_SIM_SETTLE_MS;
    while (!world->is_broken && !lp_judge_is_settled(world, may_have_given_up, &why)) {
        if (world->now_ms >= bound_ms)
            lp_world_accuse(world, "law 4 (settle)", "not settled %d s after faults stopped: %s",
                            LP_SIM_SETTLE_MS / 1000, why.text);
        run_until(world, world->now_ms + 1000);
    }
    world->report->settlings++;
    lp_world_say(world, "settled");
    run_until(world, world->now_ms + HOLD_MS);
    if (!world->is_broken && !lp_judge_is_settled(world, may_have_given_up, &why))
        lp_world_accuse(world, "law 4 (settle)", "settled, but not for long: %s", why.text);
}

static void trouble(struct lp_world *world, int64_t until_ms)
{
    lp_chaos_start(world);
    while (world->now_ms < until_ms && !world->is_broken) {
        int64_t pause_ms = (int64_t)lp_rng_below(&world->people.rng, 90000);
        run_until(world, world->now_ms + pause_ms);
        if (world->is_broken)
            break;
        lp_people_ask(world);
        if (world->is_dying)
            daemon_gone(world);
    }
    lp_chaos_stop(world);
}

// Until the daemon is there and has taken the request.
static void insist(struct lp_world *world, void (*ask)(struct lp_world *world), bool is_wanted)
{
    for (;;) {
        ask(world);
        if (world->is_dying)
            daemon_gone(world);
        bool is_done = true;
        for (uint32_t i = 0; i < world->people.infra_count; i++)
            is_done = is_done && world->people.wishes[i].is_wanted == is_wanted;
        if (is_done || world->is_broken)
            return;
        run_until(world, world->now_ms + 1000);
    }
}

static void round_run(struct lp_world *world)
{
    insist(world, lp_people_up, true);
    int64_t most_ms = (world->end_ms - world->now_ms) / 2;
    if (most_ms > 15 * 60 * 1000)
        most_ms = 15 * 60 * 1000;
    if (most_ms > 1000 && !world->config.crash_at_write)
        trouble(world, world->now_ms + lp_world_between(world, 1000, most_ms));
    settle(world, true);
    if (world->config.crash_at_write) { // when the daemon is down just then, nothing changes
        if (world->config.fault_kind)
            lp_people_break(world, (enum lp_fault_kind)world->config.fault_kind);
        else
            lp_people_change_all(world);
        if (world->is_dying)
            daemon_gone(world);
        settle(world, true);
    }
    if (world->has_given_up && !world->is_broken) {
        lp_people_retry(world);
        settle(world, false);
    }
}

static void failure_write(const struct lp_world *world)
{
    LP_OWNS_STR struct lp_str text = {0};
    lp_str_printf(&text, "%s\n", world->verdict);
    uint64_t first = world->line_count > LP_SIM_LINES ? world->line_count - LP_SIM_LINES : 0;
    for (uint64_t i = first; i < world->line_count; i++)
        lp_str_printf(&text, "  %s\n", world->lines[i % LP_SIM_LINES]);
    const struct lp_sim_config *config = &world->config;
    lp_str_printf(&text,
                  "replay: limpet simulate --seed %" PRIu64 " --hosts %u --nodes %u --hours %g",
                  config->seed, config->hosts, config->nodes, (double)config->span_ms / 3600000);
    snprintf(world->report->failure, sizeof(world->report->failure), "%s", text.text);
}

int lp_sim_run(const struct lp_sim_config *config, struct lp_sim_report *ret_report,
               struct lp_err *err)
{
    if (config->hosts > LP_SIM_HOSTS_MAX || config->nodes > 1000 || config->span_ms < 0)
        return lp_err_set(err, LP_EINPUT,
                          "a world has at most %d hosts and 1000 nodes, and time goes forward",
                          LP_SIM_HOSTS_MAX);
    struct lp_world *world = lp_heap_take(sizeof(*world));
    lp_world_init(world, config, ret_report);
    daemon_open(world);
    do
        round_run(world);
    while (world->now_ms < world->end_ms && !world->is_broken);
    if (!world->is_broken) {
        insist(world, lp_people_down, false);
        settle(world, false);
        lp_judge_empty(world);
    }
    ret_report->simulated_ms = world->now_ms - world->start_ms;
    if (world->is_broken)
        failure_write(world);
    int result = world->is_broken ? lp_err_set(err, LP_ECONFLICT, "%s", world->verdict) : 0;
    if (world->engine)
        lp_engine_close(world->engine);
    lp_world_release(world);
    lp_heap_free(world);
    return result;
}
