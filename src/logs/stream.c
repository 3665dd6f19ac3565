// Scores while the log is being written: counts of training and of what is known so far.
#include "logs/judge.h"
#include "logs/model_parts.h"
#include "logs/rank_parts.h"

#include <string.h>

#include "base/arena.h"

enum {
    GRAM = LP_LOG_WINDOW + 1,
    PAST = LP_LOG_AROUND + 1 + LP_LOG_LAG,
};

struct past {              // {0} is ready for use
    uint16_t states[PAST]; // the oldest first
    int64_t ins[PAST];
    uint64_t lines[PAST];
    size_t count;
    size_t judged; // of them
};

static void past_push(struct past *past, uint16_t state, uint64_t line)
{
    if (past->count == PAST) {
        memmove(past->states, past->states + 1, sizeof past->states - sizeof *past->states);
        memmove(past->ins, past->ins + 1, sizeof past->ins - sizeof *past->ins);
        memmove(past->lines, past->lines + 1, sizeof past->lines - sizeof *past->lines);
        past->count--;
        past->judged--;
    }
    past->states[past->count] = state;
    past->ins[past->count] = LP_LOG_NO_SCORE;
    past->lines[past->count++] = line;
}

// What is around the line at `at`, as far as it is known.
static void past_around(const struct past *past, size_t at, struct lp_log_around *around)
{
    for (size_t k = 0; k < LP_LOG_AROUNDS; k++) {
        bool is_there = at + k >= LP_LOG_AROUND && at + k - LP_LOG_AROUND < past->count;
        around->states[k] = is_there ? past->states[at + k - LP_LOG_AROUND] : LP_LOG_NOTHING;
        around->ins[k] = is_there ? past->ins[at + k - LP_LOG_AROUND] : LP_LOG_NO_SCORE;
    }
}

static void past_count(struct lp_log_scores *scores, const struct past *past, size_t at)
{
    size_t known = at + 1 < GRAM ? at + 1 : GRAM;
    lp_log_scores_step(scores, past->states + at + 1 - known, known);
}

// INS of the line at `at`, less its burst, as far as lines are known.
static int64_t past_ins(const struct lp_log_scores *scores, const struct past *past, size_t at)
{
    const uint16_t *x = past->states + at;
    size_t ahead = past->count - at - 1;
    uint64_t reach = LP_LOG_NEAR + (ahead < LP_LOG_NEAR ? ahead : LP_LOG_NEAR);
    return lp_log_scores_unexpected(scores, x[-1], x[0], x[1]) -
           lp_log_scores_burst(scores, x[0], lp_log_is_near_another(past->states, past->count, at),
                               reach);
}

// Another line is known whose state some other line has: is one of them near?
static void burst_count(struct lp_log_scores *scores, const struct past *past, size_t at)
{
    uint64_t others = lp_log_counts_row(scores->counts, past->states[at]).count;
    bool is_again = others > scores->is_left_out;
    scores->again += is_again;
    scores->near += is_again && lp_log_is_near_another(past->states, past->count, at);
}

// Take a line; count the one W lines ago. What is said of the next one is said again later.
static void past_step(struct lp_log_scores *scores, struct past *past, uint16_t state,
                      uint64_t line)
{
    lp_log_scores_meet(scores, state);
    past_push(past, state, line);
    if (past->count <= LP_LOG_WINDOW)
        return;
    size_t at = past->count - 1 - LP_LOG_WINDOW;
    past_count(scores, past, at);
    scores->is_left_out = false;
    past->ins[at + 1] = past_ins(scores, past, at + 1);
}

// Judge the next line that has LP_LOG_LAG lines behind it (is_quiet: W). False: there is none.
static bool past_judge(struct lp_log_scores *scores, struct past *past, bool is_quiet,
                       struct lp_log_judgement *ret_judgement)
{
    size_t at = past->judged, counted = past->count - LP_LOG_WINDOW;
    if (past->count <= at + (is_quiet ? (size_t)LP_LOG_WINDOW : (size_t)LP_LOG_LAG))
        return false;
    past->judged++;
    scores->is_left_out = at + 1 < counted;
    if (scores->is_left_out)
        burst_count(scores, past, at + 1);
    past->ins[at + 1] = past_ins(scores, past, at + 1);
    if (!scores->is_left_out)
        burst_count(scores, past, at + 1);
    const uint16_t *x = past->states + at;
    size_t back = at < LP_LOG_WINDOW - 1 ? at : LP_LOG_WINDOW - 1;
    const struct lp_log_judgement judgement = {
        .here = past->ins[at],
        .next = past->ins[at + 1],
        .bridge = lp_log_scores_bridge(scores, x[0], x[1]),
        .ahead =
            lp_log_habits_broken(&lp_log_scores_row(scores, x[0])->ahead, x + 1, LP_LOG_WINDOW),
        .behind =
            lp_log_habits_broken(&lp_log_scores_row(scores, x[1])->behind, x - back, back + 1),
    };
    *ret_judgement = judgement;
    const struct lp_log_absence absence = {.before = x[0],
                                           .after = x[1],
                                           .ahead = judgement.ahead,
                                           .behind = judgement.behind,
                                           .is_rough = true};
    ret_judgement->miss = lp_log_scores_miss(scores, &absence);
    struct lp_log_around around;
    past_around(past, at, &around);
    lp_log_judgement_compare(ret_judgement, scores, &around);
    return true;
}

// Of the line that was judged last.
static void past_place(const struct past *past, struct lp_log_place *ret_place)
{
    size_t at = past->judged - 1;
    const uint16_t *x = past->states + at;
    *ret_place = (struct lp_log_place){
        .before = at ? x[-1] : LP_LOG_NOTHING,
        .state = x[0],
        .after = x[1],
        .after_next = x[2],
        .line = past->lines[at],
        .next_line = past->lines[at + 1],
    };
}

// ---- a whole log

struct streamer {
    struct lp_log_scores scores;
    const struct lp_log_counts *train;
    struct lp_log_novelty novelty; // of training
    uint64_t neighbours, unseen;
    enum lp_log_list list;
    struct lp_log_top *top;
};

static bool streamer_judge(struct streamer *streamer, struct past *past, bool is_quiet)
{
    struct lp_log_judgement judgement;
    if (!past_judge(&streamer->scores, past, is_quiet, &judgement))
        return false;
    struct lp_log_place place;
    past_place(past, &place);
    bool is_new = !lp_log_counts_next(streamer->train, place.state, place.after);
    streamer->neighbours++;
    streamer->unseen += is_new;
    if (is_new)
        judgement.bonus =
            lp_log_merged_bonus(streamer->unseen, streamer->neighbours, &streamer->novelty);
    int64_t score = lp_log_judgement_score(&judgement, streamer->list);
    if (score == LP_LOG_NO_SCORE || !lp_log_top_wants(streamer->top, score, place.line))
        return true;
    struct lp_log_verdict verdict;
    lp_log_judgement_tell(&judgement, &streamer->scores, &place, streamer->list, &verdict);
    verdict.score = score;
    lp_log_top_add(streamer->top, &verdict);
    return true;
}

static void streamer_step(struct streamer *streamer, struct past *past, uint16_t state,
                          uint64_t line)
{
    past_step(&streamer->scores, past, state, line);
    streamer_judge(streamer, past, false);
}

// Which sequence a line belongs to: with keys one for each, else all to the first.
static uint32_t *sequence_of_lines(const struct lp_log_sequences *sequences, size_t line_count)
{
    uint32_t *of = lp_heap_take((line_count + 1) * sizeof *of);
    size_t at = 0;
    for (size_t i = 0; sequences->places && i < sequences->end_count; i++)
        for (; at < sequences->ends[i]; at++)
            of[sequences->places[at]] = (uint32_t)i;
    return of;
}

void lp_log_rank_streaming(const struct lp_log_model *model, const struct lp_log_lines *lines,
                           const struct lp_log_rank_config *config, struct lp_log_top *top)
{
    struct lp_log_sequences sequences;
    lp_log_sequences_init(&sequences, lines, 0, lines->count, config->with_keys);
    uint32_t *of = sequence_of_lines(&sequences, lines->count);
    struct past *pasts = lp_heap_grow(NULL, sequences.end_count + 1, sizeof *pasts);
    for (size_t i = 0; i < sequences.end_count; i++)
        pasts[i] = (struct past){0};
    struct lp_log_counts counts;
    lp_log_counts_copy(&model->counts, &counts);
    struct streamer streamer = {.train = &model->counts,
                                .novelty = lp_log_counts_novelty(&model->counts),
                                .list = config->list,
                                .top = top};
    lp_log_scores_init(&streamer.scores, &counts, model->states, true);
    for (size_t i = 0; i < lines->count; i++)
        if (lines->states[i] != LP_LOG_NOTHING)
            streamer_step(&streamer, &pasts[of[i]], lines->states[i], i + 1);
    for (size_t i = 0; i < sequences.end_count; i++)
        while (streamer_judge(&streamer, &pasts[i], true))
            ;
    lp_log_scores_release(&streamer.scores);
    lp_log_counts_release(&counts);
    lp_heap_free(pasts);
    lp_heap_free(of);
    lp_log_sequences_release(&sequences);
}

// ---- line by line

struct lp_log_stream {
    struct lp_log_model *model;
    struct lp_log_scores scores;
    uint64_t changes; // of the model's counts, when the scores were made
    struct source {
        uint64_t line;
        struct past past;
    } * sources;
    size_t source_count;
};

struct lp_log_stream *lp_log_stream_open(struct lp_log_model *model)
{
    struct lp_log_stream *stream = lp_heap_take(sizeof *stream);
    stream->model = model;
    stream->changes = model->counts.changes;
    lp_log_scores_init(&stream->scores, &model->counts, model->states, true);
    return stream;
}

static void rest_count(struct lp_log_stream *stream, const struct past *past)
{
    size_t judged = past->count > LP_LOG_WINDOW ? past->count - LP_LOG_WINDOW : 0;
    for (size_t at = judged; at < past->count; at++)
        past_count(&stream->scores, past, at);
}

void lp_log_stream_close(struct lp_log_stream *stream)
{
    if (!stream)
        return;
    for (size_t i = 0; i < stream->source_count; i++)
        rest_count(stream, &stream->sources[i].past);
    lp_log_scores_release(&stream->scores);
    lp_heap_free(stream->sources);
    lp_heap_free(stream);
}

// The model was decayed, merged or trained in between.
static void stream_refresh(struct lp_log_stream *stream)
{
    if (stream->changes == stream->model->counts.changes)
        return;
    uint64_t again = stream->scores.again, near = stream->scores.near;
    lp_log_scores_release(&stream->scores);
    lp_log_scores_init(&stream->scores, &stream->model->counts, stream->model->states, true);
    stream->scores.again = again;
    stream->scores.near = near;
    for (size_t s = 0; s < stream->source_count; s++)
        for (size_t i = 0; i < stream->sources[s].past.count; i++)
            lp_log_scores_meet(&stream->scores, stream->sources[s].past.states[i]);
    stream->changes = stream->model->counts.changes;
}

static struct source *source_take(struct lp_log_stream *stream, size_t index)
{
    if (index >= stream->source_count) {
        stream->sources = lp_heap_grow(stream->sources, index + 1, sizeof *stream->sources);
        memset(stream->sources + stream->source_count, 0,
               (index + 1 - stream->source_count) * sizeof *stream->sources);
        stream->source_count = index + 1;
    }
    return &stream->sources[index];
}

static bool source_judge(struct lp_log_stream *stream, struct source *source, bool is_quiet,
                         struct lp_log_verdict *ret_unexpected, struct lp_log_verdict *ret_missing)
{
    struct lp_log_judgement judgement;
    if (!past_judge(&stream->scores, &source->past, is_quiet, &judgement))
        return false;
    struct lp_log_place place;
    past_place(&source->past, &place);
    lp_log_judgement_tell(&judgement, &stream->scores, &place, LP_LOG_UNEXPECTED, ret_unexpected);
    ret_unexpected->score = lp_log_judgement_score(&judgement, LP_LOG_UNEXPECTED);
    lp_log_judgement_tell(&judgement, &stream->scores, &place, LP_LOG_MISSING, ret_missing);
    ret_missing->score = judgement.bridge.bits + judgement.miss.bits;
    return true;
}

bool lp_log_stream_step_of(struct lp_log_stream *stream, size_t index, uint16_t state,
                           struct lp_log_verdict *ret_unexpected,
                           struct lp_log_verdict *ret_missing)
{
    struct source *source = source_take(stream, index);
    source->line++;
    stream_refresh(stream);
    if (state == LP_LOG_NOTHING)
        return false;
    past_step(&stream->scores, &source->past, state, source->line);
    return source_judge(stream, source, false, ret_unexpected, ret_missing);
}

bool lp_log_stream_settle_of(struct lp_log_stream *stream, size_t index,
                             struct lp_log_verdict *ret_unexpected,
                             struct lp_log_verdict *ret_missing)
{
    stream_refresh(stream);
    return source_judge(stream, source_take(stream, index), true, ret_unexpected, ret_missing);
}

bool lp_log_stream_step(struct lp_log_stream *stream, uint16_t state,
                        struct lp_log_verdict *ret_unexpected, struct lp_log_verdict *ret_missing)
{
    return lp_log_stream_step_of(stream, 0, state, ret_unexpected, ret_missing);
}
