// One figure over repeated runs: its middle, how sure it is, and how it differs from another's.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { LP_OUTCOME_SURE_PERMILLE = 950 };

struct lp_outcome_set {
    size_t count;
    int64_t least, median, p95, most; // median of an even count: the middle of the two, rounded
                                      // down; p95: nearest-rank. All -1 when count is 0
    // The confidence interval of the median: two of the values themselves, so that nothing is
    // assumed about how they are distributed. Of all that have LP_OUTCOME_SURE_PERMILLE or more,
    // the narrowest; with fewer than six values least and most, and sure_permille says how little
    // that is. Source: the binomial order-statistic interval (Conover, Practical Nonparametric
    // Statistics, 3.2); beyond 62 values by its normal approximation, rounded outwards.
    int64_t low, high;
    uint32_t sure_permille;
};
// Sorts the values. spare: room for count values.
void lp_outcome_set_count(int64_t *values, size_t count, int64_t *spare,
                          struct lp_outcome_set *ret_set);

struct lp_outcome_values {
    const int64_t *items;
    size_t count;
};
struct lp_outcome_difference {
    int64_t difference;     // by how much b lies above a: the middle of all b - a, one of each
    int64_t low, high;      // its interval, two of those b - a; with 0 in it no difference is sure
    uint32_t sure_permille; // of the interval; 0 with one value on each side
};
// Nothing is assumed about how the values are distributed, only that b's are like a's but moved. Of
// the intervals that have LP_OUTCOME_SURE_PERMILLE or more the narrowest; three values against
// three reach 900 only, and sure_permille says so. Both sets have at least one value. scratch: room
// for 2 * a.count * b.count values. Source: Hodges and Lehmann's estimate and the interval of the
// Wilcoxon-Mann-Whitney test (Hollander and Wolfe, Nonparametric Statistical Methods, 4.2, 4.3);
// beyond 62 values in both together by its normal approximation, rounded outwards.
void lp_outcome_set_compare(const struct lp_outcome_values *a, const struct lp_outcome_values *b,
                            int64_t *scratch, struct lp_outcome_difference *ret_difference);
