// What was written to a file and not synced, kept beside it: the file itself stays as it would be
// after a power cut. Reads see both as one.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct lp_layer_shadow;

enum { LP_LAYER_BLOCK_BYTES = 4096 };

// Beyond this, writes fail with EFBIG: a bit a block is kept in memory, and some file systems let
// one byte be written at 2^62.
#define LP_LAYER_SHADOW_BYTES_MAX (1ull << 42)

// file_fd: open for reading and writing; store_fd: an empty file. Both are taken over. NULL and
// errno when the file cannot be looked at (the handles are closed then, too).
struct lp_layer_shadow *lp_layer_shadow_open(int file_fd, int store_fd);
void lp_layer_shadow_close(struct lp_layer_shadow *shadow); // forgets what was not synced
// As pread(2) and pwrite(2), but all of it or -errno; reads stop at the end of the file.
ssize_t lp_layer_shadow_read(struct lp_layer_shadow *shadow, void *bytes, size_t count,
                             uint64_t at);
ssize_t lp_layer_shadow_write(struct lp_layer_shadow *shadow, const void *bytes, size_t count,
                              uint64_t at);
// These bytes are zeros from now on, as far as the file reaches; they take no room where the disk
// can make holes. 0 or -errno.
int lp_layer_shadow_clear(struct lp_layer_shadow *shadow, uint64_t count, uint64_t at);
int lp_layer_shadow_truncate(struct lp_layer_shadow *shadow, uint64_t size); // 0 or -errno
// Into the file with it; not yet forced to the disk. 0 or -errno: then nothing is forgotten.
int lp_layer_shadow_merge(struct lp_layer_shadow *shadow);
uint64_t lp_layer_shadow_size(const struct lp_layer_shadow *shadow);
// Is anything kept that the file does not have?
int lp_layer_shadow_is_clean(const struct lp_layer_shadow *shadow);
struct timespec lp_layer_shadow_changed(const struct lp_layer_shadow *shadow); // CLOCK_REALTIME
void lp_layer_shadow_set_changed(struct lp_layer_shadow *shadow, struct timespec when);
