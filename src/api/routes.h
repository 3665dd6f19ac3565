// The routes of the HTTP interface: what each path and method does. Described by
// docs/openapi.yaml; a test holds the two against each other.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "engine/engine.h"

struct lp_metrics;

struct lp_api { // what handlers work on
    struct lp_engine *engine;
    const struct lp_metrics *metrics;
    bool is_shutdown_asked;
};

struct lp_call {           // one request, parsed
    const char *path_name; // the part of the path that a route's {name} stands for; or NULL
    const json_t *body;    // an object, or NULL
    // A query parameter; NULL when it is not given.
    const char *(*query)(const struct lp_call *call, const char *name);
    void *connection;
};

struct lp_route {
    const char *method, *path; // path may hold one "{name}"
    // Append the JSON reply; 0 or LP_E...
    int (*run)(struct lp_api *api, const struct lp_call *call, struct lp_str *reply,
               struct lp_err *err);
    bool has_body, may_wait; // may_wait: GET that is held back until something is new (wait_ms)
};

extern const struct lp_route lp_routes[];
extern const size_t lp_route_count;

// NULL when no route has that path; *ret_is_other_method tells whether another method would do.
// *ret_name: the value of {name}, lent from path.
const struct lp_route *lp_route_find(const char *method, const char *path, const char **ret_name,
                                     bool *ret_is_other_method);
unsigned lp_route_status(int code);                                  // HTTP status of an LP_E...
void lp_route_error(const struct lp_err *err, struct lp_str *reply); // {"error":..,"text":..}
