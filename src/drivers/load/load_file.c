// The file of a load: written row by row while it runs, read back as a whole.
#include "drivers/load/load_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/handover.h"
#include "base/own.h"
#include "base/str.h"
#include "model/parse_mistake.h"

enum { ROWS_KEPT = 2048, BLOCK_ROWS = 4096 };

static void header_print(const struct lp_load *load, const struct lp_load_header *header,
                         struct lp_str *out)
{
    char start[32];
    struct tm parts;
    time_t seconds = (time_t)(header->start_wall_us / 1000000);
    gmtime_r(&seconds, &parts);
    strftime(start, sizeof(start), "%Y-%m-%dT%H:%M:%S", &parts);
    lp_str_printf(out,
                  "{\"format\":\"limpet-load\",\"version\":%d,\"row_bytes\":%d,"
                  "\"start\":\"%s.%06dZ\",\"start_wall_us\":%" PRId64
                  ",\"start_monotonic_us\":%" PRId64 ",\"run\":\"%08" PRIx32 "\",\"plan\":",
                  LP_LOAD_FILE_VERSION, LP_SAMPLE_BYTES, start,
                  (int)(header->start_wall_us % 1000000), header->start_wall_us,
                  header->start_monotonic_us, header->run);
    lp_load_print(load, out);
    lp_str_add(out, "}\n");
}

int lp_load_file_create(const char *path, const struct lp_load *load,
                        const struct lp_load_header *header, struct lp_load_file *ret_file,
                        struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    header_print(load, header, &text);
    LP_OWNS_FD int fd = -1;
    // An older file goes only when the new one can be written. From then on it grows in its place:
    // what a generator that is killed has written counts.
    if (lp_handover_begin(path, lp_str_text(&text), text.bytes, &fd, err) < 0)
        return err->code;
    *ret_file = (struct lp_load_file){
        .fd = lp_fd_take(&fd),
        .rows = lp_heap_take((size_t)ROWS_KEPT * LP_SAMPLE_BYTES),
    };
    return 0;
}

int lp_load_file_flush(struct lp_load_file *file, struct lp_err *err)
{
    size_t bytes = file->row_count * LP_SAMPLE_BYTES;
    file->row_count = 0;
    if (bytes && lp_fd_write(file->fd, file->rows, bytes, err) < 0)
        return lp_err_wrap(err, "write the rows of the load");
    return 0;
}

int lp_load_file_add(struct lp_load_file *file, const struct lp_sample *sample, struct lp_err *err)
{
    lp_sample_encode(sample, file->rows + file->row_count * LP_SAMPLE_BYTES);
    file->row_count++;
    file->total++;
    return file->row_count == ROWS_KEPT ? lp_load_file_flush(file, err) : 0;
}

int lp_load_file_end(struct lp_load_file *file, int64_t at_us, struct lp_err *err)
{
    struct lp_sample trailer = {
        .scheduled_us = at_us,
        .sent_us = -1,
        .answered_us = -1,
        .ending = LP_END_TRAILER,
        .write = (uint32_t)file->total,
    };
    int code = lp_load_file_add(file, &trailer, err);
    if (code == 0)
        code = lp_load_file_flush(file, err);
    if (code == 0 && fsync(file->fd) < 0 && errno != EINVAL && errno != EROFS) // a pipe has none
        code = lp_err_set(err, LP_EIO, "fsync the rows of the load: %s", strerror(errno));
    lp_load_file_close(file);
    return code;
}

void lp_load_file_close(struct lp_load_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    lp_heap_free(file->rows);
    *file = (struct lp_load_file){.fd = -1};
}

LP_MUST_CHECK static int plan_parse(json_t *plan, struct lp_arena *arena, struct lp_load *ret_load,
                                    struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_mistakes *mistakes = lp_arena_new(arena, struct lp_mistakes);
    LP_OWNS_TEXT char *json = json_dumps(plan, JSON_COMPACT);
    lp_str_add(&text, json ? json : "");
    if (lp_load_read("the plan in its header", &text, arena, mistakes, ret_load, err) < 0)
        return lp_err_set(err, LP_ECORRUPT, "%s", lp_arena_text(arena, err->text));
    return 0;
}

LP_MUST_CHECK static int object_parse(json_t *object, struct lp_arena *arena,
                                      struct lp_load_data *data, struct lp_err *err)
{
    const char *format = json_string_value(json_object_get(object, "format"));
    const char *run = json_string_value(json_object_get(object, "run"));
    if (!run || !lp_text_equal(format, "limpet-load"))
        return lp_err_set(err, LP_ECORRUPT, "not the file of a load");
    if (json_integer_value(json_object_get(object, "version")) != LP_LOAD_FILE_VERSION ||
        json_integer_value(json_object_get(object, "row_bytes")) != LP_SAMPLE_BYTES)
        return lp_err_set(err, LP_EUNSUPPORTED, "the file of a load of another version of Limpet");
    data->header = (struct lp_load_header){
        .start_wall_us = json_integer_value(json_object_get(object, "start_wall_us")),
        .start_monotonic_us = json_integer_value(json_object_get(object, "start_monotonic_us")),
        .run = (uint32_t)strtoul(run, NULL, 16),
    };
    return plan_parse(json_object_get(object, "plan"), arena, &data->load, err);
}

LP_MUST_CHECK static int header_parse(const char *line, size_t bytes, struct lp_arena *arena,
                                      struct lp_load_data *data, struct lp_err *err)
{
    json_error_t why;
    json_t *object = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &why);
    int code = object_parse(object, arena, data, err);
    json_decref(object);
    return code;
}

LP_MUST_CHECK static int row_take(struct lp_load_data *data, const uint8_t *row, size_t *capacity,
                                  struct lp_err *err)
{
    struct lp_sample sample;
    lp_sample_decode(row, &sample);
    if (data->is_whole)
        return lp_err_set(err, LP_ECORRUPT, "rows behind the trailer");
    if (sample.ending == LP_END_TRAILER) {
        data->is_whole = true;
        data->end_us = sample.scheduled_us;
        if (sample.write != data->count)
            return lp_err_set(err, LP_ECORRUPT, "%zu rows where %u were written", data->count,
                              sample.write);
        return 0;
    }
    int64_t span_us = lp_load_span_us(&data->load);
    bool is_sound = sample.ending < LP_END_COUNT && sample.scheduled_us >= 0 &&
                    sample.sent_us >= -1 && sample.answered_us >= -1 &&
                    sample.answered_us < INT64_MAX / 4 && sample.sent_us < INT64_MAX / 4 &&
                    sample.scheduled_us < INT64_MAX / 4 &&
                    (lp_ending_is_read_back(sample.ending) || sample.scheduled_us <= span_us);
    if (!is_sound)
        return lp_err_set(err, LP_ECORRUPT, "row %zu makes no sense", data->count + 1);
    if (data->count == *capacity) {
        *capacity = *capacity ? 2 * *capacity : 1024;
        data->samples = lp_heap_grow(data->samples, *capacity, sizeof(*data->samples));
    }
    data->samples[data->count++] = sample;
    int64_t last_us =
        sample.answered_us > sample.scheduled_us ? sample.answered_us : sample.scheduled_us;
    data->end_us = last_us > data->end_us ? last_us : data->end_us;
    return 0;
}

LP_MUST_CHECK static int rows_read(FILE *file, struct lp_load_data *data, struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    uint8_t *block = lp_arena_take(&arena, (size_t)BLOCK_ROWS * LP_SAMPLE_BYTES);
    size_t capacity = 0, rows;
    // A row that was being written when the generator was cut off is no row yet.
    while ((rows = fread(block, LP_SAMPLE_BYTES, BLOCK_ROWS, file)) > 0) {
        for (size_t i = 0; i < rows; i++)
            if (row_take(data, block + i * LP_SAMPLE_BYTES, &capacity, err) < 0)
                return err->code;
        if (data->count > 2 * (size_t)LP_LOAD_ARRIVALS_MAX)
            return lp_err_set(err, LP_EFULL, "more rows than a load can have");
    }
    return ferror(file) ? lp_err_set(err, LP_EIO, "%s", strerror(errno)) : 0;
}

int lp_load_file_read(const char *path, struct lp_arena *arena, struct lp_load_data *ret_data,
                      struct lp_err *err)
{
    struct lp_load_data data = {0};
    LP_OWNS_TEXT char *line = NULL;
    size_t capacity = 0;
    LP_OWNS_FILE FILE *file = fopen(path, "re");
    if (!file)
        return lp_err_set(err, errno == ENOENT ? LP_ENOTFOUND : LP_EIO, "%s: %s", path,
                          strerror(errno));
    ssize_t bytes = getline(&line, &capacity, file);
    if (bytes <= 0 || bytes > LP_LOAD_FILE_HEADER_BYTES_MAX || line[bytes - 1] != '\n')
        return lp_err_set(err, LP_ECORRUPT, "%s: not the file of a load", path);
    if (header_parse(line, (size_t)bytes, arena, &data, err) < 0 ||
        rows_read(file, &data, err) < 0) {
        lp_load_data_release(&data);
        return lp_err_wrap(err, "%s", path);
    }
    *ret_data = data;
    return 0;
}

void lp_load_data_release(struct lp_load_data *data)
{
    lp_heap_free(data->samples);
    data->samples = NULL;
    data->count = 0;
}
