// limpet forward CONF: the forwarder of published ports; the daemon starts it.
#include "drivers/network/forward.h"

#include "cmd/verb.h"

static int forward_run(struct lp_cmd *cmd, int argc, char **argv)
{
    (void)argc;
    if (lp_forward_run(argv[1], &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    return LP_EXIT_DONE;
}

const struct lp_verb lp_verb_forward = {
    .name = "forward",
    .summary = "Carry published ports to the nodes",
    .usage = "CONF",
    .run = forward_run,
    .least = 1,
    .most = 1,
    .is_hidden = true,
};
