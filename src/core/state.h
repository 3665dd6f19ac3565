// The controller's state: plain tables of rows, sized once, no pointers inside rows. The engine
// reads rows (for `ps`, names, rendering); only lp_step writes them.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/fault.h"
#include "model/want.h"

struct lp_state; // opaque block; see lp_state_bytes

struct lp_limits {
    uint32_t infras, services, nodes, apps, images, hosts;
};

enum lp_node_phase {  // what is known of the node in the world
    LP_NODE_UNKNOWN,  // the daemon started; no driver has spoken yet
    LP_NODE_ABSENT,   // nothing of it runs (its root may be kept)
    LP_NODE_STARTING, // ordered, no reply yet
    LP_NODE_UP,       // limpet-init answers
    LP_NODE_MUTE,     // runs, but limpet-init does not answer
    LP_NODE_STOPPING, // stop, fence or removal ordered, not confirmed yet
};

enum lp_app_phase {
    LP_APP_IDLE,     // not started in this life of the node
    LP_APP_STARTING, // ordered
    LP_APP_RUNNING,  // started, not ready yet
    LP_APP_READY,    // ready; healthy as far as known
    LP_APP_SUSPECT,  // its check failed often enough: a fault
    LP_APP_STOPPING,
    LP_APP_EXITED, // ended, will be started again when the back-off is over
    LP_APP_DONE,   // setup step done; or ended well and its policy lets it be
    LP_APP_GAVE_UP // budget spent
};

enum lp_node_verdict {  // what `ps` shows as health
    LP_VERDICT_WAITING, // for an image, a network, a dependency, a place
    LP_VERDICT_STARTING,
    LP_VERDICT_HEALTHY, // up, every application ready or done
    LP_VERDICT_UNHEALTHY,
    LP_VERDICT_REPAIRING,
    LP_VERDICT_STOPPING,
    LP_VERDICT_COMPLETED, // only setup steps or ended applications, all done
    LP_VERDICT_GAVE_UP,
};

struct lp_node_row {
    bool is_used;    // the slot is taken
    bool is_wanted;  // else: on its way out
    uint8_t phase;   // enum lp_node_phase
    uint8_t verdict; // enum lp_node_verdict; kept up to date by lp_step
    uint32_t infra, service, host;
    uint32_t ordinal;       // 1, 2, ...: "web-2"
    uint32_t address_index; // dense and unique in its infrastructure, from 0; stable for the row
    uint32_t incarnation;   // which life; grows by one with each START_NODE
    uint32_t restarts;      // of its applications and of itself, since the row was made
    int64_t since_ms;       // when verdict changed last
};

struct lp_app_row {
    uint8_t phase; // enum lp_app_phase
    uint32_t run;  // which start
    uint32_t restarts;
    int32_t status; // of the last exit
    int64_t since_ms;
};

struct lp_service_row {
    bool is_used, is_wanted, is_braked;
    uint32_t infra;
    uint32_t replicas; // wanted now (descriptor or scaled by hand)
    uint32_t node_count, healthy_count;
    uint32_t first_node; // its nodes: see lp_state_next_node
    struct lp_service_want want;
};

struct lp_infra_row {
    bool is_used, is_wanted;
    uint8_t network_phase;                 // 0 absent, 1 ordered, 2 ready, 3 being removed
    uint32_t node_count, healthy_count;    // healthy or completed
    uint64_t publish_wanted, publish_done; // versions of names and ports
};

enum lp_fault_phase {
    LP_FAULT_ASKED,     // not in the world yet, or in no life that still runs
    LP_FAULT_INJECTING, // ordered, no reply yet
    LP_FAULT_ACTIVE,    // its effect was seen
    LP_FAULT_HEALING,   // its undo is ordered
};

struct lp_fault_row {
    bool is_used;
    uint8_t phase;     // enum lp_fault_phase
    uint8_t unused[2]; // no byte is padding: states are compared
    uint32_t number;   // counts up over all faults ever asked for: "f7"
    uint32_t infra, service, node, app;
    uint32_t incarnation, run; // that it is, or is being, injected into; 0: none
    struct lp_fault_spec spec;
    int64_t asked_ms, active_ms, until_ms; // active_ms 0: not yet
};

size_t lp_state_bytes(const struct lp_limits *limits);
// memory: lp_state_bytes(limits) zeroed bytes, aligned to 16; the caller's. Contains no pointers:
// may be copied, saved and loaded as bytes (same program version and limits only; the header says
// both).
struct lp_state *lp_state_init(void *memory, const struct lp_limits *limits, uint64_t seed);
// Check that `bytes` at memory are a state of this layout and these limits; NULL if not.
struct lp_state *lp_state_from_bytes(void *memory, size_t bytes, const struct lp_limits *limits);

// A hint that costs no answer: the rows that an event about this node (LP_NONE: none) and its
// application will read are brought near. Call it for a coming event twice: some events ahead, and
// again a few later (is_near: now the node's own row can be read to find the others). Changes
// nothing; memory of 100,000 nodes does not fit a cache, and this hides most of its latency.
void lp_state_prefetch(const struct lp_state *state, uint32_t node, uint32_t app, bool is_near);

const struct lp_limits *lp_state_limits(const struct lp_state *state);
const struct lp_infra_row *lp_state_infra(const struct lp_state *state, uint32_t infra);
const struct lp_service_row *lp_state_service(const struct lp_state *state, uint32_t service);
const struct lp_node_row *lp_state_node(const struct lp_state *state, uint32_t node);
const struct lp_app_row *lp_state_app(const struct lp_state *state, uint32_t node, uint32_t app);
// When the latest suspicion of its present run came (ms since 1970, whole seconds); 0: none.
int64_t lp_state_app_suspected_ms(const struct lp_state *state, uint32_t node, uint32_t app);
const struct lp_app_want *lp_state_app_want(const struct lp_state *state, uint32_t service,
                                            uint32_t app);
const struct lp_fault_row *lp_state_fault(const struct lp_state *state, uint32_t fault);
bool lp_state_faults_are_locked(const struct lp_state *state);
uint32_t lp_state_faults_asked(const struct lp_state *state); // ever: the last one's number
// Walk the nodes of a service in ascending ordinal order: start with LP_NONE, ends with LP_NONE.
uint32_t lp_state_next_node(const struct lp_state *state, uint32_t service, uint32_t node);
// Does every wanted thing run as wanted, and nothing else? (LP_NONE: in every infrastructure.)
// Rows that gave up count as settled when may_have_given_up.
bool lp_state_is_settled(const struct lp_state *state, uint32_t infra, bool may_have_given_up);
const char *lp_node_phase_word(enum lp_node_phase phase);
const char *lp_app_phase_word(enum lp_app_phase phase);
const char *lp_fault_phase_word(enum lp_fault_phase phase);
const char *lp_verdict_word(enum lp_node_verdict verdict);
