// How long the loop's turns take: from the wake-up that brought an event to the last order begun.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct lp_str;

enum { LP_METRICS_TURNS = 1024 };

struct lp_metrics { // {0} is ready for use
    uint64_t turns;
    uint32_t recent_us[LP_METRICS_TURNS]; // a ring
};

void lp_metrics_add(struct lp_metrics *metrics, uint64_t turn_us);
// {"turns":N,"turn_us":{"p50":..,"p99":..,"max":..}} over the last LP_METRICS_TURNS turns.
void lp_metrics_print(const struct lp_metrics *metrics, struct lp_str *ret_json);
