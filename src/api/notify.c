// Tells the service manager that started this process that it is ready.
#define _GNU_SOURCE
#include "api/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/own.h"

LP_MUST_CHECK static int datagram_send(const struct sockaddr_un *to, socklen_t to_bytes,
                                       const char *text, struct lp_err *err)
{
    LP_OWNS_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    size_t bytes = strlen(text);
    if (fd < 0 || sendto(fd, text, bytes, MSG_NOSIGNAL, (const struct sockaddr *)to, to_bytes) !=
                      (ssize_t)bytes)
        return lp_err_set(err, LP_EIO, "tell the service manager: %s", strerror(errno));
    return 0;
}

int lp_notify_send(const char *text, struct lp_err *err)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!name)
        return 0;
    size_t bytes = strlen(name);
    int result;
    if ((name[0] != '/' && name[0] != '@') || bytes < 2 || bytes >= sizeof(to.sun_path)) {
        result = lp_err_set(err, LP_EINPUT, "NOTIFY_SOCKET names no socket: %s", name);
    } else {
        memcpy(to.sun_path, name, bytes);
        if (name[0] == '@')
            to.sun_path[0] = '\0';
        result = datagram_send(&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes),
                               text, err);
    }
    unsetenv("NOTIFY_SOCKET");
    return result;
}
