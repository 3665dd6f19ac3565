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
LP_MUST_CHECK int lp_secrets_remove(const char *root, const char *infra, struct lp_err *err);
