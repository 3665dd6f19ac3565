// A command run on somebody's behalf (exec): its process, its pipes or terminal, its connection.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct lp_peer;
struct lp_wire_frame;

enum { LP_SESSIONS_MAX = 32 };

void lp_sessions_open(void);
// The first processes of the living ones; returns how many (ret_pids has room for all).
size_t lp_sessions_leaders(pid_t ret_pids[]);
// The EXEC frame of a connection. LP_ECORRUPT: malformed. Whatever else fails is told by FAILED.
int lp_session_start(struct lp_peer *peer, const struct lp_wire_frame *frame);
// Any later frame of that connection.
int lp_session_take(struct lp_peer *peer, const struct lp_wire_frame *frame);
void lp_session_resume(struct lp_peer *peer);     // peer->out was sent: read output again
void lp_session_hang_up(struct lp_peer *peer);    // the client is gone
bool lp_session_reap(pid_t pid, int wait_status); // false: it is no session
void lp_sessions_timers(int64_t now_ms);
int64_t lp_sessions_wake_ms(void);
