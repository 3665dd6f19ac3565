// `limpet daemon`.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/daemon_start.h"
#include "cmd/verb.h"
#include "api/daemon.h"

static int background_run(struct lp_cmd *cmd)
{
    if (lp_daemon_start(cmd) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (!cmd->is_quiet)
        printf("the daemon runs for %s\n", cmd->root);
    return LP_EXIT_DONE;
}

// Nothing is started: a person looks at what is left before going on with it.
static int salvage_run(struct lp_cmd *cmd)
{
    struct lp_salvage kept;
    if (lp_daemon_salvage(cmd->root, &kept, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (cmd->is_quiet)
        return LP_EXIT_DONE;
    if (kept.is_sound)
        printf("the journal is sound up to its last record, %" PRIu64 ": nothing was changed\n",
               kept.last_seq);
    else
        printf("the journal goes on behind record %" PRIu64 "; the whole of it is kept beside it "
               "as journal.db.corrupt-*\n"
               "limpet up FILE makes what runs as the file says\n",
               kept.last_seq);
    return LP_EXIT_DONE;
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    (void)argc, (void)argv;
    long ready_fd = -1;
    const char *ready = lp_option_value(cmd, "ready");
    if (lp_option_is_given(cmd, "background"))
        return background_run(cmd);
    if (ready && lp_number_parse(ready, 3, 1 << 20, "--ready", &ready_fd, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (lp_option_is_given(cmd, "salvage"))
        return salvage_run(cmd);
    struct lp_daemon_config config = {.root = cmd->root,
                                      .has_log_file = lp_option_is_given(cmd, "log"),
                                      .ready_fd = (int)ready_fd};
    if (lp_daemon_run(&config, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    return LP_EXIT_DONE;
}

static const struct lp_option options[] = {
    {"foreground", 0, NULL, "stay, and say what happens on standard error (the default)"},
    {"background", 0, NULL, "detach; return when the daemon answers"},
    {"log", 0, NULL, "say it in DIR/daemon.log instead"},
    {"salvage", 0, NULL, "keep the sound part of a damaged journal, and end"},
    {"ready", 0, "FD", NULL},
    {0},
};

const struct lp_verb lp_verb_daemon = {
    .name = "daemon",
    .summary = "Watch over the infrastructures of this Limpet",
    .usage = "[--foreground|--background|--salvage]",
    .help =
        "limpet up starts one in the background when none runs. A daemon may be killed at any\n"
        "time: the nodes go on, and the next one adopts them. SIGTERM ends it in order. A daemon\n"
        "that finds its journal damaged, or of another version, does not run: --salvage keeps the\n"
        "longest run of records that it can use, and the whole file aside.",
    .options = options,
    .run = run,
};
