// The simulated world: what really runs, as opposed to what the controller believes. Shared by the
// files of the simulator only.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"
#include "core/state.h"
#include "engine/engine.h"
#include "model/driver.h"
#include "sim/people.h"
#include "sim/queue.h"
#include "sim/sim.h"

enum {
    LP_SIM_APPS_MAX = 6,
    LP_SIM_HOSTS_MAX = 16,
    LP_SIM_IMAGES_MAX = 32,
    LP_SIM_LINES = 30,                 // of the trace, kept for a failure
    LP_SIM_SETTLE_MS = 30 * 60 * 1000, // after faults stop, wanted equals seen within this
};

// Which fault is on, and how strongly: chances in permille, delays in milliseconds.
struct lp_faults {
    uint32_t reply_lost, reply_twice, late_ms;
    uint32_t log_doubts, sensor_lies, start_fails, app_start_fails, app_fails_early, order_refused;
    uint32_t slow_ms;     // added to starts and stops
    uint32_t disk_full;   // an append is refused
    uint32_t daemon_dies; // at a write or between two orders
    uint32_t image_fails, network_fails;
    int64_t break_every_ms; // something that runs breaks about so often; 0: never
};

enum lp_app_life { LP_APP_NEVER, LP_APP_COMING, LP_APP_ALIVE, LP_APP_OVER };

struct lp_world_app {
    uint8_t life; // enum lp_app_life, of run
    bool is_setup, is_done_mark, is_hung, is_oom, has_check;
    bool is_watched, has_reading, last_reading;
    uint32_t run, watch_run, interval_ms;
    uint32_t doubted_run; // of which a bad reading was told
    uint32_t failures;
    int32_t status;
    uint64_t serial;        // of this run
    uint64_t watch_serial;  // of this sensor
    int64_t started_ms[24]; // the last starts, for the budget
    uint32_t starts;
    uint32_t max_attempts, window_ms;
    uint8_t restart; // enum lp_restart_condition
};

enum lp_life_phase { LP_LIFE_DEAD, LP_LIFE_COMING, LP_LIFE_UP };

struct lp_life { // what exists of a node: its root, and perhaps a process
    bool is_there;
    uint8_t phase; // enum lp_life_phase
    bool is_mute, is_oom;
    uint32_t incarnation, host, infra, app_count;
    uint64_t serial;
    int32_t status;
    uint32_t address;
    int64_t last_mail_ms; // what is told of one node arrives in order
    char infra_name[64], service[64], name[72];
    char file[512]; // its rendered config, as far as this
    struct lp_world_app apps[LP_SIM_APPS_MAX];
};

struct lp_world_infra {
    bool has_network;
    uint64_t published;
    char name[64];
    struct lp_str names; // of the last PUBLISH: "db-1=10.1.0.2 ..." in the order given
    int64_t last_mail_ms;
    int64_t busy_ms; // its driver does one thing after the other
};

struct lp_world_host {
    bool is_dead;
    uint64_t serial;
};

struct lp_world_fault { // one that INJECT_FAULT has left in the world; number 0: none
    uint64_t number;
    uint32_t kind, node, app, incarnation, run;
    bool is_half_done; // its command did not come to its end
};

struct lp_world_store {        // the disk under the journal
    struct lp_record *records; // those behind `trimmed`; texts on the heap
    size_t count, capacity;
    uint64_t trimmed, last_seq;
    int64_t last_at_ms;
    char *snapshot;
    size_t snapshot_count;
    uint64_t snapshot_seq;
    struct lp_state *shadow; // the fold of what is stored, from the beginning
    void *shadow_memory;
};

struct lp_world_clock {
    struct lp_rng rng;
    bool is_set;      // in this world somebody sets the clock of the day
    int64_t ahead_ms; // of the even one
};

struct lp_world {
    struct lp_sim_config config;
    struct lp_sim_report *report;
    struct lp_rng rng;
    int64_t now_ms, start_ms, end_ms;
    struct lp_world_clock clock;
    struct lp_queue queue;
    struct lp_limits limits;
    struct lp_world_store store;
    struct lp_engine *engine; // NULL: the daemon is down
    uint64_t daemon;          // which life of the daemon; mail for earlier ones is lost
    bool is_dying;            // the daemon dies as soon as it comes back from its call
    bool is_calm;             // no new faults
    bool is_telling;          // the drivers open: what is told now arrives at once, in order, at
    int64_t tell_at_ms;       // this time
    uint64_t serials;
    struct lp_life *lives;         // [limits.nodes]
    char (*services)[64];          // [limits.services]: their names, as the journal has them
    struct lp_world_infra *infras; // [limits.infras]
    struct lp_world_host hosts[LP_SIM_HOSTS_MAX];
    char images[LP_SIM_IMAGES_MAX][65]; // hashes of those that are complete
    size_t image_count;
    struct lp_faults faults;
    struct lp_world_fault faults_out[LP_FAULTS_MAX];
    struct lp_event **mail; // has arrived, not collected yet
    size_t mail_count, mail_capacity;
    struct lp_people people;
    int64_t reopen_ms;  // the daemon starts again
    int64_t retry_ms;   // the journal could not be written: the loop waits so long
    uint64_t chaos;     // which phase of faults; what was planned in an earlier one does not happen
    uint64_t judged;    // turns of the loop
    uint64_t ticks_now; // turns of the loop at this very millisecond
    uint64_t started_ever[LP_PEOPLE_INFRAS][LP_PEOPLE_SERVICES]; // nodes that came up
    char lines[LP_SIM_LINES][240];                               // the last lines of the trace
    uint64_t line_count;
    int64_t minute;
    uint64_t minute_orders;
    bool has_given_up; // some node had, when the judge looked last
    bool is_broken;    // a law
    char verdict[1024];
};

// world.c
void lp_world_init(struct lp_world *world, const struct lp_sim_config *config,
                   struct lp_sim_report *report);
void lp_world_release(struct lp_world *world);
// One line of the trace; goes into the hash.
void lp_world_say(struct lp_world *world, const char *fmt, ...) LP_PRINTF(2, 3);
// A law is broken: the first one is kept, the run ends.
void lp_world_accuse(struct lp_world *world, const char *law, const char *fmt, ...) LP_PRINTF(3, 4);
bool lp_world_chance(struct lp_world *world, uint32_t permille);
// Even in [least, most].
int64_t lp_world_between(struct lp_world *world, int64_t least, int64_t most);
void lp_world_later(struct lp_world *world, int64_t delay_ms, struct lp_happening happening);
// Tell the controller. is_reply: may be lost; what is not a reply may only be late.
void lp_world_tell(struct lp_world *world, const struct lp_event *event, bool is_reply);
// The life of this incarnation, or NULL.
// "s0-1": of the row that the controller has under this id.
void lp_world_add_node_name(const struct lp_world *world, uint32_t node, struct lp_str *ret_text);
struct lp_life *lp_world_find_life(struct lp_world *world, uint32_t node, uint32_t incarnation);
void lp_world_crash(struct lp_world *world, const char *where);

// world_store.c
struct lp_store lp_world_store_open(struct lp_world *world);
void lp_world_store_init(struct lp_world *world);
void lp_world_store_release(struct lp_world *world);
// The last words behind `after`: does the store have a record of this word there?
bool lp_world_store_has(const struct lp_world *world, uint64_t after, const char *word);

// world_driver.c
extern const struct lp_driver *const lp_world_drivers[];
extern const size_t lp_world_driver_count;
void lp_world_driver_use(struct lp_world *world); // whom the next open is for

// world_node.c, world_app.c, world_place.c: begin an order.
void lp_world_begin_node(struct lp_world *world, const struct lp_order *order);
void lp_world_begin_app(struct lp_world *world, const struct lp_order *order);
void lp_world_begin_place(struct lp_world *world, const struct lp_order *order);
void lp_world_begin_fault(struct lp_world *world, const struct lp_order *order);
// Is a fault in the world that the controller has no row for? It would stay for ever.
bool lp_world_has_stray_fault(struct lp_world *world, struct lp_str *ret_why);
void lp_world_life_up(struct lp_world *world, uint32_t node);
void lp_world_root_lose(struct lp_world *world, uint32_t node);
void lp_world_life_end(struct lp_world *world, uint32_t node, int32_t status, bool is_oom);
void lp_world_app_end(struct lp_world *world, uint32_t node, uint32_t app, int32_t status);
void lp_world_tell_life(struct lp_world *world, uint32_t node);
void lp_world_tell_apps(struct lp_world *world, uint32_t node);
void lp_world_tell_places(struct lp_world *world);
void lp_world_watches_forget(struct lp_world *world);

// world_clock.c
void lp_world_clock_init(struct lp_world *world);
struct lp_clock lp_world_clock(struct lp_world *world); // as the engine reads it

// chaos.c
void lp_chaos_start(struct lp_world *world);
void lp_chaos_stop(struct lp_world *world); // calm; dead hosts come back

// judge.c
void lp_judge_order(struct lp_world *world, const struct lp_order *order); // before it is begun
void lp_judge_step(struct lp_world *world); // after each turn of the loop
// Is the world as people want it? When not, why is written to ret_why.
bool lp_judge_is_settled(struct lp_world *world, bool may_have_given_up, struct lp_str *ret_why);
size_t lp_judge_first_difference(const void *a, const void *b, size_t bytes);
void lp_judge_forgive(struct lp_world *world); // a person restarts: budgets begin anew
void lp_judge_empty(struct lp_world *world);   // after down: nothing is left
