// A log as bytes: a file, standard input, or what gzip, zstd, xz or bzip2 make of one.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct lp_log_input { // {.fd = -1} is closed
    int fd;
    pid_t child;         // which unpacks; 0: none
    const char *program; // of the child
    const char *path;    // the caller's
    bool is_begun;       // its first bytes were looked at
    bool may_be_binary;  // somebody said what it is
};

// path: "-" is standard input; lent until the close. LP_EINPUT: it is not there. LP_EIO.
LP_MUST_CHECK int lp_log_input_open(struct lp_log_input *input, const char *path,
                                    bool may_be_binary, struct lp_err *err);
// The next bytes; ret_count 0: the end. LP_EINPUT: a folder, or no text: said is what it is
// instead.
LP_MUST_CHECK int lp_log_input_read(struct lp_log_input *input, char *bytes, size_t room,
                                    size_t *ret_count, struct lp_err *err);
// Before the end, too. LP_EINPUT: what was packed is damaged (err may be NULL: nobody asks).
int lp_log_input_close(struct lp_log_input *input, struct lp_err *err);
