// What each of 64 bytes is, as bits, and numbers for some bytes: what templates are found with.
// 16 bytes at a time with SSE2, which every x86-64 has; else one by one, with the same result.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { LP_LOG_PADDING = 64 }; // bytes that can be read behind a line, whatever they are

struct lp_log_bits {
    uint64_t blank, digit, equal; // ' ' or tab; '0'..'9'; '='
};

static inline struct lp_log_bits lp_log_bits_plain(const char *at)
{
    struct lp_log_bits bits = {0};
    for (int i = 0; i < 64; i++) {
        unsigned char c = (unsigned char)at[i];
        bits.blank |= (uint64_t)(c == ' ' || c == '\t') << i;
        bits.digit |= (uint64_t)(c >= '0' && c <= '9') << i;
        bits.equal |= (uint64_t)(c == '=') << i;
    }
    return bits;
}

#ifdef __SSE2__
static inline struct lp_log_bits lp_log_bits_of(const char *at)
{
    struct lp_log_bits bits = {0};
    for (int i = 0; i < 64; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(at + i));
        __m128i blank = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')),
                                     _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t')));
        __m128i from_zero = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
        __m128i digit = _mm_cmpeq_epi8(_mm_min_epu8(from_zero, _mm_set1_epi8(9)), from_zero);
        __m128i equal = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('='));
        bits.blank |= (uint64_t)(uint32_t)_mm_movemask_epi8(blank) << i;
        bits.digit |= (uint64_t)(uint32_t)_mm_movemask_epi8(digit) << i;
        bits.equal |= (uint64_t)(uint32_t)_mm_movemask_epi8(equal) << i;
    }
    return bits;
}
#else
static inline struct lp_log_bits lp_log_bits_of(const char *at)
{
    return lp_log_bits_plain(at);
}
#endif

// What the numbers of tokens differ by; none of their bytes is ASCII, so that no text undoes them.
#define LP_LOG_SALT_PART  UINT64_C(0x9eb7f9bd8f9eac95)
#define LP_LOG_SALT_KEPT  UINT64_C(0xd1b5e3a9c7f8a2bf)
#define LP_LOG_SALT_KEY   UINT64_C(0xa3c9e7f18bd5b6f3)
#define LP_LOG_SALT_STAR  UINT64_C(0x8cf5d3e1b9a7c5ed)
#define LP_LOG_SALT_COUNT UINT64_C(0xb5d7c1e993f7a9d5)
#define LP_LOG_SALT_RIGHT UINT64_C(0xe7ad9bc3f5b1d38f)

// Source: the folded product of wyhash (Wang Yi, 2019).
static inline uint64_t lp_log_hash_fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

struct lp_log_halves { // of 16 bytes
    uint64_t left, right;
};

static inline struct lp_log_halves lp_log_halves_of(const char *at)
{
    struct lp_log_halves halves;
    memcpy(&halves, at, sizeof halves);
    return halves;
}

// With every digit as '0'.
static inline struct lp_log_halves lp_log_halves_masked_plain(const char *at)
{
    char masked[16];
    for (int i = 0; i < 16; i++)
        masked[i] = at[i] >= '0' && at[i] <= '9' ? '0' : at[i];
    return lp_log_halves_of(masked);
}

#ifdef __SSE2__
static inline struct lp_log_halves lp_log_halves_masked(const char *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i from_zero = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
    __m128i digit = _mm_cmpeq_epi8(_mm_min_epu8(from_zero, _mm_set1_epi8(9)), from_zero);
    __m128i masked = _mm_sub_epi8(bytes, _mm_and_si128(from_zero, digit));
    struct lp_log_halves halves;
    _mm_storeu_si128((__m128i *)(void *)&halves, masked);
    return halves;
}
#else
static inline struct lp_log_halves lp_log_halves_masked(const char *at)
{
    return lp_log_halves_masked_plain(at);
}
#endif

typedef struct lp_log_halves lp_log_halves_reader(const char *at);

// Mix bytes, as `halves_of` reads them, into a hash; 16 bytes from any of them on can be read.
static inline uint64_t lp_log_hash_halves(uint64_t hash, const char *at, size_t count,
                                          uint64_t salt, lp_log_halves_reader *halves_of)
{
    static const unsigned char kept[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                           255, 255, 255, 255, 255, 255, 255, 255};
    struct lp_log_halves halves, mask;
    for (; count > 16; at += 16, count -= 16) {
        halves = halves_of(at);
        hash = lp_log_hash_fold(hash ^ halves.left ^ LP_LOG_SALT_PART,
                                halves.right ^ LP_LOG_SALT_RIGHT);
    }
    halves = halves_of(at);
    mask = lp_log_halves_of((const char *)kept + 16 - count);
    salt += count * LP_LOG_SALT_COUNT;
    return lp_log_hash_fold(hash ^ (halves.left & mask.left) ^ salt,
                            (halves.right & mask.right) ^ LP_LOG_SALT_RIGHT);
}

static inline uint64_t lp_log_hash_padded(uint64_t hash, const char *at, size_t count,
                                          uint64_t salt)
{
    return lp_log_hash_halves(hash, at, count, salt, lp_log_halves_of);
}

// The same number for bytes that differ in nothing but digits.
static inline uint64_t lp_log_hash_masked(uint64_t hash, const char *at, size_t count,
                                          uint64_t salt)
{
    return lp_log_hash_halves(hash, at, count, salt, lp_log_halves_masked);
}

// The same of bytes behind which nothing can be read.
static inline uint64_t lp_log_hash_bytes(const char *at, size_t count)
{
    char last[16] = {0};
    size_t whole = count > 16 ? (count - 1) / 16 * 16 : 0;
    uint64_t hash = 0, left, right;
    for (size_t i = 0; i < whole; i += 16) {
        memcpy(&left, at + i, 8);
        memcpy(&right, at + i + 8, 8);
        hash = lp_log_hash_fold(hash ^ left ^ LP_LOG_SALT_PART, right ^ LP_LOG_SALT_RIGHT);
    }
    if (count > whole)
        memcpy(last, at + whole, count - whole);
    return lp_log_hash_padded(hash, last, count - whole, LP_LOG_SALT_KEPT);
}
