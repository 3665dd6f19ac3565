// A growing byte string, always NUL-terminated behind its length.
#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"

void lp_str_release(struct lp_str *str)
{
    lp_heap_free(str->text);
    *str = (struct lp_str){0};
}

void lp_str_clear(struct lp_str *str)
{
    str->bytes = 0;
    if (str->text)
        str->text[0] = '\0';
}

static void reserve(struct lp_str *str, size_t more)
{
    lp_assert(more < SIZE_MAX / 4);
    size_t wanted = str->bytes + more + 1;
    if (wanted <= str->capacity)
        return;
    size_t capacity = str->capacity ? str->capacity : 64;
    while (capacity < wanted)
        capacity *= 2;
    str->text = lp_heap_grow(str->text, capacity, 1);
    str->capacity = capacity;
}

void lp_str_add_n(struct lp_str *str, const char *bytes, size_t count)
{
    reserve(str, count);
    if (count)
        memcpy(str->text + str->bytes, bytes, count);
    str->bytes += count;
    str->text[str->bytes] = '\0';
}

void lp_str_add(struct lp_str *str, const char *text)
{
    lp_str_add_n(str, text, strlen(text));
}

void lp_str_add_char(struct lp_str *str, char c)
{
    lp_str_add_n(str, &c, 1);
}

void lp_str_printf(struct lp_str *str, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    lp_assert(bytes >= 0);
    reserve(str, (size_t)bytes);
    vsnprintf(str->text + str->bytes, (size_t)bytes + 1, fmt, again);
    va_end(again);
    str->bytes += (size_t)bytes;
}

// Bytes of the valid UTF-8 character at text, 0 if there is none (RFC 3629: no surrogates, no
// overlong forms, nothing above U+10FFFF).
static size_t utf8_char(const unsigned char *text, size_t bytes)
{
    unsigned char first = text[0];
    if (first < 0x80)
        return 1;
    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || bytes < length)
        return 0;
    uint32_t code = first & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3fu);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    bool is_bad = code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff);
    return is_bad ? 0 : length;
}

size_t lp_utf8_valid(const char *text, size_t bytes)
{
    size_t at = 0;
    while (at < bytes) {
        size_t length = utf8_char((const unsigned char *)text + at, bytes - at);
        if (!length)
            break;
        at += length;
    }
    return at;
}

size_t lp_utf8_count(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static void add_json_ascii(struct lp_str *str, unsigned char c)
{
    static const char shorts[] = "\"\"\\\\\nn\tt\rr\bb\ff";
    for (size_t i = 0; i + 1 < sizeof(shorts); i += 2) {
        if ((unsigned char)shorts[i] == c) {
            lp_str_add_char(str, '\\');
            lp_str_add_char(str, shorts[i + 1]);
            return;
        }
    }
    if (c < 0x20 || c == 0x7f)
        lp_str_printf(str, "\\u%04x", c);
    else
        lp_str_add_char(str, (char)c);
}

void lp_str_add_json(struct lp_str *str, const char *text)
{
    size_t bytes = strlen(text);
    lp_str_add_char(str, '"');
    for (size_t at = 0; at < bytes;) {
        size_t length = utf8_char((const unsigned char *)text + at, bytes - at);
        if (length == 1)
            add_json_ascii(str, (unsigned char)text[at]);
        else if (length > 1)
            lp_str_add_n(str, text + at, length);
        else
            lp_str_add(str, "\\ufffd");
        at += length ? length : 1;
    }
    lp_str_add_char(str, '"');
}

const char *lp_str_text(const struct lp_str *str)
{
    return str->text ? str->text : "";
}

bool lp_text_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool lp_text_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool lp_text_ends(const char *text, const char *suffix)
{
    size_t text_bytes = strlen(text), suffix_bytes = strlen(suffix);
    return text_bytes >= suffix_bytes && strcmp(text + text_bytes - suffix_bytes, suffix) == 0;
}
