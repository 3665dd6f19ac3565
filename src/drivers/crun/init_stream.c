// A non-blocking stream of frames to limpet-init. See init_stream.h.
#include "drivers/crun/init_stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/crun/init_socket.h"

enum {
    UNSENT_MAX = 4 * 1024 * 1024,
    READS_MAX = 16, // of one call: a flood must not hold up the caller's loop
    READ_BYTES = 16 * 1024,
};

int lp_init_stream_open(struct lp_init_stream *stream, const char *path, struct lp_err *err)
{
    *stream = (struct lp_init_stream){.fd = -1};
    return lp_init_socket_open(path, true, &stream->fd, err);
}

void lp_init_stream_close(struct lp_init_stream *stream)
{
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
    lp_str_release(&stream->in);
    lp_str_release(&stream->out);
}

// Drop the first count bytes.
static void front_drop(struct lp_str *str, size_t count)
{
    if (count == 0)
        return;
    memmove(str->text, str->text + count, str->bytes - count + 1);
    str->bytes -= count;
}

int lp_init_stream_flush(struct lp_init_stream *stream, struct lp_err *err)
{
    size_t sent = 0;
    int code = 0;
    while (sent < stream->out.bytes && code == 0) {
        ssize_t count = send(stream->fd, stream->out.text + sent, stream->out.bytes - sent,
                             MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count >= 0)
            sent += (size_t)count;
        else if (errno == EAGAIN)
            break;
        else if (errno == EPIPE || errno == ECONNRESET)
            sent = stream->out.bytes; // it has gone; what it said before that is still to be read
        else if (errno != EINTR)
            code = lp_err_set(err, LP_EIO, "limpet-init is gone: %s", strerror(errno));
    }
    front_drop(&stream->out, sent);
    return code;
}

int lp_init_stream_send(struct lp_init_stream *stream, size_t at, struct lp_err *err)
{
    if (stream->out.bytes > UNSENT_MAX) {
        stream->out.bytes = at;
        return lp_err_set(err, LP_EFULL, "limpet-init does not read: %d bytes wait", UNSENT_MAX);
    }
    int code = lp_wire_seal(&stream->out, at, err);
    return code < 0 ? code : lp_init_stream_flush(stream, err);
}

static int frames_take(struct lp_init_stream *stream,
                       int (*take)(void *context, const struct lp_wire_frame *frame,
                                   struct lp_err *err),
                       void *context, struct lp_err *err)
{
    size_t at = 0;
    struct lp_wire_frame frame;
    long bytes = 0;
    int code = 0;
    while (code >= 0 &&
           (bytes = lp_wire_parse(stream->in.text + at, stream->in.bytes - at, &frame)) > 0) {
        at += (size_t)bytes;
        code = take(context, &frame, err);
    }
    if (code >= 0 && bytes < 0)
        code = lp_err_set(err, LP_ECORRUPT, "limpet-init sent a frame that is too long");
    front_drop(&stream->in, at);
    return code < 0 ? code : 0;
}

int lp_init_stream_read(struct lp_init_stream *stream,
                        int (*take)(void *context, const struct lp_wire_frame *frame,
                                    struct lp_err *err),
                        void *context, struct lp_err *err)
{
    for (int i = 0; i < READS_MAX; i++) {
        char bytes[READ_BYTES];
        ssize_t count = recv(stream->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return 0;
        if (count < 0)
            return lp_err_set(err, LP_EIO, "limpet-init is gone: %s", strerror(errno));
        if (count == 0)
            return lp_err_set(err, LP_EIO, "limpet-init closed the connection");
        lp_str_add_n(&stream->in, bytes, (size_t)count);
        int code = frames_take(stream, take, context, err);
        if (code < 0 || (size_t)count < sizeof(bytes)) // more makes the fd readable again
            return code;
    }
    return 0;
}

const char *lp_init_text_tame(char tamed[LP_INIT_TEXT_MAX], const char *text)
{
    size_t count = lp_utf8_valid(text, strnlen(text, LP_INIT_TEXT_MAX - 1));
    for (size_t i = 0; i < count; i++)
        tamed[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
    tamed[count] = '\0';
    return tamed;
}
