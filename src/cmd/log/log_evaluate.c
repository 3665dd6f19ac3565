// `limpet log evaluate`: S3's experiment on any set of logs.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/log/log_parts.h"
#include "cmd/table.h"
#include "base/own.h"
#include "base/str.h"

enum { WINDOWS = 7, WINDOWS_MAX = 1000, ANOMALIES = 10, ANOMALIES_MAX = 1000, REPEATS_MAX = 10000 };

struct side { // the logs of --train or of --test
    struct lp_log_lines lines;
    size_t *file_ends; // [file_count] in lines
    size_t file_count;
    struct lp_log_window *windows;
    size_t window_count;
};

LP_MUST_CHECK static int side_read(struct lp_cmd *cmd, const char *option,
                                   struct lp_log_states *states, struct side *side)
{
    side->file_ends = lp_arena_new_array(cmd->arena, size_t, cmd->given_count + 1);
    for (size_t i = 0; i < cmd->given_count; i++) {
        if (strcmp(cmd->given[i].option->name, option) != 0)
            continue;
        if (lp_log_file_states(cmd, cmd->given[i].value, states, &side->lines, &cmd->err) < 0)
            return cmd->err.code;
        side->file_ends[side->file_count++] = side->lines.count;
    }
    return 0;
}

// Are the files of both options the same, in the same order?
static bool is_one_log(const struct lp_cmd *cmd)
{
    const char *names[2] = {"train", "test"};
    size_t at[2] = {0, 0};
    for (;;) {
        for (int k = 0; k < 2; k++)
            while (at[k] < cmd->given_count &&
                   strcmp(cmd->given[at[k]].option->name, names[k]) != 0)
                at[k]++;
        if (at[0] == cmd->given_count || at[1] == cmd->given_count)
            return at[0] == at[1];
        if (strcmp(cmd->given[at[0]++].value, cmd->given[at[1]++].value) != 0)
            return false;
    }
}

// windows 0: each file is one.
static void side_cut(struct lp_cmd *cmd, struct side *side, size_t windows)
{
    side->window_count = windows ? windows : side->file_count;
    side->windows = lp_arena_new_array(cmd->arena, struct lp_log_window, side->window_count + 1);
    for (size_t i = 0; i < side->window_count; i++) {
        size_t first = windows ? side->lines.count * i / windows : (i ? side->file_ends[i - 1] : 0);
        size_t end = windows ? side->lines.count * (i + 1) / windows : side->file_ends[i];
        side->windows[i] = (struct lp_log_window){&side->lines, first, end - first};
    }
}

static const char *cell(struct lp_cmd *cmd, const struct lp_log_figure *figure)
{
    uint32_t mean = (lp_log_figure_mean(figure) + 500) / 1000;
    uint32_t deviation = (lp_log_figure_deviation(figure) + 500) / 1000;
    return lp_arena_printf(cmd->arena, "%u.%03u +-%u.%03u", mean / 1000, mean % 1000,
                           deviation / 1000, deviation % 1000);
}

static void figure_json(const char *name, const struct lp_log_figure *figure)
{
    uint32_t mean = lp_log_figure_mean(figure), deviation = lp_log_figure_deviation(figure);
    printf(",\"%s\":%u.%06u,\"%s_sd\":%u.%06u", name, mean / 1000000, mean % 1000000, name,
           deviation / 1000000, deviation % 1000000);
}

static void result_add(struct lp_cmd *cmd, struct lp_table *table, const int at[3],
                       const struct lp_log_result *result)
{
    const char *pairing = lp_log_pairing_word((enum lp_log_pairing)at[0]);
    const char *damage = lp_log_damage_word((enum lp_log_damage)at[1]);
    const char *list = lp_log_list_word((enum lp_log_list)at[2]);
    if (result->p_at_10.trials == 0)
        return;
    if (cmd->is_json) {
        printf("{\"pairing\":\"%s\",\"anomalies\":\"%s\",\"list\":\"%s\",\"trials\":%" PRIu64,
               pairing, damage, list, result->p_at_10.trials);
        figure_json("p_at_10", &result->p_at_10);
        figure_json("r_at_r", &result->r_at_r);
        puts("}");
        return;
    }
    lp_table_add(cmd, table,
                 (struct lp_cell[]){
                     {pairing, LP_PLAIN},
                     {damage, LP_PLAIN},
                     {list, LP_PLAIN},
                     {lp_arena_printf(cmd->arena, "%" PRIu64, result->p_at_10.trials), LP_DIM},
                     {cell(cmd, &result->p_at_10), LP_PLAIN},
                     {cell(cmd, &result->r_at_r), LP_PLAIN}});
}

static void evaluation_print(struct lp_cmd *cmd, const struct lp_log_evaluation *evaluation)
{
    struct lp_table table = {.columns = 6};
    lp_table_add(cmd, &table,
                 (struct lp_cell[]){{"PAIRING", LP_DIM},
                                    {"ANOMALIES", LP_DIM},
                                    {"LIST", LP_DIM},
                                    {"TRIALS", LP_DIM},
                                    {"P@10", LP_DIM},
                                    {"R@R", LP_DIM}});
    for (int pairing = 0; pairing < LP_LOG_PAIRINGS; pairing++)
        for (int damage = 0; damage < LP_LOG_DAMAGES; damage++)
            for (int list = 0; list < LP_LOG_LISTS; list++)
                result_add(cmd, &table, (const int[]){pairing, damage, list},
                           &evaluation->results[pairing][damage][list]);
    if (!cmd->is_json)
        lp_table_print(cmd, &table);
}

LP_MUST_CHECK static int config_take(struct lp_cmd *cmd, struct lp_log_evaluate_config *config,
                                     long *ret_windows)
{
    long insert, delete, repeats, seed;
    if (lp_log_number(cmd, "windows", 0, WINDOWS_MAX, WINDOWS, ret_windows, &cmd->err) < 0 ||
        lp_log_number(cmd, "insert", 0, ANOMALIES_MAX, ANOMALIES, &insert, &cmd->err) < 0 ||
        lp_log_number(cmd, "delete", 0, ANOMALIES_MAX, ANOMALIES, &delete, &cmd->err) < 0 ||
        lp_log_number(cmd, "repeat", 1, REPEATS_MAX, 1, &repeats, &cmd->err) < 0 ||
        lp_log_number(cmd, "seed", 0, INT64_MAX, 1, &seed, &cmd->err) < 0)
        return cmd->err.code;
    config->insert = (size_t)insert;
    config->delete = (size_t) delete;
    config->repeats = (uint32_t)repeats;
    config->seed = (uint64_t)seed;
    config->is_hard = lp_option_is_given(cmd, "hard");
    config->is_streaming = lp_option_is_given(cmd, "stream");
    return 0;
}

LP_MUST_CHECK static int evaluate(struct lp_cmd *cmd, struct side *train, struct side *test,
                                  struct lp_log_states *states,
                                  struct lp_log_evaluate_config *config)
{
    struct lp_log_evaluation evaluation;
    long windows;
    bool is_one = !lp_option_is_given(cmd, "test") || is_one_log(cmd);
    if (config_take(cmd, config, &windows) < 0 || side_read(cmd, "train", states, train) < 0)
        return cmd->err.code;
    if (!is_one && side_read(cmd, "test", states, test) < 0)
        return cmd->err.code;
    const struct side *tested = is_one ? train : test;
    side_cut(cmd, train, (size_t)windows);
    if (!is_one)
        side_cut(cmd, test, (size_t)windows);
    config->train = train->windows;
    config->train_count = train->window_count;
    config->test = tested->windows;
    config->test_count = tested->window_count;
    if (lp_log_evaluate(states, config, &evaluation, &cmd->err) < 0)
        return cmd->err.code;
    evaluation_print(cmd, &evaluation);
    return 0;
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    (void)argc, (void)argv;
    struct lp_log_states_config form;
    struct side train = {0}, test = {0};
    if (!lp_option_is_given(cmd, "train"))
        lp_err_set(&cmd->err, LP_EINPUT, "--train says which logs are learnt from");
    if (!lp_option_is_given(cmd, "train") || lp_log_config_take(cmd, &form, &cmd->err) < 0)
        return lp_log_fail(cmd);
    struct lp_log_evaluate_config config = {.cleaning = form.cleaning, .with_keys = form.with_keys};
    struct lp_log_states *states = lp_log_states_open(&form);
    int code = evaluate(cmd, &train, &test, states, &config);
    lp_log_lines_release(&train.lines);
    lp_log_lines_release(&test.lines);
    lp_log_states_close(states);
    return code < 0 ? lp_log_fail(cmd) : LP_EXIT_DONE;
}

static const struct lp_option options[] = {
    {"train", 0, "FILE...", "logs that are learnt from"},
    {"test", 0, "FILE...", "logs that are damaged and judged (default: the same)"},
    {"windows", 0, "N", "parts of each side (default 7); 0: each file is one"},
    {"insert", 0, "N", "insertions a trial (default 10)"},
    {"delete", 0, "N", "deletions a trial (default 10)"},
    {"repeat", 0, "R", "trials of each pairing (default 1)"},
    {"seed", 0, "S", "of all chance (default 1)"},
    {"stream", 0, NULL, "judge each line by the past and 11 lines more"},
    {"hard", 0, NULL, "insert types as frequent as they are, delete any line"},
    LP_LOG_READ_OPTIONS,
    LP_LOG_KEYS_OPTION,
    {0},
};

const struct lp_verb lp_log_verb_evaluate = {
    .name = "log evaluate",
    .summary = "Measure what is found of anomalies that are put in",
    .usage = "--train FILE... [--test FILE...] [--windows N] [--repeat R] [OPTIONS]",
    .help =
        "The experiment of Haque, DeLucia and Baseman (2017): each side is cut into equal "
        "windows,\n"
        "each window of the one is learnt, each of the other damaged by insertions, by deletions\n"
        "and by both. P@10: share of the ten highest that is true. R@R: of as many as there are\n"
        "truths. Mean and standard deviation over all pairings and repeats.",
    .options = options,
    .run = run,
};
