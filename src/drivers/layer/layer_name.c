// Operations of a layer on names and attributes: passed on to the folder below, unless a fault says
// otherwise.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/own.h"
#include "drivers/layer/layer_parts.h"
#include "drivers/layer/layer_shadow.h"

#define FRESH_S 1.0 // how long the kernel believes what it was told of a name or of attributes

struct folder { // an open one
    DIR *dir;
    struct dirent *entry; // the next, when it did not fit
    off_t at;
};

static struct lp_layer *layer_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

// May names and attributes change? Else the reply is given.
static bool may_change(fuse_req_t req, uint32_t operation)
{
    struct lp_layer_verdict verdict = lp_layer_judge(&layer_of(req)->rules, operation, false);
    if (verdict.error)
        (void)fuse_reply_err(req, verdict.error);
    return verdict.error == 0;
}

void lp_layer_owner_set(uid_t uid, gid_t gid)
{
    // Capabilities stay (SECBIT_NO_SETUID_FIXUP): the kernel has checked already who may.
    setfsgid(gid);
    setfsuid(uid);
}

static void owner_of(fuse_req_t req)
{
    const struct fuse_ctx *asker = fuse_req_ctx(req);
    lp_layer_owner_set(asker->uid, asker->gid);
}

void lp_layer_entry_fill(struct lp_layer *layer, const struct lp_layer_inode *inode,
                         const struct stat *facts, struct fuse_entry_param *ret_entry)
{
    *ret_entry = (struct fuse_entry_param){.ino = lp_layer_ino_of(layer, inode),
                                           .attr = *facts,
                                           .attr_timeout = FRESH_S,
                                           .entry_timeout = FRESH_S};
}

void lp_layer_entry_reply(fuse_req_t req, struct lp_layer *layer, int fd)
{
    struct stat facts;
    struct fuse_entry_param entry;
    struct lp_layer_inode *inode = fd < 0 ? NULL : lp_layer_inode_add(layer, fd, &facts);
    if (!inode) {
        (void)fuse_reply_err(req, errno);
        return;
    }
    lp_layer_entry_fill(layer, inode, &facts, &entry);
    if (fuse_reply_entry(req, &entry) < 0) // nobody heard it: the kernel will not forget it
        lp_layer_inode_forget(layer, inode, 1);
}

// The file to look through: one without a name below, under a name that nobody else knows.
static void look_open(fuse_req_t req, struct lp_layer *layer)
{
    struct stat facts;
    struct fuse_entry_param entry;
    int fd = lp_layer_nameless_open(layer);
    struct lp_layer_inode *inode = fd < 0 ? NULL : lp_layer_inode_add(layer, fd, &facts);
    if (!inode) {
        (void)fuse_reply_err(req, errno);
        return;
    }
    inode->is_look = true;
    lp_layer_entry_fill(layer, inode, &facts, &entry);
    entry.entry_timeout = 0;
    if (fuse_reply_entry(req, &entry) < 0)
        lp_layer_inode_forget(layer, inode, 1);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct lp_layer *layer = layer_of(req);
    LP_OWNS_FD int owned = -1;
    if (parent == FUSE_ROOT_ID && layer->cookie[0] && strcmp(name, layer->cookie) == 0) {
        look_open(req, layer);
        return;
    }
    int folder = lp_layer_inode_fd(layer, lp_layer_inode_of(layer, parent), &owned);
    int fd = folder < 0 ? -1 : openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    lp_layer_entry_reply(req, layer, fd);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
    struct lp_layer *layer = layer_of(req);
    lp_layer_inode_forget(layer, lp_layer_inode_of(layer, ino), count);
    fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    struct lp_layer *layer = layer_of(req);
    for (size_t i = 0; i < count; i++)
        lp_layer_inode_forget(layer, lp_layer_inode_of(layer, forgets[i].ino), forgets[i].nlookup);
    fuse_reply_none(req);
}

static void attributes_reply(fuse_req_t req, struct lp_layer *layer,
                             const struct lp_layer_inode *inode)
{
    struct stat facts;
    int error = lp_layer_inode_stat(layer, inode, &facts);
    if (error)
        (void)fuse_reply_err(req, error);
    else
        (void)fuse_reply_attr(req, &facts, FRESH_S);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    (void)info;
    struct lp_layer *layer = layer_of(req);
    attributes_reply(req, layer, lp_layer_inode_of(layer, ino));
}

static int times_set(const char *path, const struct stat *wanted, int what)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};
    if (what & FUSE_SET_ATTR_ATIME_NOW)
        times[0].tv_nsec = UTIME_NOW;
    else if (what & FUSE_SET_ATTR_ATIME)
        times[0] = wanted->st_atim;
    if (what & FUSE_SET_ATTR_MTIME_NOW)
        times[1].tv_nsec = UTIME_NOW;
    else if (what & FUSE_SET_ATTR_MTIME)
        times[1] = wanted->st_mtim;
    return utimensat(AT_FDCWD, path, times, 0);
}

static int attributes_set(struct lp_layer *layer, struct lp_layer_inode *inode,
                          const struct stat *wanted, int what)
{
    char path[64];
    LP_OWNS_FD int owned = -1;
    int fd = lp_layer_inode_fd(layer, inode, &owned);
    if (fd < 0)
        return errno;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    uid_t uid = what & FUSE_SET_ATTR_UID ? wanted->st_uid : (uid_t)-1;
    gid_t gid = what & FUSE_SET_ATTR_GID ? wanted->st_gid : (gid_t)-1;
    if ((what & FUSE_SET_ATTR_MODE) && chmod(path, wanted->st_mode) < 0)
        return errno;
    if ((what & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) &&
        fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
        return errno;
    if (what & FUSE_SET_ATTR_SIZE) {
        int error = lp_layer_file_truncate(layer, inode, wanted->st_size);
        if (error)
            return error;
    }
    bool has_times = what & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |
                             FUSE_SET_ATTR_MTIME_NOW);
    if (has_times && times_set(path, wanted, what) < 0)
        return errno;
    struct stat facts;
    bool has_time_of_change = what & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW);
    if (has_time_of_change && inode->shadow && fstatat(fd, "", &facts, AT_EMPTY_PATH) == 0)
        lp_layer_shadow_set_changed(inode->shadow, facts.st_mtim);
    return 0;
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *wanted, int what,
                       struct fuse_file_info *info)
{
    (void)info;
    struct lp_layer *layer = layer_of(req);
    struct lp_layer_inode *inode = lp_layer_inode_of(layer, ino);
    if (!may_change(req, LP_LAYER_CHANGE))
        return;
    int error = attributes_set(layer, inode, wanted, what);
    if (error)
        (void)fuse_reply_err(req, error);
    else
        attributes_reply(req, layer, inode);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
    char target[4097];
    struct lp_layer *layer = layer_of(req);
    LP_OWNS_FD int owned = -1;
    int fd = lp_layer_inode_fd(layer, lp_layer_inode_of(layer, ino), &owned);
    ssize_t bytes = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target) - 1);
    if (bytes < 0) {
        (void)fuse_reply_err(req, errno);
        return;
    }
    target[bytes] = '\0';
    (void)fuse_reply_readlink(req, target);
}

// What makes a name: of the kind of mode, or a link when there is a target.
struct wish {
    const char *name, *target;
    mode_t mode;
    dev_t device;
};

static void name_make(fuse_req_t req, fuse_ino_t parent, const struct wish *wish)
{
    struct lp_layer *layer = layer_of(req);
    LP_OWNS_FD int owned = -1;
    if (!may_change(req, LP_LAYER_MAKE))
        return;
    int folder = lp_layer_inode_fd(layer, lp_layer_inode_of(layer, parent), &owned);
    int result = -1;
    if (folder >= 0) {
        owner_of(req);
        if (wish->target)
            result = symlinkat(wish->target, folder, wish->name);
        else if (S_ISDIR(wish->mode))
            result = mkdirat(folder, wish->name, wish->mode & 07777);
        else
            result = mknodat(folder, wish->name, wish->mode, wish->device);
        int error = errno;
        lp_layer_owner_set(0, 0);
        errno = error;
    }
    int fd = result < 0 ? -1 : openat(folder, wish->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    lp_layer_entry_reply(req, layer, fd);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
    name_make(req, parent, &(struct wish){.name = name, .mode = mode, .device = device});
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    name_make(req, parent, &(struct wish){.name = name, .mode = (mode & 07777) | S_IFDIR});
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    name_make(req, parent, &(struct wish){.name = name, .target = target});
}

static void name_remove(fuse_req_t req, fuse_ino_t parent, const char *name, int flags)
{
    struct stat facts;
    struct lp_layer *layer = layer_of(req);
    LP_OWNS_FD int owned = -1;
    if (!may_change(req, LP_LAYER_CHANGE))
        return;
    int folder = lp_layer_inode_fd(layer, lp_layer_inode_of(layer, parent), &owned);
    bool is_last = folder >= 0 && fstatat(folder, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
                   S_ISREG(facts.st_mode) && facts.st_nlink == 1;
    if (folder < 0 || unlinkat(folder, name, flags) < 0) {
        (void)fuse_reply_err(req, errno);
        return;
    }
    if (is_last)
        lp_layer_room_give(&layer->rules, (uint64_t)facts.st_blocks * 512);
    (void)fuse_reply_err(req, 0);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    name_remove(req, parent, name, 0);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    name_remove(req, parent, name, AT_REMOVEDIR);
}

// The kernel's interface has six parameters.
static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t other_parent,
                      const char *other_name, unsigned flags)
{
    struct lp_layer *layer = layer_of(req);
    LP_OWNS_FD int owned = -1;
    LP_OWNS_FD int other_owned = -1;
    if (!may_change(req, LP_LAYER_CHANGE))
        return;
    int from = lp_layer_inode_fd(layer, lp_layer_inode_of(layer, parent), &owned);
    int to = lp_layer_inode_fd(layer, lp_layer_inode_of(layer, other_parent), &other_owned);
    bool is_good = from >= 0 && to >= 0 && renameat2(from, name, to, other_name, flags) == 0;
    (void)fuse_reply_err(req, is_good ? 0 : errno);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    char path[64];
    struct lp_layer *layer = layer_of(req);
    LP_OWNS_FD int owned = -1;
    LP_OWNS_FD int folder_owned = -1;
    if (!may_change(req, LP_LAYER_MAKE))
        return;
    int fd = lp_layer_inode_fd(layer, lp_layer_inode_of(layer, ino), &owned);
    int folder = lp_layer_inode_fd(layer, lp_layer_inode_of(layer, parent), &folder_owned);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    bool is_good =
        fd >= 0 && folder >= 0 && linkat(AT_FDCWD, path, folder, name, AT_SYMLINK_FOLLOW) == 0;
    int made = is_good ? openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
    lp_layer_entry_reply(req, layer, made);
}

// Folders.

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    struct lp_layer *layer = layer_of(req);
    int fd = lp_layer_inode_open(layer, lp_layer_inode_of(layer, ino), O_RDONLY | O_DIRECTORY);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        (void)fuse_reply_err(req, error);
        return;
    }
    struct folder *folder = lp_heap_take(sizeof(*folder));
    folder->dir = dir;
    info->fh = (uintptr_t)folder;
    (void)fuse_reply_open(req, info);
}

// As many entries as fit. The first that does not is kept for the next call.
static size_t entries_fill(fuse_req_t req, struct folder *folder, char *bytes, size_t size,
                           int *ret_error)
{
    size_t used = 0;
    *ret_error = 0;
    for (;;) {
        errno = 0;
        if (!folder->entry)
            folder->entry = readdir(folder->dir);
        if (!folder->entry) {
            *ret_error = errno;
            return used;
        }
        struct stat facts = {.st_ino = folder->entry->d_ino,
                             .st_mode = (mode_t)folder->entry->d_type << 12};
        size_t bytes_needed = fuse_add_direntry(
            req, bytes + used, size - used, folder->entry->d_name, &facts, folder->entry->d_off);
        if (bytes_needed > size - used)
            return used;
        used += bytes_needed;
        folder->at = folder->entry->d_off;
        folder->entry = NULL;
    }
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at,
                       struct fuse_file_info *info)
{
    (void)ino;
    int error;
    struct folder *folder = (struct folder *)(uintptr_t)info->fh;
    if (at != folder->at) {
        seekdir(folder->dir, at);
        folder->entry = NULL;
        folder->at = at;
    }
    char *bytes = lp_heap_take(size);
    size_t used = entries_fill(req, folder, bytes, size, &error);
    if (used == 0 && error)
        (void)fuse_reply_err(req, error);
    else
        (void)fuse_reply_buf(req, bytes, used);
    lp_heap_free(bytes);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    (void)ino;
    struct folder *folder = (struct folder *)(uintptr_t)info->fh;
    closedir(folder->dir);
    lp_heap_free(folder);
    (void)fuse_reply_err(req, 0);
}

static void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int is_data_only,
                        struct fuse_file_info *info)
{
    (void)ino;
    struct lp_layer *layer = layer_of(req);
    const struct folder *folder = (const struct folder *)(uintptr_t)info->fh;
    struct lp_layer_verdict verdict = lp_layer_judge(&layer->rules, LP_LAYER_SYNC, false);
    struct lp_layer_result result = {.error = verdict.error};
    if (verdict.error)
        lp_layer_reply(layer, req, verdict.delay_us, &result);
    else
        lp_layer_sync_begin(layer, req, dirfd(folder->dir), is_data_only, verdict.delay_us);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    (void)ino;
    struct lp_layer *layer = layer_of(req);
    struct statvfs facts;
    if (fstatvfs(layer->inodes.base_fd, &facts) < 0) {
        (void)fuse_reply_err(req, errno);
        return;
    }
    uint64_t unit = facts.f_frsize ? facts.f_frsize : 1;
    facts.f_bfree = lp_layer_room_shown(&layer->rules, facts.f_bfree * unit) / unit;
    facts.f_bavail = lp_layer_room_shown(&layer->rules, facts.f_bavail * unit) / unit;
    (void)fuse_reply_statfs(req, &facts);
}

// Extended attributes. Of links there are none that matter, and no way to them without a race.

static bool attribute_path(fuse_req_t req, fuse_ino_t ino, char path[64], int *ret_owned)
{
    struct stat facts;
    struct lp_layer *layer = layer_of(req);
    int fd = lp_layer_inode_fd(layer, lp_layer_inode_of(layer, ino), ret_owned);
    bool is_link = fd >= 0 && fstatat(fd, "", &facts, AT_EMPTY_PATH) == 0 && S_ISLNK(facts.st_mode);
    if (fd < 0 || is_link) {
        (void)fuse_reply_err(req, fd < 0 ? errno : ENOTSUP);
        return false;
    }
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return true;
}

// The kernel's interface has six parameters.
static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
                        size_t size, int flags)
{
    char path[64];
    LP_OWNS_FD int owned = -1;
    if (may_change(req, LP_LAYER_CHANGE) && attribute_path(req, ino, path, &owned))
        (void)fuse_reply_err(req, setxattr(path, name, value, size, flags) < 0 ? errno : 0);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
    char path[64];
    LP_OWNS_FD int owned = -1;
    if (may_change(req, LP_LAYER_CHANGE) && attribute_path(req, ino, path, &owned))
        (void)fuse_reply_err(req, removexattr(path, name) < 0 ? errno : 0);
}

// A size of 0 asks how much there is.
static void attribute_reply(fuse_req_t req, ssize_t got, size_t size, const char *bytes)
{
    if (got < 0)
        (void)fuse_reply_err(req, errno);
    else if (size == 0)
        (void)fuse_reply_xattr(req, (size_t)got);
    else
        (void)fuse_reply_buf(req, bytes, (size_t)got);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    char path[64];
    LP_OWNS_FD int owned = -1;
    if (!attribute_path(req, ino, path, &owned))
        return;
    char *bytes = size ? lp_heap_take(size) : NULL;
    attribute_reply(req, getxattr(path, name, bytes, size), size, bytes);
    lp_heap_free(bytes);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    char path[64];
    LP_OWNS_FD int owned = -1;
    if (!attribute_path(req, ino, path, &owned))
        return;
    char *bytes = size ? lp_heap_take(size) : NULL;
    attribute_reply(req, listxattr(path, bytes, size), size, bytes);
    lp_heap_free(bytes);
}

static void op_init(void *layer, struct fuse_conn_info *kernel)
{
    (void)layer;
    // Written to us at once, or nobody could be told that the disk is full; truncated by an
    // operation of its own; suid bits and locks are the kernel's work.
    kernel->want &=
        ~(unsigned)(FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_HANDLE_KILLPRIV |
                    FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_READDIRPLUS);
    kernel->want |= kernel->capable & (FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE);
    kernel->max_background = 64;
    kernel->congestion_threshold = 48;
}

const struct fuse_lowlevel_ops lp_layer_operations_of_kernel = {
    .init = op_init,
    .lookup = op_lookup,
    .forget = op_forget,
    .forget_multi = op_forget_multi,
    .getattr = op_getattr,
    .setattr = op_setattr,
    .readlink = op_readlink,
    .mknod = op_mknod,
    .mkdir = op_mkdir,
    .unlink = op_unlink,
    .rmdir = op_rmdir,
    .symlink = op_symlink,
    .rename = op_rename,
    .link = op_link,
    .create = lp_layer_op_create,
    .open = lp_layer_op_open,
    .read = lp_layer_op_read,
    .write_buf = lp_layer_op_write,
    .fsync = lp_layer_op_sync,
    .fallocate = lp_layer_op_allocate,
    .release = lp_layer_op_release,
    .opendir = op_opendir,
    .readdir = op_readdir,
    .releasedir = op_releasedir,
    .fsyncdir = op_fsyncdir,
    .statfs = op_statfs,
    .setxattr = op_setxattr,
    .getxattr = op_getxattr,
    .listxattr = op_listxattr,
    .removexattr = op_removexattr,
};
