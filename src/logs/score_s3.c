// S3's own scores: the least likely step first; by message, or with the tags' probability added.
// Source: S3 (Haque, DeLucia, Baseman 2017) 4 and 5.
#include "logs/model_parts.h"
#include "logs/rank_parts.h"

#include "base/arena.h"

enum {
    CACHE_BITS = 14,
    NEVER = 64 * LP_LOG_BIT, // the score of what training never saw
};

struct s3 {
    const struct lp_log_counts *counts;
    struct lp_log_counts tags;
    uint16_t *tag_of; // [state_count]
    size_t state_count;
    bool with_tags;
};

static uint64_t probability(const struct lp_log_counts *counts, uint16_t a, uint16_t b)
{
    uint64_t out = lp_log_counts_row(counts, a).out;
    if (!out) // the last message of a log goes on for ever
        return a == b && lp_log_counts_row(counts, a).count ? LP_LOG_ONE : 0;
    unsigned __int128 part = (unsigned __int128)lp_log_counts_next(counts, a, b) << LP_LOG_ONE_BITS;
    return (uint64_t)(part / out);
}

static int64_t score(const struct s3 *s3, uint16_t a, uint16_t b)
{
    uint64_t sum = probability(s3->counts, a, b);
    if (s3->with_tags && a < s3->state_count && b < s3->state_count)
        sum += probability(&s3->tags, s3->tag_of[a], s3->tag_of[b]);
    return sum ? LP_LOG_BIT * LP_LOG_ONE_BITS - lp_log2(sum) : NEVER;
}

static void tags_make(struct s3 *s3, const struct lp_log_model *model)
{
    s3->state_count = lp_log_states_count(model->states);
    s3->tag_of = lp_heap_grow(NULL, s3->state_count + 1, sizeof *s3->tag_of);
    for (size_t i = 0; i < s3->state_count; i++)
        s3->tag_of[i] = (uint16_t)lp_log_states_get(model->states, (uint16_t)i).tag_id;
    lp_log_counts_merge(&s3->tags, s3->counts, s3->tag_of);
}

struct s3_slot {
    uint64_t key;
    int64_t score;
};

void lp_log_rank_s3(const struct lp_log_model *model, const struct lp_log_sequences *sequences,
                    enum lp_log_list list, struct lp_log_top *top)
{
    struct s3 s3 = {.counts = &model->counts, .with_tags = list == LP_LOG_S3_TAG};
    if (s3.with_tags)
        tags_make(&s3, model);
    struct s3_slot *cache = lp_heap_take(sizeof *cache << CACHE_BITS);
    for (size_t i = 0; i < (size_t)1 << CACHE_BITS; i++)
        cache[i].key = UINT64_MAX;
    size_t start = 0, end = 0, sequence = 0;
    const uint16_t *x = sequences->states;
    for (size_t i = 0; i + 1 < sequences->count; i++) {
        for (; i >= end; end = sequences->ends[sequence++])
            start = end;
        if (i + 1 == end)
            continue;
        uint64_t key = lp_log_pair_key(x[i], x[i + 1]);
        struct s3_slot *slot = &cache[(key * 0x9e3779b97f4a7c15u) >> (64 - CACHE_BITS)];
        if (slot->key != key)
            *slot = (struct s3_slot){.key = key, .score = score(&s3, x[i], x[i + 1])};
        if (!lp_log_top_wants(top, slot->score, sequences->places ? 0 : UINT64_MAX))
            continue;
        struct lp_log_verdict verdict = {
            .line = lp_log_sequences_line(sequences, i),
            .score = slot->score,
            .list = list,
            .state = x[i],
            .after = x[i + 1],
            .missing = LP_LOG_NOTHING,
            .before = i > start ? x[i - 1] : LP_LOG_NOTHING,
            .hits = lp_log_counts_next(s3.counts, x[i], x[i + 1]),
            .cases = lp_log_counts_row(s3.counts, x[i]).out,
        };
        if (lp_log_top_wants(top, verdict.score, verdict.line))
            lp_log_top_add(top, &verdict);
    }
    lp_heap_free(cache);
    lp_heap_free(s3.tag_of);
    lp_log_counts_release(&s3.tags);
}
