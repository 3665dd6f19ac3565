// Operations of a layer on open files: passed on to the files below, or kept beside them, late,
// short or not at all, as the faults in force say.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/own.h"
#include "drivers/layer/layer_parts.h"
#include "drivers/layer/layer_shadow.h"

static struct lp_layer *layer_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

static bool is_forgetful(const struct lp_layer *layer)
{
    return layer->rules.rows[LP_LAYER_FORGET].is_on;
}

static void error_reply(fuse_req_t req, uint32_t delay_us, int error)
{
    struct lp_layer_result result = {.error = error};
    lp_layer_reply(layer_of(req), req, delay_us, &result);
}

// Of the flags of open(2), those that the file below is opened with. It is written where the kernel
// says (no O_APPEND: a page that was mapped goes where it belongs), from any address (no O_DIRECT).
static int flags_below(int flags)
{
    return flags & (O_ACCMODE | O_SYNC | O_DSYNC | O_NOATIME);
}

static bool is_refused(fuse_req_t req, int flags, uint32_t operation)
{
    struct lp_layer_verdict verdict = {0};
    if ((flags & O_ACCMODE) != O_RDONLY || operation == LP_LAYER_MAKE)
        verdict = lp_layer_judge(&layer_of(req)->rules, operation, false);
    if (verdict.error)
        (void)fuse_reply_err(req, verdict.error);
    return verdict.error != 0;
}

void lp_layer_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    struct lp_layer *layer = layer_of(req);
    const struct lp_layer_inode *inode = lp_layer_inode_of(layer, ino);
    if (!inode->is_look && is_refused(req, info->flags, LP_LAYER_CHANGE))
        return;
    int fd = lp_layer_inode_open(layer, inode, flags_below(info->flags));
    if (fd < 0) {
        (void)fuse_reply_err(req, errno);
        return;
    }
    info->fh = (uint64_t)fd;
    info->direct_io = inode->is_look; // each look reaches us
    // What the kernel has of it may stay, as long as nothing is to come from the disk on purpose.
    info->keep_cache = !inode->is_look && lp_layer_rules_are_off(&layer->rules);
    if (fuse_reply_open(req, info) < 0)
        close(fd);
}

void lp_layer_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                        struct fuse_file_info *info)
{
    struct lp_layer *layer = layer_of(req);
    struct stat facts;
    struct fuse_entry_param entry;
    LP_OWNS_FD int owned = -1;
    if (is_refused(req, info->flags, LP_LAYER_MAKE))
        return;
    int folder = lp_layer_inode_fd(layer, lp_layer_inode_of(layer, parent), &owned);
    const struct fuse_ctx *asker = fuse_req_ctx(req);
    lp_layer_owner_set(asker->uid, asker->gid);
    int flags = flags_below(info->flags) | (info->flags & O_EXCL) | O_CREAT;
    int fd = folder < 0 ? -1 : openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
    int error = errno;
    lp_layer_owner_set(0, 0);
    int known = fd < 0 ? -1 : openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct lp_layer_inode *inode = known < 0 ? NULL : lp_layer_inode_add(layer, known, &facts);
    if (!inode) {
        (void)fuse_reply_err(req, fd < 0 ? error : errno);
        if (fd >= 0)
            close(fd);
        return;
    }
    lp_layer_entry_fill(layer, inode, &facts, &entry);
    info->fh = (uint64_t)fd;
    if (fuse_reply_create(req, &entry, info) < 0) {
        lp_layer_inode_forget(layer, inode, 1);
        close(fd);
    }
}

void lp_layer_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    (void)ino;
    close((int)info->fh);
    (void)fuse_reply_err(req, 0);
}

// Reading.

static void read_reply(fuse_req_t req, int fd, size_t size, off_t at)
{
    struct fuse_bufvec data = FUSE_BUFVEC_INIT(size);
    data.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
    data.buf[0].fd = fd;
    data.buf[0].pos = at;
    (void)fuse_reply_data(req, &data, 0);
}

void lp_layer_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at,
                      struct fuse_file_info *info)
{
    struct lp_layer *layer = layer_of(req);
    const struct lp_layer_inode *inode = lp_layer_inode_of(layer, ino);
    struct lp_layer_verdict verdict = lp_layer_judge(&layer->rules, LP_LAYER_READ, inode->is_look);
    if (verdict.error) {
        const struct lp_layer_result failure = {
            .error = verdict.error, .kind = LP_LAYER_REPLY_ERROR, .read_of = inode};
        lp_layer_reply(layer, req, verdict.delay_us, &failure);
        return;
    }
    if (verdict.delay_us == 0 && !inode->shadow) {
        read_reply(req, (int)info->fh, size, at);
        return;
    }
    struct lp_layer_result result = {
        .kind = LP_LAYER_REPLY_BYTES, .bytes = lp_heap_take(size), .read_of = inode};
    ssize_t got = inode->shadow
                      ? lp_layer_shadow_read(inode->shadow, result.bytes, size, (uint64_t)at)
                      : pread((int)info->fh, result.bytes, size, at);
    result.error = got >= 0 ? 0 : inode->shadow ? (int)-got : errno;
    result.count = got >= 0 ? (size_t)got : 0;
    lp_layer_reply(layer, req, verdict.delay_us, &result);
}

// Writing.

// How much of what is to be written needs room that the file does not have yet.
static size_t new_bytes_of(struct lp_layer *layer, const struct lp_layer_inode *inode, int fd,
                           const off_t range[2])
{
    struct stat facts;
    if (lp_layer_inode_stat(layer, inode, &facts) != 0)
        return (size_t)(range[1] - range[0]);
    off_t end = range[1] < facts.st_size ? range[1] : facts.st_size, at = range[0];
    size_t new_bytes = range[1] > facts.st_size
                           ? (size_t)(range[1] - (at > facts.st_size ? at : facts.st_size))
                           : 0;
    while (!inode->shadow && at < end) { // holes
        off_t hole = lseek(fd, at, SEEK_HOLE);
        if (hole < 0 || hole >= end)
            break;
        off_t data = lseek(fd, hole, SEEK_DATA);
        data = data < 0 || data > end ? end : data;
        new_bytes += (size_t)(data - hole);
        at = data;
    }
    return new_bytes;
}

// To where, and how much of it: less than asked when there is no room for all of it.
static size_t room_take(struct lp_layer *layer, const struct lp_layer_inode *inode, int fd,
                        const off_t range[2])
{
    size_t size = (size_t)(range[1] - range[0]);
    if (!layer->rules.rows[LP_LAYER_FULL].is_on)
        return size;
    return lp_layer_room_take(&layer->rules, size, new_bytes_of(layer, inode, fd, range));
}

static ssize_t shadow_write(struct lp_layer *layer, struct lp_layer_inode *inode,
                            struct fuse_bufvec *data, off_t at)
{
    size_t size = fuse_buf_size(data);
    struct fuse_bufvec plain = FUSE_BUFVEC_INIT(size);
    struct lp_layer_shadow *shadow = lp_layer_inode_shadow(layer, inode);
    if (!shadow)
        return -errno;
    plain.buf[0].mem = lp_heap_take(size + 1);
    ssize_t got = fuse_buf_copy(&plain, data, 0);
    if (got > 0)
        got = lp_layer_shadow_write(shadow, plain.buf[0].mem, (size_t)got, (uint64_t)at);
    lp_heap_free(plain.buf[0].mem);
    return got;
}

static ssize_t plain_write(int fd, struct fuse_bufvec *data, off_t at)
{
    struct fuse_bufvec below = FUSE_BUFVEC_INIT(fuse_buf_size(data));
    below.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
    below.buf[0].fd = fd;
    below.buf[0].pos = at;
    return fuse_buf_copy(&below, data, 0);
}

// The last of several buffers is cut, so that no more than `size` is there.
static void data_cut(struct fuse_bufvec *data, size_t size)
{
    for (size_t i = data->idx; i < data->count; i++) {
        size_t before = i == data->idx ? data->off : 0;
        size_t here = data->buf[i].size - before;
        if (here > size)
            data->buf[i].size = size + before;
        size -= here < size ? here : size;
    }
}

static ssize_t write_do(struct lp_layer *layer, struct lp_layer_inode *inode,
                        struct fuse_bufvec *data, off_t at, const struct fuse_file_info *info)
{
    struct stat facts;
    int fd = (int)info->fh;
    if ((info->flags & O_APPEND) && !info->writepage) {
        int error = lp_layer_inode_stat(layer, inode, &facts);
        if (error)
            return -error;
        at = facts.st_size;
    }
    size_t size = fuse_buf_size(data);
    const off_t range[2] = {at, at + (off_t)size};
    size_t may = inode->is_look && layer->rules.rows[LP_LAYER_FULL].room_bytes
                     ? size // a look takes no room
                     : room_take(layer, inode, fd, range);
    if (may == 0 && size > 0)
        return -ENOSPC;
    data_cut(data, may);
    if (!is_forgetful(layer) && !inode->shadow)
        return plain_write(fd, data, at);
    ssize_t got = shadow_write(layer, inode, data, at);
    if (got > 0 && (info->flags & (O_SYNC | O_DSYNC))) {
        int error = lp_layer_shadow_merge(inode->shadow);
        if (error == 0 && fdatasync(fd) < 0)
            error = -errno;
        got = error < 0 ? error : got;
    }
    return got;
}

void lp_layer_op_write(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *data, off_t at,
                       struct fuse_file_info *info)
{
    struct lp_layer *layer = layer_of(req);
    struct lp_layer_inode *inode = lp_layer_inode_of(layer, ino);
    struct lp_layer_verdict verdict = lp_layer_judge(&layer->rules, LP_LAYER_WRITE, inode->is_look);
    size_t asked = fuse_buf_size(data);
    ssize_t got = verdict.error ? -verdict.error : write_do(layer, inode, data, at, info);
    // libfuse empties its pipe when it sees that something was left there. What was cut off it does
    // not see, and would take for the beginning of the next request.
    if (got < 0 || (size_t)got < asked)
        data->idx = 0;
    struct lp_layer_result result = {.error = got < 0 ? (int)-got : 0,
                                     .kind = LP_LAYER_REPLY_WRITTEN,
                                     .count = got < 0 ? 0 : (size_t)got};
    lp_layer_reply(layer, req, verdict.delay_us, &result);
}

void lp_layer_op_sync(fuse_req_t req, fuse_ino_t ino, int is_data_only, struct fuse_file_info *info)
{
    struct lp_layer *layer = layer_of(req);
    struct lp_layer_inode *inode = lp_layer_inode_of(layer, ino);
    struct lp_layer_verdict verdict = lp_layer_judge(&layer->rules, LP_LAYER_SYNC, inode->is_look);
    int error = verdict.error;
    if (!error && inode->shadow)
        error = -lp_layer_shadow_merge(inode->shadow);
    if (error)
        error_reply(req, verdict.delay_us, error);
    else
        lp_layer_sync_begin(layer, req, (int)info->fh, is_data_only, verdict.delay_us);
}

int lp_layer_file_truncate(struct lp_layer *layer, struct lp_layer_inode *inode, off_t size)
{
    struct stat facts;
    int error = lp_layer_inode_stat(layer, inode, &facts);
    if (error)
        return error;
    if (is_forgetful(layer) && !inode->shadow && !lp_layer_inode_shadow(layer, inode))
        return errno;
    if (inode->shadow)
        return -lp_layer_shadow_truncate(inode->shadow, (uint64_t)size);
    LP_OWNS_FD int fd = lp_layer_inode_open(layer, inode, O_WRONLY);
    if (fd < 0 || ftruncate(fd, size) < 0)
        return errno;
    if (size < facts.st_size)
        lp_layer_room_give(&layer->rules, (uint64_t)(facts.st_size - size));
    return 0;
}

// Reserving room, and holes.

static int shadow_allocate(struct lp_layer_shadow *shadow, int mode, off_t at, off_t count)
{
    uint64_t size = lp_layer_shadow_size(shadow), end = (uint64_t)(at + count);
    if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
        return -EOPNOTSUPP;
    if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) {
        int result = lp_layer_shadow_clear(shadow, (uint64_t)count, (uint64_t)at);
        if (result < 0)
            return result;
    }
    return !(mode & FALLOC_FL_KEEP_SIZE) && end > size ? lp_layer_shadow_truncate(shadow, end) : 0;
}

// All of it, or nothing.
static int room_reserve(struct lp_layer *layer, const struct lp_layer_inode *inode, int fd,
                        const off_t range[2])
{
    const struct lp_layer_rule *full = &layer->rules.rows[LP_LAYER_FULL];
    size_t new_bytes = full->is_on ? new_bytes_of(layer, inode, fd, range) : 0;
    if (full->is_on && new_bytes > full->room_bytes)
        return -ENOSPC;
    (void)lp_layer_room_take(&layer->rules, new_bytes, new_bytes);
    return 0;
}

// The kernel's interface has six parameters.
void lp_layer_op_allocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t at, off_t count,
                          struct fuse_file_info *info)
{
    struct lp_layer *layer = layer_of(req);
    struct lp_layer_inode *inode = lp_layer_inode_of(layer, ino);
    int fd = (int)info->fh;
    struct lp_layer_verdict verdict = lp_layer_judge(&layer->rules, LP_LAYER_WRITE, inode->is_look);
    const off_t range[2] = {at, at + count};
    int result = -verdict.error;
    if (result == 0 && !(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE)))
        result = room_reserve(layer, inode, fd, range);
    if (result == 0 && is_forgetful(layer) && !lp_layer_inode_shadow(layer, inode))
        result = -errno;
    if (result == 0 && inode->shadow)
        result = shadow_allocate(inode->shadow, mode, at, count);
    else if (result == 0 && fallocate(fd, mode, at, count) < 0)
        result = -errno;
    error_reply(req, verdict.delay_us, -result);
}
