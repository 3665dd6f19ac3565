// One JSON object a line: format_member.c says which of its members is the message, and which says
// who wrote it. Members of an object within it count if the line has no other; what stands in a
// string is taken as it is written. Without a message the whole line is the text.
#include <string.h>

#include "logs/line_parts.h"

enum { MEMBERS_MAX = 64, DEPTH_MAX = 2 };

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

static bool object_take(struct lp_span *rest, int depth, struct lp_log_members *members);

// An object's members are noted behind those of the one that it is in.
static void inner_take(struct lp_span value, int depth, struct lp_log_members *members)
{
    struct lp_log_members inner = {0};
    if (depth >= DEPTH_MAX || !object_take(&value, depth + 1, &inner))
        return;
    if (!members->message.rank)
        members->message = inner.message;
    if (!members->writer.rank)
        members->writer = inner.writer;
    if (!members->key.rank)
        members->key = inner.key;
}

// "{...}", from its brace on. False: it is none.
static bool object_take(struct lp_span *rest, int depth, struct lp_log_members *members)
{
    struct lp_span inner[DEPTH_MAX] = {{0}}; // of its objects, the first ones
    int inner_count = 0, count = 0;
    for (; count < MEMBERS_MAX && rest->bytes && *rest->at != '}'; count++) {
        struct lp_span key, value;
        lp_span_skip(rest, 1); // '{' or ','
        lp_span_skip_blanks(rest);
        if (!rest->bytes || *rest->at != '"')
            return false;
        lp_span_skip(rest, 1);
        if (!string_take(rest, &key))
            return false;
        lp_span_skip_blanks(rest);
        if (!rest->bytes || *rest->at != ':')
            return false;
        lp_span_skip(rest, 1);
        if (!value_take(rest, &value))
            return false;
        lp_span_skip_blanks(rest);
        if (value.bytes && *value.at == '{' && inner_count < DEPTH_MAX)
            inner[inner_count++] = value;
        else if (value.bytes && *value.at != '{')
            lp_log_member_note(members, key, value);
    }
    for (int i = 0; i < inner_count; i++)
        inner_take(inner[i], depth, members);
    return count > 0;
}

bool lp_log_split_json(struct lp_span line, struct lp_log_head *ret_head)
{
    struct lp_log_members members = {0};
    struct lp_span rest = line;
    *ret_head = (struct lp_log_head){.text = line, .at_ms = INT64_MIN};
    lp_span_skip_blanks(&rest);
    if (rest.bytes < 2 || *rest.at != '{' || !object_take(&rest, 0, &members))
        return false;
    lp_log_members_tell(&members, ret_head);
    return true;
}
