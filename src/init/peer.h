// Connections to limpet-init: at most one has control (the newest that asked for it), others run
// commands. A malformed frame ends its connection and nothing else.
#pragma once

#include <stdbool.h>

#include "init/loop.h"
#include "base/str.h"

struct lp_session;

struct lp_peer {
    struct lp_watch watch;
    enum { LP_PEER_FREE, LP_PEER_NEW, LP_PEER_CONTROL, LP_PEER_EXEC } role;
    bool is_paused;  // not read from, until its command has taken what was sent
    bool is_closing; // closed as soon as `out` is sent
    struct lp_str in, out;
    struct lp_session *session; // EXEC
};

void lp_peers_open(int listen_fd); // listening, non-blocking
// Where news for the daemon go; NULL: nobody has control.
struct lp_str *lp_control_out(void);
void lp_control_flush(void);

// For sessions: send what stands in peer->out. A peer that is gone is closed later, by the loop.
void lp_peer_flush(struct lp_peer *peer);
void lp_peer_finish(struct lp_peer *peer); // send the rest, then close
void lp_peer_pause(struct lp_peer *peer, bool is_paused);
