// An experiment as a person names it: its file, read with the environment and --set, its mistakes
// told.
#pragma once

#include "model/experiment.h"

struct lp_cmd;

// Returns the exit status; mistakes are told, all of them. Everything lives in cmd's arena.
// ret_sha256: of the file's bytes; may be NULL.
// above: wins over --set; may be NULL.
LP_MUST_CHECK int lp_experiment_file_read(struct lp_cmd *cmd, const char *path,
                                          const struct lp_pairs *above,
                                          struct lp_experiment *ret_experiment,
                                          const char **ret_sha256);
// Whether all that it names is there: descriptors, nodes, services, figures. Mistakes are told, and
// the exit status is returned.
LP_MUST_CHECK int lp_experiment_names_check(struct lp_cmd *cmd, const char *path,
                                            const struct lp_experiment *experiment);
// The environment of what the experiment runs: this program's, --set, and `above` (may be NULL),
// the later ones winning; ended by NULL.
const char *const *lp_experiment_environment(struct lp_cmd *cmd, const struct lp_pairs *above);
