// How long the loop's turns take.
#include "api/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

void lp_metrics_add(struct lp_metrics *metrics, uint64_t turn_us)
{
    metrics->recent_us[metrics->turns++ % LP_METRICS_TURNS] =
        turn_us < UINT32_MAX ? (uint32_t)turn_us : UINT32_MAX;
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void lp_metrics_print(const struct lp_metrics *metrics, struct lp_str *ret_json)
{
    uint32_t sorted[LP_METRICS_TURNS];
    size_t count = metrics->turns < LP_METRICS_TURNS ? (size_t)metrics->turns : LP_METRICS_TURNS;
    memcpy(sorted, metrics->recent_us, sizeof(sorted));
    qsort(sorted, count, sizeof(sorted[0]), ascending);
    lp_str_printf(ret_json, "{\"turns\":%llu,\"turn_us\":{\"p50\":%u,\"p99\":%u,\"max\":%u}}",
                  (unsigned long long)metrics->turns, count ? sorted[count / 2] : 0,
                  count ? sorted[count * 99 / 100] : 0, count ? sorted[count - 1] : 0);
}
