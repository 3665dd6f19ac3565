// Fuzzer of the daemon's interface: any method, path, query and body, answered by a real engine
// without drivers. The answer must be JSON with a known status; a refusal must change nothing.
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/metrics.h"
#include "base/arena.h"
#include "base/own.h"
#include "engine/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { INPUTS_PER_ENGINE = 500, PAIRS_MAX = 8 };

// A journal that remembers nothing: what is tested stands before it.
static int append(void *self, uint64_t expected_seq, const struct lp_record *records, size_t count,
                  struct lp_err *err)
{
    (void)self, (void)expected_seq, (void)err;
    for (size_t i = 0; i < count; i++)
        lp_assert(records[i].body && records[i].word && records[i].subject);
    return 0;
}

static int nothing_read(void *self, uint64_t from, int (*visit)(void *, const struct lp_record *),
                        void *context, struct lp_err *err)
{
    (void)self, (void)from, (void)visit, (void)context, (void)err;
    return 0;
}

static int nothing_save(void *self, uint64_t seq, const void *bytes, size_t count,
                        struct lp_err *err)
{
    (void)self, (void)seq, (void)bytes, (void)count, (void)err;
    return 0;
}

static int nothing_load(void *self, uint64_t *ret_seq, void **ret_bytes, size_t *ret_count,
                        struct lp_err *err)
{
    (void)self, (void)err;
    *ret_seq = 0;
    *ret_bytes = NULL;
    *ret_count = 0;
    return 0;
}

static void nothing_close(void *self)
{
    (void)self;
}

static int nothing_find(void *self, const struct lp_store_query *query,
                        int (*visit)(void *, const struct lp_record *), void *context,
                        struct lp_err *err)
{
    (void)self, (void)query, (void)visit, (void)context, (void)err;
    return 0;
}

static const struct lp_store_ops ops = {append,       nothing_read,  nothing_save,
                                        nothing_load, nothing_close, nothing_find};

static int64_t now_ms(void *context)
{
    int64_t *clock_ms = context;
    return *clock_ms += 7;
}

static void api_renew(struct lp_api *api, int64_t *clock_ms)
{
    struct lp_err err;
    if (api->engine)
        lp_engine_close(api->engine);
    struct lp_engine_config config = {.root_id = "0badcafe",
                                      .limits = {4, 32, 64, 128, 16, 2},
                                      .store = {&ops, NULL},
                                      .clock = {now_ms, now_ms, clock_ms},
                                      .seed = 1,
                                      .host = {1 << 30, 2000}};
    int code = lp_engine_open(&config, &api->engine, &err);
    lp_assert(code == 0);
    code = lp_engine_tick(api->engine, &err);
    lp_assert(code == 0);
}

// "METHOD PATH?KEY=VALUE&...\nBODY"
static void call_read(char *text, size_t bytes, struct lp_api_call *call)
{
    char *end = memchr(text, '\n', bytes);
    call->body = end ? end + 1 : text + bytes;
    call->body_bytes = (size_t)(text + bytes - call->body);
    if (end)
        *end = '\0';
    char *path = strchr(text, ' ');
    if (path)
        *path++ = '\0';
    call->method = text;
    call->path = path ? path : "";
    char *query = path ? strchr(path, '?') : NULL;
    if (query)
        *query++ = '\0';
    while (query && *query && call->query.count < PAIRS_MAX) {
        char *next = strchr(query, '&');
        if (next)
            *next++ = '\0';
        char *value = strchr(query, '=');
        if (value)
            *value++ = '\0';
        call->query.items[call->query.count++] = (struct lp_pair){query, value ? value : ""};
        query = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct lp_metrics metrics;
    static struct lp_api api = {.metrics = &metrics, .root = "/nowhere"};
    static int64_t clock_ms = 1000;
    static unsigned inputs;
    struct lp_pair pairs[PAIRS_MAX];
    struct lp_api_call call = {.query.items = pairs};
    struct lp_api_answer answer = {0};
    LP_OWNS_ARENA struct lp_arena arena = {0};
    if (inputs++ % INPUTS_PER_ENGINE == 0)
        api_renew(&api, &clock_ms);
    call_read(lp_arena_text_n(&arena, (const char *)data, bytes), bytes, &call);
    size_t body_max = lp_api_body_max(call.method, call.path);
    if (body_max && call.body_bytes > body_max)
        return 0;
    uint64_t seq = lp_engine_last_seq(api.engine);
    lp_api_answer(&api, &call, &answer);
    json_t *body = json_loadb(lp_str_text(&answer.body), answer.body.bytes, 0, NULL);
    lp_assert(body != NULL);
    lp_assert(answer.status == 200 || json_is_string(json_object_get(body, "text")));
    // A view may write down what was done before; a refused request may not.
    bool is_change = strcmp(call.method, "GET") != 0;
    lp_assert(answer.status == 200 || !is_change || lp_engine_last_seq(api.engine) == seq);
    lp_assert(answer.status != 500 && (answer.status != 200 || !answer.allow[0]));
    json_decref(body);
    lp_str_release(&answer.body);
    return 0;
}
