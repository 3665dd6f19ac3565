// Random sessions, a model of them and its verdicts, as text for log_sessions.py to check.
#include <inttypes.h>
#include <stdio.h>

#include "base/rng.h"
#include "base/str.h"
#include "logs/session_parts.h"

enum { SETS = 12, TRAIN = 60, TEST = 40, EVENTS_MAX = 9, LENGTH_MAX = 24 };

// A session of a pattern with some chance in it; strange ones have more of it.
static void session_print(struct lp_str *text, struct lp_rng *rng, uint32_t events, bool is_strange)
{
    uint64_t times = 1 + lp_rng_below(rng, 4);
    for (uint64_t i = 0; i < times; i++)
        lp_str_printf(text, "%" PRIu64 " ", 3 * (i % events));
    for (uint64_t i = 0; i < times + (is_strange ? lp_rng_below(rng, 9) : 0); i++)
        lp_str_printf(text, "%u ", 3 * (events - 1));
    uint64_t extra = lp_rng_below(rng, is_strange ? LENGTH_MAX : 4);
    for (uint64_t i = 0; i < extra; i++)
        lp_str_printf(text, "%" PRIu64 " ", 3 * lp_rng_below(rng, events + is_strange));
    lp_str_add_char(text, '\n');
}

static void sessions_make(struct lp_rng *rng, uint32_t events, int count, struct lp_str *text,
                          struct lp_log_sessions *ret_sessions)
{
    for (int i = 0; i < count; i++) {
        lp_str_add(text, "s,");
        session_print(text, rng, events, count == TEST && i % 2);
    }
    struct lp_err err = {0};
    int code = lp_log_sessions_parse(lp_str_text(text), text->bytes, ret_sessions, &err);
    lp_assert(code == 0);
}

static void set_print(uint64_t seed)
{
    struct lp_rng rng;
    lp_rng_init(&rng, seed);
    uint32_t events = 2 + (uint32_t)lp_rng_below(&rng, EVENTS_MAX - 1);
    struct lp_str train_text = {0}, test_text = {0};
    struct lp_log_sessions train = {0}, test = {0};
    sessions_make(&rng, events, TRAIN, &train_text, &train);
    sessions_make(&rng, events, TEST, &test_text, &test);
    struct lp_log_session_config config = {
        .with_order = true, .allowed = (uint32_t)lp_rng_below(&rng, 4), .seed = seed};
    struct lp_log_session_model *model = NULL;
    struct lp_err err = {0};
    int code = lp_log_session_train(&train, &config, &model, &err);
    lp_assert(code == 0);
    printf("set %" PRIu64 " %u %d %d\n%s%s", seed, config.allowed, TRAIN, TEST,
           lp_str_text(&train_text), lp_str_text(&test_text));
    printf("%" PRId64 " %" PRId64 " %" PRId64 "\n", model->thresholds[LP_LOG_CHANNEL_COUNT],
           model->thresholds[LP_LOG_CHANNEL_SUM], model->thresholds[LP_LOG_CHANNEL_ORDER]);
    for (size_t i = 0; i < test.count; i++) {
        struct lp_log_session_verdict verdict;
        lp_log_session_score(model, &test, i, &verdict);
        printf("%d %s %" PRId64 " %u %u %u %d %u\n", verdict.is_anomalous,
               lp_log_channel_word(verdict.channel), verdict.score, verdict.event, verdict.seen,
               verdict.expected, verdict.has_because, verdict.because_event);
    }
    lp_log_session_model_close(model);
    lp_log_sessions_release(&train);
    lp_log_sessions_release(&test);
    lp_str_release(&train_text);
    lp_str_release(&test_text);
}

int main(void)
{
    for (uint64_t seed = 1; seed <= SETS; seed++)
        set_print(seed);
    return 0;
}
