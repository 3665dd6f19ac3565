// Formats of lines: their words, who reads them, and which one a log has.
#include "logs/line_parts.h"

#include <string.h>

#include "base/own.h"
#include "base/spelling.h"
#include "base/str.h"

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
    [LP_LOG_LOGFMT] = "logfmt",
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
    return lp_err_set(err, LP_EINPUT, "there is no format '%s'; there are " LP_LOG_FORMAT_LIST,
                      word);
}

lp_log_split *lp_log_split_of(enum lp_log_format format)
{
    static lp_log_split *const splits[LP_LOG_FORMATS] = {
        [LP_LOG_SYSLOG_3164] = lp_log_split_syslog, [LP_LOG_SYSLOG_5424] = lp_log_split_syslog5424,
        [LP_LOG_LEVEL] = lp_log_split_level,        [LP_LOG_ACCESS] = lp_log_split_access,
        [LP_LOG_JSON] = lp_log_split_json,          [LP_LOG_LOGFMT] = lp_log_split_logfmt,
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
    static const enum lp_log_format order[] = {LP_LOG_JSON,        LP_LOG_SYSLOG_5424,
                                               LP_LOG_SYSLOG_3164, LP_LOG_LOGFMT,
                                               LP_LOG_ACCESS,      LP_LOG_LEVEL};
    enum { ORDER = sizeof(order) / sizeof(order[0]) };
    uint32_t fits[ORDER] = {0}, lines = 0, journal = 0;
    const char *end = bytes + count;
    LP_OWNS_STR struct lp_str plain = {0};
    for (const char *at = bytes; at < end && lines < DETECT_LINES;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        struct lp_span line = {at, (size_t)((newline ? newline : end) - at)};
        struct lp_log_head head;
        at += line.bytes + 1;
        if (line.bytes == 0)
            continue;
        journal += is_journal(line);
        if (memchr(line.at, LP_LOG_ESCAPE, line.bytes)) {
            lp_log_colours_drop(line, &plain);
            line = (struct lp_span){lp_str_text(&plain), plain.bytes};
        }
        bool has_form = false, is_indented = line.bytes && (*line.at == ' ' || *line.at == '\t');
        for (int i = 0; i < ORDER; i++) {
            bool fits_here = lp_log_split_of(order[i])(line, &head);
            fits[i] += fits_here;
            has_form = has_form || fits_here;
        }
        lines += has_form || !is_indented; // what goes on with the line before is of no form
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

// Source: ECMA-48, control sequences: ESC [, parameters, one byte of '@' to '~'.
void lp_log_colours_drop(struct lp_span line, struct lp_str *ret_text)
{
    lp_str_clear(ret_text);
    for (const char *escape; (escape = memchr(line.at, LP_LOG_ESCAPE, line.bytes));) {
        size_t before = (size_t)(escape - line.at), bytes = before + 1;
        lp_str_add_n(ret_text, line.at, before);
        if (bytes < line.bytes && line.at[bytes] == '[')
            for (bytes++; bytes < line.bytes && (line.at[bytes] < '@' || line.at[bytes] > '~');)
                bytes++;
        lp_span_skip(&line, bytes < line.bytes ? bytes + 1 : line.bytes);
        if (line.bytes == 0)
            return;
    }
    lp_str_add_n(ret_text, line.at, line.bytes);
}

bool lp_span_has_digit(struct lp_span span)
{
    for (size_t i = 0; i < span.bytes; i++)
        if (span.at[i] >= '0' && span.at[i] <= '9')
            return true;
    return false;
}

struct lp_span lp_span_trim(struct lp_span span)
{
    lp_span_skip_blanks(&span);
    while (span.bytes && (span.at[span.bytes - 1] == ' ' || span.at[span.bytes - 1] == '\t'))
        span.bytes--;
    return span;
}

bool lp_log_is_name(struct lp_span token)
{
    enum { DIGITS = 3 };
    int digits = 0;
    for (size_t i = 0; i < token.bytes; i++) {
        unsigned char c = (unsigned char)token.at[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
        bool is_digit = c >= '0' && c <= '9';
        digits += is_digit;
        if (!is_letter && (i == 0 || !(is_digit || (c && strchr(".:/$@#-<>()[]", c)))))
            return false;
    }
    return token.bytes > 0 && digits <= DIGITS;
}

struct lp_span lp_log_place_cut(struct lp_span name)
{
    size_t end = name.bytes;
    while (end && name.at[end - 1] >= '0' && name.at[end - 1] <= '9')
        end--;
    if (end > 1 && end < name.bytes && name.at[end - 1] == ':')
        name.bytes = end - 1;
    return name;
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
