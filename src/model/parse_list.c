// Reads lists of texts, commands, and lists of pairs.
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/interpolate.h"
#include "model/parse.h"

void lp_texts_add(struct lp_arena *arena, struct lp_texts *texts, const char *text)
{
    // Capacity is the next power of two: grow when count is one.
    if ((texts->count & (texts->count - 1)) == 0) {
        const char **items =
            lp_arena_new_array(arena, const char *, texts->count ? 2 * texts->count : 1);
        if (texts->count)
            memcpy(items, texts->items, texts->count * sizeof(*items));
        texts->items = items;
    }
    texts->items[texts->count++] = text;
}

bool lp_texts_has(const struct lp_texts *texts, const char *text)
{
    for (size_t i = 0; i < texts->count; i++)
        if (strcmp(texts->items[i], text) == 0)
            return true;
    return false;
}

bool lp_parse_texts(struct lp_reader *reader, struct lp_yaml_node *node, struct lp_texts *ret_texts)
{
    if (!lp_is_sequence(reader, node, "this"))
        return false;
    struct lp_texts texts = {lp_arena_new_array(reader->arena, const char *, node->count), 0};
    bool is_right = true;
    for (size_t i = 0; i < node->count; i++) {
        const char *text = lp_parse_text(reader, node->items[i]);
        if (text)
            texts.items[texts.count++] = text;
        is_right = is_right && text;
    }
    *ret_texts = texts;
    return is_right;
}

// A template action `{{ ... }}` stays whole, with its blanks and quotes.
static size_t action_bytes(const char *text)
{
    const char *end = text[0] == '{' && text[1] == '{' ? strstr(text, "}}") : NULL;
    return end ? (size_t)(end - text) + 2 : 0;
}

// Copy one word, its quotes and backslashes resolved; returns what follows, NULL when a quote is
// not closed.
static const char *word_split(const char *at, struct lp_str *ret_word)
{
    char quote = '\0';
    for (; *at && (quote || !strchr(" \t\n", *at)); at++) {
        bool is_escape = *at == '\\' && quote != '\'' && at[1];
        size_t action = quote == '\'' ? 0 : action_bytes(at);
        if (action) {
            lp_str_add_n(ret_word, at, action);
            at += action - 1;
        } else if (is_escape && (!quote || strchr("\"\\$`\n", at[1]))) {
            at++;
            if (*at != '\n') // backslash and newline join lines
                lp_str_add_char(ret_word, *at);
        } else if (quote ? *at == quote : *at == '\'' || *at == '"') {
            quote = quote ? '\0' : *at;
        } else {
            lp_str_add_char(ret_word, *at);
        }
    }
    return quote ? NULL : at;
}

static bool words_split(struct lp_reader *reader, const struct lp_yaml_node *node, const char *text,
                        struct lp_texts *ret_argv)
{
    struct lp_str word = {0};
    const char *at = text + strspn(text, " \t\n");
    while (at && *at) {
        lp_str_clear(&word);
        at = word_split(at, &word);
        if (!at)
            break;
        const char *copy = lp_arena_text_n(reader->arena, lp_str_text(&word), word.bytes);
        lp_mark_add(reader, copy, node);
        lp_texts_add(reader->arena, ret_argv, copy);
        at += strspn(at, " \t\n");
    }
    lp_str_release(&word);
    if (!at)
        lp_mistake_at(reader, node, "a quote in this command is not closed");
    return at != NULL;
}

bool lp_parse_argv(struct lp_reader *reader, struct lp_yaml_node *node, struct lp_texts *ret_argv)
{
    *ret_argv = (struct lp_texts){0};
    if (lp_yaml_is_null(node))
        return true;
    if (node->kind != LP_YAML_SCALAR)
        return lp_parse_texts(reader, node, ret_argv);
    const char *text = lp_parse_text(reader, node);
    return text && words_split(reader, node, text, ret_argv);
}

static bool pair_name_check(struct lp_reader *reader, const struct lp_yaml_node *node,
                            const char *key)
{
    if (*key && !strchr(key, '='))
        return true;
    lp_mistake_at(reader, node, "'%s' cannot be a name here: it is empty or holds '='", key);
    return false;
}

// KEY=VALUE, or KEY alone.
static bool pair_split(struct lp_reader *reader, struct lp_yaml_node *node,
                       struct lp_pair *ret_pair)
{
    const char *text = lp_parse_text(reader, node);
    if (!text)
        return false;
    const char *equals = strchr(text, '=');
    ret_pair->key = equals ? lp_arena_text_n(reader->arena, text, (size_t)(equals - text)) : text;
    ret_pair->value = equals ? lp_arena_text(reader->arena, equals + 1)
                             : lp_pairs_find(reader->input->environment, text);
    if (equals)
        lp_mark_add(reader, ret_pair->value, node);
    return pair_name_check(reader, node, ret_pair->key);
}

static bool pair_read(struct lp_reader *reader, const struct lp_yaml_node *node, size_t i,
                      struct lp_pair *ret_pair)
{
    if (node->kind == LP_YAML_SEQUENCE)
        return pair_split(reader, node->items[i], ret_pair);
    ret_pair->key = node->keys[i]->text;
    bool is_null = lp_yaml_is_null(node->items[i]);
    ret_pair->value = is_null ? lp_pairs_find(reader->input->environment, ret_pair->key)
                              : lp_parse_text(reader, node->items[i]);
    return pair_name_check(reader, node->keys[i], ret_pair->key) && (is_null || ret_pair->value);
}

bool lp_parse_pairs(struct lp_reader *reader, struct lp_yaml_node *node, struct lp_pairs *ret_pairs)
{
    if (node->kind == LP_YAML_SCALAR) {
        *ret_pairs = (struct lp_pairs){0};
        if (!lp_yaml_is_null(node))
            lp_mistake_at(reader, node, "a mapping or a list of KEY=VALUE is expected here");
        return lp_yaml_is_null(node);
    }
    struct lp_pairs pairs = {lp_arena_new_array(reader->arena, struct lp_pair, node->count), 0};
    bool is_right = true;
    for (size_t i = 0; i < node->count; i++) {
        struct lp_pair pair;
        bool is_good = pair_read(reader, node, i, &pair);
        if (is_good && pair.value)
            pairs.items[pairs.count++] = pair;
        is_right = is_right && is_good;
    }
    *ret_pairs = lp_pairs_overlay(reader->arena, &pairs, &(struct lp_pairs){0});
    return is_right;
}

struct ranked {
    struct lp_pair pair;
    size_t rank; // place; the first place of a key counts, the last value does
};

static int ranked_by_key(const void *a, const void *b)
{
    const struct ranked *left = a, *right = b;
    int order = strcmp(left->pair.key, right->pair.key);
    if (order)
        return order;
    return left->rank < right->rank ? -1 : left->rank > right->rank;
}

static int ranked_by_rank(const void *a, const void *b)
{
    const struct ranked *left = a, *right = b;
    return left->rank < right->rank ? -1 : left->rank > right->rank;
}

struct lp_pairs lp_pairs_overlay(struct lp_arena *arena, const struct lp_pairs *below,
                                 const struct lp_pairs *above)
{
    size_t count = below->count + above->count, kept = 0;
    struct ranked *rows = lp_arena_new_array(arena, struct ranked, count);
    for (size_t i = 0; i < count; i++)
        rows[i] =
            (struct ranked){i < below->count ? below->items[i] : above->items[i - below->count], i};
    if (count)
        qsort(rows, count, sizeof(*rows), ranked_by_key);
    for (size_t i = 0; i < count; i++) {
        if (kept && strcmp(rows[kept - 1].pair.key, rows[i].pair.key) == 0)
            rows[kept - 1].pair.value = rows[i].pair.value;
        else
            rows[kept++] = rows[i];
    }
    if (kept)
        qsort(rows, kept, sizeof(*rows), ranked_by_rank);
    struct lp_pairs pairs = {lp_arena_new_array(arena, struct lp_pair, kept), kept};
    for (size_t i = 0; i < kept; i++)
        pairs.items[i] = rows[i].pair;
    return pairs;
}
