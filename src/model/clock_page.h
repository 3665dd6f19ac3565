// The page that sets the clocks of a node: a file that the fault driver writes and that the clock
// library (src/clock), inside the node's processes, has mapped. Both see a change at once.
#pragma once

#include <stdint.h>

#define LP_CLOCK_PAGE_IN_NODE    "/.limpet/clock"
#define LP_CLOCK_LIBRARY_IN_NODE "/.limpet/clock.so"
#define LP_CLOCK_PROBE_IN_NODE   "/.limpet/clock-probe.so"

#define LP_CLOCK_MAGIC UINT32_C(0x6b6c636c) // and the layout below; another one: another magic

struct lp_clock_setting {
    uint64_t fault;       // the number of the fault that set it; 0: none
    int64_t anchor_ns;    // CLOCK_MONOTONIC of the machine, from which the drift counts
    int64_t real_ns;      // how far CLOCK_REALTIME is ahead of the machine's at the anchor
    int64_t monotonic_ns; // the same of CLOCK_MONOTONIC and its kin; never taken back
    int64_t drift_ppm;    // how much faster than the machine's they go; more than -1000000
};

// Two settings in turn: one holds while the other is written, so that a writer who is killed at any
// instant leaves a good one.
struct lp_clock_page {
    uint32_t magic;
    uint32_t turn; // settings[turn % 2] holds
    struct lp_clock_setting settings[2];
};

// What the drift has come to at a moment of the machine's CLOCK_MONOTONIC. Exact to a nanosecond a
// millisecond; good for a century.
static inline int64_t lp_clock_gain(const struct lp_clock_setting *setting, int64_t monotonic_ns)
{
    int64_t spent_ns = monotonic_ns - setting->anchor_ns;
    return spent_ns / 1000000 * setting->drift_ppm +
           spent_ns % 1000000 * setting->drift_ppm / 1000000;
}

// The setting that holds. False: nothing to be trusted is there.
static inline _Bool lp_clock_setting_get(const struct lp_clock_page *page,
                                         struct lp_clock_setting *ret_setting)
{
    for (int tries = 0; tries < 8; tries++) {
        uint32_t turn = __atomic_load_n(&page->turn, __ATOMIC_ACQUIRE);
        *ret_setting = page->settings[turn % 2];
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        // A writer begins with the other one: only a second turn would touch what was read.
        if (__atomic_load_n(&page->turn, __ATOMIC_RELAXED) == turn)
            return page->magic == LP_CLOCK_MAGIC && ret_setting->drift_ppm > -1000000;
    }
    return 0;
}
