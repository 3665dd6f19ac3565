// `limpet events`: the journal in sentences.
#include <stdio.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/progress.h"
#include "cmd/table.h"
#include "cmd/target.h"
#include "cmd/verb.h"
#include "base/own.h"
#include "base/str.h"

enum { SHOWN_DEFAULT = 30, SHOWN_MAX = 5000 };

struct view {
    struct lp_cmd *cmd;
    struct lp_client *client;
    const char *infra, *node;
    char after[24];
    bool has_all; // also what tells a person nothing
};

static void event_print(const struct view *view, const json_t *event)
{
    LP_OWNS_STR struct lp_str line = {0};
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_cmd cmd = *view->cmd; // `events -f` runs for days: its memory ends with each line
    cmd.arena = &arena;
    if (cmd.is_json) {
        lp_json_show(event);
        return;
    }
    const char *sentence = lp_json_text(event, "sentence"), *text = sentence;
    if (!sentence[0] && view->has_all)
        text = lp_arena_printf(&arena, "(%s)", lp_json_text(event, "kind"));
    if (!text[0])
        return;
    bool is_order = strcmp(lp_json_text(event, "record"), "action") == 0;
    enum lp_color color = sentence[0] ? is_order ? LP_BOLD : LP_PLAIN : LP_DIM;
    lp_color_begin(&line, LP_DIM, cmd.has_color);
    lp_str_add(&line, lp_time_of_day(&cmd, lp_json_number(event, "at")));
    lp_color_end(&line, LP_DIM, cmd.has_color);
    lp_str_printf(&line, "  %-20s  ", lp_json_text(event, "subject"));
    lp_color_begin(&line, color, cmd.has_color);
    lp_text_fit(&line, text, 4000);
    lp_color_end(&line, color, cmd.has_color);
    puts(lp_str_text(&line));
}

// One page of the journal; returns how many records there were, or an error.
static int page_print(struct view *view, const char *limit, const char *wait_ms)
{
    json_t *answer = NULL;
    const json_t *event;
    size_t i;
    struct lp_err *err = &view->cmd->err;
    if (lp_client_get(view->client, &answer, err, "/v1/events", "infrastructure", view->infra,
                      "node", view->node, "after", view->after[0] ? view->after : NULL, "limit",
                      limit, "told", view->has_all ? NULL : "true", "wait_ms", wait_ms,
                      LP_QUERY_END) < 0)
        return err->code;
    const json_t *events = json_object_get(answer, "events");
    json_array_foreach (events, i, event) {
        event_print(view, event);
    }
    snprintf(view->after, sizeof(view->after), "%lld", lp_json_number(answer, "next"));
    int count = (int)json_array_size(events);
    json_decref(answer);
    return fflush(stdout) == 0 ? count : lp_err_set(err, LP_EIO, "nobody reads what is printed");
}

static int show(struct view *view, const char *limit)
{
    lp_interrupt_watch();
    int code = page_print(view, limit, NULL);
    bool is_following = lp_option_is_given(view->cmd, "follow");
    while (code >= 0 && is_following && !lp_interrupt_came())
        code = page_print(view, "1000", "20000");
    if (code < 0 && lp_interrupt_came())
        return LP_EXIT_DONE;
    return code < 0 ? lp_cmd_fail(view->cmd, &view->cmd->err) : LP_EXIT_DONE;
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    struct view view = {.cmd = cmd, .infra = cmd->infra, .node = argc > 1 ? argv[1] : NULL};
    const char *shown = lp_option_value(cmd, "last");
    char limit[24];
    long count = SHOWN_DEFAULT;
    if (shown && lp_number_parse(shown, 1, SHOWN_MAX, "-n", &count, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    snprintf(limit, sizeof(limit), "%ld", count);
    view.has_all = lp_option_is_given(cmd, "all");
    if (lp_client_open(cmd->root, &view.client, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    bool needs_infra = view.node && !view.infra;
    int status = needs_infra && lp_target_infra_of(cmd, view.client, view.node, &view.infra) < 0
                     ? lp_cmd_fail(cmd, &cmd->err)
                     : show(&view, limit);
    lp_client_close(view.client);
    return status;
}

static const struct lp_option options[] = {
    {"last", 'n', "N", "the last N of them (default 30)"},
    {"follow", 'f', NULL, "go on with what happens from now on"},
    {"all", 'a', NULL, "also records that tell a person nothing"},
    {0},
};

const struct lp_verb lp_verb_events = {
    .name = "events",
    .summary = "Print what happened and what was done about it",
    .usage = "[-f] [-n N] [-a] [NODE]",
    .help =
        "From the journal, oldest first; what tells a person nothing is left out and not counted\n"
        "unless -a asks for it. With -o json one object a line: seq, at, record\n"
        "(event or action), kind, subject, sentence and body.",
    .options = options,
    .run = run,
    .most = 1,
};
