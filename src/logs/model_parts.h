// What a model is made of, for the files of this floor that count and score.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "logs/counts.h"
#include "logs/logs.h"

struct lp_log_model {
    struct lp_log_states_config config;
    struct lp_log_states *states;
    struct lp_log_counts counts;
};

// The file's text: see model_file.c. text: emptied first.
void lp_log_model_print(const struct lp_log_model *model, struct lp_str *ret_text);
// LP_ECORRUPT says what is wrong, and where.
LP_MUST_CHECK int lp_log_model_parse(const char *bytes, size_t count,
                                     struct lp_log_model **ret_model, struct lp_err *err);
