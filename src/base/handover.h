// Files that a person has asked for at a path of their own: looked at before the work begins, and
// put there in one piece when it is done.
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

// Whether a file can be put at path: tries it with a file beside it, which is taken away again.
// What is no regular file (a pipe, a terminal) must be open to writers. LP_EINPUT: it cannot.
LP_MUST_CHECK int lp_handover_check_file(const char *path, struct lp_err *err);
// Make the folder, unless it is there, and try it in the same way. LP_EINPUT: it cannot be made or
// written to; whatever was made on the way is taken away again.
LP_MUST_CHECK int lp_handover_check_folder(const char *path, struct lp_err *err);
// Put the bytes at path: temporary file, fsync, rename; a link is followed. What is no regular file
// is written to as it stands. mode: as for open(2), no umask.
LP_MUST_CHECK int lp_handover_write(const char *path, const void *bytes, size_t count, mode_t mode,
                                    struct lp_err *err);
// The same for what goes on growing: the bytes are put there as above, and ret_fd (the caller's)
// appends to them.
LP_MUST_CHECK int lp_handover_begin(const char *path, const void *bytes, size_t count, int *ret_fd,
                                    struct lp_err *err);
// Put a copy of the file `from` at path, in one piece. They share the disk's blocks where they can
// (a link), so that neither may be written into afterwards.
LP_MUST_CHECK int lp_handover_copy(const char *from, const char *path, struct lp_err *err);
