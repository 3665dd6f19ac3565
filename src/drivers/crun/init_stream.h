// A non-blocking stream of frames to limpet-init with what waits to be sent and to be understood;
// the control connection (init_link) and exec connections (init_exec) stand on it.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "model/wire.h"

struct lp_init_stream {
    int fd;
    struct lp_str in, out;
};

LP_MUST_CHECK int lp_init_stream_open(struct lp_init_stream *stream, const char *path,
                                      struct lp_err *err);
void lp_init_stream_close(struct lp_init_stream *stream);
// Write what can be written; LP_EIO: the peer is gone.
LP_MUST_CHECK int lp_init_stream_flush(struct lp_init_stream *stream, struct lp_err *err);
// Seal the frame that began at `at` in stream->out and flush. LP_EFULL: too long, or too much
// waits.
LP_MUST_CHECK int lp_init_stream_send(struct lp_init_stream *stream, size_t at, struct lp_err *err);
// Call take for each whole frame that has arrived, a bounded number of reads a call. A negative
// return of take ends the reading and is returned (take sets err). LP_EIO: the peer has closed;
// LP_ECORRUPT: a frame is too long.
LP_MUST_CHECK int lp_init_stream_read(struct lp_init_stream *stream,
                                      int (*take)(void *context, const struct lp_wire_frame *frame,
                                                  struct lp_err *err),
                                      void *context, struct lp_err *err);
// What a node says ends up on terminals and in the journal: printable UTF-8 of bounded length.
enum { LP_INIT_TEXT_MAX = 512 };
const char *lp_init_text_tame(char tamed[LP_INIT_TEXT_MAX], const char *text);
