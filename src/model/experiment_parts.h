// Shared by the files of the reader of experiments. Nobody else needs it.
#pragma once

#include "model/experiment.h"
#include "model/parse.h"

enum {
    LP_EXPERIMENT_EVERY_MS = 1000,
    LP_EXPERIMENT_TIMEOUT_MS = 5000,
    LP_EXPERIMENT_STEP_TIMEOUT_MS = 60 * 1000,
};

// A list that is not too long. what: what it holds, for the mistake.
bool lp_experiment_is_list(struct lp_reader *reader, const struct lp_yaml_node *node,
                           const char *what);
// A duration of at most a day; 0 after a mistake.
uint32_t lp_experiment_span_take(struct lp_reader *reader, struct lp_yaml_node *node);
// A list of checks, or of steps.
void lp_experiment_checks_read(struct lp_reader *reader, struct lp_yaml_node *node,
                               struct lp_experiment_checks *ret_checks);
void lp_experiment_steps_read(struct lp_reader *reader, struct lp_yaml_node *node,
                              struct lp_experiment_steps *ret_steps);
void lp_experiment_check_take(struct lp_reader *reader, struct lp_yaml_node *node,
                              struct lp_experiment_check *ret_check);
// What it is run on, and compared with (experiment_compare.c); into is an lp_experiment.
// A file, relative to the experiment's own, or a name; NULL after a mistake.
const char *lp_experiment_infrastructure_take(struct lp_reader *reader, struct lp_yaml_node *node);
void lp_experiment_requirements_read(struct lp_reader *reader, struct lp_yaml_node *node,
                                     struct lp_experiment_requirements *ret_requires);
void lp_experiment_compare_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into);
void lp_experiment_reference_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into);
// node: the list of references, all of it read.
void lp_experiment_references_check(struct lp_reader *reader, const struct lp_yaml_node *node,
                                    const struct lp_experiment *experiment);
// A file of the Chaos Toolkit; reader->input is the experiment's text.
void lp_experiment_chaos_read(struct lp_reader *reader, struct lp_yaml_node *root,
                              struct lp_experiment *ret_experiment);
void lp_experiment_activity_take(struct lp_reader *reader, struct lp_yaml_node *node,
                                 struct lp_experiment_activity *ret_activity);
// Replace ${NAME} and ${NAME:-default} in all scalars of the tree; $${ stands for ${. A name that
// is not set is a mistake, or with may_miss left as it is.
struct lp_experiment_variables {
    const struct lp_pairs *pairs; // the last of equal names wins; may be NULL
    bool may_miss;
};
void lp_experiment_substitute(struct lp_reader *reader, struct lp_yaml_node *node,
                              const struct lp_experiment_variables *variables);
// What was written, as JSON in the reader's arena.
const char *lp_experiment_source(struct lp_reader *reader, const struct lp_yaml_node *node);
const char *lp_experiment_regex_read(struct lp_reader *reader, struct lp_yaml_node *node);
bool lp_experiment_real_read(struct lp_reader *reader, struct lp_yaml_node *node,
                             double *ret_number);
// The one key of a mapping that says its kind: its place in words, or -1 with a mistake.
int lp_experiment_kind_find(struct lp_reader *reader, struct lp_yaml_node *node, const char *what,
                            const char *const *words, size_t count);
