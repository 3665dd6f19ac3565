// Powering off.
#include "init/halt.h"

#include <stddef.h>

#include "base/clock.h"
#include "init/app.h"
#include "model/limits.h"

static bool is_on, is_killing;
static int64_t deadline_ms;

void lp_halt_begin(uint32_t grace_ms)
{
    int64_t wanted_ms = lp_monotonic_ms() + grace_ms;
    if (!is_on || wanted_ms < deadline_ms)
        deadline_ms = wanted_ms;
    is_on = true;
}

bool lp_halt_is_on(void)
{
    return is_on;
}

static bool last_find(uint32_t *ret_index)
{
    const struct lp_app_slot *last = NULL;
    for (uint32_t i = 0; i < LP_APPS_MAX; i++) {
        const struct lp_app_slot *slot = lp_app_slot(i);
        if (!lp_app_is_alive(slot) || (last && slot->start_order < last->start_order))
            continue;
        last = slot;
        *ret_index = i;
    }
    return last != NULL;
}

bool lp_halt_step(int64_t now_ms)
{
    uint32_t index = 0;
    if (!is_on)
        return false;
    if (!last_find(&index))
        return true;
    if (now_ms >= deadline_ms && !is_killing) {
        is_killing = true;
        for (uint32_t i = 0; i < LP_APPS_MAX; i++)
            if (lp_app_is_alive(lp_app_slot(i)))
                lp_app_kill(i, lp_app_slot(i)->run);
    } else if (!is_killing && lp_app_slot(index)->kill_at_ms == 0) {
        int64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
        lp_app_stop(index, lp_app_slot(index)->run, (uint32_t)left_ms);
    }
    return false;
}

int64_t lp_halt_wake_ms(void)
{
    return is_on && !is_killing ? deadline_ms : INT64_MAX;
}
