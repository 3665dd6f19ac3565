// Done-marks of setup steps.
#include "init/mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"

bool lp_mark_exists(const char *folder, const char *name)
{
    char path[4096];
    struct stat kind;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return lstat(path, &kind) == 0 && S_ISREG(kind.st_mode);
}

int lp_mark_prepare(const char *folder, struct lp_err *err)
{
    if (lp_dir_make(folder, 0755, err) < 0)
        return lp_err_wrap(err, "done-marks");
    if (access(folder, W_OK) < 0)
        return lp_err_set(err, LP_EIO, "done-marks: %s: %s", folder, strerror(errno));
    return 0;
}

int lp_mark_write(const char *folder, const char *name, struct lp_err *err)
{
    LP_OWNS_FD int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    LP_OWNS_FD int fd =
        folder_fd < 0 ? -1
                      : openat(folder_fd, name,
                               O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
    if (fd < 0 || fsync(fd) < 0 || fsync(folder_fd) < 0)
        return lp_err_set(err, LP_EIO, "done-mark %s/%s: %s", folder, name, strerror(errno));
    return 0;
}
