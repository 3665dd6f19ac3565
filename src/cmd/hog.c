// limpet hog: load on purpose; the fault driver starts it.
#include "drivers/hog.h"

#include <stdlib.h>

#include "cmd/verb.h"

static int hog_run(struct lp_cmd *cmd, int argc, char **argv)
{
    struct lp_hog hog = {.kind = argv[1],
                         .amount = strtoull(argv[2], NULL, 10),
                         .permille = (uint32_t)strtoul(argv[3], NULL, 10),
                         .folder = argc > 4 ? argv[4] : "/"};
    if (lp_hog_run(&hog, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    return LP_EXIT_DONE;
}

const struct lp_verb lp_verb_hog = {
    .name = "hog",
    .summary = "Take processor time, memory, disk or processes away",
    .usage = "KIND AMOUNT SHARE [FOLDER]",
    .run = hog_run,
    .least = 3,
    .most = 4,
    .is_hidden = true,
};
