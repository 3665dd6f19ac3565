// Durations ("1m30s") and sizes ("512m") as Compose writes them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Milliseconds; units h m s ms us, at least one; "0" alone is fine. Rounded up to whole
// milliseconds. false when it is not a duration or does not fit.
bool lp_duration_parse(const char *text, uint32_t *ret_ms);
// Bytes; "64", "64b", "512k", "512kb", "512m", "1.5g" (powers of 1024). false when not a size.
bool lp_size_parse(const char *text, uint64_t *ret_bytes);
// A decimal number with up to three decimals, times 1000: "0.5" is 500. false otherwise.
bool lp_permille_parse(const char *text, uint32_t *ret_permille);
