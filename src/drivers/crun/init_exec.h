// One command run inside a node through its limpet-init: `limpet exec`, COMMAND health checks,
// reload commands. Nothing here blocks. Closing it before the command ended kills the command.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/descriptor.h"

struct lp_init_exec;

struct lp_exec_request { // lent for the call
    struct lp_texts argv;
    struct lp_pairs environment;
    bool is_inheriting;      // the main application's environment lies under this one
    const char *working_dir; // NULL: "/"
    const char *user;        // NULL: root; name, uid, name:group, uid:gid
    bool has_tty;            // a terminal inside; its output arrives as STDOUT
    uint16_t rows, columns;  // with has_tty; 0: 24 x 80
    uint32_t timeout_ms;     // then it is killed and FAILED with LP_ETIMEOUT; 0: no limit
};

enum lp_exec_news_kind {
    LP_EXEC_STDOUT, // bytes, count
    LP_EXEC_STDERR, // bytes, count
    LP_EXEC_EXIT,   // status; the last news
    LP_EXEC_FAILED, // code, text: it was not started, or ran out of time; the last news
};

struct lp_exec_news { // lent for the call of visit
    enum lp_exec_news_kind kind;
    const char *bytes; // as the command wrote them: not printable, not NUL-ended
    size_t count;
    int32_t status; // 0..255 exit code, 256 + N killed by signal N
    int code;       // LP_ENOTFOUND: no such command; LP_EDENIED: may not be executed; ...
    const char *text;
};

// Connect to the socket at path and ask for the command. Errors as lp_init_link_open; LP_EFULL: the
// request is longer than 1 MiB.
LP_MUST_CHECK int lp_init_exec_open(const char *path, const struct lp_exec_request *request,
                                    struct lp_init_exec **ret_exec, struct lp_err *err);
void lp_init_exec_close(struct lp_init_exec *exec);   // NULL is fine
int lp_init_exec_fd(const struct lp_init_exec *exec); // for epoll: IN, and OUT while has_unsent
bool lp_init_exec_has_unsent(const struct lp_init_exec *exec);
LP_MUST_CHECK int lp_init_exec_flush(struct lp_init_exec *exec, struct lp_err *err);
// Bytes for its standard input; count is at most LP_WIRE_RAW_CHUNK. Send more only when nothing is
// unsent. LP_EIO: the peer is gone.
LP_MUST_CHECK int lp_init_exec_input(struct lp_init_exec *exec, const void *bytes, size_t count,
                                     struct lp_err *err);
LP_MUST_CHECK int lp_init_exec_input_end(struct lp_init_exec *exec, struct lp_err *err);
LP_MUST_CHECK int lp_init_exec_resize(struct lp_init_exec *exec, uint16_t rows, uint16_t columns,
                                      struct lp_err *err);
// Tell what has arrived; bounded a call. LP_EIO before EXIT or FAILED was told: the node ended.
LP_MUST_CHECK int lp_init_exec_read(struct lp_init_exec *exec,
                                    void (*visit)(void *context, const struct lp_exec_news *news),
                                    void *context, struct lp_err *err);
