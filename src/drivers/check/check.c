// The check driver: a heap of watches by time, and one epoll for the checks that run.
#define _GNU_SOURCE
#include "drivers/check/check.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "drivers/check/check_parts.h"
#include "drivers/check/check_watch.h"
#include "drivers/place.h"

enum { EVENTS_MAX = 128 };

struct check_driver {
    struct lp_driver_env env;
    char *root, *root_id;
    int epoll_fd, timer_fd;
    struct lp_watch **heap; // by at_ms
    size_t count, capacity;
    int64_t timer_at_ms;
    bool has_synced;
    struct lp_inbox *inbox; // during collect
};

static void heap_put(struct check_driver *driver, size_t index, struct lp_watch *watch)
{
    driver->heap[index] = watch;
    watch->heap_index = index;
}

// Move the watch to its place after its at_ms changed.
static void heap_fix(struct check_driver *driver, struct lp_watch *watch)
{
    size_t at = watch->heap_index;
    while (at > 0 && driver->heap[(at - 1) / 2]->at_ms > watch->at_ms) {
        heap_put(driver, at, driver->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (size_t child; (child = 2 * at + 1) < driver->count; at = child) {
        if (child + 1 < driver->count &&
            driver->heap[child + 1]->at_ms < driver->heap[child]->at_ms)
            child++;
        if (driver->heap[child]->at_ms >= watch->at_ms)
            break;
        heap_put(driver, at, driver->heap[child]);
    }
    heap_put(driver, at, watch);
}

static void watch_add(struct check_driver *driver, struct lp_watch *watch)
{
    if (driver->count == driver->capacity) {
        driver->capacity = driver->capacity ? driver->capacity * 2 : 64;
        driver->heap = lp_heap_grow(driver->heap, driver->capacity, sizeof(*driver->heap));
    }
    heap_put(driver, driver->count++, watch);
    heap_fix(driver, watch);
}

static void watch_remove(struct check_driver *driver, struct lp_watch *watch)
{
    struct lp_watch *last = driver->heap[--driver->count];
    if (last != watch) {
        heap_put(driver, watch->heap_index, last);
        heap_fix(driver, last);
    }
    lp_watch_release(watch);
}

static struct lp_watch *watch_find(const struct check_driver *driver, uint32_t node, uint32_t app)
{
    for (size_t i = 0; i < driver->count; i++) {
        if (driver->heap[i]->node == node && driver->heap[i]->app == app)
            return driver->heap[i];
    }
    return NULL;
}

static void timer_set(struct check_driver *driver)
{
    int64_t at_ms = !driver->has_synced ? 1 : driver->count ? driver->heap[0]->at_ms : 0;
    if (at_ms == driver->timer_at_ms)
        return;
    driver->timer_at_ms = at_ms;
    struct itimerspec at = {
        .it_value = {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000}};
    (void)timerfd_settime(driver->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void tell(struct check_driver *driver, const struct lp_watch *watch,
                 const struct lp_check_outcome *outcome)
{
    struct lp_event event;
    lp_event_init(&event, LP_EVENT_READING);
    event.infra = watch->infra;
    event.service = watch->service;
    event.node = watch->node;
    event.app = watch->app;
    event.incarnation = watch->incarnation;
    event.run = watch->run;
    event.is_ok = outcome->is_ok;
    event.text = outcome->text;
    driver->inbox->put(driver->inbox, &event);
}

// Have the handle of the running check waited on for what it needs now.
static bool watch_listen(struct check_driver *driver, struct lp_watch *watch, bool is_first)
{
    uint32_t events = lp_check_epoll_events(watch);
    if (!is_first && events == watch->events)
        return true;
    struct epoll_event event = {.events = events, .data.ptr = watch};
    watch->events = events;
    return epoll_ctl(driver->epoll_fd, is_first ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, lp_check_fd(watch),
                     &event) == 0;
}

static void watch_decided(struct check_driver *driver, struct lp_watch *watch,
                          const struct lp_check_outcome *outcome)
{
    int64_t now_ms = lp_monotonic_us() / 1000;
    lp_check_end(watch);
    if (lp_watch_tell(watch, outcome->is_ok, now_ms))
        tell(driver, watch, outcome);
    watch->at_ms = lp_check_next_ms(watch, now_ms);
    heap_fix(driver, watch);
}

static void watch_begin(struct check_driver *driver, struct lp_watch *watch)
{
    struct lp_check_outcome outcome;
    lp_check_begin(watch, &outcome);
    if (!outcome.is_over && !watch_listen(driver, watch, true))
        lp_check_give_up(watch, &outcome);
    if (outcome.is_over) {
        watch_decided(driver, watch, &outcome);
        return;
    }
    watch->at_ms = lp_monotonic_us() / 1000 + watch->timeout_ms;
    heap_fix(driver, watch);
}

static void watch_ready(struct check_driver *driver, struct lp_watch *watch)
{
    struct lp_check_outcome outcome;
    if (!watch->is_running)
        return;
    lp_check_go_on(watch, &outcome);
    if (outcome.is_over)
        watch_decided(driver, watch, &outcome);
    else
        (void)watch_listen(driver, watch, false); // failing: the time limit ends it
}

static void due_run(struct check_driver *driver)
{
    int64_t now_ms = lp_monotonic_us() / 1000;
    // What begins now is due later: each watch comes up once.
    while (driver->count && driver->heap[0]->at_ms <= now_ms) {
        struct lp_watch *watch = driver->heap[0];
        struct lp_check_outcome outcome;
        if (!watch->is_running) {
            watch_begin(driver, watch);
            continue;
        }
        lp_check_give_up(watch, &outcome);
        watch_decided(driver, watch, &outcome);
    }
}

static int check_collect(void *self, struct lp_inbox *inbox, struct lp_err *err)
{
    (void)err;
    struct check_driver *driver = self;
    struct epoll_event events[EVENTS_MAX];
    driver->inbox = inbox;
    if (!driver->has_synced) { // sensors leave nothing behind: there is nothing to adopt
        struct lp_event event;
        lp_event_init(&event, LP_EVENT_DRIVERS_SYNCED);
        inbox->put(inbox, &event);
        driver->has_synced = true;
    }
    int count = epoll_wait(driver->epoll_fd, events, EVENTS_MAX, 0);
    for (int i = 0; i < count; i++) {
        uint64_t ticks;
        if (events[i].data.ptr)
            watch_ready(driver, events[i].data.ptr);
        else if (read(driver->timer_fd, &ticks, sizeof(ticks)) == sizeof(ticks))
            driver->timer_at_ms = -1; // has fired: to be set again, whatever for
    }
    due_run(driver);
    timer_set(driver);
    driver->inbox = NULL;
    return 0;
}

LP_MUST_CHECK static int watch(struct check_driver *driver, const struct lp_order *order,
                               struct lp_err *err)
{
    const struct lp_action *action = &order->action;
    struct lp_watch *old = watch_find(driver, action->node, action->app);
    // The same order, given again: it goes on as it is. Another order for the same run may bring
    // another check (health after readiness).
    if (old && old->order_id == action->id && old->incarnation == action->incarnation)
        return 0;
    if (!order->check || order->check->kind == LP_CHECK_NONE || !order->infra_name ||
        !order->node_name)
        return lp_err_set(err, LP_EINPUT, "watch: no check, or of an unknown node");
    if (old)
        watch_remove(driver, old);
    watch_add(driver, lp_watch_make(&driver->env, order));
    return 0;
}

// Nothing in the node is to be asked any more: it goes, or begins another life.
static void node_unwatch(struct check_driver *driver, uint32_t node)
{
    for (size_t i = 0; i < driver->count;) {
        if (driver->heap[i]->node == node) {
            watch_remove(driver, driver->heap[i]);
            i = 0; // the heap has moved
        } else {
            i++;
        }
    }
}

static int check_begin(void *self, const struct lp_order *order, struct lp_err *err)
{
    struct check_driver *driver = self;
    int code = 0;
    if (order->action.kind == LP_ACTION_WATCH) {
        code = watch(driver, order, err);
    } else if (order->action.kind == LP_ACTION_UNWATCH) {
        struct lp_watch *old = watch_find(driver, order->action.node, order->action.app);
        if (old)
            watch_remove(driver, old);
    } else {
        node_unwatch(driver, order->action.node);
    }
    timer_set(driver);
    return code;
}

static int check_wait_fd(void *self)
{
    return ((struct check_driver *)self)->epoll_fd;
}

static void check_close(void *self)
{
    struct check_driver *driver = self;
    while (driver->count)
        watch_remove(driver, driver->heap[driver->count - 1]);
    if (driver->epoll_fd >= 0)
        close(driver->epoll_fd);
    if (driver->timer_fd >= 0)
        close(driver->timer_fd);
    lp_heap_free(driver->heap);
    lp_heap_free(driver->root);
    lp_heap_free(driver->root_id);
    lp_heap_free(driver);
}

static char *text_copy(const char *text)
{
    char *copy = lp_heap_take(strlen(text) + 1);
    memcpy(copy, text, strlen(text));
    return copy;
}

static int check_open(const struct lp_driver_env *env, void **ret_self, struct lp_err *err)
{
    int code = lp_place_check(env, err);
    if (code < 0)
        return code;
    struct check_driver *driver = lp_heap_take(sizeof(*driver));
    driver->root = text_copy(env->root);
    driver->root_id = text_copy(env->root_id);
    driver->env = (struct lp_driver_env){driver->root, driver->root_id};
    driver->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    driver->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (driver->epoll_fd < 0 || driver->timer_fd < 0 ||
        epoll_ctl(driver->epoll_fd, EPOLL_CTL_ADD, driver->timer_fd, &event) < 0) {
        code = lp_err_set(err, LP_EIO, "handles of the check driver: %s", strerror(errno));
        check_close(driver);
        return code;
    }
    timer_set(driver); // fires at once: there is SYNCED to tell
    *ret_self = driver;
    return 0;
}

const struct lp_driver lp_driver_check = {
    .name = "check",
    // Also the orders that end what a node's sensors look at; they are the node driver's to answer.
    .action_kinds = 1u << LP_ACTION_WATCH | 1u << LP_ACTION_UNWATCH | 1u << LP_ACTION_START_NODE |
                    1u << LP_ACTION_STOP_NODE | 1u << LP_ACTION_FENCE_NODE |
                    1u << LP_ACTION_REMOVE_NODE,
    .open = check_open,
    .begin = check_begin,
    .collect = check_collect,
    .wait_fd = check_wait_fd,
    .close = check_close,
};
