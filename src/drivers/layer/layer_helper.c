// Children of a layer: what enters the node's mount namespace or waits for the kernel, which may in
// turn wait for the layer.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "drivers/layer/layer_parts.h"

enum { TRIES_MAX = 20000, LOOK_BYTES = 4096, GUARD_MS = 100 };

// How a look at one fault goes: through an open file of the layer, in the node.
struct look {
    const struct lp_layer_fault *fault;
    const char *target;
    struct lp_layer_answer *answer;
    int fd;
    bool is_read_only; // the volume is, in the node
};

static void seen(const struct look *look, const char *what)
{
    look->answer->phase = LP_LAYER_SEEN;
    snprintf(look->answer->text, sizeof(look->answer->text), "%s", what);
}

static void refused(const struct look *look, const char *what, int error)
{
    look->answer->phase = LP_LAYER_REFUSED;
    snprintf(look->answer->text, sizeof(look->answer->text), "%s%s%s", what, error ? ": " : "",
             error ? strerror(error) : "");
}

// 0, or the errno.
static int operation_do(const struct look *look, uint32_t operation)
{
    static char bytes[LOOK_BYTES];
    ssize_t got = operation == LP_LAYER_READ    ? pread(look->fd, bytes, sizeof(bytes), 0)
                  : operation == LP_LAYER_WRITE ? pwrite(look->fd, bytes, sizeof(bytes), 0)
                                                : fsync(look->fd);
    return got < 0 ? errno : 0;
}

static const char *operation_word(uint32_t operation)
{
    return operation == LP_LAYER_READ    ? "a read"
           : operation == LP_LAYER_WRITE ? "a write"
                                         : "a sync";
}

static void look_for_error(const struct look *look, uint32_t operation, int wanted)
{
    char text[96];
    for (int i = 0; i < TRIES_MAX; i++) {
        int error = operation_do(look, operation);
        if (error == 0)
            continue;
        if (error != wanted) {
            refused(look, operation_word(operation), error);
            return;
        }
        snprintf(text, sizeof(text), "%s failed: %s", operation_word(operation), strerror(error));
        seen(look, text);
        return;
    }
    refused(look, "nothing failed", 0);
}

static void look_at_full(const struct look *look)
{
    char text[96];
    struct statvfs facts;
    uint64_t leave = look->fault->leave_bytes;
    if (leave == 0) {
        look_for_error(look, LP_LAYER_WRITE, ENOSPC);
        return;
    }
    if (fstatvfs(look->fd, &facts) < 0) {
        refused(look, "ask for the room", errno);
        return;
    }
    uint64_t room = (uint64_t)facts.f_bavail * facts.f_frsize;
    snprintf(text, sizeof(text), "%llu bytes are free", (unsigned long long)room);
    if (room <= leave)
        seen(look, text);
    else
        refused(look, text, 0);
}

static void look_at_slow(const struct look *look, uint32_t operation)
{
    char text[96];
    int64_t least_us = (int64_t)look->fault->delay_us - 5 * (int64_t)look->fault->jitter_us;
    int64_t start_us = lp_monotonic_us();
    int error = operation_do(look, operation);
    int64_t took_us = lp_monotonic_us() - start_us;
    snprintf(text, sizeof(text), "%s took %lld.%03lld ms", operation_word(operation),
             (long long)took_us / 1000, (long long)took_us % 1000);
    // Beside it another fault may stand: that it fails late is as good.
    if (took_us >= least_us)
        seen(look, text);
    else
        refused(look, text, error);
}

// Another fault may forbid to write: then what is written cannot be lost, and that is in force too.
static void look_at_forgetful(const struct look *look)
{
    char bytes[LOOK_BYTES] = "kept beside the file";
    if (pwrite(look->fd, bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes) ||
        pread(look->fd, bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        refused(look, "write and read back", errno);
    else
        seen(look, "what is written is kept beside the files until it is synced");
}

static void look_run(const struct look *look)
{
    bool is_of_reads = look->fault->kind == LP_LAYER_SLOW || look->fault->kind == LP_LAYER_ERROR;
    uint32_t operations = look->fault->operations;
    if (look->is_read_only)
        operations &= is_of_reads ? (uint32_t)LP_LAYER_READ : 0;
    if (operations == 0) {
        refused(look, "the node may not write to this volume anyway", 0);
        return;
    }
    uint32_t operation = operations & LP_LAYER_WRITE  ? LP_LAYER_WRITE
                         : operations & LP_LAYER_READ ? LP_LAYER_READ
                                                      : LP_LAYER_SYNC;
    switch (look->fault->kind) {
    case LP_LAYER_FULL:
        look_at_full(look);
        break;
    case LP_LAYER_READ_ONLY:
        look_for_error(look, LP_LAYER_WRITE, EROFS);
        break;
    case LP_LAYER_SLOW:
        look_at_slow(look, operation);
        break;
    case LP_LAYER_ERROR:
        look_for_error(look, operation, EIO);
        break;
    default:
        look_at_forgetful(look);
        break;
    }
}

// The child enters the node's mount namespace and opens the file to look through.
static void look_enter(struct lp_layer *layer, struct look *look)
{
    char path[LP_LAYER_COOKIE_BYTES + 4096];
    snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)look->fault->pid);
    LP_OWNS_FD int space = open(path, O_RDONLY | O_CLOEXEC);
    if (space < 0 || setns(space, CLONE_NEWNS) < 0) {
        refused(look, "enter the node", errno);
        return;
    }
    snprintf(path, sizeof(path), "%s/%s", look->target, layer->cookie);
    look->fd = open(path, O_RDWR | O_CLOEXEC);
    look->is_read_only = look->fd < 0 && errno == EROFS;
    if (look->is_read_only)
        look->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (look->fd < 0)
        refused(look, "open the file to look through", errno);
}

static const struct lp_layer_answer helperless = {LP_LAYER_REFUSED, "nobody could be sent to look"};

// Start a child. False in the parent; in the child true, and its word goes to *ret_fd.
static bool helper_start(struct lp_layer *layer, struct lp_layer_helper *helper, int *ret_fd)
{
    int ends[2];
    lp_layer_helper_end(layer, helper);
    helper->answer = (struct lp_layer_answer){.phase = LP_LAYER_BUSY};
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        helper->answer = helperless;
        return false;
    }
    // As fork(2), with a handle that stays its own when it has ended and nobody waited for it.
    int pidfd = -1;
    struct clone_args arguments = {
        .flags = CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD};
    pid_t parent = getpid();
    long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        close(layer->listen_fd);
        *ret_fd = ends[1];
        return true;
    }
    close(ends[1]);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = helper};
    helper->pidfd = pid > 0 ? pidfd : -1;
    helper->fd = ends[0];
    if (pid < 0 || epoll_ctl(layer->epoll_fd, EPOLL_CTL_ADD, ends[0], &event) < 0) {
        helper->answer = helperless;
        lp_layer_helper_end(layer, helper);
    }
    return false;
}

_Noreturn static void helper_finish(int fd, const struct lp_layer_answer *answer)
{
    (void)!write(fd, answer, sizeof(*answer));
    _exit(0);
}

// In a child. The kernel waits for pages that are being read before it drops them. Over the layer's
// own handle that would be for ever when the layer is killed meanwhile: what it was asked and did
// not answer fails only when nobody has its handle any more. So the child has one of its own.
static void handle_clone(const struct lp_layer *layer)
{
    uint32_t served_fd = (uint32_t)layer->fuse_fd;
    LP_OWNS_FD int own = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (own >= 0 && ioctl(own, FUSE_DEV_IOC_CLONE, &served_fd) == 0)
        (void)dup3(own, layer->fuse_fd, O_CLOEXEC);
}

// A child of such a child, which has no handle: when the layer is killed, it ends the connection
// that its sibling still holds, so that nobody waits for pages that nobody will read.
static void guard_start(const struct lp_layer *layer)
{
    LP_OWNS_FD int served = (int)syscall(SYS_pidfd_open, getppid(), 0);
    LP_OWNS_FD int helper = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (served < 0 || helper < 0 || layer->connection == 0 || fork() != 0)
        return;
    close(layer->fuse_fd);
    struct pollfd ends[] = {{.fd = helper, .events = POLLIN}, {.fd = served, .events = POLLIN}};
    while (poll(ends, 2, -1) < 0 && errno == EINTR)
        continue;
    // A helper that can end does so now, and the connection with it; its number is free then.
    if (!ends[0].revents && poll(ends, 1, GUARD_MS) == 0)
        lp_layer_connection_end(layer->connection);
    _exit(0);
}

static void caches_drop(struct lp_layer *layer, bool keeps_held)
{
    guard_start(layer);
    handle_clone(layer);
    lp_layer_caches_drop(layer, keeps_held);
}

void lp_layer_look_begin(struct lp_layer *layer, const struct lp_layer_fault *fault)
{
    int fd;
    struct lp_layer_answer answer = {.phase = LP_LAYER_BUSY};
    if (!helper_start(layer, &layer->helpers[fault->kind], &fd))
        return;
    struct look look = {.fault = fault, .target = layer->spec->target, .answer = &answer, .fd = -1};
    // What the kernel has read already would hide that the disk is slow or broken.
    caches_drop(layer, true);
    close(layer->fuse_fd); // the mount must not outlive the layer for our sake
    look_enter(layer, &look);
    if (look.fd >= 0)
        look_run(&look);
    helper_finish(fd, &answer);
}

void lp_layer_drop_begin(struct lp_layer *layer, uint32_t kind)
{
    int fd;
    static const struct lp_layer_answer over = {.phase = LP_LAYER_NONE};
    if (!helper_start(layer, &layer->helpers[kind], &fd))
        return;
    caches_drop(layer, false); // what is lost must not be read
    helper_finish(fd, &over);
}

void lp_layer_detach_begin(struct lp_layer *layer, pid_t pid)
{
    int fd;
    struct lp_err err = {0};
    struct lp_layer_answer answer = {.phase = LP_LAYER_NONE};
    if (!helper_start(layer, &layer->helpers[LP_LAYER_KINDS], &fd))
        return;
    close(layer->fuse_fd);
    if (lp_layer_unmount(pid, layer->spec->name, &err) < 0) {
        answer.phase = LP_LAYER_REFUSED;
        snprintf(answer.text, sizeof(answer.text), "%.*s", (int)sizeof(answer.text) - 1, err.text);
    }
    helper_finish(fd, &answer);
}

void lp_layer_helper_end(struct lp_layer *layer, struct lp_layer_helper *helper)
{
    if (helper->fd >= 0) {
        epoll_ctl(layer->epoll_fd, EPOLL_CTL_DEL, helper->fd, NULL);
        close(lp_fd_take(&helper->fd));
    }
    if (helper->pidfd >= 0) { // it may wait for us: it ends when it can
        (void)syscall(SYS_pidfd_send_signal, helper->pidfd, SIGKILL, NULL, 0);
        close(lp_fd_take(&helper->pidfd));
    }
}

void lp_layer_helper_collect(struct lp_layer *layer, struct lp_layer_helper *helper)
{
    struct lp_layer_answer answer = {.phase = LP_LAYER_REFUSED,
                                     .text = "who was to look has ended"};
    ssize_t got = read(helper->fd, &answer, sizeof(answer));
    if (got < 0 && errno == EAGAIN)
        return;
    answer.text[sizeof(answer.text) - 1] = '\0';
    helper->answer = answer;
    lp_layer_helper_end(layer, helper);
}
