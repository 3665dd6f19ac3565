// Child processes: started fast, watched by pidfd, output captured up to a bound, killed past a
// time limit. One set a driver; the set's epoll handle is its wait_fd or part of it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

struct lp_child_spec {       // {0} with argv is valid: no input, no output kept, no time limit
    const char *const *argv; // NULL-terminated; argv[0] with a slash, or found in the PATH
    int program_fd;          // execute this instead of argv[0]; 0: none
    const char *const *environment; // NULL-terminated; NULL: lp_child_environment
    const char *folder;             // working folder; NULL: "/"
    const char *input;              // given on stdin, at most 64 KiB; NULL: /dev/null
    size_t output_max;   // bytes of stdout and stderr to keep (the last ones); 0: /dev/null
    uint32_t timeout_ms; // then the child's whole process group gets SIGKILL; 0: none
    int netns_fd;        // enter this network namespace first; 0: stay
    int kept_fd;         // the child's fd 3; 0: none
    // Own mount namespace, in which cgroup2 is hidden when it lies beside v1 hierarchies (a
    // hybrid machine): crun 1.8 refuses to work where it sees both.
    bool has_own_mounts;
    // Called in the child after has_own_mounts and before exec, sharing the parent's memory while
    // the parent waits: system calls only, no allocation. Returns 0, or -errno and a word for the
    // step in *ret_step (lent for ever).
    int (*prepare)(void *context, const char **ret_step);
    void *prepare_context;
    bool is_detached;   // not killed when the set is closed
    bool has_output_fd; // output goes to output_fd instead of being kept
    int output_fd;
};

struct lp_child_exit {
    uint64_t tag; // as given to spawn
    pid_t pid;
    int status; // 0..255 exit code, 256 + N killed by signal N
    bool is_timed_out;
    const char *output; // lent for the call; the last output_max bytes, NUL-terminated
    size_t output_bytes;
};

struct lp_children;

// The environment of children when none is given: PATH, HOME=/root, LC_ALL=C.UTF-8.
extern const char *const lp_child_environment[];

LP_MUST_CHECK int lp_children_open(struct lp_children **ret_children, struct lp_err *err);
// Kills and reaps all that are not detached.
void lp_children_close(struct lp_children *children);
// Readable when collect has something to do (output, an exit, a time limit). Constant.
int lp_children_wait_fd(const struct lp_children *children);
size_t lp_children_count(const struct lp_children *children); // running now

// Start one. tag comes back with its exit. ret_pid may be NULL. LP_EIO: not started, says why.
LP_MUST_CHECK int lp_children_spawn(struct lp_children *children, const struct lp_child_spec *spec,
                                    uint64_t tag, pid_t *ret_pid, struct lp_err *err);
// Take output in, enforce limits, call on_exit once for each that ended. Never blocks.
// on_exit may spawn.
void lp_children_collect(struct lp_children *children,
                         void (*on_exit)(void *context, const struct lp_child_exit *exit),
                         void *context);
// SIGNAL to the process group of each child with this tag; returns how many there are.
size_t lp_children_signal(struct lp_children *children, uint64_t tag, int signal);

// The program as a mount of its own that cannot be written through: a container runtime that fears
// for its own file makes such a copy at each start, on disk, and executes itself a second time;
// given this as program_fd it need not. LP_EUNSUPPORTED: this kernel cannot; argv[0] will do. The
// handle is the caller's.
LP_MUST_CHECK int lp_child_program_open(const char *name, int *ret_fd, struct lp_err *err);

// Run one to its end, at most timeout_ms (0: 10 s): for start-up and tests, never in the loop.
// ret_output may be NULL. A status other than 0 is not an error.
LP_MUST_CHECK int lp_child_run(const struct lp_child_spec *spec, int *ret_status,
                               struct lp_str *ret_output, struct lp_err *err);

// "exited with code 1", "was killed by signal 9 (Killed)".
void lp_child_status_print(int status, struct lp_str *ret_text);
// wait(2)'s status as Limpet counts it.
int lp_child_status(int wait_status);
