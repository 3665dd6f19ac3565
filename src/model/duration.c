// Durations ("1m30s") and sizes ("512m") as Compose writes them.
#include "model/duration.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

enum { DECIMAL_SCALE = 1000 * 1000 };

// Read "12.5" as 12 and 500000 millionths; returns what follows, NULL when there is no number.
static const char *decimal_parse(const char *text, uint64_t *ret_whole, uint64_t *ret_millionths)
{
    uint64_t whole = 0, part = 0, scale = DECIMAL_SCALE;
    if (!isdigit((unsigned char)*text))
        return NULL;
    for (; isdigit((unsigned char)*text); text++) {
        whole = whole * 10 + (uint64_t)(*text - '0');
        if (whole > UINT64_MAX / 4 / DECIMAL_SCALE)
            return NULL;
    }
    if (*text == '.') {
        text++;
        if (!isdigit((unsigned char)*text))
            return NULL;
        for (; isdigit((unsigned char)*text) && scale > 1; text++) {
            scale /= 10;
            part += (uint64_t)(*text - '0') * scale;
        }
        if (isdigit((unsigned char)*text))
            return NULL;
    }
    *ret_whole = whole;
    *ret_millionths = part;
    return text;
}

// Microseconds of the unit at *text, which is moved behind it; 0 when there is none.
static uint64_t unit_parse(const char **text)
{
    static const struct {
        const char *name;
        uint64_t us;
    } units[] = {{"ms", 1000}, {"us", 1}, {"h", 3600000000u}, {"m", 60000000}, {"s", 1000000}};
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        size_t bytes = strlen(units[i].name);
        if (strncmp(*text, units[i].name, bytes) == 0) {
            *text += bytes;
            return units[i].us;
        }
    }
    return 0;
}

bool lp_duration_parse(const char *text, uint32_t *ret_ms)
{
    uint64_t total_us = 0;
    if (strcmp(text, "0") == 0) {
        *ret_ms = 0;
        return true;
    }
    if (!*text)
        return false;
    while (*text) {
        uint64_t whole, part;
        text = decimal_parse(text, &whole, &part);
        uint64_t unit_us = text ? unit_parse(&text) : 0;
        if (!unit_us || whole > (uint64_t)UINT32_MAX * 1000 / unit_us)
            return false;
        total_us += whole * unit_us + part * (unit_us / 1000) / 1000;
        if (unit_us < 1000 && part)
            return false;
        if ((total_us + 999) / 1000 > UINT32_MAX)
            return false;
    }
    *ret_ms = (uint32_t)((total_us + 999) / 1000);
    return true;
}

bool lp_size_parse(const char *text, uint64_t *ret_bytes)
{
    static const struct {
        const char *name;
        unsigned shift;
    } units[] = {{"", 0},     {"b", 0},   {"k", 10},   {"kb", 10}, {"kib", 10},
                 {"m", 20},   {"mb", 20}, {"mib", 20}, {"g", 30},  {"gb", 30},
                 {"gib", 30}, {"t", 40},  {"tb", 40},  {"tib", 40}};
    uint64_t whole, part;
    text = decimal_parse(text, &whole, &part);
    if (!text)
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (strcasecmp(text, units[i].name) != 0)
            continue;
        if (whole >= (UINT64_C(1) << 62) >> units[i].shift)
            return false;
        // part < 10^6 and shift <= 40: the product stays below 2^60.
        *ret_bytes = (whole << units[i].shift) + (part << units[i].shift) / DECIMAL_SCALE;
        return true;
    }
    return false;
}

bool lp_permille_parse(const char *text, uint32_t *ret_permille)
{
    uint64_t whole, part;
    text = decimal_parse(text, &whole, &part);
    if (!text || *text || whole > 1000 * 1000 || part % 1000)
        return false;
    *ret_permille = (uint32_t)(whole * 1000 + part / 1000);
    return true;
}
