// Lines to states: the table of templates, and the reader that cuts bytes into lines.
// A line costs one search for its end, one pass over its text and one probe of a small table, a
// second pass and a probe of the large one if no line before was like it, however many templates
// there are; templates beyond the bounds fold into one "other" a tag.
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "base/str.h"
#include "logs/line_parts.h"
#include "logs/text_bits.h"

enum {
    TABLE_SLOTS = 1 << 17, // open addressing, at most half full
    HOLD_LINES = 1000,     // looked at before the format is chosen
    HOLD_BYTES = 1 << 20,
    LIKE_SLOTS = 1 << 14,      // direct-mapped: a place for each hash
    TEXT_BYTES_MAX = 16 << 20, // all templates' texts together
    TAGS_MAX = 1 << 15,
    TAG_SLOTS = 2 * TAGS_MAX,
};
// No template is like it: the text of one never begins with a blank.
static const char other_text[] = " (other)";
static const char other_tag[] = "(other)"; // of what fits nowhere else

struct template_row {
    const char *text;
    uint64_t count, example;
    uint32_t tag_id;
    bool is_other;
};

struct tag_row {
    uint64_t hash;
    const char *text;
    uint16_t other; // its state for what does not fit; LP_LOG_NOTHING: none yet
};

// Of both tables: a state, and the upper 48 bits of its hash; its lower bits say where it is.
#define SLOT_STATE UINT64_C(0xffff)
#define SLOT_EMPTY UINT64_MAX // its state is LP_LOG_NOTHING

struct lp_log_states {
    struct lp_log_states_config config;
    enum lp_log_format format; // AUTO while it is not known
    lp_log_split *split;
    struct lp_arena arena; // texts and tags
    struct template_row *rows;
    size_t row_count, row_capacity;
    uint32_t states_max, room; // room: so many are kept for the "other" of tags
    struct tag_row *tags;
    size_t tag_count, tag_capacity;
    uint16_t *tag_slots; // open addressing: index of the tag + 1; 0: empty
    uint64_t *slots;
    uint64_t *like; // slots of lines that were read lately, by what they are but for digits
    uint64_t line_count;
    struct lp_str hold; // lines before the format is known, then the line that is cut in two
    size_t held_lines;  // of hold, while the format is not known
    bool is_skipping;   // the rest of a line that was too long
    bool is_coloured;   // a line had escape sequences: they are looked for from now on
    struct lp_str padded, mended, plain; // scratch: with LP_LOG_PADDING bytes behind it
    struct lp_log_entry entry;           // JOURNAL: the one being read
};

static uint64_t *slots_make(size_t count)
{
    uint64_t *slots = lp_heap_grow(NULL, count, sizeof(*slots));
    memset(slots, 0xff, count * sizeof(*slots)); // SLOT_EMPTY
    return slots;
}

struct lp_log_states *lp_log_states_open(const struct lp_log_states_config *config)
{
    struct lp_log_states *states = lp_heap_take(sizeof(*states));
    states->config = *config;
    states->format = config->format;
    states->split = lp_log_split_of(config->format);
    states->states_max = config->states_max && config->states_max < LP_LOG_STATES_MAX
                             ? config->states_max
                             : LP_LOG_STATES_MAX;
    states->room = states->states_max / 64 + 1;
    lp_log_entry_clear(&states->entry);
    states->slots = slots_make(TABLE_SLOTS);
    states->like = slots_make(LIKE_SLOTS);
    states->tag_slots = lp_heap_take(TAG_SLOTS * sizeof(*states->tag_slots));
    return states;
}

void lp_log_states_close(struct lp_log_states *states)
{
    lp_arena_release(&states->arena);
    lp_str_release(&states->hold);
    lp_str_release(&states->padded);
    lp_str_release(&states->mended);
    lp_str_release(&states->plain);
    lp_log_entry_release(&states->entry);
    lp_heap_free(states->rows);
    lp_heap_free(states->tags);
    lp_heap_free(states->slots);
    lp_heap_free(states->like);
    lp_heap_free(states->tag_slots);
    lp_heap_free(states);
}

// The table.

static uint64_t *slot_find(const struct lp_log_states *states, uint64_t hash)
{
    size_t at = hash & (TABLE_SLOTS - 1);
    while ((states->slots[at] ^ hash) > SLOT_STATE && states->slots[at] != SLOT_EMPTY)
        at = (at + 1) & (TABLE_SLOTS - 1);
    return &states->slots[at];
}

static uint32_t tag_add(struct lp_log_states *states, struct lp_span tag, uint64_t hash)
{
    if (states->tag_count == states->tag_capacity) {
        states->tag_capacity = states->tag_capacity ? states->tag_capacity * 2 : 64;
        states->tags = lp_heap_grow(states->tags, states->tag_capacity, sizeof(*states->tags));
    }
    LP_OWNS_STR struct lp_str text = {0};
    lp_log_text_mend(tag, &text);
    states->tags[states->tag_count] =
        (struct tag_row){.hash = hash,
                         .text = lp_arena_text(&states->arena, lp_str_text(&text)),
                         .other = LP_LOG_NOTHING};
    return (uint32_t)states->tag_count++;
}

// Past the bound: the tag of what fits nowhere else.
static uint32_t tag_find(struct lp_log_states *states, struct lp_span tag)
{
    uint64_t hash = lp_log_hash_bytes(tag.at, tag.bytes);
    size_t at = hash & (TAG_SLOTS - 1);
    for (; states->tag_slots[at]; at = (at + 1) & (TAG_SLOTS - 1))
        if (states->tags[states->tag_slots[at] - 1].hash == hash)
            return states->tag_slots[at] - 1;
    struct lp_span other = {other_tag, strlen(other_tag)};
    if (states->tag_count + 1 >= TAGS_MAX && hash != lp_log_hash_bytes(other.at, other.bytes))
        return tag_find(states, other);
    uint32_t tag_id = tag_add(states, tag, hash);
    states->tag_slots[at] = (uint16_t)(tag_id + 1);
    return tag_id;
}

static uint16_t row_add(struct lp_log_states *states, uint32_t tag_id, const char *text)
{
    if (states->row_count == states->row_capacity) {
        states->row_capacity = states->row_capacity ? states->row_capacity * 2 : 256;
        states->rows = lp_heap_grow(states->rows, states->row_capacity, sizeof(*states->rows));
    }
    states->rows[states->row_count] =
        (struct template_row){.text = lp_arena_text(&states->arena, text), .tag_id = tag_id};
    return (uint16_t)states->row_count++;
}

static bool is_other_text(const char *text)
{
    return strcmp(text, other_text) == 0;
}

// The tag's own, or that of what fits nowhere else: the last row is kept for it.
static uint16_t other_of(struct lp_log_states *states, uint32_t tag_id)
{
    if (states->row_count + 1 >= states->states_max)
        if (states->tags[tag_id].other == LP_LOG_NOTHING)
            tag_id = tag_find(states, (struct lp_span){other_tag, strlen(other_tag)});
    if (states->tags[tag_id].other != LP_LOG_NOTHING)
        return states->tags[tag_id].other;
    lp_assert(states->row_count < states->states_max);
    uint16_t state = row_add(states, tag_id, other_text);
    states->rows[state].is_other = true;
    states->tags[tag_id].other = state;
    return state;
}

static uint16_t state_add(struct lp_log_states *states, uint32_t tag_id, struct lp_span text,
                          uint64_t *slot, uint64_t hash)
{
    bool is_full = states->row_count + states->room >= states->states_max ||
                   states->tag_count + 1 >= TAGS_MAX || states->arena.total_bytes > TEXT_BYTES_MAX;
    if (is_full)
        return other_of(states, tag_id);
    LP_OWNS_STR struct lp_str cleaned = {0};
    lp_log_text_clean(text, states->config.cleaning, &cleaned);
    uint16_t state = row_add(states, tag_id, lp_str_text(&cleaned));
    *slot = (hash & ~SLOT_STATE) | state;
    return state;
}

static uint64_t state_hash(const struct lp_log_states *states, struct lp_span tag,
                           struct lp_span text)
{
    uint64_t hash = lp_log_text_hash(text, states->config.cleaning);
    return lp_log_hash_padded(hash, tag.at, tag.bytes, LP_LOG_SALT_KEPT);
}

// tag and text are plain, and padded.
static uint16_t state_of(struct lp_log_states *states, struct lp_span tag, struct lp_span text)
{
    uint64_t hash = state_hash(states, tag, text);
    uint64_t *slot = slot_find(states, hash);
    if (*slot != SLOT_EMPTY)
        return (uint16_t)(*slot & SLOT_STATE);
    return state_add(states, tag_find(states, tag), text, slot, hash);
}

static void padding_add(struct lp_str *text)
{
    static const char padding[LP_LOG_PADDING];
    lp_str_add_n(text, padding, sizeof(padding));
}

uint16_t lp_log_states_take(struct lp_log_states *states, const char *tag, const char *text)
{
    struct lp_span tag_span = {tag, strlen(tag)}, text_span = {text, strlen(text)};
    if (is_other_text(text))
        return other_of(states, tag_find(states, tag_span));
    lp_str_clear(&states->padded);
    lp_str_add_n(&states->padded, tag, tag_span.bytes);
    lp_str_add_n(&states->padded, text, text_span.bytes);
    padding_add(&states->padded);
    tag_span.at = states->padded.text;
    text_span.at = states->padded.text + tag_span.bytes;
    return state_of(states, tag_span, text_span);
}

size_t lp_log_states_count(const struct lp_log_states *states)
{
    return states->row_count;
}

struct lp_log_template lp_log_states_get(const struct lp_log_states *states, uint16_t state)
{
    lp_assert(state < states->row_count);
    const struct template_row *row = &states->rows[state];
    return (struct lp_log_template){.text = row->text,
                                    .tag = states->tags[row->tag_id].text,
                                    .tag_id = row->tag_id,
                                    .count = row->count,
                                    .example = row->example,
                                    .is_other = row->is_other};
}

enum lp_log_format lp_log_states_format(const struct lp_log_states *states)
{
    return states->format;
}

void lp_log_states_format_set(struct lp_log_states *states, enum lp_log_format format)
{
    states->format = format;
    states->split = lp_log_split_of(format);
    states->held_lines = 0;
}

// Lines.

static void line_put(struct lp_log_states *states, struct lp_log_lines *lines, uint16_t state,
                     const struct lp_log_head *head)
{
    if (lines->count == lines->capacity) {
        lines->capacity = lines->capacity ? lines->capacity * 2 : 4096;
        lines->states = lp_heap_grow(lines->states, lines->capacity, sizeof(*lines->states));
        if (states->config.with_keys) {
            lines->keys = lp_heap_grow(lines->keys, lines->capacity, sizeof(*lines->keys));
            lines->at_ms = lp_heap_grow(lines->at_ms, lines->capacity, sizeof(*lines->at_ms));
        }
    }
    states->line_count++;
    if (states->config.with_keys) {
        lines->keys[lines->count] =
            head && head->key.bytes
                ? (uint32_t)(lp_log_hash_bytes(head->key.at, head->key.bytes) >> 32) | 1
                : 0;
        lines->at_ms[lines->count] = head ? head->at_ms : INT64_MIN;
    }
    if (state != LP_LOG_NOTHING) {
        struct template_row *row = &states->rows[state];
        if (row->count++ == 0)
            row->example = states->line_count;
    }
    lines->states[lines->count++] = state;
}

static bool is_blank(struct lp_span line)
{
    for (size_t i = 0; i < line.bytes; i++)
        if (line.at[i] != ' ' && line.at[i] != '\t' && line.at[i] != '\r')
            return false;
    return true;
}

// Only what is plain is ever in the table, so that only what is not found needs a look.
static uint16_t state_of_raw(struct lp_log_states *states, struct lp_span tag, struct lp_span text)
{
    uint64_t hash = state_hash(states, tag, text);
    uint64_t *slot = slot_find(states, hash);
    if (*slot != SLOT_EMPTY)
        return (uint16_t)(*slot & SLOT_STATE);
    if (lp_log_text_is_plain(tag) && lp_log_text_is_plain(text))
        return state_add(states, tag_find(states, tag), text, slot, hash);
    struct lp_str *mended = &states->mended;
    lp_str_clear(mended);
    lp_log_text_mend(tag, mended);
    tag.bytes = mended->bytes;
    lp_log_text_mend(text, mended);
    text.bytes = mended->bytes - tag.bytes;
    padding_add(mended);
    tag.at = mended->text;
    text.at = mended->text + tag.bytes;
    return state_of(states, tag, text);
}

// Most lines differ from one before in digits alone. What a digit is, no rule of cleaning asks, so
// that both have one state; and a state once given to a text stays.
static uint64_t *like_find(struct lp_log_states *states, struct lp_span tag, struct lp_span text,
                           uint64_t *ret_hash)
{
    uint64_t hash = lp_log_hash_masked(0, text.at, text.bytes, LP_LOG_SALT_KEPT);
    *ret_hash = lp_log_hash_padded(hash, tag.at, tag.bytes, LP_LOG_SALT_KEPT);
    return &states->like[*ret_hash % LIKE_SLOTS];
}

static bool has_colours(struct lp_span line)
{
    return memchr(line.at, LP_LOG_ESCAPE, line.bytes) != NULL;
}

static void colours_drop(struct lp_log_states *states, struct lp_span *line)
{
    lp_log_colours_drop(*line, &states->plain);
    line->bytes = states->plain.bytes;
    padding_add(&states->plain);
    line->at = states->plain.text;
}

// The line is padded.
static void line_read(struct lp_log_states *states, struct lp_span line, struct lp_log_lines *lines)
{
    if (states->is_coloured && has_colours(line))
        colours_drop(states, &line);
    struct lp_log_head head = {.text = line, .at_ms = INT64_MIN};
    if (states->split && !states->split(line, &head))
        head = (struct lp_log_head){.text = line, .at_ms = INT64_MIN};
    if (head.tag.bytes > LP_LOG_TAG_BYTES)
        head.tag.bytes = LP_LOG_TAG_BYTES;
    if (head.tag.bytes == 0) // it may be nowhere
        head.tag.at = line.at;
    head.text = lp_log_text_cut(head.text);
    if (head.tag.bytes == 0 && is_blank(head.text)) {
        line_put(states, lines, LP_LOG_NOTHING, NULL);
        return;
    }
    uint64_t hash, *like = like_find(states, head.tag, head.text, &hash);
    bool is_like = (*like ^ hash) <= SLOT_STATE && *like != SLOT_EMPTY;
    if (!is_like && !states->is_coloured && has_colours(line)) {
        states->is_coloured = true; // the first of its kind: now they are looked for
        line_read(states, line, lines);
        return;
    }
    if (!is_like)
        *like = (hash & ~SLOT_STATE) | state_of_raw(states, head.tag, head.text);
    line_put(states, lines, (uint16_t)(*like & SLOT_STATE), &head);
}

// The blank line behind an entry stands for it; the lines of its fields are nothing.
static void field_read(struct lp_log_states *states, struct lp_span line,
                       struct lp_log_lines *lines)
{
    struct lp_log_entry *entry = &states->entry;
    if (!lp_log_entry_take(entry, line)) {
        line_put(states, lines, LP_LOG_NOTHING, NULL);
        return;
    }
    uint16_t state = LP_LOG_NOTHING;
    struct lp_log_head head = {.key = {lp_str_text(&entry->key), entry->key.bytes},
                               .at_ms = entry->at_ms};
    if (entry->has_text)
        state = lp_log_states_take(states, lp_str_text(&entry->tag), lp_str_text(&entry->text));
    line_put(states, lines, state, entry->has_text ? &head : NULL);
    lp_log_entry_clear(entry);
}

// is_padded: LP_LOG_PADDING bytes behind the line can be read.
static void line_take(struct lp_log_states *states, struct lp_span line, bool is_padded,
                      struct lp_log_lines *lines)
{
    if (states->format == LP_LOG_JOURNAL) {
        field_read(states, line, lines);
        return;
    }
    if (line.bytes && line.at[line.bytes - 1] == '\r')
        line.bytes--;
    if (line.bytes > LP_LOG_LINE_BYTES)
        line.bytes = LP_LOG_LINE_BYTES;
    if (!is_padded) {
        lp_str_clear(&states->padded);
        lp_str_add_n(&states->padded, line.at, line.bytes);
        padding_add(&states->padded);
        line.at = states->padded.text;
    }
    line_read(states, line, lines);
}

// Whole lines; returns what is left behind the last newline.
static size_t lines_take(struct lp_log_states *states, const char *bytes, size_t count,
                         struct lp_log_lines *lines)
{
    const char *at = bytes, *end = bytes + count, *newline;
    while (at < end && (newline = memchr(at, '\n', (size_t)(end - at)))) {
        line_take(states, (struct lp_span){at, (size_t)(newline - at)},
                  end - newline > LP_LOG_PADDING, lines);
        at = newline + 1;
    }
    return (size_t)(end - at);
}

static void format_choose(struct lp_log_states *states, struct lp_log_lines *lines)
{
    struct lp_str held = states->hold;
    states->hold = (struct lp_str){0};
    states->format = lp_log_format_detect(lp_str_text(&held), held.bytes);
    states->split = lp_log_split_of(states->format);
    size_t left = lines_take(states, lp_str_text(&held), held.bytes, lines);
    if (left)
        lp_str_add_n(&states->hold, held.text + held.bytes - left, left);
    lp_str_release(&held);
}

// Bytes of a line that is not whole yet: kept, as far as a line is read at all.
static void rest_keep(struct lp_log_states *states, const char *bytes, size_t count)
{
    size_t room =
        LP_LOG_LINE_BYTES + 1 > states->hold.bytes ? LP_LOG_LINE_BYTES + 1 - states->hold.bytes : 0;
    states->is_skipping = count > room;
    lp_str_add_n(&states->hold, bytes, count < room ? count : room);
}

static void known_feed(struct lp_log_states *states, const char *bytes, size_t count,
                       struct lp_log_lines *lines)
{
    if (states->hold.bytes || states->is_skipping) {
        const char *newline = memchr(bytes, '\n', count);
        size_t part = newline ? (size_t)(newline - bytes) : count;
        rest_keep(states, bytes, part);
        if (!newline)
            return;
        line_take(states, (struct lp_span){lp_str_text(&states->hold), states->hold.bytes}, false,
                  lines);
        lp_str_clear(&states->hold);
        states->is_skipping = false;
        bytes += part + 1;
        count -= part + 1;
    }
    size_t left = lines_take(states, bytes, count, lines);
    if (left)
        rest_keep(states, bytes + count - left, left);
}

void lp_log_states_feed(struct lp_log_states *states, const char *bytes, size_t count,
                        struct lp_log_lines *ret_lines)
{
    while (states->format == LP_LOG_AUTO && count > 0) {
        const char *newline = memchr(bytes, '\n', count);
        size_t part = newline ? (size_t)(newline - bytes) + 1 : count;
        lp_str_add_n(&states->hold, bytes, part);
        states->held_lines += newline != NULL;
        bytes += part;
        count -= part;
        if (states->held_lines >= HOLD_LINES || states->hold.bytes >= HOLD_BYTES)
            format_choose(states, ret_lines);
    }
    if (count > 0)
        known_feed(states, bytes, count, ret_lines);
}

void lp_log_states_end(struct lp_log_states *states, struct lp_log_lines *ret_lines)
{
    if (states->format == LP_LOG_AUTO)
        format_choose(states, ret_lines);
    if (states->hold.bytes || states->is_skipping)
        line_take(states, (struct lp_span){lp_str_text(&states->hold), states->hold.bytes}, false,
                  ret_lines);
    lp_str_clear(&states->hold);
    states->is_skipping = false;
    states->entry.is_binary = false;
    if (states->entry.has_text) // the journal's last entry has no blank line behind it
        field_read(states, (struct lp_span){"", 0}, ret_lines);
    lp_log_entry_clear(&states->entry);
}
