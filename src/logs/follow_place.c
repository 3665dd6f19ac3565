// Where the following of files stopped, kept over a restart: each file's inode, how far it was
// read, and a checksum of the bytes before that, so that another file is not taken for it. All
// numbers little endian:
//   "limpetLP" u32 version; u64 saved, ms since 1970; u32 bytes, cursor of the journal
//   u32 folders, each: u32 bytes, path
//   u32 files, each: u32 bytes, path; u64 inode (0: was not there), offset; u8 is_skipping;
//       u64 checksum of the last (at most 512) bytes before the offset
//   SHA-256 of all that, as 64 hexadecimal digits
#define _GNU_SOURCE
#include "logs/follow_parts.h"
#include "logs/record.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/own.h"

enum {
    VERSION = 1,
    TAIL_BYTES = 512,
    PATH_BYTES = 4096,
    FILE_BYTES_MAX = 1 << 24,
    EARLIER_MAX = 64, // rotations while nobody looked
};
#define NS_A_MS ((int64_t)1000000)
static const struct lp_log_record_kind kind = {
    .magic = "limpetLP",
    .noun = "list of places",
    .version = VERSION,
};

struct place {
    struct lp_str path;
    ino_t ino;
    uint64_t offset, sum;
    bool is_skipping;
};

// ---- paths and tails

static void path_whole(const char *path, struct lp_str *ret_path)
{
    char folder[PATH_BYTES];
    lp_str_clear(ret_path);
    if (path[0] != '/' && getcwd(folder, sizeof folder))
        lp_str_printf(ret_path, "%s/", folder);
    lp_str_add(ret_path, path);
}

static bool path_is(const char *path, const char *whole)
{
    LP_OWNS_STR struct lp_str mine = {0};
    path_whole(path, &mine);
    return strcmp(lp_str_text(&mine), whole) == 0;
}

// The folder of a path; what is behind its last slash is the name.
static const char *path_split(const char *path, struct lp_str *ret_folder)
{
    const char *slash = strrchr(path, '/');
    lp_str_clear(ret_folder);
    if (!slash)
        lp_str_add_char(ret_folder, '.');
    else
        lp_str_add_n(ret_folder, path, slash == path ? 1 : (size_t)(slash - path));
    return slash ? slash + 1 : path;
}

bool lp_log_part_find(const char *path, ino_t ino, struct lp_str *ret_path)
{
    LP_OWNS_STR struct lp_str folder = {0};
    path_split(path, &folder);
    LP_OWNS_DIR DIR *entries = opendir(lp_str_text(&folder));
    for (const struct dirent *entry; entries && (entry = readdir(entries));) {
        struct stat is;
        if (fstatat(dirfd(entries), entry->d_name, &is, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(is.st_mode) || is.st_ino != ino)
            continue;
        lp_str_clear(ret_path);
        lp_str_printf(ret_path, "%s/%s", lp_str_text(&folder), entry->d_name);
        return true;
    }
    return false;
}

// False: the file is shorter than that.
static bool tail_sum(int fd, uint64_t offset, uint64_t *ret_sum)
{
    char bytes[TAIL_BYTES];
    size_t count = offset < TAIL_BYTES ? (size_t)offset : TAIL_BYTES;
    if (pread(fd, bytes, count, (off_t)(offset - count)) != (ssize_t)count)
        return false;
    *ret_sum = lp_hash64(bytes, count);
    return true;
}

// ---- keeping

static void add_file(struct lp_str *text, const struct lp_log_file *file)
{
    LP_OWNS_STR struct lp_str path = {0};
    uint64_t sum = 0;
    path_whole(file->path, &path);
    bool is_there = file->fd >= 0 && tail_sum(file->fd, file->done, &sum);
    lp_log_record_add_text(text, lp_str_text(&path), 4);
    lp_log_record_add(text, is_there ? file->here.ino : 0, 8);
    lp_log_record_add(text, is_there ? file->done : 0, 8);
    lp_log_record_add(text, is_there && file->is_skipping, 1);
    lp_log_record_add(text, is_there ? sum : 0, 8);
}

// A file of a folder that is gone comes back as a new one.
static bool is_kept(const struct lp_log_file *file)
{
    return !file->is_pipe && (file->fd >= 0 || !file->is_in_folder);
}

int lp_log_follow_save(const struct lp_log_follow *follow, const struct lp_log_follow_kept *kept,
                       const char *path, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0}, whole = {0};
    lp_log_record_begin(&kind, &text);
    lp_log_record_add(&text, (uint64_t)kept->saved_ms, 8);
    lp_log_record_add_text(&text, kept->cursor, 4);
    lp_log_record_add(&text, follow->folder_count, 4);
    for (size_t i = 0; i < follow->folder_count; i++) {
        path_whole(follow->folders[i].path, &whole);
        lp_log_record_add_text(&text, lp_str_text(&whole), 4);
    }
    size_t count = 0;
    for (size_t i = 0; i < follow->count; i++)
        count += is_kept(&follow->files[i]);
    lp_log_record_add(&text, count, 4);
    for (size_t i = 0; i < follow->count; i++)
        if (is_kept(&follow->files[i]))
            add_file(&text, &follow->files[i]);
    lp_log_record_seal(&text);
    if (lp_file_write(path, text.text, text.bytes, 0644, err) < 0)
        return lp_err_wrap(err, "keep where the logs were left");
    return LP_OK;
}

// ---- going on

struct resumption {
    struct lp_log_follow *follow;
    int64_t saved_ms;
    struct lp_str *unseen;
    size_t unfollowed;
    struct lp_str first_unfollowed;
};

static int64_t changed_ns(const struct stat *is)
{
    return (int64_t)is->st_mtim.tv_sec * 1000000000 + is->st_mtim.tv_nsec;
}

static void part_add(struct lp_log_file *file, const struct lp_log_part *part)
{
    file->parts = lp_heap_grow(file->parts, file->part_count + 1, sizeof *file->parts);
    file->parts[file->part_count++] = *part;
}

// Is the place in the file at `path`, or was this file copied from the one that it was in? Then it
// goes on there.
static bool place_take(struct lp_log_file *file, const struct place *place, const char *path,
                       bool may_be_copy)
{
    uint64_t sum;
    struct stat is;
    LP_OWNS_FD int fd = lp_log_file_open(path, file->is_in_folder, &is);
    bool is_it = fd >= 0 && (is.st_ino == place->ino || (may_be_copy && place->offset > 0));
    if (!is_it || (uint64_t)is.st_size < place->offset || !tail_sum(fd, place->offset, &sum) ||
        sum != place->sum)
        return false;
    part_add(file, &(struct lp_log_part){is.st_ino, place->offset, place->is_skipping});
    return true;
}

struct earlier { // a file that has had the name
    ino_t ino;
    int64_t changed_ns;
    char name[256];
};

static bool is_compressed(const char *name)
{
    const char *const ends[] = {".gz", ".xz", ".zst", ".bz2", ".lz4"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (lp_text_ends(name, ends[i]))
            return true;
    return false;
}

// The oldest first; of equal age the one with the higher number, app.log.2 before app.log.1.
static int by_age(const void *a, const void *b)
{
    const struct earlier *x = a, *y = b;
    if (x->changed_ns != y->changed_ns)
        return x->changed_ns < y->changed_ns ? -1 : 1;
    return strverscmp(y->name, x->name);
}

// Was it written to after the places were kept?
static bool is_later_than(const struct resumption *resumption, const struct earlier *earlier)
{
    return earlier->changed_ns > resumption->saved_ms * NS_A_MS;
}

// The regular files of the folder whose names begin with that of the followed file and go on:
// app.log.1, app.log-20240101. Returns how many of ret_found, the oldest first.
static size_t earlier_find(struct resumption *resumption, const struct lp_log_file *file,
                           struct earlier ret_found[EARLIER_MAX])
{
    LP_OWNS_STR struct lp_str folder = {0};
    size_t count = 0;
    const char *name = path_split(file->path, &folder);
    LP_OWNS_DIR DIR *entries = opendir(lp_str_text(&folder));
    for (const struct dirent *entry; entries && (entry = readdir(entries));) {
        struct stat is;
        bool is_like = lp_text_starts(entry->d_name, name) && entry->d_name[strlen(name)];
        if (!is_like || fstatat(dirfd(entries), entry->d_name, &is, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(is.st_mode))
            continue;
        struct earlier one = {.ino = is.st_ino, .changed_ns = changed_ns(&is)};
        snprintf(one.name, sizeof one.name, "%s", entry->d_name);
        bool is_later = is_later_than(resumption, &one);
        if (is_later && (is_compressed(one.name) || count == EARLIER_MAX))
            lp_str_printf(resumption->unseen, "%s/%s was not seen: it is %s\n",
                          lp_str_text(&folder), one.name,
                          count == EARLIER_MAX ? "one of too many" : "compressed");
        else if (!is_compressed(one.name) && count < EARLIER_MAX)
            ret_found[count++] = one;
    }
    qsort(ret_found, count, sizeof *ret_found, by_age);
    return count;
}

// The file that the place is in: by its inode, whatever its name is now, or a copy of it.
static bool place_find(struct lp_log_file *file, const struct place *place,
                       const struct earlier *found, size_t count)
{
    LP_OWNS_STR struct lp_str path = {0}, folder = {0};
    if (lp_log_part_find(file->path, place->ino, &path) &&
        place_take(file, place, lp_str_text(&path), false))
        return true;
    path_split(file->path, &folder);
    for (size_t i = 0; i < count; i++) {
        lp_str_clear(&path);
        lp_str_printf(&path, "%s/%s", lp_str_text(&folder), found[i].name);
        if (place_take(file, place, lp_str_text(&path), true))
            return true;
    }
    return false;
}

static void file_resume(struct resumption *resumption, struct lp_log_file *file,
                        const struct place *place)
{
    struct earlier found[EARLIER_MAX];
    struct stat now = {0};
    file->is_new = true;
    if (place->ino != 0 && place_take(file, place, file->path, false))
        return;
    size_t count = earlier_find(resumption, file, found), first = 0;
    bool has_name = stat(file->path, &now) == 0;
    if (place->ino != 0 && place_find(file, place, found, count))
        for (size_t i = 0; i < count; i++) // what is older than that was read
            first = found[i].ino == file->parts[0].ino ? i + 1 : first;
    else if (place->ino != 0)
        lp_str_printf(resumption->unseen,
                      "%s: what came behind byte %" PRIu64 " was not seen: %s\n", file->path,
                      place->offset,
                      has_name && now.st_ino == place->ino ? "it was cut or overwritten"
                                                           : "the file is not there any more");
    for (size_t i = first; i < count; i++)
        if (found[i].ino != now.st_ino && (first > 0 || is_later_than(resumption, &found[i])))
            part_add(file, &(struct lp_log_part){.ino = found[i].ino});
}

// The followed file of this place; one of a followed folder is added.
static struct lp_log_file *file_of(struct lp_log_follow *follow, const struct place *place)
{
    LP_OWNS_STR struct lp_str folder = {0}, mine = {0}, path = {0};
    const char *whole = lp_str_text(&place->path);
    for (size_t i = 0; i < follow->count; i++)
        if (!follow->files[i].is_pipe && path_is(follow->files[i].path, whole))
            return &follow->files[i];
    const char *name = path_split(whole, &folder);
    for (size_t i = 0; i < follow->folder_count; i++) {
        path_whole(follow->folders[i].path, &mine);
        if (strcmp(lp_str_text(&mine), lp_str_text(&folder)) != 0)
            continue;
        const struct lp_log_file file = {.fd = -1, .is_in_folder = true};
        lp_str_printf(&path, "%s/%s", follow->folders[i].path, name);
        if (lp_log_file_add(follow, &file, lp_str_text(&path), NULL) < 0)
            return NULL;
        return &follow->files[follow->count - 1];
    }
    return NULL;
}

static void folder_resume(struct lp_log_follow *follow, const char *whole)
{
    for (size_t i = 0; i < follow->folder_count; i++)
        if (path_is(follow->folders[i].path, whole))
            follow->folders[i].was_followed = true;
}

static void kin_resume(struct lp_log_follow *follow)
{
    bool was_followed = false;
    for (size_t i = 0; i < follow->folder_count; i++)
        was_followed |= follow->folders[i].is_kin && follow->folders[i].was_followed;
    for (size_t i = 0; i < follow->folder_count; i++)
        follow->folders[i].was_followed |= follow->folders[i].is_kin && was_followed;
}

LP_MUST_CHECK static int folders_parse(struct lp_log_record *record, struct lp_log_follow *follow)
{
    LP_OWNS_STR struct lp_str path = {0};
    size_t count = (size_t)lp_log_record_number(record, 4);
    for (size_t i = 0; i < count; i++) {
        if (i >= LP_LOG_FOLDERS_MAX || !lp_log_record_text(record, 4, PATH_BYTES, &path))
            return lp_log_record_corrupt(record, "a folder without a readable path");
        if (follow)
            folder_resume(follow, lp_str_text(&path));
    }
    if (follow)
        kin_resume(follow);
    return LP_OK;
}

static void place_resume(struct resumption *resumption, const struct place *place)
{
    struct lp_log_file *file = file_of(resumption->follow, place);
    if (file) {
        file_resume(resumption, file, place);
        return;
    }
    if (place->ino != 0 && resumption->unfollowed++ == 0)
        lp_str_add(&resumption->first_unfollowed, lp_str_text(&place->path));
}

// resumption: NULL to check the text only.
LP_MUST_CHECK static int files_parse(struct lp_log_record *record, struct resumption *resumption)
{
    struct place place = {0};
    int code = LP_OK;
    size_t count = (size_t)lp_log_record_number(record, 4);
    for (size_t i = 0; i < count && code == LP_OK; i++) {
        bool is_read =
            i < LP_LOG_FOLLOW_MAX && lp_log_record_text(record, 4, PATH_BYTES, &place.path);
        place.ino = (ino_t)lp_log_record_number(record, 8);
        place.offset = lp_log_record_number(record, 8);
        place.is_skipping = lp_log_record_number(record, 1) != 0;
        place.sum = lp_log_record_number(record, 8);
        if (!is_read || record->is_short || place.path.bytes == 0 || place.offset > INT64_MAX)
            code = lp_log_record_corrupt(record, "a file without a readable place");
        else if (resumption)
            place_resume(resumption, &place);
    }
    lp_str_release(&place.path);
    return code;
}

LP_MUST_CHECK static int body_parse(struct lp_log_record *record, struct resumption *resumption,
                                    struct lp_log_follow_kept *ret_kept)
{
    ret_kept->saved_ms = (int64_t)lp_log_record_number(record, 8);
    LP_OWNS_STR struct lp_str cursor = {0};
    if (!lp_log_record_text(record, 4, sizeof ret_kept->cursor - 1, &cursor))
        return lp_log_record_corrupt(record, "a cursor that cannot be read");
    memcpy(ret_kept->cursor, lp_str_text(&cursor), cursor.bytes + 1);
    if (ret_kept->saved_ms < 0 || ret_kept->saved_ms > INT64_MAX / NS_A_MS)
        return lp_log_record_corrupt(record, "a time that no clock shows");
    if (resumption)
        resumption->saved_ms = ret_kept->saved_ms;
    if (folders_parse(record, resumption ? resumption->follow : NULL) < 0 ||
        files_parse(record, resumption) < 0)
        return LP_ECORRUPT;
    if (record->is_short || record->at != record->count)
        return lp_log_record_corrupt(record, "it is longer or shorter than it says");
    return LP_OK;
}

int lp_log_follow_resume_text(struct lp_log_follow *follow, const struct lp_str *text,
                              struct lp_log_follow_kept *ret_kept, struct lp_str *ret_unseen,
                              struct lp_err *err)
{
    struct lp_log_record record = {.bytes = lp_str_text(text), .count = text->bytes, .err = err};
    if (lp_log_record_open(&record, &kind) < 0)
        return LP_ECORRUPT;
    struct lp_log_record again = record;
    if (body_parse(&record, NULL, ret_kept) < 0) // nothing is done by halves
        return LP_ECORRUPT;
    struct resumption resumption = {.follow = follow, .unseen = ret_unseen};
    int code = body_parse(&again, &resumption, ret_kept);
    follow->since_ms = ret_kept->saved_ms;
    if (resumption.unfollowed > 0)
        lp_str_printf(ret_unseen,
                      "%s%s was followed before and is not now: what came since was not seen\n",
                      lp_str_text(&resumption.first_unfollowed),
                      resumption.unfollowed > 1 ? " (and others)" : "");
    lp_str_release(&resumption.first_unfollowed);
    return code;
}

int lp_log_follow_resume(struct lp_log_follow *follow, const char *path,
                         struct lp_log_follow_kept *ret_kept, struct lp_str *ret_unseen,
                         struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    int code = lp_file_read(path, FILE_BYTES_MAX, &text, err);
    if (code < 0)
        return code;
    if (lp_log_follow_resume_text(follow, &text, ret_kept, ret_unseen, err) < 0)
        return lp_err_wrap(err, "%s", path);
    return LP_OK;
}
