// What `limpet log watch` knows of each thing that it follows, and what it says of its lines.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "logs/logs.h"

struct lp_cmd;
struct lp_log_sensor;

enum { LP_WATCHED_RECENT = 32, LP_WATCHED_TEXT = 240 };

struct lp_watched { // one source of lines; {0} is ready for use
    const char *name;
    enum lp_log_format format; // AUTO while it is not known
    struct lp_str held;        // lines before it is known; of a journal: the entry being read
    size_t held_lines;
    size_t looked_at;               // lines, for the format
    int64_t held_since_ms, line_ms; // line_ms: when the last one came
    uint64_t line;
    struct lp_watched_line { // the last ones, for showing
        uint64_t number;
        char text[LP_WATCHED_TEXT];
    } recent[LP_WATCHED_RECENT];
    // Alarms of MISSING wait until what is around them was judged: a line that does not belong
    // makes others look missing nearby.
    struct lp_log_verdict waiting[LP_LOG_WINDOW + 1];
    size_t waiting_count;
    uint64_t alarm_line; // the latest alarm of UNEXPECTED, and what it scored
    int64_t alarm_score;
};

struct lp_watcher {
    struct lp_cmd *cmd;
    struct lp_log_model *model;
    struct lp_log_stream *stream;
    struct lp_log_sensor *sensor; // NULL: the daemon is told nothing
    enum lp_log_format format;    // of --format
    struct lp_watched *sources;
    size_t source_count;
    struct lp_log_lines lines; // scratch
    int64_t least; // UNEXPECTED's alarm; MISSING's lies 10 bits lower. 0: by what is learnt
    uint64_t learnt, learn; // lines counted so far; so many before the first verdict
    uint64_t decay;         // halve the counts after so many lines
    uint64_t since_decay, since_save, anomalies;
    bool is_silent; // learn only
    int64_t now_ms;
};
// The next line of a source, without newline. name: lent for the watcher's life.
void lp_watcher_line(struct lp_watcher *watcher, size_t source, const char *name, const char *line,
                     size_t bytes);
// Once a second, and at the end (is_last): lines that were held until their format is known are
// held no longer; where nothing comes, what came is judged.
void lp_watcher_tick(struct lp_watcher *watcher, bool is_last);
// Some lines are neither learnt nor judged yet, as their format is not known.
bool lp_watcher_holds(const struct lp_watcher *watcher);
void lp_watcher_release(struct lp_watcher *watcher); // the model is closed, too
