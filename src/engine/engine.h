// The engine: the loop that journals, steps and acts; the only place where deciding (core) and
// doing (drivers) meet. One thread. The simulator runs this very code with its own store, clock
// and drivers.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/state.h"
#include "engine/store.h"
#include "model/driver.h"

struct lp_str;
struct lp_engine;

struct lp_clock {                           // milliseconds
    int64_t (*wall_ms)(void *context);      // since 1970; may be set: a step is worked off slowly
    int64_t (*monotonic_ms)(void *context); // since some moment; runs evenly
    void *context;
};

struct lp_engine_config {
    const char *root;        // folder; only passed to drivers and used for secrets
    const char *root_id;     // mark
    struct lp_limits limits; // 0s: defaults of limits.h
    struct lp_store store;   // taken over: closed with the engine
    struct lp_clock clock;
    const struct lp_driver *const *drivers; // lent for the engine's life
    size_t driver_count;
    uint64_t seed;
    struct lp_host_facts host; // of host 0, this machine; memory_bytes 0: the drivers tell of hosts
};

// Open: load the snapshot, replay the tail, open the drivers, journal DAEMON_STARTED.
LP_MUST_CHECK int lp_engine_open(const struct lp_engine_config *config,
                                 struct lp_engine **ret_engine, struct lp_err *err);
// Nodes keep running. Flushes what is not yet journaled; a crash is the same without the flush.
void lp_engine_close(struct lp_engine *engine);
void lp_engine_abandon(struct lp_engine *engine); // the simulator's kill -9: no flush, no save

// One turn: collect from every driver, append, step, begin. Fails only when the journal does
// (LP_EIO: kept and tried again at the next tick; requests are refused meanwhile).
LP_MUST_CHECK int lp_engine_tick(struct lp_engine *engine, struct lp_err *err);
int64_t lp_engine_wake_at_ms(const struct lp_engine *engine); // tick again then at the latest
// The fds to wait on, -1 ones left out; returns the count (at most capacity).
size_t lp_engine_wait_fds(const struct lp_engine *engine, int *ret_fds, size_t capacity);
int64_t lp_engine_now_ms(const struct lp_engine *engine);
// How far the machine's clock of the day is ahead of the engine's time: steps not yet worked off.
int64_t lp_engine_hidden_ms(const struct lp_engine *engine);
const struct lp_state *lp_engine_state(const struct lp_engine *engine);
uint64_t lp_engine_last_seq(const struct lp_engine *engine);
bool lp_engine_is_synced(const struct lp_engine *engine); // every driver has spoken since open
// Hear of every action in the moment before it is begun. subject: as in the journal; lent.
typedef void (*lp_engine_watcher)(void *context, const struct lp_action *action,
                                  const char *subject);
void lp_engine_watch(struct lp_engine *engine, lp_engine_watcher watch, void *context);

// Requests (engine/request.c). Each appends to the journal before it returns 0; refused whole
// otherwise. descriptor text: lp_descriptor_print's, with the secrets' contents beside it (name ->
// content).
LP_MUST_CHECK int lp_request_apply(struct lp_engine *engine, const char *descriptor, size_t bytes,
                                   const struct lp_pairs *secrets, struct lp_err *err);
LP_MUST_CHECK int lp_request_down(struct lp_engine *engine, const char *infra, bool with_volumes,
                                  struct lp_err *err);
LP_MUST_CHECK int lp_request_scale(struct lp_engine *engine, const char *infra, const char *service,
                                   uint32_t replicas, struct lp_err *err);
// target: "db-1" (the node), "db-1/mariadb" (an application), "db" (all its nodes).
LP_MUST_CHECK int lp_request_restart(struct lp_engine *engine, const char *infra,
                                     const char *target, struct lp_err *err);
enum { LP_SUSPICION_TEXT_MAX = 2000 };
// A sensor beside the checks doubts an application ("db-1/mariadb"); text (at most
// LP_SUSPICION_TEXT_MAX characters, for people) says why. One a second and application is kept, the
// others say the same. LP_ENOTFOUND, LP_EINPUT.
LP_MUST_CHECK int lp_request_suspicion(struct lp_engine *engine, const char *infra,
                                       const char *target, const char *text, struct lp_err *err);

// Faults on purpose (engine/request_fault.c).
struct lp_fault_ask {
    const char *infra; // NULL with the targets "host" and "limpet"
    const char
        *target; // "db-1", "db-1/mariadb", "db" (see select), "network:back", "host", "limpet"
    const char *fault;    // "delay"
    const char *duration; // "30s", "ever", or NULL: the kind's default
    const char *select;   // of a service: "one" (NULL, too), "all", "2", "50%"
    struct lp_pairs options;
};
// {"faults":["f7",...],"journal_seq":n}
LP_MUST_CHECK int lp_request_fault(struct lp_engine *engine, const struct lp_fault_ask *ask,
                                   struct lp_str *ret_json, struct lp_err *err);
// what: "f7", "all", "host", or a target; the same JSON.
LP_MUST_CHECK int lp_request_heal(struct lp_engine *engine, const char *infra, const char *what,
                                  struct lp_str *ret_json, struct lp_err *err);
LP_MUST_CHECK int lp_request_faults_lock(struct lp_engine *engine, bool is_locked,
                                         struct lp_err *err);

// Views (engine/view*.c): JSON for the API and the verbs; keys documented in docs/openapi.yaml.
// infra NULL: all. A NULL infra with a node name that exists in several infrastructures is
// LP_ECONFLICT.
LP_MUST_CHECK int lp_view_infras(struct lp_engine *engine, const char *infra,
                                 struct lp_str *ret_json, struct lp_err *err);
//  [{"infrastructure","state","services","nodes","healthy","wanted","network","since",
//    "is_settled","trouble"}]
LP_MUST_CHECK int lp_view_nodes(struct lp_engine *engine, const char *infra,
                                struct lp_str *ret_json, struct lp_err *err);
//  [{"infrastructure","service","node","runtime","state","health","address","addresses":{net:ip},
//    "image","restarts","since","incarnation","waits_for","applications":[{"name","state",
//    "restarts","status","since"}]}]
LP_MUST_CHECK int lp_view_services(struct lp_engine *engine, const char *infra,
                                   struct lp_str *ret_json, struct lp_err *err);
//  [{"infrastructure","service","wanted","nodes","healthy","image","image_hash",
//    "ports":["127.0.0.1:80->80"],"unpublished":[]}]
LP_MUST_CHECK int lp_view_faults(struct lp_engine *engine, const char *infra,
                                 struct lp_str *ret_json, struct lp_err *err);
//  {"locked","faults":[{"fault":"f7","infrastructure","application","kind","says","phase","asked",
//    "active","until","as_asked":{"target","options":{}}}]}
struct lp_view_query {
    const char *infra, *node; // NULL: all; node needs infra
    uint64_t after;           // records behind this one, the first ones; 0: the last ones
    size_t limit;
    bool is_told_only; // without the records that have no sentence; limit counts those with one
};
// Records of the journal, oldest first; subject starts with "infra/node".
//  {"events":[{"seq","at","record":"event"|"action","kind","subject","sentence","body":{}}],
//   "next":seq}
LP_MUST_CHECK int lp_view_events(struct lp_engine *engine, const struct lp_view_query *asked,
                                 struct lp_str *ret_json, struct lp_err *err);
// The story of a node: {"node","state","health","sentences":[{"at","seq","text"}],"summary"}
LP_MUST_CHECK int lp_view_why(struct lp_engine *engine, const char *infra, const char *node,
                              struct lp_str *ret_json, struct lp_err *err);
// What `up` with this descriptor would do:
// {"infrastructure","steps":[{"action","subject","because","sentence"}]}
LP_MUST_CHECK int lp_view_plan(struct lp_engine *engine, const char *descriptor, size_t bytes,
                               struct lp_str *ret_json, struct lp_err *err);
// What the live controller would do if: "node db-1 lost", "app db-1/mariadb exited 1",
// "app db-1/mariadb hung", "host local lost". Same JSON, each step with "at_ms" from now.
LP_MUST_CHECK int lp_view_plan_if(struct lp_engine *engine, const char *infra, const char *what,
                                  struct lp_str *ret_json, struct lp_err *err);
