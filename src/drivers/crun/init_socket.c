// Connecting to limpet-init's Unix socket. A socket address holds 107 bytes of path; longer ones
// are reached through /proc/self/fd of the opened folder.
#include "drivers/crun/init_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/own.h"

// Fill in the address; *ret_folder must stay open while it is used.
static int address_make(const char *path, struct sockaddr_un *ret_address, int *ret_folder,
                        struct lp_err *err)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    const char *slash = strrchr(path, '/');
    if (strlen(path) < sizeof(ret_address->sun_path)) {
        memcpy(ret_address->sun_path, path, strlen(path) + 1);
        return 0;
    }
    char folder[4096];
    if (!slash || slash == path || (size_t)(slash - path) >= sizeof(folder))
        return lp_err_set(err, LP_EIO, "%s: too long for a socket", path);
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = '\0';
    *ret_folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret_folder < 0)
        return lp_err_set(err, errno == ENOENT ? LP_ENOTFOUND : LP_EIO, "open %s: %s", folder,
                          strerror(errno));
    int bytes = snprintf(ret_address->sun_path, sizeof(ret_address->sun_path),
                         "/proc/self/fd/%d/%s", *ret_folder, slash + 1);
    if (bytes >= (int)sizeof(ret_address->sun_path))
        return lp_err_set(err, LP_EIO, "%s: its last part is too long for a socket", path);
    return 0;
}

int lp_init_socket_open(const char *path, bool is_nonblocking, int *ret_fd, struct lp_err *err)
{
    LP_OWNS_FD int folder = -1;
    struct sockaddr_un address;
    int code = address_make(path, &address, &folder, err);
    if (code < 0)
        return code;
    int kind = SOCK_STREAM | SOCK_CLOEXEC | (is_nonblocking ? SOCK_NONBLOCK : 0);
    LP_OWNS_FD int fd = socket(AF_UNIX, kind, 0);
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "socket: %s", strerror(errno));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        code = errno == ENOENT || errno == ECONNREFUSED ? LP_ENOTFOUND
               : errno == EAGAIN                        ? LP_ETIMEOUT
                                                        : LP_EIO;
        return lp_err_set(err, code, "connect to %s: %s", path, strerror(errno));
    }
    *ret_fd = lp_fd_take(&fd);
    return 0;
}

int lp_init_socket_listen(const char *path, int *ret_fd, struct lp_err *err)
{
    LP_OWNS_FD int folder = -1;
    struct sockaddr_un address;
    int code = address_make(path, &address, &folder, err);
    if (code < 0)
        return code;
    LP_OWNS_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "socket: %s", strerror(errno));
    if (unlink(path) < 0 && errno != ENOENT)
        return lp_err_set(err, LP_EIO, "remove %s: %s", path, strerror(errno));
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0600) < 0 ||
        listen(fd, 64) < 0)
        return lp_err_set(err, LP_EIO, "listen on %s: %s", path, strerror(errno));
    *ret_fd = lp_fd_take(&fd);
    return 0;
}
