// Mistakes of a file, collected one after the other while it is read.
#include "model/parse_mistake.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "model/limits.h"

bool lp_mistakes_is_full(const struct lp_mistakes *mistakes)
{
    return mistakes->count >= LP_DESCRIPTOR_MISTAKES_MAX;
}

static bool mistake_equal(const struct lp_mistake *a, const struct lp_mistake *b)
{
    return a->line == b->line && a->column == b->column && lp_text_equal(a->file, b->file) &&
           lp_text_equal(a->text, b->text);
}

void lp_mistake_put(struct lp_sink *sink, struct lp_place place, const char *fmt, ...)
{
    struct lp_mistakes *mistakes = sink->mistakes;
    sink->told++;
    if (lp_mistakes_is_full(mistakes))
        return;
    char text[900]; // leaves room for file:line:column in an lp_err
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    text[lp_utf8_valid(text, strlen(text))] = '\0'; // a cut may have split a character
    for (char *c = text; *c; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    struct lp_mistake mistake = {sink->file, place.line, place.column, text};
    for (size_t i = 0; i < mistakes->count; i++)
        if (mistake_equal(&mistakes->items[i], &mistake))
            return;
    mistake.text = lp_arena_text(sink->arena, text);
    mistakes->items[mistakes->count++] = mistake;
}

static bool mistake_before(const struct lp_mistake *a, const struct lp_mistake *b,
                           const char *first)
{
    bool is_a_first = lp_text_equal(a->file, first), is_b_first = lp_text_equal(b->file, first);
    if (is_a_first != is_b_first)
        return is_a_first;
    int order = strcmp(a->file, b->file);
    if (order)
        return order < 0;
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

// Insertion sort: stable, and there are at most a hundred.
void lp_mistakes_sort(struct lp_mistakes *mistakes, const char *first)
{
    for (size_t i = 1; i < mistakes->count; i++) {
        struct lp_mistake moved = mistakes->items[i];
        size_t at = i;
        for (; at > 0 && mistake_before(&moved, &mistakes->items[at - 1], first); at--)
            mistakes->items[at] = mistakes->items[at - 1];
        mistakes->items[at] = moved;
    }
}
