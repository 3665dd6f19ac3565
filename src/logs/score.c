// P(b|a) with its back-off over classes, and INS: how much likelier a log is without a line.
#include "logs/score.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"

enum {
    NO_CLASS = 0xffff,
    SCORED_BITS = 14,
    ALONE_BITS_MAX =
        4 * LP_LOG_BIT, // gained by standing alone; in long logs it would grow and grow
};

static struct lp_log_score_row *row_take(struct lp_log_scores *scores, uint16_t state)
{
    if (state >= scores->row_count) {
        size_t more = scores->row_count < 64 ? 64 : scores->row_count * 2;
        more = more > state ? more : (size_t)state + 1;
        more = more <= LP_LOG_STATES_MAX ? more : LP_LOG_STATES_MAX + 1;
        scores->rows = lp_heap_grow(scores->rows, more, sizeof *scores->rows);
        memset(scores->rows + scores->row_count, 0,
               (more - scores->row_count) * sizeof *scores->rows);
        for (size_t i = scores->row_count; i < more; i++)
            scores->rows[i].class = NO_CLASS;
        scores->row_count = more;
    }
    return &scores->rows[state];
}

// ---- classes

// floor(log2(count + 1)); streaming: of what was counted when the state was met first.
static uint32_t rarity(const struct lp_log_scores *scores, uint16_t state)
{
    return 63 - (uint32_t)__builtin_clzll(lp_log_counts_row(scores->counts, state).count + 1);
}

static uint16_t class_take(struct lp_log_scores *scores, uint16_t state)
{
    struct lp_log_score_row *row = row_take(scores, state);
    if (row->class != NO_CLASS)
        return row->class;
    uint32_t tag = lp_log_states_get(scores->states, state).tag_id;
    struct lp_log_pair id = {.key = tag << 6 | rarity(scores, state)};
    id.next = lp_log_pairs_find(&scores->class_ids, id.key).next;
    if (!id.next) {
        if (scores->class_count == scores->class_capacity) {
            size_t more = scores->class_capacity ? scores->class_capacity * 2 : 64;
            scores->types = lp_heap_grow(scores->types, more, sizeof *scores->types);
            memset(scores->types + scores->class_capacity, 0,
                   (more - scores->class_capacity) * sizeof *scores->types);
            scores->class_capacity = more;
        }
        id.next = (uint32_t)++scores->class_count;
        uint32_t before;
        // There are never more classes than states, so the table is never full.
        lp_assert(lp_log_pairs_add(&scores->class_ids, &id, &before));
    }
    row->class = (uint16_t)(id.next - 1);
    return row->class;
}

// A class has the same counts as a state: its lines, its neighbours, its successors.
static void classes_make(struct lp_log_scores *scores)
{
    size_t count = scores->counts->row_count;
    uint16_t *map = lp_heap_grow(NULL, count + 1, sizeof *map);
    for (size_t i = 0; i < count; i++) {
        bool is_seen = scores->counts->rows[i].count > 0;
        map[i] = is_seen ? class_take(scores, (uint16_t)i) : 0;
        if (is_seen && !scores->types[map[i]]++)
            scores->class_seen++;
    }
    if (!scores->is_streaming) // no state comes that is not here
        lp_log_pairs_release(&scores->class_ids);
    lp_log_counts_fold(&scores->classes, scores->counts, map);
    lp_heap_free(map);
}

// ---- P(b|a)

// An occurrence is left out: the count falls; did it reach 0?
static bool leave_out(uint64_t *count)
{
    *count -= *count > 0;
    return *count == 0;
}

// (n ONE + rest) / whole, or `otherwise` if nothing is known.
static uint64_t share(uint64_t n, unsigned __int128 rest, uint64_t whole, uint64_t otherwise)
{
    if (!whole)
        return otherwise;
    return (uint64_t)((((unsigned __int128)n << LP_LOG_ONE_BITS) + rest) / whole);
}

// One of `kinds` kinds that are known, or the one that is not, when `whole` were seen.
static uint64_t share_new(uint64_t n, uint64_t kinds, uint64_t whole)
{
    if (!(whole + kinds))
        return LP_LOG_ONE;
    unsigned __int128 part = (unsigned __int128)n * (kinds + 1) + kinds;
    return (uint64_t)((part << LP_LOG_ONE_BITS) /
                      ((unsigned __int128)(whole + kinds) * (kinds + 1)));
}

static uint64_t class_share(const struct lp_log_scores *scores, uint16_t g, uint16_t h,
                            bool is_left_out)
{
    struct lp_log_row from = lp_log_counts_row(&scores->classes, g);
    uint64_t there = lp_log_counts_row(&scores->classes, h).count;
    uint64_t both = g == NO_CLASS || h == NO_CLASS ? 0 : lp_log_counts_next(&scores->classes, g, h);
    uint64_t total = scores->classes.total, seen = scores->class_seen, distinct = from.distinct;
    if (is_left_out) {
        distinct -= leave_out(&both) && distinct;
        leave_out(&from.out);
        seen -= leave_out(&there) && seen;
        leave_out(&total);
    }
    uint64_t even = share_new(there, seen, total);
    return share(both, (unsigned __int128)distinct * even, from.out + distinct, even);
}

static uint64_t state_share(const struct lp_log_scores *scores, uint16_t b, uint16_t h,
                            bool is_left_out)
{
    uint64_t count = lp_log_counts_row(scores->counts, b).count;
    uint64_t whole = lp_log_counts_row(&scores->classes, h).count;
    uint64_t kinds = h < scores->class_count ? scores->types[h] : 0;
    if (is_left_out) {
        kinds -= leave_out(&count) && kinds;
        leave_out(&whole);
    }
    return share_new(count, kinds, whole);
}

static int64_t bits_of(const struct lp_log_scores *scores, uint16_t a, uint16_t b, bool is_left_out)
{
    uint16_t g = lp_log_scores_row(scores, a)->class, h = lp_log_scores_row(scores, b)->class;
    unsigned __int128 back = (unsigned __int128)class_share(scores, g, h, is_left_out) *
                                 state_share(scores, b, h, is_left_out) >>
                             LP_LOG_ONE_BITS;
    struct lp_log_row from = lp_log_counts_row(scores->counts, a);
    uint64_t both = lp_log_counts_next(scores->counts, a, b), distinct = from.distinct;
    if (is_left_out) {
        distinct -= leave_out(&both) && distinct;
        leave_out(&from.out);
    }
    unsigned __int128 part = back;
    uint64_t whole = from.out + distinct;
    if (whole)
        part = ((unsigned __int128)both << LP_LOG_ONE_BITS) + distinct * back;
    return lp_log2(part ? part : 1) - LP_LOG_BIT * LP_LOG_ONE_BITS - (whole ? lp_log2(whole) : 0);
}

struct lp_log_scored *lp_log_scores_scored(const struct lp_log_scores *scores, uint16_t a,
                                           uint16_t b)
{
    if (!scores->scored)
        return NULL;
    uint32_t key = lp_log_pair_key(a, b);
    struct lp_log_scored *scored =
        &scores->scored[(key * 0x9e3779b97f4a7c15u) >> (64 - SCORED_BITS)];
    if (scored->key != key)
        *scored = (struct lp_log_scored){.key = key};
    return scored;
}

int64_t lp_log_scores_bits(const struct lp_log_scores *scores, uint16_t a, uint16_t b,
                           bool is_left_out)
{
    struct lp_log_scored *scored = lp_log_scores_scored(scores, a, b);
    if (!scored)
        return bits_of(scores, a, b, is_left_out);
    if (!scored->has_bits[is_left_out]) {
        scored->bits[is_left_out] = (int32_t)bits_of(scores, a, b, is_left_out);
        scored->has_bits[is_left_out] = true;
    }
    return scored->bits[is_left_out];
}

int64_t lp_log_scores_unexpected(const struct lp_log_scores *scores, uint16_t a, uint16_t b,
                                 uint16_t c)
{
    bool is_left_out = scores->is_left_out;
    return lp_log_scores_bits(scores, a, c, false) - lp_log_scores_bits(scores, a, b, is_left_out) -
           lp_log_scores_bits(scores, b, c, is_left_out);
}

// A line strewn at random has another of its kind within reach with odds of reach * others to all
// lines; a line that belongs there, as often as the lines of this log that come again.
bool lp_log_is_near_another(const uint16_t *states, size_t count, size_t at)
{
    size_t from = at < LP_LOG_NEAR ? 0 : at - LP_LOG_NEAR;
    for (size_t i = from; i < count && i <= at + LP_LOG_NEAR; i++)
        if (i != at && states[i] == states[at])
            return true;
    return false;
}

int64_t lp_log_scores_burst(const struct lp_log_scores *scores, uint16_t b, bool is_near,
                            uint64_t reach)
{
    uint64_t others = lp_log_counts_row(scores->counts, b).count;
    uint64_t again = scores->again, near = scores->near;
    if (others <= scores->is_left_out)
        return 0;
    if (scores->is_left_out) {
        others--;
        again--;
        near -= is_near;
    }
    uint64_t total = scores->counts->total;
    uint64_t likely = is_near ? near : again - near, by_chance = is_near ? reach * others : total;
    int64_t bits = lp_log2(2 * likely + 1) - lp_log2(2 * again + 2) - lp_log2(by_chance) +
                   lp_log2(reach * others + total);
    return bits < -ALONE_BITS_MAX ? -ALONE_BITS_MAX : bits;
}

// ---- what usually follows

static void follower_more(struct lp_log_followers *followers, uint16_t state, uint32_t times)
{
    uint32_t at = 0;
    while (at < followers->count && followers->rows[at].state != state)
        at++;
    if (at == LP_LOG_FOLLOWERS_MAX) {
        const struct lp_log_follower *last = &followers->rows[--at];
        if (last->times > times || (last->times == times && last->state < state))
            return;
    } else if (at == followers->count) {
        if (followers->count == followers->capacity) {
            followers->capacity = followers->capacity ? followers->capacity * 2 : 4;
            followers->rows =
                lp_heap_grow(followers->rows, followers->capacity, sizeof *followers->rows);
        }
        followers->count++;
    }
    for (; at > 0; at--) {
        const struct lp_log_follower *above = &followers->rows[at - 1];
        if (above->times > times || (above->times == times && above->state < state))
            break;
        followers->rows[at] = *above;
    }
    followers->rows[at] = (struct lp_log_follower){.times = times, .state = state};
}

static bool is_habit(uint64_t k, uint64_t n)
{
    return k >= 2 && 10 * k >= 7 * n;
}

// In ascending order. More than four can only come out of a model file or of rounding: the lowest
// are kept.
static void habit_more(struct lp_log_habits *habits, uint16_t state)
{
    uint32_t at = 0;
    while (at < habits->count && habits->states[at] < state)
        at++;
    if (at == LP_LOG_HABITS_MAX || (at < habits->count && habits->states[at] == state))
        return;
    habits->count += habits->count < LP_LOG_HABITS_MAX;
    for (uint32_t i = habits->count - 1; i > at; i--)
        habits->states[i] = habits->states[i - 1];
    habits->states[at] = state;
}

static void pair_learn(struct lp_log_scores *scores, struct lp_log_pair pair)
{
    uint16_t a = (uint16_t)(pair.key >> 16), b = (uint16_t)pair.key;
    if (pair.next >= 2)
        follower_more(&row_take(scores, a)->followers, b, pair.next);
    if (is_habit(pair.ahead, lp_log_counts_row(scores->counts, a).ahead))
        habit_more(&row_take(scores, a)->ahead, b);
    if (is_habit(pair.behind, lp_log_counts_row(scores->counts, b).behind))
        habit_more(&row_take(scores, b)->behind, a);
}

void lp_log_scores_init(struct lp_log_scores *scores, struct lp_log_counts *counts,
                        const struct lp_log_states *states, bool is_streaming)
{
    *scores = (struct lp_log_scores){.counts = counts,
                                     .states = states,
                                     .is_streaming = is_streaming,
                                     .is_left_out = !is_streaming};
    classes_make(scores);
    for (uint32_t i = 0; i < scores->counts->pairs.slot_count; i++)
        pair_learn(scores, lp_log_pairs_at(&scores->counts->pairs, i));
    if (is_streaming)
        return;
    scores->scored = lp_heap_take(sizeof *scores->scored << SCORED_BITS);
    for (size_t i = 0; i < (size_t)1 << SCORED_BITS; i++)
        scores->scored[i].key = LP_LOG_PAIR_NONE;
}

void lp_log_scores_release(struct lp_log_scores *scores)
{
    for (size_t i = 0; i < scores->row_count; i++)
        lp_heap_free(scores->rows[i].followers.rows);
    lp_heap_free(scores->rows);
    lp_heap_free(scores->types);
    lp_heap_free(scores->scored);
    lp_log_pairs_release(&scores->class_ids);
    lp_log_counts_release(&scores->classes);
    *scores = (struct lp_log_scores){0};
}

// ---- streaming

void lp_log_scores_meet(struct lp_log_scores *scores, uint16_t state)
{
    class_take(scores, state);
}

// What is no longer seen often enough is no habit any more.
static void habits_check(struct lp_log_scores *scores, uint16_t state, bool is_ahead)
{
    struct lp_log_score_row *row = row_take(scores, state);
    struct lp_log_row seen = lp_log_counts_row(scores->counts, state);
    struct lp_log_habits *habits = is_ahead ? &row->ahead : &row->behind;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < habits->count; i++) {
        uint16_t m = habits->states[i];
        struct lp_log_pair pair =
            lp_log_pairs_find(&scores->counts->pairs,
                              is_ahead ? lp_log_pair_key(state, m) : lp_log_pair_key(m, state));
        if (is_habit(is_ahead ? pair.ahead : pair.behind, is_ahead ? seen.ahead : seen.behind))
            habits->states[kept++] = m;
    }
    habits->count = kept;
}

static void class_step(struct lp_log_scores *scores, const uint16_t *past, size_t past_count)
{
    uint16_t state = past[past_count - 1], class = class_take(scores, state);
    if (lp_log_counts_row(scores->counts, state).count == 0 && !scores->types[class]++)
        scores->class_seen++;
    uint16_t classes[2] = {class, class};
    if (past_count > 1)
        classes[0] = class_take(scores, past[past_count - 2]);
    lp_log_counts_step(&scores->classes, classes, past_count > 1 ? 2 : 1);
}

static void pair_learn_again(struct lp_log_scores *scores, uint16_t a, uint16_t b)
{
    pair_learn(scores, lp_log_pairs_find(&scores->counts->pairs, lp_log_pair_key(a, b)));
}

void lp_log_scores_step(struct lp_log_scores *scores, const uint16_t *past, size_t past_count)
{
    class_step(scores, past, past_count);
    lp_log_counts_step(scores->counts, past, past_count);
    uint16_t state = past[past_count - 1];
    if (past_count > 1)
        pair_learn_again(scores, past[past_count - 2], state);
    if (past_count <= LP_LOG_WINDOW)
        return;
    const uint16_t *gram = past + past_count - LP_LOG_WINDOW - 1;
    habits_check(scores, gram[0], true);
    habits_check(scores, state, false);
    for (int i = 0; i < LP_LOG_WINDOW; i++) {
        pair_learn_again(scores, gram[0], gram[i + 1]);
        pair_learn_again(scores, gram[i], state);
    }
}
