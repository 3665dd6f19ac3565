// A daemon where there is none: started in the background, waited for.
#define _GNU_SOURCE
#include "cmd/daemon_start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "base/own.h"
#include "base/str.h"

// It replays the journal and looks at all that runs before it answers.
enum { START_WAIT_MS = 120 * 1000, ANSWER_BYTES_MAX = 4096 };

// In the grandchild: nobody's terminal, nobody's folder; then the daemon in this program's place,
// so that its title and its memory are its own.
static _Noreturn void become_daemon(const struct lp_cmd *cmd, int ready_fd)
{
    char ready[32];
    snprintf(ready, sizeof(ready), "--ready=%d", ready_fd);
    int null_fd = open("/dev/null", O_RDWR);
    for (int fd = 0; null_fd >= 0 && fd < 3; fd++)
        dup2(null_fd, fd);
    if (null_fd > 2)
        close(null_fd);
    fcntl(ready_fd, F_SETFD, 0);
    (void)!chdir("/");
    // A daemon started by a test or a terminal must not hold what else they have open.
    for (int fd = 3; fd < 256; fd++)
        if (fd != ready_fd)
            close(fd);
    execl(cmd->program, "limpet", "--root", cmd->root, "daemon", "--log", ready, (char *)NULL);
    dprintf(ready_fd, "run %s: %s", cmd->program, strerror(errno));
    _exit(1);
}

LP_MUST_CHECK static int answer_read(struct lp_cmd *cmd, int fd, struct lp_str *ret_answer)
{
    int64_t waited_ms = 0;
    while (ret_answer->bytes < ANSWER_BYTES_MAX) {
        char bytes[512];
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int ready = poll(&wait, 1, 100);
        waited_ms += ready == 0 ? 100 : 0;
        if (waited_ms >= START_WAIT_MS)
            return lp_err_set(&cmd->err, LP_ETIMEOUT,
                              "the daemon was started and has not answered for %d s; see "
                              "%s/daemon.log",
                              START_WAIT_MS / 1000, cmd->root);
        if (ready <= 0)
            continue;
        ssize_t count = read(fd, bytes, sizeof(bytes));
        if (count <= 0)
            break;
        lp_str_add_n(ret_answer, bytes, (size_t)count);
    }
    return 0;
}

int lp_daemon_start(struct lp_cmd *cmd)
{
    int ends[2];
    LP_OWNS_STR struct lp_str answer = {0};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return lp_err_set(&cmd->err, LP_EIO, "pipe: %s", strerror(errno));
    LP_OWNS_FD int read_fd = ends[0];
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        close(ends[1]);
        return lp_err_set(&cmd->err, LP_EIO, "fork: %s", strerror(errno));
    }
    if (child == 0) {
        setsid();
        if (fork() == 0) // the second one can never get a terminal
            become_daemon(cmd, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    waitpid(child, NULL, 0);
    if (answer_read(cmd, read_fd, &answer) < 0)
        return cmd->err.code;
    if (lp_text_equal(lp_str_text(&answer), "ready\n"))
        return 0;
    if (!answer.bytes)
        return lp_err_set(&cmd->err, LP_EIO,
                          "the daemon ended before it answered; see %s/daemon.log", cmd->root);
    return lp_err_set(&cmd->err, LP_EIO, "the daemon cannot run: %s", lp_str_text(&answer));
}

int lp_daemon_ensure(struct lp_cmd *cmd, struct lp_client *client)
{
    if (lp_client_get(client, NULL, &cmd->err, "/v1/version", LP_QUERY_END) == 0)
        return 0;
    if (!lp_client_is_absent(client))
        return cmd->err.code;
    return lp_daemon_start(cmd);
}
