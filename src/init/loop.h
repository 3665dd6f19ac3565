// limpet-init's event loop: fds that become ready, on one epoll instance.
#pragma once

#include <stdint.h>

// Embedded in what owns the fd; ready gets the embedding object by its first member.
struct lp_watch {
    void (*ready)(void *self, uint32_t events); // EPOLLIN | ...; self as given to lp_loop_add
    void *self;
    int fd; // -1: not watched
};

void lp_loop_open(void); // aborts when the kernel refuses: nothing can be done without it
// watch->ready and self are set by the caller. fd stays the caller's. Returns 0 or -1 (errno).
int lp_loop_add(struct lp_watch *watch, int fd, uint32_t events);
void lp_loop_change(struct lp_watch *watch, uint32_t events); // 0: only errors and hang-ups
void lp_loop_remove(struct lp_watch *watch);                  // not watched: nothing happens
// Wait for one ready fd and call its function. timeout_ms as for epoll_wait(2).
void lp_loop_wait(int timeout_ms);
