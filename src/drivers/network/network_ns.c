// Network namespaces by name: made, entered for a moment, removed.
#define _GNU_SOURCE
#include "drivers/network/network_ns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"

int lp_netns_open_own(int *ret_fd, struct lp_err *err)
{
    int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "open own network namespace: %s", strerror(errno));
    *ret_fd = fd;
    return 0;
}

int lp_netns_open(const char *path, int *ret_fd, struct lp_err *err)
{
    LP_OWNS_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return lp_err_set(err, errno == ENOENT ? LP_ENOTFOUND : LP_EIO, "open %s: %s", path,
                          strerror(errno));
    struct statfs facts;
    if (fstatfs(fd, &facts) < 0 || facts.f_type != NSFS_MAGIC)
        return lp_err_set(err, LP_ENOTFOUND, "%s is not a network namespace", path);
    *ret_fd = lp_fd_take(&fd);
    return 0;
}

int lp_netns_enter(int netns_fd, struct lp_err *err)
{
    if (setns(netns_fd, CLONE_NEWNET) < 0)
        return lp_err_set(err, LP_EIO, "enter network namespace: %s", strerror(errno));
    return 0;
}

void lp_netns_leave(int home_fd)
{
    lp_assert(setns(home_fd, CLONE_NEWNET) == 0);
}

int lp_netns_visit(int netns_fd, int *ret_home_fd, struct lp_err *err)
{
    LP_OWNS_FD int home_fd = -1;
    int code = lp_netns_open_own(&home_fd, err);
    if (code == 0)
        code = lp_netns_enter(netns_fd, err);
    if (code == 0)
        *ret_home_fd = lp_fd_take(&home_fd);
    return code;
}

// Unshare, pin what was unshared, go home.
LP_MUST_CHECK static int netns_pin(const char *path, int home_fd, struct lp_err *err)
{
    if (unshare(CLONE_NEWNET) < 0)
        return lp_err_set(err, LP_EIO, "make network namespace: %s", strerror(errno));
    int status = mount("/proc/thread-self/ns/net", path, NULL, MS_BIND, NULL);
    int number = errno;
    lp_netns_leave(home_fd);
    if (status < 0)
        return lp_err_set(err, LP_EIO, "pin network namespace at %s: %s", path, strerror(number));
    return 0;
}

int lp_netns_make(const char *path, bool *ret_is_new, struct lp_err *err)
{
    int found = -1;
    if (lp_netns_open(path, &found, NULL) == 0) {
        close(found);
        *ret_is_new = false;
        return 0;
    }
    LP_OWNS_FD int home_fd = -1;
    int code = lp_netns_open_own(&home_fd, err);
    if (code < 0)
        return code;
    if (mkdir("/run/netns", 0755) < 0 && errno != EEXIST)
        return lp_err_set(err, LP_EIO, "make /run/netns: %s", strerror(errno));
    LP_OWNS_FD int file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0400);
    if (file < 0)
        return lp_err_set(err, LP_EIO, "create %s: %s", path, strerror(errno));
    code = netns_pin(path, home_fd, err);
    if (code < 0) {
        (void)unlink(path);
        return code;
    }
    *ret_is_new = true;
    return 0;
}

// The first `ip netns add` of a machine mounts /run/netns over itself, which hides what was pinned
// there before and keeps it busy. Seen from a mount namespace in which that cover is taken off, the
// file can be removed; the kernel then drops the hidden mount everywhere.
static void covered_remove(const char *path)
{
    pid_t pid = fork();
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
    if (pid != 0)
        return;
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0) {
        for (int covers = 0; covers < 4; covers++) {
            while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
            }
            if (unlink(path) == 0 || umount2("/run/netns", MNT_DETACH) < 0)
                break;
        }
    }
    _exit(0);
}

int lp_netns_remove(const char *path, struct lp_err *err)
{
    // Pinned more than once only if somebody else did so; unlink(2) also drops what other mount
    // namespaces still see there.
    while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
    }
    if (unlink(path) < 0 && errno == EBUSY)
        covered_remove(path);
    if (unlink(path) < 0 && errno != ENOENT)
        return lp_err_set(err, LP_EIO, "remove %s: %s", path, strerror(errno));
    return 0;
}

int lp_netns_socket(int netns_fd, const int kind[3], int *ret_fd, struct lp_err *err)
{
    LP_OWNS_FD int home_fd = -1;
    int code = lp_netns_visit(netns_fd, &home_fd, err);
    if (code < 0)
        return code;
    int fd = socket(kind[0], kind[1] | SOCK_CLOEXEC, kind[2]);
    int number = errno;
    lp_netns_leave(home_fd);
    if (fd < 0)
        return lp_err_set(err, number == EMFILE || number == ENFILE ? LP_EFULL : LP_EIO,
                          "make a socket: %s", strerror(number));
    *ret_fd = fd;
    return 0;
}

int lp_netns_set(const char *path, const char *value, bool is_optional, struct lp_err *err)
{
    LP_OWNS_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && is_optional)
        return 0;
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "open %s: %s", path, strerror(errno));
    if (write(fd, value, strlen(value)) < 0)
        return lp_err_set(err, LP_EIO, "write %s to %s: %s", value, path, strerror(errno));
    return 0;
}
