// From a text to its template: which tokens stay, and a number for what stays.
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <string.h>

#include "base/str.h"
#include "logs/line_parts.h"

enum { BLANK = 1, DIGIT = 2, EQUAL = 4, ODD = 8, WORDS = LP_LOG_TEMPLATE_BYTES / 64 };

// What a byte is. Odd: to be mended before it may be shown, or perhaps (UTF-8).
static const uint8_t kinds[256] = {
    [0 ... 8] = ODD,       ['\t'] = BLANK,    [10 ... 12] = ODD,
    ['\r'] = BLANK,        [14 ... 31] = ODD, [' '] = BLANK,
    ['0' ... '9'] = DIGIT, ['='] = EQUAL,     [127 ... 255] = ODD,
};

static struct lp_span cut(struct lp_span text)
{
    if (text.bytes > LP_LOG_TEMPLATE_BYTES)
        text.bytes = LP_LOG_TEMPLATE_BYTES;
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

void lp_log_text_mend(struct lp_span text, struct lp_str *ret_text)
{
    text = cut(text);
    while (text.bytes > 0) {
        size_t wide = character_bytes(text);
        uint8_t kind = kinds[(unsigned char)*text.at];
        if (wide)
            lp_str_add_n(ret_text, text.at, wide);
        else
            lp_str_add_char(ret_text, kind & ODD ? '?' : kind & BLANK ? ' ' : *text.at);
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

// The way of most lines: what is blank, a digit or '=' is found for 64 bytes at a time, as bits.

struct masks {
    uint64_t blank[WORDS], digit[WORDS], equal[WORDS];
    bool has_equal, is_odd;
};

struct word { // bits of 64 bytes
    uint64_t blank, digit, equal, odd;
};

#ifdef __SSE2__
static struct word word_of(const char *at)
{
    struct word word = {0};
    for (int i = 0; i < 4; i++) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(at + 16 * i));
        __m128i blank = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')),
                                                  _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'))),
                                     _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r')));
        __m128i from_zero = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
        __m128i digit = _mm_cmpeq_epi8(_mm_min_epu8(from_zero, _mm_set1_epi8(9)), from_zero);
        // As signed numbers, bytes beyond ASCII are below the blank, too.
        __m128i odd =
            _mm_andnot_si128(blank, _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')),
                                                 _mm_cmpeq_epi8(bytes, _mm_set1_epi8(127))));
        __m128i equal = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('='));
        word.blank |= (uint64_t)(uint32_t)_mm_movemask_epi8(blank) << (16 * i);
        word.digit |= (uint64_t)(uint32_t)_mm_movemask_epi8(digit) << (16 * i);
        word.equal |= (uint64_t)(uint32_t)_mm_movemask_epi8(equal) << (16 * i);
        word.odd |= (uint64_t)(uint32_t)_mm_movemask_epi8(odd) << (16 * i);
    }
    return word;
}
#else
static struct word word_of(const char *at)
{
    struct word word = {0};
    for (int i = 0; i < 64; i++) {
        uint8_t kind = kinds[(unsigned char)at[i]];
        word.blank |= (uint64_t)((kind & BLANK) != 0) << i;
        word.digit |= (uint64_t)((kind & DIGIT) != 0) << i;
        word.equal |= (uint64_t)((kind & EQUAL) != 0) << i;
        word.odd |= (uint64_t)((kind & ODD) != 0) << i;
    }
    return word;
}
#endif

static void masks_fill(struct lp_span text, bool is_padded, struct masks *masks)
{
    uint64_t odd = 0, equal = 0;
    for (size_t at = 0, i = 0; at < text.bytes; at += 64, i++) {
        char last[64]; // the text may end where memory ends
        size_t left = text.bytes - at;
        bool is_copied = left < 64 && !is_padded;
        if (is_copied)
            memcpy(last, text.at + at, left);
        struct word word = word_of(is_copied ? last : text.at + at);
        uint64_t within = left < 64 ? (UINT64_C(1) << left) - 1 : ~UINT64_C(0);
        masks->blank[i] = word.blank;
        masks->digit[i] = word.digit;
        masks->equal[i] = word.equal;
        odd |= word.odd & within;
        equal |= word.equal & within;
    }
    masks->has_equal = equal != 0;
    masks->is_odd = odd != 0;
}

// The first bit at or behind `at` that is set (flip 0) or clear (flip all ones); end when none is.
static inline size_t bit_find(const uint64_t *mask, size_t at, size_t end, uint64_t flip)
{
    while (at < end) {
        uint64_t word = (mask[at / 64] ^ flip) >> (at % 64);
        if (word) {
            at += (size_t)__builtin_ctzll(word);
            return at < end ? at : end;
        }
        at = (at / 64 + 1) * 64;
    }
    return end;
}

// lp_log_hash_bytes of a token of `text`; one load where that stays within the text.
static inline uint64_t token_hash(struct lp_span text, bool is_padded, size_t at, size_t bytes)
{
    uint64_t word;
    if (bytes >= 8 || (!is_padded && at + 8 > text.bytes) ||
        __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
        return lp_log_hash_bytes(text.at + at, bytes);
    memcpy(&word, text.at + at, 8);
    word &= (UINT64_C(1) << (8 * bytes)) - 1;
    return lp_log_hash_mix(bytes * LP_LOG_STAR_HASH, word);
}

static uint64_t hash_tokens(struct lp_span text, bool is_padded, const struct masks *masks)
{
    uint64_t hash = 0;
    bool was_star = false;
    for (size_t at = 0, end;
         (at = bit_find(masks->blank, at, text.bytes, ~UINT64_C(0))) < text.bytes; at = end) {
        end = bit_find(masks->blank, at, text.bytes, 0);
        size_t digit = bit_find(masks->digit, at, end, 0);
        size_t equal = masks->has_equal ? bit_find(masks->equal, at, end, 0) : end;
        bool is_key = equal > at && equal < end && digit > equal;
        bool is_star = !is_key && (digit < end || (end - at == 1 && text.at[at] == '*'));
        if (is_star && was_star)
            continue;
        was_star = is_star;
        if (is_star)
            hash = lp_log_hash_mix(hash, LP_LOG_STAR_HASH);
        else if (is_key) // as the token "key=*" would be
            hash = lp_log_hash_mix(lp_log_hash_mix(hash, '*'),
                                   token_hash(text, is_padded, at, equal + 1 - at));
        else
            hash = lp_log_hash_mix(hash, token_hash(text, is_padded, at, end - at));
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
    char kept[LP_LOG_TEMPLATE_BYTES];
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

uint64_t lp_log_text_hash(struct lp_log_text given, enum lp_log_cleaning cleaning,
                          bool *ret_is_plain)
{
    struct masks masks;
    struct lp_span text = cut(given.span);
    masks_fill(text, given.is_padded, &masks);
    *ret_is_plain = !masks.is_odd;
    return cleaning == LP_LOG_TOKENS ? hash_tokens(text, given.is_padded, &masks)
                                     : hash_numerals(text);
}

void lp_log_text_clean(struct lp_span text, enum lp_log_cleaning cleaning, struct lp_str *ret_text)
{
    text = cut(text);
    if (cleaning == LP_LOG_TOKENS)
        clean_tokens(text, ret_text);
    else
        clean_numerals(text, ret_text);
}
