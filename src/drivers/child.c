// Child processes: a set of them watched by epoll (pidfds, output pipes, one timer).
#define _GNU_SOURCE
#include "drivers/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "drivers/child_exec.h"

enum { CHILD_INPUT_MAX = 64 * 1024, CHILD_RUN_MS = 10 * 1000, CHILD_EVENTS = 64 };

struct child {
    uint64_t tag, serial;
    pid_t pid;
    int pidfd, output_fd;
    int64_t deadline_ms; // INT64_MAX: none
    size_t output_max;
    bool is_timed_out, is_detached, has_ended;
    struct lp_str output;
};

struct lp_children {
    int epoll_fd, timer_fd;
    uint64_t next_serial;
    size_t count, capacity;
    struct child **items;
};

int lp_child_status(int wait_status)
{
    return WIFSIGNALED(wait_status) ? 256 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

void lp_child_status_print(int status, struct lp_str *ret_text)
{
    if (status >= 256)
        lp_str_printf(ret_text, "was killed by signal %d (%s)", status - 256,
                      strsignal(status - 256));
    else
        lp_str_printf(ret_text, "exited with code %d", status);
}

int lp_children_open(struct lp_children **ret_children, struct lp_err *err)
{
    LP_OWNS_FD int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    LP_OWNS_FD int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_fd < 0 || timer_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &event) < 0)
        return lp_err_set(err, LP_EIO, "watch children: %s", strerror(errno));
    struct lp_children *children = lp_heap_take(sizeof(*children));
    children->epoll_fd = lp_fd_take(&epoll_fd);
    children->timer_fd = lp_fd_take(&timer_fd);
    *ret_children = children;
    return 0;
}

static void child_free(struct child *child)
{
    if (child->pidfd >= 0)
        close(child->pidfd);
    if (child->output_fd >= 0)
        close(child->output_fd);
    lp_str_release(&child->output);
    lp_heap_free(child);
}

static void child_kill(const struct child *child)
{
    // It leads its own process group from before exec on.
    if (kill(-child->pid, SIGKILL) < 0)
        syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
}

void lp_children_close(struct lp_children *children)
{
    if (!children)
        return;
    for (size_t i = 0; i < children->count; i++) {
        struct child *child = children->items[i];
        if (!child->is_detached) {
            child_kill(child);
            while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
                continue;
        }
        child_free(child);
    }
    close(children->epoll_fd);
    close(children->timer_fd);
    lp_heap_free(children->items);
    lp_heap_free(children);
}

int lp_children_wait_fd(const struct lp_children *children)
{
    return children->epoll_fd;
}

size_t lp_children_count(const struct lp_children *children)
{
    return children->count;
}

static void timer_set(struct lp_children *children)
{
    int64_t at_ms = INT64_MAX;
    for (size_t i = 0; i < children->count; i++) {
        if (children->items[i]->deadline_ms < at_ms)
            at_ms = children->items[i]->deadline_ms;
    }
    struct itimerspec at = {0};
    if (at_ms != INT64_MAX) {
        at.it_value.tv_sec = at_ms / 1000;
        at.it_value.tv_nsec = at_ms % 1000 * 1000000 + 1;
    }
    timerfd_settime(children->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

// A pipe end with the whole input in it: the child reads it whenever it likes.
static int input_open(const char *input, int *ret_fd, struct lp_err *err)
{
    if (!input) {
        *ret_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return *ret_fd < 0 ? lp_err_set(err, LP_EIO, "open /dev/null: %s", strerror(errno)) : 0;
    }
    int ends[2];
    size_t bytes = strlen(input);
    if (bytes > CHILD_INPUT_MAX)
        return lp_err_set(err, LP_EFULL, "input for a child is longer than %d bytes",
                          CHILD_INPUT_MAX);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return lp_err_set(err, LP_EIO, "pipe: %s", strerror(errno));
    int result = lp_fd_nonblocking(ends[1], err);
    if (result == 0)
        result = lp_fd_write(ends[1], input, bytes, err);
    close(ends[1]);
    if (result < 0)
        close(ends[0]);
    else
        *ret_fd = ends[0];
    return result;
}

static int output_open(const struct lp_child_spec *spec, int *ret_read, int *ret_write,
                       struct lp_err *err)
{
    int ends[2] = {-1, -1};
    if (spec->has_output_fd) {
        ends[1] = fcntl(spec->output_fd, F_DUPFD_CLOEXEC, 3);
    } else if (spec->output_max == 0) {
        ends[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
    } else if (pipe2(ends, O_CLOEXEC) < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
        ends[1] = -1;
    }
    if (ends[1] < 0)
        return lp_err_set(err, LP_EIO, "output of a child: %s", strerror(errno));
    *ret_read = ends[0];
    *ret_write = ends[1];
    return 0;
}

static int child_watch(struct lp_children *children, struct child *child, struct lp_err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = child->serial};
    child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    if (child->pidfd < 0 ||
        epoll_ctl(children->epoll_fd, EPOLL_CTL_ADD, child->pidfd, &event) < 0 ||
        (child->output_fd >= 0 &&
         epoll_ctl(children->epoll_fd, EPOLL_CTL_ADD, child->output_fd, &event) < 0))
        return lp_err_set(err, LP_EIO, "watch child: %s", strerror(errno));
    if (children->count == children->capacity) {
        children->capacity = children->capacity ? children->capacity * 2 : 16;
        children->items = lp_heap_grow(children->items, children->capacity, sizeof(struct child *));
    }
    children->items[children->count++] = child;
    return 0;
}

int lp_children_spawn(struct lp_children *children, const struct lp_child_spec *spec, uint64_t tag,
                      pid_t *ret_pid, struct lp_err *err)
{
    LP_OWNS_FD int input = -1;
    LP_OWNS_FD int output_read = -1;
    LP_OWNS_FD int output_write = -1;
    int result = input_open(spec->input, &input, err);
    if (result == 0)
        result = output_open(spec, &output_read, &output_write, err);
    pid_t pid = -1;
    if (result == 0)
        result = lp_child_exec(spec, input, output_write, &pid, err);
    if (result < 0)
        return result;
    struct child *child = lp_heap_take(sizeof(*child));
    child->tag = tag;
    child->serial = ++children->next_serial;
    child->pid = pid;
    child->pidfd = -1;
    child->output_fd = lp_fd_take(&output_read);
    child->output_max = spec->output_max;
    child->is_detached = spec->is_detached;
    child->deadline_ms = spec->timeout_ms ? lp_monotonic_ms() + spec->timeout_ms : INT64_MAX;
    result = child_watch(children, child, err);
    if (result < 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        child_free(child);
        return result;
    }
    if (spec->timeout_ms)
        timer_set(children);
    if (ret_pid)
        *ret_pid = pid;
    return 0;
}

static void output_read(struct lp_children *children, struct child *child)
{
    char chunk[16 * 1024];
    while (child->output_fd >= 0) {
        ssize_t count = read(child->output_fd, chunk, sizeof(chunk));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return;
        if (count <= 0) {
            epoll_ctl(children->epoll_fd, EPOLL_CTL_DEL, child->output_fd, NULL);
            close(child->output_fd);
            child->output_fd = -1;
            return;
        }
        lp_str_add_n(&child->output, chunk, (size_t)count);
        if (child->output.bytes > 2 * child->output_max) { // keep the last bytes
            size_t drop = child->output.bytes - child->output_max;
            memmove(child->output.text, child->output.text + drop, child->output_max + 1);
            child->output.bytes = child->output_max;
        }
    }
}

// Reap it if it has ended. Output that grandchildren still hold open is not waited for.
static bool child_reap(struct lp_children *children, struct child *child, int *ret_status)
{
    int wait_status;
    pid_t got = waitpid(child->pid, &wait_status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR))
        return false;
    output_read(children, child);
    *ret_status = got < 0 ? 255 : lp_child_status(wait_status);
    return true;
}

static void exit_tell(struct child *child, int status,
                      void (*on_exit)(void *context, const struct lp_child_exit *exit),
                      void *context)
{
    size_t drop =
        child->output.bytes > child->output_max ? child->output.bytes - child->output_max : 0;
    struct lp_child_exit told = {.tag = child->tag,
                                 .pid = child->pid,
                                 .status = status,
                                 .is_timed_out = child->is_timed_out,
                                 .output = lp_str_text(&child->output) + drop,
                                 .output_bytes = child->output.bytes - drop};
    on_exit(context, &told);
}

static struct child *child_find(const struct lp_children *children, uint64_t serial, size_t *ret_at)
{
    for (size_t i = 0; i < children->count; i++) {
        if (children->items[i]->serial == serial) {
            *ret_at = i;
            return children->items[i];
        }
    }
    return NULL;
}

static void deadlines_enforce(struct lp_children *children)
{
    int64_t now_ms = lp_monotonic_ms();
    uint64_t ticks;
    if (read(children->timer_fd, &ticks, sizeof(ticks)) < 0 && errno != EAGAIN)
        return;
    for (size_t i = 0; i < children->count; i++) {
        struct child *child = children->items[i];
        if (child->deadline_ms > now_ms)
            continue;
        child->is_timed_out = true;
        child->deadline_ms = INT64_MAX;
        child_kill(child);
    }
    timer_set(children);
}

void lp_children_collect(struct lp_children *children,
                         void (*on_exit)(void *context, const struct lp_child_exit *exit),
                         void *context)
{
    struct epoll_event events[CHILD_EVENTS];
    int count = epoll_wait(children->epoll_fd, events, CHILD_EVENTS, 0);
    for (int i = 0; i < count; i++) {
        size_t at;
        int status;
        if (events[i].data.u64 == 0) {
            deadlines_enforce(children);
            continue;
        }
        struct child *child = child_find(children, events[i].data.u64, &at);
        if (!child)
            continue; // its other handle was in this batch too
        output_read(children, child);
        if (!child_reap(children, child, &status))
            continue;
        children->items[at] = children->items[--children->count];
        bool had_deadline = child->deadline_ms != INT64_MAX;
        exit_tell(child, status, on_exit, context);
        child_free(child);
        if (had_deadline)
            timer_set(children);
    }
}

size_t lp_children_signal(struct lp_children *children, uint64_t tag, int signal)
{
    size_t found = 0;
    for (size_t i = 0; i < children->count; i++) {
        if (children->items[i]->tag != tag)
            continue;
        found++;
        kill(-children->items[i]->pid, signal);
    }
    return found;
}

struct run_result {
    bool is_done, is_timed_out;
    int status;
    struct lp_str *output;
};

static void run_done(void *context, const struct lp_child_exit *exit)
{
    struct run_result *result = context;
    result->is_done = true;
    result->is_timed_out = exit->is_timed_out;
    result->status = exit->status;
    if (result->output)
        lp_str_add_n(result->output, exit->output, exit->output_bytes);
}

int lp_child_run(const struct lp_child_spec *spec, int *ret_status, struct lp_str *ret_output,
                 struct lp_err *err)
{
    struct lp_children *children;
    struct lp_child_spec bounded = *spec;
    if (bounded.timeout_ms == 0)
        bounded.timeout_ms = CHILD_RUN_MS;
    int result = lp_children_open(&children, err);
    if (result < 0)
        return result;
    struct run_result run = {.output = ret_output};
    result = lp_children_spawn(children, &bounded, 1, NULL, err);
    while (result == 0 && !run.is_done) {
        struct pollfd wait = {.fd = children->epoll_fd, .events = POLLIN};
        if (poll(&wait, 1, -1) < 0 && errno != EINTR)
            break;
        lp_children_collect(children, run_done, &run);
    }
    lp_children_close(children);
    if (result < 0)
        return result;
    if (run.is_timed_out)
        return lp_err_set(err, LP_ETIMEOUT, "%s did not end within %u ms", spec->argv[0],
                          bounded.timeout_ms);
    *ret_status = run.status;
    return 0;
}
