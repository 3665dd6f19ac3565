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
#include "logs/record.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"

enum {
    VERSION = 2, // 1: other templates
    FILE_BYTES_MAX = 1 << 28,
    VALUES = LP_LOG_SESSION_VALUES,
    NO_EVENT = LP_LOG_SESSION_NO_EVENT,
    SYMBOL_MASK = 0xfffff,
};
static const struct lp_log_record_kind kind = {
    .magic = "limpetSM",
    .noun = "model of sessions",
    .version = VERSION,
};

// ---- printing

static void add_branch(struct lp_str *text, const struct lp_log_session_branch *branch)
{
    uint32_t cells = 0;
    for (int v = 0; v < VALUES; v++)
        cells += branch->kinds[v];
    lp_log_record_add(text, branch->event, 4);
    lp_log_record_add(text, branch->parent, 4);
    lp_log_record_add(text, cells, 4);
    for (int v = 0; v < VALUES; v++)
        for (int w = 0; w < VALUES; w++) {
            if (!branch->pairs[v][w])
                continue;
            lp_log_record_add(text, (uint64_t)v, 1);
            lp_log_record_add(text, (uint64_t)w, 1);
            lp_log_record_add(text, branch->pairs[v][w], 4);
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
    lp_log_record_add(text, count, 4);
    for (uint32_t i = 0; i < count; i++) {
        lp_log_record_add(text, sorted[i].key, 8);
        lp_log_record_add(text, sorted[i].count, 4);
    }
    lp_heap_free(sorted);
}

static void add_states(struct lp_str *text, const struct lp_log_states *states)
{
    size_t count = lp_log_states_count(states);
    lp_log_record_add(text, count, 4);
    for (size_t i = 0; i < count; i++) {
        struct lp_log_template template = lp_log_states_get(states, (uint16_t)i);
        lp_log_record_add_text(text, template.tag, 4);
        lp_log_record_add_text(text, template.text, 4);
    }
}

void lp_log_session_model_print(const struct lp_log_session_model *model, struct lp_str *ret_text)
{
    lp_log_record_begin(&kind, ret_text);
    lp_log_record_add(ret_text, model->config.with_order, 1);
    lp_log_record_add(ret_text, model->states != NULL, 1);
    lp_log_record_add(ret_text, model->states ? lp_log_states_format(model->states) : 0, 2);
    lp_log_record_add(ret_text, model->config.allowed, 4);
    lp_log_record_add(ret_text, model->config.seed, 8);
    for (int c = LP_LOG_CHANNEL_COUNT; c <= LP_LOG_CHANNEL_ORDER; c++)
        lp_log_record_add(ret_text, (uint64_t)model->thresholds[c], 8);
    lp_log_record_add(ret_text, model->events.count, 4);
    for (uint32_t i = 0; i < model->events.count; i++)
        lp_log_record_add(ret_text, model->events.ids[i], 4);
    lp_log_record_add(ret_text, model->tree.sessions, 4);
    lp_log_record_add(ret_text, model->tree.count, 4);
    for (uint32_t i = 0; i < model->tree.count; i++)
        add_branch(ret_text, &model->tree.branches[i]);
    add_order(ret_text, &model->order);
    if (model->states)
        add_states(ret_text, model->states);
    lp_log_record_seal(ret_text);
}

int lp_log_session_model_save(const struct lp_log_session_model *model, const char *path,
                              struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    lp_log_session_model_print(model, &text);
    return lp_log_record_save(&text, path, err);
}

// ---- parsing

// ret_format: of the templates, LP_LOG_FORMATS without templates.
static int parse_head(struct lp_log_record *record, struct lp_log_session_model *model,
                      enum lp_log_format *ret_format)
{
    uint64_t with_order = lp_log_record_number(record, 1),
             has_texts = lp_log_record_number(record, 1);
    uint64_t format = lp_log_record_number(record, 2);
    model->config.with_order = with_order != 0;
    model->config.allowed = (uint32_t)lp_log_record_number(record, 4);
    model->config.seed = lp_log_record_number(record, 8);
    for (int c = LP_LOG_CHANNEL_COUNT; c <= LP_LOG_CHANNEL_ORDER; c++)
        model->thresholds[c] = (int64_t)lp_log_record_number(record, 8);
    if (with_order > 1 || has_texts > 1 || format >= (has_texts ? LP_LOG_FORMATS : 1))
        return lp_log_record_corrupt(record, "an unknown kind of model");
    for (int c = LP_LOG_CHANNEL_COUNT; c <= LP_LOG_CHANNEL_ORDER; c++)
        if (model->thresholds[c] < INT32_MIN || model->thresholds[c] > INT32_MAX)
            return lp_log_record_corrupt(record, "a threshold that no score has");
    *ret_format = has_texts ? (enum lp_log_format)format : LP_LOG_FORMATS;
    return LP_OK;
}

static int parse_events(struct lp_log_record *record, struct lp_log_session_events *events)
{
    size_t count = (size_t)lp_log_record_number(record, 4);
    if (count > LP_LOG_SESSION_EVENTS_MAX)
        return lp_log_record_corrupt(record, "more than 65535 events");
    events->ids = lp_heap_take((count + 1) * sizeof *events->ids);
    for (size_t i = 0; i < count; i++) {
        events->ids[i] = (uint32_t)lp_log_record_number(record, 4);
        if (i && events->ids[i] <= events->ids[i - 1])
            return lp_log_record_corrupt(record, "events out of order");
    }
    events->count = (uint32_t)count;
    lp_log_session_events_init(events);
    return LP_OK;
}

static int parse_pairs(struct lp_log_record *record, struct lp_log_session_branch *branch)
{
    size_t cells = (size_t)lp_log_record_number(record, 4);
    int last = -1;
    for (size_t i = 0; i < cells; i++) {
        int v = (int)lp_log_record_number(record, 1), w = (int)lp_log_record_number(record, 1);
        uint32_t count = (uint32_t)lp_log_record_number(record, 4);
        if (record->is_short || v >= VALUES || w >= VALUES || v * VALUES + w <= last || !count)
            return lp_log_record_corrupt(record, "counts out of order");
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

static int parse_tree(struct lp_log_record *record, struct lp_log_session_model *model)
{
    struct lp_log_session_tree *tree = &model->tree;
    tree->sessions = (uint32_t)lp_log_record_number(record, 4);
    size_t count = (size_t)lp_log_record_number(record, 4);
    if (record->is_short || count > LP_LOG_SESSION_TREE_MAX || count > model->events.count ||
        tree->sessions > INT32_MAX)
        return lp_log_record_corrupt(record, "a tree larger than its events");
    tree->branches = lp_heap_take((count + 1) * sizeof *tree->branches);
    for (size_t i = 0; i < count; i++) {
        struct lp_log_session_branch *branch = &tree->branches[i];
        branch->event = (uint32_t)lp_log_record_number(record, 4);
        branch->parent = (uint32_t)lp_log_record_number(record, 4);
        if (branch->event >= model->events.count)
            return lp_log_record_corrupt(record, "a branch without an event");
        if (i ? branch->parent >= i : branch->parent != NO_EVENT)
            return lp_log_record_corrupt(record, "a branch without a parent");
        for (size_t k = 0; k < i; k++)
            if (tree->branches[k].event == branch->event)
                return lp_log_record_corrupt(record, "an event that stands twice in the tree");
        if (parse_pairs(record, branch) < 0)
            return LP_ECORRUPT;
        if (!branch_adds_up(tree, branch))
            return lp_log_record_corrupt(record, "counts that do not add up");
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

static int parse_order(struct lp_log_record *record, struct lp_log_session_model *model)
{
    size_t count = (size_t)lp_log_record_number(record, 4);
    if (record->is_short || count > LP_LOG_SESSION_GRAMS_MAX ||
        (count > 0) != model->config.with_order)
        return lp_log_record_corrupt(record,
                                     "an order without a channel, or a channel without an order");
    uint64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t key = lp_log_record_number(record, 8);
        uint32_t seen = (uint32_t)lp_log_record_number(record, 4);
        if (record->is_short || (i && key <= last) || !seen || seen > INT32_MAX || key >> 60 ||
            (key & SYMBOL_MASK) == LP_LOG_GRAM_NONE || !is_symbol(model, key, LP_LOG_GRAM_END) ||
            !is_symbol(model, key >> 20, LP_LOG_GRAM_START) ||
            !is_symbol(model, key >> 40, LP_LOG_GRAM_START))
            return lp_log_record_corrupt(record, "neighbours out of order");
        if (!lp_log_session_order_add(&model->order, key, seen))
            return lp_log_record_corrupt(record, "more neighbours than a model has");
        last = key;
    }
    return LP_OK;
}

static int parse_states(struct lp_log_record *record, enum lp_log_format format,
                        struct lp_log_session_model *model)
{
    LP_OWNS_STR struct lp_str tag = {0};
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_log_states_config config = {.format = format};
    model->states = lp_log_states_open(&config);
    size_t count = (size_t)lp_log_record_number(record, 4);
    for (size_t i = 0; i < count; i++) {
        if (i >= LP_LOG_STATES_MAX || !lp_log_record_text(record, 4, LP_LOG_TAG_BYTES, &tag) ||
            !lp_log_record_text(record, 4, LP_LOG_LINE_BYTES, &text))
            return lp_log_record_corrupt(record, "a template without a readable tag and text");
        if (lp_log_states_take(model->states, lp_str_text(&tag), lp_str_text(&text)) != i)
            return lp_log_record_corrupt(record, "a template that is there already");
    }
    return LP_OK;
}

static int parse_body(struct lp_log_record *record, struct lp_log_session_model *model)
{
    enum lp_log_format format = LP_LOG_FORMATS;
    if (parse_head(record, model, &format) < 0 || parse_events(record, &model->events) < 0 ||
        parse_tree(record, model) < 0 || parse_order(record, model) < 0)
        return LP_ECORRUPT;
    if (format != LP_LOG_FORMATS && parse_states(record, format, model) < 0)
        return LP_ECORRUPT;
    if (record->is_short || record->at != record->count)
        return lp_log_record_corrupt(record, "it is longer or shorter than it says");
    return LP_OK;
}

int lp_log_session_model_parse(const char *bytes, size_t count,
                               struct lp_log_session_model **ret_model, struct lp_err *err)
{
    struct lp_log_record record = {.bytes = bytes, .count = count, .err = err};
    if (lp_log_record_open(&record, &kind) < 0)
        return LP_ECORRUPT;
    struct lp_log_session_model *model = lp_heap_take(sizeof *model);
    if (parse_body(&record, model) < 0) {
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
    int code = lp_log_record_load(path, FILE_BYTES_MAX, &text, err);
    if (code < 0)
        return code;
    if (lp_log_session_model_parse(lp_str_text(&text), text.bytes, ret_model, err) < 0)
        return lp_err_wrap(err, "%s", path);
    return LP_OK;
}
