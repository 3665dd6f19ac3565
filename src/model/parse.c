// Reads single values: text, booleans, numbers, times, sizes, signals.
#define _GNU_SOURCE // sigabbrev_np
#include "model/parse.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/spelling.h"
#include "base/str.h"
#include "model/duration.h"
#include "model/interpolate.h"
#include "model/limits.h"

static size_t mark_slot(const struct lp_reader *reader, const char *text)
{
    size_t slot = ((uintptr_t)text >> 4) * 0x9e3779b97f4a7c15u % reader->mark_capacity;
    while (reader->marks[slot].text && reader->marks[slot].text != text)
        slot = (slot + 1) % reader->mark_capacity;
    return slot;
}

static void marks_grow(struct lp_reader *reader)
{
    struct lp_mark *old = reader->marks;
    size_t old_capacity = reader->mark_capacity;
    reader->mark_capacity = old_capacity ? 2 * old_capacity : 256;
    reader->marks = lp_arena_new_array(reader->arena, struct lp_mark, reader->mark_capacity);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].text)
            reader->marks[mark_slot(reader, old[i].text)] = old[i];
}

void lp_mark_add(struct lp_reader *reader, const char *text, const struct lp_yaml_node *node)
{
    if (2 * reader->mark_count >= reader->mark_capacity)
        marks_grow(reader);
    size_t slot = mark_slot(reader, text);
    reader->mark_count += !reader->marks[slot].text;
    reader->marks[slot] = (struct lp_mark){text, node};
}

struct lp_place lp_mark_place(const struct lp_reader *reader, const char *text)
{
    if (!text || !reader->mark_capacity)
        return (struct lp_place){0, 0};
    const struct lp_mark *mark = &reader->marks[mark_slot(reader, text)];
    return mark->text ? mark->node->place : (struct lp_place){0, 0};
}

static struct lp_place token_find(const struct lp_reader *reader, struct lp_place from,
                                  const char *token, size_t skip)
{
    const char *text = reader->input->text, *end = text + reader->input->bytes;
    size_t bytes = strlen(token);
    int line = 1, column = 1;
    for (; text + bytes <= end; text++) {
        bool is_inside = line > from.line || (line == from.line && column >= from.column);
        if (is_inside && memcmp(text, token, bytes) == 0 && skip-- == 0)
            return (struct lp_place){line, column};
        if (*text == '\n') {
            line++;
            column = 1;
        } else if ((*text & 0xc0) != 0x80) {
            column++;
        }
    }
    return from;
}

struct lp_place lp_token_place(const struct lp_reader *reader, const char *text, const char *token,
                               size_t skip)
{
    if (!reader->mark_capacity)
        return (struct lp_place){0, 0};
    const struct lp_yaml_node *node = reader->marks[mark_slot(reader, text)].node;
    if (!node)
        return (struct lp_place){0, 0};
    // Only a whole scalar has its tokens counted from its start.
    return node->value == text ? token_find(reader, node->place, token, skip) : node->place;
}

static const char *text_expand(struct lp_reader *reader, struct lp_yaml_node *node)
{
    if (reader->input->is_canonical || !strchr(node->text, '$'))
        return node->text;
    struct lp_err err;
    struct lp_str text = {0};
    struct lp_interpolation how = {.environment = reader->input->environment,
                                   .max_bytes = LP_YAML_BYTES_MAX - reader->expanded_bytes};
    const char *result = NULL;
    if (lp_interpolate(&how, node->text, &text, &err) < 0) {
        lp_mistake_put(&reader->sink, token_find(reader, node->place, "$", how.dollar), "%s",
                       err.text);
    } else {
        result = lp_arena_text_n(reader->arena, lp_str_text(&text), text.bytes);
        reader->expanded_bytes += text.bytes;
    }
    lp_str_release(&text);
    return result;
}

static const char *kind_word(const struct lp_yaml_node *node)
{
    if (node->kind == LP_YAML_SCALAR)
        return lp_yaml_is_null(node) ? "nothing" : "a single value";
    return node->kind == LP_YAML_SEQUENCE ? "a list" : "a mapping";
}

bool lp_is_sequence(struct lp_reader *reader, const struct lp_yaml_node *node, const char *what)
{
    if (node->kind == LP_YAML_SEQUENCE)
        return true;
    lp_mistake_at(reader, node, "%s must be a list, not %s", what, kind_word(node));
    return false;
}

bool lp_is_mapping(struct lp_reader *reader, const struct lp_yaml_node *node, const char *what)
{
    if (node->kind == LP_YAML_MAPPING)
        return true;
    lp_mistake_at(reader, node, "%s must be a mapping, not %s", what, kind_word(node));
    return false;
}

const char *lp_parse_text(struct lp_reader *reader, struct lp_yaml_node *node)
{
    if (node->kind != LP_YAML_SCALAR || lp_yaml_is_null(node)) {
        lp_mistake_at(reader, node, "a text is expected here, not %s", kind_word(node));
        return NULL;
    }
    if (!node->value) {
        node->value = text_expand(reader, node);
        if (node->value)
            lp_mark_add(reader, node->value, node);
    }
    return node->value;
}

bool lp_parse_bool(struct lp_reader *reader, struct lp_yaml_node *node, bool *ret_value)
{
    const char *text = lp_parse_text(reader, node);
    if (!text)
        return false;
    bool is_true = strcmp(text, "true") == 0;
    if (!is_true && strcmp(text, "false") != 0) {
        lp_mistake_at(reader, node, "'%s' is not true or false", text);
        return false;
    }
    *ret_value = is_true;
    return true;
}

bool lp_parse_number(struct lp_reader *reader, struct lp_yaml_node *node, struct lp_range range,
                     uint64_t *ret_value)
{
    const char *text = lp_parse_text(reader, node);
    if (!text)
        return false;
    char *end = NULL;
    errno = 0;
    unsigned long long value = isdigit((unsigned char)*text) ? strtoull(text, &end, 10) : 0;
    if (!end || *end) {
        lp_mistake_at(reader, node, "'%s' is not a whole number", text);
        return false;
    }
    if (errno || value < range.least || value > range.most) {
        lp_mistake_at(reader, node, "%s is not within %llu to %llu", text,
                      (unsigned long long)range.least, (unsigned long long)range.most);
        return false;
    }
    *ret_value = value;
    return true;
}

bool lp_parse_duration(struct lp_reader *reader, struct lp_yaml_node *node, uint32_t *ret_ms)
{
    const char *text = lp_parse_text(reader, node);
    if (text && lp_duration_parse(text, ret_ms))
        return true;
    if (text)
        lp_mistake_at(reader, node, "'%s' is not a duration such as 500ms, 10s or 1m30s", text);
    return false;
}

bool lp_parse_size(struct lp_reader *reader, struct lp_yaml_node *node, uint64_t *ret_bytes)
{
    const char *text = lp_parse_text(reader, node);
    if (text && lp_size_parse(text, ret_bytes))
        return true;
    if (text)
        lp_mistake_at(reader, node, "'%s' is not a size such as 64k, 512m or 2g", text);
    return false;
}

bool lp_parse_mode(struct lp_reader *reader, struct lp_yaml_node *node, uint32_t *ret_mode)
{
    const char *text = lp_parse_text(reader, node);
    if (!text)
        return false;
    const char *digits = lp_text_starts(text, "0o") ? text + 2 : text + 1;
    size_t bytes = *text == '0' ? strlen(digits) : 0;
    if (bytes < 1 || bytes > 4 || strspn(digits, "01234567") != bytes) {
        lp_mistake_at(reader, node, "'%s' is not an octal mode with a leading 0, such as 0440",
                      text);
        return false;
    }
    *ret_mode = (uint32_t)strtoul(digits, NULL, 8);
    return true;
}

static int signal_find(const char *name)
{
    char *end;
    unsigned long number = strtoul(name, &end, 10);
    if (isdigit((unsigned char)*name) && !*end)
        return number >= 1 && number < (unsigned long)_NSIG ? (int)number : 0;
    if (lp_text_starts(name, "SIG"))
        name += 3;
    for (int i = 1; i < 32; i++)
        if (lp_text_equal(sigabbrev_np(i), name))
            return i;
    if (lp_text_starts(name, "RTMIN+") && isdigit((unsigned char)name[6])) {
        number = strtoul(name + 6, &end, 10);
        if (!*end && number <= (unsigned long)(SIGRTMAX - SIGRTMIN))
            return SIGRTMIN + (int)number;
    }
    return 0;
}

bool lp_parse_signal(struct lp_reader *reader, struct lp_yaml_node *node, int *ret_signal)
{
    const char *text = lp_parse_text(reader, node);
    int number = text ? signal_find(text) : 0;
    if (text && !number)
        lp_mistake_at(reader, node, "'%s' is not a signal such as SIGTERM", text);
    if (number)
        *ret_signal = number;
    return number != 0;
}

int lp_parse_word(struct lp_reader *reader, struct lp_yaml_node *node, const char *const *words,
                  size_t count)
{
    const char *text = lp_parse_text(reader, node);
    if (!text)
        return -1;
    struct lp_str list = {0};
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            lp_str_release(&list);
            return (int)i;
        }
        lp_str_printf(&list, "%s%s", i == 0 ? "" : i + 1 == count ? " or " : ", ", words[i]);
    }
    lp_mistake_at(reader, node, "'%s' is not %s", text, lp_str_text(&list));
    lp_str_release(&list);
    return -1;
}

const char *lp_parse_inner_path(struct lp_reader *reader, struct lp_yaml_node *node)
{
    const char *text = lp_parse_text(reader, node);
    if (!text)
        return NULL;
    bool is_good = text[0] == '/' && !strstr(text, "/../") && !lp_text_ends(text, "/..");
    if (!is_good)
        lp_mistake_at(reader, node, "'%s' is not an absolute path without '..'", text);
    return is_good ? text : NULL;
}
