// `limpet log train` and `limpet log merge`: models of logs.
#include <stdio.h>

#include "cmd/log/log_parts.h"
#include "base/handover.h"

// A number of lines, and of templates that were seen.
static void model_tell(const struct lp_cmd *cmd, struct lp_log_model *model, const char *path)
{
    const struct lp_log_states *states = lp_log_model_states(model);
    size_t count = lp_log_states_count(states);
    if (!cmd->is_quiet)
        printf("%s: %zu template%s\n", path, count, count == 1 ? "" : "s");
}

static int train(struct lp_cmd *cmd, int argc, char **argv)
{
    struct lp_log_states_config config;
    const char *path = lp_option_value(cmd, "out");
    if (!path)
        lp_err_set(&cmd->err, LP_EINPUT, "-o says where the model goes");
    if (!path || lp_log_config_take(cmd, &config, &cmd->err) < 0 ||
        lp_handover_check_file(path, &cmd->err) < 0)
        return lp_log_fail(cmd);
    struct lp_log_model *model = lp_log_model_open(&config);
    struct lp_log_lines lines = {0};
    int code = 0;
    size_t total = 0;
    for (int i = 1; i < argc && code == 0; i++) {
        lines.count = 0;
        code = lp_log_file_states(cmd, argv[i], lp_log_model_states(model), &lines, &cmd->err);
        if (code == 0)
            lp_log_model_train(model, &lines, 0, lines.count);
        if (code == 0 && !cmd->is_quiet)
            printf("%s: %zu lines, format %s\n", argv[i], lines.count,
                   lp_log_format_word(lp_log_states_format(lp_log_model_states(model))));
        total += lines.count;
    }
    if (code == 0 && total == 0)
        code = lp_err_set(&cmd->err, LP_EINPUT, "there is nothing to learn from: no lines");
    if (code == 0)
        code = lp_log_model_save(model, path, &cmd->err);
    if (code == 0)
        model_tell(cmd, model, path);
    lp_log_lines_release(&lines);
    lp_log_model_close(model);
    return code < 0 ? lp_log_fail(cmd) : LP_EXIT_DONE;
}

static const struct lp_option train_options[] = {
    {"out", 'o', "MODEL", "where the model goes"},
    LP_LOG_READ_OPTIONS,
    LP_LOG_KEYS_OPTION,
    {0},
};

const struct lp_verb lp_log_verb_train = {
    .name = "log train",
    .summary = "Learn what usually follows what",
    .usage = "-o MODEL [OPTIONS] FILE...",
    .help =
        "Each file is a stretch of its own: nothing is learnt across their seams. The model is\n"
        "counts, with a checksum; models of many machines add up (limpet log merge).",
    .options = train_options,
    .run = train,
    .least = 1,
    .most = -1,
};

static int merge(struct lp_cmd *cmd, int argc, char **argv)
{
    const char *path = lp_option_value(cmd, "out");
    struct lp_log_model *sum = NULL, *next = NULL;
    int code = path ? lp_handover_check_file(path, &cmd->err)
                    : lp_err_set(&cmd->err, LP_EINPUT, "-o says where the sum goes");
    if (code == 0)
        code = lp_log_model_load(argv[1], &sum, &cmd->err);
    for (int i = 2; i < argc && code == 0; i++) {
        code = lp_log_model_load(argv[i], &next, &cmd->err);
        if (code == 0 && lp_log_model_merge(sum, next, &cmd->err) < 0)
            code = lp_err_wrap(&cmd->err, "%s", argv[i]);
        lp_log_model_close(next);
        next = NULL;
    }
    if (code == 0)
        code = lp_log_model_save(sum, path, &cmd->err);
    if (code == 0)
        model_tell(cmd, sum, path);
    lp_log_model_close(sum);
    return code < 0 ? lp_log_fail(cmd) : LP_EXIT_DONE;
}

static const struct lp_option merge_options[] = {
    {"out", 'o', "MODEL", "where the sum goes; may be one of them"},
    {0},
};

const struct lp_verb lp_log_verb_merge = {
    .name = "log merge",
    .summary = "Add models up",
    .usage = "-o MODEL MODEL...",
    .help = "As if one had been trained on the logs of all of them.",
    .options = merge_options,
    .run = merge,
    .least = 1,
    .most = -1,
};
