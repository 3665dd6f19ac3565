// Linux capabilities by name, as sets of bits.
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "model/descriptor.h"

struct lp_str;

// What a node has unless it says otherwise: the set that container tools have settled on.
uint64_t lp_caps_default(void);
uint64_t lp_caps_all(void); // all that this kernel has and this process may give
// Apply cap_drop, then cap_add ("NET_ADMIN", "CAP_NET_ADMIN", any case, "ALL").
// LP_EINPUT: an unknown name, with the nearest right one.
LP_MUST_CHECK int lp_caps_change(uint64_t *caps, const struct lp_texts *add,
                                 const struct lp_texts *drop, struct lp_err *err);
void lp_caps_print(uint64_t caps, struct lp_str *ret_json); // ["CAP_CHOWN",...]
int lp_caps_has(uint64_t caps, const char *name);           // name without CAP_
