// Merge keys (`<<`) and keys that are given twice.
// Source: "Merge Key Language-Independent Type for YAML", 2005; as Compose understands it: a
// mapping or a list of mappings; the mapping's own keys win, then earlier ones of the list.
#include "model/yaml.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

bool lp_yaml_is_null(const struct lp_yaml_node *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    if (node->kind != LP_YAML_SCALAR || !node->is_plain)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strcmp(node->text, words[i]) == 0)
            return true;
    return false;
}

struct lp_yaml_node *lp_yaml_find(const struct lp_yaml_node *mapping, const char *key)
{
    for (size_t i = 0; mapping->kind == LP_YAML_MAPPING && i < mapping->count; i++)
        if (strcmp(mapping->keys[i]->text, key) == 0)
            return mapping->items[i];
    return NULL;
}

static bool is_merge(const struct lp_yaml_node *key)
{
    return key->is_plain && strcmp(key->text, "<<") == 0;
}

struct entry {
    struct lp_yaml_node *key, *item;
    size_t rank;  // place in the resulting order
    size_t force; // 0: own key; else the number of the merged mapping
};

struct entries {
    struct entry *items;
    size_t count, capacity;
};

static void entry_add(struct entries *entries, struct lp_arena *arena, struct entry entry)
{
    if (entries->count == entries->capacity) {
        entries->capacity = entries->capacity ? 2 * entries->capacity : 16;
        struct entry *items = lp_arena_new_array(arena, struct entry, entries->capacity);
        if (entries->count)
            memcpy(items, entries->items, entries->count * sizeof(*items));
        entries->items = items;
    }
    entry.rank = entries->count;
    entries->items[entries->count++] = entry;
}

static int by_text(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;
    int order = strcmp(left->key->text, right->key->text);
    if (order)
        return order;
    if (left->force != right->force)
        return left->force < right->force ? -1 : 1;
    return left->rank < right->rank ? -1 : left->rank > right->rank;
}

static int by_rank(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;
    return left->rank < right->rank ? -1 : left->rank > right->rank;
}

static bool merged_add(struct entries *entries, const struct lp_yaml_node *value, size_t *force,
                       struct lp_sink *sink)
{
    if (value->kind == LP_YAML_MAPPING) {
        *force += 1;
        for (size_t i = 0; i < value->count; i++)
            entry_add(entries, sink->arena,
                      (struct entry){value->keys[i], value->items[i], 0, *force});
        return true;
    }
    bool is_right = value->kind == LP_YAML_SEQUENCE;
    for (size_t i = 0; is_right && i < value->count; i++) {
        is_right = value->items[i]->kind == LP_YAML_MAPPING;
        if (is_right)
            merged_add(entries, value->items[i], force, sink);
    }
    if (!is_right)
        lp_mistake_put(sink, value->place, "'<<' takes a mapping or a list of mappings");
    return is_right;
}

// Drop all but the strongest entry of each key; own keys that are given twice are mistakes.
static bool entries_settle(struct entries *entries, struct lp_sink *sink)
{
    bool is_right = true;
    size_t kept = 0;
    qsort(entries->items, entries->count, sizeof(*entries->items), by_text);
    for (size_t i = 0; i < entries->count; i++) {
        struct entry *entry = &entries->items[i];
        const struct entry *last = kept ? &entries->items[kept - 1] : NULL;
        if (!last || strcmp(last->key->text, entry->key->text) != 0) {
            entries->items[kept++] = *entry;
        } else if (entry->force == 0) {
            lp_mistake_put(sink, entry->key->place, "'%s' is given twice; first at line %d",
                           entry->key->text, last->key->place.line);
            is_right = false;
        }
    }
    entries->count = kept;
    qsort(entries->items, entries->count, sizeof(*entries->items), by_rank);
    return is_right;
}

bool lp_yaml_merge(struct lp_yaml_node *mapping, struct lp_sink *sink)
{
    struct entries entries = {0};
    size_t force = 0;
    bool is_right = true;
    if (mapping->count == 0)
        return true;
    for (size_t i = 0; i < mapping->count; i++) {
        struct lp_yaml_node *key = mapping->keys[i], *item = mapping->items[i];
        if (is_merge(key))
            is_right = merged_add(&entries, item, &force, sink) && is_right;
        else
            entry_add(&entries, sink->arena, (struct entry){key, item, 0, 0});
    }
    if (entries.count)
        is_right = entries_settle(&entries, sink) && is_right;
    mapping->count = entries.count;
    mapping->keys = lp_arena_new_array(sink->arena, struct lp_yaml_node *, entries.count);
    mapping->items = lp_arena_new_array(sink->arena, struct lp_yaml_node *, entries.count);
    for (size_t i = 0; i < entries.count; i++) {
        mapping->keys[i] = entries.items[i].key;
        mapping->items[i] = entries.items[i].item;
    }
    return is_right;
}
