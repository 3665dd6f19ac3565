// Fingerprints: SHA-256 where somebody may forge, FNV-1a where nobody can.
#include "base/hash.h"

#include <nettle/sha2.h>
#include <stdio.h>

static void sha256(const void *bytes, size_t count, uint8_t ret_digest[SHA256_DIGEST_SIZE])
{
    struct sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, count, bytes);
    sha256_digest(&context, SHA256_DIGEST_SIZE, ret_digest);
}

void lp_sha256_text(const void *bytes, size_t count, char ret_text[LP_SHA256_TEXT])
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256(bytes, count, digest);
    for (int i = 0; i < SHA256_DIGEST_SIZE; i++)
        snprintf(ret_text + (size_t)i * 2, 3, "%02x", digest[i]);
}

uint64_t lp_hash64(const void *bytes, size_t count)
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256(bytes, count, digest);
    uint64_t hash = 0;
    for (int i = 0; i < 8; i++)
        hash = hash << 8 | digest[i];
    return hash;
}

uint64_t lp_fnv(uint64_t hash, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ at[i]) * 0x100000001b3u;
    return hash;
}
