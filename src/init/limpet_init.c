// limpet-init: PID 1 of every node. Starts, stops and reaps its applications as the daemon orders,
// keeps their output, runs commands for exec; goes on without the daemon and tells what it missed.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/app.h"
#include "init/halt.h"
#include "init/launch.h"
#include "init/loop.h"
#include "init/news.h"
#include "init/output.h"
#include "init/peer.h"
#include "init/session.h"
#include "base/clock.h"
#include "base/err.h"

struct options {
    const char *node, *log_folder, *done_folder;
    uint32_t incarnation;
    int listen_fd;
    uint64_t capabilities;
};

static bool has_reaped;

static void options_parse(int argc, char **argv, struct options *ret_options)
{
    static const struct option known[] = {
        {"node", required_argument, NULL, 'n'},
        {"incarnation", required_argument, NULL, 'i'},
        {"listen-fd", required_argument, NULL, 'l'},
        {"log", required_argument, NULL, 'o'},
        {"capabilities", required_argument, NULL, 'c'},
        {"done", required_argument, NULL, 'd'},
        {"preload", required_argument, NULL, 'p'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    *ret_options = (struct options){"", "/.limpet/log", "/.limpet/done", 0, 3, UINT64_MAX};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'n':
            ret_options->node = optarg;
            break;
        case 'i':
            ret_options->incarnation = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'l':
            ret_options->listen_fd = atoi(optarg);
            break;
        case 'o':
            ret_options->log_folder = optarg;
            break;
        case 'd':
            ret_options->done_folder = optarg;
            break;
        case 'c':
            ret_options->capabilities = strtoull(optarg, NULL, 16);
            break;
        case 'p':
            lp_launch_preload_set(optarg);
            break;
        case 'v':
            puts("limpet-init " LP_VERSION);
            exit(0);
        default:
            fputs("usage: limpet-init [--node NAME] [--incarnation N] [--listen-fd N]"
                  " [--log DIR] [--done DIR] [--capabilities HEX] [--preload FILE]\n",
                  stderr);
            exit(2);
        }
    }
}

static void children_reap(void)
{
    int status = 0;
    pid_t pid = 0;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        has_reaped = true;
        if (!lp_app_reap(pid, status))
            lp_session_reap(pid, status); // or an orphan: reaping was all it needed
    }
}

static void signals_ready(void *self, uint32_t events)
{
    const struct lp_watch *watch = self;
    struct signalfd_siginfo got;
    (void)events;
    while (read(watch->fd, &got, sizeof(got)) == (ssize_t)sizeof(got))
        if (got.ssi_signo == SIGTERM || got.ssi_signo == SIGINT)
            lp_halt_begin(LP_HALT_GRACE_MS);
    children_reap();
}

static void signals_open(void)
{
    static struct lp_watch watch = {signals_ready, &watch, -1};
    sigset_t set;
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); // whatever the runtime ignored, our children would
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_SETMASK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    int code = fd < 0 ? -1 : lp_loop_add(&watch, fd, EPOLLIN);
    lp_assert(code == 0);
}

// 0, 1, 2 exist; the listening socket stays here; no other fd gets into the node.
static void fds_prepare(int listen_fd)
{
    int fd = 0;
    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= 2);
    if (fd > 2 && fd != listen_fd)
        close(fd);
    if (listen_fd > 3)
        close_range(3, (unsigned)listen_fd - 1, 0);
    close_range((unsigned)listen_fd + 1, UINT32_MAX, 0);
    fcntl(listen_fd, F_SETFD, FD_CLOEXEC);
    fcntl(listen_fd, F_SETFL, O_NONBLOCK);
}

static void boot_id_make(char ret_text[17])
{
    uint64_t number = 0;
    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
        number = (uint64_t)lp_wall_ms(); // just has to differ from the life before
    snprintf(ret_text, 17, "%016llx", (unsigned long long)number);
}

static int timeout_ms(int64_t now_ms)
{
    int64_t wake_ms = lp_apps_wake_ms();
    if (lp_sessions_wake_ms() < wake_ms)
        wake_ms = lp_sessions_wake_ms();
    if (lp_halt_wake_ms() < wake_ms)
        wake_ms = lp_halt_wake_ms();
    if (wake_ms == INT64_MAX)
        return -1;
    int64_t wait_ms = wake_ms - now_ms;
    return wait_ms < 0 ? 0 : wait_ms > INT32_MAX ? INT32_MAX : (int)wait_ms;
}

// As PID 1 leaving is enough: the kernel kills the rest of the node. Anywhere else (a test) what is
// left is ended by hand.
static void node_end(void)
{
    if (getpid() == 1)
        kill(-1, SIGKILL);
    lp_control_flush();
}

int main(int argc, char **argv)
{
    static char boot[17];
    struct options options;
    options_parse(argc, argv, &options);
    fds_prepare(options.listen_fd);
    if (getpid() != 1)
        prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_DUMPABLE, 0); // the node's applications cannot reach our memory and fds
    umask(022);
    if (chdir("/") < 0)
        return 1;
    boot_id_make(boot);
    lp_loop_open();
    signals_open();
    lp_launch_capabilities_set(options.capabilities);
    lp_output_folder_set(options.log_folder);
    lp_news_open(&(struct lp_news_self){options.node, boot, options.incarnation});
    lp_apps_open(options.done_folder);
    lp_sessions_open();
    lp_peers_open(options.listen_fd);
    for (;;) {
        int64_t now_ms = lp_monotonic_ms();
        bool reaped_before = has_reaped;
        has_reaped = false;
        lp_apps_timers(now_ms, reaped_before);
        lp_sessions_timers(now_ms);
        if (lp_halt_step(now_ms))
            break;
        lp_loop_wait(timeout_ms(now_ms));
    }
    node_end();
    return 0;
}
