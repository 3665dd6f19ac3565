// Logarithms in 1/256 bit, from a table. Probabilities are integers in units of 2^-LP_LOG_ONE_BITS.
// Source: docs/logs-arithmetic.md.
#pragma once

#include <stdint.h>

enum { LP_LOG_ONE_BITS = 60 };
#define LP_LOG_ONE ((uint64_t)1 << LP_LOG_ONE_BITS)

// log2(x), x > 0. At most 0.7 units off; exact to half a unit below 4,096; never falls.
int64_t lp_log2(unsigned __int128 x);
