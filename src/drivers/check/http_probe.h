// The little HTTP that a health check speaks: a URL taken apart, one request, the status of the
// answer. The answer comes from a node, which may be anything: every bound is here.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct lp_str;

enum { LP_HTTP_HEADER_BYTES_MAX = 65536, LP_HTTP_INTERIM_MAX = 8, LP_HTTP_HOST_BYTES = 64 };

struct lp_http_url {
    char host[LP_HTTP_HOST_BYTES];
    uint16_t port;    // 80 unless said
    const char *path; // "/..." with the query, or ""; lent from the text
};

// LP_EINPUT: not http://HOST[:PORT][/PATH]; LP_EUNSUPPORTED: https, IPv6.
LP_MUST_CHECK int lp_http_url_parse(const char *text, struct lp_http_url *ret_url,
                                    struct lp_err *err);
void lp_http_request_print(const struct lp_http_url *url, struct lp_str *ret_text);

// {0} is ready. Feed what arrives in any pieces; status is 0 until the final status line was read
// (1xx answers are passed over).
struct lp_http_answer {
    int status;    // 200..999
    bool is_bad;   // what arrived is not HTTP, or passes a bound; nothing more is taken
    bool has_body; // the header is complete
    int phase, interim;
    size_t header_bytes, line_bytes;
    char line[16]; // the start of the status line
};
void lp_http_answer_feed(struct lp_http_answer *answer, const void *bytes, size_t count);
