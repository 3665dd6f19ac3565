// limpet-init's event loop. One event a wait: a handler may then close any fd it likes, as no
// other event of the same batch can refer to it; epoll itself deals the ready ones out in turn.
#include "init/loop.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>

#include "base/err.h"

static int epoll_fd = -1;

void lp_loop_open(void)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    lp_assert(epoll_fd >= 0);
}

int lp_loop_add(struct lp_watch *watch, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return -1;
    watch->fd = fd;
    return 0;
}

void lp_loop_change(struct lp_watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (watch->fd >= 0)
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
}

void lp_loop_remove(struct lp_watch *watch)
{
    if (watch->fd >= 0)
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->fd = -1;
}

void lp_loop_wait(int timeout_ms)
{
    struct epoll_event event;
    if (epoll_wait(epoll_fd, &event, 1, timeout_ms) != 1)
        return;
    struct lp_watch *watch = event.data.ptr;
    watch->ready(watch->self, event.events);
}
