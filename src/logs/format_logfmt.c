// Lines of key=value: level=info msg="a text" component=db. Which member is the message, and which
// says who wrote it, is as in format_json.c; without a message the whole line is the text.
#include <string.h>

#include "logs/line_parts.h"

enum { MEMBERS_MAX = 64, MEMBERS_LEAST = 2 };

// "key=" in front of a value. False: it is none.
static bool key_take(struct lp_span *rest, struct lp_span *ret_key)
{
    size_t bytes = 0;
    for (; bytes < rest->bytes && rest->at[bytes] != '='; bytes++) {
        char c = rest->at[bytes];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '@';
        bool is_other = (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '/' || c == ':';
        if (!is_letter && (bytes == 0 || !is_other))
            return false;
    }
    if (bytes == 0 || bytes == rest->bytes)
        return false;
    *ret_key = (struct lp_span){rest->at, bytes};
    lp_span_skip(rest, bytes + 1);
    return true;
}

// "a text" without its quotes, or what stands before the next blank.
static struct lp_span value_take(struct lp_span *rest)
{
    if (rest->bytes == 0 || *rest->at != '"') {
        bool is_empty = rest->bytes == 0 || *rest->at == ' ' || *rest->at == '\t';
        return is_empty ? (struct lp_span){rest->at, 0} : lp_span_token(rest);
    }
    size_t end = 1;
    for (; end < rest->bytes && rest->at[end] != '"'; end++)
        end += rest->at[end] == '\\';
    end = end < rest->bytes ? end : rest->bytes;
    struct lp_span value = {rest->at + 1, end - 1};
    lp_span_skip(rest, end < rest->bytes ? end + 1 : end);
    return value;
}

bool lp_log_split_logfmt(struct lp_span line, struct lp_log_head *ret_head)
{
    struct lp_log_members members = {0};
    struct lp_span rest = line, key;
    int count = 0;
    for (bool is_first = true; count < MEMBERS_MAX; is_first = false) {
        lp_span_skip_blanks(&rest);
        if (rest.bytes == 0)
            break;
        if (key_take(&rest, &key)) {
            lp_log_member_note(&members, key, value_take(&rest));
            count++;
        } else if (is_first) {
            break;
        } else {
            lp_span_token(&rest); // "key value", a lone word
        }
    }
    *ret_head = (struct lp_log_head){.text = line, .at_ms = INT64_MIN};
    if (count < MEMBERS_LEAST)
        return false;
    lp_log_members_tell(&members, ret_head);
    return true;
}
