// Syslog: "Jun 14 15:16:01 host sshd(pam_unix)[19939]: text" (RFC 3164 and what stands before it in
// collections of logs), and RFC 5424.
#include <string.h>

#include "logs/line_parts.h"

enum { TOKENS_BEFORE = 4, FIELDS_5424 = 5 };

// 1..12; 0: no month.
static inline int month_of(struct lp_span token)
{
    // The sum of its last two letters tells a month from all others.
    static const char names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    static const uint8_t by_sum[32] = {[207 % 32] = 1,  [199 % 32] = 2,  [211 % 32] = 3,
                                       [226 % 32] = 4,  [218 % 32] = 5,  [227 % 32] = 6,
                                       [225 % 32] = 7,  [220 % 32] = 8,  [213 % 32] = 9,
                                       [215 % 32] = 10, [229 % 32] = 11, [200 % 32] = 12};
    if (token.bytes != 3)
        return 0;
    int month = by_sum[((unsigned char)token.at[1] + (unsigned char)token.at[2]) % 32];
    return month && memcmp(names[month - 1], token.at, 3) == 0 ? month : 0;
}

static int number_of(struct lp_span token, int most)
{
    int number = 0;
    for (size_t i = 0; i < token.bytes; i++) {
        if (token.at[i] < '0' || token.at[i] > '9' || number > most)
            return -1;
        number = number * 10 + token.at[i] - '0';
    }
    return token.bytes > 0 && number <= most ? number : -1;
}

// "2003-10-11T22:14:15.003Z"
static int64_t timestamp_of(struct lp_span token)
{
    if (token.bytes < 19 || token.at[4] != '-' || token.at[7] != '-')
        return INT64_MIN;
    int year = number_of((struct lp_span){token.at, 4}, 9999);
    int month = number_of((struct lp_span){token.at + 5, 2}, 12);
    int day = number_of((struct lp_span){token.at + 8, 2}, 31);
    int day_ms = lp_log_time_of_day((struct lp_span){token.at + 11, token.bytes - 11});
    return year < 0 || month < 1 || day < 1 || day_ms < 0 ? INT64_MIN
                                                          : lp_log_time(year, month, day, day_ms);
}

// "Jun 14 15:16:01 " where it mostly is: at the beginning, in its fixed columns.
static bool date_take(struct lp_span *rest, int64_t *ret_at_ms)
{
    const char *at = rest->at;
    if (rest->bytes < 16 || at[3] != ' ' || at[6] != ' ' || at[15] != ' ')
        return false;
    int month = month_of((struct lp_span){at, 3});
    int tens = at[4] == ' ' ? 0 : at[4] - '0', ones = at[5] - '0';
    bool is_day = tens >= 0 && tens <= 3 && ones >= 0 && ones <= 9;
    int day = is_day && tens * 10 + ones <= 31 ? tens * 10 + ones : 0;
    int day_ms = lp_log_time_of_day((struct lp_span){at + 7, 8});
    if (!month || day <= 0 || day_ms < 0)
        return false;
    *ret_at_ms = lp_log_time(-1, month, day, day_ms);
    lp_span_skip(rest, 15);
    return true;
}

// "Jun 14 15:16:01", or the same behind a few other tokens (a label, a number, a date, a node).
static bool date_find(struct lp_span *rest, int64_t *ret_at_ms)
{
    for (int skipped = 0; skipped <= TOKENS_BEFORE; skipped++) {
        int month = month_of(lp_span_token(rest));
        if (!month)
            continue;
        struct lp_span after = *rest;
        int day = number_of(lp_span_token(&after), 31);
        int day_ms = lp_log_time_of_day(lp_span_token(&after));
        if (day <= 0 || day_ms < 0)
            continue;
        *rest = after;
        *ret_at_ms = lp_log_time(-1, month, day, day_ms);
        return true;
    }
    return false;
}

static inline void priority_skip(struct lp_span *rest)
{
    const char *close = rest->bytes > 2 && *rest->at == '<'
                            ? memchr(rest->at, '>', rest->bytes < 6 ? rest->bytes : 6)
                            : NULL;
    if (close)
        lp_span_skip(rest, (size_t)(close - rest->at) + 1);
}

// "Fri 2003-10-11 22:14:15 CEST", "2003-10-11 22:14:15", "1065903255.003000", "[12345.678901]": the
// other ways of journalctl. Only before a process with its number, as much else begins like that.
static bool clock_take(struct lp_span *rest, int64_t *ret_at_ms)
{
    struct lp_span after = *rest, token = lp_span_token(&after), zone;
    bool is_bracketed = token.bytes && *token.at == '[';
    if (is_bracketed && token.bytes == 1) // "[    5.678901]"
        token = lp_span_token(&after);
    if (token.bytes == 3 && *token.at >= 'A' && *token.at <= 'Z')
        token = lp_span_token(&after);
    if (token.bytes == 10 && token.at[4] == '-') {
        struct lp_span day = lp_span_token(&after); // the time of day: both, as one stretch
        day.bytes += (size_t)(day.at - token.at);
        *ret_at_ms = timestamp_of((struct lp_span){token.at, day.bytes});
        *rest = after;
        zone = lp_span_token(&after);
        if (zone.bytes >= 2 && zone.bytes <= 5 && number_of(zone, 0) < 0 && *zone.at <= 'Z' &&
            zone.at[zone.bytes - 1] <= 'Z')
            *rest = after;
        return *ret_at_ms != INT64_MIN;
    }
    bool has_point = false;
    for (size_t i = is_bracketed && *token.at == '['; i < token.bytes; i++) {
        has_point |= token.at[i] == '.';
        if (token.at[i] != '.' && token.at[i] != ']' && (token.at[i] < '0' || token.at[i] > '9'))
            return false;
    }
    *rest = after;
    return has_point;
}

// "sshd[19939]:"
static bool is_process(struct lp_span token)
{
    return token.bytes > 4 && token.at[token.bytes - 1] == ':' &&
           token.at[token.bytes - 2] == ']' && lp_log_is_name((struct lp_span){token.at, 1});
}

// "2003-10-11T22:14:15.003Z host su[7]: ", as today's daemons write it. A level is no host, and
// the colon belongs to it: else it is a line of LEVEL.
static bool stamp_take(struct lp_span *rest, int64_t *ret_at_ms)
{
    struct lp_span after = *rest, stamp = lp_span_token(&after), behind, host, tag;
    *ret_at_ms = timestamp_of(stamp);
    bool is_stamp = *ret_at_ms != INT64_MIN && stamp.at[stamp.bytes - 1] != '|';
    if (!is_stamp)
        after = *rest;
    if (!is_stamp && !clock_take(&after, ret_at_ms))
        return false;
    behind = after;
    host = lp_span_token(&behind);
    tag = lp_span_token(&behind);
    if (lp_log_is_level(host) ||
        !(is_process(tag) || (is_stamp && tag.bytes > 1 && tag.at[tag.bytes - 1] == ':')))
        return false;
    *rest = after;
    return true;
}

// What stands behind the time: mostly the host, but "sshd[7]:" is a tag.
static void host_skip(struct lp_span *rest)
{
    struct lp_span after = *rest, host = lp_span_token(&after);
    if (host.bytes && host.at[host.bytes - 1] != ':')
        *rest = after;
}

bool lp_log_split_syslog(struct lp_span line, struct lp_log_head *ret_head)
{
    *ret_head = (struct lp_log_head){.text = line, .at_ms = INT64_MIN};
    struct lp_span rest = line;
    priority_skip(&rest);
    if (!date_take(&rest, &ret_head->at_ms) && !stamp_take(&rest, &ret_head->at_ms) &&
        !((rest.bytes == 0 || *rest.at != '[') && date_find(&rest, &ret_head->at_ms)))
        return false; // "[Sun Dec 04 04:47:44 2005] [error] ..." is of ACCESS
    host_skip(&rest);
    lp_span_skip_blanks(&rest);
    if (rest.bytes == 0)
        return false;
    static const bool ends_tag[256] = {[' '] = true, ['\t'] = true, [':'] = true, ['['] = true};
    size_t bytes = 0;
    while (bytes < rest.bytes && !ends_tag[(unsigned char)rest.at[bytes]])
        bytes++;
    ret_head->tag = (struct lp_span){rest.at, bytes};
    lp_span_skip(&rest, bytes);
    const char *close = rest.bytes && *rest.at == '[' ? memchr(rest.at, ']', rest.bytes) : NULL;
    if (close) {
        ret_head->key = (struct lp_span){rest.at + 1, (size_t)(close - rest.at) - 1};
        lp_span_skip(&rest, (size_t)(close - rest.at) + 1);
    }
    if (rest.bytes && *rest.at == ':')
        lp_span_skip(&rest, 1);
    lp_span_skip_blanks(&rest);
    ret_head->text = rest;
    return true;
}

// Structured data: "-", or "[id name="value"]...": values may hold "\]".
static void structured_skip(struct lp_span *rest)
{
    lp_span_skip_blanks(rest);
    if (rest->bytes && *rest->at == '-') {
        lp_span_skip(rest, 1);
        return;
    }
    while (rest->bytes && *rest->at == '[') {
        size_t i = 1;
        bool is_quoted = false;
        for (; i < rest->bytes && (is_quoted || rest->at[i] != ']'); i++) {
            is_quoted ^= rest->at[i] == '"';
            i += rest->at[i] == '\\';
        }
        lp_span_skip(rest, i < rest->bytes ? i + 1 : rest->bytes);
    }
}

bool lp_log_split_syslog5424(struct lp_span line, struct lp_log_head *ret_head)
{
    *ret_head = (struct lp_log_head){.text = line, .at_ms = INT64_MIN};
    struct lp_span rest = line, fields[FIELDS_5424];
    priority_skip(&rest);
    if (rest.bytes < 2 || *rest.at != '1' || rest.at[1] != ' ')
        return false;
    const char *start = rest.at; // some leave the priority out
    lp_span_skip(&rest, 1);
    for (int i = 0; i < FIELDS_5424; i++) {
        fields[i] = lp_span_token(&rest);
        if (fields[i].bytes == 0)
            return false;
    }
    ret_head->at_ms = timestamp_of(fields[0]);
    if (ret_head->at_ms == INT64_MIN && (start == line.at || !lp_span_is(fields[0], "-")))
        return false;
    if (!lp_span_is(fields[2], "-"))
        ret_head->tag = fields[2];
    if (!lp_span_is(fields[3], "-"))
        ret_head->key = fields[3];
    structured_skip(&rest);
    lp_span_skip_blanks(&rest);
    if (rest.bytes >= 3 && memcmp(rest.at, "\xef\xbb\xbf", 3) == 0)
        lp_span_skip(&rest, 3);
    ret_head->text = rest;
    return true;
}
