// The journal in plain sentences.
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "engine/store.h"

struct lp_str;

// Append one sentence about the record: "mariadb in db-1 was killed by signal 9 (KILL)."
// Nothing is appended for records that tell a person nothing (ticks, sensors on and off).
void lp_story_sentence(const struct lp_record *record, struct lp_str *ret_text);
// "2 min 3 s", "350 ms".
void lp_story_duration(int64_t ms, struct lp_str *ret_text);
