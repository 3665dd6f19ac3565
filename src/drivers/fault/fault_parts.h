// What the files of the fault driver share. A job is one fault in the world; a hand knows how a few
// kinds are done and undone. What an undo needs is in ROOT/faults/f<number>.json before anything is
// done: any later daemon can finish it.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"
#include "drivers/crun/cgroup.h"
#include "drivers/child.h"
#include "drivers/crun/node_mark.h"
#include "model/driver.h"
#include "model/fault.h"

enum {
    LP_FAULT_PEERS_MAX = 1024,
    LP_FAULT_PLACES_MAX = 16,
    LP_FAULT_COMMAND_MS = 18 * 1000, // a command has this long: less than an effect has to be seen
    LP_FAULT_HANG_UP_MS = 2500,
};

struct lp_fault_job {
    uint64_t number;
    uint32_t slot, app, run;
    struct lp_node_mark mark; // of the node; .name "" when it is aimed at none
    char app_name[64];        // "" for none
    struct lp_fault_spec spec;
    char *as_asked; // heap: struct lp_order, fault_text
    // Where the node is on its networks, in their order, and whom it is limited to (0: everybody).
    uint32_t addresses[LP_FAULT_PLACES_MAX], gateways[LP_FAULT_PLACES_MAX];
    uint32_t networks[LP_FAULT_PLACES_MAX];
    size_t place_count;
    uint32_t *peers; // heap
    size_t peer_count;
    json_t *undo; // the hand's own notes, an object: written by prepare, read by undo
    struct lp_fault_command *command; // runs in the node now, for the hand; NULL: none
    bool is_command_undo;             // ... and it is the undo
    uint32_t undo_tries;              // of a person's undo that failed
    int64_t undo_not_before_ms;
    struct lp_str failed_text; // why it could not be injected: told once it is undone; "": it could
    struct lp_str healed_text; // what is worth telling about the undo; "": nothing
    enum { LP_FAULT_JOB_INJECTING, LP_FAULT_JOB_ACTIVE, LP_FAULT_JOB_HEALING } phase;
    bool is_told;     // ACTIVE was put
    bool is_adopted;  // read from its file; no order about it was heard yet
    bool is_found;    // read from its file: a daemon of before may have done more than it noted
    int64_t since_ms; // of this phase; CLOCK_MONOTONIC
    int64_t given_up_at_ms; // the effect was not seen, or the undo did not succeed, by then
    struct lp_fault_job *next;
};

struct lp_faults {            // the driver
    struct lp_driver_env env; // own copies
    struct lp_cgroup_layout cgroups;
    struct lp_children *children; // workers: their tag is the number of the fault
    struct lp_fault_job *jobs;
    int epoll_fd, timer_fd;
    bool is_synced;
    int64_t open_ms;
    struct lp_inbox *inbox; // during collect
};

struct lp_fault_hand {
    // Note in job->undo what undo will need. NULL: nothing. LP_EUNSUPPORTED and LP_EINPUT say what
    // this machine or this node lacks.
    int (*prepare)(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err);
    // Do it; safe to be done again.
    int (*inject)(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err);
    // Is its effect seen? 1 and a clause in ret_seen, 0: not yet, < 0: it will not be.
    int (*look)(struct lp_faults *faults, struct lp_fault_job *job, struct lp_str *ret_seen,
                struct lp_err *err);
    // Undo it; safe to be done again and when nothing was done. 0: it is undone; LP_ETIMEOUT: not
    // yet, call again; other errors are told and tried again.
    int (*undo)(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err);
};
// Which hand does a kind; NULL: none on this machine.
const struct lp_fault_hand *lp_fault_hand_of(uint32_t kind);
extern const struct lp_fault_hand lp_fault_hand_process; // kill terminate hang restart
extern const struct lp_fault_hand lp_fault_hand_node;    // crash shutdown reboot pause
extern const struct lp_fault_hand lp_fault_hand_net;     // cut loss bandwidth dns
extern const struct lp_fault_hand lp_fault_hand_load;    // oom cpu memory disk-load processes
extern const struct lp_fault_hand lp_fault_hand_relay;   // delay reorder duplicate corrupt
extern const struct lp_fault_hand lp_fault_hand_disk; // disk-full read-only disk-slow io-error ...
extern const struct lp_fault_hand lp_fault_hand_daemon; // daemon-kill daemon-stall
extern const struct lp_fault_hand lp_fault_hand_exec;   // exec
extern const struct lp_fault_hand lp_fault_hand_clock;  // clock

// fault_job.c: the file of a job.
LP_MUST_CHECK int lp_fault_job_save(const struct lp_faults *faults, const struct lp_fault_job *job,
                                    struct lp_err *err);
LP_MUST_CHECK int lp_fault_jobs_load(struct lp_faults *faults, struct lp_err *err);
void lp_fault_job_drop(struct lp_faults *faults, struct lp_fault_job *job); // and its file
void lp_fault_job_free(struct lp_fault_job *job);
// An option as a person gave it, or NULL. Lent until the job ends.
const char *lp_fault_option(const struct lp_fault_job *job, const char *name);

// fault_command.c: a command that runs in the node of a fault, through its limpet-init. Nothing
// here waits for it; one at a time a fault.
struct lp_exec_request;
LP_MUST_CHECK int lp_fault_command_start(const struct lp_faults *faults, struct lp_fault_job *job,
                                         const struct lp_exec_request *request, struct lp_err *err);
// 1: it ended with 0, its output is in ret_output (its end, if it is long); 0: not yet; < 0: it
// ended with something else, or not in time, or the node is gone: err says so with its last line.
// After anything but 0 it is forgotten. ret_output may be NULL.
LP_MUST_CHECK int lp_fault_command_look(struct lp_fault_job *job, struct lp_str *ret_output,
                                        struct lp_err *err);
// Forget it; if it runs, limpet-init hangs it up, and kills what is left of it within
// LP_FAULT_HANG_UP_MS.
void lp_fault_command_drop(struct lp_fault_job *job);

// fault_target.c: what a fault is aimed at, seen from outside.
// The node's first process. LP_ENOTFOUND: it does not run, or in another life.
LP_MUST_CHECK int lp_fault_node_pid(const struct lp_faults *faults, const struct lp_fault_job *job,
                                    pid_t *ret_pid, struct lp_err *err);
struct lp_place lp_fault_cgroup(const struct lp_faults *faults, const struct lp_fault_job *job);
// The processes of the application (all of the node but limpet-init when app_name is ""), host
// pids; at most `most`. The first one is the one that limpet-init has started.
size_t lp_fault_processes(const struct lp_faults *faults, const struct lp_fault_job *job,
                          pid_t *ret_pids, size_t most);
// The node's network namespace; the caller closes it. LP_ENOTFOUND as above.
LP_MUST_CHECK int lp_fault_netns(const struct lp_faults *faults, const struct lp_fault_job *job,
                                 int *ret_fd, struct lp_err *err);
// Is another fault of the same kind in force on the same target? What they do is one thing, undone
// when the last of them is.
bool lp_fault_has_twin(const struct lp_faults *faults, const struct lp_fault_job *job);
// The pid when it is a process of this program that runs the verb with this first argument, or a
// child of ours that is just being executed (which is for pids that were noted), else 0.
pid_t lp_fault_worker_pid(pid_t pid, const char *verb, const char *mark);
// The same with the mark of this fault: a pid that came to be somebody else's, another Limpet's for
// instance, is never taken for ours.
pid_t lp_fault_worker_of(const struct lp_faults *faults, const struct lp_fault_job *job, pid_t pid,
                         const char *verb);
// What such a process is given as its first argument, so that it is found without a note of its
// pid: "f<number>@<root id>".
enum { LP_FAULT_MARK_BYTES = 48 };
void lp_fault_worker_mark(const struct lp_faults *faults, const struct lp_fault_job *job,
                          char ret_mark[LP_FAULT_MARK_BYTES]);
// All processes that run the verb for this fault, at most `most`. Looks at every process there is:
// for jobs that were found, after a daemon was killed between starting one and noting it.
size_t lp_fault_workers_find(const struct lp_faults *faults, const struct lp_fault_job *job,
                             const char *verb, pid_t *ret_pids, size_t most);
char lp_fault_process_state(pid_t pid); // 'R', 'S', 'T', 'Z', ...; 0: gone
