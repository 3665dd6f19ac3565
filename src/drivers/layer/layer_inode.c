// The files of a layer that the kernel knows. Each is held open (O_PATH), so that it can be renamed
// and unlinked meanwhile; beyond a bound of handles it is known by its file handle instead.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/own.h"
#include "drivers/layer/layer_parts.h"
#include "drivers/layer/layer_shadow.h"

enum { BUCKETS_MIN = 1024, HANDLES_RESERVE = 256 };

struct handle { // struct file_handle with its room
    struct file_handle head;
    unsigned char bytes[LP_LAYER_HANDLE_BYTES];
};

int lp_layer_inodes_open(struct lp_layer_inodes *inodes, int base_fd, struct lp_err *err)
{
    struct stat facts;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || fstat(base_fd, &facts) < 0)
        return lp_err_set(err, LP_EIO, "look at the folder: %s", strerror(errno));
    // Half of the handles for the files that are known, the others for those that are open.
    rlim_t most = files.rlim_cur > 2 * HANDLES_RESERVE ? files.rlim_cur / 2 : HANDLES_RESERVE;
    inodes->fd_max = most < SIZE_MAX / 2 ? (size_t)most : SIZE_MAX / 2;
    inodes->bucket_count = BUCKETS_MIN;
    inodes->buckets = lp_heap_take(BUCKETS_MIN * sizeof(struct lp_layer_inode *));
    inodes->base_fd = base_fd;
    inodes->root = (struct lp_layer_inode){
        .dev = facts.st_dev, .ino = facts.st_ino, .fd = base_fd, .lookups = 1};
    return 0;
}

struct lp_layer_inode *lp_layer_inode_of(struct lp_layer *layer, fuse_ino_t ino)
{
    return ino == FUSE_ROOT_ID ? &layer->inodes.root : (struct lp_layer_inode *)(uintptr_t)ino;
}

fuse_ino_t lp_layer_ino_of(const struct lp_layer *layer, const struct lp_layer_inode *inode)
{
    return inode == &layer->inodes.root ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)inode;
}

int lp_layer_inode_fd(struct lp_layer *layer, const struct lp_layer_inode *inode, int *ret_owned)
{
    *ret_owned = -1;
    if (inode->fd >= 0)
        return inode->fd;
    struct handle handle = {
        .head = {.handle_bytes = inode->handle_bytes, .handle_type = inode->handle_type}};
    memcpy(handle.head.f_handle, inode->handle, inode->handle_bytes);
    *ret_owned = open_by_handle_at(layer->inodes.base_fd, &handle.head, O_PATH | O_CLOEXEC);
    return *ret_owned;
}

int lp_layer_inode_open(struct lp_layer *layer, const struct lp_layer_inode *inode, int flags)
{
    char path[64];
    LP_OWNS_FD int owned = -1;
    int fd = lp_layer_inode_fd(layer, inode, &owned);
    if (fd < 0)
        return -1;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, (flags & ~O_NOFOLLOW) | O_CLOEXEC);
}

static size_t bucket_of(const struct lp_layer_inodes *inodes, dev_t dev, ino_t ino)
{
    uint64_t mixed = ((uint64_t)ino ^ (uint64_t)dev << 48) * 0x9e3779b97f4a7c15u;
    return (size_t)(mixed >> 32) & (inodes->bucket_count - 1);
}

static void buckets_grow(struct lp_layer_inodes *inodes)
{
    struct lp_layer_inode **old = inodes->buckets;
    size_t count = inodes->bucket_count;
    if (inodes->count < 2 * count)
        return;
    inodes->bucket_count = 4 * count;
    inodes->buckets = lp_heap_take(inodes->bucket_count * sizeof(struct lp_layer_inode *));
    for (size_t i = 0; i < count; i++) {
        for (struct lp_layer_inode *inode = old[i], *next; inode; inode = next) {
            size_t bucket = bucket_of(inodes, inode->dev, inode->ino);
            next = inode->next;
            inode->next = inodes->buckets[bucket];
            inodes->buckets[bucket] = inode;
        }
    }
    lp_heap_free(old);
}

static void unhash(struct lp_layer_inodes *inodes, struct lp_layer_inode *inode)
{
    struct lp_layer_inode **at = &inodes->buckets[bucket_of(inodes, inode->dev, inode->ino)];
    while (*at && *at != inode)
        at = &(*at)->next;
    if (*at)
        *at = inode->next;
    inodes->count -= inode->is_hashed;
    inode->is_hashed = false;
}

static void handle_take(struct lp_layer_inode *inode, int fd)
{
    int mount_id;
    struct handle handle = {.head = {.handle_bytes = LP_LAYER_HANDLE_BYTES}};
    if (name_to_handle_at(fd, "", &handle.head, &mount_id, AT_EMPTY_PATH) < 0)
        return;
    inode->handle_bytes = handle.head.handle_bytes;
    inode->handle_type = handle.head.handle_type;
    memcpy(inode->handle, handle.head.f_handle, handle.head.handle_bytes);
}

static struct lp_layer_inode *inode_make(struct lp_layer_inodes *inodes, int fd,
                                         const struct stat *facts)
{
    struct lp_layer_inode *inode = lp_heap_take(sizeof(*inode));
    inode->dev = facts->st_dev;
    inode->ino = facts->st_ino;
    inode->fd = fd;
    inode->is_hashed = true;
    if (inodes->fd_count >= inodes->fd_max && inode->dev == inodes->root.dev && facts->st_nlink > 0)
        handle_take(inode, fd);
    if (inode->handle_bytes) {
        close(fd);
        inode->fd = -1;
    } else {
        inodes->fd_count++;
    }
    size_t bucket = bucket_of(inodes, inode->dev, inode->ino);
    inode->next = inodes->buckets[bucket];
    inodes->buckets[bucket] = inode;
    inodes->count++;
    buckets_grow(inodes);
    return inode;
}

// The number alone does not tell when nothing holds the file: it may be another's by now.
static bool is_same(const struct lp_layer_inode *inode, int fd)
{
    struct lp_layer_inode other = {0};
    if (inode->fd >= 0 || inode->shadow)
        return true;
    handle_take(&other, fd);
    return other.handle_bytes == inode->handle_bytes && other.handle_type == inode->handle_type &&
           memcmp(other.handle, inode->handle, inode->handle_bytes) == 0;
}

struct lp_layer_inode *lp_layer_inode_add(struct lp_layer *layer, int fd, struct stat *ret_facts)
{
    struct lp_layer_inodes *inodes = &layer->inodes;
    if (fstatat(fd, "", ret_facts, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return NULL;
    }
    struct lp_layer_inode *inode =
        inodes->buckets[bucket_of(inodes, ret_facts->st_dev, ret_facts->st_ino)];
    while (inode && (inode->dev != ret_facts->st_dev || inode->ino != ret_facts->st_ino))
        inode = inode->next;
    if (inode && !is_same(inode, fd)) {
        unhash(inodes, inode);
        inode = NULL;
    }
    if (inode)
        close(fd);
    else
        inode = inode_make(inodes, fd, ret_facts);
    inode->lookups++;
    if (inode->shadow) {
        ret_facts->st_size = (off_t)lp_layer_shadow_size(inode->shadow);
        ret_facts->st_mtim = lp_layer_shadow_changed(inode->shadow);
    }
    return inode;
}

static void inode_free(struct lp_layer_inodes *inodes, struct lp_layer_inode *inode)
{
    if (inode->is_hashed)
        unhash(inodes, inode);
    if (inode->shadow)
        lp_layer_shadow_close(inode->shadow);
    if (inode->fd >= 0) {
        close(inode->fd);
        inodes->fd_count--;
    }
    lp_heap_free(inode);
}

void lp_layer_inode_forget(struct lp_layer *layer, struct lp_layer_inode *inode, uint64_t count)
{
    struct stat facts = {0};
    inode->lookups -= count < inode->lookups ? count : inode->lookups;
    if (inode == &layer->inodes.root || inode->lookups > 0)
        return;
    // What was written to it and not synced is still to be read by whoever opens it again.
    bool is_kept = inode->shadow && !lp_layer_shadow_is_clean(inode->shadow) &&
                   lp_layer_inode_stat(layer, inode, &facts) == 0 && facts.st_nlink > 0;
    if (!is_kept)
        inode_free(&layer->inodes, inode);
}

int lp_layer_inode_stat(struct lp_layer *layer, const struct lp_layer_inode *inode,
                        struct stat *ret_facts)
{
    LP_OWNS_FD int owned = -1;
    int fd = lp_layer_inode_fd(layer, inode, &owned);
    if (fd < 0 || fstatat(fd, "", ret_facts, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
        return errno;
    if (inode->shadow) {
        ret_facts->st_size = (off_t)lp_layer_shadow_size(inode->shadow);
        ret_facts->st_mtim = lp_layer_shadow_changed(inode->shadow);
    }
    return 0;
}

int lp_layer_nameless_open(struct lp_layer *layer)
{
    struct stat facts;
    if (fstat(layer->inodes.base_fd, &facts) < 0)
        return -1;
    lp_layer_owner_set(facts.st_uid, facts.st_gid);
    int fd = openat(layer->inodes.base_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int error = errno;
    lp_layer_owner_set(0, 0);
    errno = error;
    return fd;
}

struct lp_layer_shadow *lp_layer_inode_shadow(struct lp_layer *layer, struct lp_layer_inode *inode)
{
    if (inode->shadow)
        return inode->shadow;
    // The store is a file without a name beside the others: it needs their disk's room, not memory.
    int store = lp_layer_nameless_open(layer);
    int file = store < 0 ? -1 : lp_layer_inode_open(layer, inode, O_RDWR);
    if (file < 0) {
        int error = errno;
        if (store >= 0)
            close(store);
        errno = error;
        return NULL;
    }
    inode->shadow = lp_layer_shadow_open(file, store);
    return inode->shadow;
}

void lp_layer_shadows_drop(struct lp_layer *layer)
{
    struct lp_layer_inodes *inodes = &layer->inodes;
    for (size_t i = 0; i < inodes->bucket_count; i++) {
        for (struct lp_layer_inode *inode = inodes->buckets[i], *next; inode; inode = next) {
            next = inode->next;
            if (!inode->shadow)
                continue;
            lp_layer_shadow_close(inode->shadow);
            inode->shadow = NULL;
            if (inode->lookups == 0)
                inode_free(inodes, inode);
        }
    }
}

void lp_layer_caches_drop(struct lp_layer *layer, bool keeps_held)
{
    struct lp_layer_inodes *inodes = &layer->inodes;
    for (size_t i = 0; i < inodes->bucket_count; i++)
        for (struct lp_layer_inode *inode = inodes->buckets[i]; inode; inode = inode->next)
            if (!keeps_held || !lp_layer_is_read_held(layer, inode))
                (void)fuse_lowlevel_notify_inval_inode(layer->session,
                                                       lp_layer_ino_of(layer, inode), 0, 0);
}
