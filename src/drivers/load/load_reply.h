// A reply of HTTP/1.1, read as it arrives in any pieces (RFC 9112). Whoever sends it may be
// broken or malicious: every bound is here, and only three headers are looked at.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LP_REPLY_HEADER_BYTES_MAX = 65536, LP_REPLY_INTERIM_MAX = 8, LP_REPLY_LINE_BYTES = 128 };

struct lp_reply_body { // where the body is kept; bytes NULL: nowhere
    char *bytes;
    size_t count, capacity; // what comes beyond is passed over
};

struct lp_reply {    // {0}, or {.is_head = true} for a reply to HEAD, is ready
    bool is_head;    // there will be no body
    bool is_done;    // the reply is whole
    bool is_bad;     // not HTTP, or past a bound; nothing more is taken
    bool must_close; // the connection cannot carry another reply
    int status;      // 200..999 once the header is whole; 0 before
    int phase, interim, coming;
    bool has_length, is_chunked, is_old, keeps_alive;
    uint64_t left; // bytes of the body, or of its chunk
    size_t header_bytes, line_bytes;
    char line[LP_REPLY_LINE_BYTES]; // the start of the line
};

// Take what belongs to this reply; returns how many bytes that were. Fewer than count: the reply
// is done, or bad.
size_t lp_reply_feed(struct lp_reply *reply, const char *bytes, size_t count,
                     struct lp_reply_body *body);
// The connection has ended: a body without a length is then whole, anything else is not.
void lp_reply_end(struct lp_reply *reply);
