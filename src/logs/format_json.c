// One JSON object a line: which of its members is the message, and which says who wrote it. Only
// the members of the object itself are looked at; what stands in a string is taken as it is
// written.
#include <string.h>

#include "logs/line_parts.h"

enum { MEMBERS_MAX = 64 };

// Behind the opening quote; up to the closing one. False: it has none.
static bool string_take(struct lp_span *rest, struct lp_span *ret_text)
{
    size_t i = 0;
    for (; i < rest->bytes && rest->at[i] != '"'; i++)
        i += rest->at[i] == '\\';
    if (i >= rest->bytes)
        return false;
    *ret_text = (struct lp_span){rest->at, i};
    lp_span_skip(rest, i + 1);
    return true;
}

// Any value; a string's text, else its bytes. False: the object ends too early.
static bool value_take(struct lp_span *rest, struct lp_span *ret_value)
{
    int depth = 0;
    lp_span_skip_blanks(rest);
    if (rest->bytes && *rest->at == '"') {
        lp_span_skip(rest, 1);
        return string_take(rest, ret_value);
    }
    const char *start = rest->at;
    while (rest->bytes) {
        char c = *rest->at;
        if (depth == 0 && (c == ',' || c == '}'))
            break;
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        lp_span_skip(rest, 1);
        struct lp_span inner;
        if (c == '"' && !string_take(rest, &inner))
            return false;
    }
    *ret_value = (struct lp_span){start, (size_t)(rest->at - start)};
    return rest->bytes > 0;
}

static bool is_one_of(struct lp_span key, const char *const *names)
{
    for (; *names; names++)
        if (lp_span_is(key, *names))
            return true;
    return false;
}

bool lp_log_split_json(struct lp_span line, struct lp_log_head *ret_head)
{
    static const char *const messages[] = {"message", "msg",  "MESSAGE", "log",
                                           "event",   "text", NULL};
    static const char *const writers[] = {"logger", "component",         "service", "name", "app",
                                          "module", "SYSLOG_IDENTIFIER", "source",  "tag",  NULL};
    static const char *const keys[] = {"request_id", "trace_id", "pid", "_PID", "session", NULL};
    struct lp_span rest = line;
    *ret_head = (struct lp_log_head){.text = line, .at_ms = INT64_MIN};
    lp_span_skip_blanks(&rest);
    if (rest.bytes < 2 || *rest.at != '{')
        return false;
    bool has_message = false;
    for (int members = 0; members < MEMBERS_MAX && rest.bytes && *rest.at != '}'; members++) {
        struct lp_span key, value;
        lp_span_skip(&rest, 1); // '{' or ','
        lp_span_skip_blanks(&rest);
        if (!rest.bytes || *rest.at != '"')
            return false;
        lp_span_skip(&rest, 1);
        if (!string_take(&rest, &key))
            return false;
        lp_span_skip_blanks(&rest);
        if (!rest.bytes || *rest.at != ':')
            return false;
        lp_span_skip(&rest, 1);
        if (!value_take(&rest, &value))
            return false;
        lp_span_skip_blanks(&rest);
        if (!has_message && is_one_of(key, messages)) {
            ret_head->text = value;
            has_message = true;
        } else if (!ret_head->tag.bytes && is_one_of(key, writers)) {
            ret_head->tag = value;
        } else if (!ret_head->key.bytes && is_one_of(key, keys)) {
            ret_head->key = value;
        }
    }
    return has_message;
}
