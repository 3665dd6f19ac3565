// The lists that are made in files of their own.
#pragma once

#include "logs/judge.h"
#include "logs/logs.h"
#include "logs/sequence.h"

// S3's scores: the model's counts alone.
void lp_log_rank_s3(const struct lp_log_model *model, const struct lp_log_sequences *sequences,
                    enum lp_log_list list, struct lp_log_top *top);
// In the order of the lines, each judged by what was before it.
void lp_log_rank_streaming(const struct lp_log_model *model, const struct lp_log_lines *lines,
                           const struct lp_log_rank_config *config, struct lp_log_top *top);
