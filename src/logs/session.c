// Is a session like those of training: what training counts, its thresholds, a session's verdict.
#include "logs/session_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/rng.h"

enum { FOLDS = 10, NO_EVENT = LP_LOG_SESSION_NO_EVENT };

// ---- events

static uint32_t slot_of(const struct lp_log_session_events *events, uint32_t id)
{
    uint32_t slot = (uint32_t)((id * 0x9e3779b97f4a7c15U) >> 32) & (events->slot_count - 1);
    while (events->slots[slot] && events->ids[events->slots[slot] - 1] != id)
        slot = (slot + 1) & (events->slot_count - 1);
    return slot;
}

void lp_log_session_events_init(struct lp_log_session_events *events)
{
    events->slot_count = 16;
    while (events->slot_count < 2 * events->count)
        events->slot_count *= 2;
    events->slots = lp_heap_take(events->slot_count * sizeof *events->slots);
    for (uint32_t i = 0; i < events->count; i++)
        events->slots[slot_of(events, events->ids[i])] = i + 1;
}

void lp_log_session_events_release(struct lp_log_session_events *events)
{
    lp_heap_free(events->ids);
    lp_heap_free(events->slots);
    *events = (struct lp_log_session_events){0};
}

uint32_t lp_log_session_events_find(const struct lp_log_session_events *events, uint32_t id)
{
    uint32_t number = events->slots[slot_of(events, id)];
    return number ? number - 1 : NO_EVENT;
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void events_collect(const struct lp_log_sessions *sessions,
                           struct lp_log_session_events *ret_events)
{
    uint32_t *ids = lp_heap_grow(NULL, sessions->event_count + 1, sizeof *ids);
    size_t count = 0;
    for (size_t i = 0; i < sessions->event_count; i++)
        ids[i] = sessions->events[i];
    qsort(ids, sessions->event_count, sizeof *ids, ascending);
    for (size_t i = 0; i < sessions->event_count; i++)
        if (!count || ids[count - 1] != ids[i])
            ids[count++] = ids[i];
    *ret_events = (struct lp_log_session_events){.ids = ids, .count = (uint32_t)count};
}

// ---- scores of a session

struct scores {
    int64_t of[LP_LOG_SESSION_THRESHOLDS]; // by channel
    uint32_t branch;                       // of COUNT and SUM
    size_t at;                             // of ORDER
};

// counts: [events], all 0 before and after.
static void session_measure(const struct lp_log_session_model *model, const uint32_t *events,
                            size_t count, uint32_t *counts, struct scores *ret_scores)
{
    *ret_scores = (struct scores){0};
    for (size_t i = 0; i < count; i++)
        if (events[i] != NO_EVENT)
            counts[events[i]]++;
    struct lp_log_session_counts_score tree = lp_log_session_tree_score(&model->tree, counts);
    ret_scores->of[LP_LOG_CHANNEL_COUNT] = tree.most;
    ret_scores->of[LP_LOG_CHANNEL_SUM] = tree.sum;
    ret_scores->branch = tree.branch;
    for (size_t i = 0; i < count; i++)
        if (events[i] != NO_EVENT)
            counts[events[i]] = 0;
    if (!model->config.with_order)
        return;
    struct lp_log_session_order_score order =
        lp_log_session_order_score(&model->order, events, count);
    ret_scores->of[LP_LOG_CHANNEL_ORDER] = order.most;
    ret_scores->at = order.at;
}

// ---- training

struct trainer {
    struct lp_log_session_set set;
    uint8_t *fold_of;                         // [set.count]
    bool *picked;                             // [set.count]
    uint32_t *counts;                         // [events]
    int64_t *held[LP_LOG_SESSION_THRESHOLDS]; // [set.count] scores of sessions held out
};

static void trainer_init(struct trainer *trainer, const struct lp_log_sessions *sessions,
                         const struct lp_log_session_model *model)
{
    uint32_t *numbers = lp_heap_grow(NULL, sessions->event_count + 1, sizeof *numbers);
    for (size_t i = 0; i < sessions->event_count; i++)
        numbers[i] = lp_log_session_events_find(&model->events, sessions->events[i]);
    size_t count = sessions->count;
    *trainer = (struct trainer){
        .set = {.event_count = model->events.count,
                .events = numbers,
                .sessions = sessions->sessions,
                .count = count},
        .fold_of = lp_heap_take(count),
        .picked = lp_heap_take(count * sizeof(bool)),
        .counts = lp_heap_take((model->events.count + 1) * sizeof(uint32_t)),
    };
    for (int c = 0; c < LP_LOG_SESSION_THRESHOLDS; c++)
        trainer->held[c] = lp_heap_take(count * sizeof(int64_t));
    for (size_t i = 0; i < count; i++)
        trainer->fold_of[i] = (uint8_t)(i % FOLDS);
    struct lp_rng rng;
    lp_rng_init(&rng, model->config.seed);
    for (size_t i = count - 1; i > 0; i--) {
        size_t k = lp_rng_below(&rng, i + 1);
        uint8_t fold = trainer->fold_of[i];
        trainer->fold_of[i] = trainer->fold_of[k];
        trainer->fold_of[k] = fold;
    }
}

static void trainer_release(struct trainer *trainer)
{
    lp_heap_free((uint32_t *)(uintptr_t)trainer->set.events);
    lp_heap_free(trainer->fold_of);
    lp_heap_free(trainer->picked);
    lp_heap_free(trainer->counts);
    for (int c = 0; c < LP_LOG_SESSION_THRESHOLDS; c++)
        lp_heap_free(trainer->held[c]);
}

LP_MUST_CHECK static int model_count(struct lp_log_session_model *model,
                                     const struct trainer *trainer, const bool *picked,
                                     struct lp_err *err)
{
    lp_log_session_tree_grow(&trainer->set, picked, &model->tree);
    if (!model->config.with_order)
        return LP_OK;
    return lp_log_session_order_count(&trainer->set, picked, &model->order, err);
}

static void model_forget(struct lp_log_session_model *model)
{
    lp_log_session_tree_release(&model->tree);
    lp_log_session_order_release(&model->order);
}

// Count the sessions of the other folds, score those of this one.
LP_MUST_CHECK static int fold_score(struct trainer *trainer, struct lp_log_session_model *model,
                                    uint8_t fold, struct lp_err *err)
{
    const struct lp_log_session_set *set = &trainer->set;
    for (size_t i = 0; i < set->count; i++)
        trainer->picked[i] = trainer->fold_of[i] != fold;
    if (model_count(model, trainer, trainer->picked, err) < 0)
        return err->code;
    for (size_t i = 0; i < set->count; i++) {
        if (trainer->picked[i])
            continue;
        const struct lp_log_session *session = &set->sessions[i];
        struct scores scores;
        session_measure(model, set->events + session->first, session->count, trainer->counts,
                        &scores);
        for (int c = 0; c < LP_LOG_SESSION_THRESHOLDS; c++)
            trainer->held[c][i] = scores.of[c];
    }
    model_forget(model);
    return LP_OK;
}

static int descending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x > y ? -1 : x < y;
}

LP_MUST_CHECK static int model_train(struct lp_log_session_model *model, struct trainer *trainer,
                                     struct lp_err *err)
{
    size_t count = trainer->set.count;
    for (size_t fold = 0; fold < FOLDS && fold < count; fold++)
        if (fold_score(trainer, model, (uint8_t)fold, err) < 0)
            return err->code;
    for (int c = LP_LOG_CHANNEL_COUNT; c < LP_LOG_SESSION_THRESHOLDS; c++) {
        qsort(trainer->held[c], count, sizeof *trainer->held[c], descending);
        size_t at = model->config.allowed < count ? model->config.allowed : count - 1;
        model->thresholds[c] = trainer->held[c][at];
    }
    return model_count(model, trainer, NULL, err);
}

// The same templates under the same numbers.
static struct lp_log_states *states_copy(const struct lp_log_states *states)
{
    struct lp_log_states_config config = {.format = lp_log_states_format(states)};
    struct lp_log_states *copy = lp_log_states_open(&config);
    for (size_t i = 0; i < lp_log_states_count(states); i++) {
        struct lp_log_template template = lp_log_states_get(states, (uint16_t)i);
        lp_log_states_take(copy, template.tag, template.text);
    }
    return copy;
}

int lp_log_session_train(const struct lp_log_sessions *sessions,
                         const struct lp_log_session_config *config,
                         struct lp_log_session_model **ret_model, struct lp_err *err)
{
    struct lp_err own_err = {0};
    err = err ? err : &own_err;
    if (sessions->count < 2)
        return lp_err_set(err, LP_EINPUT, "training needs two sessions at least, here are %zu",
                          sessions->count);
    if (sessions->count > INT32_MAX)
        return lp_err_set(err, LP_EFULL, "more than %d sessions", INT32_MAX);
    struct lp_log_session_model *model = lp_heap_take(sizeof *model);
    model->config = *config;
    model->config.states = NULL;
    events_collect(sessions, &model->events);
    if (model->events.count > LP_LOG_SESSION_EVENTS_MAX) {
        uint32_t count = model->events.count;
        lp_log_session_model_close(model);
        return lp_err_set(err, LP_EFULL, "%u distinct events, at most %d are possible", count,
                          LP_LOG_SESSION_EVENTS_MAX);
    }
    lp_log_session_events_init(&model->events);
    struct trainer trainer;
    trainer_init(&trainer, sessions, model);
    int code = model_train(model, &trainer, err);
    trainer_release(&trainer);
    if (code < 0) {
        lp_log_session_model_close(model);
        return code;
    }
    if (config->states)
        model->states = states_copy(config->states);
    *ret_model = model;
    return LP_OK;
}

void lp_log_session_model_close(struct lp_log_session_model *model)
{
    if (!model)
        return;
    model_forget(model);
    lp_log_session_events_release(&model->events);
    if (model->states)
        lp_log_states_close(model->states);
    lp_heap_free(model);
}

struct lp_log_states *lp_log_session_model_states(struct lp_log_session_model *model)
{
    return model->states;
}

uint64_t lp_log_session_model_trained(const struct lp_log_session_model *model)
{
    return model->tree.sessions;
}

uint32_t lp_log_session_model_left_out(const struct lp_log_session_model *model)
{
    return model->events.count - model->tree.count;
}

// ---- verdicts

static uint32_t event_count(const struct lp_log_sessions *sessions,
                            const struct lp_log_session *session, uint32_t id)
{
    uint32_t count = 0;
    for (size_t i = 0; i < session->count; i++)
        count += sessions->events[session->first + i] == id;
    return count;
}

static void tell_count(const struct lp_log_session_model *model,
                       const struct lp_log_sessions *sessions, size_t index, uint32_t at,
                       struct lp_log_session_verdict *verdict)
{
    const struct lp_log_session *session = &sessions->sessions[index];
    if (!model->tree.count)
        return;
    const struct lp_log_session_branch *branch = &model->tree.branches[at];
    verdict->event = model->events.ids[branch->event];
    verdict->seen = event_count(sessions, session, verdict->event);
    uint32_t of_parent = 0;
    if (branch->parent != NO_EVENT) {
        verdict->has_because = true;
        verdict->because_event = model->events.ids[model->tree.branches[branch->parent].event];
        verdict->because_seen = event_count(sessions, session, verdict->because_event);
        of_parent = lp_log_session_value(verdict->because_seen);
    }
    int64_t least = INT64_MAX;
    for (uint32_t value = 0; value < LP_LOG_SESSION_VALUES; value++) {
        int64_t bits = lp_log_session_branch_bits(&model->tree, at, of_parent, value);
        if (bits >= least)
            continue;
        least = bits;
        verdict->expected = lp_log_session_value_least(value);
    }
}

static void tell_order(const struct lp_log_sessions *sessions, size_t index, size_t at,
                       struct lp_log_session_verdict *verdict)
{
    const struct lp_log_session *session = &sessions->sessions[index];
    const uint32_t *events = sessions->events + session->first;
    verdict->is_end = at == session->count;
    verdict->event = verdict->is_end ? 0 : events[at];
    verdict->has_because = at > 0;
    verdict->because_event = at > 0 ? events[at - 1] : 0;
}

static bool tell_new(const struct lp_log_session_model *model,
                     const struct lp_log_sessions *sessions, size_t index,
                     struct lp_log_session_verdict *ret_verdict)
{
    const struct lp_log_session *session = &sessions->sessions[index];
    for (size_t i = 0; i < session->count; i++) {
        uint32_t id = sessions->events[session->first + i];
        if (lp_log_session_events_find(&model->events, id) != NO_EVENT)
            continue;
        *ret_verdict = (struct lp_log_session_verdict){
            .is_anomalous = true,
            .channel = LP_LOG_CHANNEL_NEW,
            .event = id,
            .seen = event_count(sessions, session, id),
        };
        return true;
    }
    return false;
}

void lp_log_session_score(const struct lp_log_session_model *model,
                          const struct lp_log_sessions *sessions, size_t index,
                          struct lp_log_session_verdict *ret_verdict)
{
    if (tell_new(model, sessions, index, ret_verdict))
        return;
    const struct lp_log_session *session = &sessions->sessions[index];
    uint32_t *events = lp_heap_grow(NULL, session->count + 1, sizeof *events);
    uint32_t *counts = lp_heap_take((model->events.count + 1) * sizeof *counts);
    for (size_t i = 0; i < session->count; i++)
        events[i] =
            lp_log_session_events_find(&model->events, sessions->events[session->first + i]);
    struct scores scores;
    session_measure(model, events, session->count, counts, &scores);
    int channels = model->config.with_order ? LP_LOG_CHANNEL_ORDER : LP_LOG_CHANNEL_COUNT;
    int most = LP_LOG_CHANNEL_COUNT;
    for (int c = most + 1; c <= channels; c++)
        if (scores.of[c] - model->thresholds[c] > scores.of[most] - model->thresholds[most])
            most = c;
    bool is_anomalous = scores.of[most] > model->thresholds[most];
    most = is_anomalous ? most : LP_LOG_CHANNEL_COUNT;
    *ret_verdict = (struct lp_log_session_verdict){
        .is_anomalous = is_anomalous,
        .channel = is_anomalous ? (enum lp_log_channel)most : LP_LOG_CHANNEL_NONE,
        .score = scores.of[most],
        .threshold = model->thresholds[most],
    };
    if (most == LP_LOG_CHANNEL_ORDER)
        tell_order(sessions, index, scores.at, ret_verdict);
    else
        tell_count(model, sessions, index, scores.branch, ret_verdict);
    lp_heap_free(events);
    lp_heap_free(counts);
}
