// The engine's time: the machine's clock of the day while that runs evenly. A step of it (somebody
// sets it, a virtual machine resumes) must not make deadlines come at once, or never: it is hidden,
// and worked off so slowly that a second lasts between 8/9 and 8/7 of one. NTP does the same with
// steps that it may not make (Mills, RFC 5905, 11.3).
#pragma once

#include <stdint.h>

enum { LP_STEADY_WORKED_OFF = 8 }; // of so much time, one part makes up for what is hidden

struct lp_steady { // milliseconds; all as at one moment
    int64_t wall_ms, monotonic_ms;
    int64_t hidden_ms; // wall_ms minus the engine's time
};

// not_before_ms: what the journal has reached; when the clock of the day is behind, that is hidden.
void lp_steady_start(struct lp_steady *steady, int64_t wall_ms, int64_t monotonic_ms,
                     int64_t not_before_ms);
// The time now. monotonic_ms must not go back between calls.
int64_t lp_steady_time(const struct lp_steady *steady, int64_t wall_ms, int64_t monotonic_ms);
// Remember this moment: what is hidden then counts from here. Call it now and then, the more often
// the smaller the steps that are told from a clock that is merely slewed.
void lp_steady_note(struct lp_steady *steady, int64_t wall_ms, int64_t monotonic_ms);
