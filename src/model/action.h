// An action: an order to the outside, with the reason for it. A plan: the actions of one step.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "model/want.h"

struct lp_str;

enum lp_action_kind {
    LP_ACTION_NONE,
    LP_ACTION_ENSURE_IMAGE,   // image                 -> IMAGE_READY | IMAGE_FAILED
    LP_ACTION_ENSURE_NETWORK, // infra                 -> NETWORK_READY | NETWORK_FAILED
    LP_ACTION_REMOVE_NETWORK, // infra                 -> NETWORK_GONE
    LP_ACTION_PUBLISH,        // infra, revision       -> PUBLISHED
    LP_ACTION_START_NODE,     // node, incarnation     -> NODE_UP | NODE_FAILED
    LP_ACTION_STOP_NODE,      // node, incarnation, grace_ms, then kill -> NODE_DEAD; root kept
    LP_ACTION_FENCE_NODE,     // node, incarnation: kill at once -> NODE_DEAD; root kept
    LP_ACTION_REMOVE_NODE,    // node, incarnation: kill if need be, remove all -> NODE_GONE
    LP_ACTION_RENDER,         // node, incarnation, revision: files anew, reload -> RENDERED
    LP_ACTION_START_APP,      // node, app, incarnation, run -> APP_STARTED | APP_FAILED
    LP_ACTION_STOP_APP,       // node, app, incarnation, run, grace_ms -> APP_EXITED
    LP_ACTION_KILL_APP,       // the same with SIGKILL at once
    LP_ACTION_WATCH,          // node, app, incarnation, run: sensor on -> READING...
    LP_ACTION_UNWATCH,        // node, app: sensor off; no reply
    LP_ACTION_INJECT_FAULT,   // fault, node, app, incarnation, run -> FAULT_ACTIVE | FAULT_FAILED
    LP_ACTION_HEAL_FAULT,     // fault: undo what is there, if anything -> FAULT_HEALED
    LP_ACTION_KINDS
};

// Why. Printed as a sentence by lp_because_print.
enum lp_reason {
    LP_REASON_NONE,
    LP_REASON_WANTED,            // the descriptor wants it and it is not there
    LP_REASON_NOT_WANTED,        // it is there and nobody wants it
    LP_REASON_CHANGED,           // the descriptor changed
    LP_REASON_SCALED,            // the number of replicas changed
    LP_REASON_ASKED,             // a person asked for it
    LP_REASON_DEPENDENCY_READY,  // what it waited for is there
    LP_REASON_APP_EXITED,        // the application ended; a = status
    LP_REASON_APP_HUNG,          // alive but a = failures in a row of its check
    LP_REASON_APP_SUSPECTED,     // the same, fewer of them, as another sensor doubts it, too
    LP_REASON_APP_START_FAILED,  // could not be started
    LP_REASON_OOM,               // killed for lack of memory
    LP_REASON_NODE_DEAD,         // the node ended; a = status
    LP_REASON_NODE_MUTE,         // limpet-init does not answer
    LP_REASON_NODE_START_FAILED, // a = attempts so far
    LP_REASON_RESTARTS_NO_HELP,  // a restarts in the same node did not help: replace it
    LP_REASON_HOST_DEAD,
    LP_REASON_NO_REPLY,        // the action was begun before and nothing was heard for a ms
    LP_REASON_ADDRESS_CHANGED, // an observed service has other nodes or addresses
    LP_REASON_FENCE_FIRST,     // a new life may only begin once the old one is confirmed dead
    LP_REASON_DONE,            // a setup step or job has ended well
    LP_REASON_NODE_VANISHED,   // it was not there any more when the drivers looked
    LP_REASON_FAULT_OVER,      // the time of a fault on purpose is over
    LP_REASON_FAULT_FAILED,    // it could not be injected: whatever may be left is undone
    LP_REASON_FAULT_GONE,      // its target goes, or is gone
    LP_REASONS
};

struct lp_because {
    uint32_t reason;    // enum lp_reason; as wide as `a`, so that no byte is padding: states are
                        // compared as bytes
    uint32_t a;         // see lp_reason
    uint64_t event_seq; // the event that led here; 0 for none
};

struct lp_action {
    uint64_t id; // the same order keeps its id when it is begun again
    enum lp_action_kind kind;
    uint32_t infra, service, node, app, host, image, fault; // ids; LP_NONE where not meant
    uint32_t incarnation, run, grace_ms;
    uint64_t revision;
    struct lp_because because;
};

struct lp_plan {        // the caller's; lp_step fills it from the start
    int64_t wake_at_ms; // step again (TICK) at this time at the latest; INT64_MAX: no need
    size_t count, capacity;
    struct lp_action *actions; // full: the rest follows in the next step, wake_at_ms is now
};

// An action about nothing yet: all ids LP_NONE.
static inline struct lp_action lp_action_new(enum lp_action_kind kind, struct lp_because because)
{
    return (struct lp_action){.kind = kind,
                              .infra = LP_NONE,
                              .service = LP_NONE,
                              .node = LP_NONE,
                              .app = LP_NONE,
                              .host = LP_NONE,
                              .image = LP_NONE,
                              .fault = LP_NONE,
                              .because = because};
}

const char *lp_action_word(enum lp_action_kind kind); // "start-node", ...
const char *lp_reason_word(enum lp_reason reason);    // "app-exited", ...
// A clause that follows "because": "it exited with code 1".
void lp_because_print(const struct lp_because *because, struct lp_str *ret_text);
void lp_action_print(const struct lp_action *action, struct lp_str *ret_text); // JSON, one line
LP_MUST_CHECK int lp_action_parse(const char *json, size_t bytes, struct lp_action *ret_action,
                                  struct lp_err *err);
