// The container driver: orders in, events out; the loop over what its rows wait for.
#define _GNU_SOURCE
#include "drivers/crun/crun.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "drivers/crun/crun_parts.h"

enum { CRUN_EPOLL_EVENTS = 128 };

static void timer_ready(struct lp_crun *crun)
{
    uint64_t ticks;
    if (read(crun->timer_fd, &ticks, sizeof(ticks)) < 0)
        return;
    int64_t now_ms = lp_monotonic_ms();
    crun->timer_ms = INT64_MAX;
    for (size_t i = 0; i < crun->node_capacity; i++) {
        if (crun->nodes[i])
            lp_crun_render_tick(crun, crun->nodes[i], now_ms);
        if (crun->nodes[i])
            lp_crun_tick(crun, crun->nodes[i], now_ms);
    }
}

static void crun_ready(struct lp_crun *crun, uint64_t what)
{
    uint64_t count;
    struct lp_crun_node *node = lp_crun_find(crun, (uint32_t)what);
    switch (what >> 32) {
    case LP_CRUN_WATCH_PIDFD:
        if (node)
            lp_crun_process_ended(crun, node);
        break;
    case LP_CRUN_WATCH_LINK:
        if (node)
            lp_crun_link_ready(crun, node);
        break;
    case LP_CRUN_WATCH_EXEC:
        if (node)
            lp_crun_render_ready(crun, node);
        break;
    case LP_CRUN_WATCH_LAYER:
        if (node)
            lp_crun_layers_check(crun, node);
        break;
    default:
        if (what == (uint64_t)crun->timer_fd)
            timer_ready(crun);
        else if (what == (uint64_t)crun->wake_fd)
            (void)!read(crun->wake_fd, &count, sizeof(count));
        else
            lp_children_collect(crun->children, lp_crun_start_ended, crun);
    }
}

static int driver_collect(void *self, struct lp_inbox *inbox, struct lp_err *err)
{
    struct lp_crun *crun = self;
    struct epoll_event ready[CRUN_EPOLL_EVENTS];
    int count = epoll_wait(crun->epoll_fd, ready, CRUN_EPOLL_EVENTS, 0);
    if (count < 0 && errno != EINTR)
        return lp_err_set(err, LP_EIO, "wait for nodes: %s", strerror(errno));
    for (int i = 0; i < count; i++)
        crun_ready(crun, ready[i].data.u64);
    lp_crun_start_next(crun);
    for (size_t i = 0; i < crun->event_count; i++) {
        crun->events[i].event.text = crun->events[i].text;
        inbox->put(inbox, &crun->events[i].event);
        lp_heap_free(crun->events[i].text);
    }
    crun->event_count = 0;
    return 0;
}

static int driver_begin(void *self, const struct lp_order *order, struct lp_err *err)
{
    struct lp_crun *crun = self;
    switch (order->action.kind) {
    case LP_ACTION_START_NODE:
        return lp_crun_start_begin(crun, order, err);
    case LP_ACTION_STOP_NODE:
    case LP_ACTION_FENCE_NODE:
    case LP_ACTION_REMOVE_NODE:
        return lp_crun_life_begin(crun, order, err);
    case LP_ACTION_RENDER:
        return lp_crun_render_begin(crun, order, err);
    case LP_ACTION_START_APP:
    case LP_ACTION_STOP_APP:
    case LP_ACTION_KILL_APP:
        return lp_crun_app_begin(crun, order, err);
    case LP_ACTION_REMOVE_NETWORK: // the last order of an infrastructure: its folders go too
        return lp_crun_infra_remove(crun, order, err);
    default:
        return lp_err_set(err, LP_EUNSUPPORTED, "the container driver has no action %s",
                          lp_action_word(order->action.kind));
    }
}

static void driver_close(void *self)
{
    struct lp_crun *crun = self;
    for (size_t i = 0; i < crun->node_capacity; i++) {
        if (crun->nodes[i])
            lp_crun_forget(crun, crun->nodes[i]);
    }
    lp_children_close(crun->children);
    for (size_t i = 0; i < crun->event_count; i++)
        lp_heap_free(crun->events[i].text);
    const int fds[] = {crun->epoll_fd, crun->wake_fd, crun->timer_fd, crun->program_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    free((char *)(uintptr_t)crun->env.root);
    free((char *)(uintptr_t)crun->env.root_id);
    lp_heap_free(crun->nodes);
    lp_heap_free(crun->queue);
    lp_heap_free(crun->events);
    lp_heap_free(crun);
}

static int driver_wait_fd(void *self)
{
    return ((struct lp_crun *)self)->epoll_fd;
}

static int handles_open(struct lp_crun *crun, struct lp_err *err)
{
    crun->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    crun->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    crun->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    int result = lp_children_open(&crun->children, err);
    if (result < 0)
        return result;
    const int fds[] = {crun->wake_fd, crun->timer_fd, lp_children_wait_fd(crun->children)};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)fds[i]};
        if (crun->epoll_fd < 0 || fds[i] < 0 ||
            epoll_ctl(crun->epoll_fd, EPOLL_CTL_ADD, fds[i], &event) < 0)
            return lp_err_set(err, LP_EIO, "watch nodes: %s", strerror(errno));
    }
    return 0;
}

static int driver_open(const struct lp_driver_env *env, void **ret_self, struct lp_err *err)
{
    int result = lp_place_check(env, err);
    if (result < 0)
        return result;
    struct lp_crun *crun = lp_heap_take(sizeof(*crun));
    crun->env.root = strdup(env->root);
    crun->env.root_id = strdup(env->root_id);
    lp_assert(crun->env.root && crun->env.root_id);
    crun->epoll_fd = crun->wake_fd = crun->timer_fd = crun->program_fd = -1;
    crun->timer_ms = INT64_MAX;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    crun->starting_max = cores > 0 ? 2 * (size_t)cores : 2;
    lp_cgroup_detect("/sys/fs/cgroup", true, &crun->cgroups);
    result = handles_open(crun, err);
    if (result == 0)
        result = lp_companion_find("init", "limpet-init", crun->init_path, err);
    if (result == 0)
        result = lp_node_stage_folder(env->root, &crun->stage_folder, err);
    if (result == 0)
        result = lp_dir_make(lp_place_nodes(&crun->env).text, 0700, err);
    crun->adopting_count++; // all that is there was looked at before anything counts as told
    if (result == 0)
        result = lp_crun_adopt(crun, err);
    crun->adopting_count--;
    if (result < 0) {
        driver_close(crun);
        return lp_err_wrap(err, "containers");
    }
    lp_crun_synced_check(crun);
    *ret_self = crun;
    return 0;
}

const struct lp_driver lp_driver_crun = {
    .name = "crun",
    .action_kinds = 1u << LP_ACTION_START_NODE | 1u << LP_ACTION_STOP_NODE |
                    1u << LP_ACTION_FENCE_NODE | 1u << LP_ACTION_REMOVE_NODE |
                    1u << LP_ACTION_RENDER | 1u << LP_ACTION_START_APP | 1u << LP_ACTION_STOP_APP |
                    1u << LP_ACTION_KILL_APP | 1u << LP_ACTION_REMOVE_NETWORK,
    .open = driver_open,
    .begin = driver_begin,
    .collect = driver_collect,
    .wait_fd = driver_wait_fd,
    .close = driver_close,
};
