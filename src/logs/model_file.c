// The model as a file: what it says, in what order, and how each damage is refused.
// All numbers little endian:
//   "limpetLM" u32 version
//   u8 format, cleaning, with_keys, 0; u32 states_max; u64 lines, lost
//   u32 states, each: u16 bytes, tag; u32 bytes, text; u64 count, out, ahead, behind, first
//   u32 pairs, each: u32 key, next, ahead, behind; keys ascending
//   SHA-256 of all that, as 64 hexadecimal digits
#include "logs/model_parts.h"
#include "logs/record.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"

enum {
    VERSION = 2, // 1: other templates
    PAIR_BYTES = 16,
    FILE_BYTES_MAX = 1 << 30,
};
static const struct lp_log_record_kind kind = {
    .magic = "limpetLM",
    .noun = "log model",
    .version = VERSION,
};
#define COUNT_MAX ((uint64_t)1 << 48)

// ---- printing

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
    lp_log_record_add(text, count, 4);
    for (size_t i = 0; i < count; i++) {
        lp_log_record_add(text, sorted[i].key, 4);
        lp_log_record_add(text, sorted[i].next, 4);
        lp_log_record_add(text, sorted[i].ahead, 4);
        lp_log_record_add(text, sorted[i].behind, 4);
    }
    lp_heap_free(sorted);
}

void lp_log_model_print(const struct lp_log_model *model, struct lp_str *ret_text)
{
    const struct lp_log_counts *counts = &model->counts;
    size_t state_count = lp_log_states_count(model->states);
    lp_log_record_begin(&kind, ret_text);
    lp_log_record_add(ret_text, lp_log_states_format(model->states), 1);
    lp_log_record_add(ret_text, model->config.cleaning, 1);
    lp_log_record_add(ret_text, model->config.with_keys, 2);
    lp_log_record_add(ret_text, model->config.states_max, 4);
    lp_log_record_add(ret_text, counts->total, 8);
    lp_log_record_add(ret_text, counts->lost, 8);
    lp_log_record_add(ret_text, state_count, 4);
    for (size_t i = 0; i < state_count; i++) {
        struct lp_log_template template = lp_log_states_get(model->states, (uint16_t)i);
        struct lp_log_row row = lp_log_counts_row(counts, (uint16_t)i);
        lp_log_record_add_text(ret_text, template.tag, 2);
        lp_log_record_add_text(ret_text, template.text, 4);
        const uint64_t numbers[] = {row.count, row.out, row.ahead, row.behind, row.first};
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            lp_log_record_add(ret_text, numbers[k], 8);
    }
    add_pairs(ret_text, &counts->pairs);
    lp_log_record_seal(ret_text);
}

int lp_log_model_save(const struct lp_log_model *model, const char *path, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    lp_log_model_print(model, &text);
    return lp_log_record_save(&text, path, err);
}

// ---- parsing

static int parse_config(struct lp_log_record *record, struct lp_log_states_config *ret_config,
                        struct lp_log_counts *counts)
{
    uint64_t format = lp_log_record_number(record, 1), cleaning = lp_log_record_number(record, 1);
    uint64_t with_keys = lp_log_record_number(record, 2);
    *ret_config = (struct lp_log_states_config){
        .format = (enum lp_log_format)format,
        .cleaning = (enum lp_log_cleaning)cleaning,
        .with_keys = with_keys != 0,
        .states_max = (uint32_t)lp_log_record_number(record, 4),
    };
    counts->total = lp_log_record_number(record, 8);
    counts->lost = lp_log_record_number(record, 8);
    if (format >= LP_LOG_FORMATS || cleaning > LP_LOG_NUMERALS || with_keys > 1)
        return lp_log_record_corrupt(record, "an unknown format, cleaning or kind of chain");
    if (ret_config->states_max > LP_LOG_STATES_MAX)
        return lp_log_record_corrupt(record, "a bound on templates above 65535");
    return LP_OK;
}

static int parse_row(struct lp_log_record *record, struct lp_log_row *row)
{
    row->count = lp_log_record_number(record, 8);
    row->out = lp_log_record_number(record, 8);
    row->ahead = lp_log_record_number(record, 8);
    row->behind = lp_log_record_number(record, 8);
    row->first = lp_log_record_number(record, 8);
    if (row->count > COUNT_MAX || row->out > row->count || row->ahead > row->count ||
        row->behind > row->count || row->first > row->count)
        return lp_log_record_corrupt(record, "a template with more neighbours than lines");
    return LP_OK;
}

static int parse_states(struct lp_log_record *record, struct lp_log_model *model)
{
    LP_OWNS_STR struct lp_str tag = {0};
    LP_OWNS_STR struct lp_str text = {0};
    size_t count = (size_t)lp_log_record_number(record, 4);
    if (count > LP_LOG_STATES_MAX)
        return lp_log_record_corrupt(record, "more than 65535 templates");
    model->counts.rows = lp_heap_take((count + 1) * sizeof *model->counts.rows);
    model->counts.row_count = count;
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        struct lp_log_row *row = &model->counts.rows[i];
        if (!lp_log_record_text(record, 2, LP_LOG_TAG_BYTES, &tag) ||
            !lp_log_record_text(record, 4, LP_LOG_LINE_BYTES, &text))
            return lp_log_record_corrupt(record, "a template without a readable tag and text");
        if (parse_row(record, row) < 0)
            return LP_ECORRUPT;
        total += row->count;
        uint16_t state = lp_log_states_take(model->states, lp_str_text(&tag), lp_str_text(&text));
        if (state != i)
            return lp_log_record_corrupt(record,
                                         "a template that is there already, or past the bound");
    }
    if (total != model->counts.total)
        return lp_log_record_corrupt(record, "lines that do not add up");
    return LP_OK;
}

static int parse_pair(struct lp_log_record *record, struct lp_log_counts *counts, uint64_t *sums)
{
    uint32_t key = (uint32_t)lp_log_record_number(record, 4);
    size_t a = key >> 16, b = key & 0xffff;
    uint32_t next = (uint32_t)lp_log_record_number(record, 4),
             ahead = (uint32_t)lp_log_record_number(record, 4);
    uint32_t behind = (uint32_t)lp_log_record_number(record, 4);
    if (a >= counts->row_count || b >= counts->row_count)
        return lp_log_record_corrupt(record, "neighbours without a template");
    sums[a] += next;
    if (sums[a] > counts->rows[a].out || ahead > counts->rows[a].ahead ||
        behind > counts->rows[b].behind)
        return lp_log_record_corrupt(record, "neighbours that do not add up");
    uint32_t before;
    lp_log_pairs_add(&counts->pairs,
                     &(struct lp_log_pair){key, .next = next, .ahead = ahead, .behind = behind},
                     &before);
    counts->rows[a].distinct += next > 0;
    return LP_OK;
}

static int parse_pairs(struct lp_log_record *record, struct lp_log_counts *counts)
{
    size_t count = (size_t)lp_log_record_number(record, 4);
    if (record->is_short || count > LP_LOG_PAIRS_MAX)
        return lp_log_record_corrupt(record, "more neighbours than a model has");
    if (record->count - record->at != count * PAIR_BYTES)
        return lp_log_record_corrupt(record, "it is longer or shorter than it says");
    uint64_t *sums = lp_heap_take((counts->row_count + 1) * sizeof *sums);
    int code = LP_OK;
    int64_t last = -1;
    for (size_t i = 0; i < count && code == LP_OK; i++) {
        struct lp_log_record peek = *record;
        int64_t key = (int64_t)lp_log_record_number(&peek, 4);
        code = key > last ? parse_pair(record, counts, sums)
                          : lp_log_record_corrupt(record, "neighbours out of order");
        last = key;
    }
    lp_heap_free(sums);
    return code;
}

int lp_log_model_parse(const char *bytes, size_t count, struct lp_log_model **ret_model,
                       struct lp_err *err)
{
    struct lp_log_record record = {.bytes = bytes, .count = count, .err = err};
    struct lp_log_states_config config;
    struct lp_log_counts head = {0};
    if (lp_log_record_open(&record, &kind) < 0 || parse_config(&record, &config, &head) < 0)
        return LP_ECORRUPT;
    struct lp_log_model *model = lp_log_model_open(&config);
    model->counts.total = head.total;
    model->counts.lost = head.lost;
    if (parse_states(&record, model) < 0 || parse_pairs(&record, &model->counts) < 0) {
        lp_log_model_close(model);
        return LP_ECORRUPT;
    }
    *ret_model = model;
    return LP_OK;
}

int lp_log_model_load(const char *path, struct lp_log_model **ret_model, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    int code = lp_log_record_load(path, FILE_BYTES_MAX, &text, err);
    if (code < 0)
        return code;
    if (lp_log_model_parse(lp_str_text(&text), text.bytes, ret_model, err) < 0)
        return lp_err_wrap(err, "%s", path);
    return LP_OK;
}
