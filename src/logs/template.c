// From a text to its template: which tokens stay, and a number for what stays.
#include <string.h>

#include "base/str.h"
#include "logs/line_parts.h"

enum { BLANK = 1, DIGIT = 2, EQUAL = 4, ODD = 8 };

// What a byte is. Odd: to be mended before it may be shown, or perhaps (UTF-8).
static const uint8_t kinds[256] = {
    [0 ... 8] = ODD,       ['\t'] = BLANK,    [10 ... 12] = ODD,
    ['\r'] = BLANK,        [14 ... 31] = ODD, [' '] = BLANK,
    ['0' ... '9'] = DIGIT, ['='] = EQUAL,     [127 ... 255] = ODD,
};

#define STAR_HASH UINT64_C(0x9e3779b97f4a7c15) // of the token "*"

// Source of the constants: Fibonacci hashing; the finish is that of MurmurHash3 (Appleby).
uint64_t lp_log_hash_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
    return hash ^ hash >> 32;
}

uint64_t lp_log_hash_bytes(const char *bytes, size_t count)
{
    uint64_t hash = count * STAR_HASH, word;
    for (; count >= 8; bytes += 8, count -= 8) {
        memcpy(&word, bytes, 8);
        hash = lp_log_hash_mix(hash, word);
    }
    word = 0;
    if (count)
        memcpy(&word, bytes, count);
    return lp_log_hash_mix(hash, word);
}

static struct lp_span cut(struct lp_span text)
{
    if (text.bytes > LP_LOG_TEXT_BYTES)
        text.bytes = LP_LOG_TEXT_BYTES;
    return text;
}

bool lp_log_text_is_plain(struct lp_span text)
{
    uint8_t seen = 0;
    text = cut(text);
    for (size_t i = 0; i < text.bytes; i++)
        seen |= kinds[(unsigned char)text.at[i]];
    return !(seen & ODD);
}

void lp_log_text_mend(struct lp_span text, struct lp_str *ret_text)
{
    text = cut(text);
    while (text.bytes > 0) {
        unsigned char byte = (unsigned char)*text.at;
        size_t good = byte < 0x80 ? 0 : lp_utf8_valid(text.at, text.bytes);
        if (byte < 0x80)
            lp_str_add_char(ret_text, kinds[byte] & ODD ? '?' : (char)byte);
        else if (good)
            lp_str_add_n(ret_text, text.at, good);
        else
            lp_str_add_char(ret_text, '?');
        lp_span_skip(&text, good && byte >= 0x80 ? good : 1);
    }
}

struct token {
    const char *at;
    size_t bytes, equal; // equal: bytes up to and with the first '=' behind the first byte; 0: none
    bool has_digit;
};

static bool token_next(struct lp_span *rest, struct token *ret_token)
{
    const char *at = rest->at, *end = at + rest->bytes;
    while (at < end && kinds[(unsigned char)*at] & BLANK)
        at++;
    if (at == end)
        return false;
    const char *start = at;
    uint8_t seen = 0, kind;
    for (; at < end && !((kind = kinds[(unsigned char)*at]) & BLANK); at++)
        seen |= kind;
    *ret_token = (struct token){.at = start, .bytes = (size_t)(at - start)};
    ret_token->has_digit = seen & DIGIT;
    if (seen & EQUAL) {
        const char *equal = memchr(start, '=', ret_token->bytes);
        ret_token->equal = equal > start ? (size_t)(equal - start) + 1 : 0;
    }
    rest->bytes = (size_t)(end - at);
    rest->at = at;
    return true;
}

// Tokens: one with a digit is a variable; of key=value the key stays, when it has no digit itself.
enum shape { KEPT, KEY, STAR };

static bool has_digit(const char *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (kinds[(unsigned char)at[i]] & DIGIT)
            return true;
    return false;
}

static enum shape shape_of(const struct token *token)
{
    if (token->equal && !(token->has_digit && has_digit(token->at, token->equal)))
        return KEY;
    bool is_star = token->bytes == 1 && *token->at == '*';
    return token->has_digit || is_star ? STAR : KEPT;
}

static uint64_t hash_tokens(struct lp_span text)
{
    struct token token;
    uint64_t hash = 0;
    bool was_star = false;
    while (token_next(&text, &token)) {
        enum shape shape = shape_of(&token);
        if (shape == STAR && was_star)
            continue;
        was_star = shape == STAR;
        if (shape == STAR)
            hash = lp_log_hash_mix(hash, STAR_HASH);
        else if (shape == KEY) // as the token "key=*" would be
            hash = lp_log_hash_mix(lp_log_hash_mix(hash, '*'),
                                   lp_log_hash_bytes(token.at, token.equal));
        else
            hash = lp_log_hash_mix(hash, lp_log_hash_bytes(token.at, token.bytes));
    }
    return hash;
}

static void clean_tokens(struct lp_span text, struct lp_str *out)
{
    struct token token;
    bool was_star = false, is_first = true;
    while (token_next(&text, &token)) {
        enum shape shape = shape_of(&token);
        if (shape == STAR && was_star)
            continue;
        was_star = shape == STAR;
        lp_str_add(out, is_first ? "" : " ");
        is_first = false;
        if (shape == KEPT)
            lp_str_add_n(out, token.at, token.bytes);
        else if (shape == KEY)
            lp_str_add_n(out, token.at, token.equal);
        if (shape != KEPT)
            lp_str_add_char(out, '*');
    }
}

// Numerals: digits are left out; a token of nothing else disappears.
static size_t numerals_drop(const struct token *token, char *ret_kept)
{
    size_t kept = 0;
    for (size_t i = 0; i < token->bytes; i++)
        if (!(kinds[(unsigned char)token->at[i]] & DIGIT))
            ret_kept[kept++] = token->at[i];
    return kept;
}

static uint64_t hash_numerals(struct lp_span text)
{
    struct token token;
    char kept[LP_LOG_TEXT_BYTES];
    uint64_t hash = 0;
    while (token_next(&text, &token)) {
        size_t bytes = numerals_drop(&token, kept);
        if (bytes)
            hash = lp_log_hash_mix(hash, lp_log_hash_bytes(kept, bytes));
    }
    return hash;
}

static void clean_numerals(struct lp_span text, struct lp_str *out)
{
    struct token token;
    char kept[LP_LOG_TEXT_BYTES];
    bool is_first = true;
    while (token_next(&text, &token)) {
        size_t bytes = numerals_drop(&token, kept);
        if (bytes == 0)
            continue;
        lp_str_add(out, is_first ? "" : " ");
        lp_str_add_n(out, kept, bytes);
        is_first = false;
    }
}

uint64_t lp_log_text_hash(struct lp_span text, enum lp_log_cleaning cleaning)
{
    text = cut(text);
    return cleaning == LP_LOG_TOKENS ? hash_tokens(text) : hash_numerals(text);
}

void lp_log_text_clean(struct lp_span text, enum lp_log_cleaning cleaning, struct lp_str *ret_text)
{
    text = cut(text);
    if (cleaning == LP_LOG_TOKENS)
        clean_tokens(text, ret_text);
    else
        clean_numerals(text, ret_text);
}
