// The figures of a load, for people and as JSON (docs/load.md).
#pragma once

#include "core/outcome.h"
#include "drivers/load/load_file.h"

struct lp_cmd;
struct lp_str;

// Count the figures of a load. marks may be NULL: there was no fault.
void lp_load_outcome(const struct lp_load_data *data, const struct lp_outcome_marks *marks,
                     struct lp_outcome *ret_outcome);
// When what was offered ended: the plan's length, or the last arrival of a load that was stopped.
int64_t lp_load_end_us(const struct lp_load_data *data);
// Append what a person reads, several lines.
void lp_outcome_print(struct lp_cmd *cmd, const struct lp_load_data *data,
                      const struct lp_outcome *outcome, struct lp_str *ret_text);
// Append one JSON object without a newline; with has_series, its second by second, too.
void lp_outcome_print_json(const struct lp_load_data *data, const struct lp_outcome *outcome,
                           bool has_series, struct lp_str *ret_text);
