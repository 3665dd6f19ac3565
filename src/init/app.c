// The node's applications: a row each, driven by orders, reaped children and deadlines.
//   idle -> starting -> running -> ending -> ended      starting -> unstarted
// An application has ended only when its whole family is gone: the next start may then count on
// its ports, locks and files.
#define _GNU_SOURCE
#include "init/app.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/family.h"
#include "init/launch.h"
#include "init/mark.h"
#include "init/news.h"
#include "init/session.h"
#include "model/limits.h"
#include "base/clock.h"
#include "base/own.h"

enum {
    CHUNK_BYTES = 32 * 1024,
    DRAIN_CHUNKS_MAX = 8,   // of a pipe: more than it can hold at one time
    SWEEP_EVERY_MS = 10,    // killed processes are looked for again
    SWEEP_LIMIT_MS = 10000, // then they sit in the kernel and no signal helps: tell without them
};

static struct lp_app_slot slots[LP_APPS_MAX];
static const char *done_folder;
static uint64_t starts;
static char chunk[CHUNK_BYTES];

static void report_ready(void *self, uint32_t events);
static void pipe_ready(void *self, uint32_t events);

void lp_apps_open(const char *folder)
{
    done_folder = folder;
    for (size_t i = 0; i < LP_APPS_MAX; i++) {
        slots[i].report = (struct lp_watch){report_ready, &slots[i], -1};
        slots[i].pipe = (struct lp_watch){pipe_ready, &slots[i], -1};
        slots[i].output.fd = slots[i].output.times_fd = -1;
    }
}

const struct lp_app_slot *lp_app_slot(uint32_t index)
{
    lp_assert(index < LP_APPS_MAX);
    return &slots[index];
}

static uint32_t index_of(const struct lp_app_slot *slot)
{
    return (uint32_t)(slot - slots);
}

const struct lp_str *lp_app_environment(void)
{
    for (size_t i = 0; i < LP_APPS_MAX; i++)
        if (slots[i].phase != LP_INIT_IDLE && !slots[i].is_setup)
            return &slots[i].environment;
    return &slots[0].environment;
}

bool lp_app_is_alive(const struct lp_app_slot *slot)
{
    return slot->phase == LP_INIT_STARTING || slot->phase == LP_INIT_RUNNING ||
           slot->phase == LP_INIT_ENDING;
}

int lp_status_from_wait(int wait_status)
{
    return WIFSIGNALED(wait_status) ? LP_WIRE_STATUS_SIGNAL + WTERMSIG(wait_status)
                                    : WEXITSTATUS(wait_status);
}

static void watch_close(struct lp_watch *watch)
{
    int fd = watch->fd;
    lp_loop_remove(watch);
    if (fd >= 0)
        close(fd);
}

// Move one chunk from the pipe into the log. False: nothing more is there.
static bool pipe_take(struct lp_app_slot *slot)
{
    ssize_t count = read(slot->pipe.fd, chunk, sizeof(chunk));
    if (count > 0)
        lp_output_write(&slot->output, chunk, (size_t)count);
    else if (count == 0)
        watch_close(&slot->pipe);
    return count > 0;
}

static void pipe_ready(void *self, uint32_t events)
{
    (void)events; // data, or the end: read tells
    pipe_take(self);
}

static void pipe_drain(struct lp_app_slot *slot)
{
    for (int i = 0; i < DRAIN_CHUNKS_MAX && slot->pipe.fd >= 0; i++)
        if (!pipe_take(slot))
            break;
}

static void slot_close(struct lp_app_slot *slot)
{
    pipe_drain(slot);
    watch_close(&slot->pipe);
    watch_close(&slot->report);
    lp_output_close(&slot->output);
    slot->kill_at_ms = slot->timeout_at_ms = slot->sweep_at_ms = 0;
    slot->pid = 0;
}

static void slot_fail(struct lp_app_slot *slot, const struct lp_err *err)
{
    snprintf(slot->text, sizeof(slot->text), "%.*s", (int)sizeof(slot->text) - 1, err->text);
    slot->code = err->code;
    slot->at_ms = lp_wall_ms();
    slot->phase = LP_INIT_UNSTARTED;
    slot_close(slot);
    lp_news_failed(index_of(slot), slot->run, slot->code, slot->text);
}

static void slot_end(struct lp_app_slot *slot)
{
    struct lp_err err;
    if (slot->code < 0) { // it never was the command: see report_take
        err.code = slot->code;
        snprintf(err.text, sizeof(err.text), "%s", slot->text);
        slot_fail(slot, &err);
        return;
    }
    slot_close(slot);
    if (slot->is_setup && slot->status == 0 && slot->done_mark[0] &&
        lp_mark_write(done_folder, slot->done_mark, &err) < 0) {
        slot_fail(slot, &err);
        return;
    }
    slot->phase = LP_INIT_ENDED;
    lp_news_exited(index_of(slot), slot);
}

static size_t family_signal(const struct lp_app_slot *slot, int signal)
{
    pid_t others[LP_APPS_MAX + LP_SESSIONS_MAX];
    struct lp_family family = {.leader = slot->pid,
                               .mark = slot->mark,
                               .uid = slot->uid,
                               .is_of_user = slot->uid != 0,
                               .others = others};
    family.other_count = lp_sessions_leaders(others);
    for (size_t i = 0; i < LP_APPS_MAX; i++) {
        if (&slots[i] == slot || !lp_app_is_alive(&slots[i]))
            continue;
        others[family.other_count++] = slots[i].pid;
        if (slots[i].uid == slot->uid)
            family.is_of_user = false;
    }
    return lp_family_signal(&family, signal);
}

// The first process is dead: no other of its family may stay behind.
static void family_sweep(struct lp_app_slot *slot, int64_t now_ms)
{
    if (slot->sweep_end_ms == 0)
        slot->sweep_end_ms = now_ms + SWEEP_LIMIT_MS;
    slot->sweep_at_ms = now_ms + SWEEP_EVERY_MS;
    if (family_signal(slot, SIGKILL) == 0 || now_ms >= slot->sweep_end_ms)
        slot_end(slot);
}

static void family_kill(struct lp_app_slot *slot)
{
    slot->phase = LP_INIT_ENDING;
    slot->kill_at_ms = slot->timeout_at_ms = 0;
    if (slot->is_reaped)
        return; // being swept already
    family_signal(slot, SIGKILL);
    kill(slot->pid, SIGKILL); // whatever /proc said
}

// What the child said of its start. Before its exit is looked at, too: both may come at once.
static void report_take(struct lp_app_slot *slot)
{
    struct lp_err err;
    if (slot->report.fd < 0)
        return;
    int code = lp_launch_collect(slot->report.fd, &slot->uid, &err);
    if (code > 0)
        return;
    watch_close(&slot->report);
    if (code < 0) { // told when it is reaped
        slot->code = code;
        snprintf(slot->text, sizeof(slot->text), "%.*s", (int)sizeof(slot->text) - 1, err.text);
        slot->phase = LP_INIT_ENDING;
        return;
    }
    if (slot->phase == LP_INIT_STARTING)
        slot->phase = LP_INIT_RUNNING;
    lp_news_started(index_of(slot), slot);
}

static void report_ready(void *self, uint32_t events)
{
    (void)events;
    report_take(self);
}

static bool is_done_already(const struct lp_app_start *start)
{
    return start->is_setup && ((start->creates && access(start->creates, F_OK) == 0) ||
                               (start->mark && lp_mark_exists(done_folder, start->mark)));
}

static int slot_launch(struct lp_app_slot *slot, const struct lp_app_start *start,
                       struct lp_err *err)
{
    if (start->mark && lp_mark_prepare(done_folder, err) < 0)
        return err->code;
    int ends[2];
    LP_OWNS_FD int none = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return lp_err_set(err, LP_EIO, "pipe: %s", strerror(errno));
    LP_OWNS_FD int output = ends[0], input = ends[1];
    fcntl(output, F_SETFL, O_NONBLOCK); // of our end alone: the application's writes do wait
    struct lp_launch launch = {.argv = start->argv,
                               .env = start->env,
                               .cwd = start->cwd,
                               .user = start->user,
                               .mark = slot->mark,
                               .in = none,
                               .out = input,
                               .err = input};
    LP_OWNS_FD int report = -1;
    int code = lp_launch_begin(&launch, &slot->pid, &report, err);
    if (code < 0)
        return code;
    if (lp_loop_add(&slot->report, report, EPOLLIN) < 0 ||
        lp_loop_add(&slot->pipe, output, EPOLLIN) < 0) {
        watch_close(&slot->report);
        kill(slot->pid, SIGKILL);
        return lp_err_set(err, LP_EIO, "watch it: %s", strerror(errno));
    }
    lp_fd_take(&report);
    lp_fd_take(&output);
    return 0;
}

static void run_repeat(uint32_t index, const struct lp_app_slot *slot)
{
    if (slot->phase == LP_INIT_UNSTARTED)
        lp_news_failed(index, slot->run, slot->code, slot->text);
    if (slot->phase == LP_INIT_RUNNING || slot->phase == LP_INIT_ENDED)
        lp_news_started(index, slot);
    if (slot->phase == LP_INIT_ENDED)
        lp_news_exited(index, slot);
}

static void slot_fill(struct lp_app_slot *slot, const struct lp_app_start *start)
{
    lp_str_release(&slot->environment);
    for (char **pair = start->env; *pair; pair++)
        lp_str_add_n(&slot->environment, *pair, strlen(*pair) + 1);
    slot->run = start->run;
    slot->is_setup = start->is_setup;
    slot->is_reaped = false;
    slot->status = slot->code = 0;
    slot->text[0] = '\0';
    slot->uid = 0;
    slot->stop_signal = start->stop_signal ? start->stop_signal : SIGTERM;
    slot->timeout_ms = start->timeout_ms;
    slot->kill_at_ms = slot->timeout_at_ms = slot->sweep_at_ms = slot->sweep_end_ms = 0;
    slot->start_order = ++starts;
    slot->at_ms = lp_wall_ms();
    snprintf(slot->name, sizeof(slot->name), "%s", start->name);
    snprintf(slot->done_mark, sizeof(slot->done_mark), "%s", start->mark ? start->mark : "");
    snprintf(slot->mark, sizeof(slot->mark), "LIMPET_APP=%s", start->name);
}

void lp_app_start(uint32_t index, const struct lp_app_start *start)
{
    struct lp_app_slot *slot = &slots[index];
    struct lp_err err;
    if (slot->phase != LP_INIT_IDLE && slot->run == start->run) {
        run_repeat(index, slot);
        return;
    }
    if (lp_app_is_alive(slot)) {
        lp_err_set(&err, LP_ECONFLICT, "its run %u has not ended yet", slot->run);
        lp_news_failed(index, start->run, err.code, err.text);
        return;
    }
    slot_fill(slot, start);
    if (is_done_already(start)) {
        slot->phase = LP_INIT_ENDED;
        run_repeat(index, slot);
        return;
    }
    lp_output_open(&slot->output, slot->name, start->log_bytes);
    if (slot_launch(slot, start, &err) < 0) {
        slot_fail(slot, &err);
        return;
    }
    slot->phase = LP_INIT_STARTING;
    if (slot->is_setup && slot->timeout_ms)
        slot->timeout_at_ms = lp_monotonic_ms() + slot->timeout_ms;
}

// The row if that run of it lives; else its end is told once more and NULL returned.
static struct lp_app_slot *slot_living(uint32_t index, uint32_t run)
{
    struct lp_app_slot *slot = &slots[index];
    if (slot->phase == LP_INIT_IDLE || slot->run != run)
        lp_news_gone(index, run);
    else if (slot->phase == LP_INIT_UNSTARTED)
        lp_news_failed(index, run, slot->code, slot->text);
    else if (slot->phase == LP_INIT_ENDED)
        lp_news_exited(index, slot);
    else
        return slot;
    return NULL;
}

void lp_app_stop(uint32_t index, uint32_t run, uint32_t grace_ms)
{
    struct lp_app_slot *slot = slot_living(index, run);
    if (!slot)
        return;
    int64_t kill_at_ms = lp_monotonic_ms() + grace_ms;
    bool is_first = slot->kill_at_ms == 0;
    if (is_first || kill_at_ms < slot->kill_at_ms)
        slot->kill_at_ms = kill_at_ms;
    slot->phase = LP_INIT_ENDING;
    if (is_first && !slot->is_reaped) {
        kill(slot->pid, slot->stop_signal);
        kill(slot->pid, SIGCONT); // a frozen one could not obey
    }
}

void lp_app_kill(uint32_t index, uint32_t run)
{
    struct lp_app_slot *slot = slot_living(index, run);
    if (slot)
        family_kill(slot);
}

void lp_app_signal(uint32_t index, uint32_t run, int signal)
{
    struct lp_app_slot *slot = &slots[index];
    if ((run == 0 || slot->run == run) && lp_app_is_alive(slot) && !slot->is_reaped)
        kill(slot->pid, signal);
}

void lp_app_refuse(uint32_t index, uint32_t run, int code, const char *text)
{
    lp_news_failed(index, run, code, text);
}

bool lp_app_reap(pid_t pid, int wait_status)
{
    for (size_t i = 0; i < LP_APPS_MAX; i++) {
        struct lp_app_slot *slot = &slots[i];
        if (!lp_app_is_alive(slot) || slot->is_reaped || slot->pid != pid)
            continue;
        report_take(slot);
        slot->is_reaped = true;
        slot->status = lp_status_from_wait(wait_status);
        slot->at_ms = lp_wall_ms();
        slot->phase = LP_INIT_ENDING;
        return true;
    }
    return false;
}

static void timeout_strike(struct lp_app_slot *slot)
{
    char line[96];
    snprintf(slot->text, sizeof(slot->text), "not done within %u ms: killed", slot->timeout_ms);
    int bytes = snprintf(line, sizeof(line), "limpet: %s\n", slot->text);
    pipe_drain(slot);
    lp_output_write(&slot->output, line, (size_t)bytes);
    family_kill(slot);
}

void lp_apps_timers(int64_t now_ms, bool has_reaped)
{
    for (size_t i = 0; i < LP_APPS_MAX; i++) {
        struct lp_app_slot *slot = &slots[i];
        if (!lp_app_is_alive(slot))
            continue;
        if (slot->is_reaped) {
            if (has_reaped || now_ms >= slot->sweep_at_ms)
                family_sweep(slot, now_ms);
            continue;
        }
        if (slot->timeout_at_ms && now_ms >= slot->timeout_at_ms)
            timeout_strike(slot);
        if (slot->kill_at_ms && now_ms >= slot->kill_at_ms)
            family_kill(slot);
    }
}

static int64_t earlier(int64_t wake_ms, int64_t deadline_ms)
{
    return deadline_ms && deadline_ms < wake_ms ? deadline_ms : wake_ms;
}

int64_t lp_apps_wake_ms(void)
{
    int64_t wake_ms = INT64_MAX;
    for (size_t i = 0; i < LP_APPS_MAX; i++) {
        if (!lp_app_is_alive(&slots[i]))
            continue;
        if (slots[i].is_reaped) {
            wake_ms = earlier(wake_ms, slots[i].sweep_at_ms);
        } else {
            wake_ms = earlier(wake_ms, slots[i].timeout_at_ms);
            wake_ms = earlier(wake_ms, slots[i].kill_at_ms);
        }
    }
    return wake_ms;
}
