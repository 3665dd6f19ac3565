// JSONPath: each part of the path maps the values found so far to those found next.
// Source: S. Gössner, JSONPath (2007); slices are left out, and of filters there are those that
// compare one path with one value. A filter behind an array is about its items, as there; behind
// an object, about the object itself, as in jsonpath2.
#include "cmd/experiment/json_path.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES = 256, MATCHES_MAX = 100000, DEPTH_MAX = 64 };

struct part {
    char key[KEY_BYTES];
    bool is_all, is_index, is_deep, is_filter; // *, [n], .., [?(@.path < value)]
    long index;
    char compares[3]; // of a filter, whose path is key: "==", "<", ...; "": that it is there
    char value[KEY_BYTES];
};
static const char *const comparisons[] = {"==", "!=", "<=", ">=", "<", ">"};

bool lp_json_same(const json_t *a, const json_t *b)
{
    if (!json_is_number(a) || !json_is_number(b))
        return json_equal(a, b);
    double difference = json_number_value(a) - json_number_value(b);
    return difference >= 0 && difference <= 0;
}

static bool is_so(const json_t *found, const char *compares, const json_t *wanted)
{
    if (strcmp(compares, "==") == 0 || strcmp(compares, "!=") == 0)
        return lp_json_same(found, wanted) == (compares[0] == '=');
    double order = json_number_value(found) - json_number_value(wanted);
    if (json_is_string(found) && json_is_string(wanted))
        order = strcmp(json_string_value(found), json_string_value(wanted));
    else if (!json_is_number(found) || !json_is_number(wanted))
        return false;
    bool is_equal_good = compares[1] == '=' && order >= 0 && order <= 0;
    return is_equal_good || (compares[0] == '<' ? order < 0 : order > 0);
}

static bool is_chosen(const struct part *part, const json_t *value)
{
    struct lp_err err;
    json_t *matches = NULL;
    if (lp_json_path(value, part->key, &matches, &err) < 0)
        return false;
    const json_t *found = json_array_get(matches, 0);
    json_t *wanted = json_loads(part->value, JSON_DECODE_ANY, NULL);
    bool is_it = found && (!part->compares[0] || is_so(found, part->compares, wanted));
    json_decref(wanted);
    json_decref(matches);
    return is_it;
}

static void one_add(const struct part *part, json_t *value, json_t *found)
{
    size_t i;
    const char *key;
    json_t *item;
    if (json_array_size(found) >= MATCHES_MAX)
        return;
    if (part->is_filter && json_is_array(value)) {
        json_array_foreach (value, i, item) {
            if (is_chosen(part, item))
                json_array_append(found, item);
        }
    } else if (part->is_filter) {
        if (is_chosen(part, value))
            json_array_append(found, value);
    } else if (part->is_all && json_is_array(value)) {
        json_array_foreach (value, i, item) {
            json_array_append(found, item);
        }
    } else if (part->is_all && json_is_object(value)) {
        json_object_foreach (value, key, item) {
            json_array_append(found, item);
        }
    } else if (part->is_index && json_is_array(value)) {
        long count = (long)json_array_size(value);
        long at = part->index < 0 ? count + part->index : part->index;
        if (at >= 0 && at < count)
            json_array_append(found, json_array_get(value, (size_t)at));
    } else if (!part->is_all && !part->is_index) {
        item = json_object_get(value, part->key);
        if (item)
            json_array_append(found, item);
    }
}

static void deep_add(const struct part *part, json_t *value, json_t *found, int depth)
{
    size_t i;
    const char *key;
    json_t *item;
    one_add(part, value, found);
    if (depth == DEPTH_MAX)
        return;
    if (json_is_array(value)) {
        json_array_foreach (value, i, item) {
            deep_add(part, item, found, depth + 1);
        }
    } else if (json_is_object(value)) {
        json_object_foreach (value, key, item) {
            deep_add(part, item, found, depth + 1);
        }
    }
}

// ?(@.a.b), ?(@.a == 'x'), ?(@.a >= 5). Returns what follows its bracket, or NULL.
static const char *filter_read(const char *inner, struct part *part)
{
    const char *path = inner + 3, *end = path + strcspn(path, " =!<>)");
    const char *rest = end + strspn(end, " ");
    size_t bytes = (size_t)(end - path);
    part->is_filter = true;
    if (bytes == 0 || bytes >= KEY_BYTES)
        return NULL;
    memcpy(part->key, path, bytes);
    for (size_t i = 0; !part->compares[0] && i < sizeof(comparisons) / sizeof(*comparisons); i++) {
        if (strncmp(rest, comparisons[i], strlen(comparisons[i])) == 0)
            memcpy(part->compares, comparisons[i], strlen(comparisons[i]) + 1);
    }
    rest += strlen(part->compares);
    rest += strspn(rest, " ");
    if (part->compares[0]) {
        char quote = *rest == '\'' || *rest == '"' ? *rest : '\0';
        const char *close = quote ? strchr(rest + 1, quote) : rest + strcspn(rest, " )");
        bytes = close ? (size_t)(close - rest) : KEY_BYTES;
        if (bytes + 2 >= KEY_BYTES || bytes == 0)
            return NULL;
        memcpy(part->value, rest, bytes);
        if (quote)
            part->value[0] = part->value[bytes] = '"';
        rest = quote ? close + 1 : close;
        rest += strspn(rest, " ");
    }
    return strncmp(rest, ")]", 2) == 0 ? rest + 2 : NULL;
}

// ['key'], [0], [*], [?(filter)]. Returns what follows, or NULL.
static const char *bracket_read(const char *path, struct part *part)
{
    char *end;
    const char *inner = path + 1;
    if (*inner == '\'' || *inner == '"') {
        const char *close = strchr(inner + 1, *inner);
        size_t bytes = close ? (size_t)(close - inner - 1) : KEY_BYTES;
        if (bytes >= KEY_BYTES || close[1] != ']')
            return NULL;
        memcpy(part->key, inner + 1, bytes);
        return close + 2;
    }
    if (strncmp(inner, "?(@", 3) == 0)
        return filter_read(inner, part);
    if (strncmp(inner, "*]", 2) == 0) {
        part->is_all = true;
        return inner + 2;
    }
    part->is_index = true;
    part->index = strtol(inner, &end, 10);
    return end > inner && *end == ']' ? end + 1 : NULL;
}

static const char *part_read(const char *path, struct part *part)
{
    *part = (struct part){0};
    if (strncmp(path, "..", 2) == 0) {
        part->is_deep = true;
        path += 2;
    } else if (*path == '.') {
        path++;
    }
    if (*path == '[')
        return bracket_read(path, part);
    size_t bytes = strcspn(path, ".[");
    if (bytes == 0 || bytes >= KEY_BYTES)
        return NULL;
    memcpy(part->key, path, bytes);
    part->is_all = strcmp(part->key, "*") == 0;
    return path + bytes;
}

int lp_json_path(const json_t *value, const char *path, json_t **ret_matches, struct lp_err *err)
{
    const char *rest = path[0] == '$' ? path + 1 : path;
    json_t *found = json_array(), *item;
    json_t *whole = json_deep_copy(value);
    size_t i;
    json_array_append_new(found, whole);
    while (*rest) {
        struct part part;
        rest = part_read(rest, &part);
        if (!rest) {
            json_decref(found);
            return lp_err_set(err, LP_EINPUT, "'%s' is no path that Limpet knows, such as $.a[0].b",
                              path);
        }
        json_t *next = json_array();
        json_array_foreach (found, i, item) {
            if (part.is_deep)
                deep_add(&part, item, next, 0);
            else
                one_add(&part, item, next);
        }
        json_decref(found);
        found = next;
    }
    *ret_matches = found;
    return 0;
}
