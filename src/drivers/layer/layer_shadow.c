// A shadow: blocks of a file that were written since its last sync, in a sparse store, and a bit
// for each. The file's own bytes count only up to the shortest length it had since then.
#define _GNU_SOURCE
#include "drivers/layer/layer_shadow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

enum { BLOCK = LP_LAYER_BLOCK_BYTES, ZEROS = 64 * 1024 };

struct lp_layer_shadow {
    int file_fd, store_fd;
    uint64_t size;       // as readers see it
    uint64_t file_bytes; // of the file's own bytes, these many are still what readers see
    uint64_t synced_size;
    uint8_t *bits; // heap; of blocks in the store
    uint64_t block_count;
    struct timespec changed;
};

static void changed_note(struct lp_layer_shadow *shadow)
{
    clock_gettime(CLOCK_REALTIME, &shadow->changed);
}

struct lp_layer_shadow *lp_layer_shadow_open(int file_fd, int store_fd)
{
    struct stat facts;
    if (fstat(file_fd, &facts) < 0) {
        int error = errno;
        close(file_fd);
        close(store_fd);
        errno = error;
        return NULL;
    }
    struct lp_layer_shadow *shadow = lp_heap_take(sizeof(*shadow));
    shadow->file_fd = file_fd;
    shadow->store_fd = store_fd;
    shadow->size = shadow->file_bytes = shadow->synced_size = (uint64_t)facts.st_size;
    shadow->changed = facts.st_mtim;
    return shadow;
}

void lp_layer_shadow_close(struct lp_layer_shadow *shadow)
{
    close(shadow->file_fd);
    close(shadow->store_fd);
    lp_heap_free(shadow->bits);
    lp_heap_free(shadow);
}

uint64_t lp_layer_shadow_size(const struct lp_layer_shadow *shadow)
{
    return shadow->size;
}

struct timespec lp_layer_shadow_changed(const struct lp_layer_shadow *shadow)
{
    return shadow->changed;
}

void lp_layer_shadow_set_changed(struct lp_layer_shadow *shadow, struct timespec when)
{
    shadow->changed = when;
}

static bool has_block(const struct lp_layer_shadow *shadow, uint64_t block)
{
    return block < shadow->block_count && (shadow->bits[block / 8] >> block % 8 & 1);
}

static void block_mark(struct lp_layer_shadow *shadow, uint64_t block)
{
    if (block >= shadow->block_count) {
        uint64_t count = shadow->block_count ? shadow->block_count : 1024;
        while (count <= block)
            count *= 2;
        shadow->bits = lp_heap_grow(shadow->bits, count / 8, 1);
        memset(shadow->bits + shadow->block_count / 8, 0, (count - shadow->block_count) / 8);
        shadow->block_count = count;
    }
    shadow->bits[block / 8] |= (uint8_t)(1u << block % 8);
}

int lp_layer_shadow_is_clean(const struct lp_layer_shadow *shadow)
{
    for (uint64_t i = 0; i < shadow->block_count / 8; i++)
        if (shadow->bits[i])
            return 0;
    return shadow->size == shadow->synced_size && shadow->file_bytes == shadow->size;
}

// Exactly so many bytes; what lies behind the end is zeros.
static int bytes_read(int fd, uint8_t *bytes, size_t count, uint64_t at)
{
    size_t done = 0;
    while (done < count) {
        ssize_t got = pread(fd, bytes + done, count - done, (off_t)(at + done));
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got == 0)
            break;
        done += got > 0 ? (size_t)got : 0;
    }
    memset(bytes + done, 0, count - done);
    return 0;
}

static int bytes_write(int fd, const uint8_t *bytes, size_t count, uint64_t at)
{
    size_t done = 0;
    while (done < count) {
        ssize_t got = pwrite(fd, bytes + done, count - done, (off_t)(at + done));
        if (got < 0 && errno != EINTR)
            return -errno;
        done += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

// What the file itself still has of it.
static int file_read(const struct lp_layer_shadow *shadow, uint8_t *bytes, size_t count,
                     uint64_t at)
{
    size_t own = 0;
    if (at < shadow->file_bytes)
        own = shadow->file_bytes - at < count ? (size_t)(shadow->file_bytes - at) : count;
    int result = own ? bytes_read(shadow->file_fd, bytes, own, at) : 0;
    memset(bytes + own, 0, count - own);
    return result;
}

// How many of `count` bytes from `at` lie in blocks that are all kept, or all not.
static size_t run_of(const struct lp_layer_shadow *shadow, uint64_t at, size_t count)
{
    bool is_kept = has_block(shadow, at / BLOCK);
    uint64_t end = (at / BLOCK + 1) * BLOCK;
    while (end < at + count && has_block(shadow, end / BLOCK) == is_kept)
        end += BLOCK;
    return end < at + count ? (size_t)(end - at) : count;
}

ssize_t lp_layer_shadow_read(struct lp_layer_shadow *shadow, void *bytes, size_t count, uint64_t at)
{
    if (at >= shadow->size)
        return 0;
    if (count > shadow->size - at)
        count = (size_t)(shadow->size - at);
    for (size_t done = 0, run; done < count; done += run) {
        run = run_of(shadow, at + done, count - done);
        uint8_t *place = (uint8_t *)bytes + done;
        int result = has_block(shadow, (at + done) / BLOCK)
                         ? bytes_read(shadow->store_fd, place, run, at + done)
                         : file_read(shadow, place, run, at + done);
        if (result < 0)
            return result;
    }
    return (ssize_t)count;
}

// A block that is only partly written is kept whole: the rest comes from the file.
static int block_fill(struct lp_layer_shadow *shadow, uint64_t block)
{
    uint8_t bytes[BLOCK];
    if (has_block(shadow, block))
        return 0;
    int result = file_read(shadow, bytes, BLOCK, block * BLOCK);
    return result < 0 ? result : bytes_write(shadow->store_fd, bytes, BLOCK, block * BLOCK);
}

ssize_t lp_layer_shadow_write(struct lp_layer_shadow *shadow, const void *bytes, size_t count,
                              uint64_t at)
{
    if (count == 0)
        return 0;
    if (at >= LP_LAYER_SHADOW_BYTES_MAX || count > LP_LAYER_SHADOW_BYTES_MAX - at)
        return -EFBIG;
    uint64_t end = at + count, first = at / BLOCK, last = (end - 1) / BLOCK;
    int result = at % BLOCK ? block_fill(shadow, first) : 0;
    if (result == 0 && end % BLOCK && (last != first || at % BLOCK == 0))
        result = block_fill(shadow, last);
    if (result == 0)
        result = bytes_write(shadow->store_fd, bytes, count, at);
    if (result < 0)
        return result;
    for (uint64_t block = first; block <= last; block++)
        block_mark(shadow, block);
    if (end > shadow->size)
        shadow->size = end;
    changed_note(shadow);
    return (ssize_t)count;
}

int lp_layer_shadow_truncate(struct lp_layer_shadow *shadow, uint64_t size)
{
    static const uint8_t zeros[BLOCK];
    uint64_t next = (size + BLOCK - 1) / BLOCK, tail = next * BLOCK - size;
    if (tail && has_block(shadow, size / BLOCK)) { // what comes behind the end must be zeros
        int result = bytes_write(shadow->store_fd, zeros, (size_t)tail, size);
        if (result < 0)
            return result;
    }
    for (uint64_t block = next; block < shadow->block_count; block++)
        shadow->bits[block / 8] &= (uint8_t) ~(1u << block % 8);
    if (size < shadow->file_bytes)
        shadow->file_bytes = size;
    shadow->size = size;
    changed_note(shadow);
    return 0;
}

// Room for them is given back; zeros are written where that cannot be.
static int zeros_put(int fd, uint64_t count, uint64_t at)
{
    static const uint8_t zeros[ZEROS];
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)count) == 0)
        return 0;
    int result = errno == EOPNOTSUPP || errno == ENOSYS ? 0 : -errno;
    for (uint64_t done = 0; result == 0 && done < count; done += ZEROS) {
        uint64_t part = count - done < ZEROS ? count - done : ZEROS;
        result = bytes_write(fd, zeros, (size_t)part, at + done);
    }
    return result;
}

int lp_layer_shadow_clear(struct lp_layer_shadow *shadow, uint64_t count, uint64_t at)
{
    static const uint8_t zeros[BLOCK];
    if (at >= shadow->size || count == 0)
        return 0;
    uint64_t end = count > shadow->size - at ? shadow->size : at + count;
    if (end > LP_LAYER_SHADOW_BYTES_MAX)
        return -EFBIG;
    uint64_t first = (at + BLOCK - 1) / BLOCK, last = end / BLOCK; // whole ones: [first, last)
    uint64_t head = first * BLOCK < end ? first * BLOCK : end;
    uint64_t tail = last * BLOCK > head ? last * BLOCK : head;
    ssize_t got = lp_layer_shadow_write(shadow, zeros, (size_t)(head - at), at);
    if (got >= 0)
        got = lp_layer_shadow_write(shadow, zeros, (size_t)(end - tail), tail);
    int result = got < 0 ? (int)got : 0;
    if (result == 0 && first < last)
        result = zeros_put(shadow->store_fd, (last - first) * BLOCK, first * BLOCK);
    if (result < 0)
        return result;
    for (uint64_t block = first; block < last; block++)
        block_mark(shadow, block);
    changed_note(shadow);
    return 0;
}

// How many kept blocks from this one on lie in one hole of the store.
static uint64_t hole_of(const struct lp_layer_shadow *shadow, uint64_t block)
{
    uint64_t end = block;
    off_t data = lseek(shadow->store_fd, (off_t)(block * BLOCK), SEEK_DATA);
    if (data < 0 && errno != ENXIO)
        return 0;
    uint64_t until = data < 0 ? shadow->block_count : (uint64_t)data / BLOCK;
    while (end < until && has_block(shadow, end))
        end++;
    return end - block;
}

static int hole_merge(struct lp_layer_shadow *shadow, uint64_t block, uint64_t count)
{
    uint64_t at = block * BLOCK, end = (block + count) * BLOCK;
    if (at >= shadow->size)
        return 0;
    return zeros_put(shadow->file_fd, (end < shadow->size ? end : shadow->size) - at, at);
}

static int block_merge(struct lp_layer_shadow *shadow, uint64_t block)
{
    uint8_t bytes[BLOCK];
    uint64_t at = block * BLOCK;
    if (at >= shadow->size)
        return 0;
    size_t count = shadow->size - at < BLOCK ? (size_t)(shadow->size - at) : BLOCK;
    int result = bytes_read(shadow->store_fd, bytes, count, at);
    return result < 0 ? result : bytes_write(shadow->file_fd, bytes, count, at);
}

int lp_layer_shadow_merge(struct lp_layer_shadow *shadow)
{
    if (lp_layer_shadow_is_clean(shadow))
        return 0;
    // First what was cut off, so that it does not come back between here and the new end.
    if (shadow->file_bytes < shadow->synced_size &&
        ftruncate(shadow->file_fd, (off_t)shadow->file_bytes) < 0)
        return -errno;
    shadow->synced_size = shadow->file_bytes;
    for (uint64_t block = 0, next; block < shadow->block_count; block = next) {
        uint64_t hole = has_block(shadow, block) ? hole_of(shadow, block) : 0;
        next = block + (hole ? hole : 1);
        int result = 0;
        if (hole)
            result = hole_merge(shadow, block, hole);
        else if (has_block(shadow, block))
            result = block_merge(shadow, block);
        if (result < 0)
            return result;
    }
    if (ftruncate(shadow->file_fd, (off_t)shadow->size) < 0 || ftruncate(shadow->store_fd, 0) < 0)
        return -errno;
    if (shadow->bits)
        memset(shadow->bits, 0, shadow->block_count / 8);
    shadow->file_bytes = shadow->synced_size = shadow->size;
    return 0;
}
