// Files at a path that a person named: tried beforehand, put there in one piece.
#define _GNU_SOURCE
#include "base/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"

enum { TRIAL_BYTES = 64 * 1024, CHUNK_BYTES = 64 * 1024 };

// Where the bytes of a path end up: behind links.
LP_MUST_CHECK static int path_resolve(const char *path, char ret_path[PATH_MAX], bool *ret_is_plain,
                                      struct lp_err *err)
{
    struct stat status;
    bool is_there = stat(path, &status) == 0;
    if (is_there && S_ISDIR(status.st_mode))
        return lp_err_set(err, LP_EINPUT, "%s is a folder", path);
    if (!is_there || !realpath(path, ret_path)) {
        size_t bytes = strlen(path);
        if (bytes >= PATH_MAX)
            return lp_err_set(err, LP_EINPUT, "path too long: %s", path);
        memcpy(ret_path, path, bytes + 1);
    }
    *ret_is_plain = !is_there || S_ISREG(status.st_mode);
    return 0;
}

LP_MUST_CHECK static int beside_open(const char *path, char ret_beside[PATH_MAX], int *ret_fd,
                                     struct lp_err *err)
{
    if (snprintf(ret_beside, PATH_MAX, "%s.new", path) >= PATH_MAX)
        return lp_err_set(err, LP_EINPUT, "path too long: %s", path);
    unlink(ret_beside);
    int fd = open(ret_beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "%s", strerror(errno));
    *ret_fd = fd;
    return 0;
}

// As much as a result takes at least, down to the disk.
LP_MUST_CHECK static int trial_write(const char *path, struct lp_err *err)
{
    char beside[PATH_MAX], zeros[TRIAL_BYTES] = {0};
    LP_OWNS_FD int fd = -1;
    if (beside_open(path, beside, &fd, err) < 0)
        return err->code;
    int code = lp_fd_write(fd, zeros, sizeof(zeros), err);
    if (code == 0 && fsync(fd) < 0)
        code = lp_err_set(err, LP_EIO, "fsync: %s", strerror(errno));
    unlink(beside);
    return code;
}

static int refuse(const char *path, struct lp_err *err)
{
    char why[sizeof(err->text)];
    memcpy(why, err->text, sizeof(why));
    return lp_err_set(err, LP_EINPUT, "%s cannot be written: %s", path, why);
}

int lp_handover_check_file(const char *path, struct lp_err *err)
{
    char real[PATH_MAX];
    bool is_plain;
    if (path_resolve(path, real, &is_plain, err) < 0)
        return err->code;
    if (is_plain)
        return trial_write(real, err) < 0 ? refuse(path, err) : 0;
    if (access(real, W_OK) == 0)
        return 0;
    (void)lp_err_set(err, LP_EIO, "%s", strerror(errno));
    return refuse(path, err);
}

// How many bytes of path name a folder that is there.
static size_t there_bytes(const char *path)
{
    char part[PATH_MAX];
    size_t bytes = strlen(path);
    for (; bytes > 0; bytes--) {
        if (path[bytes] != '/' && path[bytes] != '\0')
            continue;
        memcpy(part, path, bytes);
        part[bytes] = '\0';
        if (lp_path_exists(part))
            return bytes;
    }
    return 0;
}

static void folders_remove(const char *path, size_t kept_bytes)
{
    char part[PATH_MAX];
    for (size_t bytes = strlen(path); bytes > kept_bytes; bytes--) {
        if (path[bytes] != '/' && path[bytes] != '\0')
            continue;
        memcpy(part, path, bytes);
        part[bytes] = '\0';
        (void)rmdir(part);
    }
}

int lp_handover_check_folder(const char *path, struct lp_err *err)
{
    char inside[PATH_MAX];
    // Room for the names of what is to lie in it.
    if (snprintf(inside, sizeof(inside), "%s/limpet-was-here", path) >= PATH_MAX - NAME_MAX)
        return lp_err_set(err, LP_EINPUT, "path too long: %s", path);
    size_t kept_bytes = there_bytes(path);
    if (lp_dir_make(path, 0700, err) == 0 && trial_write(inside, err) == 0)
        return 0;
    folders_remove(path, kept_bytes);
    return refuse(path, err);
}

LP_MUST_CHECK static int end_open(const char *path, int *ret_fd, struct lp_err *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "open %s: %s", path, strerror(errno));
    *ret_fd = fd;
    return 0;
}

int lp_handover_begin(const char *path, const void *bytes, size_t count, int *ret_fd,
                      struct lp_err *err)
{
    char real[PATH_MAX];
    bool is_plain;
    LP_OWNS_FD int fd = -1;
    if (path_resolve(path, real, &is_plain, err) < 0 ||
        (is_plain && lp_file_write(real, bytes, count, 0600, err) < 0) ||
        end_open(real, &fd, err) < 0)
        return err->code;
    if (!is_plain && lp_fd_write(fd, bytes, count, err) < 0)
        return lp_err_wrap(err, "%s", path);
    *ret_fd = lp_fd_take(&fd);
    return 0;
}

int lp_handover_write(const char *path, const void *bytes, size_t count, mode_t mode,
                      struct lp_err *err)
{
    char real[PATH_MAX];
    bool is_plain;
    if (path_resolve(path, real, &is_plain, err) < 0)
        return err->code;
    if (is_plain)
        return lp_file_write(real, bytes, count, mode, err);
    LP_OWNS_FD int fd = -1;
    if (end_open(real, &fd, err) < 0)
        return err->code;
    return lp_fd_write(fd, bytes, count, err) < 0 ? lp_err_wrap(err, "%s", path) : 0;
}

LP_MUST_CHECK static int bytes_copy(int from, int to, struct lp_err *err)
{
    char chunk[CHUNK_BYTES];
    for (;;) {
        ssize_t count = read(from, chunk, sizeof(chunk));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return lp_err_set(err, LP_EIO, "read: %s", strerror(errno));
        if (count == 0)
            break;
        if (lp_fd_write(to, chunk, (size_t)count, err) < 0)
            return err->code;
    }
    return fsync(to) < 0 ? lp_err_set(err, LP_EIO, "fsync: %s", strerror(errno)) : 0;
}

LP_MUST_CHECK static int copy_beside(const char *from, const char *path, char ret_beside[PATH_MAX],
                                     struct lp_err *err)
{
    LP_OWNS_FD int source = open(from, O_RDONLY | O_CLOEXEC);
    LP_OWNS_FD int fd = -1;
    if (source < 0)
        return lp_err_set(err, LP_EIO, "open %s: %s", from, strerror(errno));
    if (snprintf(ret_beside, PATH_MAX, "%s.new", path) >= PATH_MAX)
        return lp_err_set(err, LP_EINPUT, "path too long: %s", path);
    unlink(ret_beside);
    if (link(from, ret_beside) == 0)
        return 0;
    if (beside_open(path, ret_beside, &fd, err) < 0)
        return err->code;
    return bytes_copy(source, fd, err);
}

int lp_handover_copy(const char *from, const char *path, struct lp_err *err)
{
    char beside[PATH_MAX] = "";
    int code = copy_beside(from, path, beside, err);
    if (code == 0 && rename(beside, path) < 0)
        code = lp_err_set(err, LP_EIO, "%s", strerror(errno));
    if (*beside)
        unlink(beside); // also when both names were one file already: rename leaves it then
    return code < 0 ? lp_err_wrap(err, "write %s", path) : 0;
}
