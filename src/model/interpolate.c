// Variables in a text.
// Source: Compose Specification, "Interpolation".
#include "model/interpolate.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"
#include "model/limits.h"

enum { DEPTH_MAX = 8 }; // of defaults within defaults

struct expansion {
    struct lp_interpolation *how;
    const char *text; // whole
    struct lp_err *err;
    int depth;
};

const char *lp_pairs_find(const struct lp_pairs *pairs, const char *key)
{
    for (size_t i = pairs ? pairs->count : 0; i > 0; i--)
        if (strcmp(pairs->items[i - 1].key, key) == 0)
            return pairs->items[i - 1].value;
    return NULL;
}

static size_t dollars_before(const char *text, const char *at)
{
    size_t count = 0;
    for (; text < at; text++)
        count += *text == '$';
    return count;
}

static bool is_name_char(char c, bool is_first)
{
    return c == '_' || isalpha((unsigned char)c) || (!is_first && isdigit((unsigned char)c));
}

static size_t name_bytes(const char *text)
{
    size_t bytes = 0;
    while (is_name_char(text[bytes], bytes == 0))
        bytes++;
    return bytes;
}

// The closing brace that belongs to the text after "${"; NULL when there is none before end.
static const char *brace_find(const char *text, const char *end)
{
    int open = 1;
    for (; text < end; text++) {
        if (*text == '$' && text + 1 < end && text[1] == '$') {
            text++;
        } else if (*text == '$' && text + 1 < end && text[1] == '{') {
            open++;
            text++;
        } else if (*text == '}' && --open == 0) {
            return text;
        }
    }
    return NULL;
}

static int fail(const struct expansion *e, const char *at)
{
    e->how->dollar = dollars_before(e->text, at);
    return LP_EINPUT;
}

static int range_expand(struct expansion *e, const char *at, const char *end,
                        struct lp_str *ret_text);

static int nested_expand(struct expansion *e, const char *at, const char *end,
                         struct lp_str *ret_text)
{
    if (e->depth == DEPTH_MAX) {
        lp_err_set(e->err, LP_EINPUT, "variables nested deeper than %d levels", DEPTH_MAX);
        return fail(e, at);
    }
    e->depth++;
    int code = range_expand(e, at, end, ret_text);
    e->depth--;
    return code;
}

static int unset_refuse(const struct expansion *e, const char *dollar, const char *name)
{
    lp_err_set(e->err, LP_EINPUT,
               "variable '%s' is not set; set it, or write ${%s:-default} (${%s:-} for nothing)",
               name, name, name);
    return fail(e, dollar);
}

static int value_add(const struct expansion *e, const char *dollar, const char *value,
                     struct lp_str *ret_text)
{
    size_t bytes = strlen(value);
    if (lp_utf8_valid(value, bytes) != bytes) {
        lp_err_set(e->err, LP_EINPUT, "the variable's value is not UTF-8 text");
        return fail(e, dollar);
    }
    if (ret_text->bytes + bytes > e->how->max_bytes) {
        e->how->dollar = dollars_before(e->text, dollar);
        return lp_err_set(e->err, LP_EFULL, "too much text once variables are expanded");
    }
    lp_str_add_n(ret_text, value, bytes);
    return 0;
}

static int error_refuse(struct expansion *e, const char *dollar, const char *name,
                        const char *const word[2])
{
    struct lp_str text = {0};
    int code = nested_expand(e, word[0], word[1], &text);
    if (code == 0 && text.bytes)
        lp_err_set(e->err, LP_EINPUT, "variable '%s': %s", name, lp_str_text(&text));
    else if (code == 0)
        lp_err_set(e->err, LP_EINPUT, "variable '%s' is required", name);
    lp_str_release(&text);
    return code ? code : fail(e, dollar);
}

// "${NAME" has been read; at: what follows the name, end: the closing brace.
static int braced_expand(struct expansion *e, const char *dollar, const char *const range[2],
                         const char *name, struct lp_str *ret_text)
{
    const char *at = range[0], *end = range[1];
    const char *value = lp_pairs_find(e->how->environment, name);
    if (at == end)
        return value ? value_add(e, dollar, value, ret_text) : unset_refuse(e, dollar, name);
    bool with_colon = *at == ':';
    at += with_colon;
    char operator= at<end ? *at : '\0';
    bool is_given = value && (!with_colon || *value);
    switch (operator) {
    case '-':
        return is_given ? value_add(e, dollar, value, ret_text)
                        : nested_expand(e, at + 1, end, ret_text);
    case '+':
        return is_given ? nested_expand(e, at + 1, end, ret_text) : 0;
    case '?':
        return is_given ? value_add(e, dollar, value, ret_text)
                        : error_refuse(e, dollar, name, (const char *const[2]){at + 1, end});
    default:
        lp_err_set(e->err, LP_EINPUT,
                   "'%.*s' after variable '%s': only :- - :? ? :+ + may follow the name",
                   (int)(end - range[0] < 20 ? end - range[0] : 20), range[0], name);
        return fail(e, dollar);
    }
}

// *at stands on a dollar sign; moved behind the variable.
static int variable_expand(struct expansion *e, const char **at, const char *end,
                           struct lp_str *ret_text)
{
    const char *dollar = *at, *name = dollar + 1;
    bool is_braced = name < end && *name == '{';
    name += is_braced;
    size_t bytes = name_bytes(name);
    if (bytes == 0 || bytes > 255 || name + bytes > end) {
        lp_err_set(e->err, LP_EINPUT,
                   "no variable name after '$'; write $$ where a dollar sign is meant");
        return fail(e, dollar);
    }
    char variable[256] = {0};
    memcpy(variable, name, bytes);
    const char *close = is_braced ? brace_find(name + bytes, end) : name + bytes;
    if (!close) {
        lp_err_set(e->err, LP_EINPUT, "'${%s' has no closing '}'", variable);
        return fail(e, dollar);
    }
    *at = close + is_braced;
    const char *const range[2] = {name + bytes, close};
    return braced_expand(e, dollar, range, variable, ret_text);
}

static int range_expand(struct expansion *e, const char *at, const char *end,
                        struct lp_str *ret_text)
{
    while (at < end) {
        const char *dollar = memchr(at, '$', (size_t)(end - at));
        lp_str_add_n(ret_text, at, (size_t)((dollar ? dollar : end) - at));
        if (!dollar)
            break;
        at = dollar;
        if (at + 1 < end && at[1] == '$') {
            lp_str_add_char(ret_text, '$');
            at += 2;
            continue;
        }
        int code = variable_expand(e, &at, end, ret_text);
        if (code < 0)
            return code;
    }
    return 0;
}

int lp_interpolate(struct lp_interpolation *how, const char *text, struct lp_str *ret_text,
                   struct lp_err *err)
{
    struct expansion e = {.how = how, .text = text, .err = err};
    return range_expand(&e, text, text + strlen(text), ret_text);
}
