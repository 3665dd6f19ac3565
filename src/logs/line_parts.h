// How a line is read: its head (who wrote it, when) and its text, and the text's template. Shared
// by states.c, template.c and format*.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "logs/logs.h"

struct lp_span { // bytes of a line, lent
    const char *at;
    size_t bytes;
};

struct lp_log_head {
    struct lp_span tag, text;
    struct lp_span key; // the process or the request; none: empty
    int64_t at_ms;      // INT64_MIN: not told
};

// Take the line apart. False: the line is not of this format; its whole is the text then.
typedef bool lp_log_split(struct lp_span line, struct lp_log_head *ret_head);
lp_log_split lp_log_split_syslog, lp_log_split_syslog5424, lp_log_split_level, lp_log_split_access,
    lp_log_split_json, lp_log_split_logfmt;
// Of AUTO, FREE and JOURNAL: NULL.
lp_log_split *lp_log_split_of(enum lp_log_format format);
// Which format fits most of the lines in bytes (whole lines)? FREE when none fits three of five.
enum lp_log_format lp_log_format_detect(const char *bytes, size_t count);

// JOURNAL: an entry, line by line.
enum lp_log_field {
    LP_LOG_FIELD_TEXT,
    LP_LOG_FIELD_TAG,
    LP_LOG_FIELD_KEY,
    LP_LOG_FIELD_TIME,
    LP_LOG_FIELD_OTHER
};
struct lp_log_entry {
    struct lp_str tag, text, key; // mended
    int64_t at_ms;
    bool has_text;
    bool is_binary; // within a value that is not text: the rest is about it
    enum lp_log_field field;
    uint32_t header_bytes;
    uint64_t left;
};
// line: without its newline. True: it is the blank line behind an entry.
bool lp_log_entry_take(struct lp_log_entry *entry, struct lp_span line);
void lp_log_entry_clear(struct lp_log_entry *entry); // memory kept
void lp_log_entry_release(struct lp_log_entry *entry);

// Small steps along a line, taken many times a line: here, so that they can be woven in.
static inline void lp_span_skip(struct lp_span *rest, size_t bytes)
{
    rest->at += bytes;
    rest->bytes -= bytes;
}
static inline bool lp_is_blank(char c)
{
    const uint64_t blanks = UINT64_C(1) << ' ' | UINT64_C(1) << '\t'; // one comparison for most
    return (unsigned char)c <= ' ' && blanks >> c & 1;
}
static inline void lp_span_skip_blanks(struct lp_span *rest)
{
    size_t bytes = 0;
    while (bytes < rest->bytes && lp_is_blank(rest->at[bytes]))
        bytes++;
    lp_span_skip(rest, bytes);
}
// Up to the next blank; blanks are skipped first.
static inline struct lp_span lp_span_token(struct lp_span *rest)
{
    lp_span_skip_blanks(rest);
    size_t bytes = 0;
    while (bytes < rest->bytes && !lp_is_blank(rest->at[bytes]))
        bytes++;
    struct lp_span token = {rest->at, bytes};
    lp_span_skip(rest, bytes);
    return token;
}
bool lp_span_is(struct lp_span span, const char *text);
bool lp_span_has_digit(struct lp_span span);
struct lp_span lp_span_trim(struct lp_span span); // without the blanks at its ends
// words: all of them `bytes` bytes long, one behind the other.
static inline bool lp_is_among(const char *words, const char *at, size_t bytes)
{
    for (; *words; words += bytes)
        if (*words == *at && memcmp(words, at, bytes) == 0)
            return true;
    return false;
}
// Milliseconds since 1970, UTC; month from 1.
int64_t lp_log_time_of_year(int year, int month, int day, int day_ms);
// The same; a year below 0 is not told, and taken for 1970.
static inline int64_t lp_log_time(int year, int month, int day, int day_ms)
{
    static const int16_t days_before[13] = {0,   0,   31,  59,  90,  120, 151,
                                            181, 212, 243, 273, 304, 334};
    return year >= 0 ? lp_log_time_of_year(year, month, day, day_ms)
                     : (int64_t)(days_before[month] + day - 1) * 86400000 + day_ms;
}
// Of two digits; -1: they are none.
static inline int lp_log_two_digits(const char *at)
{
    unsigned tens = (unsigned char)at[0] - (unsigned)'0',
             ones = (unsigned char)at[1] - (unsigned)'0';
    return tens <= 9 && ones <= 9 ? (int)(tens * 10 + ones) : -1;
}
// "15:16:01", with ".123" or ",123"; -1: not a time of day.
static inline int lp_log_time_of_day(struct lp_span token)
{
    if (token.bytes < 8 || token.at[2] != ':' || token.at[5] != ':')
        return -1;
    int hour = lp_log_two_digits(token.at), minute = lp_log_two_digits(token.at + 3),
        second = lp_log_two_digits(token.at + 6), part = 0;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return -1;
    if (token.bytes >= 12 && (token.at[8] == '.' || token.at[8] == ',') &&
        lp_log_two_digits(token.at + 9) >= 0 && token.at[11] >= '0' && token.at[11] <= '9')
        part = lp_log_two_digits(token.at + 9) * 10 + token.at[11] - '0';
    return ((hour * 60 + minute) * 60 + second) * 1000 + part;
}
bool lp_log_is_level(struct lp_span token); // "INFO", "[warn]", "E"
// May it be the name of a component? Letters first, few digits: no id of a request.
bool lp_log_is_name(struct lp_span token);
struct lp_span lp_log_place_cut(struct lp_span name); // "server.go:40": without the line's number

// Lines that are members with names (format_member.c).
struct lp_log_member {
    struct lp_span value;
    unsigned rank; // the lower, the surer it is what it seems; 0: none
};
struct lp_log_members { // {0} has none
    struct lp_log_member message, writer, key;
};
void lp_log_member_note(struct lp_log_members *members, struct lp_span name, struct lp_span value);
// head: of the line; its text stays where there is no message.
void lp_log_members_tell(const struct lp_log_members *members, struct lp_log_head *head);

enum { LP_LOG_ESCAPE = 27 };
// Escape sequences of terminals (colours) go. ret_text is cleared before.
void lp_log_colours_drop(struct lp_span line, struct lp_str *ret_text);

// Templates.
// What makes up its template, of a text that may be longer: no word that is cut in two.
struct lp_span lp_log_text_cut(struct lp_span text);
// A number for the cleaned text: equal templates have equal numbers, and so has the template's own
// text when it is cleaned again. LP_LOG_PADDING bytes behind the text can be read.
uint64_t lp_log_text_hash(struct lp_span text, enum lp_log_cleaning cleaning);
// Append the cleaned text.
void lp_log_text_clean(struct lp_span text, enum lp_log_cleaning cleaning, struct lp_str *ret_text);
// Append the text with every control byte and every byte that is not UTF-8 as '?'.
void lp_log_text_mend(struct lp_span text, struct lp_str *ret_text);
bool lp_log_text_is_plain(struct lp_span text); // ASCII that mending does not change

enum {
    LP_LOG_TEXT_BYTES = 512,     // of a text: what makes up its template
    LP_LOG_TEMPLATE_BYTES = 768, // of a template, which may be longer: "a= b=" becomes "a=* b=*"
};
