// BRIDGE and MISS: how much likelier a log is with one line more.
#include "logs/score.h"

enum {
    LATE_BITS = 2 * LP_LOG_BIT,      // what comes late is that much less missing
    UNFIT_BITS_MAX = 4 * LP_LOG_BIT, // and what does not fit the place, by that much at most
    COMPANY_BITS_MAX = 4 * LP_LOG_BIT,
};

static struct lp_log_gap bridge_of(const struct lp_log_scores *scores, uint16_t a, uint16_t c)
{
    struct lp_log_gap gap = {.bits = 0, .state = LP_LOG_NOTHING};
    const struct lp_log_followers *followers = &lp_log_scores_row(scores, a)->followers;
    if (!followers->count)
        return gap;
    int64_t surprise = -lp_log_scores_bits(scores, a, c, scores->is_left_out);
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

// -log2 of the share of n windows that went without m, (n - k + 1/2) / (n + 1), as far as that is
// more than m's being rare explains.
static int64_t broken_bits(const struct lp_log_scores *scores, uint16_t m, uint64_t k, uint64_t n)
{
    uint64_t total = scores->counts->total, count = lp_log_counts_row(scores->counts, m).count;
    int64_t bits =
        lp_log2((unsigned __int128)2 * n + 2) - lp_log2((unsigned __int128)2 * (n - k) + 1);
    if (count >= total)
        return 0;
    bits -= LP_LOG_WINDOW * (lp_log2(total) - lp_log2(total - count));
    return bits > 0 ? bits : 0;
}

int64_t lp_log_scores_ahead(const struct lp_log_scores *scores, uint16_t a, uint16_t m)
{
    struct lp_log_pair pair = lp_log_pairs_find(&scores->counts->pairs, lp_log_pair_key(a, m));
    return pair.key == LP_LOG_PAIR_NONE
               ? 0
               : broken_bits(scores, m, pair.ahead, lp_log_counts_row(scores->counts, a).ahead);
}

int64_t lp_log_scores_behind(const struct lp_log_scores *scores, uint16_t m, uint16_t c)
{
    struct lp_log_pair pair = lp_log_pairs_find(&scores->counts->pairs, lp_log_pair_key(m, c));
    return pair.key == LP_LOG_PAIR_NONE
               ? 0
               : broken_bits(scores, m, pair.behind, lp_log_counts_row(scores->counts, c).behind);
}

bool lp_log_habits_tell(const struct lp_log_habits *habits, uint32_t broken, uint16_t m)
{
    for (uint32_t i = 0; i < habits->count; i++)
        if (habits->states[i] == m)
            return broken >> i & 1;
    return false;
}

static bool is_in_window(const uint16_t window[LP_LOG_WINDOW], uint16_t m)
{
    for (int i = 0; i < LP_LOG_WINDOW; i++)
        if (window[i] == m)
            return true;
    return false;
}

int64_t lp_log_scores_company(const struct lp_log_scores *scores, uint16_t state,
                              const uint16_t window[LP_LOG_WINDOW], bool is_ahead)
{
    const struct lp_log_score_row *row = lp_log_scores_row(scores, state);
    const struct lp_log_habits *habits = is_ahead ? &row->ahead : &row->behind;
    int64_t whole = lp_log2(scores->counts->total), there = 0, broken = 0;
    bool is_there = false;
    for (uint32_t i = 0; i < habits->count; i++) {
        uint16_t m = habits->states[i];
        bool is_kept = m != state && is_in_window(window, m);
        int64_t bits = 0;
        if (is_kept) // one of three lines at random would be m as often
            bits = whole - lp_log2(3 * lp_log_counts_row(scores->counts, m).count);
        else if (m != state)
            bits = is_ahead ? lp_log_scores_ahead(scores, state, m)
                            : lp_log_scores_behind(scores, m, state);
        int64_t *most = is_kept ? &there : &broken;
        *most = bits > *most ? bits : *most;
        is_there |= is_kept;
    }
    int64_t bits = is_there ? there : broken;
    bits = bits > COMPANY_BITS_MAX ? COMPANY_BITS_MAX : bits;
    return is_there ? -bits : bits;
}

int64_t lp_log_scores_company_most(const struct lp_log_scores *scores, uint16_t state)
{
    const struct lp_log_score_row *row = lp_log_scores_row(scores, state);
    return (row->ahead.count ? COMPANY_BITS_MAX : 0) + (row->behind.count ? COMPANY_BITS_MAX : 0);
}

// How much less likely the log is with m between the two, at most 0.
static int64_t misfit(const struct lp_log_scores *scores, uint16_t a, uint16_t m, uint16_t c)
{
    if (m == a || m == c)
        return -UNFIT_BITS_MAX;
    int64_t without = lp_log_scores_bits(scores, a, c, scores->is_left_out);
    if (without < -LP_LOG_SURPRISE_MAX)
        without = -LP_LOG_SURPRISE_MAX;
    int64_t bits =
        lp_log_scores_bits(scores, a, m, false) + lp_log_scores_bits(scores, m, c, false) - without;
    if (bits > 0)
        return 0;
    return bits < -UNFIT_BITS_MAX ? -UNFIT_BITS_MAX : bits;
}

static int64_t less_late(int64_t bits, bool is_late)
{
    bits -= is_late ? LATE_BITS : 0;
    return bits > 0 ? bits : 0;
}

static int64_t miss_of(const struct lp_log_scores *scores, const struct lp_log_absence *absence,
                       uint16_t m)
{
    const struct lp_log_habits *ahead = &lp_log_scores_row(scores, absence->before)->ahead;
    const struct lp_log_habits *behind = &lp_log_scores_row(scores, absence->after)->behind;
    int64_t bits = 0;
    if (lp_log_habits_tell(ahead, absence->ahead, m))
        bits += less_late(lp_log_scores_ahead(scores, absence->before, m),
                          lp_log_habits_tell(ahead, absence->ahead_late, m));
    if (lp_log_habits_tell(behind, absence->behind, m))
        bits += less_late(lp_log_scores_behind(scores, m, absence->after),
                          lp_log_habits_tell(behind, absence->behind_late, m));
    if (bits > 0 && !absence->is_rough)
        bits += misfit(scores, absence->before, m, absence->after);
    return bits > 0 ? bits : 0;
}

struct lp_log_gap lp_log_scores_miss(const struct lp_log_scores *scores,
                                     const struct lp_log_absence *absence)
{
    struct lp_log_gap gap = {.bits = 0, .state = LP_LOG_NOTHING};
    const struct lp_log_habits *habits[2] = {&lp_log_scores_row(scores, absence->before)->ahead,
                                             &lp_log_scores_row(scores, absence->after)->behind};
    const uint32_t broken[2] = {absence->ahead, absence->behind};
    for (int side = 0; side < 2; side++)
        for (uint32_t i = 0; i < habits[side]->count; i++) {
            uint16_t m = habits[side]->states[i];
            int64_t bits = broken[side] >> i & 1 ? miss_of(scores, absence, m) : 0;
            if (bits > gap.bits || (bits && bits == gap.bits && m < gap.state))
                gap = (struct lp_log_gap){.bits = bits, .state = m};
        }
    return gap;
}
