// `limpet restart`.
#include "cmd/ask.h"
#include "cmd/verb.h"

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    int status = LP_EXIT_DONE;
    for (int i = 1; i < argc && status == LP_EXIT_DONE; i++)
        status = lp_ask(cmd, "/v1/restart", argv[i], json_pack("{s:s}", "target", argv[i]),
                        lp_arena_printf(cmd->arena, "%s is being restarted", argv[i]));
    return status;
}

const struct lp_verb lp_verb_restart = {
    .name = "restart",
    .summary = "Restart a node, an application or all nodes of a service",
    .usage = "NODE|NODE/APPLICATION|SERVICE...",
    .help = "Also what gave up begins anew, with its whole budget of attempts.",
    .run = run,
    .least = 1,
    .most = -1,
};
