// BRIDGE and MISS: how much likelier a log is with one line more.
#include "logs/score.h"

static struct lp_log_gap bridge_of(const struct lp_log_scores *scores, uint16_t a, uint16_t c)
{
    struct lp_log_gap gap = {.bits = 0, .state = LP_LOG_NOTHING};
    const struct lp_log_followers *followers = &lp_log_scores_row(scores, a)->followers;
    if (!followers->count)
        return gap;
    int64_t surprise = -lp_log_scores_bits(scores, a, c, !scores->is_streaming);
    if (surprise > LP_LOG_SURPRISE_MAX)
        surprise = LP_LOG_SURPRISE_MAX;
    int64_t out = lp_log2(lp_log_counts_row(scores->counts, a).out);
    for (uint32_t i = 0; i < followers->count; i++) {
        uint16_t m = followers->rows[i].state;
        int64_t first = lp_log2(followers->rows[i].times) - out + surprise;
        if (first <= gap.bits) // the second step cannot be likelier than certain
            break;
        uint32_t times = m == a || m == c ? 0 : lp_log_counts_next(scores->counts, m, c);
        if (times < 2)
            continue;
        int64_t bits = first + lp_log2(times) - lp_log2(lp_log_counts_row(scores->counts, m).out);
        if (bits > gap.bits)
            gap = (struct lp_log_gap){.bits = bits, .state = m};
    }
    return gap;
}

struct lp_log_gap lp_log_scores_bridge(const struct lp_log_scores *scores, uint16_t a, uint16_t c)
{
    const struct lp_log_scored *known = lp_log_scores_scored(scores, a, c);
    if (known && known->has_bridge)
        return known->bridge;
    struct lp_log_gap gap = bridge_of(scores, a, c);
    struct lp_log_scored *scored = lp_log_scores_scored(scores, a, c);
    if (scored) {
        scored->bridge = gap;
        scored->has_bridge = true;
    }
    return gap;
}

uint32_t lp_log_habits_broken(const struct lp_log_habits *habits, const uint16_t *window,
                              size_t count)
{
    uint32_t broken = (1u << habits->count) - 1;
    for (uint32_t i = 0; i < habits->count; i++)
        for (size_t k = 0; k < count; k++)
            if (window[k] == habits->states[i])
                broken &= ~(1u << i);
    return broken;
}

// -log2 of the share that went without, (n - k + 1/2) / (n + 1).
static int64_t broken_bits(uint64_t k, uint64_t n)
{
    return lp_log2((unsigned __int128)2 * n + 2) - lp_log2((unsigned __int128)2 * (n - k) + 1);
}

int64_t lp_log_scores_ahead(const struct lp_log_scores *scores, uint16_t a, uint16_t m)
{
    struct lp_log_pair pair = lp_log_pairs_find(&scores->counts->pairs, lp_log_pair_key(a, m));
    return pair.key == LP_LOG_PAIR_NONE
               ? 0
               : broken_bits(pair.ahead, lp_log_counts_row(scores->counts, a).ahead);
}

int64_t lp_log_scores_behind(const struct lp_log_scores *scores, uint16_t m, uint16_t c)
{
    struct lp_log_pair pair = lp_log_pairs_find(&scores->counts->pairs, lp_log_pair_key(m, c));
    return pair.key == LP_LOG_PAIR_NONE
               ? 0
               : broken_bits(pair.behind, lp_log_counts_row(scores->counts, c).behind);
}

bool lp_log_habits_tell(const struct lp_log_habits *habits, uint32_t broken, uint16_t m)
{
    for (uint32_t i = 0; i < habits->count; i++)
        if (habits->states[i] == m)
            return broken >> i & 1;
    return false;
}

static int64_t miss_of(const struct lp_log_scores *scores, const uint16_t pair[2], uint32_t ahead,
                       uint32_t behind, uint16_t m)
{
    int64_t bits = 0;
    if (lp_log_habits_tell(&lp_log_scores_row(scores, pair[0])->ahead, ahead, m))
        bits += lp_log_scores_ahead(scores, pair[0], m);
    if (lp_log_habits_tell(&lp_log_scores_row(scores, pair[1])->behind, behind, m))
        bits += lp_log_scores_behind(scores, m, pair[1]);
    return bits;
}

struct lp_log_gap lp_log_scores_miss(const struct lp_log_scores *scores, uint16_t a, uint16_t c,
                                     uint32_t ahead, uint32_t behind)
{
    struct lp_log_gap gap = {.bits = 0, .state = LP_LOG_NOTHING};
    const uint16_t pair[2] = {a, c};
    const struct lp_log_habits *habits[2] = {&lp_log_scores_row(scores, a)->ahead,
                                             &lp_log_scores_row(scores, c)->behind};
    const uint32_t broken[2] = {ahead, behind};
    for (int side = 0; side < 2; side++)
        for (uint32_t i = 0; i < habits[side]->count; i++) {
            uint16_t m = habits[side]->states[i];
            int64_t bits = broken[side] >> i & 1 ? miss_of(scores, pair, ahead, behind, m) : 0;
            if (bits > gap.bits || (bits && bits == gap.bits && m < gap.state))
                gap = (struct lp_log_gap){.bits = bits, .state = m};
        }
    return gap;
}
