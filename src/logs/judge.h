// One line judged: what is said about it in each list, and the list of the highest scores.
// Source: docs/logs-arithmetic.md.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logs/logs.h"
#include "logs/score.h"

#define LP_LOG_NO_SCORE INT64_MIN

enum {
    LP_LOG_AROUND = 8,                      // how far a line is compared with what is around it
    LP_LOG_AROUNDS = 2 * LP_LOG_AROUND + 2, // lines i - 8 .. i + 9
};

struct lp_log_judgement { // of line i
    int64_t here, next;   // INS of i and of i + 1 (less bursts), or LP_LOG_NO_SCORE
    struct lp_log_gap bridge, miss;
    uint32_t ahead, behind; // broken habits, as struct lp_log_absence has them
    int64_t bonus;          // MERGED's: they are new, or come more often than in training
};
struct lp_log_around {           // of lines i - 8 .. i + 9, as far as they are known
    int64_t ins[LP_LOG_AROUNDS]; // INS less its burst; LP_LOG_NO_SCORE: not known
    uint16_t states[LP_LOG_AROUNDS];
};
// Compare the line with what is around it: one odd line among many is worth less, what stands
// oddly nearby is displaced, not missing, and what comes a little late hardly is. A line
// that usual neighbours stand beside is less odd, one without them more; nothing else rises.
void lp_log_judgement_compare(struct lp_log_judgement *judgement,
                              const struct lp_log_scores *scores,
                              const struct lp_log_around *around);
// LP_LOG_NO_SCORE: the line is not in the list.
int64_t lp_log_judgement_score(const struct lp_log_judgement *judgement, enum lp_log_list list);
struct lp_log_novelty { // how many neighbours training has, and how many of them only once
    uint64_t total, once;
};
struct lp_log_novelty lp_log_counts_novelty(const struct lp_log_counts *train);
// MERGED's bonus when `unseen` of `total` neighbours are new. New ones are as rare as they are, or
// as the ones that training saw once make one expect, whichever is less (train NULL: as they are).
// Source: Good 1953, the share of what was never seen.
int64_t lp_log_merged_bonus(uint64_t unseen, uint64_t total, const struct lp_log_novelty *train);

struct lp_log_place { // a line and what stands around it, each a state or LP_LOG_NOTHING
    uint16_t before, state, after, after_next;
    uint64_t line, next_line;
};
// The verdict, with what is missing and its evidence. list: the one that is made.
void lp_log_judgement_tell(const struct lp_log_judgement *judgement,
                           const struct lp_log_scores *scores, const struct lp_log_place *place,
                           enum lp_log_list list, struct lp_log_verdict *ret_verdict);

struct lp_log_top { // the highest so far: a heap, the worst first
    struct lp_log_verdict *verdicts;
    size_t count, capacity;
};
bool lp_log_top_wants(const struct lp_log_top *top, int64_t score, uint64_t line);
void lp_log_top_add(struct lp_log_top *top, const struct lp_log_verdict *verdict);
void lp_log_top_sort(struct lp_log_top *top); // the highest first; no more may be added
