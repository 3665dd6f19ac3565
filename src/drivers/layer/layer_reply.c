// Replies that wait for their time, and syncs that go on while others are served (the kernel's
// asynchronous I/O: the one process of a layer never waits for the disk's barrier).
#define _GNU_SOURCE
#include <errno.h>
#include <linux/aio_abi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "drivers/layer/layer_parts.h"

enum { SYNCS_MAX = 256, SYNCS_BURST = 32 };

struct lp_layer_parked {
    struct lp_layer_parked *next;
    int64_t due_us;
    fuse_req_t req;
    struct lp_layer_result result;
};

struct sync { // one that is under way
    fuse_req_t req;
    uint32_t delay_us;
};

static void send(fuse_req_t req, const struct lp_layer_result *result)
{
    // Whoever asked may be gone: then nobody hears it.
    if (result->error || result->kind == LP_LAYER_REPLY_ERROR)
        (void)fuse_reply_err(req, result->error);
    else if (result->kind == LP_LAYER_REPLY_WRITTEN)
        (void)fuse_reply_write(req, result->count);
    else
        (void)fuse_reply_buf(req, result->bytes, result->count);
    lp_heap_free(result->bytes);
}

static void timer_set(struct lp_layer *layer)
{
    struct itimerspec at = {0};
    if (layer->parked) { // 0 would disarm it
        int64_t us = layer->parked->due_us > 0 ? layer->parked->due_us : 1;
        at.it_value = (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    }
    (void)timerfd_settime(layer->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

void lp_layer_reply(struct lp_layer *layer, fuse_req_t req, uint32_t delay_us,
                    const struct lp_layer_result *result)
{
    if (delay_us == 0) {
        send(req, result);
        return;
    }
    struct lp_layer_parked *parked = lp_heap_take(sizeof(*parked));
    parked->due_us = lp_monotonic_us() + delay_us;
    parked->req = req;
    parked->result = *result;
    struct lp_layer_parked **at = &layer->parked;
    while (*at && (*at)->due_us <= parked->due_us)
        at = &(*at)->next;
    parked->next = *at;
    *at = parked;
    if (layer->parked == parked)
        timer_set(layer);
}

bool lp_layer_is_read_held(const struct lp_layer *layer, const struct lp_layer_inode *inode)
{
    for (const struct lp_layer_parked *at = layer->parked; at; at = at->next)
        if (at->result.read_of == inode)
            return true;
    return false;
}

static void parked_send(struct lp_layer *layer, int64_t until_us)
{
    while (layer->parked && layer->parked->due_us <= until_us) {
        struct lp_layer_parked *parked = layer->parked;
        layer->parked = parked->next;
        send(parked->req, &parked->result);
        lp_heap_free(parked);
    }
    timer_set(layer);
}

void lp_layer_replies_send(struct lp_layer *layer)
{
    uint64_t ticks;
    (void)!read(layer->timer_fd, &ticks, sizeof(ticks));
    parked_send(layer, lp_monotonic_us());
}

void lp_layer_replies_hurry(struct lp_layer *layer)
{
    parked_send(layer, INT64_MAX);
}

// Syncs.

void lp_layer_aio_open(struct lp_layer_aio *aio)
{
    aio->context = 0;
    aio->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (aio->event_fd >= 0 && syscall(SYS_io_setup, SYNCS_MAX, &aio->context) < 0) {
        close(aio->event_fd);
        aio->event_fd = -1;
    }
}

static void sync_ended(struct lp_layer *layer, fuse_req_t req, uint32_t delay_us, int error)
{
    struct lp_layer_result result = {.error = error, .kind = LP_LAYER_REPLY_ERROR};
    lp_layer_reply(layer, req, delay_us, &result);
}

void lp_layer_sync_begin(struct lp_layer *layer, fuse_req_t req, int fd, bool is_data_only,
                         uint32_t delay_us)
{
    struct sync *sync = lp_heap_take(sizeof(*sync));
    *sync = (struct sync){req, delay_us};
    struct iocb order = {.aio_data = (uintptr_t)sync,
                         .aio_lio_opcode = is_data_only ? IOCB_CMD_FDSYNC : IOCB_CMD_FSYNC,
                         .aio_fildes = (uint32_t)fd,
                         .aio_flags = IOCB_FLAG_RESFD,
                         .aio_resfd = (uint32_t)layer->aio.event_fd};
    struct iocb *orders[] = {&order};
    if (layer->aio.event_fd >= 0 && syscall(SYS_io_submit, layer->aio.context, 1, orders) == 1)
        return;
    // A file system or a kernel that cannot: everybody waits for it.
    lp_heap_free(sync);
    int result = is_data_only ? fdatasync(fd) : fsync(fd);
    sync_ended(layer, req, delay_us, result < 0 ? errno : 0);
}

void lp_layer_syncs_collect(struct lp_layer *layer)
{
    uint64_t count;
    struct io_event events[SYNCS_BURST];
    struct timespec at_once = {0};
    (void)!read(layer->aio.event_fd, &count, sizeof(count));
    long ended;
    do {
        ended = syscall(SYS_io_getevents, layer->aio.context, 0, SYNCS_BURST, events, &at_once);
        for (long i = 0; i < ended; i++) {
            struct sync *sync = (struct sync *)(uintptr_t)events[i].data;
            sync_ended(layer, sync->req, sync->delay_us,
                       events[i].res < 0 ? (int)-events[i].res : 0);
            lp_heap_free(sync);
        }
    } while (ended == SYNCS_BURST);
}
