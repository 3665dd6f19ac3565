// The node's applications and setup steps: start, stop, watch over, report. One row an index.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "init/loop.h"
#include "init/output.h"
#include "model/wire.h"
#include "base/str.h"

struct lp_app_start { // an order as it came, checked; lent for the call
    uint32_t run;
    const char *name; // one path component
    bool is_setup;
    char **argv, **env;
    const char *cwd, *user;
    const char *creates, *mark; // setup: when it is done; NULL: not known that way
    uint32_t timeout_ms;
    int stop_signal;
    uint64_t log_bytes;
};

struct lp_app_slot { // read-only for others
    enum lp_init_phase phase;
    uint32_t run;
    bool is_setup, is_reaped;
    char name[64], done_mark[64], mark[96]; // mark: see lp_family
    pid_t pid;
    uid_t uid;
    int status;     // as on the wire
    int code;       // LP_E... of what could not be started
    int64_t at_ms;  // of the start, or of the end
    char text[512]; // for people: why it could not be started, or was killed
    uint32_t timeout_ms;
    int stop_signal;
    int64_t kill_at_ms, timeout_at_ms, sweep_at_ms, sweep_end_ms; // monotonic; 0: none
    uint64_t start_order;                                         // the later, the greater
    struct lp_str environment; // "KEY=value" texts, each ended by NUL
    struct lp_watch report, pipe;
    struct lp_output output;
};

void lp_apps_open(const char *done_folder);            // where the done-marks of setup steps are
const struct lp_app_slot *lp_app_slot(uint32_t index); // index < LP_APPS_MAX
// Each is safe to repeat: the news of a run is told again, nothing is done twice.
void lp_app_start(uint32_t index, const struct lp_app_start *start);
void lp_app_stop(uint32_t index, uint32_t run, uint32_t grace_ms);
void lp_app_kill(uint32_t index, uint32_t run);
// run 0: whichever lives.
void lp_app_signal(uint32_t index, uint32_t run, int signal);
void lp_app_refuse(uint32_t index, uint32_t run, int code, const char *text); // tells FAILED
// The environment of the node's main application: the first one that was ever started. Texts as in
// lp_app_slot; lent until the next start.
const struct lp_str *lp_app_environment(void);
// A child was reaped, with wait(2)'s status; false: it is no application.
bool lp_app_reap(pid_t pid, int wait_status);
// Do what is due: time limits, kills after grace, families of the dead. After each reaping too.
void lp_apps_timers(int64_t now_ms, bool has_reaped);
int64_t lp_apps_wake_ms(void); // the next deadline, INT64_MAX: none
bool lp_app_is_alive(const struct lp_app_slot *slot);
// wait(2)'s status as it goes over the wire.
int lp_status_from_wait(int wait_status);
