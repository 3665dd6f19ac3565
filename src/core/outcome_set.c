// One figure over repeated runs.
#include "core/outcome_set.h"

#include <string.h>

#include "base/err.h"
#include "base/rng.h"
#include "core/outcome.h"

enum { EXACT_MAX = 62 }; // its binomial coefficients fit 64 bits

static int64_t median_of(const int64_t *sorted, size_t count)
{
    int64_t low = sorted[(count - 1) / 2], high = sorted[count / 2];
    return low + (high - low) / 2;
}

static uint64_t root_of(uint64_t square)
{
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 31; bit; bit >>= 1)
        if ((root + bit) * (root + bit) <= square)
            root += bit;
    return root;
}

// How sure the interval from the (cut + 1)-th smallest to the (cut + 1)-th largest value is: less
// than a half for each way in which at most `cut` of count even coins show heads, twice.
static uint32_t sure_permille(size_t count, size_t cut)
{
    uint64_t ways = 1, outside = 0, all = (uint64_t)1 << count;
    for (size_t heads = 0; heads <= cut; heads++) {
        outside += ways;
        ways = ways / (heads + 1) * (count - heads) +
               ways % (heads + 1) * (count - heads) / (heads + 1);
    }
    outside *= 2;
    if (outside >= all)
        return 0;
    uint64_t inside = all - outside;
    return (uint32_t)(count < 53 ? inside * 1000 / all : (inside >> 12) * 1000 / (all >> 12));
}

void lp_outcome_set_count(int64_t *values, size_t count, int64_t *spare,
                          struct lp_outcome_set *ret_set)
{
    *ret_set = (struct lp_outcome_set){0, -1, -1, -1, -1, -1, -1, 0};
    if (count == 0)
        return;
    lp_outcome_sort(values, count, spare);
    size_t cut = 0;
    uint32_t sure = LP_OUTCOME_SURE_PERMILLE;
    if (count <= EXACT_MAX) {
        while (2 * (cut + 1) < count && sure_permille(count, cut + 1) >= LP_OUTCOME_SURE_PERMILLE)
            cut++;
        sure = sure_permille(count, cut);
    } else { // count / 2 - 0.98 * sqrt(count), of values counted from 1
        cut = (100 * count - root_of(38416 * (uint64_t)count) - 1) / 200 - 1;
    }
    *ret_set = (struct lp_outcome_set){
        .count = count,
        .least = values[0],
        .median = median_of(values, count),
        .p95 = lp_outcome_percentile(values, count, 950),
        .most = values[count - 1],
        .low = values[cut],
        .high = values[count - 1 - cut],
        .sure_permille = sure,
    };
}

static int64_t resample(const struct lp_outcome_values *set, struct lp_rng *rng, int64_t *scratch)
{
    for (size_t i = 0; i < set->count; i++)
        scratch[i] = set->items[lp_rng_below(rng, set->count)];
    lp_outcome_sort(scratch, set->count, scratch + set->count);
    return median_of(scratch, set->count);
}

static int64_t median_as_is(const struct lp_outcome_values *set, int64_t *scratch)
{
    memcpy(scratch, set->items, set->count * sizeof(*scratch));
    lp_outcome_sort(scratch, set->count, scratch + set->count);
    return median_of(scratch, set->count);
}

void lp_outcome_set_compare(const struct lp_outcome_values *a, const struct lp_outcome_values *b,
                            struct lp_rng *rng, int64_t *scratch,
                            struct lp_outcome_difference *ret_difference)
{
    int64_t *rounds = scratch, *rest = scratch + LP_OUTCOME_ROUNDS;
    lp_assert(a->count > 0 && b->count > 0);
    for (size_t i = 0; i < LP_OUTCOME_ROUNDS; i++) {
        int64_t first = resample(a, rng, rest);
        rounds[i] = resample(b, rng, rest) - first;
    }
    lp_outcome_sort(rounds, LP_OUTCOME_ROUNDS, rest);
    int64_t first = median_as_is(a, rest);
    *ret_difference = (struct lp_outcome_difference){
        .low = lp_outcome_percentile(rounds, LP_OUTCOME_ROUNDS, 25),
        .high = lp_outcome_percentile(rounds, LP_OUTCOME_ROUNDS, 975),
        .difference = median_as_is(b, rest) - first,
    };
}
