// The simulated people: what they want to run, and what they ask for. Their wishes are the judge's
// own record of what is wanted, kept apart from the controller's.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "model/fault.h"

struct lp_str;
struct lp_world;

enum { LP_PEOPLE_INFRAS = 2, LP_PEOPLE_SERVICES = 6 };

struct lp_wish_service {
    char name[16];
    uint32_t described;                  // replicas in the file
    uint32_t replicas;                   // wanted: as described, or as scaled by hand since
    uint32_t node_version, file_version; // a new one: new nodes, or new files
    int depends_on, observes;            // index of an earlier service; -1: none
    bool is_depend_healthy, has_check, has_setup, has_second_app, has_volume;
    uint32_t interval_s, retries, max_attempts, delay_ms, window_s;
    uint8_t restart; // enum lp_restart_condition
    uint8_t reload;  // enum lp_reload_kind
};

struct lp_wish {
    char name[16];
    bool is_wanted; // up, or on its way up
    uint32_t service_count;
    struct lp_wish_service services[LP_PEOPLE_SERVICES];
};

struct lp_people {
    struct lp_rng rng;
    struct lp_wish wishes[LP_PEOPLE_INFRAS]; // in force: the journal has them
    uint32_t infra_count;
};

void lp_people_init(struct lp_world *world);
void lp_people_ask(struct lp_world *world);        // something, by chance
void lp_people_change_all(struct lp_world *world); // each kind of change once: for sweeps
// One fault of this kind for two seconds, or one that is over at once: for sweeps.
void lp_people_break(struct lp_world *world, enum lp_fault_kind kind);
void lp_people_up(struct lp_world *world);    // whatever is down
void lp_people_down(struct lp_world *world);  // all of it
void lp_people_retry(struct lp_world *world); // restart what gave up
void lp_wish_print(const struct lp_wish *wish, struct lp_str *ret_yaml);
