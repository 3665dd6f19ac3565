// `limpet log sessions train` and `score`: is a request, a block, an instance like those before.
#include <inttypes.h>
#include <stdio.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/log/log_parts.h"

enum { ALLOWED = 5, SEED = 1 };

// Raw lines: their templates go into `states`, which is made when it is NULL.
LP_MUST_CHECK static int lines_group(const struct lp_cmd *cmd, const struct lp_str *bytes,
                                     struct lp_log_states **states,
                                     struct lp_log_sessions *ret_sessions, struct lp_err *err)
{
    struct lp_log_states_config config;
    if (lp_log_config_take(cmd, &config, err) < 0)
        return err->code;
    if (*states)
        lp_log_states_format_set(*states, config.format);
    else
        *states = lp_log_states_open(&config);
    struct lp_log_lines lines = {0};
    lp_log_states_feed(*states, lp_str_text(bytes), bytes->bytes, &lines);
    lp_log_states_end(*states, &lines);
    int code = lp_log_sessions_group(lp_str_text(bytes), bytes->bytes,
                                     lp_option_value(cmd, "group-by"), &lines, ret_sessions, err);
    lp_log_lines_release(&lines);
    return code;
}

LP_MUST_CHECK static int sessions_read(struct lp_cmd *cmd, const char *path,
                                       struct lp_log_states **states,
                                       struct lp_log_sessions *ret_sessions, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str bytes = {0};
    if (lp_log_file_whole(cmd, path, &bytes, err) < 0)
        return err->code;
    if (lp_option_is_given(cmd, "group-by"))
        return lines_group(cmd, &bytes, states, ret_sessions, err);
    if (lp_log_sessions_parse(lp_str_text(&bytes), bytes.bytes, ret_sessions, err) < 0) {
        // the text begins with line:column
        struct lp_err inner = *err;
        return lp_err_set(err, inner.code, "%s:%s", path, inner.text);
    }
    return 0;
}

// ---- train

LP_MUST_CHECK static int config_take(const struct lp_cmd *cmd,
                                     struct lp_log_session_config *ret_config, struct lp_err *err)
{
    long allowed = ALLOWED, seed = SEED;
    if (lp_log_number(cmd, "allowed", 0, 1000000, ALLOWED, &allowed, err) < 0 ||
        lp_log_number(cmd, "seed", 0, INT32_MAX, SEED, &seed, err) < 0)
        return err->code;
    *ret_config = (struct lp_log_session_config){
        .with_order = lp_option_is_given(cmd, "order"),
        .allowed = (uint32_t)allowed,
        .seed = (uint64_t)seed,
    };
    return 0;
}

static void trained_tell(const struct lp_cmd *cmd, const struct lp_log_session_model *model,
                         const char *path)
{
    if (cmd->is_quiet)
        return;
    printf("%s: %" PRIu64 " sessions\n", path, lp_log_session_model_trained(model));
    uint32_t left_out = lp_log_session_model_left_out(model);
    if (left_out)
        printf("the %" PRIu32 " rarest events are known, but their counts are not judged\n",
               left_out);
}

static int train(struct lp_cmd *cmd, int argc, char **argv)
{
    (void)argc;
    struct lp_log_session_config config;
    const char *path = lp_option_value(cmd, "out");
    if (!path)
        lp_err_set(&cmd->err, LP_EINPUT, "-o says where the model goes");
    if (!path || config_take(cmd, &config, &cmd->err) < 0)
        return lp_log_fail(cmd);
    struct lp_log_states *states = NULL;
    struct lp_log_sessions sessions = {0};
    struct lp_log_session_model *model = NULL;
    int code = sessions_read(cmd, argv[1], &states, &sessions, &cmd->err);
    config.states = states;
    if (code == 0 && states && sessions.count == 0)
        code =
            lp_err_set(&cmd->err, LP_EINPUT, "%s: no line has what --group-by looks for", argv[1]);
    if (code == 0)
        code = lp_log_session_train(&sessions, &config, &model, &cmd->err);
    if (code == 0)
        code = lp_log_session_model_save(model, path, &cmd->err);
    if (code == 0)
        trained_tell(cmd, model, path);
    lp_log_session_model_close(model);
    lp_log_sessions_release(&sessions);
    if (states)
        lp_log_states_close(states);
    return code < 0 ? lp_log_fail(cmd) : LP_EXIT_DONE;
}

#define GROUP_OPTION                                                                              \
    {                                                                                             \
        "group-by", 0, "REGEX", "FILE is a log: a session is the lines with the same first (...)" \
    }

static const struct lp_option train_options[] = {
    {"out", 'o', "MODEL", "where the model goes"},
    GROUP_OPTION,
    LP_LOG_FORMAT_OPTION,
    {"order", 0, NULL, "judge the sum of all counts and the order of events too"},
    {"allowed", 0, "N", "sessions of training that may lie above a threshold (5)"},
    {"seed", 0, "N", "of the ten parts that the thresholds come from (1)"},
    {0},
};

const struct lp_verb lp_log_verb_sessions_train = {
    .name = "log sessions train",
    .summary = "Learn how many of which event a session has",
    .usage = "-o MODEL [OPTIONS] FILE",
    .help = "FILE has one session a line: event numbers separated by blanks, \"NAME,\" may stand\n"
            "before them. All of them should be normal. Thresholds come from FILE alone: nine\n"
            "tenths judge the last tenth, ten times.",
    .options = train_options,
    .run = train,
    .least = 1,
    .most = 1,
};

// ---- score

static void score_print(struct lp_cmd *cmd, const struct lp_log_session_model *model,
                        const struct lp_log_session *session,
                        const struct lp_log_session_verdict *verdict)
{
    LP_OWNS_STR struct lp_str because = {0};
    LP_OWNS_STR struct lp_str out = {0};
    lp_log_session_explain(model, verdict, &because);
    const char *channel = lp_log_channel_word(verdict->channel);
    if (!cmd->is_json && session->name)
        printf("%s: %s: %s\n", session->name, channel, lp_str_text(&because));
    else if (!cmd->is_json)
        printf("%zu: %s: %s\n", session->line, channel, lp_str_text(&because));
    if (!cmd->is_json)
        return;
    lp_str_add(&out, "{\"session\":");
    if (session->name)
        lp_str_add_json(&out, session->name);
    else
        lp_str_printf(&out, "%zu", session->line);
    lp_str_printf(&out, ",\"anomalous\":%s,\"channel\":\"%s\",\"score\":",
                  verdict->is_anomalous ? "true" : "false", channel);
    lp_log_bits_json(&out, verdict->score);
    lp_str_add(&out, ",\"because\":");
    lp_str_add_json(&out, lp_str_text(&because));
    lp_str_add_char(&out, '}');
    puts(lp_str_text(&out));
}

// How many are anomalous. In text only those are told.
static size_t sessions_judge(struct lp_cmd *cmd, const struct lp_log_session_model *model,
                             const struct lp_log_sessions *sessions)
{
    size_t anomalous = 0;
    for (size_t i = 0; i < sessions->count; i++) {
        struct lp_log_session_verdict verdict;
        lp_log_session_score(model, sessions, i, &verdict);
        anomalous += verdict.is_anomalous;
        if (!cmd->is_json && !verdict.is_anomalous)
            continue;
        score_print(cmd, model, &sessions->sessions[i], &verdict);
    }
    if (cmd->is_json)
        printf("{\"sessions\":%zu,\"anomalous\":%zu}\n", sessions->count, anomalous);
    else if (!cmd->is_quiet)
        printf("%zu of %zu sessions are anomalous\n", anomalous, sessions->count);
    return anomalous;
}

LP_MUST_CHECK static int model_read(const struct lp_cmd *cmd,
                                    struct lp_log_session_model **ret_model, struct lp_err *err)
{
    const char *path = lp_option_value(cmd, "model");
    if (!path)
        return lp_err_set(err, LP_EINPUT,
                          "-m says which model; limpet log sessions train makes it");
    int code = lp_log_session_model_load(path, ret_model, err);
    if (code < 0)
        return code;
    bool is_raw = lp_option_is_given(cmd, "group-by");
    if (is_raw == (lp_log_session_model_states(*ret_model) != NULL))
        return 0;
    return lp_err_set(err, LP_EINPUT,
                      is_raw ? "%s was trained on event numbers: without --group-by"
                             : "%s was trained on a log: --group-by says how its lines are grouped",
                      path);
}

static int score(struct lp_cmd *cmd, int argc, char **argv)
{
    (void)argc;
    struct lp_log_session_model *model = NULL;
    struct lp_log_sessions sessions = {0};
    size_t anomalous = 0;
    int code = model_read(cmd, &model, &cmd->err);
    if (code == 0) {
        struct lp_log_states *states = lp_log_session_model_states(model);
        code = sessions_read(cmd, argv[1], &states, &sessions, &cmd->err);
    }
    if (code == 0)
        anomalous = sessions_judge(cmd, model, &sessions);
    lp_log_sessions_release(&sessions);
    lp_log_session_model_close(model);
    if (code < 0)
        return lp_log_fail(cmd);
    return anomalous && lp_option_is_given(cmd, "fail") ? LP_EXIT_FAILED : LP_EXIT_DONE;
}

static const struct lp_option score_options[] = {
    {"model", 'm', "MODEL", "what limpet log sessions train made"},
    GROUP_OPTION,
    LP_LOG_FORMAT_OPTION,
    {"fail", 0, NULL, "exit with 1 when a session is anomalous"},
    {0},
};

const struct lp_verb lp_log_verb_sessions_score = {
    .name = "log sessions score",
    .summary = "Tell which sessions are not like those of training, and why",
    .usage = "-m MODEL [OPTIONS] FILE",
    .help = "With -o json one object a session, and a last one with their numbers. A session\n"
            "without a name is called by its line.",
    .options = score_options,
    .run = score,
    .least = 1,
    .most = 1,
};
