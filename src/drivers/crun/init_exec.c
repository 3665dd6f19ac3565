// One command run inside a node: the client's side. See init_exec.h.
#include "drivers/crun/init_exec.h"

#include <string.h>

#include "drivers/crun/init_stream.h"
#include "model/wire.h"
#include "base/arena.h"
#include "base/str.h"

struct lp_init_exec {
    struct lp_init_stream stream;
};

int lp_init_exec_open(const char *path, const struct lp_exec_request *request,
                      struct lp_init_exec **ret_exec, struct lp_err *err)
{
    struct lp_init_exec *exec = lp_heap_take(sizeof(*exec));
    int code = lp_init_stream_open(&exec->stream, path, err);
    if (code == 0) {
        struct lp_str *out = &exec->stream.out;
        size_t at = lp_wire_head(out, LP_WIRE_EXEC, 0);
        lp_wire_add_command(out, &request->argv, &request->environment);
        lp_wire_add(out, "cwd", request->working_dir);
        lp_wire_add(out, "user", request->user);
        lp_wire_add_number(out, "inherit", request->is_inheriting);
        lp_wire_add_number(out, "tty", request->has_tty);
        lp_wire_add_number(out, "rows", request->rows);
        lp_wire_add_number(out, "columns", request->columns);
        lp_wire_add_number(out, "timeout_ms", request->timeout_ms);
        code = lp_init_stream_send(&exec->stream, at, err);
    }
    if (code < 0) {
        lp_init_exec_close(exec);
        return code;
    }
    *ret_exec = exec;
    return 0;
}

void lp_init_exec_close(struct lp_init_exec *exec)
{
    if (!exec)
        return;
    lp_init_stream_close(&exec->stream);
    lp_heap_free(exec);
}

int lp_init_exec_fd(const struct lp_init_exec *exec)
{
    return exec->stream.fd;
}

bool lp_init_exec_has_unsent(const struct lp_init_exec *exec)
{
    return exec->stream.out.bytes > 0;
}

int lp_init_exec_flush(struct lp_init_exec *exec, struct lp_err *err)
{
    return lp_init_stream_flush(&exec->stream, err);
}

int lp_init_exec_input(struct lp_init_exec *exec, const void *bytes, size_t count,
                       struct lp_err *err)
{
    lp_wire_add_raw(&exec->stream.out, LP_WIRE_STDIN, bytes, count);
    return lp_init_stream_flush(&exec->stream, err);
}

int lp_init_exec_input_end(struct lp_init_exec *exec, struct lp_err *err)
{
    size_t at = lp_wire_head(&exec->stream.out, LP_WIRE_STDIN_EOF, 0);
    return lp_init_stream_send(&exec->stream, at, err);
}

int lp_init_exec_resize(struct lp_init_exec *exec, uint16_t rows, uint16_t columns,
                        struct lp_err *err)
{
    size_t at = lp_wire_head(&exec->stream.out, LP_WIRE_RESIZE, 0);
    lp_wire_add_number(&exec->stream.out, "rows", rows);
    lp_wire_add_number(&exec->stream.out, "columns", columns);
    return lp_init_stream_send(&exec->stream, at, err);
}

static int news_parse(const struct lp_wire_frame *frame, struct lp_exec_news *news)
{
    struct lp_wire_field field;
    size_t cursor = 0;
    int more = 0;
    while ((more = lp_wire_next(frame, &cursor, &field)) > 0) {
        int64_t number = 0;
        int code = 0;
        if (lp_wire_is(&field, "text")) {
            news->text = field.value;
        } else if (lp_wire_is(&field, "status")) {
            code = lp_wire_number(&field, 0, LP_WIRE_STATUS_SIGNAL + 127, &number);
            news->status = (int32_t)number;
        } else if (lp_wire_is(&field, "code")) {
            code = lp_wire_number(&field, LP_EDENIED, 0, &number);
            news->code = (int)number;
        }
        if (code < 0)
            return code;
    }
    return more;
}

struct news_visit {
    void (*visit)(void *context, const struct lp_exec_news *news);
    void *context;
};

static int news_take(void *context, const struct lp_wire_frame *frame, struct lp_err *err)
{
    const struct news_visit *to = context;
    struct lp_exec_news news = {.bytes = frame->payload, .count = frame->bytes, .text = ""};
    switch (frame->type) {
    case LP_WIRE_STDOUT:
        news.kind = LP_EXEC_STDOUT;
        break;
    case LP_WIRE_STDERR:
        news.kind = LP_EXEC_STDERR;
        break;
    case LP_WIRE_EXIT:
    case LP_WIRE_FAILED:
        news.kind = frame->type == LP_WIRE_EXIT ? LP_EXEC_EXIT : LP_EXEC_FAILED;
        if (news_parse(frame, &news) < 0)
            return lp_err_set(err, LP_ECORRUPT, "limpet-init sent a malformed frame of type %u",
                              frame->type);
        news.bytes = "";
        news.count = 0;
        break;
    default:
        return 0; // of a newer limpet-init
    }
    char text[LP_INIT_TEXT_MAX];
    news.text = lp_init_text_tame(text, news.text);
    to->visit(to->context, &news);
    return 0;
}

int lp_init_exec_read(struct lp_init_exec *exec,
                      void (*visit)(void *context, const struct lp_exec_news *news), void *context,
                      struct lp_err *err)
{
    struct news_visit to = {visit, context};
    return lp_init_stream_read(&exec->stream, news_take, &to, err);
}
