// `limpet break`: faults on purpose.
#include <string.h>

#include "cmd/ask.h"
#include "cmd/verb.h"

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    (void)argc;
    bool is_node = lp_option_is_given(cmd, "node");
    if (strcmp(argv[2], "kill") != 0) {
        lp_err_set(&cmd->err, LP_EINPUT, "there is no fault '%s'; the faults are: kill", argv[2]);
        return lp_cmd_fail(cmd, &cmd->err);
    }
    json_t *body = json_pack("{s:s, s:b}", "target", argv[1], "is_node", is_node);
    return lp_ask(
        cmd, "/v1/break", argv[1], body,
        lp_arena_printf(cmd->arena, "%s%s is being killed; limpet why %.*s tells what follows",
                        is_node ? "node " : "", argv[1], (int)strcspn(argv[1], "/"), argv[1]));
}

static const struct lp_option options[] = {
    {"node", 0, NULL, "kill the whole node"},
    {0},
};

const struct lp_verb lp_verb_break = {
    .name = "break",
    .summary = "Break a node on purpose",
    .usage = "NODE[/APPLICATION] kill [--node]",
    .help = "Kills (with -9) the node's application; the one that is named when it runs several.\n"
            "The controller heals it as any other fault.",
    .options = options,
    .run = run,
    .least = 2,
    .most = 2,
};
