// "time level component [context] text" and its kin: what programs with a logging library write.
//   2017-05-16 00:00:00.008 25746 INFO nova.api [req-38101a0b ...] text
//   2015-07-29 17:41:44,747 - INFO  [QuorumPeer[myid=1]/0:2181:FastLeaderElection@774] - text
//   17/06/09 20:10:40 INFO executor.Backend: text
//   03-17 16:13:38.811  1702  2395 D WindowManager: text
//   2015-10-18 18:01:47,978 INFO [main] org.example.Master: text
//   2021-01-01T12:00:00.123Z [worker 5] WARN  org.example.Master - text
//   2021-01-01 12:00:00.123  INFO 7 --- [main] org.example.Master : text
//   [10.30 16:49:06] chrome.exe - text
//   20171223-22:15:29:606|Steps|30002312|text
#include <string.h>

#include "logs/line_parts.h"

enum { TOKENS_BEFORE = 6, FIELDS_BEFORE = 4 };

bool lp_log_is_level(struct lp_span token)
{
    enum { LONGEST = 8 };
    static const char *const words[LONGEST + 1] = {
        "",        "VDIWEF",   "", "", "INFOWARN", "TRACEDEBUGERRORFATALAUDITALERT", "NOTICESEVERE",
        "WARNING", "CRITICAL",
    };
    while (token.bytes && (token.at[token.bytes - 1] == ':' || token.at[token.bytes - 1] == ']'))
        token.bytes--;
    if (token.bytes && *token.at == '[')
        lp_span_skip(&token, 1);
    char upper[LONGEST];
    if (token.bytes == 0 || token.bytes > LONGEST)
        return false;
    for (size_t i = 0; i < token.bytes; i++)
        upper[i] =
            token.at[i] >= 'a' && token.at[i] <= 'z' ? (char)(token.at[i] - 32) : token.at[i];
    return lp_is_among(words[token.bytes], upper, token.bytes);
}

// Of a date, a time, a number: digits and what stands between them.
static bool is_numeric(struct lp_span token)
{
    enum { OTHER, DIGIT, BETWEEN };
    static const uint8_t kinds[256] = {
        ['0' ... '9'] = DIGIT, [':'] = BETWEEN, ['.'] = BETWEEN, ['/'] = BETWEEN, [','] = BETWEEN,
        ['-'] = BETWEEN,       ['+'] = BETWEEN, ['T'] = BETWEEN, ['Z'] = BETWEEN, ['['] = BETWEEN,
        [']'] = BETWEEN,       ['('] = BETWEEN, [')'] = BETWEEN, ['#'] = BETWEEN,
    };
    bool has_digit = false;
    for (size_t i = 0; i < token.bytes; i++) {
        uint8_t kind = kinds[(unsigned char)token.at[i]];
        if (kind == OTHER)
            return false;
        has_digit |= kind == DIGIT;
    }
    return has_digit;
}

static bool is_number(struct lp_span token)
{
    for (size_t i = 0; i < token.bytes; i++)
        if (token.at[i] < '0' || token.at[i] > '9')
            return false;
    return token.bytes > 0;
}

// "2017-05-16", "2005.11.09", "17/06/09", "03-17": the day's first millisecond; INT64_MIN: no date.
static int64_t date_of(struct lp_span token)
{
    int numbers[3] = {0}, count = 0, digits = 0;
    for (size_t i = 0; i < token.bytes; i++) {
        char c = token.at[i];
        bool is_digit = c >= '0' && c <= '9';
        bool is_between = digits > 0 && count < 2 && (c == '-' || c == '/' || c == '.');
        if ((!is_digit && !is_between) || (is_digit && ++digits > 4))
            return INT64_MIN;
        if (is_digit)
            numbers[count] = numbers[count] * 10 + c - '0';
        else
            count++;
        digits = is_digit ? digits : 0;
    }
    int year = count == 2 ? numbers[0] : -1;
    int month = count == 2 ? numbers[1] : numbers[0], day = count == 2 ? numbers[2] : numbers[1];
    if (count == 0 || digits == 0 || month < 1 || month > 12 || day < 1 || day > 31)
        return INT64_MIN;
    return lp_log_time(year >= 0 && year < 100 ? 2000 + year : year, month, day, 0);
}

static void time_take(struct lp_span token, struct lp_log_head *head)
{
    if (token.bytes && *token.at == '[')
        lp_span_skip(&token, 1);
    const char *both = token.bytes ? memchr(token.at, 'T', token.bytes) : NULL;
    struct lp_span date = {token.at, both ? (size_t)(both - token.at) : token.bytes};
    int64_t at_ms = date_of(date);
    if (at_ms != INT64_MIN)
        head->at_ms = at_ms;
    if (both)
        lp_span_skip(&token, date.bytes + 1);
    int day_ms = lp_log_time_of_day(token);
    if (day_ms >= 0)
        head->at_ms = (head->at_ms == INT64_MIN ? 0 : head->at_ms) + day_ms;
}

// "[QuorumPeer[myid=1]/0:0:2181:FastLeaderElection@774]": the class; "nova.api", "a.B:": itself.
static struct lp_span component_of(struct lp_span token)
{
    while (token.bytes && token.at[token.bytes - 1] == ':')
        token.bytes--;
    if (token.bytes < 2 || *token.at != '[')
        return token;
    size_t end = token.bytes;
    while (end > 1 && (token.at[end - 1] == ']' || token.at[end - 1] == ':'))
        end--;
    for (size_t i = end; i > 1; i--)
        if (token.at[i - 1] == '@')
            end = i - 1;
    size_t start = end;
    while (start > 1 && token.at[start - 1] != ':' && token.at[start - 1] != '[')
        start--;
    return (struct lp_span){token.at + start, end - start};
}

// Contexts in brackets behind the component are about one request: they are its key.
static void contexts_take(struct lp_span *rest, struct lp_log_head *head)
{
    for (;;) {
        lp_span_skip_blanks(rest);
        if (rest->bytes >= 2 && rest->at[0] == '-' && rest->at[1] == ' ') {
            lp_span_skip(rest, 1);
            continue;
        }
        const char *close =
            rest->bytes && *rest->at == '[' ? memchr(rest->at, ']', rest->bytes) : NULL;
        if (!close)
            return;
        if (head->key.bytes == 0 || is_number(head->key))
            head->key = (struct lp_span){rest->at + 1, (size_t)(close - rest->at) - 1};
        lp_span_skip(rest, (size_t)(close - rest->at) + 1);
    }
}

// "[10.30 16:49:06] program - text"
static bool split_bracketed(struct lp_span line, struct lp_log_head *head)
{
    const char *close = memchr(line.at, ']', line.bytes < 40 ? line.bytes : 40);
    if (!close || !is_numeric((struct lp_span){line.at + 1, 2}))
        return false;
    struct lp_span rest = line;
    lp_span_skip(&rest, (size_t)(close - line.at) + 1);
    struct lp_span program = lp_span_token(&rest), dash = lp_span_token(&rest);
    if (program.bytes && !lp_span_is(dash, "-")) // "[time] program *64 - text"
        dash = lp_span_token(&rest);
    if (!lp_span_is(dash, "-"))
        return false;
    lp_span_skip_blanks(&rest);
    head->tag = program;
    head->text = rest;
    return true;
}

// Up to the next pipe; 0 bytes: there is none.
static struct lp_span field_of(struct lp_span rest)
{
    const char *pipe = memchr(rest.at, '|', rest.bytes < 40 ? rest.bytes : 40);
    return (struct lp_span){rest.at, pipe ? (size_t)(pipe - rest.at) : 0};
}

// "time|component|process|text", a level anywhere between.
static bool split_piped(struct lp_span line, struct lp_log_head *head)
{
    struct lp_span rest = line, field = field_of(rest), time = field;
    for (struct lp_span token; (token = lp_span_token(&time)).bytes > 0; time_take(token, head))
        if (!is_numeric(token))
            return false;
    for (int fields = 0; fields < FIELDS_BEFORE && field.bytes > 0; fields++) {
        bool is_known = fields == 0 || is_numeric(field) || lp_log_is_level(field);
        if (!is_known && head->tag.bytes)
            break;
        if (!is_known)
            head->tag = field;
        else if (is_number(field))
            head->key = field;
        lp_span_skip(&rest, field.bytes + 1);
        field = field_of(rest);
    }
    head->text = rest;
    return head->tag.bytes > 0;
}

// "[worker 5]": what is in the brackets, which may have blanks. False: there are none.
static bool brackets_take(struct lp_span *rest, struct lp_span *ret_content)
{
    lp_span_skip_blanks(rest);
    const char *close = rest->bytes && *rest->at == '[' ? memchr(rest->at, ']', rest->bytes) : NULL;
    if (!close)
        return false;
    *ret_content = (struct lp_span){rest->at + 1, (size_t)(close - rest->at) - 1};
    lp_span_skip(rest, ret_content->bytes + 2);
    return true;
}

// Behind the level: "7 --- ", a process and dashes.
static void dashes_take(struct lp_span *rest, struct lp_log_head *head)
{
    struct lp_span after = *rest, token;
    while ((token = lp_span_token(&after)).bytes > 0) {
        if (is_number(token))
            head->key = token;
        else if (!lp_span_is(token, "-") && !lp_span_is(token, "---"))
            return;
        *rest = after;
    }
}

// "[main] org.example.Master: text", behind the level: a thread before a dotted name. False: it is
// not so.
static bool thread_take(const struct lp_span *rest, struct lp_log_head *head)
{
    struct lp_span after = *rest, thread;
    if (!brackets_take(&after, &thread))
        return false;
    struct lp_span name = lp_span_token(&after), behind = after, end = lp_span_token(&behind);
    bool has_colon = name.bytes > 1 && name.at[name.bytes - 1] == ':';
    if (!has_colon && (lp_span_is(end, ":") || lp_span_is(end, "-")))
        after = behind;
    else if (!has_colon)
        return false;
    if (!name.bytes || !memchr(name.at, '.', name.bytes))
        return false;
    head->key = thread;
    head->tag = (struct lp_span){name.at, name.bytes - has_colon};
    lp_span_skip_blanks(&after);
    head->text = after;
    return true;
}

// What stands before the level: dates, times, numbers, a thread in brackets. False: it is not so.
static bool level_find(struct lp_span *rest, struct lp_log_head *head)
{
    for (int tokens = 0; tokens < TOKENS_BEFORE; tokens++) {
        struct lp_span before = *rest, token = lp_span_token(rest), thread;
        if (token.bytes == 0)
            return false;
        if (lp_log_is_level(token))
            return true;
        bool may_be_file = tokens == 0; // "nova-api.log.1.2017-05-16_13:53:08" before the date
        if (is_numeric(token) || lp_span_is(token, "-") || may_be_file) {
            time_take(token, head);
            if (is_number(token))
                head->key = token;
        } else if (brackets_take(&before, &thread)) {
            head->key = thread;
            *rest = before;
        } else {
            return false;
        }
    }
    return false;
}

bool lp_log_split_level(struct lp_span line, struct lp_log_head *ret_head)
{
    *ret_head = (struct lp_log_head){.text = line, .at_ms = INT64_MIN};
    struct lp_span rest = line;
    if (line.bytes > 3 && *line.at == '[' && split_bracketed(line, ret_head))
        return true;
    if (line.bytes && *line.at >= '0' && *line.at <= '9' && split_piped(line, ret_head))
        return true;
    *ret_head = (struct lp_log_head){.text = line, .at_ms = INT64_MIN};
    if (!level_find(&rest, ret_head))
        return false;
    dashes_take(&rest, ret_head);
    if (thread_take(&rest, ret_head))
        return true;
    struct lp_span token = lp_span_token(&rest);
    if (token.bytes == 0)
        return false;
    ret_head->tag = component_of(token);
    contexts_take(&rest, ret_head);
    ret_head->text = rest;
    return true;
}
