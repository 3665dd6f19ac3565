// The control connection to limpet-init: queues orders, decodes news. See init_link.h.
#include "drivers/crun/init_link.h"

#include <string.h>

#include "drivers/crun/init_stream.h"
#include "model/limits.h"
#include "model/wire.h"
#include "base/arena.h"
#include "base/str.h"

struct lp_init_link {
    struct lp_init_stream stream;
    bool has_hello, is_reading;
    bool is_closed; // while being read: released when that is over
};

int lp_init_link_open(const char *path, struct lp_init_link **ret_link, struct lp_err *err)
{
    struct lp_init_link *link = lp_heap_take(sizeof(*link));
    int code = lp_init_stream_open(&link->stream, path, err);
    if (code == 0) {
        size_t at = lp_wire_head(&link->stream.out, LP_WIRE_CONTROL, 0);
        lp_wire_add_number(&link->stream.out, "version", LP_WIRE_VERSION);
        code = lp_init_stream_send(&link->stream, at, err);
    }
    if (code < 0) {
        lp_init_link_close(link);
        return code;
    }
    *ret_link = link;
    return 0;
}

void lp_init_link_close(struct lp_init_link *link)
{
    if (!link)
        return;
    if (link->is_reading) {
        link->is_closed = true;
        return;
    }
    lp_init_stream_close(&link->stream);
    lp_heap_free(link);
}

int lp_init_link_fd(const struct lp_init_link *link)
{
    return link->stream.fd;
}

bool lp_init_link_has_unsent(const struct lp_init_link *link)
{
    return link->stream.out.bytes > 0;
}

int lp_init_link_flush(struct lp_init_link *link, struct lp_err *err)
{
    return lp_init_stream_flush(&link->stream, err);
}

int lp_init_link_start_app(struct lp_init_link *link, const struct lp_init_start *start,
                           struct lp_err *err)
{
    struct lp_str *out = &link->stream.out;
    size_t at = lp_wire_head(out, LP_WIRE_START_APP, (uint16_t)start->app);
    bool is_setup = start->kind == LP_APP_SETUP;
    lp_wire_add_number(out, "run", start->run);
    lp_wire_add(out, "name", start->name);
    lp_wire_add(out, "kind", is_setup ? "setup" : "serve");
    lp_wire_add_command(out, &start->argv, &start->environment);
    lp_wire_add(out, "cwd", start->working_dir);
    lp_wire_add(out, "user", start->user);
    if (is_setup)
        lp_wire_add(out, start->creates ? "creates" : "mark",
                    start->creates ? start->creates : start->name);
    lp_wire_add_number(out, "timeout_ms", start->timeout_ms);
    lp_wire_add_number(out, "stop_signal", start->stop_signal);
    lp_wire_add_number(out, "log_bytes", (int64_t)(start->log_bytes & INT64_MAX));
    return lp_init_stream_send(&link->stream, at, err);
}

int lp_init_link_stop_app(struct lp_init_link *link, uint32_t app, uint32_t run, uint32_t grace_ms,
                          struct lp_err *err)
{
    size_t at = lp_wire_head(&link->stream.out, LP_WIRE_STOP_APP, (uint16_t)app);
    lp_wire_add_number(&link->stream.out, "run", run);
    lp_wire_add_number(&link->stream.out, "grace_ms", grace_ms);
    return lp_init_stream_send(&link->stream, at, err);
}

int lp_init_link_kill_app(struct lp_init_link *link, uint32_t app, uint32_t run, struct lp_err *err)
{
    size_t at = lp_wire_head(&link->stream.out, LP_WIRE_KILL_APP, (uint16_t)app);
    lp_wire_add_number(&link->stream.out, "run", run);
    return lp_init_stream_send(&link->stream, at, err);
}

int lp_init_link_signal_app(struct lp_init_link *link, uint32_t app, uint32_t run, int signal,
                            struct lp_err *err)
{
    size_t at = lp_wire_head(&link->stream.out, LP_WIRE_SIGNAL_APP, (uint16_t)app);
    lp_wire_add_number(&link->stream.out, "run", run);
    lp_wire_add_number(&link->stream.out, "signal", signal);
    return lp_init_stream_send(&link->stream, at, err);
}

int lp_init_link_stop_all(struct lp_init_link *link, uint32_t grace_ms, struct lp_err *err)
{
    size_t at = lp_wire_head(&link->stream.out, LP_WIRE_STOP_ALL, 0);
    lp_wire_add_number(&link->stream.out, "grace_ms", grace_ms);
    return lp_init_stream_send(&link->stream, at, err);
}

int lp_init_link_list(struct lp_init_link *link, struct lp_err *err)
{
    return lp_init_stream_send(&link->stream, lp_wire_head(&link->stream.out, LP_WIRE_LIST, 0),
                               err);
}

static const struct {
    uint16_t type;
    enum lp_init_news_kind kind;
} news_types[] = {
    {LP_WIRE_HELLO, LP_INIT_HELLO},   {LP_WIRE_STATE, LP_INIT_STATE},
    {LP_WIRE_SYNCED, LP_INIT_SYNCED}, {LP_WIRE_STARTED, LP_INIT_STARTED},
    {LP_WIRE_EXITED, LP_INIT_EXITED}, {LP_WIRE_FAILED, LP_INIT_FAILED},
};

// Where a text field of news belongs; NULL: not a text.
static const char **news_text(struct lp_init_news *news, const struct lp_wire_field *field)
{
    if (lp_wire_is(field, "text"))
        return &news->text;
    if (lp_wire_is(field, "boot"))
        return &news->boot;
    if (lp_wire_is(field, "node"))
        return &news->node;
    return NULL;
}

static int news_field(struct lp_init_news *news, const struct lp_wire_field *field)
{
    const char **text = news_text(news, field);
    if (text) {
        *text = field->value;
        return 0;
    }
    if (lp_wire_is(field, "phase"))
        return lp_init_phase_parse(field->value, &news->phase);
    static const struct {
        const char *key;
        int64_t low, high;
    } numbers[] = {
        {"run", 0, UINT32_MAX},
        {"pid", 0, INT32_MAX},
        {"status", 0, LP_WIRE_STATUS_SIGNAL + 127},
        {"at_ms", 0, INT64_MAX},
        {"code", LP_EDENIED, 0},
        {"incarnation", 0, UINT32_MAX},
    };
    int64_t values[] = {news->run,   news->pid,  news->status,
                        news->at_ms, news->code, news->incarnation};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (lp_wire_is(field, numbers[i].key) &&
            lp_wire_number(field, numbers[i].low, numbers[i].high, &values[i]) < 0)
            return LP_ECORRUPT;
    news->run = (uint32_t)values[0];
    news->pid = (int32_t)values[1];
    news->status = (int32_t)values[2];
    news->at_ms = values[3];
    news->code = (int)values[4];
    news->incarnation = (uint32_t)values[5];
    return 0;
}

// Take one frame in. Returns 1 with news, 0 when it is of a kind that is not known here.
static int news_parse(const struct lp_wire_frame *frame, struct lp_init_news *ret_news)
{
    size_t kinds = sizeof(news_types) / sizeof(news_types[0]), i = 0;
    while (i < kinds && news_types[i].type != frame->type)
        i++;
    if (i == kinds)
        return 0;
    struct lp_init_news news = {
        .kind = news_types[i].kind, .app = frame->app, .text = "", .boot = "", .node = ""};
    if (frame->app >= LP_APPS_MAX)
        return LP_ECORRUPT;
    size_t cursor = 0;
    struct lp_wire_field field;
    int more = 0;
    while ((more = lp_wire_next(frame, &cursor, &field)) > 0)
        if (news_field(&news, &field) < 0)
            return LP_ECORRUPT;
    if (more < 0)
        return LP_ECORRUPT;
    *ret_news = news;
    return 1;
}

struct news_visit {
    struct lp_init_link *link;
    void (*visit)(void *context, const struct lp_init_news *news);
    void *context;
};

static int news_take(void *context, const struct lp_wire_frame *frame, struct lp_err *err)
{
    const struct news_visit *to = context;
    struct lp_init_news news;
    int code = news_parse(frame, &news);
    if (code > 0 && !to->link->has_hello && news.kind != LP_INIT_HELLO)
        code = LP_ECORRUPT;
    if (code < 0)
        return lp_err_set(err, LP_ECORRUPT, "limpet-init sent a malformed frame of type %u",
                          frame->type);
    if (code == 0)
        return 0;
    char texts[3][LP_INIT_TEXT_MAX];
    news.text = lp_init_text_tame(texts[0], news.text);
    news.boot = lp_init_text_tame(texts[1], news.boot);
    news.node = lp_init_text_tame(texts[2], news.node);
    to->link->has_hello = true;
    to->visit(to->context, &news);
    return to->link->is_closed ? lp_err_set(err, LP_EIO, "closed") : 0;
}

int lp_init_link_read(struct lp_init_link *link,
                      void (*visit)(void *context, const struct lp_init_news *news), void *context,
                      struct lp_err *err)
{
    struct news_visit to = {link, visit, context};
    link->is_reading = true;
    int code = lp_init_stream_read(&link->stream, news_take, &to, err);
    link->is_reading = false;
    if (link->is_closed)
        lp_init_link_close(link);
    return code;
}
