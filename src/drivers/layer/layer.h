// A layer: a process that serves a folder of one node through FUSE, so that its disk can be full,
// read-only, slow, broken or forgetful on purpose. `limpet layer ...`, started by a driver. It
// ends when its mount is gone: with the node's mount namespace, or after the last fault was healed
// and the last file that was opened through it was closed.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define LP_LAYER_ENDING "limpet-layer-en" // its name (/proc/PID/comm) once it is mounted nowhere

enum { LP_LAYER_NAME_BYTES = 24, LP_LAYER_TEXT_BYTES = 240 };

struct lp_layer_spec {
    const char *socket;  // path: where orders come in
    const char *target;  // folder in the node
    const char *name;    // as lp_layer_name: the source of its mount in /proc/PID/mountinfo
    const char *source;  // folder of the host that it shows; NULL: what lies at the target
    uint32_t connection; // with a source: lp_layer_connection
    int handle;          // taken over. With a source: /dev/fuse, mounted already (lp_layer_mount);
                         // else the node's mount namespace, where it covers the target
};
// Returns when the mount is gone.
LP_MUST_CHECK int lp_layer_run(const struct lp_layer_spec *spec, struct lp_err *err);

// "layer-<8 hex digits>", by the target: one layer a folder of a node.
void lp_layer_name(const char *target, char ret_name[LP_LAYER_NAME_BYTES]);
// A new FUSE mount that is attached nowhere yet, and the handle over which it is served. Both are
// the caller's; when the mount's is closed before it was attached, the server ends.
LP_MUST_CHECK int lp_layer_mount(const char *name, int *ret_fuse_fd, int *ret_mount_fd,
                                 struct lp_err *err);
// What bears the name of the layers that volumes have from a node's start on.
#define LP_LAYER_OF_NODE "limpet"
// Call visit with the place of each mount of layers of that name in the mount namespace of the
// process. False: there is none, or the process has no mounts any more.
bool lp_layer_each_mount(pid_t pid, const char *name,
                         void (*visit)(void *context, const char *target), void *context);
// The kernel's number of the connection behind such a mount; 0: not known.
uint32_t lp_layer_connection(int mount_fd);
// All that waits for it fails at once, and all that is asked later. May enter a mount namespace of
// its own: for a process of its own.
void lp_layer_connection_end(uint32_t connection);
// Where in the mount namespace of the process is a layer of that name mounted? False: nowhere.
bool lp_layer_find_mount(pid_t pid, const char *name, char *ret_target, size_t bytes);
// Take away the mount of a layer that died, in the mount namespace of `pid`. Enters it: for a
// process of its own. Fine when there is none.
LP_MUST_CHECK int lp_layer_unmount(pid_t pid, const char *name, struct lp_err *err);

// Orders. One fault of each kind at a time.
enum lp_layer_kind {
    LP_LAYER_FULL,
    LP_LAYER_READ_ONLY,
    LP_LAYER_SLOW,
    LP_LAYER_ERROR,
    LP_LAYER_FORGET,
    LP_LAYER_KINDS,
};
enum lp_layer_operation { // as bits: which of them a fault is about
    LP_LAYER_READ = 1,
    LP_LAYER_WRITE = 2,
    LP_LAYER_SYNC = 4,
    LP_LAYER_CHANGE = 8, // of names and attributes
    LP_LAYER_MAKE = 16,  // a new name: needs room
};
// "all", "read", "write", "sync": the bits of the first three. 0: not such a word.
uint32_t lp_layer_operations(const char *word);

struct lp_layer_fault {
    uint64_t number;      // of the fault, in the journal
    uint64_t leave_bytes; // FULL: how much may still be written
    uint32_t kind;
    uint32_t permille, operations; // ERROR and SLOW: how many of which
    uint32_t delay_us, jitter_us, distribution, seed;
    int32_t pid; // a process of the node, through whose mount namespace the effect is looked at
};
enum lp_layer_want { LP_LAYER_SET = 1, LP_LAYER_CLEAR = 2 };
enum lp_layer_phase {
    LP_LAYER_NONE,    // not in force
    LP_LAYER_BUSY,    // in force, not seen yet; or ending
    LP_LAYER_SEEN,    // its effect was seen; text says what
    LP_LAYER_REFUSED, // text says why
};
struct lp_layer_answer {
    uint32_t phase;
    char text[LP_LAYER_TEXT_BYTES];
};
// Both are safe to be asked again and again; an answer is waited for a moment only. LP_ENOTFOUND:
// no layer is there; LP_ETIMEOUT: no answer yet; LP_EUNSUPPORTED: it is of another version.
LP_MUST_CHECK int lp_layer_ask(const char *socket, enum lp_layer_want want,
                               const struct lp_layer_fault *fault,
                               struct lp_layer_answer *ret_answer, struct lp_err *err);
// Who listens there. LP_ENOTFOUND: nobody.
LP_MUST_CHECK int lp_layer_process(const char *socket, pid_t *ret_pid, struct lp_err *err);
// SIGKILL to who listens there.
void lp_layer_kill(const char *socket);
// SIGKILL to the layers of a node, whose folder that is: what was asked of its disks and not done
// fails at once, so that no process of it waits for them.
void lp_layers_kill(const char *node_folder);
