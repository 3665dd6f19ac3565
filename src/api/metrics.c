// How long the loop's turns take.
#include "api/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static void spans_add(struct lp_spans *spans, uint64_t span_us)
{
    spans->recent_us[spans->count++ % LP_METRICS_TURNS] =
        span_us < UINT32_MAX ? (uint32_t)span_us : UINT32_MAX;
}

void lp_metrics_add(struct lp_metrics *metrics, uint64_t turn_us, bool is_restart)
{
    spans_add(&metrics->turns, turn_us);
    if (is_restart)
        spans_add(&metrics->restarts, turn_us);
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void spans_print(const struct lp_spans *spans, const char *many, const char *one,
                        struct lp_str *json)
{
    uint32_t sorted[LP_METRICS_TURNS];
    size_t count = spans->count < LP_METRICS_TURNS ? (size_t)spans->count : LP_METRICS_TURNS;
    memcpy(sorted, spans->recent_us, sizeof(sorted));
    qsort(sorted, count, sizeof(sorted[0]), ascending);
    lp_str_printf(json, "\"%s\":%llu,\"%s_us\":{\"p50\":%u,\"p99\":%u,\"max\":%u}", many,
                  (unsigned long long)spans->count, one, count ? sorted[count / 2] : 0,
                  count ? sorted[count * 99 / 100] : 0, count ? sorted[count - 1] : 0);
}

void lp_metrics_print(const struct lp_metrics *metrics, struct lp_str *ret_json)
{
    lp_str_add(ret_json, "{");
    spans_print(&metrics->turns, "turns", "turn", ret_json);
    lp_str_add(ret_json, ",");
    spans_print(&metrics->restarts, "restarts", "restart", ret_json);
    lp_str_add(ret_json, "}");
}
