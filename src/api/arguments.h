// What a call carries, read by a table: from the path, the query or a JSON body.
#pragma once

#include <jansson.h>

#include "api/api.h"
#include "base/arena.h"

struct lp_api_arguments { // NULL, 0, false: not given
    const char *infrastructure, *node, *service, *target, *condition, *because;
    const char *fault, *duration, *select;
    const char *descriptor; // canonical text
    size_t descriptor_bytes;
    struct lp_pairs secrets, options;
    uint64_t after, limit, wait_ms, replicas;
    bool is_locked, is_told, with_volumes, has_after;
};

enum lp_api_kind {
    LP_API_TEXT,
    LP_API_NUMBER,
    LP_API_FLAG,
    LP_API_DESCRIPTOR, // a text, or an object; to descriptor
    LP_API_PAIRS,      // an object of texts
};

struct lp_api_field {
    const char *name;
    enum lp_api_kind kind;
    bool is_needed;
    size_t at;     // its offset in struct lp_api_arguments
    uint64_t most; // NUMBER
};

// Fields are ended by one without a name. LP_EINPUT: a field is unknown (err names the nearest),
// missing or not of its kind. Texts live in arena.
LP_MUST_CHECK int lp_api_read_query(const struct lp_api_field *fields, const struct lp_pairs *query,
                                    struct lp_arena *arena, struct lp_api_arguments *arguments,
                                    struct lp_err *err);
LP_MUST_CHECK int lp_api_read_body(const struct lp_api_field *fields,
                                   const struct lp_api_call *call, struct lp_arena *arena,
                                   struct lp_api_arguments *arguments, struct lp_err *err);
