// Web servers: access logs in the common and the combined format, error logs of Apache and nginx.
#define _GNU_SOURCE // memmem
#include <string.h>

#include "logs/line_parts.h"

enum { WORDS_BEFORE = 4 };

// "[17/May/2015:10:05:03 +0000]" behind two to four words: the client, perhaps the site before it.
static bool date_take(struct lp_span *rest, struct lp_span *ret_client)
{
    for (int words = 0; words <= WORDS_BEFORE; words++) {
        lp_span_skip_blanks(rest);
        const char *close =
            rest->bytes && *rest->at == '[' ? memchr(rest->at, ']', rest->bytes) : NULL;
        if (close) {
            bool is_date = close - rest->at > 12 && rest->at[3] == '/' && rest->at[12] == ':';
            lp_span_skip(rest, (size_t)(close - rest->at) + 1);
            return words >= 2 && is_date;
        }
        struct lp_span word = lp_span_token(rest);
        if (words == 0 || words == WORDS_BEFORE - 1)
            *ret_client = word;
    }
    return false;
}

// The first part of a request's path; of what is no request, all of it.
static struct lp_span path_of(struct lp_span request)
{
    struct lp_span rest = request;
    lp_span_token(&rest); // the method
    struct lp_span path = lp_span_token(&rest);
    if (path.bytes == 0)
        return request;
    const char *scheme = path.bytes > 8 ? memmem(path.at, 8, "://", 3) : NULL;
    size_t host = 0;
    if (scheme)
        lp_span_skip(&path, (size_t)(scheme - path.at) + 3);
    while (scheme && host < path.bytes && path.at[host] != '/')
        host++;
    lp_span_skip(&path, host);
    size_t bytes = path.bytes > 0;
    while (bytes < path.bytes && !strchr("/?;%&", path.at[bytes]))
        bytes++;
    path.bytes = bytes;
    return path.bytes ? path : request;
}

// "10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /a/b HTTP/1.1" 200 123 ..."
static bool split_access(struct lp_span line, struct lp_log_head *head)
{
    struct lp_span rest = line, client = {0};
    if (!date_take(&rest, &client))
        return false;
    const char *quote = rest.bytes ? memchr(rest.at, '"', rest.bytes) : NULL;
    if (!quote)
        return false;
    lp_span_skip(&rest, (size_t)(quote - rest.at) + 1);
    const char *end = rest.bytes ? memchr(rest.at, '"', rest.bytes) : NULL;
    if (!end)
        return false;
    struct lp_span request = {rest.at, (size_t)(end - rest.at)};
    lp_span_skip(&rest, request.bytes + 1);
    // Its status says what became of it, the first part of its path which part of the site it met:
    // both have few values. Whole paths, names of browsers have as many as there are visitors.
    head->tag = lp_span_token(&rest);
    head->key = client;
    head->text = path_of(request);
    return true;
}

// "[Sun Dec 04 04:47:44 2005] [error] [client 1.2.3.4] text", "2015/03/01 12:00:00 [error] 12#0:
// text"
static bool split_error(struct lp_span line, struct lp_log_head *head)
{
    struct lp_span rest = line;
    if (*line.at == '[') {
        const char *close = memchr(line.at, ']', line.bytes);
        bool has_weekday = line.bytes > 20 && line.at[1] >= 'A' && line.at[1] <= 'Z';
        if (!close || close - line.at < 20 || !has_weekday)
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
    if (!lp_log_is_name(head->tag)) // "[core:error]", "[warn]"
        return false;
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
