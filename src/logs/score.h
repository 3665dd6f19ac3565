// What the scores of lines are computed from: counts, classes, and what usually follows what.
// Source: docs/logs-arithmetic.md.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logs/counts.h"
#include "logs/log2.h"
#include "logs/logs.h"

enum {
    LP_LOG_HABITS_MAX = 4,                 // states that stand in 7 of 10 windows of 3 lines
    LP_LOG_FOLLOWERS_MAX = 64,             // successors that BRIDGE tries
    LP_LOG_SURPRISE_MAX = 10 * LP_LOG_BIT, // what BRIDGE makes of an unlikely step at most
    LP_LOG_NEAR = 8,                       // lines to each side in which a burst shows
};

// What stands in at least 7 of 10 windows ahead of (or behind) a state.
struct lp_log_habits {
    uint32_t count;
    uint16_t states[LP_LOG_HABITS_MAX];
};

struct lp_log_followers { // the most frequent first; of equals the lower state
    struct lp_log_follower {
        uint32_t times;
        uint16_t state;
    } * rows;
    uint32_t count, capacity;
};

struct lp_log_score_row { // of one state
    uint16_t class;       // LP_LOG_NOTHING: not known yet
    struct lp_log_habits ahead, behind;
    struct lp_log_followers followers; // right behind, twice or more
};

struct lp_log_gap { // what is missing between two lines
    int64_t bits;   // 0: nothing
    uint16_t state; // LP_LOG_NOTHING if bits is 0
};

struct lp_log_scored { // of two neighbours; a cache with one place for each hash of them
    uint32_t key;      // LP_LOG_PAIR_NONE: free
    bool has_bits[2], has_bridge;
    int32_t bits[2]; // P(b|a), with them and without them
    struct lp_log_gap bridge;
};

struct lp_log_scores {
    struct lp_log_counts *counts; // lent; only lp_log_scores_step may change them
    struct lp_log_counts classes; // the same of classes; count is n_g
    uint32_t *types;              // [class] T_g: states of the class that were seen
    size_t class_capacity, class_count;
    uint32_t class_seen;           // G
    struct lp_log_pairs class_ids; // (tag, rarity) -> class, in `next`
    struct lp_log_score_row *rows;
    size_t row_count;
    const struct lp_log_states *states; // lent, for tags
    bool is_streaming;                  // counts grow; classes stay as they were
    bool is_left_out;                   // what is scored is in the counts: score as if it were not
    struct lp_log_scored *scored;       // not streaming: what was computed lately, by neighbours
    uint64_t again;                     // bursts: lines whose state some other line has, and those
    uint64_t near;                      // of them that have it within LP_LOG_NEAR lines
};
// counts: lent until release. is_streaming: lp_log_scores_step is going to be called.
void lp_log_scores_init(struct lp_log_scores *scores, struct lp_log_counts *counts,
                        const struct lp_log_states *states, bool is_streaming);
void lp_log_scores_release(struct lp_log_scores *scores);
// Streaming: the class of a state that is going to be judged before it is counted.
void lp_log_scores_meet(struct lp_log_scores *scores, uint16_t state);
// Streaming: count one line more; see lp_log_counts_step.
void lp_log_scores_step(struct lp_log_scores *scores, const uint16_t *past, size_t past_count);

// log2 P(b|a), in 1/256 bit. is_left_out: these neighbours are in the counts and are left out.
int64_t lp_log_scores_bits(const struct lp_log_scores *scores, uint16_t a, uint16_t b,
                           bool is_left_out);
// INS of b between a and c.
int64_t lp_log_scores_unexpected(const struct lp_log_scores *scores, uint16_t a, uint16_t b,
                                 uint16_t c);

// What INS(b) loses because b stands in a burst of its kind (or gains because it stands alone):
// how much likelier that is of lines that belong there than of ones strewn at random.
// reach: the lines beside it that were looked at, LP_LOG_NEAR to each side at most.
int64_t lp_log_scores_burst(const struct lp_log_scores *scores, uint16_t b, bool is_near,
                            uint64_t reach);
// Does another of the states within LP_LOG_NEAR of `at` equal that one?
bool lp_log_is_near_another(const uint16_t *states, size_t count, size_t at);

// The place of these neighbours in the cache, theirs and maybe empty; NULL while streaming.
struct lp_log_scored *lp_log_scores_scored(const struct lp_log_scores *scores, uint16_t a,
                                           uint16_t b);
struct lp_log_gap lp_log_scores_bridge(const struct lp_log_scores *scores, uint16_t a, uint16_t c);
// The habits that are broken, a bit each. window: what was seen instead.
uint32_t lp_log_habits_broken(const struct lp_log_habits *habits, const uint16_t *window,
                              size_t count);
// Is the habit of seeing m one of the broken ones?
bool lp_log_habits_tell(const struct lp_log_habits *habits, uint32_t broken, uint16_t m);
// f_m of a state m that is not among the lines ahead of a; g_m of one not behind c.
int64_t lp_log_scores_ahead(const struct lp_log_scores *scores, uint16_t a, uint16_t m);
int64_t lp_log_scores_behind(const struct lp_log_scores *scores, uint16_t m, uint16_t c);
// What usually stands ahead of (or behind) a state: is any of it among these W lines? Bits that say
// the line does not belong there if none is, negative ones if one is.
int64_t lp_log_scores_company(const struct lp_log_scores *scores, uint16_t state,
                              const uint16_t window[LP_LOG_WINDOW], bool is_ahead);
// The most that both sides of it can say.
int64_t lp_log_scores_company_most(const struct lp_log_scores *scores, uint16_t state);
struct lp_log_absence { // between two neighbours: the habits that are broken, a bit each
    uint16_t before, after;
    uint32_t ahead, behind;           // of `before` and of `after`
    uint32_t ahead_late, behind_late; // of these, those whose state comes a little farther away
    bool is_rough; // what is late and what fits the place is not looked at: never less than without
};
struct lp_log_gap lp_log_scores_miss(const struct lp_log_scores *scores,
                                     const struct lp_log_absence *absence);

static inline const struct lp_log_score_row *lp_log_scores_row(const struct lp_log_scores *scores,
                                                               uint16_t state)
{
    static const struct lp_log_score_row none = {.class = LP_LOG_NOTHING};
    return state < scores->row_count ? &scores->rows[state] : &none;
}
