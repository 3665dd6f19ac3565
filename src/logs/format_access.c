// Web servers: access logs in the common and the combined format, error logs of Apache and nginx.
#include <string.h>

#include "logs/line_parts.h"

// "10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /a/b HTTP/1.1" 200 123 ..."
static bool split_access(struct lp_span line, struct lp_log_head *head)
{
    struct lp_span rest = line;
    struct lp_span client = lp_span_token(&rest), identity = lp_span_token(&rest);
    struct lp_span user = lp_span_token(&rest);
    lp_span_skip_blanks(&rest);
    const char *close = rest.bytes && *rest.at == '[' ? memchr(rest.at, ']', rest.bytes) : NULL;
    if (!client.bytes || !identity.bytes || !user.bytes || !close)
        return false;
    lp_span_skip(&rest, (size_t)(close - rest.at) + 1);
    lp_span_skip_blanks(&rest);
    const char *quote =
        rest.bytes > 1 && *rest.at == '"' ? memchr(rest.at + 1, '"', rest.bytes - 1) : NULL;
    if (!quote)
        return false;
    // The method is who speaks; path, status and size are what is said.
    struct lp_span request = {rest.at + 1, (size_t)(quote - rest.at) - 1};
    head->tag = lp_span_token(&request);
    head->key = client;
    head->text = (struct lp_span){request.at, (size_t)(line.at + line.bytes - request.at)};
    lp_span_skip_blanks(&head->text);
    return true;
}

// "[Sun Dec 04 04:47:44 2005] [error] [client 1.2.3.4] text", "2015/03/01 12:00:00 [error] 12#0:
// text"
static bool split_error(struct lp_span line, struct lp_log_head *head)
{
    struct lp_span rest = line;
    if (*line.at == '[') {
        const char *close = memchr(line.at, ']', line.bytes);
        if (!close || close - line.at < 20)
            return false;
        lp_span_skip(&rest, (size_t)(close - line.at) + 1);
    } else {
        struct lp_span date = lp_span_token(&rest), time = lp_span_token(&rest);
        if (date.bytes != 10 || date.at[4] != '/' || lp_log_time_of_day(time) < 0)
            return false;
    }
    lp_span_skip_blanks(&rest);
    const char *close = rest.bytes && *rest.at == '[' ? memchr(rest.at, ']', rest.bytes) : NULL;
    if (!close)
        return false;
    head->tag = (struct lp_span){rest.at + 1, (size_t)(close - rest.at) - 1};
    lp_span_skip(&rest, (size_t)(close - rest.at) + 1);
    lp_span_skip_blanks(&rest);
    head->text = rest;
    return true;
}

bool lp_log_split_access(struct lp_span line, struct lp_log_head *ret_head)
{
    *ret_head = (struct lp_log_head){.text = line, .at_ms = INT64_MIN};
    return line.bytes > 0 && (split_access(line, ret_head) || split_error(line, ret_head));
}
