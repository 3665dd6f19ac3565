// An application's output on its way into NAME.log: whole, in order, in bounded files.
// NAME.log.times beside it says when which part was written (`logs --since`, `logs -t`): records of
// two little-endian 64-bit numbers, offset in the log and milliseconds since 1970. At LOG_BYTES
// both are renamed to NAME.log.1 and NAME.log.1.times and begun anew.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LP_OUTPUT_BYTES_DEFAULT = 8 * 1024 * 1024 };

struct lp_output {
    char name[80];
    int fd, times_fd; // -1: closed, or could not be opened
    uint64_t size, size_max;
    int64_t time_ms;  // of the last record in times
    int64_t retry_ms; // when to try again to open it
    uint64_t lost;    // bytes dropped since the last that could be written
    bool is_midline;  // the last byte written was not a newline
};

// The folder that all logs are in; a log is opened with the first byte for it.
void lp_output_folder_set(const char *path);
void lp_output_open(struct lp_output *output, const char *name, uint64_t size_max);
// Never blocks for long and cannot fail: what cannot be written (disk full) is dropped, and a line
// says so as soon as lines can be written again.
void lp_output_write(struct lp_output *output, const char *bytes, size_t count);
void lp_output_close(struct lp_output *output);
