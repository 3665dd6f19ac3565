// One figure over repeated runs.
#include "core/outcome_set.h"

#include "base/err.h"
#include "core/outcome.h"

enum {
    EXACT_MAX = 62,                                         // its binomial coefficients fit 64 bits
    ORDERS_MAX = (EXACT_MAX / 2) * (EXACT_MAX / 2) / 2 + 1, // up to the middle of all pairs
};

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

static uint32_t permille_of(uint64_t part, uint64_t whole)
{
    return (uint32_t)(whole < UINT64_MAX / 1000 ? part * 1000 / whole
                                                : (part >> 12) * 1000 / (whole >> 12));
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
    return permille_of(all - outside, all);
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

// In how many of all orders of first + second different values exactly u pairs (one of each kind)
// stand the wrong way round: the coefficients of the Gaussian binomial, from 0 to last. Products of
// (1 - q^(second + i)) / (1 - q^i); what overflows on the way is gone at the end, in arithmetic
// modulo 2^64.
static void orders_count(size_t first, size_t second, uint64_t *ret_counts, size_t last)
{
    for (size_t u = 0; u <= last; u++)
        ret_counts[u] = u == 0;
    for (size_t i = 1; i <= first; i++) {
        for (size_t u = last + 1; u-- > second + i;)
            ret_counts[u] -= ret_counts[u - second - i];
        for (size_t u = i; u <= last; u++)
            ret_counts[u] += ret_counts[u - i];
    }
}

static uint64_t orders_all(size_t first, size_t second)
{
    uint64_t all = 1;
    for (size_t i = 1; i <= first; i++)
        all = all / i * (second + i) + all % i * (second + i) / i;
    return all;
}

// How many of the sorted pairs are cut off at each end.
static size_t pairs_cut(size_t first, size_t second, uint32_t *ret_sure)
{
    size_t pairs = first * second, cut = 0;
    if (first + second <= EXACT_MAX) {
        uint64_t counts[ORDERS_MAX], all = orders_all(first, second), outside = 0;
        orders_count(first, second, counts, pairs / 2);
        for (size_t u = 0; 2 * u < pairs; u++) {
            outside += 2 * counts[u];
            uint32_t sure = outside < all ? permille_of(all - outside, all) : 0;
            if (u > 0 && sure < LP_OUTCOME_SURE_PERMILLE)
                break;
            cut = u;
            *ret_sure = sure;
        }
        return cut;
    }
    // pairs / 2 - 1.96 * sqrt(pairs * (first + second + 1) / 12), with two digits more.
    uint64_t spread = root_of(38416 * ((uint64_t)pairs * (first + second + 1) / 12 + 1)) + 1;
    *ret_sure = LP_OUTCOME_SURE_PERMILLE;
    return 50 * pairs > spread ? (size_t)(50 * pairs - spread) / 100 : 0;
}

void lp_outcome_set_compare(const struct lp_outcome_values *a, const struct lp_outcome_values *b,
                            int64_t *scratch, struct lp_outcome_difference *ret_difference)
{
    size_t count = 0, pairs = a->count * b->count;
    uint32_t sure = 0;
    lp_assert(a->count > 0 && b->count > 0);
    for (size_t i = 0; i < a->count; i++)
        for (size_t k = 0; k < b->count; k++)
            scratch[count++] = b->items[k] - a->items[i];
    lp_outcome_sort(scratch, count, scratch + count);
    size_t cut = pairs_cut(a->count, b->count, &sure);
    *ret_difference = (struct lp_outcome_difference){
        .difference = median_of(scratch, pairs),
        .low = scratch[cut],
        .high = scratch[pairs - 1 - cut],
        .sure_permille = sure,
    };
}
