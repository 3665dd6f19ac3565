// Reads the requests of a load: where to, what is sent, what a good reply is.
#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "model/load_parts.h"

enum { READ_WITHIN_MS = 10 * 1000, STAGE_MS_MAX = 24 * 3600 * 1000 };

bool lp_load_span_parse(struct lp_reader *reader, struct lp_yaml_node *node, uint32_t *ret_ms)
{
    if (!lp_parse_duration(reader, node, ret_ms))
        return false;
    if (*ret_ms <= STAGE_MS_MAX)
        return true;
    lp_mistake_at(reader, node, "at most a day");
    return false;
}

// A header is one line; whoever writes more would send a request of their own.
static bool is_one_line(struct lp_reader *reader, const struct lp_yaml_node *node, const char *text)
{
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            lp_mistake_at(reader, node, "a control character cannot be sent here");
            return false;
        }
    }
    return true;
}

static bool is_token(const char *text)
{
    if (!*text || strlen(text) > 128)
        return false;
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("!#$%&'*+-.^_`|~", *c))
            return false;
    return true;
}

// Where to.
static void url_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    struct lp_load_target *target = ((struct lp_load_draft *)into)->target;
    const char *url = lp_parse_text(reader, node);
    const char *fault = url ? lp_load_url_fault(url) : NULL;
    if (fault)
        lp_mistake_at(reader, node, "'%.200s': %s", url, fault);
    target->url = url;
}

static void service_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    if (lp_parse_text(reader, node) && lp_parse_name(reader, node, "service", LP_NAME_LABEL))
        ((struct lp_load_draft *)into)->target->service = lp_parse_text(reader, node);
}

static void port_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    uint64_t port = 0;
    if (lp_parse_number(reader, node, (struct lp_range){1, 65535}, &port))
        ((struct lp_load_draft *)into)->target->port = (uint16_t)port;
}

static void path_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    const char *path = lp_parse_text(reader, node);
    if (path && (path[0] != '/' || path[strcspn(path, " \t\r\n\x7f")]))
        lp_mistake_at(reader, node, "a path begins with / and holds no blanks");
    ((struct lp_load_draft *)into)->target->path = path;
}

// What is a good reply.
static bool statuses_parse(const char *text, struct lp_load_statuses *ret_statuses)
{
    char *end;
    if (strlen(text) == 3 && isdigit((unsigned char)text[0]) && strcmp(text + 1, "xx") == 0) {
        uint16_t least = (uint16_t)((text[0] - '0') * 100);
        *ret_statuses = (struct lp_load_statuses){least, (uint16_t)(least + 99)};
    } else {
        unsigned long least = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0;
        unsigned long most = least;
        if (least && *end == '-' && isdigit((unsigned char)end[1]))
            most = strtoul(end + 1, &end, 10);
        if (!least || *end || most > 999)
            return false;
        *ret_statuses = (struct lp_load_statuses){(uint16_t)least, (uint16_t)most};
    }
    return ret_statuses->least >= 100 && ret_statuses->least <= ret_statuses->most;
}

void lp_load_statuses_parse(struct lp_reader *reader, struct lp_yaml_node *node,
                            struct lp_load_statuses ret_statuses[LP_LOAD_STATUSES_MAX],
                            size_t *ret_count)
{
    bool is_list = node->kind == LP_YAML_SEQUENCE;
    size_t count = is_list ? node->count : 1;
    *ret_count = 0;
    if (count == 0 || count > LP_LOAD_STATUSES_MAX) {
        lp_mistake_at(reader, node, "from 1 to %d statuses", LP_LOAD_STATUSES_MAX);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct lp_yaml_node *item = is_list ? node->items[i] : node;
        const char *text = lp_parse_text(reader, item);
        if (text && !statuses_parse(text, &ret_statuses[*ret_count]))
            lp_mistake_at(reader, item, "'%.40s' is not a status such as 200, 2xx or 200-299",
                          text);
        else if (text)
            ++*ret_count;
    }
}

static void status_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    struct lp_load_expect *expect = ((struct lp_load_draft *)into)->expect;
    lp_load_statuses_parse(reader, node, expect->statuses, &expect->status_count);
}

static void contains_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    ((struct lp_load_draft *)into)->expect->contains = lp_parse_text(reader, node);
}

static void regex_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    regex_t regex;
    char why[200];
    const char *text = lp_parse_text(reader, node);
    if (!text)
        return;
    // The C library's compiler needs memory beyond all measure for nested bounds.
    int code =
        strlen(text) > 1000 || strchr(text, '{') ? REG_BADBR : regcomp(&regex, text, REG_EXTENDED);
    if (code == 0) {
        regfree(&regex);
        ((struct lp_load_draft *)into)->expect->regex = text;
        return;
    }
    regerror(code, NULL, why, sizeof(why));
    lp_mistake_at(reader, node, "'%.200s': %s", text,
                  code == REG_BADBR ? "at most 1000 bytes, and no {bounds}" : why);
}

static void expect_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    static const struct lp_key keys[] = {
        {"status", status_read, 0}, {"contains", contains_read, 0}, {"regex", regex_read, 0}};
    const struct lp_schema schema = {"expect", keys, LP_COUNT(keys), NULL, 0};
    lp_schema_read(reader, &schema, node, into);
}

// What is sent.
static void method_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    const char *text = lp_parse_text(reader, node);
    if (text && (!is_token(text) || strlen(text) > 20 || strcmp(text, "CONNECT") == 0))
        lp_mistake_at(reader, node, "'%.40s' is not a method such as GET or POST", text);
    else if (text)
        ((struct lp_load_draft *)into)->request->method = text;
}

static void headers_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    static const char *const own[] = {"content-length", "transfer-encoding", "connection"};
    struct lp_load_request *request = ((struct lp_load_draft *)into)->request;
    if (!lp_is_mapping(reader, node, "headers"))
        return;
    request->headers.items = lp_arena_new_array(reader->arena, struct lp_pair, node->count);
    for (size_t i = 0; i < node->count; i++) {
        const char *key = node->keys[i]->text, *value = lp_parse_text(reader, node->items[i]);
        if (!is_token(key))
            lp_mistake_at(reader, node->keys[i], "'%.40s' is not the name of a header", key);
        for (size_t k = 0; k < LP_COUNT(own); k++)
            if (strcasecmp(key, own[k]) == 0)
                lp_mistake_at(reader, node->keys[i], "Limpet writes %s itself", own[k]);
        if (value && is_one_line(reader, node->items[i], value))
            request->headers.items[request->headers.count++] = (struct lp_pair){key, value};
    }
}

static void body_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    ((struct lp_load_draft *)into)->request->body = lp_parse_text(reader, node);
}

static void share_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    uint64_t share = 1;
    if (lp_parse_number(reader, node, (struct lp_range){1, LP_LOAD_SHARES_MAX}, &share))
        ((struct lp_load_draft *)into)->request->share = (uint32_t)share;
}

// A target that is whole: one way to say it, and the path of a service's.
static void target_check(struct lp_reader *reader, const struct lp_yaml_node *node,
                         struct lp_load_target *target)
{
    if (target->url && (target->service || target->path || target->port))
        lp_mistake_at(reader, node, "a URL says it all: no service, port or path beside it");
    if (!target->url && !target->service)
        lp_mistake_at(reader, node, "where to? 'url' or 'service' is missing");
    if (!target->path && target->service)
        target->path = "/";
}

static void within_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    lp_load_span_parse(reader, node, &((struct lp_load_draft *)into)->request->read_within_ms);
}

// A reading back that does not say where goes where the write went.
static void read_target_default(struct lp_reader *reader, const struct lp_load_target *write,
                                struct lp_load_target *read)
{
    if (read->url || read->service)
        return;
    if (write->url && !read->port) {
        const char *host = strstr(write->url, "://");
        size_t bytes = host ? (size_t)(host + 3 - write->url) : 0;
        bytes += strcspn(write->url + bytes, "/?#");
        read->url = lp_arena_printf(reader->arena, "%.*s%s", (int)bytes, write->url,
                                    read->path ? read->path : "/");
        read->path = NULL;
    }
    read->service = write->service;
    read->port = read->port ? read->port : write->port;
}

static void read_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    static const struct lp_key keys[] = {{"url", url_read, 0},       {"service", service_read, 0},
                                         {"port", port_read, 0},     {"path", path_read, 0},
                                         {"expect", expect_read, 0}, {"within", within_read, 0}};
    const struct lp_schema schema = {"read", keys, LP_COUNT(keys), NULL, 0};
    struct lp_load_draft draft = *(struct lp_load_draft *)into;
    struct lp_load_request *request = draft.request;
    const struct lp_load_target *write = draft.target;
    draft.target = &request->read;
    draft.expect = &request->read_expect;
    request->is_read_back = true;
    lp_schema_read(reader, &schema, node, &draft);
    read_target_default(reader, write, &request->read);
    target_check(reader, node, &request->read);
    bool is_named = lp_load_has_id(request->read.url) || lp_load_has_id(request->read.path) ||
                    lp_load_has_id(request->read_expect.contains);
    if (!is_named)
        lp_mistake_at(reader, node,
                      "reading back must name the write: {{id}} in url, path or expect.contains");
}

const struct lp_key lp_load_request_keys[] = {
    {"url", url_read, 0},     {"service", service_read, 0}, {"port", port_read, 0},
    {"path", path_read, 0},   {"method", method_read, 0},   {"headers", headers_read, 0},
    {"body", body_read, 0},   {"expect", expect_read, 0},   {"read", read_read, 0},
    {"share", share_read, 0},
};
const size_t lp_load_request_key_count = LP_COUNT(lp_load_request_keys);

static const struct lp_load_expect expect_default = {.statuses = {{200, 399}}, .status_count = 1};

void lp_load_request_begin(struct lp_load_draft *draft, struct lp_load_request *request)
{
    *request = (struct lp_load_request){.share = 1,
                                        .expect = expect_default,
                                        .read_expect = expect_default,
                                        .read_within_ms = READ_WITHIN_MS};
    draft->request = request;
    draft->target = &request->target;
    draft->expect = &request->expect;
}

void lp_load_request_end(struct lp_reader *reader, const struct lp_yaml_node *node,
                         struct lp_load_request *request)
{
    bool is_named = lp_load_has_id(request->target.url) || lp_load_has_id(request->target.path) ||
                    lp_load_has_id(request->body);
    target_check(reader, node, &request->target);
    for (size_t i = 0; i < request->headers.count; i++)
        is_named = is_named || lp_load_has_id(request->headers.items[i].value);
    if (request->is_read_back && !is_named)
        lp_mistake_at(reader, node,
                      "a write that is read back must carry {{id}}: in url, path, headers or body");
    if (!request->method)
        request->method = request->body ? "POST" : "GET";
}

void lp_load_requests_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    const struct lp_schema schema = {"a request", lp_load_request_keys, lp_load_request_key_count,
                                     NULL, 0};
    struct lp_load_draft *draft = into;
    uint64_t shares = 0;
    if (!lp_is_sequence(reader, node, "requests"))
        return;
    if (node->count == 0 || node->count > LP_LOAD_REQUESTS_MAX) {
        lp_mistake_at(reader, node, "%zu requests; from 1 to %d of them", node->count,
                      LP_LOAD_REQUESTS_MAX);
        return;
    }
    draft->load->requests = lp_arena_new_array(reader->arena, struct lp_load_request, node->count);
    for (size_t i = 0; i < node->count; i++) {
        struct lp_load_request *request = &draft->load->requests[draft->load->request_count++];
        lp_load_request_begin(draft, request);
        lp_schema_read(reader, &schema, node->items[i], draft);
        lp_load_request_end(reader, node->items[i], request);
        shares += request->share;
    }
    if (shares > LP_LOAD_SHARES_MAX)
        lp_mistake_at(reader, node, "the shares add up to more than %d", LP_LOAD_SHARES_MAX);
}
