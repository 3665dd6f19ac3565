// The interface of the daemon as a function: a call comes in, an answer goes out. HTTP is
// server.c's; the routes are one table, which docs/openapi.yaml describes for people.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "model/descriptor.h"

struct lp_engine;
struct lp_metrics;

enum {
    LP_API_BODY_MAX = 80 * 1024 * 1024, // a descriptor of LP_CANONICAL_BYTES_MAX, with escapes
    LP_API_SMALL_BODY_MAX = 64 * 1024,  // of all other calls
    LP_API_WAIT_MAX_MS = 60 * 1000,
    LP_API_EVENTS_MAX = 5000, // at once
};

struct lp_api {
    struct lp_engine *engine;
    const struct lp_metrics *metrics;
    const char *root;
    int64_t since_ms; // when the daemon started
    bool is_ending;   // somebody asked it to end
};

struct lp_api_call {           // lent for the call of lp_api_answer
    const char *method, *path; // path without the query; not decoded yet
    struct lp_pairs query;     // decoded
    const char *body;
    size_t body_bytes;
};

struct lp_api_answer {
    unsigned status;
    struct lp_str body; // JSON
    char allow[32];     // with 405: the methods that the path has
    // Nothing has happened yet that the call asks for: ask again when the journal has grown, and
    // at now + wait_ms at the latest, when body is the answer. 0: body is the answer now.
    int64_t wait_ms;
};

// Answer. Cannot fail: errors are answers, {"error": word, "text": text}.
void lp_api_answer(struct lp_api *api, const struct lp_api_call *call,
                   struct lp_api_answer *ret_answer);
// How long a body this call may have; 0 when there is no such route.
size_t lp_api_body_max(const char *method, const char *path);
// An error as an answer; code is of enum lp_code.
void lp_api_refuse(struct lp_api_answer *answer, const struct lp_err *err);

// The routes, one by one: "GET" and "/v1/version". False past the last one.
bool lp_api_route(size_t index, const char **ret_method, const char **ret_path);
