// Contents of secrets that came with a request: kept in files that only root reads, never in the
// journal.
#pragma once

#include "base/err.h"
#include "model/descriptor.h"

struct lp_str;

// root NULL (a simulated world): nothing is kept, find gives "".
LP_MUST_CHECK int lp_secrets_keep(const char *root, const char *infra,
                                  const struct lp_pairs *secrets, struct lp_err *err);
// Append the secret's content: from its file, or as kept.
LP_MUST_CHECK int lp_secrets_read(const char *root, const char *infra,
                                  const struct lp_secret *secret, struct lp_str *ret_text,
                                  struct lp_err *err);
// What tells one content from another in the journal without telling the content: a hash keyed with
// random bytes that only this root has. given (may be NULL): contents that are about to be kept.
// 0: nothing can be read, or root is NULL.
uint64_t lp_secrets_fingerprint(const char *root, const char *infra, const struct lp_secret *secret,
                                const struct lp_pairs *given);
LP_MUST_CHECK int lp_secrets_remove(const char *root, const char *infra, struct lp_err *err);
