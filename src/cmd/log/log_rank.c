// `limpet log rank`: the oddest lines of a log.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/log/log_parts.h"
#include "cmd/table.h"
#include "base/own.h"
#include "base/spelling.h"
#include "base/str.h"

enum { TOP = 10, TOP_MAX = 1000000 };

struct ranking {
    struct lp_log_rank_config config;
    int64_t least;    // of what is shown
    bool has_model;   // else each log is compared with itself
    bool has_several; // files
    size_t found;     // as high as --fail minds
    size_t shown;     // at most, as text
    int64_t fail_least;
};

LP_MUST_CHECK static int list_find(const char *word, enum lp_log_list *ret_list, struct lp_err *err)
{
    const char *words[LP_LOG_LISTS];
    for (int i = 0; i < LP_LOG_LISTS; i++) {
        words[i] = lp_log_list_word((enum lp_log_list)i);
        if (strcmp(word, words[i]) != 0)
            continue;
        *ret_list = (enum lp_log_list)i;
        return 0;
    }
    const char *nearest = lp_spelling_nearest(word, words, LP_LOG_LISTS);
    return lp_err_set(err, LP_EINPUT,
                      "--list: there is no list '%s'; there are unexpected, missing, merged, "
                      "s3-message, s3-tag%s%s%s",
                      word, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                      nearest ? "'?" : "");
}

LP_MUST_CHECK static int ranking_take(const struct lp_cmd *cmd, struct ranking *ret_ranking,
                                      struct lp_err *err)
{
    struct ranking ranking = {.config = {.list = LP_LOG_MERGED}};
    const char *list = lp_option_value(cmd, "list");
    long top;
    if (list && list_find(list, &ranking.config.list, err) < 0)
        return err->code;
    if (lp_log_number(cmd, "top", 1, TOP_MAX, TOP, &top, err) < 0 ||
        lp_log_bits(cmd, "bits", INT64_MIN, &ranking.least, err) < 0 ||
        lp_log_bits(cmd, "bits", lp_log_alarm_bits(ranking.config.list), &ranking.fail_least, err) <
            0)
        return err->code;
    ranking.shown = (size_t)top;
    // As text, a line that does not fit is told once, not again at the line before it.
    ranking.config.top = cmd->is_json ? (size_t)top : 2 * (size_t)top;
    ranking.config.is_streaming = lp_option_is_given(cmd, "stream");
    ranking.has_model = lp_option_is_given(cmd, "model");
    *ret_ranking = ranking;
    return 0;
}

static void verdict_print(struct lp_cmd *cmd, const struct ranking *ranking, const char *path,
                          const struct lp_log_states *states, const struct lp_log_verdict *verdict)
{
    LP_OWNS_STR struct lp_str out = {0};
    if (cmd->is_json) {
        lp_str_add_char(&out, '{');
        if (ranking->has_several) {
            lp_str_add(&out, "\"file\":");
            lp_str_add_json(&out, path);
            lp_str_add_char(&out, ',');
        }
        lp_log_verdict_json(&out, states, verdict);
        lp_str_add_char(&out, '}');
    } else {
        lp_str_printf(&out, "%7s bits  ", lp_log_bits_text(cmd, verdict->score));
        if (ranking->has_several)
            lp_str_printf(&out, "%s: ", path);
        lp_log_explain(states, verdict, &out);
    }
    puts(lp_str_text(&out));
}

// With no model, S3's lists need the log's own counts; the others count the log anyway.
static void self_train(const struct ranking *ranking, struct lp_log_model *model,
                       const struct lp_log_lines *lines)
{
    if (!ranking->has_model && ranking->config.list >= LP_LOG_S3_MESSAGE)
        lp_log_model_train(model, lines, 0, lines->count);
}

static void verdicts_print(struct lp_cmd *cmd, const struct ranking *ranking, const char *path,
                           const struct lp_log_states *states, struct lp_log_verdict *verdicts,
                           size_t count)
{
    if (!cmd->is_json)
        count = lp_log_verdicts_once(verdicts, count, ranking->shown);
    for (size_t i = 0; i < count; i++)
        if (verdicts[i].score >= ranking->least)
            verdict_print(cmd, ranking, path, states, &verdicts[i]);
}

LP_MUST_CHECK static int file_rank(struct lp_cmd *cmd, struct ranking *ranking, const char *path,
                                   struct lp_log_model *model)
{
    struct lp_log_lines lines = {0};
    struct lp_log_states *states = lp_log_model_states(model);
    if (lp_log_file_states(cmd, path, states, &lines, &cmd->err) < 0) {
        lp_log_lines_release(&lines);
        return cmd->err.code;
    }
    self_train(ranking, model, &lines);
    if (ranking->config.top > lines.count)
        ranking->config.top = lines.count ? lines.count : 1;
    struct lp_log_verdict *verdicts =
        lp_arena_new_array(cmd->arena, struct lp_log_verdict, ranking->config.top);
    size_t count = 0;
    lp_log_rank(model, &lines, &ranking->config, verdicts, &count);
    for (size_t i = 0; i < count; i++)
        ranking->found += verdicts[i].score >= ranking->fail_least;
    if (!cmd->is_quiet && !cmd->is_json && lp_log_states_count(states) > 0)
        fprintf(stderr, "%s: %zu lines, %zu templates, format %s\n", path, lines.count,
                lp_log_states_count(states), lp_log_format_word(lp_log_states_format(states)));
    if (!cmd->is_quiet)
        verdicts_print(cmd, ranking, path, states, verdicts, count);
    lp_log_lines_release(&lines);
    return 0;
}

// Each file beside the same model; without one, beside nothing but itself.
LP_MUST_CHECK static int files_rank(struct lp_cmd *cmd, struct ranking *ranking, int argc,
                                    char **argv)
{
    struct lp_log_states_config config;
    struct lp_log_model *model = NULL;
    size_t top = ranking->config.top;
    int code = lp_log_config_take(cmd, &config, &cmd->err);
    if (code == 0 && ranking->has_model)
        code = lp_log_model_read(cmd, &model, &cmd->err);
    for (int i = 1; i < argc && code == 0; i++) {
        if (!ranking->has_model) {
            lp_log_model_close(model);
            model = lp_log_model_open(&config);
        }
        ranking->config.top = top;
        ranking->config.with_keys = lp_log_model_has_keys(model);
        code = file_rank(cmd, ranking, argv[i], model);
    }
    lp_log_model_close(model);
    return code;
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    struct ranking ranking = {0};
    if (ranking_take(cmd, &ranking, &cmd->err) < 0)
        return lp_log_fail(cmd);
    ranking.has_several = argc > 2;
    if (files_rank(cmd, &ranking, argc, argv) < 0)
        return lp_log_fail(cmd);
    return lp_option_is_given(cmd, "fail") && ranking.found > 0 ? LP_EXIT_FAILED : LP_EXIT_DONE;
}

static const struct lp_option options[] = {
    {"model", 'm', "MODEL", "compare with this; else the log with itself"},
    {"top", 'n', "N", "how many (default 10)"},
    {"list", 0, "NAME", "unexpected, missing, merged (default), s3-message or s3-tag"},
    {"stream", 0, NULL, "judge each line by the past and 11 lines more"},
    {"bits", 0, "B", "only what scores B bits or more"},
    {"fail", 0, NULL, "end with 1 when one scores --bits or more (default 12; unexpected: 22)"},
    LP_LOG_READ_OPTIONS,
    LP_LOG_KEYS_OPTION,
    {0},
};

const struct lp_verb lp_log_verb_rank = {
    .name = "log rank",
    .summary = "Tell the oddest lines of a log, and why",
    .usage = "[-m MODEL] [OPTIONS] FILE...",
    .help =
        "unexpected: how much likelier the log is without the line (or without the next one, as\n"
        "said). missing: how much likelier with a line more behind it. merged: both. s3-message\n"
        "and s3-tag: the scores of Haque, DeLucia and Baseman (2017). With -o json, one object\n"
        "a line: line (1-based), score (bits), list, template, tag, because.",
    .options = options,
    .run = run,
    .least = 1,
    .most = -1,
};
