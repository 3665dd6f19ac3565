// limpet layer: a disk that fails on purpose; a driver starts it.
#include "drivers/layer/layer.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/verb.h"

enum { LAYER_HANDLE = 3 }; // where the driver has put it

// FAULT SOCKET TARGET NAME [SOURCE CONNECTION], or: remove PID NAME. FAULT marks whose it is.
static int layer_run(struct lp_cmd *cmd, int argc, char **argv)
{
    int result;
    if (strcmp(argv[1], "remove") == 0) {
        result = lp_layer_unmount((pid_t)strtol(argv[2], NULL, 10), argv[3], &cmd->err);
    } else {
        struct lp_layer_spec spec = {.socket = argv[2],
                                     .target = argv[3],
                                     .name = argc > 4 ? argv[4] : "limpet",
                                     .source = argc > 5 ? argv[5] : NULL,
                                     .connection =
                                         argc > 6 ? (uint32_t)strtoul(argv[6], NULL, 10) : 0,
                                     .handle = LAYER_HANDLE};
        result = lp_layer_run(&spec, &cmd->err);
    }
    return result < 0 ? lp_cmd_fail(cmd, &cmd->err) : LP_EXIT_DONE;
}

const struct lp_verb lp_verb_layer = {
    .name = "layer",
    .summary = "Serve a volume whose disk is full, slow or broken",
    .usage = "FAULT SOCKET TARGET NAME [SOURCE CONNECTION] | remove PID NAME",
    .run = layer_run,
    .least = 3,
    .most = 6,
    .is_hidden = true,
};
