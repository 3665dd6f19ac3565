// `limpet shutdown`.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "cmd/client.h"
#include "cmd/verb.h"
#include "base/own.h"

enum { END_WAIT_MS = 30 * 1000, LOOK_EVERY_MS = 20 };

// The daemon holds the lock until its very end.
static int lock_wait(struct lp_cmd *cmd)
{
    const char *path = lp_arena_printf(cmd->arena, "%s/lock", cmd->root);
    LP_OWNS_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (int ms = 0; fd >= 0 && ms < END_WAIT_MS; ms += LOOK_EVERY_MS) {
        if (flock(fd, LOCK_SH | LOCK_NB) == 0)
            return 0;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_EVERY_MS * 1000000L}, NULL);
    }
    if (fd < 0)
        return 0;
    return lp_err_set(&cmd->err, LP_ETIMEOUT, "the daemon has not ended within %d s",
                      END_WAIT_MS / 1000);
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    (void)argc, (void)argv;
    struct lp_client *client;
    struct lp_call_spec spec = {.method = "POST", .path = "/v1/shutdown"};
    if (lp_client_open(cmd->root, &client, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    int code = lp_client_call(client, &spec, NULL, &cmd->err);
    bool is_absent = lp_client_is_absent(client);
    lp_client_close(client);
    if (code < 0 && is_absent) {
        if (!cmd->is_quiet)
            printf("no daemon runs for %s\n", cmd->root);
        return LP_EXIT_DONE; // what was asked for is so already
    }
    if (code < 0 || lock_wait(cmd) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (!cmd->is_quiet)
        puts("the daemon has ended; the nodes keep running");
    return LP_EXIT_DONE;
}

const struct lp_verb lp_verb_shutdown = {
    .name = "shutdown",
    .summary = "End the daemon; the nodes keep running",
    .usage = "",
    .help = "Nobody heals them then. limpet down takes an infrastructure away.",
    .run = run,
};
