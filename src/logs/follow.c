// Files that grow: new lines of files, of all files of folders, and of pipes, across rotation.
#define _GNU_SOURCE
#include "logs/follow_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

struct lp_log_follow *lp_log_follow_open(const struct lp_log_follow_config *config)
{
    struct lp_log_follow *follow = lp_heap_take(sizeof *follow);
    follow->config = *config;
    follow->inotify_fd = config->is_polling ? -1 : inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    return follow;
}

static void file_release(struct lp_log_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    lp_str_release(&file->rest);
    lp_heap_free(file->path);
    lp_heap_free(file->parts);
}

void lp_log_follow_close(struct lp_log_follow *follow)
{
    if (!follow)
        return;
    for (size_t i = 0; i < follow->count; i++)
        file_release(&follow->files[i]);
    for (size_t i = 0; i < follow->folder_count; i++)
        lp_heap_free(follow->folders[i].path);
    if (follow->inotify_fd >= 0)
        close(follow->inotify_fd);
    lp_heap_free(follow->files);
    lp_heap_free(follow->folders);
    lp_heap_free(follow);
}

int lp_log_follow_fd(const struct lp_log_follow *follow)
{
    return follow->inotify_fd;
}

const char *lp_log_follow_name(const struct lp_log_follow *follow, size_t source)
{
    lp_assert(source < follow->count);
    return follow->files[source].path;
}

bool lp_log_follow_is_full(const struct lp_log_follow *follow)
{
    return follow->is_full;
}

bool lp_log_follow_has_ended(const struct lp_log_follow *follow)
{
    for (size_t i = 0; i < follow->count; i++)
        if (!follow->files[i].is_pipe || !follow->files[i].has_ended)
            return false;
    return follow->count > 0 && follow->folder_count == 0;
}

// ---- what is followed

static char *text_copy(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(lp_heap_take(bytes), text, bytes);
}

// Tell me when anything in this folder changes. What the kernel refuses is found by looking.
static void folder_notify(const struct lp_log_follow *follow, const char *folder)
{
    if (follow->inotify_fd >= 0)
        (void)inotify_add_watch(follow->inotify_fd, folder,
                                IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE);
}

static void parent_notify(const struct lp_log_follow *follow, const char *path)
{
    LP_OWNS_STR struct lp_str folder = {0};
    const char *slash = strrchr(path, '/');
    if (slash)
        lp_str_add_n(&folder, path, slash == path ? 1 : (size_t)(slash - path));
    else
        lp_str_add_char(&folder, '.');
    folder_notify(follow, lp_str_text(&folder));
}

int lp_log_file_add(struct lp_log_follow *follow, const struct lp_log_file *file, const char *path,
                    struct lp_err *err)
{
    if (follow->count == LP_LOG_FOLLOW_MAX)
        return lp_err_set(err, LP_EFULL, "%s: more than %d files cannot be followed", path,
                          LP_LOG_FOLLOW_MAX);
    if (follow->count == follow->capacity) {
        follow->capacity = follow->capacity ? 2 * follow->capacity : 16;
        follow->files = lp_heap_grow(follow->files, follow->capacity, sizeof *follow->files);
    }
    follow->files[follow->count] = *file;
    follow->files[follow->count++].path = text_copy(path);
    return LP_OK;
}

static bool is_known(const struct lp_log_follow *follow, const char *path)
{
    for (size_t i = 0; i < follow->count; i++)
        if (strcmp(follow->files[i].path, path) == 0)
            return true;
    for (size_t i = 0; i < follow->folder_count; i++)
        if (strcmp(follow->folders[i].path, path) == 0)
            return true;
    return false;
}

int lp_log_follow_add(struct lp_log_follow *follow, const char *path, struct lp_err *err)
{
    struct stat kind;
    if (is_known(follow, path))
        return LP_OK;
    if (stat(path, &kind) < 0 || !S_ISDIR(kind.st_mode)) {
        parent_notify(follow, path);
        return lp_log_file_add(follow, &(struct lp_log_file){.fd = -1}, path, err);
    }
    if (follow->folder_count == LP_LOG_FOLDERS_MAX)
        return lp_err_set(err, LP_EFULL, "%s: more than %d folders cannot be followed", path,
                          LP_LOG_FOLDERS_MAX);
    follow->folders =
        lp_heap_grow(follow->folders, follow->folder_count + 1, sizeof *follow->folders);
    follow->folders[follow->folder_count++] = (struct lp_log_folder){.path = text_copy(path)};
    folder_notify(follow, path);
    return LP_OK;
}

int lp_log_follow_add_kin(struct lp_log_follow *follow, const char *path, struct lp_err *err)
{
    struct stat kind;
    size_t count = follow->folder_count;
    if (stat(path, &kind) < 0 || !S_ISDIR(kind.st_mode))
        return LP_OK;
    int code = lp_log_follow_add(follow, path, err);
    if (follow->folder_count > count)
        follow->folders[count].is_kin = true;
    return code;
}

int lp_log_follow_add_pipe(struct lp_log_follow *follow, int fd, const char *name,
                           size_t *ret_source, struct lp_err *err)
{
    if (lp_fd_nonblocking(fd, err) < 0)
        return err ? err->code : LP_EIO;
    if (lp_log_file_add(follow, &(struct lp_log_file){.fd = fd, .is_pipe = true}, name, err) < 0)
        return LP_EFULL;
    *ret_source = follow->count - 1;
    return LP_OK;
}

// ---- looking around

// Files that may be someone else's are opened with care: no links, nothing but regular files.
int lp_log_file_open(const char *path, bool is_in_folder, struct stat *ret_kind)
{
    int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (is_in_folder ? O_NOFOLLOW : 0);
    LP_OWNS_FD int fd = open(path, flags);
    if (fd < 0 || fstat(fd, ret_kind) < 0 || !S_ISREG(ret_kind->st_mode))
        return -1;
    return lp_fd_take(&fd);
}

static bool is_inode(const struct lp_log_inode *inode, const struct stat *kind)
{
    return inode->ino == kind->st_ino && inode->dev == kind->st_dev;
}

// At the end of what is there; in the middle of a line, the line is left out.
static void seek_end(struct lp_log_file *file, uint64_t size)
{
    char last = '\n';
    if (size > 0 && pread(file->fd, &last, 1, (off_t)(size - 1)) != 1)
        last = '\n';
    file->offset = file->done = size;
    file->is_skipping = last != '\n';
}

// What was left unread of files that had this name earlier comes first.
static bool part_begin(struct lp_log_file *file)
{
    while (file->part_at < file->part_count) {
        const struct lp_log_part *part = &file->parts[file->part_at++];
        LP_OWNS_STR struct lp_str path = {0};
        struct stat kind;
        if (!lp_log_part_find(file->path, part->ino, &path))
            continue;
        LP_OWNS_FD int fd = lp_log_file_open(lp_str_text(&path), file->is_in_folder, &kind);
        if (fd < 0 || kind.st_ino != part->ino)
            continue;
        file->fd = lp_fd_take(&fd);
        file->here = (struct lp_log_inode){kind.st_dev, kind.st_ino};
        file->offset = file->done = part->offset;
        file->is_skipping = part->is_skipping;
        return true;
    }
    return false;
}

static void file_begin(struct lp_log_follow *follow, struct lp_log_file *file)
{
    struct stat kind;
    if (part_begin(file))
        return;
    int fd = lp_log_file_open(file->path, file->is_in_folder, &kind);
    if (fd < 0)
        return;
    file->fd = fd;
    file->here = (struct lp_log_inode){kind.st_dev, kind.st_ino};
    file->offset = file->done = 0;
    if (follow->config.from_end && !follow->has_begun && !file->is_new)
        seek_end(file, (uint64_t)kind.st_size);
}

// Is it a file that is followed, or was until it was renamed?
static bool is_followed(const struct lp_log_follow *follow, const struct stat *kind)
{
    for (size_t i = 0; i < follow->retired_count && i < LP_LOG_RETIRED_MAX; i++)
        if (is_inode(&follow->retired[i].inode, kind) &&
            (uint64_t)kind->st_size >= follow->retired[i].size)
            return true;
    for (size_t i = 0; i < follow->count; i++) {
        const struct lp_log_file *file = &follow->files[i];
        if (file->fd >= 0 && is_inode(&file->here, kind))
            return true;
        for (size_t k = 0; k < file->part_count; k++)
            if (file->parts[k].ino == kind->st_ino)
                return true;
    }
    return false;
}

static void folder_look(struct lp_log_follow *follow, const struct lp_log_folder *folder)
{
    const char *suffix = follow->config.suffix ? follow->config.suffix : ".log";
    LP_OWNS_DIR DIR *entries = opendir(folder->path);
    for (const struct dirent *entry; entries && (entry = readdir(entries));) {
        LP_OWNS_STR struct lp_str path = {0};
        struct stat kind;
        if (entry->d_name[0] == '.' || !lp_text_ends(entry->d_name, suffix))
            continue;
        lp_str_printf(&path, "%s/%s", folder->path, entry->d_name);
        if (is_known(follow, lp_str_text(&path)) || lstat(lp_str_text(&path), &kind) < 0 ||
            !S_ISREG(kind.st_mode) || is_followed(follow, &kind))
            continue;
        bool is_new = folder->was_followed &&
                      (int64_t)kind.st_mtim.tv_sec * 1000 + kind.st_mtim.tv_nsec / 1000000 >=
                          follow->since_ms;
        const struct lp_log_file file = {.fd = -1, .is_in_folder = true, .is_new = is_new};
        follow->is_full = lp_log_file_add(follow, &file, lp_str_text(&path), NULL) < 0;
        if (follow->is_full)
            return;
    }
}

static void news_drain(const struct lp_log_follow *follow)
{
    char bytes[4096];
    while (follow->inotify_fd >= 0 && read(follow->inotify_fd, bytes, sizeof bytes) > 0)
        ;
}

void lp_log_follow_look(struct lp_log_follow *follow)
{
    news_drain(follow);
    for (size_t i = 0; i < follow->folder_count; i++)
        folder_look(follow, &follow->folders[i]);
    for (size_t i = 0; i < follow->count; i++)
        if (follow->files[i].fd < 0 && !follow->files[i].is_pipe)
            file_begin(follow, &follow->files[i]);
    follow->has_begun = true;
    follow->quiet = 0;
}

// ---- reading

static ssize_t file_read(struct lp_log_follow *follow, struct lp_log_file *file)
{
    ssize_t count = file->is_pipe
                        ? read(file->fd, follow->block, sizeof follow->block)
                        : pread(file->fd, follow->block, sizeof follow->block, (off_t)file->offset);
    if (count > 0)
        file->offset += (uint64_t)count;
    return count;
}

// The file was cut off: what comes now is new.
static bool is_cut(struct lp_log_file *file)
{
    struct stat kind;
    if (fstat(file->fd, &kind) < 0 || (uint64_t)kind.st_size >= file->offset)
        return false;
    file->offset = file->done = 0;
    file->is_skipping = false;
    lp_str_clear(&file->rest);
    return true;
}

// Another file has taken the name. What was still written into the old one is read first.
static bool is_replaced(const struct lp_log_file *file)
{
    struct stat kind;
    if (file->part_at < file->part_count)
        return true;
    LP_OWNS_FD int fd = lp_log_file_open(file->path, file->is_in_folder, &kind);
    return fd >= 0 && !is_inode(&file->here, &kind);
}

// Removed together with its folder, as with a node: nobody writes to it, and it holds disk space.
static bool is_gone(const struct lp_log_file *file)
{
    struct stat kind;
    LP_OWNS_STR struct lp_str folder = {0};
    const char *slash = strrchr(file->path, '/');
    if (!slash || slash == file->path || fstat(file->fd, &kind) < 0 || kind.st_nlink > 0)
        return false;
    lp_str_add_n(&folder, file->path, (size_t)(slash - file->path));
    return stat(lp_str_text(&folder), &kind) < 0 && errno == ENOENT;
}

static void file_turn(struct lp_log_follow *follow, struct lp_log_file *file)
{
    close(file->fd);
    file->fd = -1;
    follow->retired[follow->retired_count++ % LP_LOG_RETIRED_MAX] =
        (struct lp_log_retired){file->here, file->offset};
    file->here = (struct lp_log_inode){0};
    file->is_skipping = false;
    file_begin(follow, file);
}

// Fill the block from the current file, or go on to the file that has taken its name (the block
// stays empty then). False: it has nothing now.
static bool block_fill(struct lp_log_follow *follow, struct lp_log_file *file)
{
    if (file->fd < 0)
        return false;
    ssize_t count = file_read(follow, file);
    if (count <= 0 && file->is_pipe) {
        file->has_ended = count == 0 || (errno != EAGAIN && errno != EINTR);
        if (file->has_ended) {
            close(file->fd);
            file->fd = -1;
        }
    } else if (count == 0 && is_cut(file)) {
        count = file_read(follow, file);
    } else if (count == 0 && (is_replaced(file) || is_gone(file))) {
        count = file_read(follow, file); // written between the two looks
        if (count <= 0) {
            file_turn(follow, file);
            return true;
        }
    }
    follow->end = count > 0 ? (size_t)count : 0;
    return count > 0;
}

// A line's bytes that have no end yet, as far as a line is read at all.
static void rest_keep(struct lp_log_file *file, const char *bytes, size_t count)
{
    size_t room = LP_LOG_LINE_BYTES - file->rest.bytes;
    if (!file->is_skipping)
        lp_str_add_n(&file->rest, bytes, count < room ? count : room);
}

// The line of the block that ends at `newline`; false when it is one of which the start is missing.
static bool line_take(struct lp_log_follow *follow, struct lp_log_file *file, const char *newline,
                      const char **ret_line, size_t *ret_bytes)
{
    const char *line = follow->block + follow->at;
    size_t bytes = (size_t)(newline - line);
    follow->at += bytes + 1;
    file->done = file->offset - (follow->end - follow->at);
    if (file->is_skipping) {
        file->is_skipping = false;
        return false;
    }
    if (file->rest.bytes > 0) {
        rest_keep(file, line, bytes);
        follow->is_rest_out = true;
        line = file->rest.text;
        bytes = file->rest.bytes;
    }
    *ret_line = line;
    *ret_bytes = bytes < LP_LOG_LINE_BYTES ? bytes : LP_LOG_LINE_BYTES;
    return true;
}

// A line that will never get its newline: its pipe ended or its file was rotated away.
static bool last_take(struct lp_log_follow *follow, struct lp_log_file *file,
                      const struct lp_log_inode *was, const char **ret_line, size_t *ret_bytes)
{
    bool is_over =
        file->is_pipe ? file->has_ended : file->here.ino != was->ino || file->here.dev != was->dev;
    if (!is_over || file->rest.bytes == 0)
        return false;
    follow->is_rest_out = true;
    *ret_line = file->rest.text;
    *ret_bytes = file->rest.bytes;
    return true;
}

bool lp_log_follow_next(struct lp_log_follow *follow, size_t *ret_source, const char **ret_line,
                        size_t *ret_bytes)
{
    if (follow->is_rest_out)
        lp_str_clear(&follow->files[follow->current].rest);
    follow->is_rest_out = false;
    while (follow->quiet < follow->count) {
        struct lp_log_file *file = &follow->files[follow->current];
        const char *bytes = follow->block + follow->at;
        size_t left = follow->end - follow->at;
        const char *newline = memchr(bytes, '\n', left);
        *ret_source = follow->current;
        if (newline && line_take(follow, file, newline, ret_line, ret_bytes))
            return true;
        if (newline)
            continue;
        if (follow->end > 0) { // a block of each in turn: a busy file does not hold up the others
            rest_keep(file, bytes, left);
            follow->at = follow->end = 0;
            follow->current = (follow->current + 1) % follow->count;
            continue;
        }
        const struct lp_log_inode was = file->here;
        bool is_more = block_fill(follow, file);
        follow->quiet = is_more ? 0 : follow->quiet + 1;
        if (follow->end == 0 && last_take(follow, file, &was, ret_line, ret_bytes))
            return true;
        if (follow->end == 0)
            follow->current = (follow->current + 1) % follow->count;
    }
    follow->quiet = 0;
    return false;
}
