// `limpet why`: the story of one node.
#include <stdio.h>

#include "cmd/client.h"
#include "cmd/table.h"
#include "cmd/target.h"
#include "cmd/verb.h"
#include "base/own.h"
#include "base/str.h"

enum { SHOWN_DEFAULT = 60 };

static void story_print(struct lp_cmd *cmd, const json_t *story)
{
    size_t i;
    const json_t *sentence, *sentences = json_object_get(story, "sentences");
    size_t count = json_array_size(sentences), first = 0;
    if (count > SHOWN_DEFAULT && !lp_option_is_given(cmd, "all"))
        first = count - SHOWN_DEFAULT;
    if (first)
        printf("(%zu earlier sentences: --all)\n", first);
    json_array_foreach (sentences, i, sentence) {
        LP_OWNS_STR struct lp_str line = {0};
        if (i < first)
            continue;
        lp_color_begin(&line, LP_DIM, cmd->has_color);
        lp_str_add(&line, lp_time_of_day(cmd, lp_json_number(sentence, "at")));
        lp_color_end(&line, LP_DIM, cmd->has_color);
        lp_str_add(&line, "  ");
        lp_text_fit(&line, lp_json_text(sentence, "text"), 4000);
        puts(lp_str_text(&line));
    }
    LP_OWNS_STR struct lp_str line = {0};
    enum lp_color color = lp_health_color(lp_json_text(story, "health"));
    lp_color_begin(&line, color, cmd->has_color);
    lp_text_fit(&line, lp_json_text(story, "summary"), 4000);
    lp_color_end(&line, color, cmd->has_color);
    puts(lp_str_text(&line));
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    (void)argc;
    struct lp_client *client;
    json_t *story = NULL;
    const char *infra = NULL;
    if (lp_client_open(cmd->root, &client, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    int code = lp_target_infra_of(cmd, client, argv[1], &infra);
    if (code == 0)
        code = lp_client_get(client, &story, &cmd->err, "/v1/why", "infrastructure", infra, "node",
                             argv[1], LP_QUERY_END);
    lp_client_close(client);
    if (code < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (cmd->is_json)
        lp_json_show(story);
    else
        story_print(cmd, story);
    json_decref(story);
    return LP_EXIT_DONE;
}

static const struct lp_option options[] = {
    {"all", 'a', NULL, "from the beginning, not the last 60 sentences only"},
    {0},
};

const struct lp_verb lp_verb_why = {
    .name = "why",
    .summary = "Tell the story of a node: why it is as it is",
    .usage = "NODE [-a]",
    .options = options,
    .run = run,
    .least = 1,
    .most = 1,
};
