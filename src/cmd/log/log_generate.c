// `limpet log generate`: a synthetic log, by a random walk over the chain.
#include <inttypes.h>
#include <stdio.h>

#include "cmd/log/log_parts.h"
#include "base/own.h"
#include "base/str.h"

enum { LINES_MAX = 100000000, DAY_S = 24 * 3600 };

// As RFC 3164, one line a second of January, so that what reads logs finds the tag again.
static void head_print(const char *tag, size_t at)
{
    printf("Jan %2zu %02zu:%02zu:%02zu synthetic %s: ", at / DAY_S % 28 + 1, at / 3600 % 24,
           at / 60 % 60, at % 60, tag);
}

static void state_print(const struct lp_cmd *cmd, const struct lp_log_states *states,
                        uint16_t state, size_t at)
{
    struct lp_log_template template = lp_log_states_get(states, state);
    if (!cmd->is_json) {
        if (template.tag[0])
            head_print(template.tag, at);
        puts(template.text);
        return;
    }
    LP_OWNS_STR struct lp_str out = {0};
    lp_str_printf(&out, "{\"line\":%zu,\"state\":%u,\"tag\":", at + 1, state);
    lp_str_add_json(&out, template.tag);
    lp_str_add(&out, ",\"template\":");
    lp_str_add_json(&out, template.text);
    lp_str_add_char(&out, '}');
    puts(lp_str_text(&out));
}

// How alike the walk and the log are: 1 minus the total variation of their neighbours.
static void similarity_print(const struct lp_cmd *cmd, uint32_t distance_ppm, size_t count)
{
    uint32_t alike = 1000000 - distance_ppm;
    if (cmd->is_json)
        printf("{\"lines\":%zu,\"similarity\":%u.%06u}\n", count, alike / 1000000, alike % 1000000);
    else if (!cmd->is_quiet)
        fprintf(stderr, "similarity of neighbours to the log that was learnt: %u.%03u\n",
                alike / 1000000, alike % 1000000 / 1000);
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    (void)argc, (void)argv;
    struct lp_log_model *model = NULL;
    long count, seed;
    if (!lp_option_is_given(cmd, "model"))
        lp_err_set(&cmd->err, LP_EINPUT, "-m says which model");
    if (!lp_option_is_given(cmd, "model") ||
        lp_log_number(cmd, "lines", 1, LINES_MAX, 1000, &count, &cmd->err) < 0 ||
        lp_log_number(cmd, "seed", 0, INT64_MAX, 1, &seed, &cmd->err) < 0 ||
        lp_log_model_read(cmd, &model, &cmd->err) < 0)
        return lp_log_fail(cmd);
    uint16_t *states = lp_arena_new_array(cmd->arena, uint16_t, (size_t)count);
    lp_log_model_walk(model, (uint64_t)seed, states, (size_t)count);
    for (size_t i = 0; i < (size_t)count && states[i] != LP_LOG_NOTHING; i++)
        state_print(cmd, lp_log_model_states(model), states[i], i);
    const struct lp_log_lines lines = {.states = states, .count = (size_t)count};
    similarity_print(cmd, lp_log_model_distance_ppm(model, &lines), (size_t)count);
    lp_log_model_close(model);
    return LP_EXIT_DONE;
}

static const struct lp_option options[] = {
    {"model", 'm', "MODEL", "the model to walk over"},
    {"lines", 'n', "N", "how many lines (default 1000)"},
    {"seed", 0, "S", "of its chance (default 1)"},
    {0},
};

const struct lp_verb lp_log_verb_generate = {
    .name = "log generate",
    .summary = "Make a synthetic log from a model",
    .usage = "-m MODEL [-n N] [--seed S]",
    .help =
        "A random walk: each line drawn from those that followed the one before. How alike the\n"
        "neighbours of the two logs are is told on standard error (1: the same shares).",
    .options = options,
    .run = run,
};
