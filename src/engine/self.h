// The engine's inside, shared by the files of this floor only.
#pragma once

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "core/step.h"
#include "engine/catalog.h"
#include "engine/engine.h"
#include "engine/steady.h"

struct lp_engine {
    struct lp_inbox inbox; // first: the driver's inbox is the engine itself
    struct lp_engine_config config;
    struct lp_limits limits;
    void *state_memory;
    struct lp_state *state;
    struct lp_catalog catalog;
    void **driver_selves; // [config.driver_count]
    size_t synced_count;
    bool is_synced; // DRIVERS_SYNCED is on its way to the journal or there
    uint64_t last_seq, saved_seq;
    struct lp_steady steady; // the machine's clocks, as one time
    int64_t last_at_ms, wake_at_ms;
    // Events collected and not journaled yet; texts in pending_arena.
    struct lp_event *pending;
    size_t pending_count, pending_capacity;
    struct lp_arena pending_arena;
    // Records of actions that were begun and are written with the next append.
    struct lp_record *notes;
    size_t note_count, note_capacity;
    struct lp_arena note_arena;
    const char *applied_name; // of the infrastructure whose descriptor is being journaled
    const struct lp_pairs *applied_secrets; // that came with it; may be NULL
    const char *foreseen_root; // foresight, which has no root, tells secrets apart as this one does
    struct lp_action *plan_actions;
    lp_engine_watcher watch; // of what is begun; may be NULL
    void *watch_context;
};

enum { LP_PENDING_MAX = 200 * 1000, LP_SNAPSHOT_EVERY = 20 * 1000 };

// Put an event at the end of the queue; text is copied.
void lp_engine_put(struct lp_engine *engine, const struct lp_event *event);
// Journal these events in one append, fold them, and begin what the plans say. On LP_EIO nothing
// was changed. at_ms and seq of the events are written.
LP_MUST_CHECK int lp_engine_submit(struct lp_engine *engine, struct lp_event *events, size_t count,
                                   struct lp_err *err);
// Write the records of actions that wait for the next append.
LP_MUST_CHECK int lp_engine_flush(struct lp_engine *engine, struct lp_err *err);
// Build the order for an action and give it to the drivers (engine/begin.c).
void lp_engine_begin(struct lp_engine *engine, const struct lp_action *action);
// engine/snapshot.c
LP_MUST_CHECK int lp_engine_save(struct lp_engine *engine, struct lp_err *err);
void lp_engine_snapshot(const struct lp_engine *engine, struct lp_str *ret_bytes);
LP_MUST_CHECK int lp_engine_restore(struct lp_engine *engine, const void *bytes, size_t count,
                                    struct lp_err *err);
// Memory for state, tables and catalog; nothing opened.
struct lp_engine *lp_engine_new(const struct lp_engine_config *config);
void lp_engine_free(struct lp_engine *engine);
