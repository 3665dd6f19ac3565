// Faults on purpose: their kinds, what each can be told, and how a person writes it down.
// A fault is plain data, so that an event can carry it and a snapshot can hold it. What it does to
// the world, and how that is undone, is the fault driver's (drivers/fault/, docs/faults.md).
// Source: [S0] 5 (experiments), [S1] II (faults of application, VM and host).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/descriptor.h"

struct lp_str;

enum lp_fault_kind {
    LP_FAULT_NONE,
    // Of an application.
    LP_FAULT_KILL,      // SIGKILL
    LP_FAULT_TERMINATE, // SIGTERM
    LP_FAULT_HANG,      // SIGSTOP to all its processes; undo: SIGCONT
    LP_FAULT_RESTART,   // SIGTERM, then SIGKILL after its grace
    // Of a node.
    LP_FAULT_EXEC,      // any command in the node; undo: the command given for it
    LP_FAULT_CRASH,     // power off without warning; for a time: it stays off for that long
    LP_FAULT_SHUTDOWN,  // orderly; for a time: it stays off for that long
    LP_FAULT_REBOOT,    // orderly, and started again
    LP_FAULT_PAUSE,     // frozen, all of it; undo: thawed
    LP_FAULT_OOM,       // an application is killed for lack of memory
    LP_FAULT_CPU,       // other work on its processors
    LP_FAULT_MEMORY,    // other use of its memory
    LP_FAULT_DISK_LOAD, // other work on its disk
    LP_FAULT_PROCESSES, // its process table is filled
    // Of its network, one or both directions, with all peers or some.
    LP_FAULT_CUT,
    LP_FAULT_LOSS,
    LP_FAULT_DELAY,
    LP_FAULT_REORDER,
    LP_FAULT_DUPLICATE,
    LP_FAULT_CORRUPT,
    LP_FAULT_BANDWIDTH,
    LP_FAULT_DNS, // names do not resolve
    // Of its disk.
    LP_FAULT_DISK_FULL,
    LP_FAULT_READ_ONLY,
    LP_FAULT_DISK_SLOW,
    LP_FAULT_IO_ERROR,
    LP_FAULT_LOSE_WRITES, // what was not fsynced is gone when it is healed
    // Of time.
    LP_FAULT_CLOCK,
    // Of Limpet itself.
    LP_FAULT_DAEMON_KILL,
    LP_FAULT_DAEMON_STALL,
    LP_FAULT_KINDS
};

enum lp_fault_place { // what it can be aimed at
    LP_FAULT_OF_APP,
    LP_FAULT_OF_NODE,   // the node, or the host when it is aimed at "host"
    LP_FAULT_OF_VOLUME, // of a node
    LP_FAULT_OF_DAEMON,
};

enum lp_fault_direction { LP_FAULT_BOTH, LP_FAULT_IN, LP_FAULT_OUT };
enum lp_fault_distribution { LP_FAULT_UNIFORM, LP_FAULT_NORMAL };
#define LP_FAULT_FOREVER UINT32_MAX // as a duration: until somebody heals it

enum {
    LP_FAULT_IS_INSTANT = 1, // it happens and is over: there is nothing to undo
    LP_FAULT_HOLDS = 2,      // its node is not started while it lasts
    LP_FAULT_IS_OF_LIFE = 4, // what it does ends with the node's life
    LP_FAULT_ON_APP = 8,     // it needs a running application
};

struct lp_fault_spec {
    uint64_t bytes;    // MEMORY, DISK_FULL: to be left free; BANDWIDTH, DISK_SLOW: a second
    int64_t clock_ms;  // CLOCK: how far it jumps
    uint32_t kind;     // enum lp_fault_kind
    uint32_t permille; // LOSS, REORDER, DUPLICATE, CORRUPT, IO_ERROR: of what passes; CPU, MEMORY
    uint32_t delay_us, jitter_us; // DELAY, REORDER, DISK_SLOW
    uint32_t distribution;        // enum lp_fault_distribution: of the jitter
    uint32_t direction;           // enum lp_fault_direction
    uint32_t peer_service;        // id: only what goes to and from its nodes; LP_NONE: all peers
    uint32_t peer_node;           // id: only what goes to and from it; LP_NONE
    uint32_t network;             // index: only on this network; LP_NONE: on all
    int32_t drift_ppm;            // CLOCK: how much faster it goes
    uint32_t count;               // CPU, DISK_LOAD: workers; 0: one a processor
    uint32_t duration_ms;         // healed by itself after this; 0: nothing to heal
    uint32_t seed;                // of its chance
    uint32_t flags; // LP_FAULT_IS_INSTANT...: what the controller must know of the kind
};

extern const char *const lp_fault_words[LP_FAULT_KINDS]; // "delay", ...

// What is known of a kind.
struct lp_fault_about {
    const char *effect; // one sentence for --help and docs/faults.md
    enum lp_fault_place place;
    bool is_instant;  // it happens and is over: nothing is to be undone
    bool may_hold;    // given a time, the node is held down for it
    bool is_of_life;  // what it does ends with the node's life
    const char *undo; // one sentence
};
const struct lp_fault_about *lp_fault_about(enum lp_fault_kind kind); // of 1..LP_FAULT_KINDS-1

// A fault as a person writes it: its word, "--for" (NULL: the kind's default), and options by name
// ("delay" "100ms", "loss" "5%"). Fails with LP_EINPUT and the nearest right spelling. peers and
// network are names, looked up by whoever knows them; they are left LP_NONE.
LP_MUST_CHECK int lp_fault_parse(const char *word, const char *duration,
                                 const struct lp_pairs *options, struct lp_fault_spec *ret_spec,
                                 struct lp_err *err);
// Append the names of the options that the kind takes: "delay jitter distribution direction ...".
void lp_fault_options(enum lp_fault_kind kind, struct lp_str *ret_names);
// "delay 100ms +-10ms, out, peer db, for 30 s": for listings. as_asked: the request's own words,
// {"options": {"peer": "db"}}, which names are taken from; NULL: none.
void lp_fault_print(const struct lp_fault_spec *spec, const char *as_asked,
                    struct lp_str *ret_text);
