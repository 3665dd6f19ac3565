// The network driver: orders in, events out; the rows and the loop over what they wait for.
#define _GNU_SOURCE
#include "drivers/network/network.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "drivers/network/network_ns.h"
#include "drivers/network/network_parts.h"

enum { START_MAX_MS = 5000, MARK_BYTES_MAX = 65536, EVENTS_MAX = 64, SLOT_NONE = 0xffffff };

static void wake(struct lp_network_driver *driver)
{
    uint64_t one = 1;
    (void)!write(driver->wake_fd, &one, sizeof(one)); // full means awake already
}

void lp_network_put(struct lp_network_driver *driver, const struct lp_infra_net *row,
                    enum lp_event_kind kind, const char *text)
{
    if (driver->event_count == driver->event_capacity) {
        driver->event_capacity = driver->event_capacity ? driver->event_capacity * 2 : 16;
        driver->events =
            lp_heap_grow(driver->events, driver->event_capacity, sizeof(*driver->events));
    }
    char *copy = NULL;
    if (text) {
        copy = lp_heap_take(strlen(text) + 1);
        memcpy(copy, text, strlen(text));
    }
    driver->events[driver->event_count++] = (struct lp_network_event){
        kind, row ? row->mark.infra : LP_NONE, row ? row->revision : 0, copy};
    wake(driver);
}

static uint64_t row_slot(const struct lp_network_driver *driver, const struct lp_infra_net *row)
{
    for (size_t i = 0; i < driver->row_capacity; i++) {
        if (driver->rows[i] == row)
            return i;
    }
    return SLOT_NONE;
}

int lp_network_watch(struct lp_network_driver *driver, int fd, const struct lp_infra_net *row,
                     enum lp_network_source source, struct lp_err *err)
{
    uint64_t slot = row ? row_slot(driver, row) : SLOT_NONE;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = slot << 8 | source};
    if (epoll_ctl(driver->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return lp_err_set(err, LP_EIO, "epoll: %s", strerror(errno));
    return 0;
}

static struct lp_infra_net *row_find(const struct lp_network_driver *driver, const char *name,
                                     uint32_t infra)
{
    for (size_t i = 0; i < driver->row_capacity; i++) {
        struct lp_infra_net *row = driver->rows[i];
        if (row && (name ? lp_text_equal(row->mark.name, name) : row->mark.infra == infra))
            return row;
    }
    return NULL;
}

struct lp_infra_net *lp_network_row_add(struct lp_network_driver *driver,
                                        const struct lp_network_mark *mark)
{
    size_t slot = 0;
    while (slot < driver->row_capacity && driver->rows[slot])
        slot++;
    if (slot == driver->row_capacity) {
        size_t capacity = slot ? slot * 2 : 8;
        driver->rows = lp_heap_grow(driver->rows, capacity, sizeof(struct lp_infra_net *));
        memset(driver->rows + slot, 0, (capacity - slot) * sizeof(struct lp_infra_net *));
        driver->row_capacity = capacity;
    }
    struct lp_infra_net *row = lp_heap_take(sizeof(*row));
    *row = (struct lp_infra_net){.mark = *mark,
                                 .names_fd = -1,
                                 .folder_watch = -1,
                                 .ask_at_ms = INT64_MAX,
                                 .hup_at_ms = INT64_MAX};
    for (int i = 0; i < LP_HELPERS; i++)
        row->helpers[i] = (struct lp_helper){.pidfd = -1, .restart_at_ms = INT64_MAX, .status = -1};
    driver->rows[slot] = row;
    return row;
}

// Forget the row; what it stands for in the world is left as it is.
static void row_drop(struct lp_network_driver *driver, struct lp_infra_net *row)
{
    driver->rows[row_slot(driver, row)] = NULL;
    for (int i = 0; i < LP_HELPERS; i++) {
        if (row->helpers[i].pidfd >= 0)
            close(row->helpers[i].pidfd);
    }
    if (row->names_fd >= 0)
        close(row->names_fd);
    lp_str_release(&row->trouble);
    lp_heap_free(row);
}

// Remove it if its helpers are dead; else again when one of them has ended.
static void row_clear(struct lp_network_driver *driver, struct lp_infra_net *row)
{
    for (int i = 0; i < LP_HELPERS; i++) {
        if (!lp_helper_reap(&row->helpers[i]))
            return;
    }
    struct lp_err err;
    if (lp_network_clear(driver, row, &err) < 0) {
        // No reply: the order is given again. The reason is told where people look.
        lp_network_put(driver, row, LP_EVENT_NETWORK_FAILED, err.text);
        row->phase = LP_NETWORK_BEGUN;
        return;
    }
    lp_network_put(driver, row, LP_EVENT_NETWORK_GONE, NULL);
    row_drop(driver, row);
}

LP_MUST_CHECK static int wanted_mark(const struct lp_order *order, struct lp_network_mark *ret_mark,
                                     struct lp_err *err)
{
    if (!order->infra_name || order->attachment_count == 0 ||
        order->attachment_count > LP_NETWORKS_MAX)
        return lp_err_set(err, LP_EINPUT, "an infrastructure needs 1 to %d networks",
                          LP_NETWORKS_MAX);
    struct lp_network_mark mark = {.infra = order->action.infra};
    (void)snprintf(mark.name, sizeof(mark.name), "%s", order->infra_name);
    for (size_t i = 0; i < order->attachment_count; i++) {
        const struct lp_attachment *place = &order->attachments[i];
        mark.rows[mark.row_count++] =
            (struct lp_network_row){.index = place->network_index,
                                    .gateway = place->gateway,
                                    .prefix = place->prefix,
                                    .has_nat = place->network && place->network->has_nat};
    }
    *ret_mark = mark;
    return 0;
}

LP_MUST_CHECK static int ensure(struct lp_network_driver *driver, const struct lp_order *order,
                                struct lp_err *err)
{
    struct lp_network_mark wanted;
    int code = wanted_mark(order, &wanted, err);
    if (code < 0)
        return code;
    struct lp_infra_net *row = row_find(driver, wanted.name, 0);
    if (row && row->phase == LP_NETWORK_REMOVING)
        return lp_err_set(err, LP_ECONFLICT, "its removal is not over yet");
    if (!row) {
        row = lp_network_row_add(driver, &wanted);
        row->mark.row_count = 0;
    }
    bool is_changed = false;
    code = lp_network_build(driver, row, &wanted, &is_changed, err);
    if (code < 0)
        return code;
    struct lp_helper *names = &row->helpers[LP_HELPER_NAMES];
    if (names->pidfd >= 0 && !is_changed) { // all is there: say so again
        if (row->phase != LP_NETWORK_STARTING) {
            row->phase = LP_NETWORK_READY;
            lp_network_put(driver, row, LP_EVENT_NETWORK_READY, NULL);
        }
        return 0;
    }
    row->phase = LP_NETWORK_STARTING;
    row->started_ms = row->ask_at_ms = lp_monotonic_ms();
    row->names_in_force = false;
    row->questions = 0;
    if (names->pidfd < 0)
        return lp_helper_start(driver, row, LP_HELPER_NAMES, err);
    lp_helper_kill(names);
    names->is_wanted = true; // started anew as soon as it is dead
    return 0;
}

LP_MUST_CHECK static int remove_all(struct lp_network_driver *driver, const struct lp_order *order,
                                    struct lp_err *err)
{
    struct lp_infra_net *row = row_find(driver, order->infra_name, order->action.infra);
    if (!row && !order->infra_name) { // neither known by id nor by name: nothing of it exists
        struct lp_infra_net gone = {.mark = {.infra = order->action.infra}};
        lp_network_put(driver, &gone, LP_EVENT_NETWORK_GONE, NULL);
        return 0;
    }
    if (!row) {
        struct lp_network_mark mark = {.infra = order->action.infra};
        if (snprintf(mark.name, sizeof(mark.name), "%s", order->infra_name) > LP_NAME_BYTES_MAX)
            return lp_err_set(err, LP_EINPUT, "overlong name %.80s", order->infra_name);
        row = lp_network_row_add(driver, &mark);
    }
    row->mark.infra = order->action.infra;
    row->phase = LP_NETWORK_REMOVING;
    row->ask_at_ms = row->hup_at_ms = INT64_MAX;
    row->is_reply_owed = false;
    for (int i = 0; i < LP_HELPERS; i++)
        lp_helper_kill(&row->helpers[i]);
    row_clear(driver, row);
    return 0;
}

LP_MUST_CHECK static int publish(struct lp_network_driver *driver, const struct lp_order *order,
                                 struct lp_err *err)
{
    struct lp_infra_net *row = row_find(driver, order->infra_name, order->action.infra);
    if (!row || (row->phase != LP_NETWORK_READY && row->phase != LP_NETWORK_STARTING))
        return lp_err_set(err, LP_ECONFLICT, "publish: the network is not there");
    row->revision = order->action.revision;
    row->is_reply_owed = true;
    int code = lp_network_names_write(driver, row, order, err);
    if (code == 0)
        code = lp_network_ports_write(driver, row, order, err);
    if (code == 0)
        lp_network_settle(driver, row);
    return code;
}

static void helper_tell(struct lp_network_driver *driver, const struct lp_infra_net *row,
                        enum lp_helper_kind kind)
{
    const struct lp_helper *helper = &row->helpers[kind];
    LP_OWNS_STR struct lp_str text = {0};
    lp_str_printf(&text, "%s ", lp_helper_word(kind));
    if (helper->status >= 0)
        lp_child_status_print(helper->status, &text);
    else
        lp_str_add(&text, "ended");
    lp_str_add(&text, " and is started again");
    lp_network_put(driver, row, LP_EVENT_NETWORK_READY, lp_str_text(&text));
}

// The last line that a helper wrote, as the reason of its failure.
static void start_fail(struct lp_network_driver *driver, struct lp_infra_net *row, const char *what)
{
    LP_OWNS_STR struct lp_str text = {0};
    LP_OWNS_STR struct lp_str log = {0};
    lp_str_add(&text, what);
    if (lp_file_read(lp_network_file(&driver->env, row->mark.name, "names.log").text,
                     MARK_BYTES_MAX, &log, NULL) == 0 &&
        log.bytes > 1)
        lp_str_printf(&text, ": %.*s", (int)strcspn(log.text, "\n"), log.text);
    row->phase = LP_NETWORK_BEGUN;
    row->ask_at_ms = INT64_MAX;
    lp_helper_kill(&row->helpers[LP_HELPER_NAMES]);
    lp_network_put(driver, row, LP_EVENT_NETWORK_FAILED, lp_str_text(&text));
}

static void helper_ended(struct lp_network_driver *driver, struct lp_infra_net *row,
                         enum lp_helper_kind kind)
{
    struct lp_helper *helper = &row->helpers[kind];
    if (helper->pidfd < 0 || !lp_helper_reap(helper))
        return;
    if (row->phase == LP_NETWORK_REMOVING) {
        row_clear(driver, row);
        return;
    }
    if (helper->is_killed)
        return; // to be started anew at once, or not at all
    if (row->phase == LP_NETWORK_STARTING && kind == LP_HELPER_NAMES)
        start_fail(driver, row, "dnsmasq could not start");
    else if (helper->is_wanted)
        helper_tell(driver, row, kind);
}

static void helper_restart(struct lp_network_driver *driver, struct lp_infra_net *row,
                           enum lp_helper_kind kind)
{
    struct lp_helper *helper = &row->helpers[kind];
    struct lp_err err;
    helper->restart_at_ms = INT64_MAX;
    if (kind == LP_HELPER_PORTS)
        (void)unlink(lp_network_file(&driver->env, row->mark.name, "forward.status").text);
    if (lp_helper_start(driver, row, kind, &err) < 0) {
        lp_network_put(driver, row, LP_EVENT_NETWORK_READY, err.text);
        helper->restart_at_ms = lp_monotonic_ms() + START_MAX_MS;
        return;
    }
    if (kind == LP_HELPER_NAMES) {
        row->names_in_force = false;
        row->questions = 0;
        row->ask_at_ms = lp_monotonic_ms();
    }
}

static void row_tick(struct lp_network_driver *driver, struct lp_infra_net *row, int64_t now_ms)
{
    if (row->phase == LP_NETWORK_STARTING && now_ms - row->started_ms > START_MAX_MS) {
        start_fail(driver, row, "dnsmasq does not answer");
        return;
    }
    for (int i = 0; i < LP_HELPERS; i++) {
        if (row->helpers[i].restart_at_ms <= now_ms)
            helper_restart(driver, row, (enum lp_helper_kind)i);
    }
    if (row->ask_at_ms <= now_ms)
        lp_network_ask(driver, row);
    if (row->hup_at_ms <= now_ms) {
        lp_helper_hang_up(&row->helpers[LP_HELPER_PORTS]);
        row->hup_at_ms = now_ms + 1000;
    }
}

static int64_t row_wake_at_ms(const struct lp_infra_net *row)
{
    int64_t at_ms = row->ask_at_ms < row->hup_at_ms ? row->ask_at_ms : row->hup_at_ms;
    for (int i = 0; i < LP_HELPERS; i++) {
        if (row->helpers[i].restart_at_ms < at_ms)
            at_ms = row->helpers[i].restart_at_ms;
    }
    return at_ms;
}

// Do what is due and set the timer to what comes next.
static void tick(struct lp_network_driver *driver)
{
    int64_t next_ms = INT64_MAX, now_ms = lp_monotonic_ms();
    for (size_t i = 0; i < driver->row_capacity; i++) {
        struct lp_infra_net *row = driver->rows[i];
        if (!row)
            continue;
        row_tick(driver, row, now_ms);
        int64_t at_ms = row_wake_at_ms(row);
        next_ms = at_ms < next_ms ? at_ms : next_ms;
    }
    struct itimerspec at = {0};
    if (next_ms != INT64_MAX) {
        at.it_value.tv_sec = next_ms / 1000;
        at.it_value.tv_nsec = next_ms % 1000 * 1000000 + 1; // 0 would mean never
    }
    (void)timerfd_settime(driver->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static int network_begin(void *self, const struct lp_order *order, struct lp_err *err)
{
    struct lp_network_driver *driver = self;
    int code = 0;
    switch (order->action.kind) {
    case LP_ACTION_ENSURE_NETWORK:
        code = ensure(driver, order, err);
        break;
    case LP_ACTION_REMOVE_NETWORK:
        code = remove_all(driver, order, err);
        break;
    case LP_ACTION_PUBLISH:
        code = publish(driver, order, err);
        break;
    default:
        return lp_err_set(err, LP_EUNSUPPORTED, "the network driver cannot %s",
                          lp_action_word(order->action.kind));
    }
    tick(driver);
    return code;
}

static void child_ended(void *context, const struct lp_child_exit *exit)
{
    struct lp_network_driver *driver = context;
    for (size_t i = 0; i < driver->row_capacity; i++) {
        for (int kind = 0; driver->rows[i] && kind < LP_HELPERS; kind++) {
            if (driver->rows[i]->helpers[kind].pid == exit->pid)
                driver->rows[i]->helpers[kind].status = exit->status;
        }
    }
}

static void folder_read(struct lp_network_driver *driver)
{
    _Alignas(struct inotify_event) char bytes[4096];
    for (ssize_t count; (count = read(driver->inotify_fd, bytes, sizeof(bytes))) > 0;) {
        for (char *at = bytes; at < bytes + count;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;
            at += sizeof(*event) + event->len;
            if (!event->len || !lp_text_equal(event->name, "forward.status"))
                continue;
            for (size_t i = 0; i < driver->row_capacity; i++) {
                if (driver->rows[i] && driver->rows[i]->folder_watch == event->wd)
                    lp_network_ports_read(driver, driver->rows[i]);
            }
        }
    }
}

static void source_ready(struct lp_network_driver *driver, uint64_t data)
{
    uint64_t slot = data >> 8, drained;
    struct lp_infra_net *row = slot < driver->row_capacity ? driver->rows[slot] : NULL;
    switch ((enum lp_network_source)(data & 255)) {
    case LP_SOURCE_WAKE:
        (void)!read(driver->wake_fd, &drained, sizeof(drained));
        break;
    case LP_SOURCE_TIMER:
        (void)!read(driver->timer_fd, &drained, sizeof(drained));
        break;
    case LP_SOURCE_CHILDREN:
        break; // reaped before all others, so that their status is known
    case LP_SOURCE_FOLDER:
        folder_read(driver);
        break;
    case LP_SOURCE_NAMES:
        if (row)
            lp_network_listen(driver, row);
        break;
    case LP_SOURCE_HELPER:
        for (int kind = 0; row && row == driver->rows[slot] && kind < LP_HELPERS; kind++)
            helper_ended(driver, row, (enum lp_helper_kind)kind);
        break;
    }
}

static int network_collect(void *self, struct lp_inbox *inbox, struct lp_err *err)
{
    (void)err;
    struct lp_network_driver *driver = self;
    struct epoll_event events[EVENTS_MAX];
    lp_children_collect(driver->children, child_ended, driver);
    int count = epoll_wait(driver->epoll_fd, events, EVENTS_MAX, 0);
    for (int i = 0; i < count; i++)
        source_ready(driver, events[i].data.u64);
    tick(driver);
    for (size_t i = 0; i < driver->event_count; i++) {
        struct lp_event event;
        lp_event_init(&event, driver->events[i].kind);
        event.infra = driver->events[i].infra;
        event.revision = driver->events[i].revision;
        event.text = driver->events[i].text;
        inbox->put(inbox, &event);
        lp_heap_free(driver->events[i].text);
    }
    driver->event_count = 0;
    return 0;
}

static int network_wait_fd(void *self)
{
    return ((struct lp_network_driver *)self)->epoll_fd;
}

static void network_close(void *self)
{
    struct lp_network_driver *driver = self;
    for (size_t i = 0; i < driver->row_capacity; i++) {
        if (driver->rows[i])
            row_drop(driver, driver->rows[i]);
    }
    for (size_t i = 0; i < driver->event_count; i++)
        lp_heap_free(driver->events[i].text);
    lp_children_close(driver->children);
    const int fds[] = {driver->epoll_fd, driver->wake_fd, driver->timer_fd, driver->inotify_fd,
                       driver->host_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    lp_heap_free(driver->events);
    lp_heap_free(driver->rows);
    lp_heap_free(driver->root);
    lp_heap_free(driver->root_id);
    lp_heap_free(driver);
}

LP_MUST_CHECK static int handles_open(struct lp_network_driver *driver, struct lp_err *err)
{
    driver->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    driver->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    driver->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    driver->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (driver->epoll_fd < 0 || driver->wake_fd < 0 || driver->timer_fd < 0 ||
        driver->inotify_fd < 0)
        return lp_err_set(err, LP_EIO, "handles of the network driver: %s", strerror(errno));
    int code = lp_netns_open_own(&driver->host_fd, err);
    if (code == 0)
        code = lp_children_open(&driver->children, err);
    if (code == 0)
        code = lp_network_watch(driver, driver->wake_fd, NULL, LP_SOURCE_WAKE, err);
    if (code == 0)
        code = lp_network_watch(driver, driver->timer_fd, NULL, LP_SOURCE_TIMER, err);
    if (code == 0)
        code = lp_network_watch(driver, driver->inotify_fd, NULL, LP_SOURCE_FOLDER, err);
    if (code == 0)
        code = lp_network_watch(driver, lp_children_wait_fd(driver->children), NULL,
                                LP_SOURCE_CHILDREN, err);
    return code;
}

static char *text_copy(const char *text)
{
    char *copy = lp_heap_take(strlen(text) + 1);
    memcpy(copy, text, strlen(text));
    return copy;
}

static int network_open(const struct lp_driver_env *env, void **ret_self, struct lp_err *err)
{
    int code = lp_place_check(env, err);
    if (code < 0)
        return code;
    struct lp_network_driver *driver = lp_heap_take(sizeof(*driver));
    driver->root = text_copy(env->root);
    driver->root_id = text_copy(env->root_id);
    driver->env = (struct lp_driver_env){driver->root, driver->root_id};
    driver->epoll_fd = driver->wake_fd = driver->timer_fd = -1;
    driver->inotify_fd = driver->host_fd = -1;
    lp_program_again(driver->program, sizeof(driver->program));
    code = handles_open(driver, err);
    if (code < 0) {
        network_close(driver);
        return code;
    }
    lp_network_adopt(driver);
    tick(driver);
    *ret_self = driver;
    return 0;
}

const struct lp_driver lp_driver_network = {
    .name = "network",
    .action_kinds =
        1u << LP_ACTION_ENSURE_NETWORK | 1u << LP_ACTION_REMOVE_NETWORK | 1u << LP_ACTION_PUBLISH,
    .open = network_open,
    .begin = network_begin,
    .collect = network_collect,
    .wait_fd = network_wait_fd,
    .close = network_close,
};
