// "time level component [context] text" and its kin: what programs with a logging library write.
// Before the level: times, numbers, brackets, one name. Behind it: a name that is marked as one, as
// "name:", "[name]", "name - text", "a.dotted.name"; else there is only text.
//   2017-05-16 00:00:00.008 25746 INFO nova.api [req-38101a0b ...] text
//   2015-07-29 17:41:44,747 - INFO  [QuorumPeer[myid=1]/0:2181:FastLeaderElection@774] - text
//   17/06/09 20:10:40 INFO executor.Backend: text
//   03-17 16:13:38.811  1702  2395 D WindowManager: text
//   2015-10-18 18:01:47,978 INFO [main] org.example.Master: text
//   2021-01-01T12:00:00.123Z [worker 5] WARN  org.example.Master - text
//   2021-01-01 12:00:00.123  INFO 7 --- [main] org.example.Master : text
//   2021-01-01 12:00:00,123 - name - INFO - text
//   [2021-01-01 12:00:00 +0000] [77] [INFO] text
//   [2021-01-01 12:00:00] name.ERROR: text
//   2021-01-01 12:00:00.123 UTC [77] ann@shop ERROR:  text
//   I0121 12:00:00.123456       1 file.go:10] text
//   INFO:name:text
//   [10.30 16:49:06] chrome.exe - text
//   20171223-22:15:29:606|Steps|30002312|text
#include <string.h>

#include "logs/line_parts.h"

enum { FIELDS_BEFORE = 8, PIPES_BEFORE = 4, LEVEL_BYTES = 11 };

// is_marked: by brackets; a colon or a comma behind it and capitals mark it, too.
static bool is_level(struct lp_span token, bool is_marked)
{
    // Most are not: times and numbers.
    if (token.bytes == 0 || token.bytes > LEVEL_BYTES + 1 || *token.at < 'A')
        return false;
    // By length. Marked ones: words that mean something else as well.
    static const char *const levels[LEVEL_BYTES + 1] = {"",
                                                        "DEFIVW",
                                                        "",
                                                        "DBGERRFTLINFTRCVRBWRN",
                                                        "CRITDBUGERROINFOTRCEWARN",
                                                        "ALERTAUDITDEBUGEMERGERRORFATALTRACE",
                                                        "NOTICESEVERE",
                                                        "VERBOSEWARNING",
                                                        "CRITICAL",
                                                        "EMERGENCY",
                                                        "",
                                                        "INFORMATION"},
                                                  *const marked[LEVEL_BYTES + 1] = {
                                                      "",
                                                      "",
                                                      "",
                                                      "LOG",
                                                      "FAILFINEHINTNOTE",
                                                      "FINERPANICSILLY",
                                                      "CONFIGDETAILFINESTSYSTEM",
                                                      "CONTEXT",
                                                      "",
                                                      "STATEMENT",
                                                      "",
                                                      ""};
    size_t all = token.bytes;
    while (token.bytes && strchr(":],", token.at[token.bytes - 1]))
        token.bytes--;
    char upper[LEVEL_BYTES];
    if (token.bytes == 0 || token.bytes > LEVEL_BYTES)
        return false;
    bool is_capital = true;
    for (size_t i = 0; i < token.bytes; i++) {
        bool is_small = token.at[i] >= 'a' && token.at[i] <= 'z';
        is_capital = is_capital && !is_small;
        upper[i] = is_small ? (char)(token.at[i] - 32) : token.at[i];
    }
    return lp_is_among(levels[token.bytes], upper, token.bytes) ||
           ((is_marked || is_capital || token.bytes < all) &&
            lp_is_among(marked[token.bytes], upper, token.bytes));
}

bool lp_log_is_level(struct lp_span token)
{
    bool is_bracketed = token.bytes && *token.at == '[';
    if (is_bracketed)
        lp_span_skip(&token, 1);
    return is_level(token, is_bracketed);
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
    for (int fields = 0; fields < PIPES_BEFORE && field.bytes > 0; fields++) {
        struct lp_span content = lp_span_trim(field);
        bool is_known = fields == 0 || is_numeric(content) || lp_log_is_level(content);
        if (!is_known && head->tag.bytes)
            break;
        if (!is_known)
            head->tag = content;
        else if (is_number(content))
            head->key = content;
        lp_span_skip(&rest, field.bytes + 1);
        field = field_of(rest);
    }
    head->text = rest;
    return head->tag.bytes > 0;
}

// "web-1  | text", as of several programs' output put together.
static bool split_gathered(struct lp_span line, struct lp_log_head *head)
{
    struct lp_span rest = line, name = lp_span_token(&rest), pipe = lp_span_token(&rest);
    if (!lp_log_is_name(name) || !lp_span_is(pipe, "|"))
        return false;
    lp_span_skip_blanks(&rest);
    head->tag = name;
    head->text = rest;
    return rest.bytes > 0;
}

// What stands between brackets, without the blanks at its ends; rest: behind them. False: there
// are none.
static bool brackets_take(struct lp_span *rest, struct lp_span *ret_content)
{
    lp_span_skip_blanks(rest);
    if (rest->bytes == 0 || *rest->at != '[')
        return false;
    size_t end = 1;
    for (int depth = 1; end < rest->bytes; end++)
        if (rest->at[end] == '[')
            depth++;
        else if (rest->at[end] == ']' && --depth == 0)
            break;
    if (end == rest->bytes)
        return false;
    *ret_content = lp_span_trim((struct lp_span){rest->at + 1, end - 1});
    lp_span_skip(rest, end + 1);
    return true;
}

// "-", "--", "---", "|", ":"
static inline bool is_separator(struct lp_span token)
{
    bool is_dashes = token.bytes > 0 && token.bytes <= 3;
    for (size_t i = 0; i < token.bytes && is_dashes; i++)
        is_dashes = token.at[i] == '-';
    return is_dashes || (token.bytes == 1 && (*token.at == '|' || *token.at == ':'));
}

// "UTC", "CEST", "PM": behind a time of day.
static bool is_zone(struct lp_span token)
{
    for (size_t i = 0; i < token.bytes; i++)
        if (token.at[i] < 'A' || token.at[i] > 'Z')
            return false;
    return token.bytes >= 2 && token.bytes <= 5;
}

// As a container's engine puts it before what a program writes, with an F behind it.
static bool is_stream(struct lp_span token)
{
    return token.bytes == 6 && lp_is_among("stdoutstderr", token.at, 6);
}

// What was met before the level.
struct before {
    bool has_number, is_behind_time, has_name;
};

// Up to a blank or the "]" of brackets around a time and more.
static struct lp_span before_token(struct lp_span *rest)
{
    lp_span_skip_blanks(rest);
    size_t bytes = 0;
    while (bytes < rest->bytes && !lp_is_blank(rest->at[bytes]) && rest->at[bytes] != ']')
        bytes++;
    struct lp_span token = {rest->at, bytes};
    lp_span_skip(rest, bytes + (bytes < rest->bytes && rest->at[bytes] == ']'));
    return token;
}

// A level without any time before it is one if it looks like one: "INFO", "info:".
static bool is_plain_level(struct lp_span token)
{
    if (!lp_log_is_level(token))
        return false;
    bool is_marked = token.bytes > 1 && strchr(":,", token.at[token.bytes - 1]);
    bool is_capital = token.bytes > 2;
    for (size_t i = 0; i < token.bytes && is_capital; i++)
        is_capital = token.at[i] < 'a' || token.at[i] > 'z';
    return is_marked || is_capital;
}

// "name.ERROR:": a name and a level. "INFO:name:text", "INFO/process": a level and more.
static bool joined_take(struct lp_span token, struct lp_span *rest, struct lp_log_head *head)
{
    for (size_t i = 1; i + 1 < token.bytes; i++) {
        struct lp_span left = {token.at, i}, right = {token.at + i + 1, token.bytes - i - 1};
        char c = token.at[i];
        if (c == '.' && right.at[right.bytes - 1] == ':' && lp_log_is_level(right)) {
            head->tag = left;
            return true;
        }
        if (c == '/' && i >= 3 && lp_log_is_level(left))
            return true;
        if (c != ':' || !is_plain_level((struct lp_span){token.at, i + 1}))
            continue;
        const char *end = memchr(right.at, ':', right.bytes);
        head->tag = (struct lp_span){right.at, end ? (size_t)(end - right.at) : 0};
        size_t taken = end ? head->tag.bytes + 1 : 0;
        rest->bytes += (size_t)(rest->at - right.at) - taken;
        rest->at = right.at + taken;
        return true;
    }
    return false;
}

// "I0121 12:00:00.123456": the level and the day in one.
static bool is_level_with_day(struct lp_span token, struct lp_span rest)
{
    return token.bytes == 5 && strchr("DIWEF", *token.at) && *token.at &&
           is_number((struct lp_span){token.at + 1, 4}) &&
           lp_log_time_of_day(lp_span_token(&rest)) >= 0;
}

enum step { GOES_ON, LEVEL_IS_HERE, HAS_NO_LEVEL };

static enum step word_step(struct lp_span *rest, struct before *before, struct lp_log_head *head)
{
    bool is_first = !before->has_number && !before->has_name;
    struct lp_span token = before_token(rest);
    if (token.bytes == 0)
        return rest->bytes ? GOES_ON : HAS_NO_LEVEL;
    bool is_behind_time = before->is_behind_time;
    before->is_behind_time = false;
    if (is_first ? is_plain_level(token) || is_level_with_day(token, *rest)
                 : lp_log_is_level(token))
        return LEVEL_IS_HERE;
    if (is_separator(token) || (is_behind_time && is_zone(token)) || is_stream(token))
        return GOES_ON;
    if (is_first ? lp_span_has_digit(token) : is_numeric(token)) { // it may be a file's name
        time_take(token, head);
        if (is_number(token))
            head->key = token;
        before->is_behind_time = before->has_number = true;
        return GOES_ON;
    }
    if (joined_take(token, rest, head))
        return LEVEL_IS_HERE;
    if (!before->has_number || before->has_name || !lp_log_is_name(token))
        return HAS_NO_LEVEL;
    before->has_name = true;
    head->tag = token;
    return GOES_ON;
}

static enum step bracket_step(struct lp_span *rest, struct before *before, struct lp_log_head *head)
{
    struct lp_span after = *rest, content;
    if (!brackets_take(&after, &content) || content.bytes == 0)
        return HAS_NO_LEVEL;
    bool is_opened =
        *content.at >= '0' && *content.at <= '9' && memchr(content.at, ' ', content.bytes);
    if (is_opened) { // a time and more
        lp_span_skip(rest, 1);
        return word_step(rest, before, head);
    }
    *rest = after;
    if (is_level(content, true))
        return LEVEL_IS_HERE;
    if (is_numeric(content)) {
        time_take(content, head);
        before->has_number = true;
    }
    head->key = content;
    return GOES_ON;
}

// What stands before the level, and the level. False: it is not so.
static bool level_find(struct lp_span *rest, struct lp_log_head *head)
{
    struct before before = {0};
    enum step step = GOES_ON;
    for (int fields = 0; fields < FIELDS_BEFORE && step == GOES_ON; fields++) {
        lp_span_skip_blanks(rest);
        bool is_bracket = rest->bytes && *rest->at == '[';
        step = is_bracket ? bracket_step(rest, &before, head) : word_step(rest, &before, head);
    }
    return step == LEVEL_IS_HERE;
}

// Behind the level: "7 --- ", "12:00:00.123456  1 ", "[2021-01-01T12:00:00 #77]  INFO -- ".
static void between_skip(struct lp_span *rest, struct lp_log_head *head)
{
    struct lp_span after = *rest, token, content;
    for (;;) {
        bool is_bracketed = brackets_take(&after, &content);
        token = is_bracketed ? content : lp_span_token(&after);
        bool is_time = token.bytes && lp_log_time_of_day(token) >= 0;
        if (is_bracketed && token.bytes && *token.at >= '0' && *token.at <= '9') {
            struct lp_span time = lp_span_token(&token);
            if (!is_numeric(time) || is_number(time))
                return;
            time_take(time, head);
        } else if (is_bracketed || token.bytes == 0) {
            return;
        } else if (is_number(token)) {
            head->key = token;
        } else if (is_time) {
            time_take(token, head);
        } else if (!is_separator(token) && !(token.bytes > 2 && is_plain_level(token))) {
            return;
        }
        *rest = after;
    }
}

// "QuorumPeer[myid=1]/0:0:2181:FastLeaderElection@774": the class; "Log id=2": its first word.
static struct lp_span component_of(struct lp_span content)
{
    const char *place = memchr(content.at, '@', content.bytes);
    if (!place)
        return lp_span_token(&content);
    size_t end = (size_t)(place - content.at), start = end;
    while (start > 0 && content.at[start - 1] != ':' && content.at[start - 1] != '[')
        start--;
    return (struct lp_span){content.at + start, end - start};
}

// "[main] org.example.Master: text", behind the level: a thread before a dotted name. False: it is
// not so.
static bool thread_take(struct lp_span *rest, struct lp_log_head *head)
{
    struct lp_span after = *rest, thread;
    if (!brackets_take(&after, &thread))
        return false;
    struct lp_span name = lp_span_token(&after), behind = after;
    if (name.bytes > 1 && name.at[name.bytes - 1] == ':')
        name.bytes--;
    else if (is_separator(lp_span_token(&behind)))
        after = behind;
    if (!lp_log_is_name(name) || !memchr(name.at, '.', name.bytes - 1))
        return false;
    head->key = thread;
    head->tag = name;
    *rest = after;
    return true;
}

// A dotted name, or a path of one: "nova.api", "shop::db", "http/server.go".
static bool is_dotted(struct lp_span name)
{
    for (size_t i = 1; i + 1 < name.bytes; i++)
        if (strchr(".:/$", name.at[i]))
            return true;
    return false;
}

// A word that is marked as a component's name. False: it is text.
static bool name_take(struct lp_span *rest, struct lp_log_head *head)
{
    struct lp_span after = *rest, name = lp_span_token(&after), behind = after;
    // "name   text", "name\ttext", "name [context] text"
    bool is_far =
        after.bytes > 1 && (*after.at == '\t' || after.at[1] == ' ' || after.at[1] == '[');
    bool is_marked = name.bytes > 1 && name.at[name.bytes - 1] == ':';
    name.bytes -= is_marked;
    const char *open = name.bytes ? memchr(name.at, '[', name.bytes) : NULL;
    struct lp_span key = {0};
    if (open && name.at[name.bytes - 1] == ']') { // "name[7]"
        key = (struct lp_span){open + 1, (size_t)(name.at + name.bytes - open) - 2};
        name.bytes = (size_t)(open - name.at);
    } else if (name.bytes > 1 && name.at[name.bytes - 1] == ']') { // "server.go:40]"
        is_marked = true;
        name.bytes--;
    }
    name = lp_log_place_cut(name);
    if (!lp_log_is_name(name))
        return false;
    if (!is_marked && is_separator(lp_span_token(&behind)))
        after = behind;
    else if (!is_marked && !is_far && !is_dotted(name))
        return false;
    head->tag = name;
    head->key = key.bytes ? key : head->key;
    *rest = after;
    return true;
}

// Brackets: the first may be the component's, others are about one request and are the key.
static void contexts_take(struct lp_span *rest, struct lp_log_head *head)
{
    for (struct lp_span content;;) {
        lp_span_skip_blanks(rest);
        if (rest->bytes >= 2 && rest->at[0] == '-' && rest->at[1] == ' ')
            lp_span_skip(rest, 1);
        else if (!brackets_take(rest, &content))
            return;
        else if (!head->tag.bytes && lp_log_is_name(component_of(content)))
            head->tag = component_of(content);
        else if (head->key.bytes == 0 || is_number(head->key))
            head->key = content;
    }
}

bool lp_log_split_level(struct lp_span line, struct lp_log_head *ret_head)
{
    *ret_head = (struct lp_log_head){.text = line, .at_ms = INT64_MIN};
    struct lp_span rest = line;
    bool is_digit = line.bytes && *line.at >= '0' && *line.at <= '9';
    if (line.bytes > 3 && *line.at == '[' && split_bracketed(line, ret_head))
        return true;
    if (is_digit ? split_piped(line, ret_head) : split_gathered(line, ret_head))
        return true;
    *ret_head = (struct lp_log_head){.text = line, .at_ms = INT64_MIN};
    if (!level_find(&rest, ret_head))
        return false;
    between_skip(&rest, ret_head);
    if (!ret_head->tag.bytes && !thread_take(&rest, ret_head) && !name_take(&rest, ret_head))
        contexts_take(&rest, ret_head); // the first may be the name
    contexts_take(&rest, ret_head);
    ret_head->text = rest;
    return rest.bytes > 0 || ret_head->tag.bytes > 0;
}
