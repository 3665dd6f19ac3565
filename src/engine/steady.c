// The engine's time: the machine's clock of the day, its steps hidden and worked off slowly.
#include "engine/steady.h"

enum {
    STEP_MS = 250,  // apart by more than that since the last note: a step
    NOTE_MS = 1000, // less is not worth a note: the eighth of it would be rounded away
};

void lp_steady_start(struct lp_steady *steady, int64_t wall_ms, int64_t monotonic_ms,
                     int64_t not_before_ms)
{
    int64_t time_ms = wall_ms > not_before_ms ? wall_ms : not_before_ms;
    *steady = (struct lp_steady){wall_ms, monotonic_ms, wall_ms - time_ms};
}

static int64_t hidden_at(const struct lp_steady *steady, int64_t wall_ms, int64_t monotonic_ms)
{
    int64_t passed_ms = monotonic_ms - steady->monotonic_ms;
    int64_t step_ms = wall_ms - steady->wall_ms - passed_ms;
    int64_t hidden_ms = steady->hidden_ms, most_ms = passed_ms / LP_STEADY_WORKED_OFF;
    if (step_ms > STEP_MS || step_ms < -STEP_MS)
        hidden_ms += step_ms;
    if (hidden_ms > 0)
        return hidden_ms > most_ms ? hidden_ms - most_ms : 0;
    return hidden_ms < -most_ms ? hidden_ms + most_ms : 0;
}

int64_t lp_steady_time(const struct lp_steady *steady, int64_t wall_ms, int64_t monotonic_ms)
{
    return wall_ms - hidden_at(steady, wall_ms, monotonic_ms);
}

void lp_steady_note(struct lp_steady *steady, int64_t wall_ms, int64_t monotonic_ms)
{
    if (monotonic_ms - steady->monotonic_ms < NOTE_MS)
        return;
    int64_t hidden_ms = hidden_at(steady, wall_ms, monotonic_ms);
    *steady = (struct lp_steady){wall_ms, monotonic_ms, hidden_ms};
}
