// The little HTTP that a health check speaks (RFC 9112).
#define _GNU_SOURCE
#include "drivers/check/http_probe.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum { PHASE_STATUS, PHASE_HEADER, PHASE_BODY };

LP_MUST_CHECK static int port_parse(const char *text, size_t digits, uint16_t *ret_port)
{
    if (digits == 0 || digits > 5 || strspn(text, "0123456789") != digits)
        return LP_EINPUT;
    unsigned long port = strtoul(text, NULL, 10);
    if (port == 0 || port > UINT16_MAX)
        return LP_EINPUT;
    *ret_port = (uint16_t)port;
    return 0;
}

int lp_http_url_parse(const char *text, struct lp_http_url *ret_url, struct lp_err *err)
{
    static const char scheme[] = "http://";
    if (lp_text_starts(text, "https://"))
        return lp_err_set(err, LP_EUNSUPPORTED, "a check speaks http, not https: %.80s", text);
    if (!lp_text_starts(text, scheme))
        return lp_err_set(err, LP_EINPUT, "not a URL (http://HOST[:PORT]/PATH): %.80s", text);
    // A blank or control character would end the request line.
    for (const char *at = text; *at; at++) {
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return lp_err_set(err, LP_EINPUT, "a blank or control character in %.80s", text);
    }
    const char *host = text + sizeof(scheme) - 1;
    size_t bytes = strcspn(host, "/?#");
    size_t host_bytes = strcspn(host, ":/?#");
    struct lp_http_url url = {.port = 80, .path = host + bytes};
    if (*host == '[')
        return lp_err_set(err, LP_EUNSUPPORTED, "no IPv6 in a check: %.80s", text);
    if (host_bytes == 0 || host_bytes >= sizeof(url.host) ||
        (host_bytes < bytes &&
         port_parse(host + host_bytes + 1, bytes - host_bytes - 1, &url.port) < 0))
        return lp_err_set(err, LP_EINPUT, "no host or a wrong port in %.80s", text);
    memcpy(url.host, host, host_bytes);
    *ret_url = url;
    return 0;
}

void lp_http_request_print(const struct lp_http_url *url, struct lp_str *ret_text)
{
    lp_str_printf(ret_text, "GET %s%.*s HTTP/1.1\r\nHost: %s", url->path[0] == '/' ? "" : "/",
                  (int)strcspn(url->path, "#"), url->path, url->host);
    if (url->port != 80)
        lp_str_printf(ret_text, ":%u", url->port);
    lp_str_add(ret_text, "\r\nUser-Agent: limpet\r\nAccept: */*\r\nConnection: close\r\n\r\n");
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// "HTTP/1.1 200 OK": the line as far as it was kept, without its end. 0: wrong.
static int status_parse(const char *line, size_t bytes)
{
    if (bytes < 12 || memcmp(line, "HTTP/1.", 7) != 0 || !is_digit(line[7]) || line[8] != ' ' ||
        !is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11]) ||
        (bytes > 12 && line[12] != ' ' && line[12] != '\r'))
        return 0;
    int status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + line[11] - '0';
    return status >= 100 ? status : 0;
}

static void line_end(struct lp_http_answer *answer)
{
    size_t bytes = answer->line_bytes;
    answer->line_bytes = 0;
    if (answer->phase == PHASE_STATUS) {
        size_t kept = bytes < sizeof(answer->line) ? bytes : sizeof(answer->line);
        int status = status_parse(answer->line, kept);
        answer->interim = status < 200 ? answer->interim + 1 : answer->interim;
        answer->is_bad = status == 0 || answer->interim > LP_HTTP_INTERIM_MAX;
        answer->status = status < 200 ? 0 : status;
        answer->phase = PHASE_HEADER;
        return;
    }
    bool is_blank = bytes == 0 || (bytes == 1 && answer->line[0] == '\r');
    if (!is_blank)
        return;
    answer->has_body = answer->status != 0;
    answer->phase = answer->has_body ? PHASE_BODY : PHASE_STATUS; // after 1xx the real one
}

void lp_http_answer_feed(struct lp_http_answer *answer, const void *bytes, size_t count)
{
    const char *at = bytes;
    for (size_t i = 0; i < count && answer->phase != PHASE_BODY && !answer->is_bad; i++) {
        if (++answer->header_bytes > LP_HTTP_HEADER_BYTES_MAX) {
            answer->is_bad = answer->status == 0;
            answer->phase = PHASE_BODY; // whoever sends such a header: its status still counts
        } else if (at[i] == '\n') {
            line_end(answer);
        } else {
            if (answer->line_bytes < sizeof(answer->line))
                answer->line[answer->line_bytes] = at[i];
            answer->line_bytes++;
        }
    }
}
