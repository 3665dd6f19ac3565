// The fault driver: orders in, events out. It looks at what is not settled every few milliseconds
// and otherwise sleeps.
#define _GNU_SOURCE
#include "drivers/fault/fault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "drivers/fault/fault_parts.h"
#include "drivers/place.h"

enum {
    QUICK_LOOK_MS = 2, // for the first moments of an order
    QUICK_MS = 200,
    SLOW_LOOK_MS = 50,
    IDLE_LOOK_MS = 1000, // orphans
    EFFECT_MS = 20 * 1000,
    ORPHAN_MS = 60 * 1000, // no order about a fault that was found: nobody knows it
};

static const struct lp_fault_hand *const hands[LP_FAULT_KINDS] = {
    [LP_FAULT_KILL] = &lp_fault_hand_process,
    [LP_FAULT_TERMINATE] = &lp_fault_hand_process,
    [LP_FAULT_HANG] = &lp_fault_hand_process,
    [LP_FAULT_RESTART] = &lp_fault_hand_process,
    [LP_FAULT_CRASH] = &lp_fault_hand_node,
    [LP_FAULT_SHUTDOWN] = &lp_fault_hand_node,
    [LP_FAULT_REBOOT] = &lp_fault_hand_node,
    [LP_FAULT_PAUSE] = &lp_fault_hand_node,
    [LP_FAULT_EXEC] = &lp_fault_hand_exec,
    [LP_FAULT_CLOCK] = &lp_fault_hand_clock,
    [LP_FAULT_OOM] = &lp_fault_hand_load,
    [LP_FAULT_CPU] = &lp_fault_hand_load,
    [LP_FAULT_MEMORY] = &lp_fault_hand_load,
    [LP_FAULT_DISK_LOAD] = &lp_fault_hand_load,
    [LP_FAULT_PROCESSES] = &lp_fault_hand_load,
    [LP_FAULT_DELAY] = &lp_fault_hand_relay,
    [LP_FAULT_REORDER] = &lp_fault_hand_relay,
    [LP_FAULT_DUPLICATE] = &lp_fault_hand_relay,
    [LP_FAULT_CORRUPT] = &lp_fault_hand_relay,
    [LP_FAULT_CUT] = &lp_fault_hand_net,
    [LP_FAULT_LOSS] = &lp_fault_hand_net,
    [LP_FAULT_BANDWIDTH] = &lp_fault_hand_net,
    [LP_FAULT_DNS] = &lp_fault_hand_net,
    [LP_FAULT_DISK_FULL] = &lp_fault_hand_disk,
    [LP_FAULT_READ_ONLY] = &lp_fault_hand_disk,
    [LP_FAULT_DISK_SLOW] = &lp_fault_hand_disk,
    [LP_FAULT_IO_ERROR] = &lp_fault_hand_disk,
    [LP_FAULT_LOSE_WRITES] = &lp_fault_hand_disk,
    [LP_FAULT_DAEMON_KILL] = &lp_fault_hand_daemon,
    [LP_FAULT_DAEMON_STALL] = &lp_fault_hand_daemon,
};

const struct lp_fault_hand *lp_fault_hand_of(uint32_t kind)
{
    return kind < LP_FAULT_KINDS ? hands[kind] : NULL;
}

static void phase_set(struct lp_fault_job *job, int phase)
{
    job->phase = phase;
    job->since_ms = lp_monotonic_ms();
    job->given_up_at_ms = job->since_ms + EFFECT_MS;
}

static struct lp_fault_job *find(const struct lp_faults *faults, uint64_t number)
{
    struct lp_fault_job *job = faults->jobs;
    while (job && job->number != number)
        job = job->next;
    return job;
}

static void put(struct lp_faults *faults, const struct lp_fault_job *job, enum lp_event_kind kind,
                const char *text)
{
    struct lp_event event;
    lp_event_init(&event, kind);
    if (job->mark.name[0]) {
        event.infra = job->mark.infra;
        event.service = job->mark.service;
        event.node = job->mark.node;
        event.incarnation = job->mark.incarnation;
    }
    event.app = job->app;
    event.run = job->run;
    event.fault = job->slot;
    event.revision = job->number;
    event.text = text;
    faults->inbox->put(faults->inbox, &event);
}

static void timer_set(struct lp_faults *faults)
{
    int64_t now_ms = lp_monotonic_ms(), in_ms = faults->is_synced ? 0 : 1;
    for (const struct lp_fault_job *job = faults->jobs; job; job = job->next) {
        bool is_settled = job->phase == LP_FAULT_JOB_ACTIVE && job->is_told;
        int64_t look_ms = is_settled                           ? IDLE_LOOK_MS
                          : now_ms - job->since_ms <= QUICK_MS ? QUICK_LOOK_MS
                                                               : SLOW_LOOK_MS;
        if (is_settled && !job->is_adopted)
            continue;
        in_ms = in_ms && in_ms < look_ms ? in_ms : look_ms;
    }
    struct itimerspec at = {
        .it_value = {.tv_sec = in_ms / 1000, .tv_nsec = in_ms % 1000 * 1000000}};
    (void)timerfd_settime(faults->timer_fd, 0, &at, NULL);
}

// Orders.

static struct lp_fault_job *job_add(struct lp_faults *faults, uint64_t number)
{
    struct lp_fault_job *job = lp_heap_take(sizeof(*job));
    job->number = number;
    job->undo = json_object();
    job->next = faults->jobs;
    faults->jobs = job;
    return job;
}

static void job_fill(struct lp_fault_job *job, const struct lp_order *order)
{
    const struct lp_action *action = &order->action;
    job->slot = action->fault;
    job->app = action->app;
    job->run = action->run;
    job->mark = (struct lp_node_mark){.node = action->node,
                                      .infra = action->infra,
                                      .service = action->service,
                                      .incarnation = action->incarnation};
    snprintf(job->mark.infra_name, sizeof(job->mark.infra_name), "%s",
             order->infra_name ? order->infra_name : "");
    snprintf(job->mark.name, sizeof(job->mark.name), "%s",
             order->node_name ? order->node_name : "");
    snprintf(job->app_name, sizeof(job->app_name), "%s", order->app ? order->app->name : "");
    job->spec = *order->fault_spec;
    free(job->as_asked);
    job->as_asked = strdup(order->fault_text ? order->fault_text : "{}");
    lp_assert(job->as_asked);
    job->place_count = 0;
    for (size_t i = 0; i < order->attachment_count && i < LP_FAULT_PLACES_MAX; i++) {
        job->addresses[i] = order->attachments[i].address;
        job->gateways[i] = order->attachments[i].gateway;
        job->networks[i] = order->attachments[i].network_index;
        job->place_count++;
    }
    size_t peers = order->peer_count < LP_FAULT_PEERS_MAX ? order->peer_count : LP_FAULT_PEERS_MAX;
    lp_heap_free(job->peers);
    job->peers = lp_heap_take((peers + 1) * sizeof(*job->peers));
    job->peer_count = peers;
    if (peers)
        memcpy(job->peers, order->peers, peers * sizeof(*job->peers));
}

// What is half done is undone first; then it is told that it failed, and nothing of it is left.
static void give_up(struct lp_fault_job *job, const char *why)
{
    lp_str_clear(&job->failed_text);
    lp_str_add(&job->failed_text, why);
    phase_set(job, LP_FAULT_JOB_HEALING);
}

LP_MUST_CHECK static int inject(struct lp_faults *faults, const struct lp_order *order,
                                struct lp_err *err)
{
    const struct lp_fault_hand *hand = lp_fault_hand_of(order->fault_spec->kind);
    struct lp_fault_job *job = find(faults, order->action.revision);
    if (!hand)
        return lp_err_set(err, LP_EUNSUPPORTED, "nothing does the fault %s yet (docs/faults.md)",
                          lp_fault_words[order->fault_spec->kind]);
    if (!job)
        job = job_add(faults, order->action.revision);
    job_fill(job, order);
    job->is_adopted = job->is_told = false;
    lp_str_clear(&job->failed_text);
    phase_set(job, LP_FAULT_JOB_INJECTING);
    int result = hand->prepare ? hand->prepare(faults, job, err) : 0;
    if (result == 0)
        result = lp_fault_job_save(faults, job, err); // law 3: the undo first
    if (result == 0)
        result = hand->inject(faults, job, err);
    if (result < 0)
        give_up(job, err->text);
    return 0;
}

static void heal(struct lp_faults *faults, const struct lp_order *order)
{
    struct lp_fault_job *job = find(faults, order->action.revision);
    if (!job) { // nothing of it is in the world: only to be told
        job = job_add(faults, order->action.revision);
        job_fill(job, order);
    }
    job->is_adopted = false;
    lp_str_clear(&job->failed_text);
    phase_set(job, LP_FAULT_JOB_HEALING);
}

static int fault_begin(void *self, const struct lp_order *order, struct lp_err *err)
{
    struct lp_faults *faults = self;
    int result = 0;
    if (order->action.kind == LP_ACTION_INJECT_FAULT)
        result = inject(faults, order, err);
    else
        heal(faults, order);
    timer_set(faults);
    return result;
}

// What became of them.

static void undo(struct lp_faults *faults, struct lp_fault_job *job)
{
    struct lp_err err = {0};
    const struct lp_fault_hand *hand = lp_fault_hand_of(job->spec.kind);
    bool has_failed = job->failed_text.bytes > 0;
    struct lp_str *text = has_failed ? &job->failed_text : &job->healed_text;
    if (hand && hand->undo(faults, job, &err) < 0)
        return; // looked at again
    if (has_failed && job->healed_text.bytes)
        lp_str_printf(text, "; %s", job->healed_text.text);
    put(faults, job, has_failed ? LP_EVENT_FAULT_FAILED : LP_EVENT_FAULT_HEALED,
        text->bytes ? text->text : NULL);
    lp_fault_job_drop(faults, job);
}

static void look(struct lp_faults *faults, struct lp_fault_job *job)
{
    LP_OWNS_STR struct lp_str seen = {0};
    struct lp_err err = {0};
    const struct lp_fault_hand *hand = lp_fault_hand_of(job->spec.kind);
    int result = hand->look(faults, job, &seen, &err);
    if (result == 0 && lp_monotonic_ms() >= job->given_up_at_ms)
        result =
            lp_err_set(&err, LP_ETIMEOUT, "its effect was not seen within %d s", EFFECT_MS / 1000);
    if (result > 0) {
        put(faults, job, LP_EVENT_FAULT_ACTIVE, lp_str_text(&seen));
        job->is_told = true;
        phase_set(job, LP_FAULT_JOB_ACTIVE);
        if (job->spec.flags & LP_FAULT_IS_INSTANT)
            lp_fault_job_drop(faults, job);
    } else if (result < 0) {
        give_up(job, err.text);
        undo(faults, job);
    }
}

static void child_ended(void *context, const struct lp_child_exit *exit)
{
    (void)context, (void)exit; // hands look at what they see, not at what they remember
}

static int fault_collect(void *self, struct lp_inbox *inbox, struct lp_err *err)
{
    (void)err;
    struct lp_faults *faults = self;
    uint64_t ticks;
    // Called at every turn of the engine; the timer is off while there is nothing to look at.
    if (faults->is_synced && !faults->jobs && lp_children_count(faults->children) == 0)
        return 0;
    (void)!read(faults->timer_fd, &ticks, sizeof(ticks));
    faults->inbox = inbox;
    lp_children_collect(faults->children, child_ended, faults);
    if (!faults->is_synced) {
        struct lp_event event;
        lp_event_init(&event, LP_EVENT_DRIVERS_SYNCED);
        inbox->put(inbox, &event);
        faults->is_synced = true;
    }
    for (struct lp_fault_job *job = faults->jobs, *next; job; job = next) {
        next = job->next;
        if (job->is_adopted && lp_monotonic_ms() - faults->open_ms > ORPHAN_MS) {
            job->is_adopted = false;
            phase_set(job, LP_FAULT_JOB_HEALING);
        }
        if (job->is_adopted)
            continue;
        if (job->phase == LP_FAULT_JOB_INJECTING)
            look(faults, job);
        else if (job->phase == LP_FAULT_JOB_HEALING)
            undo(faults, job);
    }
    timer_set(faults);
    faults->inbox = NULL;
    return 0;
}

static int fault_wait_fd(void *self)
{
    return ((struct lp_faults *)self)->epoll_fd;
}

// The faults stay in force: their files tell the next daemon.
static void fault_close(void *self)
{
    struct lp_faults *faults = self;
    for (struct lp_fault_job *job = faults->jobs, *next; job; job = next) {
        next = job->next;
        lp_fault_job_free(job);
    }
    if (faults->children)
        lp_children_close(faults->children);
    if (faults->epoll_fd >= 0)
        close(faults->epoll_fd);
    if (faults->timer_fd >= 0)
        close(faults->timer_fd);
    free((char *)(uintptr_t)faults->env.root);
    free((char *)(uintptr_t)faults->env.root_id);
    lp_heap_free(faults);
}

LP_MUST_CHECK static int handles_open(struct lp_faults *faults, struct lp_err *err)
{
    if (lp_children_open(&faults->children, err) < 0)
        return err->code;
    faults->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    faults->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event timer = {.events = EPOLLIN}, children = {.events = EPOLLIN};
    if (faults->epoll_fd < 0 || faults->timer_fd < 0 ||
        epoll_ctl(faults->epoll_fd, EPOLL_CTL_ADD, faults->timer_fd, &timer) < 0 ||
        epoll_ctl(faults->epoll_fd, EPOLL_CTL_ADD, lp_children_wait_fd(faults->children),
                  &children) < 0)
        return lp_err_set(err, LP_EIO, "watch faults: %s", strerror(errno));
    return 0;
}

static int fault_open(const struct lp_driver_env *env, void **ret_self, struct lp_err *err)
{
    if (lp_place_check(env, err) < 0)
        return err->code;
    struct lp_faults *faults = lp_heap_take(sizeof(*faults));
    faults->epoll_fd = faults->timer_fd = -1;
    faults->env.root = strdup(env->root);
    faults->env.root_id = strdup(env->root_id);
    lp_assert(faults->env.root && faults->env.root_id);
    faults->open_ms = lp_monotonic_ms();
    lp_cgroup_detect("/sys/fs/cgroup", true, &faults->cgroups);
    if (handles_open(faults, err) < 0 || lp_fault_jobs_load(faults, err) < 0) {
        fault_close(faults);
        return err->code;
    }
    timer_set(faults);
    *ret_self = faults;
    return 0;
}

const struct lp_driver lp_driver_fault = {
    .name = "fault",
    .action_kinds = UINT64_C(1) << LP_ACTION_INJECT_FAULT | UINT64_C(1) << LP_ACTION_HEAL_FAULT,
    .open = fault_open,
    .begin = fault_begin,
    .collect = fault_collect,
    .wait_fd = fault_wait_fd,
    .close = fault_close,
};
