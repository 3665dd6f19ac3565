// Variables in a text, as the Compose Specification defines them: $V ${V} ${V:-default}
// ${V-default} ${V:?error} ${V?error} ${V:+other} ${V+other}, nested, and $$ for a dollar sign.
// Stricter than Compose in one point: a variable that is not set and has no default is refused.
#pragma once

#include <stddef.h>

#include "model/descriptor.h"

struct lp_str;

struct lp_interpolation {
    const struct lp_pairs *environment; // may be NULL
    size_t max_bytes;                   // of the result
    size_t dollar; // on failure: which dollar sign of the text, from 0, the mistake is at
};

// Append the expanded text. LP_EINPUT, or LP_EFULL past max_bytes.
LP_MUST_CHECK int lp_interpolate(struct lp_interpolation *how, const char *text,
                                 struct lp_str *ret_text, struct lp_err *err);
// NULL when it is not set. The last of equal keys counts.
const char *lp_pairs_find(const struct lp_pairs *pairs, const char *key);
