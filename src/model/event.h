// An event: a fact that happened. The journal is a sequence of these; lp_step folds them.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "model/action.h"
#include "model/fault.h"
#include "model/want.h"

struct lp_str;

enum lp_event_kind {
    LP_EVENT_NONE,
    // The daemon's own life.
    LP_EVENT_DAEMON_STARTED, // what was seen is unknown again until the drivers have spoken
    LP_EVENT_DRIVERS_SYNCED, // every driver has told what exists; what was not told does not
    LP_EVENT_TICK,           // plan.wake_at_ms came
    // What people want. Ids are table slots chosen by the engine.
    LP_EVENT_INFRA_SET,   // infra (descriptor in text), .revision: fingerprint of its networks
    LP_EVENT_IMAGE_SET,   // image in .image (hash in text); .revision: another one is another image
    LP_EVENT_SERVICE_SET, // infra, service, .service (name in text); replaces an earlier one
    LP_EVENT_APP_SET,     // infra, service, app, .app (name in text); follow their SERVICE_SET
    LP_EVENT_SERVICE_UNSET, // infra, service: its nodes are to go
    LP_EVENT_INFRA_APPLIED, // infra: the change is complete; may be acted on. .revision
    LP_EVENT_INFRA_UNSET,   // infra: all of it is to go (down)
    LP_EVENT_SCALE_SET,     // service, .replicas: by hand, until the next INFRA_APPLIED changes it
    LP_EVENT_RESTART_ASKED, // node, app or LP_NONE for the node itself
    // Faults on purpose (core/faults.c). fault: table slot; .revision: its number, for people.
    LP_EVENT_FAULT_ASKED,   // fault, .fault_spec, infra, service, node, app or LP_NONE; text: as
                            // asked
    LP_EVENT_HEAL_ASKED,    // fault: undo it now
    LP_EVENT_FAULTS_LOCKED, // .is_ok: all faults are undone and new ones barred, until it is false
    LP_EVENT_FAULT_ACTIVE,  // fault, incarnation, .run: its effect was seen; text says what
    LP_EVENT_FAULT_FAILED,  // fault: could not be injected; text. It is healed all the same
    LP_EVENT_FAULT_HEALED,  // fault: undone, nothing of it is left
    // Hosts. Host 0 is this machine.
    LP_EVENT_HOST_UP,   // host, .host
    LP_EVENT_HOST_DEAD, // host, confirmed: nothing of it runs any more
    // Images and networks.
    LP_EVENT_IMAGE_READY,    // .image
    LP_EVENT_IMAGE_FAILED,   // .image; text says why
    LP_EVENT_IMAGE_PROGRESS, // .image; text says what is being done; changes nothing
    LP_EVENT_NETWORK_READY,  // infra
    LP_EVENT_NETWORK_FAILED, // infra; text
    LP_EVENT_NETWORK_GONE,   // infra: removed, nothing left
    LP_EVENT_PUBLISHED,      // infra, .revision: names and ports of that version are in force
    // Nodes. incarnation says which life of the node is meant; other lives are ignored.
    LP_EVENT_NODE_UP,     // node, incarnation: limpet-init answers. Also sent for adopted nodes
    LP_EVENT_NODE_FAILED, // node, incarnation: could not be started, nothing of it runs; text
    LP_EVENT_NODE_DEAD, // node, incarnation: confirmed dead (status, .is_oom), root kept; text: why
                        // Limpet had to end it
    LP_EVENT_NODE_MUTE, // node, incarnation: runs, but limpet-init does not answer
    LP_EVENT_NODE_GONE, // node, incarnation: confirmed dead and its objects removed
    LP_EVENT_RENDERED,  // node, incarnation, .revision: files of that version are in force
    // Applications.
    LP_EVENT_APP_STARTED, // node, app, incarnation, .run; also sent for adopted ones
    LP_EVENT_APP_EXITED,  // node, app, incarnation, .run; status, .is_oom. SETUP: 0 is done
    LP_EVENT_APP_FAILED,  // node, app, incarnation, .run: could not be started; text
    // Sensors. Sent when the answer differs from the one before, and for every failure.
    LP_EVENT_READING, // node, app, incarnation, .run, .is_ok; text says what was seen
    // What a sensor beside the checks holds against an application (its log, say): a doubt, never
    // a fault by itself. Node, app, incarnation, .run; text says what was odd.
    LP_EVENT_SUSPICION,
    LP_EVENT_KINDS
};

enum { LP_STATUS_UNKNOWN = -1 }; // it ended while nobody looked

struct lp_host_facts {
    uint64_t memory_bytes;
    uint32_t cpu_permille;
};

struct lp_event {
    uint64_t seq;  // place in the journal; 0 before it has one
    int64_t at_ms; // since 1970; never decreases along the journal
    enum lp_event_kind kind;
    uint32_t infra, service, node, app, host; // ids; LP_NONE where not meant
    uint32_t incarnation;
    uint32_t image;
    uint32_t fault;
    uint32_t run;   // which start of the application is meant, counted per node
    int32_t status; // exit status: 0..255 exit code, 256 + signal when killed, LP_STATUS_UNKNOWN
    uint32_t replicas;
    uint64_t revision;
    bool is_oom, is_ok, is_forced;
    union {
        struct lp_service_want service_want; // SERVICE_SET
        struct lp_app_want app_want;         // APP_SET
        struct lp_host_facts host_facts;     // HOST_UP
        struct lp_fault_spec fault_spec;     // FAULT_ASKED
    };
    const char *text; // for people, or NULL; lent. lp_step never reads it
};

// All ids LP_NONE, the rest zero.
void lp_event_init(struct lp_event *event, enum lp_event_kind kind);
// An event about what an action is about: all its ids, its incarnation, run and revision.
void lp_event_reply(struct lp_event *event, enum lp_event_kind kind,
                    const struct lp_action *action);
// The event that tells of an action's success; LP_EVENT_NONE: it has no reply.
enum lp_event_kind lp_event_of_success(enum lp_action_kind action);
const char *lp_event_word(enum lp_event_kind kind); // "node-up", ...
// One line of JSON without newline; only the fields that this kind has.
void lp_event_print(const struct lp_event *event, struct lp_str *ret_text);
// The reverse. text of the event lives in arena.
LP_MUST_CHECK int lp_event_parse(const char *json, size_t bytes, struct lp_arena *arena,
                                 struct lp_event *ret_event, struct lp_err *err);
