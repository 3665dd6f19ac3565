// A load: which requests are sent when, and which replies are good. Open loop: the times follow
// from the plan alone, so that a service that stalls cannot hide its stall by slowing the load.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/descriptor.h"
#include "model/limits.h"

struct lp_mistakes;
struct lp_reader;
struct lp_str;
struct lp_yaml_node;

struct lp_load_stage {                   // the rate goes evenly from one value to the other
    uint32_t from_permille, to_permille; // requests in 1000 s
    uint32_t for_ms;
};

struct lp_load_target {  // an address, or a service that lp_load_resolve finds one for
    const char *url;     // http://HOST[:PORT][/PATH]; NULL: not known yet
    const char *service; // NULL: there is none
    uint16_t port;       // of the service's nodes; 0: the only one that it publishes
    const char *path;    // "/..."
};

struct lp_load_statuses {
    uint16_t least, most;
};

struct lp_load_expect {
    struct lp_load_statuses statuses[LP_LOAD_STATUSES_MAX];
    size_t status_count;
    const char *contains; // NULL: any body
    const char *regex;    // POSIX extended; NULL: any body
};

struct lp_load_request {
    const char *method;
    struct lp_load_target target; // {{id}} in url, path, body and header values is the write's id
    struct lp_pairs headers;
    const char *body; // NULL: none
    uint32_t share;   // of all arrivals, against the other requests' shares
    struct lp_load_expect expect;
    bool is_read_back; // a write: once acknowledged, it is read back at the end
    struct lp_load_target read;
    struct lp_load_expect read_expect;
    uint32_t read_within_ms; // a read that does not find it is repeated so long
};

enum lp_load_profile { LP_LOAD_CONSTANT, LP_LOAD_PYRAMID, LP_LOAD_STEPS, LP_LOAD_PROFILES };

struct lp_load {
    enum lp_load_profile profile;
    struct lp_load_stage *stages;
    size_t stage_count;
    struct lp_load_request *requests;
    size_t request_count;
    uint32_t timeout_ms;       // of a request, from its scheduled time
    uint32_t delayed_after_ms; // a good reply later than this counts as delayed
    uint32_t connections;      // at most so many at a time
    uint32_t outstanding;      // at most so many requests under way or waiting for a connection
    bool is_keep_alive;
};

// Read `load:` of an experiment: puts mistakes into the reader's sink; *ret_load lives in its
// arena and is whole when none was put. Keys: docs/load.md.
void lp_parse_load(struct lp_reader *reader, struct lp_yaml_node *node, struct lp_load *ret_load);
// The same for a text of its own, with or without `load:` around it; nothing is interpolated.
// path: for messages. LP_EINPUT: mistakes has them all, and err the first.
LP_MUST_CHECK int lp_load_read(const char *path, const struct lp_str *text, struct lp_arena *arena,
                               struct lp_mistakes *ret_mistakes, struct lp_load *ret_load,
                               struct lp_err *err);
// Append as one line of JSON, every default filled in; lp_load_read reads it back.
void lp_load_print(const struct lp_load *load, struct lp_str *ret_text);

// What is asked: NULL, or what is wrong with a URL of a load.
const char *lp_load_url_fault(const char *url);
// Does a text have {{id}} in it?
bool lp_load_has_id(const char *text);
// A service that a target names was found at host:port (of this machine): write its url.
void lp_load_resolve(struct lp_load_target *target, const char *host, uint16_t port,
                     struct lp_arena *arena);

// Length of the whole plan, and how many requests it has. Source of the arithmetic: request k
// (from 0) is due when the integral of the rate reaches k; computed exactly in integers.
int64_t lp_load_span_us(const struct lp_load *load);
uint64_t lp_load_total(const struct lp_load *load);
// Rate at a time, requests in 1000 s; 0 outside the plan.
uint32_t lp_load_rate_permille(const struct lp_load *load, int64_t at_us);

struct lp_load_arrivals { // {.load = ...} begins before the first
    const struct lp_load *load;
    size_t stage;
    int64_t stage_us;   // where the stage begins
    uint64_t before[2]; // twice the integral up to there, in billionths: low, high half
    int64_t after_us;   // within the stage, not before this
    uint64_t next;      // number of the next request
};
// The time of the next request, from the start. false: there is none.
bool lp_load_next(struct lp_load_arrivals *arrivals, int64_t *ret_at_us);
// The order in which a round of arrivals sends the plan's requests, each as often as its share,
// spread evenly: turn j of a request with share s comes where (2j + 1) / s has its place. Returns
// the length of a round; arrival n sends ret_order[n % length].
size_t lp_load_round(const struct lp_load *load, uint8_t ret_order[LP_LOAD_SHARES_MAX]);
