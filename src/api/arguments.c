// What a call carries, read by a table: from the query or a JSON body.
#include "api/arguments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/spelling.h"

enum { FIELDS_MAX = 16 };

static const struct lp_api_field none[] = {{0}};

// NULL: there is none, as err says.
static const struct lp_api_field *find(const struct lp_api_field *fields, const char *name,
                                       struct lp_err *err)
{
    const char *names[FIELDS_MAX];
    size_t count = 0;
    for (const struct lp_api_field *field = fields; field->name; field++) {
        if (strcmp(field->name, name) == 0)
            return field;
        names[count++] = field->name;
    }
    const char *nearest = lp_spelling_nearest(name, names, count);
    if (nearest)
        lp_err_set(err, LP_EINPUT, "unknown '%s'; did you mean '%s'?", name, nearest);
    else
        lp_err_set(err, LP_EINPUT, "unknown '%s'", name);
    return NULL;
}

static void *place(const struct lp_api_field *field, struct lp_api_arguments *arguments)
{
    return (char *)arguments + field->at;
}

static void number_put(const struct lp_api_field *field, uint64_t number,
                       struct lp_api_arguments *arguments)
{
    *(uint64_t *)place(field, arguments) = number;
    if (field->at == offsetof(struct lp_api_arguments, after))
        arguments->has_after = true;
}

LP_MUST_CHECK static int query_put(const struct lp_api_field *field, const char *value,
                                   struct lp_arena *arena, struct lp_api_arguments *arguments,
                                   struct lp_err *err)
{
    if (field->kind == LP_API_TEXT) {
        // An empty one is as good as none: forms send those.
        *(const char **)place(field, arguments) = value[0] ? lp_arena_text(arena, value) : NULL;
        return 0;
    }
    if (field->kind == LP_API_FLAG) {
        bool is_true = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
        if (!is_true && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
            return lp_err_set(err, LP_EINPUT, "%s: '%s' is neither true nor false", field->name,
                              value);
        *(bool *)place(field, arguments) = is_true;
        return 0;
    }
    char *end = NULL;
    errno = 0;
    uint64_t number = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || errno || number > field->most)
        return lp_err_set(err, LP_EINPUT, "%s: '%s' is not a number from 0 to %llu", field->name,
                          value, (unsigned long long)field->most);
    number_put(field, number, arguments);
    return 0;
}

int lp_api_read_query(const struct lp_api_field *fields, const struct lp_pairs *query,
                      struct lp_arena *arena, struct lp_api_arguments *arguments,
                      struct lp_err *err)
{
    fields = fields ? fields : none;
    for (size_t i = 0; i < query->count; i++) {
        const struct lp_api_field *field = find(fields, query->items[i].key, err);
        const char *value = query->items[i].value ? query->items[i].value : "";
        if (!field)
            return lp_err_wrap(err, "query");
        if (query_put(field, value, arena, arguments, err) < 0)
            return err->code;
    }
    for (const struct lp_api_field *field = fields; field->name; field++)
        if (field->is_needed && field->kind == LP_API_TEXT && !*(char **)place(field, arguments))
            return lp_err_set(err, LP_EINPUT, "query: '%s' is missing", field->name);
    return 0;
}

LP_MUST_CHECK static int pairs_put(const struct lp_api_field *field, json_t *value,
                                   struct lp_arena *arena, struct lp_api_arguments *arguments,
                                   struct lp_err *err)
{
    const char *key;
    json_t *content;
    struct lp_pairs *pairs = place(field, arguments);
    if (!json_is_object(value))
        return lp_err_set(err, LP_EINPUT, "%s: an object of texts is wanted", field->name);
    pairs->items = lp_arena_new_array(arena, struct lp_pair, json_object_size(value) + 1);
    json_object_foreach (value, key, content) {
        if (!json_is_string(content))
            return lp_err_set(err, LP_EINPUT, "%s: '%s' is not a text", field->name, key);
        pairs->items[pairs->count++] = (struct lp_pair){
            lp_arena_text(arena, key), lp_arena_text(arena, json_string_value(content))};
    }
    return 0;
}

LP_MUST_CHECK static int descriptor_put(json_t *value, struct lp_arena *arena,
                                        struct lp_api_arguments *arguments, struct lp_err *err)
{
    if (json_is_string(value)) {
        arguments->descriptor_bytes = json_string_length(value);
        arguments->descriptor =
            lp_arena_text_n(arena, json_string_value(value), arguments->descriptor_bytes);
        return 0;
    }
    if (!json_is_object(value))
        return lp_err_set(err, LP_EINPUT, "descriptor: a text or an object is wanted");
    LP_OWNS_TEXT char *text = json_dumps(value, JSON_COMPACT);
    if (!text)
        return lp_err_set(err, LP_EINPUT, "descriptor: cannot be written as JSON");
    arguments->descriptor = lp_arena_text(arena, text);
    arguments->descriptor_bytes = strlen(text);
    return 0;
}

LP_MUST_CHECK static int body_put(const struct lp_api_field *field, json_t *value,
                                  struct lp_arena *arena, struct lp_api_arguments *arguments,
                                  struct lp_err *err)
{
    switch (field->kind) {
    case LP_API_TEXT:
        if (json_is_null(value) && !field->is_needed)
            return 0;
        if (!json_is_string(value) || !json_string_length(value))
            return lp_err_set(err, LP_EINPUT, "%s: a text is wanted", field->name);
        *(const char **)place(field, arguments) = lp_arena_text(arena, json_string_value(value));
        return 0;
    case LP_API_NUMBER:
        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            (uint64_t)json_integer_value(value) > field->most)
            return lp_err_set(err, LP_EINPUT, "%s: a number from 0 to %llu is wanted", field->name,
                              (unsigned long long)field->most);
        number_put(field, (uint64_t)json_integer_value(value), arguments);
        return 0;
    case LP_API_FLAG:
        if (!json_is_boolean(value))
            return lp_err_set(err, LP_EINPUT, "%s: true or false is wanted", field->name);
        *(bool *)place(field, arguments) = json_is_true(value);
        return 0;
    case LP_API_DESCRIPTOR:
        return descriptor_put(value, arena, arguments, err);
    case LP_API_PAIRS:
        return pairs_put(field, value, arena, arguments, err);
    }
    return 0;
}

LP_MUST_CHECK static int object_read(const struct lp_api_field *fields, json_t *object,
                                     struct lp_arena *arena, struct lp_api_arguments *arguments,
                                     struct lp_err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach (object, key, value) {
        const struct lp_api_field *field = find(fields, key, err);
        if (!field || body_put(field, value, arena, arguments, err) < 0)
            return err->code;
    }
    for (const struct lp_api_field *field = fields; field->name; field++)
        if (field->is_needed && !json_object_get(object, field->name))
            return lp_err_set(err, LP_EINPUT, "'%s' is missing", field->name);
    return 0;
}

int lp_api_read_body(const struct lp_api_field *fields, const struct lp_api_call *call,
                     struct lp_arena *arena, struct lp_api_arguments *arguments, struct lp_err *err)
{
    if (!fields && call->body_bytes == 0)
        return 0;
    json_error_t where;
    json_t *body =
        json_loadb(call->body ? call->body : "", call->body_bytes, JSON_REJECT_DUPLICATES, &where);
    if (!body)
        return lp_err_set(err, LP_EINPUT, "body:%d:%d: %s", where.line, where.column, where.text);
    int code = json_is_object(body)
                   ? object_read(fields ? fields : none, body, arena, arguments, err)
                   : lp_err_set(err, LP_EINPUT, "an object is wanted");
    json_decref(body);
    return code < 0 ? lp_err_wrap(err, "body") : 0;
}
