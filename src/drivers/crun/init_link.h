// The control connection to one node's limpet-init, as node drivers use it: orders out, news in.
// Nothing here blocks. The peer is code inside the node and may be hostile: what it sends is
// bounded and checked, and anything malformed ends the link (close it, open another one).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/descriptor.h"
#include "model/wire.h"

struct lp_init_link;

enum lp_init_news_kind {
    LP_INIT_HELLO,   // boot, node, incarnation: limpet-init runs and answers. Always the first
    LP_INIT_STATE,   // app, run, phase, pid, status, at_ms, text: the answer to list, one an app
    LP_INIT_SYNCED,  // all STATE were told; an application without one was never started
    LP_INIT_STARTED, // app, run, pid, at_ms
    LP_INIT_EXITED,  // app, run, status, at_ms: it and all its descendants are gone
    LP_INIT_FAILED,  // app, run, code, text: could not be started
};

struct lp_init_news { // texts are lent for the call of visit; never NULL
    enum lp_init_news_kind kind;
    uint32_t app; // index in service->apps
    uint32_t run; // of START_APP
    enum lp_init_phase phase;
    int32_t pid;    // in the node's own pid namespace
    int32_t status; // 0..255 exit code, 256 + N killed by signal N
    int64_t at_ms;  // since 1970, the node's clock
    int code;       // LP_E...: why it could not be started
    const char *text;
    const char *boot; // differs with each life of limpet-init
    const char *node; // as given on limpet-init's command line
    uint32_t incarnation;
};

struct lp_init_start { // lent for the call
    uint32_t app, run; // index; the run is repeated in every news of it
    const char *name;  // of the log (NAME.log) and the done-mark; one path component
    enum lp_app_kind kind;
    struct lp_texts argv;
    struct lp_pairs environment;
    const char *working_dir; // NULL: "/"
    const char *user;        // NULL: root; name, uid, name:group, uid:gid
    const char *creates;     // SETUP: done when this path exists; NULL: a done-mark of that name
    uint32_t timeout_ms;     // SETUP; 0: no limit
    int stop_signal;         // for STOP_ALL; 0: SIGTERM
    uint64_t log_bytes;      // size at which the log is rotated; 0: 8 MiB
};

// Connect to the socket at path (of any length) and claim control: an older control connection is
// closed by limpet-init. LP_ENOTFOUND: nobody listens there; LP_EIO: else. HELLO follows as news
// once limpet-init runs: the connection itself may stand earlier (the socket is made before it).
LP_MUST_CHECK int lp_init_link_open(const char *path, struct lp_init_link **ret_link,
                                    struct lp_err *err);
void lp_init_link_close(struct lp_init_link *link);   // NULL is fine
int lp_init_link_fd(const struct lp_init_link *link); // for epoll: IN, and OUT while has_unsent
// Orders not yet written out: wait for writability too, then call lp_init_link_flush.
bool lp_init_link_has_unsent(const struct lp_init_link *link);
// Write what can be written. LP_EIO: the peer is gone.
LP_MUST_CHECK int lp_init_link_flush(struct lp_init_link *link, struct lp_err *err);

// Orders. Each is queued and flushed as far as possible. LP_EFULL: the order is too long (1 MiB),
// or the peer does not read and 4 MiB wait already; LP_EIO: the peer is gone. All may be repeated:
// the news is repeated, nothing is done twice.
LP_MUST_CHECK int lp_init_link_start_app(struct lp_init_link *link,
                                         const struct lp_init_start *start, struct lp_err *err);
// Signal the application's first process (0: its stop signal), and after grace_ms kill all of it.
LP_MUST_CHECK int lp_init_link_stop_app(struct lp_init_link *link, uint32_t app, uint32_t run,
                                        uint32_t grace_ms, struct lp_err *err);
// Kill it and all its descendants at once.
LP_MUST_CHECK int lp_init_link_kill_app(struct lp_init_link *link, uint32_t app, uint32_t run,
                                        struct lp_err *err);
// run 0: whichever lives.
LP_MUST_CHECK int lp_init_link_signal_app(struct lp_init_link *link, uint32_t app, uint32_t run,
                                          int signal, struct lp_err *err);
// Stop all applications, the last started first, each by its stop signal; after grace_ms kill what
// is left. Then limpet-init exits, which ends the node.
LP_MUST_CHECK int lp_init_link_stop_all(struct lp_init_link *link, uint32_t grace_ms,
                                        struct lp_err *err);
// Ask for the STATE of every application; SYNCED follows.
LP_MUST_CHECK int lp_init_link_list(struct lp_init_link *link, struct lp_err *err);

// Call visit for all news that have arrived (a bounded number a call; call again while readable).
// visit may close the link: no more news are told then, and LP_EIO is returned. LP_EIO: the peer
// closed it (the node ended, or another control connection took over); LP_ECORRUPT: it sent
// nonsense. Either way close the link (unless visit has).
LP_MUST_CHECK int lp_init_link_read(struct lp_init_link *link,
                                    void (*visit)(void *context, const struct lp_init_news *news),
                                    void *context, struct lp_err *err);
