// The file of a load: one line of JSON, then one row of 32 bytes a request (docs/load.md).
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "model/load.h"
#include "model/sample.h"

enum { LP_LOAD_FILE_VERSION = 1, LP_LOAD_FILE_HEADER_BYTES_MAX = 8 * 1024 * 1024 };

struct lp_load_header {
    int64_t start_wall_us;      // of the load, microseconds since 1970
    int64_t start_monotonic_us; // the same instant by CLOCK_MONOTONIC of that boot
    uint32_t run;               // what the ids of its writes begin with
};

struct lp_load_file { // {.fd = -1}: closed
    int fd;
    uint8_t *rows; // not yet written
    size_t row_count;
    uint64_t total;
};

// Create or empty the file and write its header. Only its owner may read it: headers and bodies of
// the plan may be secret.
LP_MUST_CHECK int lp_load_file_create(const char *path, const struct lp_load *load,
                                      const struct lp_load_header *header,
                                      struct lp_load_file *ret_file, struct lp_err *err);
// Add a row; it is written with others, or by lp_load_file_flush.
LP_MUST_CHECK int lp_load_file_add(struct lp_load_file *file, const struct lp_sample *sample,
                                   struct lp_err *err);
LP_MUST_CHECK int lp_load_file_flush(struct lp_load_file *file, struct lp_err *err);
// Write what is left and the trailer, which says that the file is whole; then close.
LP_MUST_CHECK int lp_load_file_end(struct lp_load_file *file, int64_t at_us, struct lp_err *err);
void lp_load_file_close(struct lp_load_file *file);

struct lp_load_data { // release with lp_load_data_release
    struct lp_load_header header;
    struct lp_load load; // in the arena
    struct lp_sample *samples;
    size_t count;
    int64_t end_us; // of the trailer, or of the last row
    bool is_whole;  // false: the generator was cut off; what there is counts
};
// Read a file that lp_load_file_create began. LP_ECORRUPT: it is none, or damaged.
LP_MUST_CHECK int lp_load_file_read(const char *path, struct lp_arena *arena,
                                    struct lp_load_data *ret_data, struct lp_err *err);
void lp_load_data_release(struct lp_load_data *data);
