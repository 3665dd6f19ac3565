// Fuzz the HTTP side of a health check: URLs, and answers in two pieces as well as in one.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "drivers/check/http_probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void url_try(const uint8_t *data, size_t size)
{
    LP_OWNS_STR struct lp_str text = {0};
    LP_OWNS_STR struct lp_str request = {0};
    lp_str_add_n(&text, (const char *)data, size);
    struct lp_http_url url;
    if (lp_http_url_parse(lp_str_text(&text), &url, NULL) < 0)
        return;
    lp_http_request_print(&url, &request);
    // One request and no more: what a URL says cannot begin a second line.
    const char *line = lp_str_text(&request);
    lp_assert(strstr(strchr(line, '\n') + 1, "GET ") == NULL);
    lp_assert(lp_text_ends(line, "\r\n\r\n") && url.port != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lp_http_answer whole = {0}, pieces = {0};
    lp_http_answer_feed(&whole, data, size);
    size_t cut = size ? data[0] % size : 0;
    lp_http_answer_feed(&pieces, data, cut);
    lp_http_answer_feed(&pieces, data + cut, size - cut);
    lp_assert(whole.status == pieces.status && whole.is_bad == pieces.is_bad &&
              whole.has_body == pieces.has_body);
    lp_assert(whole.status == 0 || (whole.status >= 200 && whole.status <= 999));
    url_try(data, size);
    return 0;
}
