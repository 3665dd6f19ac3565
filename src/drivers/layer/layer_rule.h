// What becomes of one operation on a layer: the faults that are in force, and the verdict.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "drivers/layer/layer.h"

struct lp_layer_rule {
    struct lp_layer_fault fault;
    bool is_on;
    uint64_t room_bytes;            // FULL: left
    struct lp_rng rng, rng_of_look; // looks at the effect do not change the chance of the others
};
struct lp_layer_rules {
    struct lp_layer_rule rows[LP_LAYER_KINDS];
};

struct lp_layer_verdict {
    int error; // errno; 0: it is done
    uint32_t delay_us;
};

void lp_layer_rule_set(struct lp_layer_rule *rule, const struct lp_layer_fault *fault);
bool lp_layer_rules_are_off(const struct lp_layer_rules *rules);
// operation: one of the bits. is_look: of the process that looks at the effect.
struct lp_layer_verdict lp_layer_judge(struct lp_layer_rules *rules, uint32_t operation,
                                       bool is_look);
// Of `bytes` to be written, `new_bytes` of which need new room: how many may be written. 0 when
// none may, although some are to be. Takes the room.
size_t lp_layer_room_take(struct lp_layer_rules *rules, size_t bytes, size_t new_bytes);
// Files became shorter or went away.
void lp_layer_room_give(struct lp_layer_rules *rules, uint64_t bytes);
// Free bytes of a file system that has `free_bytes`, as they are to be shown.
uint64_t lp_layer_room_shown(const struct lp_layer_rules *rules, uint64_t free_bytes);
