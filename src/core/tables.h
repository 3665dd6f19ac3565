// The inside of the state: rows with their private fields, and how to reach them. Only the files
// of this floor include it. Everything is an index; the block can be copied and saved as bytes.
#pragma once

#include "base/rng.h"
#include "core/state.h"
#include "model/action.h"

struct lp_order_slot { // an order that was given and not answered yet
    uint64_t id;
    int64_t deadline_ms;
    uint8_t kind; // enum lp_action_kind; NONE: no order is out
    uint8_t tries;
    struct lp_because because;
};

enum lp_fix { // what the repair phase decided for a node
    LP_FIX_NONE,
    LP_FIX_FENCE, // kill it; it is started again once it is confirmed dead
};

enum lp_watch { LP_WATCH_NONE, LP_WATCH_READINESS, LP_WATCH_HEALTH };

// Two cache lines.
struct lp_app_inside {
    struct lp_app_row row;
    uint8_t watched_as; // enum lp_watch
    bool is_restart_asked, is_ever_ready, is_stop_ours;
    uint8_t fails;     // readings in a row
    uint8_t no_help;   // restarts in this node since it was last ready for a while
    uint32_t attempts; // failures since it was last good for as long as its window
    union {
        uint32_t next_free;   // block allocator, while nobody has the row
        uint32_t suspected_s; // latest suspicion of this run, seconds since 1970; 0: none
    };
    int64_t started_ms, ready_ms, next_try_ms;
    int64_t watch_due_ms;      // no reading by then: the sensor is ordered again; 0: it has spoken
    struct lp_because because; // of the next start
    struct lp_order_slot order;
};

// Four cache lines; what every event reads comes first.
struct lp_node_inside {
    struct lp_node_row row;
    uint32_t app_first;
    uint16_t app_count; // as of its life; the descriptor may have changed since
    uint8_t fix;        // enum lp_fix
    bool is_dirty, is_repairing, is_fresh_wanted, is_gave_up, is_restart_asked;
    bool has_root;        // something of it is on a host and must be removed in the end
    bool is_ever_healthy; // in this life
    bool is_ever_passed;  // its dependencies have let it start once
    bool is_changed_root; // has_root, of an older descriptor
    bool is_fix_ordered;  // its end is ours and a part of a repair
    bool is_started, is_published_up, is_published_good; // as counted and told
    uint16_t hold_count;                                 // faults that keep it from being started
    uint8_t replacements;                                // in the window of lives
    uint16_t fault_count;                                // faults aimed at it
    uint64_t node_hash;                                  // of the descriptor its life was made from
    uint64_t render_done;                                // version of its files in force
    struct lp_order_slot order, render;
    int64_t next_try_ms, mute_since_ms, healthy_since_ms, lives_start_ms;
    struct lp_because because; // of the next start
    uint64_t placed_bytes;     // reserved on its host
    uint32_t next, prev;       // of its service, by ordinal; free list
    uint32_t failed_lives;     // without having been healthy for a while
    uint32_t unused[5];
};

struct lp_brake { // many faults at once are repaired one at a time (core/diagnose.c)
    bool is_on;
    uint32_t fault_count, token_node;
    int64_t fault_start_ms, until_ms, token_until_ms;
};

struct lp_service_inside {
    struct lp_service_row row;
    uint32_t next, prev; // of its infrastructure
    uint32_t last_node;
    uint32_t app_want_first;
    uint16_t app_want_count;
    bool is_dirty, is_started, is_healthy, is_completed, is_changing;
    bool has_dependents, has_observers; // some service names this one, or did
    uint32_t started_count, completed_count;
    uint32_t by_hand;        // replicas set by hand, LP_NONE: none
    uint64_t render_version; // of its files, as wanted
    uint32_t render_reason;  // enum lp_reason: why it was raised last
    uint64_t files_hash;     // that render_version stands for
    uint32_t roll_node;      // being replaced now
    uint32_t wanted_count;   // of its nodes
    struct lp_brake brake;
};

struct lp_app_want_inside {
    struct lp_app_want want;
    uint32_t started, ready, done; // over the nodes of the service
    uint32_t next_free;
};

struct lp_infra_inside {
    struct lp_infra_row row;
    uint32_t first_service;
    uint32_t address_hint; // no address below 64 times this is free
    uint64_t networks_hash;
    bool is_network_stale;  // an order is out for networks that changed since
    bool is_dirty, is_open; // open: a change is being read, nothing is planned yet
    struct lp_order_slot network, publish;
    int64_t next_publish_ms, next_try_ms;
    uint32_t attempts;
    struct lp_because because;
};

enum { LP_IMAGE_ATTEMPTS_MAX = 3 };
enum lp_image_phase { LP_IMAGE_ABSENT, LP_IMAGE_ORDERED, LP_IMAGE_READY, LP_IMAGE_FAILED };
struct lp_image_inside {
    bool is_used, is_dirty, is_wanted;
    uint8_t phase;
    uint32_t attempts;
    uint64_t revision; // which image the slot stands for
    int64_t next_try_ms;
    struct lp_order_slot order;
};

struct lp_fault_inside { // a fault on purpose (core/faults.c)
    struct lp_fault_row row;
    bool is_dirty, is_heal_asked, is_failed;
    uint8_t unused[5]; // no byte is padding
    int64_t next_try_ms;
    struct lp_order_slot order;
};

struct lp_host {
    bool is_up;
    uint32_t node_count; // placed here
    uint64_t memory_bytes, used_bytes;
    struct lp_brake brake; // of what sensors alone say
};

// Timers: one for each row that may wait; a binary heap ordered by due time, then by id.
struct lp_timer {
    int64_t due_ms; // when it was last set
    uint32_t place; // 0: not in the heap, else its place + 1
    uint32_t unused;
};
struct lp_heap_entry { // the key stands in the heap: sifting touches nothing else
    int64_t due_ms;
    uint32_t timer, unused;
};
enum lp_timer_of { LP_TIMER_NODE, LP_TIMER_INFRA, LP_TIMER_IMAGE, LP_TIMER_FAULT, LP_TIMER_KINDS };

struct lp_blocks { // free blocks of rows, by their size
    uint32_t heads[LP_APPS_MAX + 1], top, capacity;
};

struct lp_state {
    uint64_t layout; // fingerprint of sizes and limits
    struct lp_limits limits;
    struct lp_rng rng;
    int64_t now_ms;
    uint64_t seq, actions; // of the event being folded; number of actions given so far
    bool is_synced;
    bool is_short; // some row found no room: it is tried again when a node goes
    uint32_t free_node;
    struct lp_blocks app_blocks, want_blocks;
    uint32_t timer_count, dirty_first, dirty_count; // ring of dirty nodes
    uint32_t dirty_infras, dirty_services, dirty_images,
        dirty_faults; // how many have their flag up
    // Where the tables begin, in bytes from the state.
    uint32_t faults_asked; // ever: the number of the last one
    bool are_faults_locked;
    uint64_t infras_at, services_at, nodes_at, apps_at, wants_at, images_at, hosts_at, faults_at;
    uint64_t heap_at, timers_at, ring_at;
    uint64_t rooms_at;     // a tournament of the hosts: who has the most room (core/schedule.c)
    uint64_t addresses_at; // a bit for each address index of each infrastructure: taken
};

struct lp_infra_inside *lp_infra_get(struct lp_state *s, uint32_t id);
struct lp_service_inside *lp_service_get(struct lp_state *s, uint32_t id);
struct lp_node_inside *lp_node_get(struct lp_state *s, uint32_t id);
struct lp_app_inside *lp_app_get(struct lp_state *s, const struct lp_node_inside *node,
                                 uint32_t app);
struct lp_app_want_inside *lp_want_get(struct lp_state *s, uint32_t service, uint32_t app);
struct lp_image_inside *lp_image_get(struct lp_state *s, uint32_t id);
struct lp_host *lp_host_get(struct lp_state *s, uint32_t id);
struct lp_fault_inside *lp_fault_get(struct lp_state *s, uint32_t id);

// Timers (core/timers.c). due INT64_MAX: none.
uint32_t lp_timer_id(const struct lp_state *s, enum lp_timer_of kind, uint32_t row);
void lp_timer_set(struct lp_state *s, uint32_t timer, int64_t due_ms);
int64_t lp_timer_next(const struct lp_state *s);
void lp_timers_expire(struct lp_state *s); // rows whose time has come become dirty

// Dirty rows are looked at before the step ends, or in the next one when the plan is full.
void lp_node_touch(struct lp_state *s, uint32_t node);
void lp_infra_touch(struct lp_state *s, uint32_t infra);
void lp_service_touch(struct lp_state *s, uint32_t service);
void lp_image_touch(struct lp_state *s, uint32_t image);
void lp_fault_touch(struct lp_state *s, uint32_t fault);
void lp_node_touch_faults(struct lp_state *s, uint32_t node);
void lp_service_touch_nodes(struct lp_state *s, uint32_t service);
void lp_infra_touch_nodes(struct lp_state *s, uint32_t infra);
void lp_image_touch_nodes(struct lp_state *s, uint32_t image);
uint32_t lp_dirty_node_take(struct lp_state *s); // LP_NONE: none

// Rows come and go (core/rows.c).
uint32_t lp_node_add(struct lp_state *s, uint32_t service); // LP_NONE: no room
void lp_node_remove(struct lp_state *s, uint32_t node);
bool lp_node_apps_resize(struct lp_state *s, uint32_t node, uint16_t count);
bool lp_service_wants_resize(struct lp_state *s, uint32_t service, uint16_t count);
void lp_service_link(struct lp_state *s, uint32_t service, uint32_t infra);
void lp_service_remove(struct lp_state *s, uint32_t service);

// Counts that depend on a node or an application (core/verdict.c): call around every change.
void lp_verdict_update(struct lp_state *s, uint32_t node);
void lp_want_recount(struct lp_state *s, uint32_t service); // after its list of wants changed
enum lp_node_verdict lp_verdict_of(struct lp_state *s, uint32_t node); // counted anew
void lp_app_phase_set(struct lp_state *s, uint32_t node, uint32_t app, enum lp_app_phase phase);
