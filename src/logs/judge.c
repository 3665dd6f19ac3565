// One line judged, and the list of the highest scores.
#include "logs/judge.h"

#include <stdlib.h>

enum {
    MERGED_OFFSET = 10 * LP_LOG_BIT, // an unexpected line is worth that less than a missing one
    DISPLACED_FROM = 4 * LP_LOG_BIT, // what is that unexpected is where it does not belong
    LATE_BITS = 2 * LP_LOG_BIT,      // what comes late is that much less missing
    BONUS_WEIGHT = 12,
    BONUS_SHARE = 50, // new neighbours are worth telling while they are less than one in 50
};

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

struct lp_log_novelty lp_log_counts_novelty(const struct lp_log_counts *train)
{
    struct lp_log_novelty novelty = {0};
    for (uint32_t i = 0; i < train->pairs.slot_count; i++) {
        uint32_t times = lp_log_pairs_at(&train->pairs, i).next;
        novelty.total += times;
        novelty.once += times == 1;
    }
    return novelty;
}

int64_t lp_log_merged_bonus(uint64_t unseen, uint64_t total, const struct lp_log_novelty *train)
{
    if (!unseen)
        return 0;
    int64_t found = lp_log2(total) - lp_log2((unsigned __int128)BONUS_SHARE * unseen);
    int64_t expected = train ? lp_log2((unsigned __int128)train->total + 1) -
                                   lp_log2((unsigned __int128)BONUS_SHARE * (train->once + 1))
                             : 0;
    return BONUS_WEIGHT * larger(larger(found, expected), 0);
}

// INS of the line at `center` less 5/16 of the highest that is 2 to 8 lines away.
static int64_t contrast(const struct lp_log_around *around, int center)
{
    int64_t highest = 0;
    for (int i = center - LP_LOG_AROUND; i <= center + LP_LOG_AROUND; i++)
        if (i < center - 1 || i > center + 1)
            highest = larger(highest, around->ins[i]);
    return around->ins[center] - highest * 5 / 16;
}

// Is what usually stands beside the line at `center` there? A side counts if all of it is known.
static int64_t company(const struct lp_log_scores *scores, const struct lp_log_around *around,
                       int center)
{
    int64_t bits = 0;
    for (int side = 0; side < 2; side++) {
        uint16_t window[LP_LOG_WINDOW];
        bool is_whole = true;
        for (int i = 0; i < LP_LOG_WINDOW; i++) {
            window[i] = around->states[side ? center + 1 + i : center - 1 - i];
            is_whole = is_whole && window[i] != LP_LOG_NOTHING;
        }
        if (is_whole)
            bits += lp_log_scores_company(scores, around->states[center], window, side);
    }
    return bits;
}

static int64_t unexpected(const struct lp_log_scores *scores, const struct lp_log_around *around,
                          int center)
{
    return contrast(around, center) + company(scores, around, center);
}

static void less_displaced(struct lp_log_gap *gap, const struct lp_log_around *around)
{
    int64_t highest = DISPLACED_FROM;
    for (int i = 0; i <= 2 * LP_LOG_AROUND; i++)
        if (around->states[i] == gap->state)
            highest = larger(highest, around->ins[i]);
    gap->bits -= highest - DISPLACED_FROM;
    if (gap->bits <= 0)
        *gap = (struct lp_log_gap){.bits = 0, .state = LP_LOG_NOTHING};
}

// Seen from one side of the gap, does m come within LP_LOG_AROUND lines, beside the ones that the
// other lines of this kind have coming? step: 1 ahead of line i, -1 behind line i + 1.
static bool is_late(const struct lp_log_around *around, int step, uint16_t m)
{
    int at = step > 0 ? LP_LOG_AROUND : LP_LOG_AROUND + 1;
    uint16_t owner = around->states[at];
    int owed = 1;
    for (int k = 0; k < LP_LOG_AROUND; k++) {
        at += step;
        owed += around->states[at] == owner;
        if (around->states[at] == m && --owed == 0)
            return true;
    }
    return false;
}

static uint32_t late_habits(const struct lp_log_habits *habits, uint32_t broken,
                            const struct lp_log_around *around, int step)
{
    uint32_t late = 0;
    for (uint32_t i = 0; i < habits->count; i++)
        if (broken >> i & 1 && is_late(around, step, habits->states[i]))
            late |= 1u << i;
    return late;
}

static struct lp_log_gap miss_again(const struct lp_log_judgement *judgement,
                                    const struct lp_log_scores *scores,
                                    const struct lp_log_around *around)
{
    struct lp_log_absence absence = {
        .before = around->states[LP_LOG_AROUND],
        .after = around->states[LP_LOG_AROUND + 1],
        .ahead = judgement->ahead,
        .behind = judgement->behind,
    };
    absence.ahead_late =
        late_habits(&lp_log_scores_row(scores, absence.before)->ahead, absence.ahead, around, 1);
    absence.behind_late =
        late_habits(&lp_log_scores_row(scores, absence.after)->behind, absence.behind, around, -1);
    return lp_log_scores_miss(scores, &absence);
}

void lp_log_judgement_compare(struct lp_log_judgement *judgement,
                              const struct lp_log_scores *scores,
                              const struct lp_log_around *around)
{
    if (judgement->here != LP_LOG_NO_SCORE)
        judgement->here = unexpected(scores, around, LP_LOG_AROUND);
    if (judgement->next != LP_LOG_NO_SCORE)
        judgement->next = unexpected(scores, around, LP_LOG_AROUND + 1);
    struct lp_log_gap *bridge = &judgement->bridge;
    if (bridge->bits && (is_late(around, 1, bridge->state) || is_late(around, -1, bridge->state)))
        bridge->bits -= LATE_BITS;
    if (judgement->miss.bits)
        judgement->miss = miss_again(judgement, scores, around);
    less_displaced(bridge, around);
    less_displaced(&judgement->miss, around);
}

int64_t lp_log_judgement_score(const struct lp_log_judgement *judgement, enum lp_log_list list)
{
    int64_t unexpected = larger(judgement->here, judgement->next);
    if (list == LP_LOG_UNEXPECTED)
        return unexpected;
    int64_t missing = judgement->bridge.bits + judgement->miss.bits;
    if (list == LP_LOG_MISSING)
        return missing > 0 ? missing : LP_LOG_NO_SCORE;
    if (unexpected != LP_LOG_NO_SCORE)
        missing = larger(missing, unexpected - MERGED_OFFSET);
    return missing + judgement->bonus;
}

static void tell_unexpected(const struct lp_log_judgement *judgement,
                            const struct lp_log_scores *scores, const struct lp_log_place *place,
                            struct lp_log_verdict *verdict)
{
    bool is_here = judgement->here >= judgement->next;
    verdict->list = LP_LOG_UNEXPECTED;
    verdict->unfit = is_here ? place->line : place->next_line;
    verdict->evidence = LP_LOG_BYPASS;
    uint16_t a = is_here ? place->before : place->state;
    uint16_t c = is_here ? place->after : place->after_next;
    verdict->hits = lp_log_counts_next(scores->counts, a, c);
    verdict->cases = lp_log_counts_row(scores->counts, a).out;
}

static void tell_missing(const struct lp_log_judgement *judgement,
                         const struct lp_log_scores *scores, const struct lp_log_place *place,
                         struct lp_log_verdict *verdict)
{
    const struct lp_log_counts *counts = scores->counts;
    const uint16_t pair[2] = {place->state, place->after};
    const struct lp_log_gap *bridge = &judgement->bridge, *miss = &judgement->miss;
    uint16_t m = bridge->bits >= miss->bits ? bridge->state : miss->state;
    verdict->list = LP_LOG_MISSING;
    verdict->missing = m;
    if (m == LP_LOG_NOTHING)
        return;
    verdict->bits_missing =
        (m == bridge->state ? bridge->bits : 0) + (m == miss->state ? miss->bits : 0);
    struct lp_log_pair next = lp_log_pairs_find(&counts->pairs, lp_log_pair_key(pair[0], m));
    struct lp_log_pair last = lp_log_pairs_find(&counts->pairs, lp_log_pair_key(m, pair[1]));
    int64_t ahead =
        lp_log_habits_tell(&lp_log_scores_row(scores, pair[0])->ahead, judgement->ahead, m)
            ? lp_log_scores_ahead(scores, pair[0], m)
            : 0;
    int64_t behind =
        lp_log_habits_tell(&lp_log_scores_row(scores, pair[1])->behind, judgement->behind, m)
            ? lp_log_scores_behind(scores, m, pair[1])
            : 0;
    verdict->evidence = behind > ahead ? LP_LOG_BEHIND : ahead ? LP_LOG_AHEAD : LP_LOG_RIGHT_NEXT;
    if (verdict->evidence == LP_LOG_BEHIND) {
        verdict->hits = last.behind;
        verdict->cases = lp_log_counts_row(counts, pair[1]).behind;
    } else if (next.key != LP_LOG_PAIR_NONE) {
        verdict->hits = ahead ? next.ahead : next.next;
        verdict->cases = ahead ? lp_log_counts_row(counts, pair[0]).ahead
                               : lp_log_counts_row(counts, pair[0]).out;
    }
}

void lp_log_judgement_tell(const struct lp_log_judgement *judgement,
                           const struct lp_log_scores *scores, const struct lp_log_place *place,
                           enum lp_log_list list, struct lp_log_verdict *ret_verdict)
{
    *ret_verdict = (struct lp_log_verdict){
        .line = place->line,
        .state = place->state,
        .before = place->before,
        .after = place->after,
        .missing = LP_LOG_NOTHING,
    };
    int64_t missing = judgement->bridge.bits + judgement->miss.bits;
    int64_t unexpected = larger(judgement->here, judgement->next);
    bool is_missing = list == LP_LOG_MISSING ||
                      (list == LP_LOG_MERGED && missing > 0 &&
                       (unexpected == LP_LOG_NO_SCORE || missing >= unexpected - MERGED_OFFSET));
    if (is_missing)
        tell_missing(judgement, scores, place, ret_verdict);
    else
        tell_unexpected(judgement, scores, place, ret_verdict);
}

// ---- the list of the highest

static bool is_worse(const struct lp_log_verdict *a, const struct lp_log_verdict *b)
{
    return a->score != b->score ? a->score < b->score : a->line > b->line;
}

bool lp_log_top_wants(const struct lp_log_top *top, int64_t score, uint64_t line)
{
    if (top->count < top->capacity)
        return true;
    const struct lp_log_verdict new = {.score = score, .line = line};
    return top->capacity && is_worse(&top->verdicts[0], &new);
}

static void swap(struct lp_log_verdict *a, struct lp_log_verdict *b)
{
    struct lp_log_verdict was = *a;
    *a = *b;
    *b = was;
}

static void sift_down(struct lp_log_top *top)
{
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= top->count)
            return;
        if (child + 1 < top->count && is_worse(&top->verdicts[child + 1], &top->verdicts[child]))
            child++;
        if (!is_worse(&top->verdicts[child], &top->verdicts[at]))
            return;
        swap(&top->verdicts[child], &top->verdicts[at]);
        at = child;
    }
}

void lp_log_top_add(struct lp_log_top *top, const struct lp_log_verdict *verdict)
{
    if (top->count == top->capacity) {
        top->verdicts[0] = *verdict;
        sift_down(top);
        return;
    }
    size_t at = top->count++;
    top->verdicts[at] = *verdict;
    for (; at && is_worse(&top->verdicts[at], &top->verdicts[(at - 1) / 2]); at = (at - 1) / 2)
        swap(&top->verdicts[at], &top->verdicts[(at - 1) / 2]);
}

static int order(const void *a, const void *b)
{
    return is_worse(a, b) ? 1 : is_worse(b, a) ? -1 : 0;
}

void lp_log_top_sort(struct lp_log_top *top)
{
    if (top->count)
        qsort(top->verdicts, top->count, sizeof *top->verdicts, order);
}
