// The machine's clocks, for what touches the world. To core time is what an event says, and what is
// simulated or replayed gets it from its caller (test/purity.sh holds core to that).
#pragma once

#include <stdint.h>
#include <time.h>

static inline int64_t lp_clock_ns(clockid_t id)
{
    struct timespec now = {0};
    (void)clock_gettime(id, &now); // fails for a clock that is not there only
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// Since some moment in the past, never back: for deadlines and durations.
static inline int64_t lp_monotonic_us(void)
{
    return lp_clock_ns(CLOCK_MONOTONIC) / 1000;
}
static inline int64_t lp_monotonic_ms(void)
{
    return lp_clock_ns(CLOCK_MONOTONIC) / 1000000;
}

// Since 1970, as people set it: for what people read.
static inline int64_t lp_wall_ms(void)
{
    return lp_clock_ns(CLOCK_REALTIME) / 1000000;
}
