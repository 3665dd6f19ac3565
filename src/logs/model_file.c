// The model as a file: what it says, in what order, and how each damage is refused.
// All numbers little endian:
//   "limpetLM" u32 version
//   u8 format, cleaning, with_keys, 0; u32 states_max; u64 lines, lost
//   u32 states, each: u16 bytes, tag; u32 bytes, text; u64 count, out, ahead, behind, first
//   u32 pairs, each: u32 key, next, ahead, behind; keys ascending
//   SHA-256 of all that, as 64 hexadecimal digits
#include "logs/model_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/own.h"
#include "base/str.h"

enum {
    VERSION = 2, // 1: other templates
    MAGIC_BYTES = 8,
    SUM_BYTES = LP_SHA256_TEXT - 1,
    PAIR_BYTES = 16,
    FILE_BYTES_MAX = 1 << 30,
};
static const char magic[MAGIC_BYTES + 1] = "limpetLM";
#define COUNT_MAX ((uint64_t)1 << 48)

// ---- printing

static void add_number(struct lp_str *text, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        lp_str_add_char(text, (char)(value >> (8 * i) & 0xff));
}

static void add_text(struct lp_str *text, const char *bytes, int size_bytes)
{
    size_t count = strlen(bytes);
    add_number(text, count, size_bytes);
    lp_str_add_n(text, bytes, count);
}

static int order(const void *a, const void *b)
{
    uint32_t x = ((const struct lp_log_pair *)a)->key, y = ((const struct lp_log_pair *)b)->key;
    return x < y ? -1 : x > y;
}

static void add_pairs(struct lp_str *text, const struct lp_log_pairs *pairs)
{
    struct lp_log_pair *sorted = lp_heap_grow(NULL, pairs->count + 1, sizeof *sorted);
    size_t count = 0;
    for (uint32_t i = 0; i < pairs->slot_count; i++)
        if (pairs->slots[i].key != LP_LOG_PAIR_NONE)
            sorted[count++] = lp_log_pairs_at(pairs, i);
    qsort(sorted, count, sizeof *sorted, order);
    add_number(text, count, 4);
    for (size_t i = 0; i < count; i++) {
        add_number(text, sorted[i].key, 4);
        add_number(text, sorted[i].next, 4);
        add_number(text, sorted[i].ahead, 4);
        add_number(text, sorted[i].behind, 4);
    }
    lp_heap_free(sorted);
}

void lp_log_model_print(const struct lp_log_model *model, struct lp_str *ret_text)
{
    const struct lp_log_counts *counts = &model->counts;
    size_t state_count = lp_log_states_count(model->states);
    lp_str_clear(ret_text);
    lp_str_add_n(ret_text, magic, MAGIC_BYTES);
    add_number(ret_text, VERSION, 4);
    add_number(ret_text, lp_log_states_format(model->states), 1);
    add_number(ret_text, model->config.cleaning, 1);
    add_number(ret_text, model->config.with_keys, 2);
    add_number(ret_text, model->config.states_max, 4);
    add_number(ret_text, counts->total, 8);
    add_number(ret_text, counts->lost, 8);
    add_number(ret_text, state_count, 4);
    for (size_t i = 0; i < state_count; i++) {
        struct lp_log_template template = lp_log_states_get(model->states, (uint16_t)i);
        struct lp_log_row row = lp_log_counts_row(counts, (uint16_t)i);
        add_text(ret_text, template.tag, 2);
        add_text(ret_text, template.text, 4);
        const uint64_t numbers[] = {row.count, row.out, row.ahead, row.behind, row.first};
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            add_number(ret_text, numbers[k], 8);
    }
    add_pairs(ret_text, &counts->pairs);
    char sum[LP_SHA256_TEXT];
    lp_sha256_text(ret_text->text, ret_text->bytes, sum);
    lp_str_add_n(ret_text, sum, SUM_BYTES);
}

int lp_log_model_save(const struct lp_log_model *model, const char *path, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    lp_log_model_print(model, &text);
    if (lp_file_write(path, text.text, text.bytes, 0644, err) < 0)
        return lp_err_wrap(err, "save the model");
    return LP_OK;
}

// ---- parsing

struct reader {
    const char *bytes;
    size_t count, at;
    bool is_short; // more was asked for than there is
};

static uint64_t read_number(struct reader *reader, size_t bytes)
{
    if (reader->is_short || reader->count - reader->at < bytes) {
        reader->is_short = true;
        return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)(unsigned char)reader->bytes[reader->at++] << (8 * i);
    return value;
}

// A text without NUL of at most max bytes.
static bool read_text(struct reader *reader, size_t size_bytes, size_t max, struct lp_str *ret_text)
{
    size_t bytes = (size_t)read_number(reader, size_bytes);
    if (reader->is_short || bytes > max || bytes > reader->count - reader->at ||
        memchr(reader->bytes + reader->at, 0, bytes))
        return false;
    lp_str_clear(ret_text);
    lp_str_add_n(ret_text, reader->bytes + reader->at, bytes);
    reader->at += bytes;
    return true;
}

static int corrupt(struct lp_err *err, const struct reader *reader, const char *what)
{
    return lp_err_set(err, LP_ECORRUPT, "the model is damaged at byte %zu: %s", reader->at, what);
}

static int parse_envelope(struct reader *reader, struct lp_err *err)
{
    if (reader->count < MAGIC_BYTES || memcmp(reader->bytes, magic, MAGIC_BYTES) != 0)
        return lp_err_set(err, LP_ECORRUPT, "this is not a log model of Limpet");
    reader->at = MAGIC_BYTES;
    uint64_t version = read_number(reader, 4);
    if (!reader->is_short && version != VERSION)
        return lp_err_set(err, LP_ECORRUPT,
                          "this log model is of version %" PRIu64 ", Limpet reads version %d",
                          version, VERSION);
    if (reader->is_short || reader->count - reader->at < SUM_BYTES)
        return corrupt(err, reader, "it ends too early");
    reader->count -= SUM_BYTES;
    char sum[LP_SHA256_TEXT];
    lp_sha256_text(reader->bytes, reader->count, sum);
    if (memcmp(sum, reader->bytes + reader->count, SUM_BYTES) != 0)
        return lp_err_set(err, LP_ECORRUPT,
                          "the model's checksum does not fit its contents: it was cut or changed");
    return LP_OK;
}

static int parse_config(struct reader *reader, struct lp_log_states_config *ret_config,
                        struct lp_log_counts *counts, struct lp_err *err)
{
    uint64_t format = read_number(reader, 1), cleaning = read_number(reader, 1);
    uint64_t with_keys = read_number(reader, 2);
    *ret_config = (struct lp_log_states_config){
        .format = (enum lp_log_format)format,
        .cleaning = (enum lp_log_cleaning)cleaning,
        .with_keys = with_keys != 0,
        .states_max = (uint32_t)read_number(reader, 4),
    };
    counts->total = read_number(reader, 8);
    counts->lost = read_number(reader, 8);
    if (format >= LP_LOG_FORMATS || cleaning > LP_LOG_NUMERALS || with_keys > 1)
        return corrupt(err, reader, "an unknown format, cleaning or kind of chain");
    if (ret_config->states_max > LP_LOG_STATES_MAX)
        return corrupt(err, reader, "a bound on templates above 65535");
    return LP_OK;
}

static int parse_row(struct reader *reader, struct lp_log_row *row, struct lp_err *err)
{
    row->count = read_number(reader, 8);
    row->out = read_number(reader, 8);
    row->ahead = read_number(reader, 8);
    row->behind = read_number(reader, 8);
    row->first = read_number(reader, 8);
    if (row->count > COUNT_MAX || row->out > row->count || row->ahead > row->count ||
        row->behind > row->count || row->first > row->count)
        return corrupt(err, reader, "a template with more neighbours than lines");
    return LP_OK;
}

static int parse_states(struct reader *reader, struct lp_log_model *model, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str tag = {0};
    LP_OWNS_STR struct lp_str text = {0};
    size_t count = (size_t)read_number(reader, 4);
    if (count > LP_LOG_STATES_MAX)
        return corrupt(err, reader, "more than 65535 templates");
    model->counts.rows = lp_heap_take((count + 1) * sizeof *model->counts.rows);
    model->counts.row_count = count;
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        struct lp_log_row *row = &model->counts.rows[i];
        if (!read_text(reader, 2, LP_LOG_TAG_BYTES, &tag) ||
            !read_text(reader, 4, LP_LOG_LINE_BYTES, &text))
            return corrupt(err, reader, "a template without a readable tag and text");
        if (parse_row(reader, row, err) < 0)
            return LP_ECORRUPT;
        total += row->count;
        uint16_t state = lp_log_states_take(model->states, lp_str_text(&tag), lp_str_text(&text));
        if (state != i)
            return corrupt(err, reader, "a template that is there already, or past the bound");
    }
    if (total != model->counts.total)
        return corrupt(err, reader, "lines that do not add up");
    return LP_OK;
}

static int parse_pair(struct reader *reader, struct lp_log_counts *counts, uint64_t *sums,
                      struct lp_err *err)
{
    uint32_t key = (uint32_t)read_number(reader, 4);
    size_t a = key >> 16, b = key & 0xffff;
    uint32_t next = (uint32_t)read_number(reader, 4), ahead = (uint32_t)read_number(reader, 4);
    uint32_t behind = (uint32_t)read_number(reader, 4);
    if (a >= counts->row_count || b >= counts->row_count)
        return corrupt(err, reader, "neighbours without a template");
    sums[a] += next;
    if (sums[a] > counts->rows[a].out || ahead > counts->rows[a].ahead ||
        behind > counts->rows[b].behind)
        return corrupt(err, reader, "neighbours that do not add up");
    uint32_t before;
    lp_log_pairs_add(&counts->pairs,
                     &(struct lp_log_pair){key, .next = next, .ahead = ahead, .behind = behind},
                     &before);
    counts->rows[a].distinct += next > 0;
    return LP_OK;
}

static int parse_pairs(struct reader *reader, struct lp_log_counts *counts, struct lp_err *err)
{
    size_t count = (size_t)read_number(reader, 4);
    if (reader->is_short || count > LP_LOG_PAIRS_MAX)
        return corrupt(err, reader, "more neighbours than a model has");
    if (reader->count - reader->at != count * PAIR_BYTES)
        return corrupt(err, reader, "it is longer or shorter than it says");
    uint64_t *sums = lp_heap_take((counts->row_count + 1) * sizeof *sums);
    int code = LP_OK;
    int64_t last = -1;
    for (size_t i = 0; i < count && code == LP_OK; i++) {
        struct reader peek = *reader;
        int64_t key = (int64_t)read_number(&peek, 4);
        code = key > last ? parse_pair(reader, counts, sums, err)
                          : corrupt(err, reader, "neighbours out of order");
        last = key;
    }
    lp_heap_free(sums);
    return code;
}

int lp_log_model_parse(const char *bytes, size_t count, struct lp_log_model **ret_model,
                       struct lp_err *err)
{
    struct reader reader = {.bytes = bytes, .count = count};
    struct lp_log_states_config config;
    struct lp_log_counts head = {0};
    if (parse_envelope(&reader, err) < 0 || parse_config(&reader, &config, &head, err) < 0)
        return LP_ECORRUPT;
    struct lp_log_model *model = lp_log_model_open(&config);
    model->counts.total = head.total;
    model->counts.lost = head.lost;
    if (parse_states(&reader, model, err) < 0 || parse_pairs(&reader, &model->counts, err) < 0) {
        lp_log_model_close(model);
        return LP_ECORRUPT;
    }
    *ret_model = model;
    return LP_OK;
}

int lp_log_model_load(const char *path, struct lp_log_model **ret_model, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    int code = lp_file_read(path, FILE_BYTES_MAX, &text, err);
    if (code < 0)
        return lp_err_wrap(err, "read the model");
    if (lp_log_model_parse(lp_str_text(&text), text.bytes, ret_model, err) < 0)
        return lp_err_wrap(err, "%s", path);
    return LP_OK;
}
