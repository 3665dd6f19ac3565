// Requests and expectations of a load, made ready once: an id always has the same length, so that
// a request with an id in it is a copy with a few bytes changed.
#define _GNU_SOURCE // memmem
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/own.h"
#include "drivers/check/http_probe.h"
#include "drivers/load/load_parts.h"

static const char id_mark[] = "{{id}}";

void lp_load_id_print(const struct lp_load_run *run, uint32_t write,
                      char ret_id[LP_LOAD_ID_BYTES + 1])
{
    snprintf(ret_id, LP_LOAD_ID_BYTES + 1, "%08x-%08u", run->header.run, write % 100000000);
}

static size_t count_of(const char *text)
{
    size_t count = 0;
    for (const char *at = strstr(text, id_mark); at; at = strstr(at + 1, id_mark))
        count++;
    return count;
}

// Length of a text once its ids are in it.
static size_t filled_bytes(const char *text)
{
    return strlen(text) - count_of(text) * (sizeof(id_mark) - 1) +
           count_of(text) * LP_LOAD_ID_BYTES;
}

static void text_make(struct lp_load_text *text, const char *source)
{
    text->places = lp_heap_take((count_of(source) + 1) * sizeof(*text->places));
    for (;;) {
        const char *mark = strstr(source, id_mark);
        lp_str_add_n(&text->text, source, mark ? (size_t)(mark - source) : strlen(source));
        if (!mark)
            return;
        text->places[text->place_count++] = text->text.bytes;
        lp_str_add(&text->text, "00000000-00000000");
        source = mark + sizeof(id_mark) - 1;
    }
}

const char *lp_load_text_fill(const struct lp_load_text *text, const char *id, struct lp_str *own)
{
    if (text->place_count == 0)
        return lp_str_text(&text->text);
    lp_str_clear(own);
    lp_str_add_n(own, lp_str_text(&text->text), text->text.bytes);
    for (size_t i = 0; i < text->place_count; i++)
        memcpy(own->text + text->places[i], id, LP_LOAD_ID_BYTES);
    return lp_str_text(own);
}

LP_MUST_CHECK static int address_find(const struct lp_http_url *url,
                                      struct sockaddr_in *ret_address, struct lp_err *err)
{
    char port[8];
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
    snprintf(port, sizeof(port), "%u", url->port);
    int code = getaddrinfo(url->host, port, &hints, &found);
    if (code != 0)
        return lp_err_set(err, LP_EIO, "find %s: %s", url->host, gai_strerror(code));
    memcpy(ret_address, found->ai_addr, sizeof(*ret_address));
    freeaddrinfo(found);
    return 0;
}

LP_MUST_CHECK static int endpoint_find(struct lp_load_run *run, const struct lp_http_url *url,
                                       size_t *ret_endpoint, struct lp_err *err)
{
    struct sockaddr_in address;
    if (address_find(url, &address, err) < 0)
        return err->code;
    for (size_t i = 0; i < run->endpoint_count; i++) {
        const struct sockaddr_in *known = &run->endpoints[i].address;
        if (known->sin_port == address.sin_port &&
            known->sin_addr.s_addr == address.sin_addr.s_addr) {
            *ret_endpoint = i;
            return 0;
        }
    }
    *ret_endpoint = run->endpoint_count++;
    run->endpoints[*ret_endpoint] = (struct lp_load_endpoint){
        .address = address,
        .idle = LP_LOAD_NONE,
        .ring = lp_heap_take(run->load->outstanding * sizeof(struct lp_load_waiting)),
    };
    return 0;
}

static bool has_header(const struct lp_load_request *request, const char *name)
{
    for (size_t i = 0; i < request->headers.count; i++)
        if (strcasecmp(request->headers.items[i].key, name) == 0)
            return true;
    return false;
}

static void request_print(const struct lp_load_run *run, const struct lp_load_request *request,
                          const struct lp_http_url *url, bool is_read, struct lp_str *out)
{
    const char *body = is_read ? NULL : request->body;
    const char *method = is_read ? "GET" : request->method;
    lp_str_printf(out, "%s %s%.*s HTTP/1.1\r\n", method, url->path[0] == '/' ? "" : "/",
                  (int)strcspn(url->path, "#"), url->path);
    if (!has_header(request, "Host"))
        lp_str_printf(out, url->port == 80 ? "Host: %s\r\n" : "Host: %s:%u\r\n", url->host,
                      url->port);
    if (!has_header(request, "User-Agent"))
        lp_str_add(out, "User-Agent: limpet\r\n");
    for (size_t i = 0; i < request->headers.count; i++)
        if (!is_read || strcasecmp(request->headers.items[i].key, "Content-Type") != 0)
            lp_str_printf(out, "%s: %s\r\n", request->headers.items[i].key,
                          request->headers.items[i].value);
    bool may_have_body = strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0;
    if (body || may_have_body)
        lp_str_printf(out, "Content-Length: %zu\r\n", body ? filled_bytes(body) : 0);
    if (!run->load->is_keep_alive)
        lp_str_add(out, "Connection: close\r\n");
    lp_str_add(out, "\r\n");
    lp_str_add(out, body ? body : "");
}

static void judge_make(const struct lp_load_expect *expect, struct lp_load_judge *judge)
{
    judge->expect = expect;
    text_make(&judge->contains, expect->contains ? expect->contains : "");
    judge->has_regex = expect->regex && regcomp(&judge->regex, expect->regex, REG_EXTENDED) == 0;
    lp_assert(judge->has_regex == (expect->regex != NULL)); // the parser has compiled it once
}

LP_MUST_CHECK static int form_make(struct lp_load_run *run, const struct lp_load_request *request,
                                   bool is_read, struct lp_load_form *form, struct lp_err *err)
{
    struct lp_http_url url;
    LP_OWNS_STR struct lp_str text = {0};
    const struct lp_load_target *target = is_read ? &request->read : &request->target;
    if (!target->url)
        return lp_err_set(err, LP_EINPUT, "the service %s has no address yet", target->service);
    if (lp_http_url_parse(target->url, &url, err) < 0 ||
        endpoint_find(run, &url, &form->endpoint, err) < 0)
        return err->code;
    request_print(run, request, &url, is_read, &text);
    text_make(&form->text, lp_str_text(&text));
    judge_make(is_read ? &request->read_expect : &request->expect, &form->judge);
    form->is_head = !is_read && strcmp(request->method, "HEAD") == 0;
    form->is_made = true;
    return 0;
}

int lp_load_forms_make(struct lp_load_run *run, struct lp_err *err)
{
    for (size_t i = 0; i < run->load->request_count; i++) {
        const struct lp_load_request *request = &run->load->requests[i];
        if (form_make(run, request, false, &run->forms[i], err) < 0)
            return err->code;
        if (request->is_read_back && form_make(run, request, true, &run->reads[i], err) < 0)
            return err->code;
    }
    return 0;
}

static void form_release(struct lp_load_form *form)
{
    lp_str_release(&form->text.text);
    lp_heap_free(form->text.places);
    lp_str_release(&form->judge.contains.text);
    lp_heap_free(form->judge.contains.places);
    if (form->judge.has_regex)
        regfree(&form->judge.regex);
}

void lp_load_forms_release(struct lp_load_run *run)
{
    for (size_t i = 0; i < LP_LOAD_REQUESTS_MAX; i++) {
        form_release(&run->forms[i]);
        form_release(&run->reads[i]);
    }
    for (size_t i = 0; i < run->endpoint_count; i++)
        lp_heap_free(run->endpoints[i].ring);
}

static bool regex_matches(const struct lp_load_judge *judge, const struct lp_reply_body *body)
{
    regmatch_t all = {0, (regoff_t)body->count};
    return regexec(&judge->regex, body->bytes ? body->bytes : "", 1, &all, REG_STARTEND) == 0;
}

enum lp_ending lp_load_judge(const struct lp_load_judge *judge, const char *id,
                             const struct lp_reply *reply, const struct lp_reply_body *body)
{
    bool is_expected = false;
    for (size_t i = 0; i < judge->expect->status_count; i++)
        is_expected |= reply->status >= judge->expect->statuses[i].least &&
                       reply->status <= judge->expect->statuses[i].most;
    if (!is_expected)
        return LP_END_STATUS;
    if (judge->contains.text.bytes) {
        LP_OWNS_STR struct lp_str own = {0};
        const char *wanted = lp_load_text_fill(&judge->contains, id, &own);
        if (!body->bytes || !memmem(body->bytes, body->count, wanted, judge->contains.text.bytes))
            return LP_END_BODY;
    }
    return judge->has_regex && !regex_matches(judge, body) ? LP_END_BODY : LP_END_GOOD;
}
