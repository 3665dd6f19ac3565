// Files as a whole: read, write atomically, make and remove trees.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct lp_str;

// Append the whole file to ret_text. More than max_bytes is LP_EFULL; absent is LP_ENOTFOUND.
LP_MUST_CHECK int lp_file_read(const char *path, size_t max_bytes, struct lp_str *ret_text,
                               struct lp_err *err);
// Replace the file: temporary file beside it, fsync, rename. mode: as for open(2), no umask.
LP_MUST_CHECK int lp_file_write(const char *path, const void *bytes, size_t count, mode_t mode,
                                struct lp_err *err);
// Make the folder and its parents; existing ones are left as they are.
LP_MUST_CHECK int lp_dir_make(const char *path, mode_t mode, struct lp_err *err);
// Remove the tree; absent is fine. Does not follow links and does not cross into other mounts.
LP_MUST_CHECK int lp_dir_remove(const char *path, struct lp_err *err);
bool lp_path_exists(const char *path);
// Where this program's file lies; after an upgrade the kernel says where it lay, and " (deleted)".
LP_MUST_CHECK int lp_program_path(char *ret_path, size_t bytes, struct lp_err *err);
// What a child executes to be this very program, also when its file was replaced meanwhile.
void lp_program_again(char *ret_path, size_t bytes);
// write(2) until all is written, restarting after signals.
LP_MUST_CHECK int lp_fd_write(int fd, const void *bytes, size_t count, struct lp_err *err);
LP_MUST_CHECK int lp_fd_nonblocking(int fd, struct lp_err *err);
