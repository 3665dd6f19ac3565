// The machine's clocks: one runs evenly, the clock of the day is set forward and back by somebody
// in every third world. Its chance is its own, so that the other worlds stay what they were.
#include "sim/world.h"

enum { STEP_PAUSE_MS = 20 * 60 * 1000 };

static int64_t wall_ms(void *context)
{
    const struct lp_world *world = context;
    return world->now_ms + world->clock.ahead_ms;
}

static int64_t monotonic_ms(void *context)
{
    return ((const struct lp_world *)context)->now_ms;
}

struct lp_clock lp_world_clock(struct lp_world *world)
{
    return (struct lp_clock){wall_ms, monotonic_ms, world};
}

static void step_later(struct lp_world *world);

static void step_happens(struct lp_world *world, const struct lp_happening *this)
{
    (void)this;
    static const int64_t most_ms[] = {400, 5000, 90 * 1000, 3 * 3600 * 1000};
    struct lp_rng *rng = &world->clock.rng;
    int64_t most = most_ms[lp_rng_below(rng, 4)];
    int64_t by_ms = (int64_t)lp_rng_below(rng, 2 * (uint64_t)most + 1) - most;
    world->clock.ahead_ms += by_ms;
    lp_world_say(world, "the clock of the day is set by %+.3f s", (double)by_ms / 1000);
    step_later(world);
}

static void step_later(struct lp_world *world)
{
    int64_t delay_ms = 1 + (int64_t)lp_rng_below(&world->clock.rng, 2 * STEP_PAUSE_MS);
    lp_world_later(world, delay_ms, (struct lp_happening){.happen = step_happens});
}

void lp_world_clock_init(struct lp_world *world)
{
    lp_rng_init(&world->clock.rng, world->config.seed ^ 0x636c6f636b);
    world->clock.is_set = lp_rng_below(&world->clock.rng, 3) == 0;
    if (world->clock.is_set)
        step_later(world);
}
