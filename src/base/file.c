// Files as a whole: read, write atomically, make and remove trees.
#define _GNU_SOURCE
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"

int lp_file_read(const char *path, size_t max_bytes, struct lp_str *ret_text, struct lp_err *err)
{
    LP_OWNS_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return lp_err_set(err, errno == ENOENT ? LP_ENOTFOUND : LP_EIO, "open %s: %s", path,
                          strerror(errno));
    size_t before = ret_text->bytes;
    char chunk[16 * 1024];
    for (;;) {
        ssize_t count = read(fd, chunk, sizeof(chunk));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return lp_err_set(err, LP_EIO, "read %s: %s", path, strerror(errno));
        if (count == 0)
            return 0;
        if (ret_text->bytes - before + (size_t)count > max_bytes)
            return lp_err_set(err, LP_EFULL, "%s is larger than %zu bytes", path, max_bytes);
        lp_str_add_n(ret_text, chunk, (size_t)count);
    }
}

int lp_fd_write(int fd, const void *bytes, size_t count, struct lp_err *err)
{
    const char *at = bytes;
    while (count > 0) {
        ssize_t written = write(fd, at, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return lp_err_set(err, LP_EIO, "write: %s", strerror(errno));
        at += written;
        count -= (size_t)written;
    }
    return 0;
}

int lp_file_write(const char *path, const void *bytes, size_t count, mode_t mode,
                  struct lp_err *err)
{
    char beside[PATH_MAX];
    if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside))
        return lp_err_set(err, LP_EINPUT, "path too long: %s", path);
    unlink(beside);
    LP_OWNS_FD int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "create %s: %s", beside, strerror(errno));
    int result = lp_fd_write(fd, bytes, count, err);
    if (result == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(beside, path) < 0))
        result = lp_err_set(err, LP_EIO, "%s", strerror(errno));
    if (result < 0) {
        unlink(beside);
        return lp_err_wrap(err, "write %s", path);
    }
    return 0;
}

int lp_dir_make(const char *path, mode_t mode, struct lp_err *err)
{
    char part[PATH_MAX];
    size_t bytes = strlen(path);
    if (bytes >= sizeof(part))
        return lp_err_set(err, LP_EINPUT, "path too long: %s", path);
    for (size_t i = 1; i <= bytes; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, mode) < 0 && errno != EEXIST)
            return lp_err_set(err, LP_EIO, "make folder %s: %s", part, strerror(errno));
    }
    struct stat status;
    if (stat(path, &status) < 0 || !S_ISDIR(status.st_mode))
        return lp_err_set(err, LP_EIO, "%s is not a folder", path);
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

int lp_dir_remove(const char *path, struct lp_err *err)
{
    if (nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 && errno != ENOENT)
        return lp_err_set(err, LP_EIO, "remove %s: %s", path, strerror(errno));
    return 0;
}

bool lp_path_exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

int lp_fd_nonblocking(int fd, struct lp_err *err)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return lp_err_set(err, LP_EIO, "fcntl: %s", strerror(errno));
    return 0;
}

int lp_program_path(char *ret_path, size_t bytes, struct lp_err *err)
{
    ssize_t count = readlink("/proc/self/exe", ret_path, bytes - 1);
    if (count < 0)
        return lp_err_set(err, LP_EIO, "/proc/self/exe: %s", strerror(errno));
    ret_path[count] = '\0';
    return 0;
}

void lp_program_again(char *ret_path, size_t bytes)
{
    if (lp_program_path(ret_path, bytes, NULL) < 0 || access(ret_path, X_OK) < 0)
        (void)snprintf(ret_path, bytes, "/proc/self/exe"); // still there under its handle
}
