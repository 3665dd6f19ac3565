// Bits that a person computed, beside those that the tables give. For files that include cmocka.h.
#pragma once

#include <stdint.h>

#include "logs/log2.h"

// log2(n / d) in 1/256 bit.
static inline int64_t bits(uint64_t n, uint64_t d)
{
    return lp_log2(n) - lp_log2(d);
}

// Two units of the table for each of the logarithms.
static inline void assert_near(int64_t score, int64_t expected)
{
    if (score < expected - 4 || score > expected + 4)
        fail_msg("%lld is not near %lld", (long long)score, (long long)expected);
}
