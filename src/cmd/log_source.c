// Reading one application's log.
#define _GNU_SOURCE
#include "cmd/log_source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"

enum { READ_BYTES = 32 * 1024, RECORD_BYTES = 16 };

static int part_open(const struct lp_log_source *source, const char *suffix)
{
    LP_OWNS_STR struct lp_str path = {0};
    struct stat kind;
    lp_str_printf(&path, "%s/%s%s", source->folder, source->app, suffix);
    LP_OWNS_FD int fd =
        open(lp_str_text(&path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &kind) < 0 || !S_ISREG(kind.st_mode))
        return -1;
    return lp_fd_take(&fd);
}

static void time_read(struct lp_log_source *source)
{
    unsigned char record[RECORD_BYTES];
    source->has_next_time =
        source->times_fd >= 0 && read(source->times_fd, record, sizeof(record)) == RECORD_BYTES;
    uint64_t numbers[2] = {0, 0};
    for (int i = 0; i < RECORD_BYTES && source->has_next_time; i++)
        numbers[i / 8] |= (uint64_t)record[i] << (8 * (i % 8));
    if (source->has_next_time) {
        source->next_offset = numbers[0];
        source->next_ms = numbers[1] > INT64_MAX / 2 ? 0 : (int64_t)numbers[1];
    }
}

// The record in force for the line at this offset is the last one that is not behind it.
static void time_find(struct lp_log_source *source, uint64_t line_offset)
{
    if (!source->has_next_time)
        time_read(source); // there may be more by now
    while (source->has_next_time && source->next_offset <= line_offset) {
        source->time_ms = source->next_ms;
        time_read(source);
    }
}

static void part_close(struct lp_log_source *source)
{
    if (source->fd >= 0)
        close(source->fd);
    if (source->times_fd >= 0)
        close(source->times_fd);
    source->fd = source->times_fd = -1;
    lp_str_clear(&source->buffer);
    source->offset = source->taken = 0;
    source->has_next_time = false;
}

static bool part_begin(struct lp_log_source *source, bool is_old_part)
{
    part_close(source);
    source->is_old_part = is_old_part;
    source->fd = part_open(source, is_old_part ? ".log.1" : ".log");
    if (source->fd >= 0)
        source->times_fd = part_open(source, is_old_part ? ".log.1.times" : ".log.times");
    return source->fd >= 0;
}

// Where the last *tail lines of the file begin; *tail becomes how many of them are missing.
static uint64_t tail_find(int fd, uint64_t *tail)
{
    struct stat kind;
    char bytes[READ_BYTES];
    if (fstat(fd, &kind) < 0)
        return 0;
    uint64_t end = (uint64_t)kind.st_size, begin = end;
    while (begin > 0) {
        size_t wanted = begin < sizeof(bytes) ? (size_t)begin : sizeof(bytes);
        ssize_t count = pread(fd, bytes, wanted, (off_t)(begin - wanted));
        if (count != (ssize_t)wanted)
            return 0;
        for (size_t i = wanted; i > 0; i--) {
            uint64_t at = begin - wanted + i;
            if (bytes[i - 1] != '\n' || at == end)
                continue;
            if (--*tail == 0)
                return at;
        }
        begin -= wanted;
    }
    if (end > 0)
        --*tail;
    return 0;
}

static void seek(struct lp_log_source *source, uint64_t offset)
{
    if (lseek(source->fd, (off_t)offset, SEEK_SET) >= 0)
        source->offset = offset;
}

void lp_log_source_open(struct lp_log_source *source, uint64_t tail)
{
    source->fd = source->times_fd = -1;
    source->buffer = (struct lp_str){0};
    source->time_ms = 0;
    if (tail == 0) {
        if (!part_begin(source, true))
            part_begin(source, false);
        return;
    }
    uint64_t missing = tail;
    uint64_t offset = part_begin(source, false) ? tail_find(source->fd, &missing) : 0;
    if (missing > 0 && part_begin(source, true)) {
        seek(source, tail_find(source->fd, &missing));
        return;
    }
    if (part_begin(source, false))
        seek(source, offset);
}

void lp_log_source_close(struct lp_log_source *source)
{
    part_close(source);
    lp_str_release(&source->buffer);
}

// Has the file that is being read been renamed, and another one taken its place?
static bool is_rotated(const struct lp_log_source *source)
{
    struct stat here, there;
    LP_OWNS_FD int fd = part_open(source, ".log");
    return fd >= 0 && fstat(source->fd, &here) == 0 && fstat(fd, &there) == 0 &&
           (here.st_ino != there.st_ino || here.st_dev != there.st_dev);
}

// Read more of this part, or go on to the next. False: there is nothing more.
static bool more_read(struct lp_log_source *source)
{
    char bytes[READ_BYTES];
    if (source->fd < 0 && !part_begin(source, false))
        return false;
    ssize_t count = read(source->fd, bytes, sizeof(bytes));
    if (count > 0) {
        lp_str_add_n(&source->buffer, bytes, (size_t)count);
        source->offset += (uint64_t)count;
        return true;
    }
    if (source->taken < source->buffer.bytes) // an unfinished line: it is finished before rotation
        return false;
    return (source->is_old_part || is_rotated(source)) && part_begin(source, false);
}

bool lp_log_source_peek(struct lp_log_source *source, bool is_last, const char **ret_line,
                        size_t *ret_bytes)
{
    for (;;) {
        size_t left = source->buffer.bytes - source->taken;
        const char *line = left ? source->buffer.text + source->taken : "";
        const char *newline = memchr(line, '\n', left);
        bool has_line = newline || left >= LP_LOG_LINE_MAX;
        if (!has_line) {
            if (source->taken > 0) {
                memmove(source->buffer.text, line, left + 1);
                source->buffer.bytes = left;
                source->taken = 0;
            }
            if (more_read(source))
                continue;
            if (!is_last || left == 0)
                return false;
            line = source->buffer.text;
        }
        *ret_line = line;
        *ret_bytes = newline ? (size_t)(newline - line) : left;
        time_find(source, source->offset - left);
        return true;
    }
}

void lp_log_source_take(struct lp_log_source *source)
{
    size_t left = source->buffer.bytes - source->taken;
    const char *newline = memchr(source->buffer.text + source->taken, '\n', left);
    source->taken += newline ? (size_t)(newline - source->buffer.text) - source->taken + 1 : left;
}
