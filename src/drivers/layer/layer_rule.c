// Verdicts on the operations of a layer. No system calls: all of it is in the rules and their
// seeds.
#include "drivers/layer/layer_rule.h"

#include <errno.h>
#include <string.h>

#include "model/fault.h"

enum { NORMAL_DRAWS = 12 };

uint32_t lp_layer_operations(const char *word)
{
    static const struct {
        const char *word;
        uint32_t bits;
    } words[] = {{"all", LP_LAYER_READ | LP_LAYER_WRITE | LP_LAYER_SYNC},
                 {"read", LP_LAYER_READ},
                 {"write", LP_LAYER_WRITE},
                 {"sync", LP_LAYER_SYNC}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(word, words[i].word) == 0)
            return words[i].bits;
    return 0;
}

void lp_layer_rule_set(struct lp_layer_rule *rule, const struct lp_layer_fault *fault)
{
    *rule =
        (struct lp_layer_rule){.fault = *fault, .is_on = true, .room_bytes = fault->leave_bytes};
    lp_rng_init(&rule->rng, fault->seed);
    lp_rng_init(&rule->rng_of_look, ~(uint64_t)fault->seed);
}

bool lp_layer_rules_are_off(const struct lp_layer_rules *rules)
{
    for (size_t i = 0; i < LP_LAYER_KINDS; i++)
        if (rules->rows[i].is_on)
            return false;
    return true;
}

// More or less, evenly, or with `jitter` as the standard deviation: the sum of twelve even draws
// has the variance of one.
static int64_t jitter_draw(const struct lp_layer_fault *fault, struct lp_rng *rng)
{
    uint64_t width = 2 * (uint64_t)fault->jitter_us + 1, sum = 0;
    if (fault->distribution != LP_FAULT_NORMAL)
        return (int64_t)lp_rng_below(rng, width) - fault->jitter_us;
    for (int i = 0; i < NORMAL_DRAWS; i++)
        sum += lp_rng_below(rng, width);
    return ((int64_t)sum - (int64_t)NORMAL_DRAWS * fault->jitter_us) / 2;
}

static uint32_t delay_of(struct lp_layer_rule *rule, struct lp_rng *rng)
{
    int64_t delay_us = rule->fault.delay_us;
    if (rule->fault.jitter_us)
        delay_us += jitter_draw(&rule->fault, rng);
    return delay_us > 0 ? (uint32_t)delay_us : 0;
}

struct lp_layer_verdict lp_layer_judge(struct lp_layer_rules *rules, uint32_t operation,
                                       bool is_look)
{
    struct lp_layer_verdict verdict = {0};
    struct lp_layer_rule *slow = &rules->rows[LP_LAYER_SLOW];
    struct lp_layer_rule *error = &rules->rows[LP_LAYER_ERROR];
    const struct lp_layer_rule *full = &rules->rows[LP_LAYER_FULL];
    if (slow->is_on && (slow->fault.operations & operation))
        verdict.delay_us = delay_of(slow, is_look ? &slow->rng_of_look : &slow->rng);
    if (rules->rows[LP_LAYER_READ_ONLY].is_on &&
        (operation & (LP_LAYER_WRITE | LP_LAYER_CHANGE | LP_LAYER_MAKE)))
        verdict.error = EROFS;
    else if (error->is_on && (error->fault.operations & operation) &&
             lp_rng_chance(is_look ? &error->rng_of_look : &error->rng, error->fault.permille))
        verdict.error = EIO;
    else if (full->is_on && operation == LP_LAYER_MAKE && full->room_bytes == 0)
        verdict.error = ENOSPC;
    return verdict;
}

size_t lp_layer_room_take(struct lp_layer_rules *rules, size_t bytes, size_t new_bytes)
{
    struct lp_layer_rule *full = &rules->rows[LP_LAYER_FULL];
    if (!full->is_on)
        return bytes;
    size_t taken = new_bytes < full->room_bytes ? new_bytes : (size_t)full->room_bytes;
    size_t missing = new_bytes - taken;
    full->room_bytes -= taken;
    return bytes > missing ? bytes - missing : 0;
}

void lp_layer_room_give(struct lp_layer_rules *rules, uint64_t bytes)
{
    struct lp_layer_rule *full = &rules->rows[LP_LAYER_FULL];
    if (full->is_on)
        full->room_bytes += bytes;
}

uint64_t lp_layer_room_shown(const struct lp_layer_rules *rules, uint64_t free_bytes)
{
    const struct lp_layer_rule *full = &rules->rows[LP_LAYER_FULL];
    return full->is_on && full->room_bytes < free_bytes ? full->room_bytes : free_bytes;
}
