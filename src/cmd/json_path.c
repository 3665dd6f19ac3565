// JSONPath: each part of the path maps the values found so far to those found next.
// Source: S. Gössner, JSONPath (2007); filters and slices are left out.
#include "cmd/json_path.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES = 256, MATCHES_MAX = 100000, DEPTH_MAX = 64 };

struct part {
    char key[KEY_BYTES];
    bool is_all, is_index, is_deep; // *, [n], ..
    long index;
};

static void one_add(const struct part *part, json_t *value, json_t *found)
{
    size_t i;
    const char *key;
    json_t *item;
    if (json_array_size(found) >= MATCHES_MAX)
        return;
    if (part->is_all && json_is_array(value)) {
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

// ['key'], [0], [*]. Returns what follows, or NULL.
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
