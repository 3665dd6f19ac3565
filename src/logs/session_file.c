// The model of sessions as a file: what it says, in what order, and how each damage is refused.
// All numbers little endian:
//   "limpetSM" u32 version; u8 with_order, has_texts, format, 0; u32 allowed; u64 seed
//   i64 thresholds of COUNT, SUM, ORDER
//   u32 events, each: u32 id, ascending
//   u32 sessions, branches, each: u32 event, parent (0xfffff: none); u32 pairs,
//       each: u8 value of the parent, u8 own value, u32 sessions; ascending
//   u32 rows of the order, each: u64 key, u32 count; keys ascending
//   with texts: u32 templates, each: u32 bytes, tag; u32 bytes, text
//   SHA-256 of all that, as 64 hexadecimal digits
#include "logs/session_parts.h"

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
    FILE_BYTES_MAX = 1 << 28,
    VALUES = LP_LOG_SESSION_VALUES,
    NO_EVENT = LP_LOG_SESSION_NO_EVENT,
    SYMBOL_MASK = 0xfffff,
};
static const char magic[MAGIC_BYTES + 1] = "limpetSM";

// ---- printing

static void add_number(struct lp_str *text, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        lp_str_add_char(text, (char)(value >> (8 * i) & 0xff));
}

static void add_text(struct lp_str *text, const char *bytes)
{
    add_number(text, strlen(bytes), 4);
    lp_str_add(text, bytes);
}

static void add_branch(struct lp_str *text, const struct lp_log_session_branch *branch)
{
    uint32_t cells = 0;
    for (int v = 0; v < VALUES; v++)
        cells += branch->kinds[v];
    add_number(text, branch->event, 4);
    add_number(text, branch->parent, 4);
    add_number(text, cells, 4);
    for (int v = 0; v < VALUES; v++)
        for (int w = 0; w < VALUES; w++) {
            if (!branch->pairs[v][w])
                continue;
            add_number(text, (uint64_t)v, 1);
            add_number(text, (uint64_t)w, 1);
            add_number(text, branch->pairs[v][w], 4);
        }
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = ((const struct lp_log_gram *)a)->key, y = ((const struct lp_log_gram *)b)->key;
    return x < y ? -1 : x > y;
}

static void add_order(struct lp_str *text, const struct lp_log_session_order *order)
{
    struct lp_log_gram *sorted = lp_heap_grow(NULL, (size_t)order->count + 1, sizeof *sorted);
    uint32_t count = 0;
    for (uint32_t i = 0; i < order->slot_count; i++)
        if (order->slots[i].count && (order->slots[i].key & SYMBOL_MASK) != LP_LOG_GRAM_ALL)
            sorted[count++] = order->slots[i];
    qsort(sorted, count, sizeof *sorted, by_key);
    add_number(text, count, 4);
    for (uint32_t i = 0; i < count; i++) {
        add_number(text, sorted[i].key, 8);
        add_number(text, sorted[i].count, 4);
    }
    lp_heap_free(sorted);
}

static void add_states(struct lp_str *text, const struct lp_log_states *states)
{
    size_t count = lp_log_states_count(states);
    add_number(text, count, 4);
    for (size_t i = 0; i < count; i++) {
        struct lp_log_template template = lp_log_states_get(states, (uint16_t)i);
        add_text(text, template.tag);
        add_text(text, template.text);
    }
}

void lp_log_session_model_print(const struct lp_log_session_model *model, struct lp_str *ret_text)
{
    lp_str_clear(ret_text);
    lp_str_add_n(ret_text, magic, MAGIC_BYTES);
    add_number(ret_text, VERSION, 4);
    add_number(ret_text, model->config.with_order, 1);
    add_number(ret_text, model->states != NULL, 1);
    add_number(ret_text, model->states ? lp_log_states_format(model->states) : 0, 2);
    add_number(ret_text, model->config.allowed, 4);
    add_number(ret_text, model->config.seed, 8);
    for (int c = LP_LOG_CHANNEL_COUNT; c <= LP_LOG_CHANNEL_ORDER; c++)
        add_number(ret_text, (uint64_t)model->thresholds[c], 8);
    add_number(ret_text, model->events.count, 4);
    for (uint32_t i = 0; i < model->events.count; i++)
        add_number(ret_text, model->events.ids[i], 4);
    add_number(ret_text, model->tree.sessions, 4);
    add_number(ret_text, model->tree.count, 4);
    for (uint32_t i = 0; i < model->tree.count; i++)
        add_branch(ret_text, &model->tree.branches[i]);
    add_order(ret_text, &model->order);
    if (model->states)
        add_states(ret_text, model->states);
    char sum[LP_SHA256_TEXT];
    lp_sha256_text(ret_text->text, ret_text->bytes, sum);
    lp_str_add_n(ret_text, sum, SUM_BYTES);
}

int lp_log_session_model_save(const struct lp_log_session_model *model, const char *path,
                              struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    lp_log_session_model_print(model, &text);
    if (lp_file_write(path, text.text, text.bytes, 0644, err) < 0)
        return lp_err_wrap(err, "save the model");
    return LP_OK;
}

// ---- parsing

struct reader {
    const char *bytes;
    size_t count, at;
    bool is_short; // more was asked for than there is
    struct lp_err *err;
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

static bool read_text(struct reader *reader, size_t max, struct lp_str *ret_text)
{
    size_t bytes = (size_t)read_number(reader, 4);
    if (reader->is_short || bytes > max || bytes > reader->count - reader->at ||
        memchr(reader->bytes + reader->at, 0, bytes))
        return false;
    lp_str_clear(ret_text);
    lp_str_add_n(ret_text, reader->bytes + reader->at, bytes);
    reader->at += bytes;
    return true;
}

static int corrupt(const struct reader *reader, const char *what)
{
    return lp_err_set(reader->err, LP_ECORRUPT, "the model is damaged at byte %zu: %s", reader->at,
                      what);
}

static int parse_envelope(struct reader *reader)
{
    if (reader->count < MAGIC_BYTES || memcmp(reader->bytes, magic, MAGIC_BYTES) != 0)
        return lp_err_set(reader->err, LP_ECORRUPT, "this is not a model of sessions of Limpet");
    reader->at = MAGIC_BYTES;
    uint64_t version = read_number(reader, 4);
    if (!reader->is_short && version != VERSION)
        return lp_err_set(reader->err, LP_ECORRUPT,
                          "this model is of version %" PRIu64 ", Limpet reads version %d", version,
                          VERSION);
    if (reader->is_short || reader->count - reader->at < SUM_BYTES)
        return corrupt(reader, "it ends too early");
    reader->count -= SUM_BYTES;
    char sum[LP_SHA256_TEXT];
    lp_sha256_text(reader->bytes, reader->count, sum);
    if (memcmp(sum, reader->bytes + reader->count, SUM_BYTES) != 0)
        return lp_err_set(reader->err, LP_ECORRUPT,
                          "the model's checksum does not fit its contents: it was cut or changed");
    return LP_OK;
}

// ret_format: of the templates, LP_LOG_FORMATS without templates.
static int parse_head(struct reader *reader, struct lp_log_session_model *model,
                      enum lp_log_format *ret_format)
{
    uint64_t with_order = read_number(reader, 1), has_texts = read_number(reader, 1);
    uint64_t format = read_number(reader, 2);
    model->config.with_order = with_order != 0;
    model->config.allowed = (uint32_t)read_number(reader, 4);
    model->config.seed = read_number(reader, 8);
    for (int c = LP_LOG_CHANNEL_COUNT; c <= LP_LOG_CHANNEL_ORDER; c++)
        model->thresholds[c] = (int64_t)read_number(reader, 8);
    if (with_order > 1 || has_texts > 1 || format >= (has_texts ? LP_LOG_FORMATS : 1))
        return corrupt(reader, "an unknown kind of model");
    for (int c = LP_LOG_CHANNEL_COUNT; c <= LP_LOG_CHANNEL_ORDER; c++)
        if (model->thresholds[c] < INT32_MIN || model->thresholds[c] > INT32_MAX)
            return corrupt(reader, "a threshold that no score has");
    *ret_format = has_texts ? (enum lp_log_format)format : LP_LOG_FORMATS;
    return LP_OK;
}

static int parse_events(struct reader *reader, struct lp_log_session_events *events)
{
    size_t count = (size_t)read_number(reader, 4);
    if (count > LP_LOG_SESSION_EVENTS_MAX)
        return corrupt(reader, "more than 65535 events");
    events->ids = lp_heap_take((count + 1) * sizeof *events->ids);
    for (size_t i = 0; i < count; i++) {
        events->ids[i] = (uint32_t)read_number(reader, 4);
        if (i && events->ids[i] <= events->ids[i - 1])
            return corrupt(reader, "events out of order");
    }
    events->count = (uint32_t)count;
    lp_log_session_events_init(events);
    return LP_OK;
}

static int parse_pairs(struct reader *reader, struct lp_log_session_branch *branch)
{
    size_t cells = (size_t)read_number(reader, 4);
    int last = -1;
    for (size_t i = 0; i < cells; i++) {
        int v = (int)read_number(reader, 1), w = (int)read_number(reader, 1);
        uint32_t count = (uint32_t)read_number(reader, 4);
        if (reader->is_short || v >= VALUES || w >= VALUES || v * VALUES + w <= last || !count)
            return corrupt(reader, "counts out of order");
        last = v * VALUES + w;
        branch->pairs[v][w] = count;
    }
    return LP_OK;
}

// Does the branch say of each value as many sessions as its parent does?
static bool branch_adds_up(const struct lp_log_session_tree *tree,
                           const struct lp_log_session_branch *branch)
{
    uint64_t all = 0;
    for (int v = 0; v < VALUES; v++) {
        uint64_t sum = 0;
        for (int w = 0; w < VALUES; w++)
            sum += branch->pairs[v][w];
        all += sum;
        uint64_t of_parent = v == 0 ? tree->sessions : 0;
        if (branch->parent != NO_EVENT)
            of_parent = tree->branches[branch->parent].own[v];
        if (sum != of_parent)
            return false;
    }
    return all == tree->sessions;
}

static int parse_tree(struct reader *reader, struct lp_log_session_model *model)
{
    struct lp_log_session_tree *tree = &model->tree;
    tree->sessions = (uint32_t)read_number(reader, 4);
    size_t count = (size_t)read_number(reader, 4);
    if (reader->is_short || count > LP_LOG_SESSION_TREE_MAX || count > model->events.count ||
        tree->sessions > INT32_MAX)
        return corrupt(reader, "a tree larger than its events");
    tree->branches = lp_heap_take((count + 1) * sizeof *tree->branches);
    for (size_t i = 0; i < count; i++) {
        struct lp_log_session_branch *branch = &tree->branches[i];
        branch->event = (uint32_t)read_number(reader, 4);
        branch->parent = (uint32_t)read_number(reader, 4);
        if (branch->event >= model->events.count)
            return corrupt(reader, "a branch without an event");
        if (i ? branch->parent >= i : branch->parent != NO_EVENT)
            return corrupt(reader, "a branch without a parent");
        for (size_t k = 0; k < i; k++)
            if (tree->branches[k].event == branch->event)
                return corrupt(reader, "an event that stands twice in the tree");
        if (parse_pairs(reader, branch) < 0)
            return LP_ECORRUPT;
        if (!branch_adds_up(tree, branch))
            return corrupt(reader, "counts that do not add up");
        lp_log_session_branch_sum(branch);
        tree->count++;
    }
    return LP_OK;
}

static bool is_symbol(const struct lp_log_session_model *model, uint64_t symbol, uint32_t special)
{
    symbol &= SYMBOL_MASK;
    return symbol < model->events.count || symbol == LP_LOG_GRAM_NONE || symbol == special;
}

static int parse_order(struct reader *reader, struct lp_log_session_model *model)
{
    size_t count = (size_t)read_number(reader, 4);
    if (reader->is_short || count > LP_LOG_SESSION_GRAMS_MAX ||
        (count > 0) != model->config.with_order)
        return corrupt(reader, "an order without a channel, or a channel without an order");
    uint64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t key = read_number(reader, 8);
        uint32_t seen = (uint32_t)read_number(reader, 4);
        if (reader->is_short || (i && key <= last) || !seen || seen > INT32_MAX || key >> 60 ||
            (key & SYMBOL_MASK) == LP_LOG_GRAM_NONE || !is_symbol(model, key, LP_LOG_GRAM_END) ||
            !is_symbol(model, key >> 20, LP_LOG_GRAM_START) ||
            !is_symbol(model, key >> 40, LP_LOG_GRAM_START))
            return corrupt(reader, "neighbours out of order");
        if (!lp_log_session_order_add(&model->order, key, seen))
            return corrupt(reader, "more neighbours than a model has");
        last = key;
    }
    return LP_OK;
}

static int parse_states(struct reader *reader, enum lp_log_format format,
                        struct lp_log_session_model *model)
{
    LP_OWNS_STR struct lp_str tag = {0};
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_log_states_config config = {.format = format};
    model->states = lp_log_states_open(&config);
    size_t count = (size_t)read_number(reader, 4);
    for (size_t i = 0; i < count; i++) {
        if (i >= LP_LOG_STATES_MAX || !read_text(reader, LP_LOG_TAG_BYTES, &tag) ||
            !read_text(reader, LP_LOG_LINE_BYTES, &text))
            return corrupt(reader, "a template without a readable tag and text");
        if (lp_log_states_take(model->states, lp_str_text(&tag), lp_str_text(&text)) != i)
            return corrupt(reader, "a template that is there already");
    }
    return LP_OK;
}

static int parse_body(struct reader *reader, struct lp_log_session_model *model)
{
    enum lp_log_format format = LP_LOG_FORMATS;
    if (parse_head(reader, model, &format) < 0 || parse_events(reader, &model->events) < 0 ||
        parse_tree(reader, model) < 0 || parse_order(reader, model) < 0)
        return LP_ECORRUPT;
    if (format != LP_LOG_FORMATS && parse_states(reader, format, model) < 0)
        return LP_ECORRUPT;
    if (reader->is_short || reader->at != reader->count)
        return corrupt(reader, "it is longer or shorter than it says");
    return LP_OK;
}

int lp_log_session_model_parse(const char *bytes, size_t count,
                               struct lp_log_session_model **ret_model, struct lp_err *err)
{
    struct reader reader = {.bytes = bytes, .count = count, .err = err};
    if (parse_envelope(&reader) < 0)
        return LP_ECORRUPT;
    struct lp_log_session_model *model = lp_heap_take(sizeof *model);
    if (parse_body(&reader, model) < 0) {
        lp_log_session_model_close(model);
        return LP_ECORRUPT;
    }
    *ret_model = model;
    return LP_OK;
}

int lp_log_session_model_load(const char *path, struct lp_log_session_model **ret_model,
                              struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    int code = lp_file_read(path, FILE_BYTES_MAX, &text, err);
    if (code < 0)
        return lp_err_wrap(err, "read the model");
    if (lp_log_session_model_parse(lp_str_text(&text), text.bytes, ret_model, err) < 0)
        return lp_err_wrap(err, "%s", path);
    return LP_OK;
}
