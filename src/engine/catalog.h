// The catalog: the names and texts behind the controller's numbers. Like the state it is a fold
// of the journal: lp_catalog_fold takes the same events as lp_step, and reads what that ignores.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "core/state.h"
#include "model/descriptor.h"
#include "model/event.h"

struct lp_catalog_version { // one descriptor as it was applied
    struct lp_catalog_version *next;
    struct lp_arena arena;
    const struct lp_descriptor *descriptor;
    const char *text; // canonical
};

struct lp_catalog_infra {
    char name[LP_NAME_BYTES_MAX + 1];   // "" when the slot was never used
    struct lp_catalog_version *version; // NULL once it is gone
    bool with_volumes;                  // going down, and its volumes go too
    struct lp_str trouble; // ports that are not published, and why; "": none. Not in snapshots:
                           // every start of the daemon publishes anew
};

struct lp_catalog_service {
    char name[LP_NAME_BYTES_MAX + 1];
    uint32_t infra;
    struct lp_catalog_version *version; // NULL after a restart while it is on its way out
    const struct lp_service *service;   // in version; NULL together with it
};

struct lp_catalog_image {
    char hash[65];
};

struct lp_catalog_fault {
    char *text; // as asked: struct lp_order, fault_text; NULL when the slot was never used
};

struct lp_catalog {
    struct lp_limits limits;
    struct lp_catalog_infra *infras;     // [limits.infras]
    struct lp_catalog_service *services; // [limits.services]
    struct lp_catalog_image *images;     // [limits.images]
    struct lp_catalog_fault *faults;     // [LP_FAULTS_MAX]
    struct lp_catalog_version *versions; // all that are alive
};

void lp_catalog_init(struct lp_catalog *catalog, const struct lp_limits *limits);
void lp_catalog_release(struct lp_catalog *catalog);
// Fails only on a descriptor text that does not parse (LP_ECORRUPT): it was checked before.
LP_MUST_CHECK int lp_catalog_fold(struct lp_catalog *catalog, const struct lp_event *event,
                                  struct lp_err *err);
// Drop the versions that no row of the state needs any more.
void lp_catalog_sweep(struct lp_catalog *catalog, const struct lp_state *state);

// LP_NONE when absent; only what is in use counts.
uint32_t lp_catalog_find_infra(const struct lp_catalog *catalog, const struct lp_state *state,
                               const char *name);
uint32_t lp_catalog_find_service(const struct lp_catalog *catalog, const struct lp_state *state,
                                 uint32_t infra, const char *name);
// "db-1" -> node id.
uint32_t lp_catalog_find_node(const struct lp_catalog *catalog, const struct lp_state *state,
                              uint32_t infra, const char *name);
const struct lp_image *lp_catalog_find_image(const struct lp_catalog *catalog, uint32_t image);
// The application's descriptor; NULL when unknown.
const struct lp_app *lp_catalog_find_app(const struct lp_catalog *catalog, uint32_t service,
                                         uint32_t app);
// Append "db-1", and "infra/node/app" as far as given (LP_NONE: not).
void lp_catalog_add_node_name(const struct lp_catalog *catalog, const struct lp_state *state,
                              uint32_t node, struct lp_str *ret_text);
struct lp_subject {
    uint32_t infra, service, node, app;
};
void lp_catalog_add_subject(const struct lp_catalog *catalog, const struct lp_state *state,
                            const struct lp_subject *subject, struct lp_str *ret_text);

// The catalog as JSON, for the snapshot, and back into a fresh catalog.
void lp_catalog_print(const struct lp_catalog *catalog, const struct lp_state *state,
                      struct lp_str *ret_text);
LP_MUST_CHECK int lp_catalog_load(struct lp_catalog *catalog, const char *json, size_t bytes,
                                  struct lp_err *err);
