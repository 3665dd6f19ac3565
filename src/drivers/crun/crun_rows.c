// The container driver's rows: its nodes, the events that it owes, and what it waits for.
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "drivers/crun/crun_parts.h"

struct lp_crun_node *lp_crun_find(const struct lp_crun *crun, uint32_t node)
{
    return node < crun->node_capacity ? crun->nodes[node] : NULL;
}

struct lp_crun_node *lp_crun_add(struct lp_crun *crun, const struct lp_node_mark *mark)
{
    if (mark->node >= crun->node_capacity) {
        size_t capacity = crun->node_capacity ? crun->node_capacity : 64;
        while (capacity <= mark->node)
            capacity *= 2;
        crun->nodes = lp_heap_grow(crun->nodes, capacity, sizeof(*crun->nodes));
        memset(crun->nodes + crun->node_capacity, 0,
               (capacity - crun->node_capacity) * sizeof(*crun->nodes));
        crun->node_capacity = capacity;
    }
    lp_assert(!crun->nodes[mark->node]);
    struct lp_crun_node *node = lp_heap_take(sizeof(*node));
    node->mark = *mark;
    node->pidfd = -1;
    node->deadline_ms = INT64_MAX;
    crun->nodes[mark->node] = node;
    return node;
}

struct lp_event *lp_crun_put(struct lp_crun *crun, const struct lp_crun_node *node,
                             enum lp_event_kind kind, const char *text)
{
    if (crun->event_count == crun->event_capacity) {
        crun->event_capacity = crun->event_capacity ? crun->event_capacity * 2 : 64;
        crun->events = lp_heap_grow(crun->events, crun->event_capacity, sizeof(*crun->events));
    }
    struct lp_crun_event *put = &crun->events[crun->event_count++];
    lp_event_init(&put->event, kind);
    put->text = NULL;
    if (node) {
        put->event.infra = node->mark.infra;
        put->event.service = node->mark.service;
        put->event.node = node->mark.node;
        put->event.incarnation = node->mark.incarnation;
    }
    if (text && text[0]) {
        put->text = lp_heap_take(strlen(text) + 1);
        memcpy(put->text, text, strlen(text));
    }
    uint64_t one = 1;
    (void)!write(crun->wake_fd, &one, sizeof(one)); // full means awake already
    return &put->event;
}

void lp_crun_synced_check(struct lp_crun *crun)
{
    if (crun->is_synced || crun->adopting_count > 0)
        return;
    crun->is_synced = true;
    lp_crun_put(crun, NULL, LP_EVENT_DRIVERS_SYNCED, NULL);
}

int lp_crun_watch(struct lp_crun *crun, const struct lp_crun_node *node, enum lp_crun_watch kind,
                  int fd, struct lp_err *err)
{
    struct epoll_event event = {.events = EPOLLIN,
                                .data.u64 = (uint64_t)kind << 32 | node->mark.node};
    if (epoll_ctl(crun->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return lp_err_set(err, LP_EIO, "watch node %s: %s", node->mark.name, strerror(errno));
    return 0;
}

void lp_crun_wake_at(struct lp_crun *crun, int64_t at_ms)
{
    if (at_ms >= crun->timer_ms)
        return;
    crun->timer_ms = at_ms;
    struct itimerspec at = {
        .it_value = {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000 + 1}};
    timerfd_settime(crun->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}
