// A growing byte string, always NUL-terminated behind its length.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct lp_str { // {0} is the empty string
    char *text; // NULL while nothing was added; see lp_str_text
    size_t bytes, capacity;
};

void lp_str_release(struct lp_str *str); // frees; the string is empty and usable again
void lp_str_clear(struct lp_str *str);   // empty, memory kept
void lp_str_add(struct lp_str *str, const char *text);
void lp_str_add_n(struct lp_str *str, const char *bytes, size_t count);
void lp_str_add_char(struct lp_str *str, char c);
void lp_str_printf(struct lp_str *str, const char *fmt, ...) LP_PRINTF(2, 3);
// text as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
void lp_str_add_json(struct lp_str *str, const char *text);
// The text, "" when empty; lent until the next call that changes str.
const char *lp_str_text(const struct lp_str *str);

bool lp_text_equal(const char *a, const char *b); // NULL equals only NULL
bool lp_text_starts(const char *text, const char *prefix);
bool lp_text_ends(const char *text, const char *suffix);
// How many of the first `bytes` bytes at text form valid UTF-8 characters.
size_t lp_utf8_valid(const char *text, size_t bytes);
// How many characters (code points) valid UTF-8 has.
size_t lp_utf8_count(const char *text);
