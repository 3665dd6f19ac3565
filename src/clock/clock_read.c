// The functions that read a clock.
#include <stddef.h>
#include <sys/select.h> // struct timeval

#include "clock/clock_library.h"

static void shift(struct timespec *at, int64_t ns)
{
    int64_t sum = at->tv_nsec + ns % LP_CLOCK_SECOND_NS;
    at->tv_sec += ns / LP_CLOCK_SECOND_NS;
    if (sum < 0 || sum >= LP_CLOCK_SECOND_NS) {
        at->tv_sec += sum < 0 ? -1 : 1;
        sum += sum < 0 ? LP_CLOCK_SECOND_NS : -LP_CLOCK_SECOND_NS;
    }
    at->tv_nsec = sum;
}

static long clock_read(clockid_t id, struct timespec *ret_at)
{
    struct lp_clock_setting setting;
    enum lp_clock_kind kind = lp_clock_kind_of(id);
    // The drift is counted up to a moment before the clock is read: it cannot go backwards.
    bool is_set = kind != LP_CLOCK_OTHER && lp_clock_setting_find(&setting);
    int64_t now_ns = is_set && setting.drift_ppm ? lp_clock_machine_ns(CLOCK_MONOTONIC) : 0;
    long code = lp_clock_machine(id, ret_at);
    if (code < 0 || !is_set)
        return code;
    if (id == CLOCK_MONOTONIC) // one reading for both: its steps are even
        now_ns = (int64_t)ret_at->tv_sec * LP_CLOCK_SECOND_NS + ret_at->tv_nsec;
    shift(ret_at, lp_clock_ahead_ns(&setting, kind, now_ns));
    return code;
}

LP_CLOCK_EXPORT int clock_gettime(clockid_t id, struct timespec *ret_at)
{
    long code = clock_read(id, ret_at);
    return code < 0 ? lp_clock_fail(code) : 0;
}

// The second argument is a struct timezone to some libraries and nothing to others; either may be
// NULL, whatever a header says.
int gettimeofday(struct timeval *restrict ret_at, void *restrict zone);
LP_CLOCK_EXPORT int gettimeofday(struct timeval *restrict ret_at, void *restrict zone)
{
    struct timespec at = {0};
    (void)zone;
    (void)clock_read(CLOCK_REALTIME, &at);
    if (ret_at)
        *ret_at = (struct timeval){.tv_sec = at.tv_sec, .tv_usec = at.tv_nsec / 1000};
    return 0;
}

LP_CLOCK_EXPORT time_t time(time_t *ret_at)
{
    struct timespec at = {0};
    (void)clock_read(CLOCK_REALTIME_COARSE, &at); // as the C libraries do: never ahead of a second
    if (ret_at)
        *ret_at = at.tv_sec;
    return at.tv_sec;
}

LP_CLOCK_EXPORT int timespec_get(struct timespec *ret_at, int base)
{
    if (base != TIME_UTC)
        return 0;
    (void)clock_read(CLOCK_REALTIME, ret_at);
    return base;
}
