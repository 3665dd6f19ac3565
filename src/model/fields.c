// Plain structs as JSON objects, driven by a table of their fields.
#include "model/fields.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/spelling.h"
#include "base/str.h"
#include "model/limits.h"
#include "model/want.h"

#define EXACT_MAX (UINT64_C(1) << 53) // integers up to here survive any JSON reader

static void print_u64(struct lp_str *text, uint64_t value)
{
    if (value <= EXACT_MAX)
        lp_str_printf(text, "%" PRIu64, value);
    else
        lp_str_printf(text, "\"%016" PRIx64 "\"", value);
}

static void print_depends(struct lp_str *text, const struct lp_want_depend *depends, size_t count)
{
    lp_str_add_char(text, '[');
    for (size_t i = 0; i < count; i++)
        lp_str_printf(text, "%s[%u,%u,%u]", i ? "," : "", depends[i].service, depends[i].app,
                      depends[i].condition);
    lp_str_add_char(text, ']');
}

static void print_ids(struct lp_str *text, const uint32_t *ids, size_t count)
{
    lp_str_add_char(text, '[');
    for (size_t i = 0; i < count; i++)
        lp_str_printf(text, "%s%u", i ? "," : "", ids[i]);
    lp_str_add_char(text, ']');
}

static void print_object(struct lp_str *text, const struct lp_field *field, const void *row)
{
    struct lp_str inside = {0};
    struct lp_fields fields = {field->fields, field->field_count, UINT64_MAX};
    lp_fields_print(&fields, row, &inside);
    // Every field prints a comma first; an object has no use for the first one.
    lp_str_printf(text, "{%s}", inside.bytes ? inside.text + 1 : "");
    lp_str_release(&inside);
}

static void print_value(struct lp_str *text, const struct lp_field *field, const void *row)
{
    const void *at = (const char *)row + field->offset;
    const uint8_t *count = (const uint8_t *)row + field->count_offset;
    switch (field->type) {
    case LP_FIELD_ID:
    case LP_FIELD_U32:
        lp_str_printf(text, "%u", *(const uint32_t *)at);
        break;
    case LP_FIELD_U8:
        lp_str_printf(text, "%u", *(const uint8_t *)at);
        break;
    case LP_FIELD_U16:
        lp_str_printf(text, "%u", *(const uint16_t *)at);
        break;
    case LP_FIELD_U64:
        print_u64(text, *(const uint64_t *)at);
        break;
    case LP_FIELD_I32:
        lp_str_printf(text, "%d", *(const int32_t *)at);
        break;
    case LP_FIELD_I64:
        lp_str_printf(text, "%" PRId64, *(const int64_t *)at);
        break;
    case LP_FIELD_BOOL:
        lp_str_add(text, *(const bool *)at ? "true" : "false");
        break;
    case LP_FIELD_TEXT:
        lp_str_add_json(text, *(const char *const *)at);
        break;
    case LP_FIELD_WORD:
        lp_assert(*(const uint8_t *)at <= field->max);
        lp_str_printf(text, "\"%s\"", field->words[*(const uint8_t *)at]);
        break;
    case LP_FIELD_WORD32:
        lp_assert(*(const uint32_t *)at <= field->max);
        lp_str_printf(text, "\"%s\"", field->words[*(const uint32_t *)at]);
        break;
    case LP_FIELD_DEPENDS:
        print_depends(text, at, *count);
        break;
    case LP_FIELD_IDS:
        print_ids(text, at, *count);
        break;
    case LP_FIELD_OBJECT:
        print_object(text, field, at);
        break;
    }
}

static bool is_left_out(const struct lp_field *field, const void *row)
{
    const void *at = (const char *)row + field->offset;
    if (field->type == LP_FIELD_ID)
        return *(const uint32_t *)at == LP_NONE;
    return field->type == LP_FIELD_TEXT && !*(const char *const *)at;
}

void lp_fields_print(const struct lp_fields *fields, const void *row, struct lp_str *ret_text)
{
    for (size_t i = 0; i < fields->count; i++) {
        const struct lp_field *field = &fields->items[i];
        if (!(fields->mask >> i & 1) || is_left_out(field, row))
            continue;
        lp_str_printf(ret_text, ",\"%s\":", field->key);
        print_value(ret_text, field, row);
    }
}

LP_MUST_CHECK static int refuse(const struct lp_field *field, const char *wanted,
                                struct lp_err *err)
{
    return lp_err_set(err, LP_EINPUT, "\"%s\" must be %s", field->key, wanted);
}

// Sixteen hexadecimal digits and nothing else.
static bool hex_read(const char *text, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (!text || strlen(text) != 16)
        return false;
    for (size_t i = 0; i < 16; i++) {
        const char *digits = "0123456789abcdef", *digit = strchr(digits, text[i]);
        if (!digit)
            return false;
        value = value << 4 | (uint64_t)(digit - digits);
    }
    *ret_value = value;
    return true;
}

LP_MUST_CHECK static int parse_unsigned(const struct lp_field *field, json_t *value, uint64_t max,
                                        uint64_t *ret_number, struct lp_err *err)
{
    if (field->max && field->max < max)
        max = field->max;
    if (field->type == LP_FIELD_U64 && hex_read(json_string_value(value), ret_number))
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return refuse(field, "a number that is not negative", err);
    uint64_t number = (uint64_t)json_integer_value(value);
    if (number > max)
        return lp_err_set(err, LP_EINPUT, "\"%s\" must be at most %" PRIu64, field->key, max);
    *ret_number = number;
    return 0;
}

LP_MUST_CHECK static int parse_depend(const struct lp_field *field, json_t *value,
                                      struct lp_want_depend *ret_depend, struct lp_err *err)
{
    if (!json_is_array(value) || json_array_size(value) != 3)
        return refuse(field, "a list of [service, app, condition]", err);
    static const uint64_t most[3] = {UINT32_MAX, UINT16_MAX, LP_DEPEND_COMPLETED};
    uint64_t numbers[3];
    for (size_t i = 0; i < 3; i++)
        if (parse_unsigned(field, json_array_get(value, i), most[i], &numbers[i], err) < 0)
            return LP_EINPUT;
    ret_depend->service = (uint32_t)numbers[0];
    ret_depend->app = (uint16_t)numbers[1];
    ret_depend->condition = (uint16_t)numbers[2];
    return 0;
}

LP_MUST_CHECK static int parse_list(const struct lp_field *field, json_t *value, void *ret_row,
                                    struct lp_err *err)
{
    void *at = (char *)ret_row + field->offset;
    bool is_depends = field->type == LP_FIELD_DEPENDS;
    size_t max = is_depends ? LP_DEPENDS_MAX : LP_OBSERVES_MAX;
    if (!json_is_array(value) || json_array_size(value) > max)
        return refuse(field, "a list of at most 16", err);
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *item = json_array_get(value, i);
        uint64_t id = 0;
        int result = is_depends ? parse_depend(field, item, (struct lp_want_depend *)at + i, err)
                                : parse_unsigned(field, item, UINT32_MAX, &id, err);
        if (result < 0)
            return result;
        if (!is_depends)
            ((uint32_t *)at)[i] = (uint32_t)id;
    }
    *((uint8_t *)ret_row + field->count_offset) = (uint8_t)json_array_size(value);
    return 0;
}

LP_MUST_CHECK static int parse_signed(const struct lp_field *field, json_t *value, void *ret_at,
                                      struct lp_err *err)
{
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value))
        return refuse(field, "a whole number", err);
    if (field->type == LP_FIELD_I64) {
        *(int64_t *)ret_at = number;
        return 0;
    }
    if (number < INT32_MIN || number > INT32_MAX)
        return refuse(field, "a number of 32 bits", err);
    *(int32_t *)ret_at = (int32_t)number;
    return 0;
}

LP_MUST_CHECK static int parse_word(const struct lp_field *field, json_t *value, void *ret_at,
                                    struct lp_err *err)
{
    if (!json_is_string(value))
        return refuse(field, "a word", err);
    int index =
        lp_word_find(field->key, json_string_value(value), field->words, field->max + 1, err);
    if (index >= 0 && field->type == LP_FIELD_WORD)
        *(uint8_t *)ret_at = (uint8_t)index;
    else if (index >= 0)
        *(uint32_t *)ret_at = (uint32_t)index;
    return index < 0 ? index : 0;
}

LP_MUST_CHECK static int parse_number(const struct lp_field *field, json_t *value, void *ret_at,
                                      struct lp_err *err)
{
    static const uint64_t most[] = {[LP_FIELD_ID] = LP_NONE - 1,
                                    [LP_FIELD_U8] = UINT8_MAX,
                                    [LP_FIELD_U16] = UINT16_MAX,
                                    [LP_FIELD_U32] = UINT32_MAX,
                                    [LP_FIELD_U64] = EXACT_MAX};
    uint64_t number = 0;
    if (parse_unsigned(field, value, most[field->type], &number, err) < 0)
        return LP_EINPUT;
    if (field->type == LP_FIELD_U8)
        *(uint8_t *)ret_at = (uint8_t)number;
    else if (field->type == LP_FIELD_U16)
        *(uint16_t *)ret_at = (uint16_t)number;
    else if (field->type == LP_FIELD_U64)
        *(uint64_t *)ret_at = number;
    else
        *(uint32_t *)ret_at = (uint32_t)number;
    return 0;
}

LP_MUST_CHECK static int parse_value(const struct lp_field *field, json_t *value,
                                     struct lp_arena *arena, void *ret_row, struct lp_err *err)
{
    void *at = (char *)ret_row + field->offset;
    struct lp_fields inside = {field->fields, field->field_count, UINT64_MAX};
    switch (field->type) {
    case LP_FIELD_I32:
    case LP_FIELD_I64:
        return parse_signed(field, value, at, err);
    case LP_FIELD_BOOL:
        if (!json_is_boolean(value))
            return refuse(field, "true or false", err);
        *(bool *)at = json_is_true(value);
        return 0;
    case LP_FIELD_TEXT:
        if (!json_is_string(value))
            return refuse(field, "a text", err);
        *(const char **)at = lp_arena_text(arena, json_string_value(value));
        return 0;
    case LP_FIELD_WORD:
    case LP_FIELD_WORD32:
        return parse_word(field, value, at, err);
    case LP_FIELD_DEPENDS:
    case LP_FIELD_IDS:
        return parse_list(field, value, ret_row, err);
    case LP_FIELD_OBJECT:
        return lp_fields_parse(&inside, value, NULL, arena, at, err);
    default:
        return parse_number(field, value, at, err);
    }
}

LP_MUST_CHECK static int unknown_key(const struct lp_fields *fields, const char *key,
                                     struct lp_err *err)
{
    const char *keys[64];
    size_t count = 0;
    for (size_t i = 0; i < fields->count; i++)
        if (fields->mask >> i & 1)
            keys[count++] = fields->items[i].key;
    const char *nearest = lp_spelling_nearest(key, keys, count);
    if (nearest)
        return lp_err_set(err, LP_EINPUT, "unknown key \"%s\", did you mean \"%s\"?", key, nearest);
    return lp_err_set(err, LP_EINPUT, "unknown key \"%s\"", key);
}

int lp_fields_parse(const struct lp_fields *fields, json_t *object, const char *own_key,
                    struct lp_arena *arena, void *ret_row, struct lp_err *err)
{
    lp_assert(fields->count <= 64);
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return lp_err_set(err, LP_EINPUT, "not a JSON object");
    json_object_foreach (object, key, value) {
        if (own_key && strcmp(key, own_key) == 0)
            continue;
        size_t i = 0;
        while (i < fields->count &&
               (!(fields->mask >> i & 1) || strcmp(key, fields->items[i].key) != 0))
            i++;
        if (i == fields->count)
            return unknown_key(fields, key, err);
        int result = parse_value(&fields->items[i], value, arena, ret_row, err);
        if (result < 0)
            return result;
    }
    return 0;
}

int lp_word_find(const char *what, const char *word, const char *const *words, size_t count,
                 struct lp_err *err)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(word, words[i]) == 0)
            return (int)i;
    const char *nearest = lp_spelling_nearest(word, words, count);
    if (nearest)
        return lp_err_set(err, LP_EINPUT, "unknown %s \"%s\", did you mean \"%s\"?", what, word,
                          nearest);
    return lp_err_set(err, LP_EINPUT, "unknown %s \"%s\"", what, word);
}
