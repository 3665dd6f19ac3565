// What the controller must know of a service, as numbers: the descriptor compiled for lp_step.
// Plain data of fixed size, so that an event can carry it and a snapshot can hold it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/descriptor.h"
#include "model/limits.h"

#define LP_NONE UINT32_MAX // no such id

struct lp_want_depend {
    uint32_t service;   // id
    uint16_t app;       // index in that service, or LP_WHOLE_SERVICE
    uint16_t condition; // enum lp_depend_condition
};
enum { LP_WHOLE_SERVICE = 0xffff };

struct lp_service_want {
    uint64_t node_hash;  // another hash: its nodes are replaced, one at a time
    uint64_t files_hash; // another hash: its nodes are rendered anew and reloaded
    uint64_t memory_bytes;
    uint32_t replicas;
    uint32_t image; // id
    uint32_t cpu_permille;
    uint32_t stop_grace_ms;
    uint16_t app_count;
    bool owns_state;
    uint8_t depend_count, observe_count, unused[3]; // no byte is padding: states are compared
    struct lp_want_depend depends[LP_DEPENDS_MAX];  // gate the start of a node
    uint32_t observes[LP_OBSERVES_MAX];             // services whose addresses its files mention
};

struct lp_app_want {
    uint8_t kind; // enum lp_app_kind
    uint8_t restart_condition;
    bool has_readiness, has_health; // a sensor is to be started
    uint8_t reload_kind;
    uint8_t depend_count, unused[2];
    uint32_t delay_ms, max_attempts, window_ms;
    uint32_t stop_grace_ms;
    uint32_t timeout_ms;      // SETUP
    uint32_t start_period_ms; // failures before this are not counted
    uint32_t retries;         // failures in a row that make a suspicion
    struct lp_want_depend depends[LP_DEPENDS_MAX];
};
