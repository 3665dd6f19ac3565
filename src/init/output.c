// Writing, rotating and dating an application's log.
#define _GNU_SOURCE
#include "init/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/loop.h"
#include "base/clock.h"
#include "base/own.h"

enum {
    TIMES_EVERY_MS = 100, // at most one record in that time
    RETRY_MS = 1000,
};

static const char *folder_path = "/.limpet/log";

void lp_output_folder_set(const char *path)
{
    folder_path = path;
}

static int folder_open(void)
{
    int folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 && errno == ENOENT && mkdir(folder_path, 0750) == 0)
        folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder;
}

// Open one file of the log. What runs in the node may have put anything at its place: links are not
// followed, and only a regular file is written to.
static int part_open(int folder, const char *name, const char *suffix, uint64_t *ret_size)
{
    char path[128];
    snprintf(path, sizeof(path), "%s%s", name, suffix);
    LP_OWNS_FD int fd = openat(
        folder, path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);
    struct stat kind;
    if (fd < 0 || fstat(fd, &kind) < 0 || !S_ISREG(kind.st_mode))
        return -1;
    *ret_size = (uint64_t)kind.st_size;
    return lp_fd_take(&fd);
}

static bool files_open(struct lp_output *output)
{
    int64_t now_ms = lp_monotonic_ms();
    if (output->fd >= 0)
        return true;
    if (now_ms < output->retry_ms)
        return false;
    output->retry_ms = now_ms + RETRY_MS;
    LP_OWNS_FD int folder = folder_open();
    if (folder < 0)
        return false;
    uint64_t times_size = 0;
    output->fd = part_open(folder, output->name, ".log", &output->size);
    if (output->fd < 0)
        return false;
    output->times_fd = part_open(folder, output->name, ".log.times", &times_size);
    output->retry_ms = 0;
    output->time_ms = 0;
    return true;
}

void lp_output_open(struct lp_output *output, const char *name, uint64_t size_max)
{
    *output = (struct lp_output){.fd = -1, .times_fd = -1};
    output->size_max = size_max ? size_max : LP_OUTPUT_BYTES_DEFAULT;
    snprintf(output->name, sizeof(output->name), "%s", name);
}

void lp_output_close(struct lp_output *output)
{
    if (output->fd >= 0)
        close(output->fd);
    if (output->times_fd >= 0)
        close(output->times_fd);
    output->fd = output->times_fd = -1;
}

static void part_rename(int folder, const char *name, const char *from, const char *to)
{
    char from_path[128], to_path[128];
    snprintf(from_path, sizeof(from_path), "%s%s", name, from);
    snprintf(to_path, sizeof(to_path), "%s%s", name, to);
    renameat(folder, from_path, folder, to_path);
}

static void rotate(struct lp_output *output)
{
    lp_output_close(output);
    LP_OWNS_FD int folder = folder_open();
    if (folder < 0)
        return;
    // The times first: a reader that sees the old log without them just lacks the dates.
    part_rename(folder, output->name, ".log.times", ".log.1.times");
    part_rename(folder, output->name, ".log", ".log.1");
}

static void time_note(struct lp_output *output)
{
    int64_t now_ms = lp_wall_ms();
    bool is_due = now_ms >= output->time_ms + TIMES_EVERY_MS || now_ms < output->time_ms;
    if (output->times_fd < 0 || output->is_midline || !is_due)
        return;
    unsigned char record[16];
    for (int i = 0; i < 8; i++) {
        record[i] = (unsigned char)(output->size >> (8 * i));
        record[8 + i] = (unsigned char)((uint64_t)now_ms >> (8 * i));
    }
    if (write(output->times_fd, record, sizeof(record)) == (ssize_t)sizeof(record))
        output->time_ms = now_ms;
}

// Write what the disk takes; returns how much that was.
static size_t bytes_write(struct lp_output *output, const char *bytes, size_t count)
{
    size_t done = 0;
    while (done < count) {
        ssize_t written = write(output->fd, bytes + done, count - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            break;
        done += (size_t)written;
    }
    output->size += done;
    if (done > 0)
        output->is_midline = bytes[done - 1] != '\n';
    return done;
}

static bool lost_tell(struct lp_output *output)
{
    char line[128];
    int bytes = snprintf(line, sizeof(line), "%slimpet: %llu bytes of output could not be kept\n",
                         output->is_midline ? "\n" : "", (unsigned long long)output->lost);
    if (bytes_write(output, line, (size_t)bytes) < (size_t)bytes)
        return false;
    output->lost = 0;
    return true;
}

static void piece_write(struct lp_output *output, const char *bytes, size_t count)
{
    if (!files_open(output) || (output->lost > 0 && !lost_tell(output))) {
        output->lost += count;
        return;
    }
    time_note(output);
    output->lost += count - bytes_write(output, bytes, count);
}

void lp_output_write(struct lp_output *output, const char *bytes, size_t count)
{
    if (files_open(output) && output->size >= output->size_max) {
        const char *newline = memchr(bytes, '\n', count);
        size_t rest = newline ? (size_t)(newline - bytes) + 1 : 0;
        if (output->is_midline && rest > 0) { // no line is torn by the rotation
            piece_write(output, bytes, rest);
            bytes += rest;
            count -= rest;
        }
        if (!output->is_midline || output->size >= 2 * output->size_max)
            rotate(output);
    }
    if (count > 0)
        piece_write(output, bytes, count);
}
