// JSONPath, as far as experiments use it.
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

// What path finds in value, as an array (the caller's). "$.a.b[0]", "a.b", "$['a b']",
// "$.list[*].x", "$.*", "$..name", "[-1]", "$.list[?(@.x >= 5)].y", "$.list.*[?(@.x)]".
// LP_EINPUT: anything else, such as a slice.
LP_MUST_CHECK int lp_json_path(const json_t *value, const char *path, json_t **ret_matches,
                               struct lp_err *err);
// The same value; 2 and 2.0 are.
bool lp_json_same(const json_t *a, const json_t *b);
