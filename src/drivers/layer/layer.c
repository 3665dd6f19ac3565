// The process of a layer: it serves the kernel, takes orders and sends replies at their time, all
// in one loop.
#define _GNU_SOURCE
#include "drivers/layer/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "drivers/crun/init_socket.h"
#include "drivers/layer/layer_parts.h"

#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x00000004
#endif
#ifndef MOVE_MOUNT_T_EMPTY_PATH
#define MOVE_MOUNT_T_EMPTY_PATH 0x00000040
#endif

enum { EVENTS_MAX = 16 };

// The node may have put a link in the way: only what is mounted there is served, and nothing that
// shows the kernel's own state.
static bool is_volume(int fd)
{
    struct statx facts;
    struct statfs system;
    return statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &facts) == 0 &&
           (facts.stx_attributes & STATX_ATTR_MOUNT_ROOT) && fstatfs(fd, &system) == 0 &&
           system.f_type != PROC_SUPER_MAGIC && system.f_type != SYSFS_MAGIC;
}

// Into the node, over the folder, and back. Nothing of the node's namespace stays open: a handle
// would keep it when the node dies.
LP_MUST_CHECK static int target_cover(const struct lp_layer_spec *spec, int mount_fd,
                                      int *ret_base_fd, struct lp_err *err)
{
    LP_OWNS_FD int home = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    LP_OWNS_FD int space = spec->handle;
    if (home < 0 || setns(space, CLONE_NEWNS) < 0)
        return lp_err_set(err, LP_EIO, "enter the node's mounts: %s", strerror(errno));
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_NO_MAGICLINKS};
    LP_OWNS_FD int base = (int)syscall(SYS_openat2, AT_FDCWD, spec->target, &how, sizeof(how));
    if (base < 0)
        return lp_err_set(err, LP_EINPUT, "%s: %s", spec->target, strerror(errno));
    if (!is_volume(base))
        return lp_err_set(err, LP_EINPUT, "no volume is mounted at %s", spec->target);
    if (syscall(SYS_move_mount, mount_fd, "", base, "",
                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return lp_err_set(err, LP_EIO, "cover %s: %s", spec->target, strerror(errno));
    if (setns(home, CLONE_NEWNS) < 0 || chdir("/") < 0)
        return lp_err_set(err, LP_EIO, "leave the node's mounts: %s", strerror(errno));
    *ret_base_fd = lp_fd_take(&base);
    return 0;
}

LP_MUST_CHECK static int ground_open(struct lp_layer *layer, int *ret_base_fd, struct lp_err *err)
{
    const struct lp_layer_spec *spec = layer->spec;
    LP_OWNS_FD int mount_fd = -1;
    if (!spec->source) {
        if (lp_layer_mount(spec->name, &layer->fuse_fd, &mount_fd, err) < 0)
            return err->code;
        layer->connection = lp_layer_connection(mount_fd);
        return target_cover(spec, mount_fd, ret_base_fd, err);
    }
    layer->fuse_fd = spec->handle;
    layer->connection = spec->connection;
    int base = open(spec->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (base < 0)
        return lp_err_set(err, LP_EIO, "%s: %s", spec->source, strerror(errno));
    *ret_base_fd = base;
    return lp_fd_nonblocking(layer->fuse_fd, err);
}

LP_MUST_CHECK static int session_open(struct lp_layer *layer, struct lp_err *err)
{
    char program[] = "limpet", place[32];
    char *argv[] = {program, NULL};
    struct fuse_args arguments = FUSE_ARGS_INIT(1, argv);
    layer->session = fuse_session_new(&arguments, &lp_layer_operations_of_kernel,
                                      sizeof(lp_layer_operations_of_kernel), layer);
    snprintf(place, sizeof(place), "/dev/fd/%d", layer->fuse_fd);
    bool is_good = layer->session && fuse_session_mount(layer->session, place) == 0;
    fuse_opt_free_args(&arguments);
    return is_good ? 0 : lp_err_set(err, LP_EIO, "begin to serve FUSE");
}

LP_MUST_CHECK static int watch(const struct lp_layer *layer, int fd, const void *what,
                               struct lp_err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = (void *)(uintptr_t)what};
    if (epoll_ctl(layer->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return lp_err_set(err, LP_EIO, "watch: %s", strerror(errno));
    return 0;
}

LP_MUST_CHECK static int handles_open(struct lp_layer *layer, struct lp_err *err)
{
    uint64_t chance = 0;
    if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
        return lp_err_set(err, LP_EIO, "take a random number: %s", strerror(errno));
    snprintf(layer->cookie, sizeof(layer->cookie), ".limpet-look-%016llx",
             (unsigned long long)chance);
    layer->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    layer->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (layer->epoll_fd < 0 || layer->timer_fd < 0)
        return lp_err_set(err, LP_EIO, "watch: %s", strerror(errno));
    lp_layer_aio_open(&layer->aio);
    if (watch(layer, layer->fuse_fd, &layer->fuse_fd, err) < 0 ||
        watch(layer, layer->timer_fd, &layer->timer_fd, err) < 0 ||
        watch(layer, layer->listen_fd, &layer->listen_fd, err) < 0)
        return err->code;
    return layer->aio.event_fd < 0 ? 0 : watch(layer, layer->aio.event_fd, &layer->aio, err);
}

// Rather an application dies for lack of memory than the disk below it. Not everybody may say so.
static void death_put_off(void)
{
    LP_OWNS_FD int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        (void)!write(fd, "-1000", strlen("-1000"));
}

// The mount is in no tree any more: whoever has a file of it open goes on, others do not come.
static void listening_end(struct lp_layer *layer)
{
    bool is_detached =
        layer->is_ending && layer->helpers[LP_LAYER_KINDS].answer.phase == LP_LAYER_NONE;
    if (!is_detached || layer->listen_fd < 0)
        return;
    prctl(PR_SET_NAME, LP_LAYER_ENDING);
    unlink(layer->spec->socket);
    epoll_ctl(layer->epoll_fd, EPOLL_CTL_DEL, layer->listen_fd, NULL);
    close(lp_fd_take(&layer->listen_fd));
}

static void event_take(struct lp_layer *layer, const struct epoll_event *event,
                       struct fuse_buf *buffer)
{
    void *what = event->data.ptr;
    if (what == &layer->fuse_fd) {
        if (fuse_session_receive_buf(layer->session, buffer) > 0)
            fuse_session_process_buf(layer->session, buffer);
    } else if (what == &layer->timer_fd) {
        lp_layer_replies_send(layer);
    } else if (what == &layer->aio) {
        lp_layer_syncs_collect(layer);
    } else if (what == &layer->listen_fd) {
        lp_layer_orders_take(layer);
    } else {
        lp_layer_helper_collect(layer, what);
        listening_end(layer);
    }
}

// Until the mount is gone: the session ends with ENODEV.
static void serve(struct lp_layer *layer)
{
    struct fuse_buf buffer = {0};
    struct epoll_event events[EVENTS_MAX];
    while (!fuse_session_exited(layer->session)) {
        int count = epoll_wait(layer->epoll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < count && !fuse_session_exited(layer->session); i++)
            event_take(layer, &events[i], &buffer);
    }
    free(buffer.mem);
}

int lp_layer_run(const struct lp_layer_spec *spec, struct lp_err *err)
{
    static struct lp_layer layer;
    int base_fd = -1;
    layer = (struct lp_layer){
        .spec = spec, .epoll_fd = -1, .timer_fd = -1, .listen_fd = -1, .fuse_fd = -1};
    for (size_t i = 0; i < sizeof(layer.helpers) / sizeof(layer.helpers[0]); i++)
        layer.helpers[i].fd = layer.helpers[i].pidfd = -1;
    umask(0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN); // helpers are nobody's zombies
    // A machine that shuts down sends it to everybody at once: what the node then writes is to
    // reach the disk. We end with the node, whose mounts go.
    signal(SIGTERM, SIG_IGN);
    if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0)
        return lp_err_set(err, LP_EUNSUPPORTED, "keep capabilities: %s", strerror(errno));
    death_put_off();
    // It can be asked from the moment on when it may stand over the folder.
    int result = lp_init_socket_listen(spec->socket, &layer.listen_fd, err);
    if (result == 0)
        result = ground_open(&layer, &base_fd, err);
    if (result == 0)
        result = lp_layer_inodes_open(&layer.inodes, base_fd, err);
    if (result == 0)
        result = session_open(&layer, err);
    if (result == 0)
        result = handles_open(&layer, err);
    if (result < 0)
        return result;
    serve(&layer);
    return 0;
}
