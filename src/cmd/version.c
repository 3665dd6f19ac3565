// `limpet version`.
#include <stdio.h>

#include "cmd/verb.h"

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    (void)argc, (void)argv;
    if (cmd->is_json)
        puts("{\"version\":\"" LP_VERSION "\"}");
    else
        puts("limpet " LP_VERSION);
    return LP_EXIT_DONE;
}

const struct lp_verb lp_verb_version = {
    .name = "version",
    .summary = "Say which Limpet this is",
    .usage = "[-o json]",
    .run = run,
};
