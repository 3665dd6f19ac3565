// The control connection to limpet-init: queues orders, decodes news. See init_link.h.
#include "drivers/init_link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "drivers/init_socket.h"
#include "model/limits.h"
#include "model/wire.h"
#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"

enum {
    UNSENT_MAX = 4 * 1024 * 1024,
    READS_MAX = 16, // of one lp_init_link_read: a flood must not hold up the daemon's loop
    READ_BYTES = 16 * 1024,
    TEXT_MAX = 512, // of what the node says for people to read
};

struct lp_init_link {
    int fd;
    struct lp_str in, out;
    size_t sent; // of out
    bool has_hello;
};

int lp_init_link_open(const char *path, struct lp_init_link **ret_link, struct lp_err *err)
{
    LP_OWNS_FD int fd = -1;
    int code = lp_init_socket_open(path, true, &fd, err);
    if (code < 0)
        return code;
    struct lp_init_link *link = lp_heap_take(sizeof(*link));
    link->fd = lp_fd_take(&fd);
    size_t at = lp_wire_head(&link->out, LP_WIRE_CONTROL, 0);
    lp_wire_add_number(&link->out, "version", LP_WIRE_VERSION);
    code = lp_wire_seal(&link->out, at, err);
    if (code == 0)
        code = lp_init_link_flush(link, err);
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
    close(link->fd);
    lp_str_release(&link->in);
    lp_str_release(&link->out);
    lp_heap_free(link);
}

int lp_init_link_fd(const struct lp_init_link *link)
{
    return link->fd;
}

bool lp_init_link_has_unsent(const struct lp_init_link *link)
{
    return link->sent < link->out.bytes;
}

int lp_init_link_flush(struct lp_init_link *link, struct lp_err *err)
{
    while (link->sent < link->out.bytes) {
        ssize_t count = send(link->fd, link->out.text + link->sent, link->out.bytes - link->sent,
                             MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            break;
        if (count < 0)
            return lp_err_set(err, LP_EIO, "limpet-init is gone: %s", strerror(errno));
        link->sent += (size_t)count;
    }
    if (link->sent < link->out.bytes) {
        memmove(link->out.text, link->out.text + link->sent, link->out.bytes - link->sent + 1);
        link->out.bytes -= link->sent;
        link->sent = 0;
        return 0;
    }
    link->sent = 0;
    lp_str_clear(&link->out);
    return 0;
}

// Seal the order that began at `at` and send what can be sent.
static int order_send(struct lp_init_link *link, size_t at, struct lp_err *err)
{
    if (link->out.bytes - link->sent > UNSENT_MAX) {
        link->out.bytes = at;
        return lp_err_set(err, LP_EFULL, "limpet-init does not read: %d bytes wait", UNSENT_MAX);
    }
    int code = lp_wire_seal(&link->out, at, err);
    return code < 0 ? code : lp_init_link_flush(link, err);
}

int lp_init_link_start_app(struct lp_init_link *link, const struct lp_init_start *start,
                           struct lp_err *err)
{
    struct lp_str *out = &link->out;
    size_t at = lp_wire_head(out, LP_WIRE_START_APP, (uint16_t)start->app);
    bool is_setup = start->kind == LP_APP_SETUP;
    lp_wire_add_number(out, "run", start->run);
    lp_wire_add(out, "name", start->name);
    lp_wire_add(out, "kind", is_setup ? "setup" : "serve");
    for (size_t i = 0; i < start->argv.count; i++)
        lp_wire_add(out, "arg", start->argv.items[i]);
    for (size_t i = 0; i < start->environment.count; i++) {
        const struct lp_pair *pair = &start->environment.items[i];
        lp_str_add(out, "env=");
        lp_str_add(out, pair->key);
        lp_str_add_char(out, '=');
        lp_str_add_n(out, pair->value ? pair->value : "", pair->value ? strlen(pair->value) : 0);
        lp_str_add_n(out, "", 1);
    }
    lp_wire_add(out, "cwd", start->working_dir);
    lp_wire_add(out, "user", start->user);
    if (is_setup)
        lp_wire_add(out, start->creates ? "creates" : "mark",
                    start->creates ? start->creates : start->name);
    lp_wire_add_number(out, "timeout_ms", start->timeout_ms);
    lp_wire_add_number(out, "stop_signal", start->stop_signal);
    lp_wire_add_number(out, "log_bytes", (int64_t)(start->log_bytes & INT64_MAX));
    return order_send(link, at, err);
}

int lp_init_link_stop_app(struct lp_init_link *link, uint32_t app, uint32_t run, uint32_t grace_ms,
                          struct lp_err *err)
{
    size_t at = lp_wire_head(&link->out, LP_WIRE_STOP_APP, (uint16_t)app);
    lp_wire_add_number(&link->out, "run", run);
    lp_wire_add_number(&link->out, "grace_ms", grace_ms);
    return order_send(link, at, err);
}

int lp_init_link_kill_app(struct lp_init_link *link, uint32_t app, uint32_t run, struct lp_err *err)
{
    size_t at = lp_wire_head(&link->out, LP_WIRE_KILL_APP, (uint16_t)app);
    lp_wire_add_number(&link->out, "run", run);
    return order_send(link, at, err);
}

int lp_init_link_signal_app(struct lp_init_link *link, uint32_t app, uint32_t run, int signal,
                            struct lp_err *err)
{
    size_t at = lp_wire_head(&link->out, LP_WIRE_SIGNAL_APP, (uint16_t)app);
    lp_wire_add_number(&link->out, "run", run);
    lp_wire_add_number(&link->out, "signal", signal);
    return order_send(link, at, err);
}

int lp_init_link_stop_all(struct lp_init_link *link, uint32_t grace_ms, struct lp_err *err)
{
    size_t at = lp_wire_head(&link->out, LP_WIRE_STOP_ALL, 0);
    lp_wire_add_number(&link->out, "grace_ms", grace_ms);
    return order_send(link, at, err);
}

int lp_init_link_list(struct lp_init_link *link, struct lp_err *err)
{
    return order_send(link, lp_wire_head(&link->out, LP_WIRE_LIST, 0), err);
}

static const struct {
    uint16_t type;
    enum lp_init_news_kind kind;
} news_types[] = {
    {LP_WIRE_HELLO, LP_INIT_HELLO},   {LP_WIRE_STATE, LP_INIT_STATE},
    {LP_WIRE_SYNCED, LP_INIT_SYNCED}, {LP_WIRE_STARTED, LP_INIT_STARTED},
    {LP_WIRE_EXITED, LP_INIT_EXITED}, {LP_WIRE_FAILED, LP_INIT_FAILED},
};

static const char *const phase_words[] = {
    [LP_INIT_IDLE] = "idle",     [LP_INIT_STARTING] = "starting", [LP_INIT_RUNNING] = "running",
    [LP_INIT_ENDING] = "ending", [LP_INIT_ENDED] = "ended",       [LP_INIT_UNSTARTED] = "unstarted",
};

static int phase_parse(const char *word, enum lp_init_phase *ret_phase)
{
    for (size_t i = 0; i < sizeof(phase_words) / sizeof(phase_words[0]); i++)
        if (strcmp(phase_words[i], word) == 0) {
            *ret_phase = (enum lp_init_phase)i;
            return 0;
        }
    return LP_ECORRUPT;
}

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
        return phase_parse(field->value, &news->phase);
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

// What the node says ends up on terminals and in the journal: printable UTF-8 of bounded length.
static const char *text_tame(char tamed[TEXT_MAX], const char *text)
{
    size_t count = lp_utf8_valid(text, strnlen(text, TEXT_MAX - 1));
    for (size_t i = 0; i < count; i++)
        tamed[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
    tamed[count] = '\0';
    return tamed;
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

// Tell the news of all whole frames in link->in and drop them.
static int frames_take(struct lp_init_link *link,
                       void (*visit)(void *context, const struct lp_init_news *news), void *context,
                       struct lp_err *err)
{
    size_t at = 0;
    struct lp_wire_frame frame;
    long bytes = 0;
    while (at < link->in.bytes &&
           (bytes = lp_wire_parse(link->in.text + at, link->in.bytes - at, &frame)) > 0) {
        at += (size_t)bytes;
        struct lp_init_news news;
        int code = news_parse(&frame, &news);
        if (code > 0 && !link->has_hello && news.kind != LP_INIT_HELLO)
            code = LP_ECORRUPT;
        if (code < 0)
            return lp_err_set(err, LP_ECORRUPT, "limpet-init sent a malformed frame of type %u",
                              frame.type);
        if (code == 0)
            continue;
        char texts[3][TEXT_MAX];
        news.text = text_tame(texts[0], news.text);
        news.boot = text_tame(texts[1], news.boot);
        news.node = text_tame(texts[2], news.node);
        link->has_hello = true;
        visit(context, &news);
    }
    if (bytes < 0)
        return lp_err_set(err, LP_ECORRUPT, "limpet-init sent a frame that is too long");
    memmove(link->in.text, link->in.text + at, link->in.bytes - at + 1);
    link->in.bytes -= at;
    return 0;
}

int lp_init_link_read(struct lp_init_link *link,
                      void (*visit)(void *context, const struct lp_init_news *news), void *context,
                      struct lp_err *err)
{
    for (int i = 0; i < READS_MAX; i++) {
        char bytes[READ_BYTES];
        ssize_t count = recv(link->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return 0;
        if (count < 0)
            return lp_err_set(err, LP_EIO, "limpet-init is gone: %s", strerror(errno));
        if (count == 0)
            return lp_err_set(err, LP_EIO, "limpet-init closed the connection");
        lp_str_add_n(&link->in, bytes, (size_t)count);
        int code = frames_take(link, visit, context, err);
        if (code < 0)
            return code;
        if ((size_t)count < sizeof(bytes))
            return 0; // one call less; more makes the fd readable again
    }
    return 0;
}
