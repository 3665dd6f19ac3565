// Fuzzer of the file of a load: whatever is in it, its reader and the figures made of it hold.
#define _GNU_SOURCE // memfd_create
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/own.h"
#include "core/outcome.h"
#include "drivers/load/load_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void figures_check(const struct lp_load_data *data)
{
    struct lp_outcome outcome;
    struct lp_outcome_step rows[5];
    int64_t *scratch = lp_heap_take(LP_OUTCOME_SCRATCH * (data->count + 1) * sizeof(*scratch));
    const struct lp_outcome_input input = {
        .samples = data->samples,
        .count = data->count,
        .end_us = lp_load_span_us(&data->load),
        .delayed_after_us = 1000,
        .marks = {.fault_us = 10, .effect_us = 20, .detected_us = -1, .repaired_us = 30},
        .scratch = scratch,
    };
    lp_outcome_count(&input, &outcome);
    lp_outcome_series(&input, 1000000, rows, 5);
    lp_assert(outcome.good + outcome.failed == outcome.requests);
    lp_assert(outcome.good_seconds <= outcome.seconds && outcome.seconds <= outcome.requests);
    lp_assert(outcome.before.count + outcome.during.count + outcome.after.count == outcome.good);
    lp_assert(outcome.availability_ppm <= 1000000);
    lp_heap_free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct lp_err err;
    struct lp_load_data read;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_FD int fd = memfd_create("load", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (lp_load_file_read(path, &arena, &read, &err) < 0)
        return 0;
    figures_check(&read);
    lp_load_data_release(&read);
    return 0;
}
