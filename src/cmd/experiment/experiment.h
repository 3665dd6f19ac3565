// The sub-verbs of `limpet experiment`, one file each.
#pragma once

#include <jansson.h>

#include "base/err.h"

struct lp_cmd;

// argv[0] is the sub-verb. Each returns the exit status.
int lp_experiment_run(struct lp_cmd *cmd, int argc, char **argv);
int lp_experiment_list(struct lp_cmd *cmd, int argc, char **argv);
int lp_experiment_check(struct lp_cmd *cmd, int argc, char **argv);
int lp_experiment_report(struct lp_cmd *cmd, int argc, char **argv);
int lp_experiment_show(struct lp_cmd *cmd, int argc, char **argv);
// A result as a journal of the Chaos Toolkit, with the whole of it as an extension.
// LP_EIO: the file.
LP_MUST_CHECK int lp_experiment_journal_write(const char *path, const char *source,
                                              const json_t *result, struct lp_err *err);
// The result at a .json file, in a folder or of an id (NULL: the latest), the caller's; NULL with
// cmd->err set when there is none or it is not one.
json_t *lp_experiment_result_read(struct lp_cmd *cmd, const char *text);
// Where results are kept: <root>/experiments; below the working folder when no Limpet lives there.
const char *lp_experiment_folder(const struct lp_cmd *cmd);
// What a person reads at the end: each run's load, and over repetitions the middle and its spread.
void lp_experiment_summary_print(struct lp_cmd *cmd, const json_t *result);
