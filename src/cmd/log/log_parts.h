// The sub-verbs of `limpet log`, one file each, and what they share: how logs and models are read.
#pragma once

#include "cmd/cmd.h"
#include "logs/logs.h"

extern const struct lp_verb lp_log_verb_templates, lp_log_verb_train, lp_log_verb_merge,
    lp_log_verb_rank, lp_log_verb_generate, lp_log_verb_inject, lp_log_verb_evaluate,
    lp_log_verb_sessions_train, lp_log_verb_sessions_score, lp_log_verb_watch, lp_log_verb_plot;

// Options of every sub-verb that reads logs.
#define LP_LOG_FORMAT_OPTION                    \
    {                                           \
        "format", 0, "NAME", LP_LOG_FORMAT_LIST \
    }
#define LP_LOG_READ_OPTIONS                                                        \
    LP_LOG_FORMAT_OPTION,                                                          \
    {                                                                              \
        "numerals", 0, NULL, "clean lines as S3 does: numerals go, the rest stays" \
    }
#define LP_LOG_KEYS_OPTION                                                                      \
    {                                                                                           \
        "by-process", 0, NULL, "a chain for each process or request, not one for the whole log" \
    }

// From --format, --numerals and --by-process. LP_EINPUT.
LP_MUST_CHECK int lp_log_config_take(const struct lp_cmd *cmd,
                                     struct lp_log_states_config *ret_config, struct lp_err *err);
// Add the lines of a file ("-": standard input) to ret_lines. Without --format, each file's is
// found out; packed ones are unpacked. LP_EIO, LP_EINPUT: not there, or no text.
LP_MUST_CHECK int lp_log_file_states(const struct lp_cmd *cmd, const char *path,
                                     struct lp_log_states *states, struct lp_log_lines *ret_lines,
                                     struct lp_err *err);
// The model of -m; cleaning and chains are as it was trained, and are refused on the command line.
LP_MUST_CHECK int lp_log_model_read(const struct lp_cmd *cmd, struct lp_log_model **ret_model,
                                    struct lp_err *err);
// Print cmd->err. A file that is not there or no model is bad input. Returns the exit status.
int lp_log_fail(struct lp_cmd *cmd);
// A number from an option, `otherwise` when it was not given. LP_EINPUT.
LP_MUST_CHECK int lp_log_number(const struct lp_cmd *cmd, const char *name, long low, long high,
                                long otherwise, long *ret_number, struct lp_err *err);
// "12.5" -> 3200: bits of an option in 1/256 bit. LP_EINPUT.
LP_MUST_CHECK int lp_log_bits(const struct lp_cmd *cmd, const char *name, int64_t otherwise,
                              int64_t *ret_bits, struct lp_err *err);
// From where on a score is worth an alarm when nobody said otherwise: one line of some hundreds
// of an ordinary log that has moved on since training. (Chosen on Linux.log and on OpenStack's.)
int64_t lp_log_alarm_bits(enum lp_log_list list);
// "12.4" of 1/256 bits, rounded to a tenth; and with every digit, for JSON.
const char *lp_log_bits_text(struct lp_cmd *cmd, int64_t bits);
void lp_log_bits_json(struct lp_str *out, int64_t bits);
// One object of `rank`, of `watch` or of a page, without its braces.
void lp_log_verdict_json(struct lp_str *out, const struct lp_log_states *states,
                         const struct lp_log_verdict *verdict);
// For people: of verdicts, the highest first, at most `most` stay, each line that does not fit once
// (not again at the line before it), none of 0.0 bits. Returns how many.
size_t lp_log_verdicts_once(struct lp_log_verdict *verdicts, size_t count, size_t most);
// The whole of a file ("-": standard input), for what needs its bytes again.
LP_MUST_CHECK int lp_log_file_whole(const struct lp_cmd *cmd, const char *path,
                                    struct lp_str *ret_bytes, struct lp_err *err);
