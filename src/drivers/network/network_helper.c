// The network's helpers, dnsmasq and the forwarder: started, watched, found again.
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "drivers/network/network_ns.h"
#include "drivers/network/network_parts.h"

enum { HELPER_STEADY_MS = 60000, HELPER_DELAY_MS = 100, HELPER_DELAY_MAX_MS = 10000 };

static const char names_option[] = "--conf-file=";

const char *lp_helper_word(enum lp_helper_kind kind)
{
    return kind == LP_HELPER_NAMES ? "dnsmasq" : "the forwarder of published ports";
}

int lp_helper_watch(struct lp_network_driver *driver, struct lp_infra_net *row,
                    enum lp_helper_kind kind, pid_t pid, struct lp_err *err)
{
    struct lp_helper *helper = &row->helpers[kind];
    helper->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (helper->pidfd < 0)
        return lp_err_set(err, LP_EIO, "watch %s: %s", lp_helper_word(kind), strerror(errno));
    helper->pid = pid;
    helper->status = -1;
    helper->started_ms = lp_monotonic_ms();
    helper->restart_at_ms = INT64_MAX;
    return lp_network_watch(driver, helper->pidfd, row, LP_SOURCE_HELPER, err);
}

// What dnsmasq says when it cannot start goes to a file of its own: "names.log".
LP_MUST_CHECK static int log_open(const struct lp_network_driver *driver,
                                  const struct lp_infra_net *row, enum lp_helper_kind kind,
                                  int *ret_fd, struct lp_err *err)
{
    const char *name = kind == LP_HELPER_NAMES ? "names.log" : "forward.log";
    struct lp_place path = lp_network_file(&driver->env, row->mark.name, name);
    int fd =
        open(path.text, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "open %s: %s", path.text, strerror(errno));
    *ret_fd = fd;
    return 0;
}

// dnsmasq hands its log to the user that it becomes. The log is /dev/null, and that is the
// machine's.
static int giving_bar(void *context, const char **ret_step)
{
    (void)context;
    (void)ret_step;
    (void)prctl(PR_CAPBSET_DROP, CAP_CHOWN, 0, 0, 0); // refused: it runs all the same
    return 0;
}

int lp_helper_start(struct lp_network_driver *driver, struct lp_infra_net *row,
                    enum lp_helper_kind kind, struct lp_err *err)
{
    bool is_names = kind == LP_HELPER_NAMES;
    struct lp_place conf =
        lp_network_file(&driver->env, row->mark.name, is_names ? "dnsmasq.conf" : "forward.conf");
    LP_OWNS_ARENA struct lp_arena arena = {0};
    const char *option = lp_arena_printf(&arena, "%s%s", names_option, conf.text);
    const char *const names_argv[] = {"dnsmasq", "--keep-in-foreground", option, NULL};
    const char *const ports_argv[] = {driver->program, "forward", conf.text, NULL};
    LP_OWNS_FD int log_fd = -1;
    LP_OWNS_FD int netns_fd = -1;
    int code = log_open(driver, row, kind, &log_fd, err);
    if (code == 0)
        code = lp_netns_open(lp_place_netns(&driver->env, row->mark.name).text, &netns_fd, err);
    if (code < 0)
        return code;
    struct lp_child_spec spec = {.argv = is_names ? names_argv : ports_argv,
                                 .netns_fd = is_names ? netns_fd : 0,
                                 .is_detached = true,
                                 .prepare = is_names ? giving_bar : NULL,
                                 .has_output_fd = true,
                                 .output_fd = log_fd};
    row->helpers[kind].has_spoken = row->helpers[kind].is_killed = false;
    row->helpers[kind].is_wanted = true;
    pid_t pid = 0;
    code = lp_children_spawn(driver->children, &spec, 0, &pid, err);
    if (code < 0)
        return lp_err_wrap(err, "start %s%s", lp_helper_word(kind),
                           is_names ? " (package dnsmasq-base)" : "");
    code = lp_helper_watch(driver, row, kind, pid, err);
    if (code < 0)
        (void)kill(pid, SIGKILL);
    return code;
}

static void helper_signal(const struct lp_helper *helper, int number)
{
    if (helper->pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, helper->pidfd, number, NULL, 0);
}

void lp_helper_kill(struct lp_helper *helper)
{
    helper->is_wanted = false;
    helper->is_killed = helper->pidfd >= 0;
    helper->restart_at_ms = INT64_MAX;
    helper_signal(helper, SIGKILL);
}

void lp_helper_hang_up(struct lp_helper *helper)
{
    if (helper->has_spoken) // before, SIGHUP would end it
        helper_signal(helper, SIGHUP);
}

static bool pidfd_has_ended(int pidfd)
{
    // Also true for a zombie that somebody else has to reap. Signal 0 would not tell.
    LP_OWNS_FD int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pidfd, &event) == 0 &&
           epoll_wait(epoll_fd, &event, 1, 0) == 1;
}

bool lp_helper_reap(struct lp_helper *helper)
{
    if (helper->pidfd < 0)
        return true;
    if (!pidfd_has_ended(helper->pidfd))
        return false;
    close(lp_fd_take(&helper->pidfd)); // leaves the epoll too: nobody else holds it
    helper->pid = 0;
    int64_t now_ms = lp_monotonic_ms();
    if (now_ms - helper->started_ms > HELPER_STEADY_MS || helper->is_killed)
        helper->endings = 0;
    if (helper->is_wanted) {
        int64_t delay_ms = helper->endings == 0   ? 0
                           : helper->endings >= 7 ? HELPER_DELAY_MAX_MS
                                                  : HELPER_DELAY_MS << helper->endings;
        helper->restart_at_ms = now_ms + delay_ms;
        helper->endings += !helper->is_killed;
    }
    return true;
}

// Which row and kind a command line belongs to, by the file it was started with, which carries
// the mark. *ret_is_ours: it is of this Limpet, whether or not a row is found.
static struct lp_infra_net *owner_find(const struct lp_network_driver *driver, const char *text,
                                       size_t bytes, enum lp_helper_kind *ret_kind,
                                       bool *ret_is_ours)
{
    struct lp_place folder = lp_network_folder(&driver->env, NULL);
    *ret_is_ours = false;
    for (const char *at = text; at < text + bytes; at += strlen(at) + 1) {
        bool is_names = lp_text_starts(at, names_option);
        const char *path = is_names ? at + sizeof(names_option) - 1 : at;
        size_t start = strlen(folder.text);
        if (strncmp(path, folder.text, start) != 0 || path[start] != '/')
            continue;
        const char *infra = path + start + 1;
        const char *file = strchr(infra, '/');
        if (!file || !lp_text_equal(file, is_names ? "/dnsmasq.conf" : "/forward.conf"))
            continue;
        *ret_kind = is_names ? LP_HELPER_NAMES : LP_HELPER_PORTS;
        *ret_is_ours = true;
        for (size_t i = 0; i < driver->row_capacity; i++) {
            struct lp_infra_net *row = driver->rows[i];
            if (row && strlen(row->mark.name) == (size_t)(file - infra) &&
                strncmp(row->mark.name, infra, (size_t)(file - infra)) == 0)
                return row;
        }
    }
    return NULL;
}

static bool stat_is_same(const char *a, const char *b)
{
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_ino == other.st_ino &&
           one.st_dev == other.st_dev;
}

static void process_adopt(struct lp_network_driver *driver, pid_t pid)
{
    char path[64], text[4097];
    (void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    LP_OWNS_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (bytes <= 0)
        return; // gone, or a thread of the kernel
    text[bytes] = '\0';
    enum lp_helper_kind kind;
    bool is_ours = false;
    struct lp_infra_net *row = owner_find(driver, text, (size_t)bytes, &kind, &is_ours);
    // What runs in a node may call itself as it likes: it has pids of its own.
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
    if (!is_ours || pid == getpid() || !stat_is_same(path, "/proc/self/ns/pid"))
        return;
    bool is_good = false;
    if (row && row->helpers[kind].pidfd < 0) {
        (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
        // Both live in the infrastructure's namespace; one of an earlier namespace is of no use.
        is_good = stat_is_same(path, lp_place_netns(&driver->env, row->mark.name).text) &&
                  lp_helper_watch(driver, row, kind, pid, NULL) == 0;
    }
    if (is_good)
        row->helpers[kind].has_spoken = row->helpers[kind].is_wanted = true;
    else
        (void)kill(pid, SIGKILL);
}

void lp_helpers_adopt(struct lp_network_driver *driver)
{
    LP_OWNS_DIR DIR *processes = opendir("/proc");
    for (struct dirent *at; processes && (at = readdir(processes));) {
        if (isdigit((unsigned char)at->d_name[0]))
            process_adopt(driver, (pid_t)strtol(at->d_name, NULL, 10));
    }
}
