// Formats of lines: their words, who reads them, and which one a log has.
#include "logs/line_parts.h"

#include <string.h>

#include "base/spelling.h"

enum { DETECT_LINES = 1000, FITS_OF_FIVE = 3 };

static const char *const words[LP_LOG_FORMATS] = {
    [LP_LOG_AUTO] = "auto",
    [LP_LOG_SYSLOG_3164] = "syslog",
    [LP_LOG_SYSLOG_5424] = "syslog5424",
    [LP_LOG_JOURNAL] = "journal",
    [LP_LOG_LEVEL] = "level",
    [LP_LOG_ACCESS] = "access",
    [LP_LOG_JSON] = "json",
    [LP_LOG_FREE] = "free",
};

const char *lp_log_format_word(enum lp_log_format format)
{
    return words[format];
}

int lp_log_format_find(const char *word, enum lp_log_format *ret_format, struct lp_err *err)
{
    for (int i = 0; i < LP_LOG_FORMATS; i++) {
        if (strcmp(words[i], word) != 0)
            continue;
        *ret_format = (enum lp_log_format)i;
        return 0;
    }
    const char *nearest = lp_spelling_nearest(word, words, LP_LOG_FORMATS);
    if (nearest)
        return lp_err_set(err, LP_EINPUT, "there is no format '%s': did you mean '%s'?", word,
                          nearest);
    return lp_err_set(
        err, LP_EINPUT,
        "there is no format '%s'; there are auto, syslog, syslog5424, journal, level, "
        "access, json, free",
        word);
}

lp_log_split *lp_log_split_of(enum lp_log_format format)
{
    static lp_log_split *const splits[LP_LOG_FORMATS] = {
        [LP_LOG_SYSLOG_3164] = lp_log_split_syslog, [LP_LOG_SYSLOG_5424] = lp_log_split_syslog5424,
        [LP_LOG_LEVEL] = lp_log_split_level,        [LP_LOG_ACCESS] = lp_log_split_access,
        [LP_LOG_JSON] = lp_log_split_json,
    };
    return splits[format];
}

static bool is_journal(struct lp_span line)
{
    return line.bytes > 9 &&
           (memcmp(line.at, "__CURSOR=", 9) == 0 || memcmp(line.at, "MESSAGE=", 8) == 0);
}

enum lp_log_format lp_log_format_detect(const char *bytes, size_t count)
{
    // The stricter a format is, the earlier it is asked: what fits several is the first of them.
    static const enum lp_log_format order[] = {LP_LOG_JSON, LP_LOG_SYSLOG_5424, LP_LOG_SYSLOG_3164,
                                               LP_LOG_ACCESS, LP_LOG_LEVEL};
    enum { ORDER = sizeof(order) / sizeof(order[0]) };
    uint32_t fits[ORDER] = {0}, lines = 0, journal = 0;
    const char *end = bytes + count;
    for (const char *at = bytes; at < end && lines < DETECT_LINES;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        struct lp_span line = {at, (size_t)((newline ? newline : end) - at)};
        struct lp_log_head head;
        at += line.bytes + 1;
        if (line.bytes == 0)
            continue;
        lines++;
        journal += is_journal(line);
        for (int i = 0; i < ORDER; i++)
            fits[i] += lp_log_split_of(order[i])(line, &head);
    }
    if (journal > 0 && journal * 40 >= lines) // one field of the many that an entry has
        return LP_LOG_JOURNAL;
    for (int i = 0; i < ORDER; i++)
        if (lines > 0 && fits[i] * 5 >= lines * FITS_OF_FIVE)
            return order[i];
    return LP_LOG_FREE;
}

// Steps along a line.

bool lp_span_is(struct lp_span span, const char *text)
{
    return strlen(text) == span.bytes && memcmp(span.at, text, span.bytes) == 0;
}

// Days since 1970. Source: Hinnant, chrono-compatible low-level date algorithms (2013).
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int64_t lp_log_time_of_year(int year, int month, int day, int day_ms)
{
    return days_of(year, month, day) * 86400000 + day_ms;
}
