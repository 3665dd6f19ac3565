// What the daemon says: dated lines on standard error, or in a file that is kept short.
#define _GNU_SOURCE
#include "api/daemon_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/own.h"

enum { LOG_BYTES_MAX = 1024 * 1024 }; // with PATH.1: twice as much is kept

static void rename_long(const char *path, const struct stat *status)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    if (S_ISREG(status->st_mode) && status->st_size > LOG_BYTES_MAX)
        (void)!rename(path, lp_arena_printf(&arena, "%s.1", path));
}

int lp_daemon_log_open(const char *path, struct lp_err *err)
{
    struct stat status;
    if (lstat(path, &status) == 0)
        rename_long(path, &status);
    LP_OWNS_FD int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "open %s: %s", path, strerror(errno));
    if (dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        return lp_err_set(err, LP_EIO, "%s: %s", path, strerror(errno));
    return 0;
}

void lp_daemon_log_rotate(const char *path)
{
    struct stat status;
    struct lp_err err;
    if (fstat(STDERR_FILENO, &status) == 0 && status.st_size > LOG_BYTES_MAX &&
        lp_daemon_log_open(path, &err) < 0)
        fprintf(stderr, "%s\n", err.text); // goes on in the long file
}

void lp_daemon_log(const char *fmt, ...)
{
    char date[32] = "", text[1200];
    struct timespec now;
    struct tm local;
    va_list args;
    clock_gettime(CLOCK_REALTIME, &now);
    if (localtime_r(&now.tv_sec, &local))
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &local);
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fprintf(stderr, "%s.%03ld %s\n", date, now.tv_nsec / 1000000, text);
}
