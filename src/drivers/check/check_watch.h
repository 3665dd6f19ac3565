// A watch: made from an order, and what of its answers is worth telling.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/driver.h"

struct lp_watch;

// order: WATCH with names, check and address. What is wrong with the check becomes its answer.
struct lp_watch *lp_watch_make(const struct lp_driver_env *env, const struct lp_order *order);
void lp_watch_release(struct lp_watch *watch); // ends a running check
// Note the answer; is it to be told? Successes: when it was not well before. Failures: always, but
// before the first success only once in start_interval (within the start period) or interval.
bool lp_watch_tell(struct lp_watch *watch, bool is_ok, int64_t now_ms);
