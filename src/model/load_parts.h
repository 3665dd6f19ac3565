// Shared by the two halves of the reader of a load. Nobody else needs it.
#pragma once

#include "model/load.h"
#include "model/parse.h"

struct lp_load_draft {
    struct lp_load *load;
    struct lp_load_request *request; // the one that the keys are about
    struct lp_load_target *target;
    struct lp_load_expect *expect;
};

// The keys of one request; into is a draft. The last one, share, makes sense among several only.
extern const struct lp_key lp_load_request_keys[];
extern const size_t lp_load_request_key_count;

// Defaults into request, which the draft is about from here on.
void lp_load_request_begin(struct lp_load_draft *draft, struct lp_load_request *request);
// What only the whole request shows to be wrong.
void lp_load_request_end(struct lp_reader *reader, const struct lp_yaml_node *node,
                         struct lp_load_request *request);
// `requests:`, a list; into is a draft.
void lp_load_requests_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into);
// A duration of at most a day.
bool lp_load_span_parse(struct lp_reader *reader, struct lp_yaml_node *node, uint32_t *ret_ms);
// One status, or a list of them: 200, 2xx, 200-299.
void lp_load_statuses_parse(struct lp_reader *reader, struct lp_yaml_node *node,
                            struct lp_load_statuses ret_statuses[LP_LOAD_STATUSES_MAX],
                            size_t *ret_count);
