// How long the loop's turns take: from the wake-up that brought an event to the last order begun.
// Those that answered the end of an application with its next start are counted apart as well.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lp_str;

enum { LP_METRICS_TURNS = 1024 };

struct lp_spans { // {0} is ready for use
    uint64_t count;
    uint32_t recent_us[LP_METRICS_TURNS]; // a ring
};

struct lp_metrics { // {0} is ready for use
    struct lp_spans turns, restarts;
};

// is_restart: an application's end was seen at its beginning, and its start was ordered.
void lp_metrics_add(struct lp_metrics *metrics, uint64_t turn_us, bool is_restart);
// {"turns":N,"turn_us":{"p50":..,"p99":..,"max":..},"restarts":N,"restart_us":{...}} over the last
// LP_METRICS_TURNS of each.
void lp_metrics_print(const struct lp_metrics *metrics, struct lp_str *ret_json);
