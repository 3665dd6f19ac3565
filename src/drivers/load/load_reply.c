// A reply of HTTP/1.1, read as it arrives in any pieces (RFC 9112).
#include "drivers/load/load_reply.h"

#include <string.h>
#include <strings.h>

enum {
    PHASE_STATUS,
    PHASE_HEADER,
    PHASE_BODY,       // `left` bytes
    PHASE_CHUNK_SIZE, // its line
    PHASE_CHUNK,      // `left` bytes
    PHASE_CHUNK_END,  // an empty line
    PHASE_TRAILER,    // lines up to an empty one
    PHASE_UNTIL_CLOSE,
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// "HTTP/1.1 200 OK"
static void status_take(struct lp_reply *reply, size_t bytes)
{
    const char *line = reply->line;
    bool is_good = bytes >= 12 && memcmp(line, "HTTP/1.", 7) == 0 && is_digit(line[7]) &&
                   line[8] == ' ' && line[9] > '0' && is_digit(line[9]) && is_digit(line[10]) &&
                   is_digit(line[11]) && (bytes == 12 || line[12] == ' ');
    reply->phase = PHASE_HEADER;
    reply->is_bad = !is_good;
    if (!is_good)
        return;
    reply->is_old = line[7] == '0';
    reply->coming = (line[9] - '0') * 100 + (line[10] - '0') * 10 + line[11] - '0';
    if (reply->coming < 200)
        reply->is_bad = reply->coming == 101 || ++reply->interim > LP_REPLY_INTERIM_MAX;
}

static void length_take(struct lp_reply *reply, const char *value, size_t bytes)
{
    uint64_t length = 0;
    if (bytes == 0 || bytes > 18)
        reply->is_bad = true;
    for (size_t i = 0; i < bytes && !reply->is_bad; i++) {
        reply->is_bad = !is_digit(value[i]);
        length = length * 10 + (uint64_t)(value[i] - '0');
    }
    // Two lengths that differ: whoever splits replies sends such things.
    if (reply->has_length && reply->left != length)
        reply->is_bad = true;
    reply->has_length = true;
    reply->left = length;
}

static bool text_is(const char *text, size_t bytes, const char *word)
{
    return bytes == strlen(word) && strncasecmp(text, word, bytes) == 0;
}

// One word of a list with commas.
static bool list_has(const char *list, size_t bytes, const char *word)
{
    for (size_t at = 0; at < bytes;) {
        while (at < bytes && strchr(" \t,", list[at]))
            at++;
        size_t start = at;
        while (at < bytes && !strchr(" \t,", list[at]))
            at++;
        if (text_is(list + start, at - start, word))
            return true;
    }
    return false;
}

static void header_take(struct lp_reply *reply, size_t bytes, bool is_cut)
{
    const char *line = reply->line, *colon = memchr(line, ':', bytes);
    if (!colon) {
        reply->is_bad = !is_cut; // a name that long is none of ours
        return;
    }
    const char *value = colon + 1, *end = line + bytes;
    size_t name = (size_t)(colon - line);
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    bool is_length = text_is(line, name, "content-length");
    bool is_coding = text_is(line, name, "transfer-encoding");
    if (is_cut && (is_length || is_coding)) {
        reply->is_bad = true;
    } else if (is_length) {
        length_take(reply, value, (size_t)(end - value));
    } else if (is_coding) {
        reply->is_bad = reply->is_chunked || !text_is(value, (size_t)(end - value), "chunked");
        reply->is_chunked = true;
    } else if (text_is(line, name, "connection")) {
        reply->must_close |= list_has(value, (size_t)(end - value), "close");
        reply->keeps_alive |= list_has(value, (size_t)(end - value), "keep-alive");
    }
}

static void header_end(struct lp_reply *reply)
{
    reply->header_bytes = 0;
    if (reply->coming < 200) { // the real one follows
        reply->phase = PHASE_STATUS;
        reply->has_length = reply->is_chunked = reply->must_close = reply->keeps_alive = false;
        reply->left = 0;
        return;
    }
    reply->status = reply->coming;
    reply->must_close |= reply->is_old && !reply->keeps_alive;
    if (reply->is_head || reply->status == 204 || reply->status == 304) {
        reply->is_done = true;
    } else if (reply->is_chunked) {
        reply->must_close |= reply->has_length; // RFC 9112, 6.3: not to be trusted further
        reply->phase = PHASE_CHUNK_SIZE;
    } else if (reply->has_length) {
        reply->is_done = reply->left == 0;
        reply->phase = PHASE_BODY;
    } else {
        reply->must_close = true;
        reply->phase = PHASE_UNTIL_CLOSE;
    }
}

static void chunk_size_take(struct lp_reply *reply, size_t bytes)
{
    size_t at = 0;
    reply->left = 0;
    for (; at < bytes && at < 16; at++) {
        char c = reply->line[at];
        int digit = is_digit(c)            ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            break;
        reply->left = reply->left * 16 + (uint64_t)digit;
    }
    reply->is_bad = at == 0 || at == 16 || (at < bytes && !strchr("; \t", reply->line[at]));
    reply->phase = reply->left ? PHASE_CHUNK : PHASE_TRAILER;
    reply->header_bytes = 0;
}

static void line_end(struct lp_reply *reply)
{
    bool is_cut = reply->line_bytes > sizeof(reply->line);
    size_t bytes = is_cut ? sizeof(reply->line) : reply->line_bytes;
    if (!is_cut && bytes && reply->line[bytes - 1] == '\r')
        bytes--;
    reply->line_bytes = 0;
    if (reply->phase == PHASE_STATUS)
        status_take(reply, bytes);
    else if (reply->phase == PHASE_HEADER && bytes)
        header_take(reply, bytes, is_cut);
    else if (reply->phase == PHASE_HEADER)
        header_end(reply);
    else if (reply->phase == PHASE_CHUNK_SIZE)
        chunk_size_take(reply, bytes);
    else if (reply->phase == PHASE_CHUNK_END) {
        reply->is_bad = bytes != 0;
        reply->phase = PHASE_CHUNK_SIZE;
    } else if (bytes == 0) {
        reply->is_done = true; // of the trailer
    }
}

static bool is_data(const struct lp_reply *reply)
{
    return reply->phase == PHASE_BODY || reply->phase == PHASE_CHUNK ||
           reply->phase == PHASE_UNTIL_CLOSE;
}

static size_t data_take(struct lp_reply *reply, const char *bytes, size_t count,
                        struct lp_reply_body *body)
{
    if (reply->phase != PHASE_UNTIL_CLOSE && count > reply->left)
        count = (size_t)reply->left;
    size_t room = body->bytes ? body->capacity - body->count : 0;
    size_t kept = count < room ? count : room;
    if (kept)
        memcpy(body->bytes + body->count, bytes, kept);
    body->count += kept;
    if (reply->phase == PHASE_UNTIL_CLOSE)
        return count;
    reply->left -= count;
    if (reply->left == 0 && reply->phase == PHASE_BODY)
        reply->is_done = true;
    else if (reply->left == 0)
        reply->phase = PHASE_CHUNK_END;
    return count;
}

size_t lp_reply_feed(struct lp_reply *reply, const char *bytes, size_t count,
                     struct lp_reply_body *body)
{
    size_t at = 0;
    while (at < count && !reply->is_done && !reply->is_bad) {
        if (is_data(reply)) {
            at += data_take(reply, bytes + at, count - at, body);
            continue;
        }
        char c = bytes[at++];
        if (++reply->header_bytes > LP_REPLY_HEADER_BYTES_MAX) {
            reply->is_bad = true;
        } else if (c == '\n') {
            line_end(reply);
        } else {
            if (reply->line_bytes < sizeof(reply->line))
                reply->line[reply->line_bytes] = c;
            reply->line_bytes++;
        }
    }
    return at;
}

void lp_reply_end(struct lp_reply *reply)
{
    if (reply->phase == PHASE_UNTIL_CLOSE && !reply->is_bad)
        reply->is_done = true;
    reply->must_close = true;
}
