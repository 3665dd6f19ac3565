// Random numbers from a seed: the same on every machine.
// Source: Blackman and Vigna, xoshiro256** 1.0; seeded by SplitMix64 (Steele, Lea, Flood 2014).
#pragma once

#include <stdint.h>

struct lp_rng {
    uint64_t s[4];
};

void lp_rng_init(struct lp_rng *rng, uint64_t seed);
uint64_t lp_rng_next(struct lp_rng *rng);
// Even in [0, bound); bound > 0.
uint64_t lp_rng_below(struct lp_rng *rng, uint64_t bound);
// 1 with probability permille / 1000, else 0.
int lp_rng_chance(struct lp_rng *rng, uint32_t permille);
