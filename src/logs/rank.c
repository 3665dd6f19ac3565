// The lines of a log in the order of their scores: one pass; equal surroundings are judged once.
#include "logs/judge.h"
#include "logs/model_parts.h"
#include "logs/rank_parts.h"
#include "logs/sequence.h"

#include "base/arena.h"

enum {
    CACHE_BITS = 14,
    GRAM = LP_LOG_WINDOW + 1,
    BACK = LP_LOG_WINDOW - 1,         // lines before i that MISS(i) looks at
    NOT_YET = 1 << LP_LOG_HABITS_MAX, // more than any broken habits
    LATER = 20,                       // so many lines ahead memory is fetched
    KNOWN = 32,                       // a power of two, at least LP_LOG_AROUNDS
};

struct judged {            // four neighbouring states x_i .. x_i+3
    uint64_t key;          // never all ones: LP_LOG_NOTHING is not among them
    int32_t next;          // INS(i + 1)
    int32_t next_most;     // the most that is left of it less its burst
    int32_t bridge;        // BRIDGE(i)
    int32_t bonus;         // MERGED's, of x_i and x_i+1
    uint8_t ahead, behind; // broken habits of x_i and of x_i+3
    uint8_t miss_behind;   // those of x_i+1 that `miss` was made with; NOT_YET: none
    int32_t miss;          // the most that MISS(i) can be
};

struct known {   // INS of a line less its burst
    size_t line; // its place among all sequences, from 1; 0: free
    int64_t bits;
};

struct ranker {
    struct lp_log_scores scores;
    const struct lp_log_counts *train;
    const struct lp_log_sequences *sequences;
    struct lp_log_top *top;
    enum lp_log_list list;
    uint64_t total, train_total;   // neighbours in this log and in training
    int64_t bonus_new, bonus_more; // MERGED's: of new neighbours, of those that come more often
    struct judged *cache;
    struct known known[KNOWN]; // of the lines looked at last: neighbours ask for the same ones
    // the sequence at hand
    const uint16_t *states;
    size_t start, count;
};

static uint64_t gram_key(const uint16_t *x)
{
    return (uint64_t)x[0] << 48 | (uint64_t)x[1] << 32 | (uint64_t)x[2] << 16 | x[3];
}

static struct judged *gram_slot(const struct ranker *ranker, uint64_t key)
{
    return &ranker->cache[(key * 0x9e3779b97f4a7c15u) >> (64 - CACHE_BITS)];
}

// The share of these neighbours' lines that training, were it as long, would not have.
// n of total in this log, known of train_total in training: (n - known total / train_total) / n.
static int64_t bonus_of(const struct ranker *ranker, uint16_t a, uint16_t b)
{
    if (!ranker->bonus_new && !ranker->bonus_more)
        return 0;
    uint32_t known = lp_log_counts_next(ranker->train, a, b);
    if (!known)
        return ranker->bonus_new;
    uint64_t here = (lp_log_counts_next(ranker->scores.counts, a, b) - known) * ranker->train_total;
    uint64_t there = known * ranker->total;
    return here > there ? (int64_t)((unsigned __int128)ranker->bonus_more * (here - there) / here)
                        : 0;
}

static uint32_t ahead_broken(const struct ranker *ranker, size_t i)
{
    size_t left = ranker->count - i - 1;
    return lp_log_habits_broken(&lp_log_scores_row(&ranker->scores, ranker->states[i])->ahead,
                                ranker->states + i + 1,
                                left < LP_LOG_WINDOW ? left : LP_LOG_WINDOW);
}

// Of x_i+1, over the W lines up to x_i.
static uint32_t behind_broken(const struct ranker *ranker, size_t i)
{
    size_t back = i < BACK ? i : BACK;
    return lp_log_habits_broken(&lp_log_scores_row(&ranker->scores, ranker->states[i + 1])->behind,
                                ranker->states + i - back, back + 1);
}

// INS of the line at i, when it has two neighbours.
static int64_t unexpected_at(const struct ranker *ranker, size_t i)
{
    if (!i || i + 1 >= ranker->count)
        return LP_LOG_NO_SCORE;
    const uint16_t *x = ranker->states + i;
    return lp_log_scores_unexpected(&ranker->scores, x[-1], x[0], x[1]);
}

// The same, from the cache if it is there.
static int64_t unexpected_again(const struct ranker *ranker, size_t i)
{
    if (i && i + 2 < ranker->count) {
        const uint16_t *x = ranker->states + i - 1;
        const struct judged *judged = gram_slot(ranker, gram_key(x));
        if (judged->key == gram_key(x))
            return judged->next;
    }
    return unexpected_at(ranker, i);
}

// What UNEXPECTED makes of it at most, by the burst that it may stand in and by what is beside it.
static int64_t less_burst_most(const struct ranker *ranker, uint16_t state, int64_t ins)
{
    int64_t near = lp_log_scores_burst(&ranker->scores, state, true, 2 * LP_LOG_NEAR);
    int64_t alone = lp_log_scores_burst(&ranker->scores, state, false, 2 * LP_LOG_NEAR);
    return ins - (near < alone ? near : alone) + lp_log_scores_company_most(&ranker->scores, state);
}

static int64_t less_burst(struct ranker *ranker, size_t i)
{
    struct known *known = &ranker->known[i % KNOWN];
    if (known->line != ranker->start + i + 1) {
        int64_t ins = unexpected_again(ranker, i);
        if (ins != LP_LOG_NO_SCORE)
            ins -= lp_log_scores_burst(&ranker->scores, ranker->states[i],
                                       lp_log_is_near_another(ranker->states, ranker->count, i),
                                       2 * LP_LOG_NEAR);
        *known = (struct known){.line = ranker->start + i + 1, .bits = ins};
    }
    return known->bits;
}

// MISS, but for what comes late; never less than what is left of it then.
static struct lp_log_gap miss_most(const struct ranker *ranker, const uint16_t *x,
                                   const struct lp_log_judgement *judgement)
{
    const struct lp_log_absence absence = {
        .before = x[0], .after = x[1], .ahead = judgement->ahead, .behind = judgement->behind};
    return lp_log_scores_miss(&ranker->scores, &absence);
}

static int64_t unexpected_most(struct ranker *ranker, size_t i)
{
    int64_t ins = less_burst(ranker, i);
    return ins == LP_LOG_NO_SCORE
               ? ins
               : ins + lp_log_scores_company_most(&ranker->scores, ranker->states[i]);
}

// What is said about the line at i alone.
static struct lp_log_judgement judge_at(struct ranker *ranker, size_t i)
{
    const uint16_t *x = ranker->states + i;
    struct lp_log_judgement judgement = {
        .here = unexpected_most(ranker, i),
        .next = unexpected_most(ranker, i + 1),
        .bridge.state = LP_LOG_NOTHING,
        .miss.state = LP_LOG_NOTHING,
    };
    if (ranker->list == LP_LOG_UNEXPECTED)
        return judgement;
    judgement.bridge = lp_log_scores_bridge(&ranker->scores, x[0], x[1]);
    judgement.ahead = ahead_broken(ranker, i);
    judgement.behind = behind_broken(ranker, i);
    judgement.miss = miss_most(ranker, x, &judgement);
    judgement.bonus = bonus_of(ranker, x[0], x[1]);
    return judgement;
}

static void around_at(struct ranker *ranker, size_t i, struct lp_log_around *around)
{
    for (size_t k = 0; k < LP_LOG_AROUNDS; k++) {
        bool is_there = i + k >= LP_LOG_AROUND && i + k - LP_LOG_AROUND < ranker->count;
        size_t at = i + k - LP_LOG_AROUND;
        around->states[k] = is_there ? ranker->states[at] : LP_LOG_NOTHING;
        around->ins[k] = is_there ? less_burst(ranker, at) : LP_LOG_NO_SCORE;
    }
}

static void place_at(const struct ranker *ranker, size_t i, struct lp_log_place *place)
{
    const uint16_t *x = ranker->states + i;
    *place = (struct lp_log_place){
        .before = i ? x[-1] : LP_LOG_NOTHING,
        .state = x[0],
        .after = x[1],
        .after_next = i + 2 < ranker->count ? x[2] : LP_LOG_NOTHING,
        .line = lp_log_sequences_line(ranker->sequences, ranker->start + i),
        .next_line = lp_log_sequences_line(ranker->sequences, ranker->start + i + 1),
    };
}

static bool is_wanted(const struct ranker *ranker, int64_t score, uint64_t line)
{
    return score != LP_LOG_NO_SCORE && lp_log_top_wants(ranker->top, score, line);
}

// Put the line at i among the highest if it belongs there. alone: its judgement before it is
// compared with what is around it; no score rises by that, so most lines are settled here.
static void offer(struct ranker *ranker, size_t i, const struct lp_log_judgement *alone)
{
    int64_t score = lp_log_judgement_score(alone, ranker->list);
    // Of equals the first found wins, unless lines come in another order than their numbers.
    if (!is_wanted(ranker, score, ranker->sequences->places ? 0 : UINT64_MAX))
        return;
    struct lp_log_judgement judgement = judge_at(ranker, i);
    struct lp_log_around around;
    around_at(ranker, i, &around);
    lp_log_judgement_compare(&judgement, &ranker->scores, &around);
    score = lp_log_judgement_score(&judgement, ranker->list);
    struct lp_log_place place;
    place_at(ranker, i, &place);
    if (!is_wanted(ranker, score, place.line))
        return;
    struct lp_log_verdict verdict;
    lp_log_judgement_tell(&judgement, &ranker->scores, &place, ranker->list, &verdict);
    verdict.score = score;
    lp_log_top_add(ranker->top, &verdict);
}

// One gram that is new announces more of them, and each asks for counts all over large tables.
static void later_fetch(const struct ranker *ranker, size_t i)
{
    if (i + LATER + GRAM > ranker->count)
        return;
    const uint16_t *x = ranker->states + i + LATER;
    lp_log_counts_fetch(ranker->scores.counts, x[0], x[2]);
    lp_log_counts_fetch(ranker->scores.counts, x[1], x[2]);
    lp_log_counts_fetch(ranker->train, x[0], x[1]);
    __builtin_prefetch(lp_log_scores_row(&ranker->scores, x[2]));
}

// The bits of miss_most, from the cache if x_i+1 breaks the same habits as the last time.
static int32_t miss_most_again(const struct ranker *ranker, size_t i, uint8_t behind,
                               struct judged *judged)
{
    if (!(judged->ahead | behind))
        return 0;
    if (judged->miss_behind != behind) {
        struct lp_log_judgement judgement = {.ahead = judged->ahead, .behind = behind};
        judged->miss = (int32_t)miss_most(ranker, ranker->states + i, &judgement).bits;
        judged->miss_behind = behind;
    }
    return judged->miss;
}

static void gram_judge(const struct ranker *ranker, size_t i, struct judged *judged)
{
    const uint16_t *x = ranker->states + i;
    later_fetch(ranker, i);
    judged->next = (int32_t)unexpected_at(ranker, i + 1);
    judged->next_most = (int32_t)less_burst_most(ranker, x[1], judged->next);
    if (ranker->list == LP_LOG_UNEXPECTED)
        return;
    judged->bridge = (int32_t)lp_log_scores_bridge(&ranker->scores, x[0], x[1]).bits;
    judged->ahead = (uint8_t)ahead_broken(ranker, i);
    judged->behind = (uint8_t)behind_broken(ranker, i + BACK);
    judged->bonus = (int32_t)bonus_of(ranker, x[0], x[1]);
    judged->miss_behind = NOT_YET;
}

// The lines [BACK, count - W): all around them is there.
static void rank_middle(struct ranker *ranker)
{
    const uint16_t *x = ranker->states;
    uint64_t key = gram_key(x) >> 16;
    uint8_t behind[BACK] = {0}; // of the grams that begin BACK lines and one line earlier
    int64_t here = LP_LOG_NO_SCORE;
    for (size_t i = 0; i + GRAM <= ranker->count; i++) {
        key = key << 16 | x[i + GRAM - 1];
        struct judged *judged = gram_slot(ranker, key);
        if (judged->key != key) {
            judged->key = key;
            gram_judge(ranker, i, judged);
        }
        if (i >= BACK) {
            struct lp_log_judgement judgement = {.here = here,
                                                 .next = judged->next_most,
                                                 .bridge.bits = judged->bridge,
                                                 .bonus = judged->bonus};
            judgement.miss.bits = miss_most_again(ranker, i, behind[0], judged);
            offer(ranker, i, &judgement);
        }
        behind[0] = behind[1];
        behind[1] = judged->behind;
        here = judged->next_most;
    }
}

// Lines that have not all around them.
static void rank_edge(struct ranker *ranker, size_t from, size_t end)
{
    for (size_t i = from; i < end && i + 1 < ranker->count; i++) {
        struct lp_log_judgement judgement = judge_at(ranker, i);
        offer(ranker, i, &judgement);
    }
}

// In the order of the lines: of equal scores the first found wins.
static void rank_sequence(struct ranker *ranker)
{
    bool has_middle = ranker->count > BACK + LP_LOG_WINDOW;
    rank_edge(ranker, 0, has_middle ? BACK : ranker->count);
    if (!has_middle)
        return;
    rank_middle(ranker);
    rank_edge(ranker, ranker->count - LP_LOG_WINDOW, ranker->count);
}

// Neighbours of the log under test, those that training never saw, and those beyond what training,
// were it as long, would have.
static void bonus_find(struct ranker *ranker, const struct lp_log_counts *test)
{
    const struct lp_log_novelty novelty = lp_log_counts_novelty(ranker->train);
    uint64_t unseen = 0;
    for (uint32_t i = 0; i < test->pairs.slot_count; i++)
        ranker->total += lp_log_pairs_at(&test->pairs, i).next;
    ranker->train_total = novelty.total;
    unsigned __int128 more = 0;
    for (uint32_t i = 0; i < test->pairs.slot_count; i++) {
        struct lp_log_pair pair = lp_log_pairs_at(&test->pairs, i);
        if (!pair.next)
            continue;
        uint32_t known = lp_log_pairs_find(&ranker->train->pairs, pair.key).next;
        unseen += known ? 0 : pair.next;
        uint64_t here = pair.next * novelty.total, there = known * ranker->total;
        more += here > there ? here - there : 0;
    }
    ranker->bonus_new = lp_log_merged_bonus(unseen, ranker->total, &novelty);
    if (novelty.total)
        ranker->bonus_more =
            lp_log_merged_bonus((uint64_t)(more / novelty.total), ranker->total, NULL);
}

// Of the lines whose state some other line has, in either log: how many are there, and how many of
// them have one within LP_LOG_NEAR lines?
static void bursts_count(struct lp_log_scores *scores, const struct lp_log_sequences *sequences)
{
    struct reach {       // the last line of a state
        size_t position; // from 1
        bool is_near;
    } *last = lp_heap_take(((size_t)LP_LOG_NOTHING + 1) * sizeof *last);
    size_t start = 0;
    for (size_t i = 0; i < sequences->end_count; start = sequences->ends[i++])
        for (size_t at = start; at < sequences->ends[i]; at++) {
            struct reach *reach = &last[sequences->states[at]];
            bool is_near = reach->position > start && at + 1 - reach->position <= LP_LOG_NEAR;
            scores->near += is_near;
            scores->near += is_near && !reach->is_near;
            *reach = (struct reach){.position = at + 1, .is_near = is_near};
        }
    scores->again = sequences->count;
    for (size_t i = 0; i < (size_t)LP_LOG_NOTHING; i++)
        if (last[i].position && lp_log_counts_row(scores->counts, (uint16_t)i).count == 1)
            scores->again--;
    lp_heap_free(last);
}

static void rank_batch(const struct lp_log_model *model, const struct lp_log_sequences *sequences,
                       struct lp_log_top *top, enum lp_log_list list)
{
    struct lp_log_counts counts = {0};
    size_t start = 0;
    for (size_t i = 0; i < sequences->end_count; start = sequences->ends[i++])
        lp_log_counts_add(&counts, sequences->states + start, sequences->ends[i] - start);
    struct ranker ranker = {
        .train = &model->counts, .sequences = sequences, .top = top, .list = list};
    if (list == LP_LOG_MERGED)
        bonus_find(&ranker, &counts);
    lp_log_counts_merge(&counts, &model->counts, NULL);
    lp_log_scores_init(&ranker.scores, &counts, model->states, false);
    bursts_count(&ranker.scores, sequences);
    ranker.cache = lp_heap_take(sizeof *ranker.cache << CACHE_BITS);
    for (size_t i = 0; i < (size_t)1 << CACHE_BITS; i++)
        ranker.cache[i].key = UINT64_MAX;
    start = 0;
    for (size_t i = 0; i < sequences->end_count; start = sequences->ends[i++]) {
        ranker.start = start;
        ranker.states = sequences->states + start;
        ranker.count = sequences->ends[i] - start;
        rank_sequence(&ranker);
    }
    lp_heap_free(ranker.cache);
    lp_log_scores_release(&ranker.scores);
    lp_log_counts_release(&counts);
}

void lp_log_rank(const struct lp_log_model *model, const struct lp_log_lines *lines,
                 const struct lp_log_rank_config *config, struct lp_log_verdict *ret_verdicts,
                 size_t *ret_count)
{
    struct lp_log_top top = {.verdicts = ret_verdicts, .capacity = config->top};
    if (config->is_streaming && config->list < LP_LOG_S3_MESSAGE) {
        lp_log_rank_streaming(model, lines, config, &top);
    } else {
        struct lp_log_sequences sequences;
        lp_log_sequences_init(&sequences, lines, 0, lines->count, config->with_keys);
        if (config->list >= LP_LOG_S3_MESSAGE)
            lp_log_rank_s3(model, &sequences, config->list, &top);
        else
            rank_batch(model, &sequences, &top, config->list);
        lp_log_sequences_release(&sequences);
    }
    lp_log_top_sort(&top);
    *ret_count = top.count;
}

const char *lp_log_list_word(enum lp_log_list list)
{
    static const char *const words[LP_LOG_LISTS] = {
        [LP_LOG_UNEXPECTED] = "unexpected", [LP_LOG_MISSING] = "missing",
        [LP_LOG_MERGED] = "merged",         [LP_LOG_S3_MESSAGE] = "s3-message",
        [LP_LOG_S3_TAG] = "s3-tag",
    };
    return words[list];
}
