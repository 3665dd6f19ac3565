// Lines of followed files: their format, their state, their verdict.
#include "cmd/log/log_watched.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/own.h"
#include "cmd/log/log_parts.h"
#include "cmd/log/log_sensor.h"
#include "cmd/table.h"
#include "logs/log2.h"

enum {
    HELD_LINES = 50, // looked at before the format is chosen, or what came within a second
    HELD_BYTES = 128 * 1024,
    HELD_MS = 1000,
    MISSING_LESS = 10 * LP_LOG_BIT, // as in the merged list
    BESIDE_BITS = 5 * LP_LOG_BIT,
};

// ---- telling

static const char *recent_text(const struct lp_watched *source, uint64_t number)
{
    const struct lp_watched_line *line = &source->recent[number % LP_WATCHED_RECENT];
    return line->number == number ? line->text : "";
}

static void verdict_print(struct lp_watcher *watcher, const struct lp_watched *source,
                          const struct lp_log_verdict *verdict)
{
    const struct lp_log_states *states = lp_log_model_states(watcher->model);
    LP_OWNS_STR struct lp_str out = {0};
    struct lp_cmd *cmd = watcher->cmd;
    watcher->anomalies++;
    if (watcher->sensor) {
        lp_log_explain(states, verdict, &out);
        lp_log_sensor_tell(watcher->sensor, source->name, lp_str_text(&out));
        lp_str_clear(&out);
    }
    if (cmd->is_quiet)
        return;
    if (cmd->is_json) {
        lp_str_printf(&out, "{\"at\":%" PRId64 ",\"source\":", lp_wall_ms());
        lp_str_add_json(&out, source->name);
        lp_str_add_char(&out, ',');
        lp_log_verdict_json(&out, states, verdict);
        lp_str_add(&out, ",\"text\":");
        lp_str_add_json(&out, recent_text(source, verdict->line));
        lp_str_add_char(&out, '}');
    } else {
        struct lp_str text = {0};
        lp_text_fit(&text, recent_text(source, verdict->line), LP_WATCHED_TEXT);
        lp_str_printf(&out, "%s %s:%" PRIu64 ": ", lp_time_of_day(cmd, lp_wall_ms()), source->name,
                      verdict->line);
        lp_log_explain(states, verdict, &out);
        lp_str_printf(&out, "\n    %s", lp_str_text(&text));
        lp_str_release(&text);
    }
    puts(lp_str_text(&out));
    fflush(stdout);
}

// ---- lines with a state

// What was never seen scores some 2 log2(lines learnt) at most, less what is odd beside it: few
// lines, a lower alarm.
static int64_t alarm_of(const struct lp_watcher *watcher)
{
    int64_t whole = lp_log_alarm_bits(LP_LOG_UNEXPECTED);
    int64_t reach = 2 * lp_log2(watcher->learnt + 1) - BESIDE_BITS;
    if (watcher->least > 0)
        return watcher->least;
    return reach < whole ? reach : whole;
}

// Does the alarm of UNEXPECTED nearby say why this seems to be missing?
static bool is_explained(const struct lp_watched *source, const struct lp_log_verdict *missing)
{
    uint64_t apart = source->alarm_line > missing->line ? source->alarm_line - missing->line
                                                        : missing->line - source->alarm_line;
    return source->alarm_line > 0 && apart <= LP_LOG_WINDOW + 1 &&
           missing->score <= source->alarm_score - MISSING_LESS;
}

// Of several nearby, the highest is told. judged: the line that was judged last.
static void waiting_release(struct lp_watcher *watcher, struct lp_watched *source, uint64_t judged)
{
    while (source->waiting_count > 0 && source->waiting[0].line + LP_LOG_WINDOW < judged) {
        const struct lp_log_verdict first = source->waiting[0];
        bool is_highest = true;
        for (size_t i = 1; i < source->waiting_count; i++)
            is_highest = is_highest && source->waiting[i].score <= first.score;
        source->waiting_count--;
        memmove(source->waiting, source->waiting + 1, source->waiting_count * sizeof(first));
        if (is_highest) // the lower ones beside it say the same
            source->waiting_count = 0;
        if (is_highest && !is_explained(source, &first))
            verdict_print(watcher, source, &first);
    }
}

// A line that does not fit is told once, not again at the line before it.
static void verdicts_tell(struct lp_watcher *watcher, struct lp_watched *source,
                          const struct lp_log_verdict *unexpected,
                          const struct lp_log_verdict *missing)
{
    int64_t least = alarm_of(watcher);
    if (unexpected->score >= least && unexpected->unfit == unexpected->line) {
        source->alarm_line = unexpected->line;
        source->alarm_score = unexpected->score;
        verdict_print(watcher, source, unexpected);
    }
    waiting_release(watcher, source, unexpected->line);
    // Before its first lines may have been what seems to be missing: nobody looked.
    bool is_missing = missing->line > LP_LOG_WINDOW && missing->score > 0 &&
                      missing->score >= least - MISSING_LESS &&
                      missing->score >= unexpected->score - MISSING_LESS;
    if (is_missing && source->waiting_count < sizeof(source->waiting) / sizeof(*source->waiting))
        source->waiting[source->waiting_count++] = *missing;
}

static bool is_telling(const struct lp_watcher *watcher)
{
    return !watcher->is_silent && watcher->learnt >= watcher->learn;
}

static void state_take(struct lp_watcher *watcher, size_t index, uint16_t state)
{
    struct lp_log_verdict unexpected, missing;
    bool is_judged = lp_log_stream_step_of(watcher->stream, index, state, &unexpected, &missing);
    if (is_judged && is_telling(watcher))
        verdicts_tell(watcher, &watcher->sources[index], &unexpected, &missing);
    watcher->learnt += state != LP_LOG_NOTHING;
    watcher->since_save++;
    if (++watcher->since_decay >= watcher->decay) {
        lp_log_model_decay(watcher->model);
        watcher->since_decay = 0;
    }
}

static void text_note(struct lp_watched *source, const char *line, size_t bytes)
{
    struct lp_watched_line *recent = &source->recent[++source->line % LP_WATCHED_RECENT];
    if (bytes > 0 && line[bytes - 1] == '\r')
        bytes--;
    size_t kept = bytes < LP_WATCHED_TEXT - 1 ? bytes : LP_WATCHED_TEXT - 1;
    recent->number = source->line;
    memcpy(recent->text, line, kept);
    recent->text[kept] = '\0';
}

// Lines of a known format, each ended by a newline. A journal's entry is one line: the others of
// its fields, and the blank line, are none.
static void lines_take(struct lp_watcher *watcher, size_t index, const char *bytes, size_t count)
{
    struct lp_watched *source = &watcher->sources[index];
    struct lp_log_states *states = lp_log_model_states(watcher->model);
    lp_log_states_format_set(states, source->format);
    watcher->lines.count = 0;
    lp_log_states_feed(states, bytes, count, &watcher->lines);
    bool is_journal = source->format == LP_LOG_JOURNAL;
    for (size_t i = 0; i < watcher->lines.count; i++) {
        const char *end = memchr(bytes, '\n', count);
        size_t taken = end ? (size_t)(end - bytes) : count;
        uint16_t state = watcher->lines.states[i];
        if (is_journal && state != LP_LOG_NOTHING) {
            const char *text = lp_log_states_get(states, state).text;
            text_note(source, text, strlen(text));
        } else if (!is_journal) {
            text_note(source, bytes, taken);
        }
        if (!is_journal || state != LP_LOG_NOTHING)
            state_take(watcher, index, state);
        bytes += end ? taken + 1 : taken;
        count -= end ? taken + 1 : taken;
    }
}

// ---- lines of which the format is not known

static void held_release(struct lp_watcher *watcher, size_t index)
{
    struct lp_watched *source = &watcher->sources[index];
    if (source->held.bytes == 0)
        return;
    bool is_unknown = source->format == LP_LOG_AUTO;
    if (is_unknown) { // in a table of its own: found out, and thrown away
        const struct lp_log_states_config config = {.format = LP_LOG_AUTO};
        struct lp_log_states *trial = lp_log_states_open(&config);
        struct lp_log_lines lines = {0};
        lp_log_states_feed(trial, source->held.text, source->held.bytes, &lines);
        lp_log_states_end(trial, &lines);
        source->format = lp_log_states_format(trial);
        lp_log_lines_release(&lines);
        lp_log_states_close(trial);
    }
    lines_take(watcher, index, source->held.text, source->held.bytes);
    lp_str_clear(&source->held);
    source->looked_at += source->held_lines;
    if (is_unknown && source->format == LP_LOG_FREE && source->looked_at < HELD_LINES)
        source->format = LP_LOG_AUTO; // a banner, perhaps: the lines behind it have a say, too
    source->held_lines = 0;
}

static struct lp_watched *source_take(struct lp_watcher *watcher, size_t index, const char *name)
{
    if (index >= watcher->source_count) {
        watcher->sources = lp_heap_grow(watcher->sources, index + 1, sizeof(*watcher->sources));
        memset(watcher->sources + watcher->source_count, 0,
               (index + 1 - watcher->source_count) * sizeof(*watcher->sources));
        for (size_t i = watcher->source_count; i <= index; i++)
            watcher->sources[i].format = watcher->format;
        watcher->source_count = index + 1;
    }
    struct lp_watched *source = &watcher->sources[index];
    source->name = name;
    return source;
}

void lp_watcher_line(struct lp_watcher *watcher, size_t index, const char *name, const char *line,
                     size_t bytes)
{
    struct lp_watched *source = source_take(watcher, index, name);
    source->line_ms = watcher->now_ms;
    if (source->held.bytes == 0)
        source->held_since_ms = watcher->now_ms;
    lp_str_add_n(&source->held, line, bytes);
    lp_str_add_char(&source->held, '\n');
    source->held_lines++;
    bool is_long = source->held.bytes >= HELD_BYTES;
    bool is_ready = source->format == LP_LOG_AUTO      ? source->held_lines >= HELD_LINES
                    : source->format == LP_LOG_JOURNAL ? bytes == 0
                                                       : true;
    if (is_ready || is_long)
        held_release(watcher, index);
}

static bool is_quiet(const struct lp_watcher *watcher, const struct lp_watched *source)
{
    return watcher->now_ms - source->line_ms >= HELD_MS;
}

// Nothing more comes for now.
static void source_settle(struct lp_watcher *watcher, size_t index)
{
    struct lp_log_verdict unexpected, missing;
    while (lp_log_stream_settle_of(watcher->stream, index, &unexpected, &missing))
        if (is_telling(watcher))
            verdicts_tell(watcher, &watcher->sources[index], &unexpected, &missing);
    waiting_release(watcher, &watcher->sources[index], UINT64_MAX);
}

void lp_watcher_tick(struct lp_watcher *watcher, bool is_last)
{
    for (size_t i = 0; i < watcher->source_count; i++) {
        struct lp_watched *source = &watcher->sources[i];
        bool is_late = watcher->now_ms - source->held_since_ms >= HELD_MS;
        if (source->held.bytes > 0 && (is_last || (source->format == LP_LOG_AUTO && is_late)))
            held_release(watcher, i);
        if (is_last || is_quiet(watcher, source))
            source_settle(watcher, i);
    }
}

bool lp_watcher_holds(const struct lp_watcher *watcher)
{
    for (size_t i = 0; i < watcher->source_count; i++)
        if (watcher->sources[i].format == LP_LOG_AUTO && watcher->sources[i].held.bytes > 0)
            return true;
    return false;
}

void lp_watcher_release(struct lp_watcher *watcher)
{
    lp_log_stream_close(watcher->stream);
    lp_log_sensor_close(watcher->sensor);
    for (size_t i = 0; i < watcher->source_count; i++)
        lp_str_release(&watcher->sources[i].held);
    lp_heap_free(watcher->sources);
    lp_log_lines_release(&watcher->lines);
    lp_log_model_close(watcher->model);
}
