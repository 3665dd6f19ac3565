// limpet hog: load on purpose; the fault driver starts it.
#include "drivers/fault/hog.h"

#include <stdlib.h>

#include "cmd/verb.h"

static int hog_run(struct lp_cmd *cmd, int argc, char **argv)
{
    struct lp_hog hog = {.kind = argv[2], // argv[1]: whose it is, for others to see
                         .amount = strtoull(argv[3], NULL, 10),
                         .permille = (uint32_t)strtoul(argv[4], NULL, 10),
                         .folder = argc > 5 ? argv[5] : "/"};
    if (lp_hog_run(&hog, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    return LP_EXIT_DONE;
}

const struct lp_verb lp_verb_hog = {
    .name = "hog",
    .summary = "Take processor time, memory, disk or processes away",
    .usage = "MARK KIND AMOUNT SHARE [FOLDER]",
    .run = hog_run,
    .least = 4,
    .most = 5,
    .is_hidden = true,
};
