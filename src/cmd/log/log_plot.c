// `limpet log plot`: a log and a synthetic one as a picture, the oddest lines marked.
#define _GNU_SOURCE // strsep
#include <stdlib.h>
#include <string.h>

#include "cmd/log/log_page.h"
#include "cmd/log/log_parts.h"
#include "base/file.h"
#include "base/handover.h"
#include "base/own.h"
#include "base/str.h"

enum { TOP = 10, TOP_MAX = 1000, TRUTH_BYTES_MAX = 64 * 1024 * 1024 };

struct picture {
    struct lp_log_model *model; // of -m, or an empty one
    struct lp_log_lines lines, synthetic;
    struct lp_log_page page;
};

LP_MUST_CHECK static int truth_read(struct lp_cmd *cmd, const char *path, struct lp_log_page *page)
{
    LP_OWNS_STR struct lp_str text = {0};
    if (lp_file_read(path, TRUTH_BYTES_MAX, &text, &cmd->err) < 0)
        return cmd->err.code;
    uint64_t *truth = lp_arena_new_array(cmd->arena, uint64_t, text.bytes + 1);
    char *at = text.text;
    for (char *line; at && (line = strsep(&at, "\n"));) {
        char *end;
        if (!*line)
            continue;
        truth[page->truth_count++] = strtoull(line, &end, 10);
        if (*end || line[0] < '0' || line[0] > '9')
            return lp_err_set(&cmd->err, LP_EINPUT, "%s: '%s' is no number of a line", path, line);
    }
    page->truth = truth;
    return 0;
}

// Walk over the model of -m, or over one of the log itself.
static void walk(struct lp_cmd *cmd, struct picture *picture, uint64_t seed)
{
    size_t count = picture->lines.count;
    picture->page.has_model = lp_option_is_given(cmd, "model");
    if (!picture->page.has_model)
        lp_log_model_train(picture->model, &picture->lines, 0, count);
    uint16_t *states = lp_arena_new_array(cmd->arena, uint16_t, count + 1);
    lp_log_model_walk(picture->model, seed, states, count);
    picture->synthetic = (struct lp_log_lines){.states = states, .count = count};
    picture->page.synthetic = &picture->synthetic;
    picture->page.similarity_ppm =
        1000000 - lp_log_model_distance_ppm(picture->model, picture->page.has_model
                                                                ? &picture->lines
                                                                : &picture->synthetic);
}

LP_MUST_CHECK static int picture_draw(struct lp_cmd *cmd, struct picture *picture, const char *path)
{
    struct lp_log_page *page = &picture->page;
    const char *truth = lp_option_value(cmd, "truth");
    long top, seed;
    if (lp_log_number(cmd, "top", 0, TOP_MAX, TOP, &top, &cmd->err) < 0 ||
        lp_log_number(cmd, "seed", 0, INT64_MAX, 1, &seed, &cmd->err) < 0 ||
        lp_log_file_states(cmd, path, lp_log_model_states(picture->model), &picture->lines,
                           &cmd->err) < 0 ||
        (truth && truth_read(cmd, truth, page) < 0))
        return cmd->err.code;
    if (picture->lines.count == 0)
        return lp_err_set(&cmd->err, LP_EINPUT, "%s has no lines", path);
    struct lp_log_verdict *verdicts =
        lp_arena_new_array(cmd->arena, struct lp_log_verdict, 2 * (size_t)top + 1);
    const struct lp_log_rank_config config = {.list = LP_LOG_MERGED, .top = 2 * (size_t)top};
    if (top > 0)
        lp_log_rank(picture->model, &picture->lines, &config, verdicts, &page->verdict_count);
    page->verdict_count = lp_log_verdicts_once(verdicts, page->verdict_count, (size_t)top);
    walk(cmd, picture, (uint64_t)seed);
    page->verdicts = verdicts;
    page->title = path;
    page->real = &picture->lines;
    page->states = lp_log_model_states(picture->model);
    LP_OWNS_STR struct lp_str text = {0};
    lp_log_page_print(page, &text);
    return lp_handover_write(lp_option_value(cmd, "out"), text.text, text.bytes, 0644, &cmd->err);
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    (void)argc;
    struct lp_log_states_config config;
    struct picture picture = {0};
    int code = 0;
    if (!lp_option_is_given(cmd, "out"))
        code = lp_err_set(&cmd->err, LP_EINPUT, "-o says where the page goes");
    else
        code = lp_handover_check_file(lp_option_value(cmd, "out"), &cmd->err);
    if (code == 0 && lp_option_is_given(cmd, "model"))
        code = lp_log_model_read(cmd, &picture.model, &cmd->err);
    else if (code == 0 && (code = lp_log_config_take(cmd, &config, &cmd->err)) == 0)
        picture.model = lp_log_model_open(&config);
    if (code == 0)
        code = picture_draw(cmd, &picture, argv[1]);
    lp_log_lines_release(&picture.lines);
    lp_log_model_close(picture.model);
    return code < 0 ? lp_log_fail(cmd) : LP_EXIT_DONE;
}

static const struct lp_option options[] = {
    {"out", 'o', "PAGE", "the HTML file; it needs no other"},
    {"model", 'm', "MODEL", "compare with this and walk over it; else over the log itself"},
    {"top", 'n', "N", "how many of the oddest lines are marked (default 10)"},
    {"truth", 0, "FILE", "mark the lines of this file, too (limpet log inject makes it)"},
    {"seed", 0, "S", "of the walk (default 1)"},
    LP_LOG_READ_OPTIONS,
    {0},
};

const struct lp_verb lp_log_verb_plot = {
    .name = "log plot",
    .summary = "Draw a log beside a synthetic one, what is odd marked",
    .usage = "FILE -o PAGE [-m MODEL] [--truth FILE] [OPTIONS]",
    .help =
        "Across: the line; up: its state, in the order of first appearance; the color: its tag.\n"
        "After figures 1 and 2 of Haque, DeLucia and Baseman (2017).",
    .options = options,
    .run = run,
    .least = 1,
    .most = 1,
};
