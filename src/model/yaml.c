// Builds the tree from libyaml's events.
#include "model/yaml.h"

#include <stdint.h>
#include <string.h>
#include <yaml.h>

#include "base/str.h"
#include "model/limits.h"

struct anchor {
    const char *name;
    struct lp_yaml_node *node; // NULL while it is being read
};

struct builder {
    yaml_parser_t parser;
    struct lp_sink *sink;
    struct anchor anchors[LP_YAML_ANCHORS_MAX];
    size_t anchor_count;
    size_t nodes, bytes; // so far, aliases expanded
    size_t max_bytes;
    bool is_wrong; // a mistake that does not stop the reading
};

struct list { // grows in the arena
    struct lp_yaml_node **items;
    size_t count, capacity;
};

static struct lp_yaml_node *node_build(struct builder *builder, const yaml_event_t *event,
                                       size_t depth);

static void list_add(struct lp_arena *arena, struct list *list, struct lp_yaml_node *node)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 8;
        struct lp_yaml_node **items =
            lp_arena_new_array(arena, struct lp_yaml_node *, list->capacity);
        for (size_t i = 0; i < list->count; i++)
            items[i] = list->items[i];
        list->items = items;
    }
    list->items[list->count++] = node;
}

static struct lp_place place_of(const yaml_mark_t *mark)
{
    return (struct lp_place){(int)mark->line + 1, (int)mark->column + 1};
}

static bool event_next(struct builder *builder, yaml_event_t *ret_event)
{
    if (yaml_parser_parse(&builder->parser, ret_event))
        return true;
    const yaml_parser_t *parser = &builder->parser;
    const char *problem = parser->problem ? parser->problem : "cannot be read";
    lp_mistake_put(builder->sink, place_of(&parser->problem_mark), "not valid YAML: %s%s%s",
                   problem, parser->context ? " " : "", parser->context ? parser->context : "");
    return false;
}

// Count what a node adds, for the bounds.
static bool weigh(struct builder *builder, struct lp_place place, size_t nodes, size_t bytes)
{
    builder->nodes += nodes;
    builder->bytes += bytes;
    if (builder->nodes > LP_YAML_NODES_MAX) {
        lp_mistake_put(builder->sink, place, "more than %d YAML nodes once aliases are expanded",
                       LP_YAML_NODES_MAX);
        return false;
    }
    if (builder->bytes > builder->max_bytes) {
        lp_mistake_put(builder->sink, place, "more than %zu bytes once aliases are expanded",
                       builder->max_bytes);
        return false;
    }
    return true;
}

static bool deep_enough(struct builder *builder, struct lp_place place, size_t depth)
{
    if (depth <= LP_YAML_DEPTH_MAX)
        return true;
    lp_mistake_put(builder->sink, place, "nested deeper than %d levels", LP_YAML_DEPTH_MAX);
    return false;
}

static void tag_check(struct builder *builder, const char *tag, struct lp_place place)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    static const char *const known[] = {"str", "int", "float", "bool", "null", "map", "seq"};
    if (!tag || strcmp(tag, "!") == 0)
        return;
    if (lp_text_starts(tag, prefix)) {
        for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
            if (strcmp(tag + sizeof(prefix) - 1, known[i]) == 0)
                return;
    }
    lp_mistake_put(builder->sink, place, "YAML tag '%s' is not supported", tag);
    builder->is_wrong = true;
}

// *ret_index is where the node is to be put once it is complete; SIZE_MAX without anchor.
static bool anchor_open(struct builder *builder, const unsigned char *name, struct lp_place place,
                        size_t *ret_index)
{
    *ret_index = SIZE_MAX;
    if (!name)
        return true;
    if (builder->anchor_count == LP_YAML_ANCHORS_MAX) {
        lp_mistake_put(builder->sink, place, "more than %d anchors", LP_YAML_ANCHORS_MAX);
        return false;
    }
    *ret_index = builder->anchor_count++;
    builder->anchors[*ret_index].name = lp_arena_text(builder->sink->arena, (const char *)name);
    builder->anchors[*ret_index].node = NULL;
    return true;
}

static void anchor_close(struct builder *builder, size_t index, struct lp_yaml_node *node)
{
    if (index != SIZE_MAX)
        builder->anchors[index].node = node;
}

static struct lp_yaml_node *alias_build(struct builder *builder, const yaml_event_t *event,
                                        size_t depth)
{
    const char *name = (const char *)event->data.alias.anchor;
    struct lp_place place = place_of(&event->start_mark);
    for (size_t i = builder->anchor_count; i > 0; i--) {
        const struct anchor *anchor = &builder->anchors[i - 1];
        if (strcmp(anchor->name, name) != 0)
            continue;
        if (!anchor->node) {
            lp_mistake_put(builder->sink, place, "alias '*%s' stands inside what it names", name);
            return NULL;
        }
        bool fits = weigh(builder, place, anchor->node->total_nodes, anchor->node->total_bytes) &&
                    deep_enough(builder, place, depth + anchor->node->height);
        return fits ? anchor->node : NULL;
    }
    lp_mistake_put(builder->sink, place, "alias '*%s' names no anchor before it", name);
    return NULL;
}

static struct lp_yaml_node *scalar_build(struct builder *builder, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t bytes = event->data.scalar.length;
    struct lp_place place = place_of(&event->start_mark);
    size_t index;
    if (!weigh(builder, place, 1, bytes) ||
        !anchor_open(builder, event->data.scalar.anchor, place, &index))
        return NULL;
    if (memchr(text, '\0', bytes)) {
        lp_mistake_put(builder->sink, place, "text holds a NUL character");
        return NULL;
    }
    tag_check(builder, (const char *)event->data.scalar.tag, place);
    struct lp_yaml_node *node = lp_arena_new(builder->sink->arena, struct lp_yaml_node);
    node->kind = LP_YAML_SCALAR;
    node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event->data.scalar.tag;
    node->place = place;
    node->text = lp_arena_text_n(builder->sink->arena, text, bytes);
    node->total_nodes = 1;
    node->total_bytes = bytes;
    anchor_close(builder, index, node);
    return node;
}

static void collection_close(struct lp_yaml_node *node)
{
    node->total_nodes = 1;
    for (size_t i = 0; i < node->count; i++) {
        const struct lp_yaml_node *item = node->items[i];
        node->total_nodes += item->total_nodes;
        node->total_bytes += item->total_bytes;
        if (item->height + 1 > node->height)
            node->height = item->height + 1;
        if (node->kind == LP_YAML_MAPPING) {
            node->total_nodes += 1;
            node->total_bytes += node->keys[i]->total_bytes;
        }
    }
}

static bool items_build(struct builder *builder, struct list *list, yaml_event_type_t end,
                        size_t depth)
{
    for (;;) {
        yaml_event_t event;
        if (!event_next(builder, &event))
            return false;
        bool is_end = event.type == end;
        struct lp_yaml_node *item = is_end ? NULL : node_build(builder, &event, depth + 1);
        yaml_event_delete(&event);
        if (is_end)
            return true;
        if (!item)
            return false;
        list_add(builder->sink->arena, list, item);
    }
}

static bool key_check(struct builder *builder, const struct lp_yaml_node *key)
{
    if (key->kind != LP_YAML_SCALAR) {
        lp_mistake_put(builder->sink, key->place, "a key must be a plain text");
        return false;
    }
    if (strlen(key->text) > LP_YAML_KEY_BYTES_MAX) {
        lp_mistake_put(builder->sink, key->place, "key longer than %d bytes",
                       LP_YAML_KEY_BYTES_MAX);
        return false;
    }
    return true;
}

static bool mapping_fill(struct builder *builder, struct lp_yaml_node *node,
                         const struct list *list)
{
    struct lp_arena *arena = builder->sink->arena;
    node->count = list->count / 2;
    node->keys = lp_arena_new_array(arena, struct lp_yaml_node *, node->count);
    node->items = lp_arena_new_array(arena, struct lp_yaml_node *, node->count);
    for (size_t i = 0; i < node->count; i++) {
        node->keys[i] = list->items[2 * i];
        node->items[i] = list->items[2 * i + 1];
        if (!key_check(builder, node->keys[i]))
            return false;
    }
    if (!lp_yaml_merge(node, builder->sink))
        builder->is_wrong = true;
    return true;
}

static struct lp_yaml_node *collection_build(struct builder *builder, const yaml_event_t *event,
                                             size_t depth)
{
    bool is_mapping = event->type == YAML_MAPPING_START_EVENT;
    const unsigned char *name =
        is_mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    const unsigned char *tag =
        is_mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    struct lp_place place = place_of(&event->start_mark);
    size_t index;
    if (!weigh(builder, place, 1, 0) || !deep_enough(builder, place, depth) ||
        !anchor_open(builder, name, place, &index))
        return NULL;
    tag_check(builder, (const char *)tag, place);
    struct list list = {0};
    if (!items_build(builder, &list, is_mapping ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT,
                     depth))
        return NULL;
    struct lp_yaml_node *node = lp_arena_new(builder->sink->arena, struct lp_yaml_node);
    node->kind = is_mapping ? LP_YAML_MAPPING : LP_YAML_SEQUENCE;
    node->place = place;
    node->items = list.items;
    node->count = list.count;
    if (is_mapping && !mapping_fill(builder, node, &list))
        return NULL;
    collection_close(node);
    anchor_close(builder, index, node);
    return node;
}

static struct lp_yaml_node *node_build(struct builder *builder, const yaml_event_t *event,
                                       size_t depth)
{
    switch ((int)event->type) {
    case YAML_ALIAS_EVENT:
        return alias_build(builder, event, depth);
    case YAML_SCALAR_EVENT:
        return scalar_build(builder, event);
    default:
        return collection_build(builder, event, depth);
    }
}

// Skip events until one of the wanted type; false when the stream ends or is wrong.
static bool event_seek(struct builder *builder, yaml_event_type_t wanted, yaml_event_t *ret_event)
{
    for (;;) {
        if (!event_next(builder, ret_event))
            return false;
        if (ret_event->type == wanted)
            return true;
        bool is_end = ret_event->type == YAML_STREAM_END_EVENT;
        yaml_event_delete(ret_event);
        if (is_end && wanted == YAML_DOCUMENT_START_EVENT)
            lp_mistake_put(builder->sink, (struct lp_place){1, 1}, "the file is empty");
        if (is_end)
            return false;
    }
}

static struct lp_yaml_node *document_build(struct builder *builder)
{
    yaml_event_t event;
    if (!event_seek(builder, YAML_DOCUMENT_START_EVENT, &event))
        return NULL;
    yaml_event_delete(&event);
    if (!event_next(builder, &event))
        return NULL;
    struct lp_yaml_node *root = node_build(builder, &event, 1);
    yaml_event_delete(&event);
    if (!root || !event_seek(builder, YAML_DOCUMENT_END_EVENT, &event))
        return NULL;
    yaml_event_delete(&event);
    if (!event_next(builder, &event))
        return NULL;
    bool is_last = event.type == YAML_STREAM_END_EVENT;
    if (!is_last)
        lp_mistake_put(builder->sink, place_of(&event.start_mark),
                       "a second YAML document; one file describes one infrastructure");
    yaml_event_delete(&event);
    return is_last && !builder->is_wrong ? root : NULL;
}

// Place of the first byte that is not valid UTF-8, or is NUL.
static bool text_check(const char *text, size_t bytes, struct lp_sink *sink)
{
    size_t valid = lp_utf8_valid(text, bytes);
    const char *nul = memchr(text, '\0', valid);
    size_t good = nul ? (size_t)(nul - text) : valid;
    if (good == bytes)
        return true;
    struct lp_place place = {1, 1};
    for (size_t i = 0; i < good; i++) {
        place.line += text[i] == '\n';
        if (text[i] == '\n')
            place.column = 1;
        else if ((text[i] & 0xc0) != 0x80)
            place.column++;
    }
    lp_mistake_put(sink, place,
                   nul ? "NUL character; the file must be text"
                       : "not UTF-8; save the file as UTF-8 text");
    return false;
}

struct lp_yaml_node *lp_yaml_parse(const char *text, size_t bytes, struct lp_sink *sink)
{
    if (!text_check(text, bytes, sink))
        return NULL;
    struct builder *builder = lp_arena_new(sink->arena, struct builder);
    builder->sink = sink;
    builder->max_bytes = bytes > LP_YAML_BYTES_MAX ? bytes : LP_YAML_BYTES_MAX;
    // libyaml looks for a byte order mark only where it has to find the encoding itself.
    size_t mark_bytes = bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    lp_assert(yaml_parser_initialize(&builder->parser));
    yaml_parser_set_encoding(&builder->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder->parser, (const unsigned char *)text + mark_bytes,
                                 bytes - mark_bytes);
    struct lp_yaml_node *root = document_build(builder);
    yaml_parser_delete(&builder->parser);
    return root;
}
