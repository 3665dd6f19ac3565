// Fingerprints: SHA-256 where somebody may forge (images, descriptors), FNV-1a where nobody can
// (trace hashes of the simulator).
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { LP_SHA256_TEXT = 65 }; // 64 hexadecimal digits and NUL

void lp_sha256_text(const void *bytes, size_t count, char ret_text[LP_SHA256_TEXT]);
uint64_t lp_hash64(const void *bytes, size_t count); // the first 8 bytes of SHA-256, big endian

#define LP_FNV_START 0xcbf29ce484222325u
uint64_t lp_fnv(uint64_t hash, const void *bytes, size_t count); // start with LP_FNV_START
