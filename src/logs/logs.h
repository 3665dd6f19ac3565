// Log anomalies: lines -> states -> scores. The one public header of this floor, usable without the
// rest of Limpet (link liblimpet_logs and liblimpet_base).
//
//   lines    bytes of a log          -> one state a line: the template that the line is made from
//   model    states                  -> how often which state follows which (and what a session
//   has) scores   states, beside a model  -> how unexpected a line is, what is missing behind it,
//   and why
//
// Scores are fixed-point: 1/256 bit (LP_LOG_BIT). They are sums of logarithms of ratios of
// integers, taken from one table: the same bits with every compiler on every machine; test/same.sh
// tries it.
// Nothing here keeps a clock or a thread; memory is bounded by the configuration.
// Every formula of the scores, as integers: docs/logs-arithmetic.md.
// Source: S3 (Haque, DeLucia, Baseman 2017) for the chain, its scores and its protocol.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct lp_str;

enum {
    LP_LOG_BIT = 256,              // score units a bit
    LP_LOG_LINE_BYTES = 64 * 1024, // what is read of a line; the rest is skipped
    LP_LOG_TAG_BYTES = 64,
    LP_LOG_STATES_MAX = 65535,      // templates; those beyond fold into one "other" a tag
    LP_LOG_WINDOW = 3,              // W: how many lines ahead and back MISSING looks
    LP_LOG_LAG = LP_LOG_WINDOW + 8, // lines that stand behind one when a stream judges it
};

// ---- lines to states (states.c, format*.c, template*.c)

enum lp_log_format {
    LP_LOG_AUTO,        // detected from the first 1,000 lines
    LP_LOG_SYSLOG_3164, // "Jun 14 15:16:01 host sshd(pam_unix)[19939]: text"
    LP_LOG_SYSLOG_5424, // "<34>1 2003-10-11T22:14:15.003Z host app procid msgid [sd] text"
    LP_LOG_JOURNAL,     // journalctl -o export
    LP_LOG_LEVEL,       // "2017-05-16 00:00:00.008 25746 INFO nova.x [req-...] text" and its kin
    LP_LOG_ACCESS,      // Apache and nginx, access and error
    LP_LOG_JSON,        // one object a line
    LP_LOG_FREE,        // anything else: the whole line is the text
    LP_LOG_LOGFMT,      // "level=info msg="text" component=x" (numbers are in model files)
    LP_LOG_FORMATS
};
// All of them, for people; LP_LOG_AUTO first.
#define LP_LOG_FORMAT_LIST "auto, syslog, syslog5424, journal, level, access, json, logfmt, free"
const char *lp_log_format_word(enum lp_log_format format);
LP_MUST_CHECK int lp_log_format_find(const char *word, enum lp_log_format *ret_format,
                                     struct lp_err *err);

enum lp_log_cleaning {
    LP_LOG_TOKENS,   // what is variable becomes *: docs/logs-arithmetic.md, "Templates"
    LP_LOG_NUMERALS, // S3: numerals are removed, the rest stays
};

struct lp_log_states_config {
    enum lp_log_format format;
    enum lp_log_cleaning cleaning;
    uint32_t states_max; // 0: LP_LOG_STATES_MAX
    bool with_keys;      // tell each line's process or request, and its time (slower)
};

// What became of one line. A line of a log that was read: index + 1 is its 1-based number.
// Empty lines and lines of only blanks have the state LP_LOG_NOTHING and take no part in scores.
enum { LP_LOG_NOTHING = 0xffff };
struct lp_log_lines { // {0} is ready for use
    uint16_t *states; // [count]
    size_t count, capacity;
    uint32_t *keys; // [count] with with_keys: hash of the pid or request, 0 for none
    int64_t *at_ms; // [count] with with_keys: since 1970 (year guessed), INT64_MIN for none
};
void lp_log_lines_release(struct lp_log_lines *lines);

struct lp_log_template { // lent until the next feed
    const char *text;    // "session opened for user *": NUL-terminated, printable UTF-8
    const char *tag;     // daemon or component, "" for none
    uint32_t tag_id;     // tags are counted from 0
    uint64_t count;      // lines so far
    uint64_t example;    // 1-based number of the first line
    bool is_other;       // stands for all templates of its tag that did not fit
};

struct lp_log_states; // the table of templates
struct lp_log_states *lp_log_states_open(const struct lp_log_states_config *config);
void lp_log_states_close(struct lp_log_states *states);
// Read bytes; a line may be cut anywhere between two calls. The states of the lines that ended are
// added to ret_lines (before the format is known, lines are held back).
void lp_log_states_feed(struct lp_log_states *states, const char *bytes, size_t count,
                        struct lp_log_lines *ret_lines);
// The input ends: a last line without newline counts.
void lp_log_states_end(struct lp_log_states *states, struct lp_log_lines *ret_lines);
size_t lp_log_states_count(const struct lp_log_states *states);
struct lp_log_template lp_log_states_get(const struct lp_log_states *states, uint16_t state);
enum lp_log_format lp_log_states_format(const struct lp_log_states *states);
// Between two files: the lines to come have this format; LP_LOG_AUTO finds it out anew.
void lp_log_states_format_set(struct lp_log_states *states, enum lp_log_format format);
// The state of a template given by tag and text (as a model file has them); made when absent, with
// count 0. LP_LOG_NOTHING never comes back: past states_max it is the tag's "other".
uint16_t lp_log_states_take(struct lp_log_states *states, const char *tag, const char *text);

// ---- model: counts of what follows what (counts.c, model*.c)

struct lp_log_model; // the templates and their counts
// The model owns its states table.
struct lp_log_model *lp_log_model_open(const struct lp_log_states_config *config);
void lp_log_model_close(struct lp_log_model *model);
struct lp_log_states *lp_log_model_states(struct lp_log_model *model); // lent
bool lp_log_model_has_keys(const struct lp_log_model *model); // a chain for each process or request
// Count the lines [first, first + count) as one unbroken stretch of log.
void lp_log_model_train(struct lp_log_model *model, const struct lp_log_lines *lines, size_t first,
                        size_t count);
// Halve all counts: what is not seen again fades. Rows that reach 0 are dropped.
void lp_log_model_decay(struct lp_log_model *model);
// Add the counts of `from`. merge(A, B) equals training on A then B but for the seam.
LP_MUST_CHECK int lp_log_model_merge(struct lp_log_model *model, const struct lp_log_model *from,
                                     struct lp_err *err);
// The file: magic, version, counts, SHA-256. save replaces atomically. load: LP_ECORRUPT says what
// is wrong with a damaged or foreign file; nothing of it is used.
LP_MUST_CHECK int lp_log_model_save(const struct lp_log_model *model, const char *path,
                                    struct lp_err *err);
LP_MUST_CHECK int lp_log_model_load(const char *path, struct lp_log_model **ret_model,
                                    struct lp_err *err);
uint64_t lp_log_model_lines(const struct lp_log_model *model);             // all that were counted
uint64_t lp_log_model_count(const struct lp_log_model *model, uint16_t a); // N(a)
uint64_t lp_log_model_pairs(const struct lp_log_model *model, uint16_t a, uint16_t b); // N(a,b)
// How unlike the model's log other lines are (of its states table): 0 if the shares of all
// neighbours are equal, 1,000,000 if they have none in common.
// Source: total variation distance of the two distributions of neighbours.
uint32_t lp_log_model_distance_ppm(const struct lp_log_model *model,
                                   const struct lp_log_lines *lines);
// A random walk over the matrix (S3): states, never ends early (a dead end starts anew from START).
// ret_states: [count], the caller's.
void lp_log_model_walk(const struct lp_log_model *model, uint64_t seed, uint16_t *ret_states,
                       size_t count);

// ---- scores of lines (score*.c)

enum lp_log_list {
    LP_LOG_UNEXPECTED, // INS: how much likelier the log is without this line, or without the next
                       // (S3 counts both as found; `unfit` tells which one it is)
    LP_LOG_MISSING,    // BRIDGE + MISS: how much likelier with a line more behind this one
    LP_LOG_MERGED,     // both, with the bonus for pairs that training never saw
    LP_LOG_S3_MESSAGE, // S3: P(next | this), the least first
    LP_LOG_S3_TAG,     // S3: P_message + P_tag
    LP_LOG_LISTS
};
const char *lp_log_list_word(enum lp_log_list list); // "unexpected", ...

enum lp_log_evidence { // where a verdict's hits and cases come from
    LP_LOG_BYPASS,     // UNEXPECTED: its neighbours are neighbours without it
    LP_LOG_RIGHT_NEXT, // MISSING: `missing` comes right after `state`
    LP_LOG_AHEAD,      // MISSING: within W lines after `state`
    LP_LOG_BEHIND,     // MISSING: within W lines before `after`
};

struct lp_log_verdict {
    uint64_t line;          // 1-based
    int64_t score;          // 1/256 bit, the more the more anomalous; S3's lists: -log2 P
    enum lp_log_list list;  // of MERGED: the list that it came from
    uint16_t state;         // of the line
    uint16_t before, after; // its neighbours, or LP_LOG_NOTHING
    uint16_t missing;       // what is likely missing, or LP_LOG_NOTHING
    int64_t bits_missing;   // what that alone explains
    uint64_t unfit;         // UNEXPECTED: the line that does not fit, this one or the next; else 0
    enum lp_log_evidence evidence;
    uint64_t hits, cases; // that was so in `hits` of `cases` places
};

struct lp_log_rank_config {
    enum lp_log_list list;
    size_t top;        // how many are wanted
    bool is_streaming; // counts of training and of the log so far; verdicts LP_LOG_LAG lines late
    bool with_keys;    // a chain per process or request (lines->keys), not one for the whole log
};
// The `top` highest of the list, ties by the lower line. lines: of the model's own states table.
// ret_verdicts: [config->top], the caller's; ret_count of them are written.
void lp_log_rank(const struct lp_log_model *model, const struct lp_log_lines *lines,
                 const struct lp_log_rank_config *config, struct lp_log_verdict *ret_verdicts,
                 size_t *ret_count);
// One sentence: what was unexpected, what is missing, what was seen instead, with bits.
void lp_log_explain(const struct lp_log_states *states, const struct lp_log_verdict *verdict,
                    struct lp_str *ret_text);

// Streaming, one line at a time, for `watch`: the same verdicts as is_streaming gives.
struct lp_log_stream;
struct lp_log_stream *lp_log_stream_open(struct lp_log_model *model); // model lent, and grows
void lp_log_stream_close(struct lp_log_stream *stream);
// Take the next line's state. Returns true when ret_unexpected and ret_missing of the line
// LP_LOG_LAG lines ago were written (score 0 of ret_missing: nothing is). Lines are counted from
// the opening. The model may be saved, decayed, merged into or trained in between. Closing counts
// the last lines.
bool lp_log_stream_step(struct lp_log_stream *stream, uint16_t state,
                        struct lp_log_verdict *ret_unexpected, struct lp_log_verdict *ret_missing);
// The same when lines of several logs come mixed: each source (numbered from 0, without gaps) is a
// sequence of its own, its lines counted by themselves; all of them share the model.
bool lp_log_stream_step_of(struct lp_log_stream *stream, size_t source, uint16_t state,
                           struct lp_log_verdict *ret_unexpected,
                           struct lp_log_verdict *ret_missing);
// Nothing more comes for now: judge the next line by what is there, if W lines stand behind it.
// False: none is left. Lines that come later are judged as ever, these not again.
bool lp_log_stream_settle_of(struct lp_log_stream *stream, size_t source,
                             struct lp_log_verdict *ret_unexpected,
                             struct lp_log_verdict *ret_missing);

// ---- anomalies put into a log on purpose, and what of them is found (inject.c, evaluate.c)

struct lp_log_inject_config {
    size_t insert, delete;
    uint64_t seed;
    bool
        is_hard; // S3 and the default: rare types are inserted (drawn evenly over the types), lines
                 // that are expected are deleted. Hard: types as frequent as they are, any line
    const uint16_t *more; // [more_count] further types to draw from, besides those of the log
    size_t more_count;
};
struct lp_log_edit { // insert a line of `state` before the line at `at` (from 0), or delete that
    size_t at;
    bool is_insertion;
    uint16_t state;
};
// Choose where: at least 4 lines apart, never at the edges. ret_edits: [insert + delete], by place.
// A deletion takes a line whose probability behind the line before it is at least 1/2 and which
// differs from both neighbours, any line if fewer than 30 are such. LP_EINPUT: the log is too
// short. Source: S3 5.1; the choice of lines: docs/logs.md.
LP_MUST_CHECK int lp_log_inject(const struct lp_log_lines *lines,
                                const struct lp_log_inject_config *config,
                                struct lp_log_edit *ret_edits, struct lp_err *err);
// Carry the edits out. ret_truth: [2 * insert + delete] 1-based numbers of lines of the new log,
// ascending: an inserted line and the one before it, the line before a gap. Inserted lines have no
// key. ret_lines: {0}; the caller releases it. Returns how many truths there are.
size_t lp_log_inject_apply(const struct lp_log_lines *lines, const struct lp_log_edit *edits,
                           size_t edit_count, struct lp_log_lines *ret_lines, uint64_t *ret_truth);

enum lp_log_damage { LP_LOG_INSERTIONS, LP_LOG_DELETIONS, LP_LOG_BOTH, LP_LOG_DAMAGES };
const char *lp_log_damage_word(enum lp_log_damage damage); // "insertions", ...
// How alike the log that was trained on and the one that is tested are.
enum lp_log_pairing {
    LP_LOG_SAME_WINDOW,  // the very window, before it was damaged
    LP_LOG_OTHER_PERIOD, // another window of the same log
    LP_LOG_OTHER_LOG,
    LP_LOG_PAIRINGS
};
const char *lp_log_pairing_word(enum lp_log_pairing pairing);

struct lp_log_window { // a stretch of a log; windows of one log have the same `lines`
    const struct lp_log_lines *lines;
    size_t first, count;
};
struct lp_log_figure { // of many trials, in millionths; the deviation is the sample's
    uint64_t trials, sum, squares;
};
uint32_t lp_log_figure_mean(const struct lp_log_figure *figure);
uint32_t lp_log_figure_deviation(const struct lp_log_figure *figure);

struct lp_log_evaluate_config {
    const struct lp_log_window *train, *test;
    size_t train_count, test_count;
    size_t insert, delete; // of one trial; BOTH: both
    uint32_t repeats;      // trials of one pairing, each with other anomalies
    uint64_t seed;
    enum lp_log_cleaning cleaning; // of the table
    bool is_hard, is_streaming, with_keys;
};
struct lp_log_evaluation {
    struct lp_log_result {
        struct lp_log_figure p_at_10; // of the ten highest: share that are true
        struct lp_log_figure r_at_r;  // of as many as there are truths: share that are true
    } results[LP_LOG_PAIRINGS][LP_LOG_DAMAGES][LP_LOG_LISTS];
};
// S3's experiment: train on each window, damage each window, count what is found in each list.
// states: the table that all windows' lines are of. LP_EINPUT: a window is too short.
LP_MUST_CHECK int lp_log_evaluate(const struct lp_log_states *states,
                                  const struct lp_log_evaluate_config *config,
                                  struct lp_log_evaluation *ret_evaluation, struct lp_err *err);

// ---- files that grow (follow.c)

// Follows files and all files of folders, across rotation by renaming and by truncation. Memory is
// bounded: one block, and at most a line for each file.
struct lp_log_follow;
enum { LP_LOG_FOLLOW_MAX = 1024 }; // files at a time
struct lp_log_follow_config {
    bool from_end;   // of files that are there at the first look; others are read from their start
    bool is_polling; // do without inotify
    const char *suffix; // of files of folders, or NULL: ".log"
};
struct lp_log_follow *lp_log_follow_open(const struct lp_log_follow_config *config);
void lp_log_follow_close(struct lp_log_follow *follow);
// A file (it may appear later) or a folder; known ones are left as they are. LP_EFULL: too many.
LP_MUST_CHECK int lp_log_follow_add(struct lp_log_follow *follow, const char *path,
                                    struct lp_err *err);
// The same for a folder that is one of a kind, as those of nodes, of which some come and some go:
// where one of them was followed before a restart, new ones are read from their start. One that is
// not there is not added.
LP_MUST_CHECK int lp_log_follow_add_kin(struct lp_log_follow *follow, const char *path,
                                        struct lp_err *err);
// A pipe, taken: closed with the rest. LP_EFULL: too many.
LP_MUST_CHECK int lp_log_follow_add_pipe(struct lp_log_follow *follow, int fd, const char *name,
                                         size_t *ret_source, struct lp_err *err);
// Nothing can come any more: there are only pipes, and all of them have ended.
bool lp_log_follow_has_ended(const struct lp_log_follow *follow);
// A folder has files that are not followed, as there are LP_LOG_FOLLOW_MAX already.
bool lp_log_follow_is_full(const struct lp_log_follow *follow);
// Readable when something may have changed; -1: look once a second. Even with it, look that often:
// not all file systems tell.
int lp_log_follow_fd(const struct lp_log_follow *follow);
// Look around: new files, rotated ones. Call it when fd is readable and once a second.
void lp_log_follow_look(struct lp_log_follow *follow);
// The next whole line of any file; lent until the next call, without its newline; what is beyond
// LP_LOG_LINE_BYTES is skipped. False: nothing more now. Sources are numbered from 0 and never
// reused; a rotated file stays the same source.
bool lp_log_follow_next(struct lp_log_follow *follow, size_t *ret_source, const char **ret_line,
                        size_t *ret_bytes);
const char *lp_log_follow_name(const struct lp_log_follow *follow, size_t source); // its path
// Where each file was left (follow_place.c), kept in a file over a restart: behind the last line
// that was given out.
struct lp_log_follow_kept {
    int64_t saved_ms;  // since 1970
    char cursor[1024]; // the caller's: of the last entry of the journal, or empty
};
LP_MUST_CHECK int lp_log_follow_save(const struct lp_log_follow *follow,
                                     const struct lp_log_follow_kept *kept, const char *path,
                                     struct lp_err *err);
// Before the first look, when all is added: go on where that file says, through rotated files that
// are still there; a file that was not there then is read from its start. ret_unseen: a line added
// for each stretch that cannot be read any more. LP_ENOTFOUND: there is no such file.
LP_MUST_CHECK int lp_log_follow_resume(struct lp_log_follow *follow, const char *path,
                                       struct lp_log_follow_kept *ret_kept,
                                       struct lp_str *ret_unseen, struct lp_err *err);

// ---- sessions: one sequence of events an id (session*.c)

struct lp_log_sessions { // {0} is ready for use
    uint32_t *events;    // all sessions' events, one behind the other
    size_t event_count, event_capacity;
    struct lp_log_session {
        const char *name; // or NULL; lives as long as the sessions
        size_t first, count;
        size_t line; // 1-based: where it stands in the file, or its first line in the log
    } * sessions;
    size_t count, capacity;
    struct lp_log_session_names *names;
};
void lp_log_sessions_release(struct lp_log_sessions *sessions);
// One session a line: event ids separated by blanks, optionally "name," first. LP_EINPUT with line
// and column.
LP_MUST_CHECK int lp_log_sessions_parse(const char *bytes, size_t count,
                                        struct lp_log_sessions *ret_sessions, struct lp_err *err);
// Raw lines, grouped by what the extended regular expression (its first group, else the whole
// match) finds in them; a line without a match belongs to no session. Sessions in order of their
// first line. lines and states: of the same bytes.
LP_MUST_CHECK int lp_log_sessions_group(const char *bytes, size_t count, const char *regex,
                                        const struct lp_log_lines *lines,
                                        struct lp_log_sessions *ret_sessions, struct lp_err *err);

enum lp_log_channel {
    LP_LOG_CHANNEL_NONE,
    LP_LOG_CHANNEL_NEW,   // an event that training never saw
    LP_LOG_CHANNEL_COUNT, // S_max: a count that does not fit another count
    LP_LOG_CHANNEL_SUM,   // S_sum
    LP_LOG_CHANNEL_ORDER, // S_wb
};
struct lp_log_session_model;
struct lp_log_session_config {
    bool with_order;                    // channels SUM and ORDER too
    uint32_t allowed;                   // r: held-out sessions above the threshold; default 5
    uint64_t seed;                      // of the folds
    const struct lp_log_states *states; // lent: what the events say, kept in the model; or NULL
};
// allowed = 0 means none. With fewer sessions than that, the threshold is the lowest score.
// LP_EINPUT: fewer than two sessions. LP_EFULL: more than 65,535 distinct events. At most the 2,000
// most frequent events have a place in the tree of counts.
LP_MUST_CHECK int lp_log_session_train(const struct lp_log_sessions *sessions,
                                       const struct lp_log_session_config *config,
                                       struct lp_log_session_model **ret_model, struct lp_err *err);
void lp_log_session_model_close(struct lp_log_session_model *model);
// The templates that training was given, to read raw lines into; lent, NULL without.
struct lp_log_states *lp_log_session_model_states(struct lp_log_session_model *model);
// How many sessions training saw; how many of its events the tree of counts leaves out.
uint64_t lp_log_session_model_trained(const struct lp_log_session_model *model);
uint32_t lp_log_session_model_left_out(const struct lp_log_session_model *model);
LP_MUST_CHECK int lp_log_session_model_save(const struct lp_log_session_model *model,
                                            const char *path, struct lp_err *err);
LP_MUST_CHECK int lp_log_session_model_load(const char *path,
                                            struct lp_log_session_model **ret_model,
                                            struct lp_err *err);
struct lp_log_session_verdict {
    bool is_anomalous;
    enum lp_log_channel channel; // the one that is most above its threshold
    int64_t score, threshold;    // 1/256 bit; of NONE those of COUNT, of NEW 0
    uint32_t event, seen, because_event, because_seen; // what did not fit, and what it depends on
    uint32_t expected; // the likeliest count (of a range of counts its lowest), if not ORDER
    bool has_because;  // else because_event is none: it depends on nothing, or ORDER: the start
    bool is_end;       // ORDER: that the session ends did not fit; event is none
};
const char *lp_log_channel_word(enum lp_log_channel channel); // "new", ...
void lp_log_session_score(const struct lp_log_session_model *model,
                          const struct lp_log_sessions *sessions, size_t index,
                          struct lp_log_session_verdict *ret_verdict);
void lp_log_session_explain(const struct lp_log_session_model *model,
                            const struct lp_log_session_verdict *verdict, struct lp_str *ret_text);
