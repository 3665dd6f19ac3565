// From a text to its template: which tokens stay, and a number for what stays.
#include <string.h>

#include "base/str.h"
#include "logs/line_parts.h"
#include "logs/text_bits.h"

enum { BLANK = 1, DIGIT = 2, EQUAL = 4, ODD = 8 };

// What a byte is. Odd: to be mended before it may be shown, or perhaps (UTF-8).
static const uint8_t kinds[256] = {
    [0 ... 8] = ODD,       ['\t'] = BLANK,    [10 ... 12] = ODD,
    ['\r'] = ODD,          [14 ... 31] = ODD, [' '] = BLANK,
    ['0' ... '9'] = DIGIT, ['='] = EQUAL,     [127 ... 255] = ODD,
};

static struct lp_span cut(struct lp_span text)
{
    if (text.bytes > LP_LOG_TEMPLATE_BYTES)
        text.bytes = LP_LOG_TEMPLATE_BYTES;
    return text;
}

struct lp_span lp_log_text_cut(struct lp_span text)
{
    if (text.bytes <= LP_LOG_TEXT_BYTES)
        return text;
    size_t bytes = LP_LOG_TEXT_BYTES;
    while (bytes && !(kinds[(unsigned char)text.at[bytes]] & BLANK))
        bytes--;
    text.bytes = bytes ? bytes : LP_LOG_TEXT_BYTES;
    return text;
}

// Bytes of the first character; 0: they are not UTF-8, or it is one of ASCII's or a control.
static size_t character_bytes(struct lp_span text)
{
    size_t bytes = text.bytes < 4 ? text.bytes : 4;
    if (bytes >= 2 && *text.at == '\xc2' && (unsigned char)text.at[1] < 0xa0)
        return 0;
    for (size_t i = 2; i <= bytes; i++)
        if ((unsigned char)*text.at >= 0x80 && lp_utf8_valid(text.at, i) == i)
            return i;
    return 0;
}

// Bytes that stay as they are, from the first on.
static size_t plain_bytes(struct lp_span text)
{
    size_t bytes = 0;
    while (bytes < text.bytes &&
           (text.at[bytes] == ' ' || !(kinds[(unsigned char)text.at[bytes]] & (ODD | BLANK))))
        bytes++;
    return bytes;
}

bool lp_log_text_is_plain(struct lp_span text)
{
    return text.bytes <= LP_LOG_TEMPLATE_BYTES && plain_bytes(text) == text.bytes;
}

void lp_log_text_mend(struct lp_span text, struct lp_str *ret_text)
{
    text = cut(text);
    while (text.bytes > 0) {
        size_t plain = plain_bytes(text);
        lp_str_add_n(ret_text, text.at, plain);
        lp_span_skip(&text, plain);
        if (text.bytes == 0)
            return;
        size_t wide = character_bytes(text);
        if (wide)
            lp_str_add_n(ret_text, text.at, wide);
        else
            lp_str_add_char(ret_text, kinds[(unsigned char)*text.at] & ODD ? '?' : ' ');
        lp_span_skip(&text, wide ? wide : 1);
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
        ret_token->equal = equal > start ? (size_t)(equal - start) + 1 : 0; // "=x" has no key
    }
    rest->bytes = (size_t)(end - at);
    rest->at = at;
    return true;
}

// Tokens: one with a digit is a variable; of key=value the key stays, when it has no digit itself.
// What else is a variable has no digit: see is_variable.
enum shape { KEPT, KEY, STAR };
// What stands before a token; VALUE: a variable, or key=value.
enum before { NOTHING, WORD, VALUE };

// What may be one begins with such a byte.
enum { DATE = 1, UNIT = 2, OPEN = 4, ALONE = 8 };
static const uint8_t begins[256] = {
    ['A'] = DATE,  ['D'] = DATE, ['F'] = DATE,        ['J'] = DATE,        ['M'] = DATE | UNIT,
    ['N'] = DATE,  ['O'] = DATE, ['S'] = DATE,        ['W'] = DATE,        ['T'] = DATE | UNIT,
    ['B'] = UNIT,  ['G'] = UNIT, ['H'] = UNIT,        ['K'] = UNIT,        ['b'] = UNIT,
    ['d'] = UNIT,  ['h'] = UNIT, ['k'] = UNIT,        ['m'] = UNIT,        ['n'] = UNIT,
    ['s'] = UNIT,  ['u'] = UNIT, ['['] = OPEN | UNIT, ['('] = OPEN | UNIT, ['"'] = OPEN,
    ['\''] = OPEN, ['{'] = OPEN, ['<'] = OPEN,        ['/'] = OPEN,        ['*'] = ALONE,
};

// Of three letters, the first of which is one of those in `begins`.
static inline bool is_date_word(const char *at)
{
    static const char *const rests[] = {
        ['A' - 'A'] = "prug",   ['D' - 'A'] = "ec", ['F' - 'A'] = "rieb", ['J' - 'A'] = "anunul",
        ['M' - 'A'] = "onaray", ['N' - 'A'] = "ov", ['O' - 'A'] = "ct",   ['S' - 'A'] = "atunep",
        ['T' - 'A'] = "uehu",   ['W' - 'A'] = "ed"};
    return lp_is_among(rests[*at - 'A'], at + 1, 2);
}

static bool is_end(char c)
{
    return c == ',' || c == '.' || c == ';' || c == ':' || c == ')' || c == ']';
}

// Of "5 ms", "1.2 KB)": one that changes with the number.
static bool is_unit(const char *at, size_t bytes)
{
    enum { LONGEST = 7 };
    static const char *const words[LONGEST + 1] = {
        "",
        "Bs",
        "KBMBGBTBkBnsusmsHz",
        "KiBMiBGiBTiBsecmindaykHzMHzGHz",
        "bytemsecusecsecsminshourdays",
        "byteshours",
        "secondminute",
        "secondsminutes",
    };
    if (*at == '(' || *at == '[') {
        at++;
        bytes--;
    }
    while (bytes && is_end(at[bytes - 1]))
        bytes--;
    return bytes && bytes <= LONGEST && lp_is_among(words[bytes], at, bytes);
}

// "/var/log", "\"/index", "(/tmp"
static bool is_path(const char *at, size_t bytes)
{
    while (bytes && (*at == '"' || *at == '\'' || *at == '(' || *at == '[')) {
        at++;
        bytes--;
    }
    return bytes > 1 && at[0] == '/' && at[1] != '/';
}

// "()", "\"\""
static bool is_empty_value(const char *at, size_t bytes)
{
    return bytes == 2 && lp_is_among("()[]{}<>\"\"''", at, bytes);
}

// Of a token without a digit that is no key=value. A path that a text begins with is rather what
// it is about.
static inline bool is_variable(const char *at, size_t bytes, enum before before)
{
    uint8_t kind = begins[(unsigned char)*at];
    if (!kind) // most are such
        return false;
    return (kind & DATE && bytes == 3 && is_date_word(at)) ||
           (kind & OPEN &&
            (is_empty_value(at, bytes) || (before != NOTHING && is_path(at, bytes)))) ||
           (kind & UNIT && before == VALUE && bytes <= 10 && is_unit(at, bytes)) ||
           (kind & ALONE && bytes == 1);
}

static bool has_digit(const char *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (kinds[(unsigned char)at[i]] & DIGIT)
            return true;
    return false;
}

static enum shape shape_of(const struct token *token, enum before before)
{
    if (token->equal && !(token->has_digit && has_digit(token->at, token->equal)))
        return KEY;
    return token->has_digit || is_variable(token->at, token->bytes, before) ? STAR : KEPT;
}

// The way of most lines: a window of 64 bytes is looked at as bits, and only its tokens that stay
// are visited. A token that has no end within the window begins the next one.

struct hashing {
    uint64_t hash;
    bool was_star;      // variables since the last token that stayed
    enum before before; // what that one was
};

// A token without a digit, or the key of key=value.
static inline void token_add(struct hashing *hashing, const char *at, size_t bytes, bool is_key)
{
    if (!is_key && is_variable(at, bytes, hashing->was_star ? VALUE : hashing->before)) {
        hashing->was_star = true;
        return;
    }
    uint64_t salt = is_key ? LP_LOG_SALT_KEY : LP_LOG_SALT_KEPT;
    salt ^= hashing->was_star ? LP_LOG_SALT_STAR : 0;
    hashing->hash = lp_log_hash_padded(hashing->hash, at, bytes, salt);
    hashing->was_star = false;
    hashing->before = is_key ? VALUE : WORD;
}

// Bits below the one at `at` (0..63).
static inline uint64_t below(size_t at)
{
    return (UINT64_C(1) << at) - 1;
}

// Bytes of the key with its '=', of the token whose first byte is at `start`, and has the bits
// `token`; 0: it has none.
static inline size_t key_of(const struct lp_log_bits *bits, size_t start, uint64_t token)
{
    uint64_t equal = bits->equal & token;
    uint64_t key = (equal & -equal) - 1; // with all that is before the token
    bool has_key = !(equal >> start & 1) && !(bits->digit & token & key);
    return has_key ? (size_t)__builtin_ctzll(equal) + 1 - start : 0;
}

// Tokens: the bytes of all whole tokens, as bits; behind each of them is a clear bit.
static inline void window_hash(struct hashing *hashing, const char *at,
                               const struct lp_log_bits *bits, uint64_t tokens)
{
    // What is added to a token's bits carries over its end: there, a bit tells of it.
    uint64_t starts = tokens & ~(tokens << 1), ends = ~tokens & tokens << 1;
    uint64_t stars = (tokens + (bits->digit & tokens)) & ends;
    uint64_t equals = (tokens + (bits->equal & tokens)) & ends;
    for (uint64_t left = (ends & ~stars) | equals; left; left &= left - 1) {
        uint64_t end = left & -left, before = end - 1;
        size_t start = 63 - (size_t)__builtin_clzll(starts & before);
        size_t bytes = (size_t)__builtin_ctzll(left) - start, key = 0;
        if (equals & end) {
            key = key_of(bits, start, before & ~below(start));
            if (!key && stars & end)
                continue;
            bytes = key ? key : bytes;
            stars &= ~end;
        }
        hashing->was_star |= (stars & before) != 0;
        stars &= ~before;
        token_add(hashing, at + start, bytes, key > 0);
    }
    hashing->was_star |= stars != 0;
}

// A token of 64 bytes and more.
static void long_hash(struct hashing *hashing, struct lp_span *rest)
{
    struct token token = {0};
    if (!token_next(rest, &token))
        return;
    enum shape shape = shape_of(&token, hashing->was_star ? VALUE : hashing->before);
    if (shape == STAR)
        hashing->was_star = true;
    else
        token_add(hashing, token.at, shape == KEY ? token.equal : token.bytes, shape == KEY);
}

static uint64_t hash_tokens(struct lp_span text)
{
    struct hashing hashing = {0};
    while (text.bytes > 0) {
        struct lp_log_bits bits = lp_log_bits_of(text.at);
        size_t bytes = text.bytes < 64 ? text.bytes : 64, open = 0;
        uint64_t within = bytes < 64 ? below(bytes) : ~UINT64_C(0);
        uint64_t tokens = ~bits.blank & within;
        if (tokens == ~UINT64_C(0)) {
            long_hash(&hashing, &text);
            continue;
        }
        if (tokens >> 63) { // the last token may go on
            open = (size_t)__builtin_clzll(~tokens);
            tokens &= below(64 - open);
        }
        window_hash(&hashing, text.at, &bits, tokens);
        lp_span_skip(&text, bytes - open);
    }
    return lp_log_hash_fold(hashing.hash ^ LP_LOG_SALT_PART,
                            hashing.was_star ? LP_LOG_SALT_STAR : LP_LOG_SALT_RIGHT);
}

static void clean_tokens(struct lp_span text, struct lp_str *out)
{
    struct token token;
    bool was_star = false, is_first = true;
    enum before before = NOTHING;
    while (token_next(&text, &token)) {
        enum shape shape = shape_of(&token, before);
        if (shape == STAR && was_star)
            continue;
        was_star = shape == STAR;
        before = shape == KEPT ? WORD : VALUE;
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
    char kept[LP_LOG_TEMPLATE_BYTES + LP_LOG_PADDING] = {0};
    uint64_t hash = 0;
    while (token_next(&text, &token)) {
        size_t bytes = numerals_drop(&token, kept);
        if (bytes)
            hash = lp_log_hash_padded(hash, kept, bytes, LP_LOG_SALT_KEPT);
    }
    return hash;
}

static void clean_numerals(struct lp_span text, struct lp_str *out)
{
    struct token token;
    char kept[LP_LOG_TEMPLATE_BYTES];
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
