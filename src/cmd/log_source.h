// One application's log as a stream of dated lines, across its rotation. What runs in the node may
// have put anything into the folder: links are not followed, sizes and records are not trusted.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum { LP_LOG_LINE_MAX = 64 * 1024 }; // longer ones arrive in pieces

struct lp_log_source {        // the first four are the caller's
    const char *folder, *app; // lent for the source's life
    const char *label;
    unsigned color;
    int fd, times_fd; // of the part that is being read; -1: none
    bool is_dry;      // the caller's: nothing more in this pass
    bool is_old_part; // reads APP.log.1, APP.log follows
    uint64_t offset;  // in this part: of the first byte that is not in `buffer`
    struct lp_str buffer;
    size_t taken; // of buffer
    bool has_next_time;
    uint64_t next_offset;     // the record after the one that is in force
    int64_t next_ms, time_ms; // time_ms: of the line that is next; 0: not known
};

// Begin at the first line kept (APP.log.1, then APP.log), or with tail > 0 at the last `tail` ones.
// A log that does not exist yet is empty.
void lp_log_source_open(struct lp_log_source *source, uint64_t tail);
void lp_log_source_close(struct lp_log_source *source);
// Look at the next line without taking it: true with the line (lent, without newline) and, in
// source->time_ms, when it was written. False: nothing more now; call again later. is_last: give
// out an unfinished line too.
bool lp_log_source_peek(struct lp_log_source *source, bool is_last, const char **ret_line,
                        size_t *ret_bytes);
void lp_log_source_take(struct lp_log_source *source); // the peeked line is done with
