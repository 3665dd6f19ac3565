// Reads mappings whose keys are known: a table says what each key means.
#include <string.h>

#include "base/spelling.h"
#include "base/str.h"
#include "model/parse.h"

static const struct lp_key *key_find(const struct lp_schema *schema, const char *name,
                                     bool is_canonical)
{
    for (size_t i = 0; i < schema->key_count; i++) {
        const struct lp_key *key = &schema->keys[i];
        if ((key->flags & LP_KEY_CANONICAL) && !is_canonical)
            continue;
        if (strcmp(key->name, name) == 0)
            return key;
    }
    return NULL;
}

static const struct lp_refused *refused_find(const struct lp_schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->refused_count; i++)
        if (strcmp(schema->refused[i].name, name) == 0)
            return &schema->refused[i];
    return NULL;
}

static void unknown_report(struct lp_reader *reader, const struct lp_schema *schema,
                           const struct lp_yaml_node *key)
{
    const struct lp_refused *refused = refused_find(schema, key->text);
    if (refused) {
        lp_mistake_at(reader, key, "'%s' is a key of Compose that Limpet does not support%s%s",
                      key->text, refused->instead ? "; " : "",
                      refused->instead ? refused->instead : "");
        return;
    }
    reader->unknown_count++;
    if (lp_mistakes_is_full(reader->sink.mistakes))
        return;
    const char **words = lp_arena_new_array(reader->arena, const char *, schema->key_count);
    size_t count = 0;
    for (size_t i = 0; i < schema->key_count; i++)
        if (!(schema->keys[i].flags & LP_KEY_CANONICAL))
            words[count++] = schema->keys[i].name;
    lp_mistake_at(reader, key, "unknown key '%s' in %s%s", key->text, schema->what,
                  lp_hint_nearest(reader, key->text, words, count));
}

static void keys_check(struct lp_reader *reader, const struct lp_schema *schema,
                       const struct lp_yaml_node *mapping)
{
    for (size_t i = 0; i < mapping->count; i++) {
        const struct lp_yaml_node *key = mapping->keys[i];
        if (lp_text_starts(key->text, "x-"))
            continue;
        if (!key_find(schema, key->text, reader->input->is_canonical))
            unknown_report(reader, schema, key);
    }
}

static struct lp_yaml_node *value_find(const struct lp_yaml_node *mapping, const struct lp_key *key)
{
    if (key->flags & LP_KEY_OWN) {
        char own[64] = "x-";
        strncat(own, key->name, sizeof(own) - 3);
        struct lp_yaml_node *value = lp_yaml_find(mapping, own);
        if (value)
            return value;
    }
    return lp_yaml_find(mapping, key->name);
}

void lp_schema_read(struct lp_reader *reader, const struct lp_schema *schema,
                    struct lp_yaml_node *mapping, void *into)
{
    if (!lp_is_mapping(reader, mapping, schema->what))
        return;
    keys_check(reader, schema, mapping);
    for (size_t i = 0; i < schema->key_count; i++) {
        const struct lp_key *key = &schema->keys[i];
        if ((key->flags & LP_KEY_IGNORED) ||
            ((key->flags & LP_KEY_CANONICAL) && !reader->input->is_canonical))
            continue;
        struct lp_yaml_node *value = value_find(mapping, key);
        if (value)
            key->read(reader, value, into);
    }
}
