// The page that `limpet log plot` writes: a log and a synthetic one, state over line.
#pragma once

#include "logs/logs.h"

struct lp_str;

struct lp_log_page {
    const char *title; // of the log
    const struct lp_log_states *states;
    const struct lp_log_lines *real, *synthetic;
    bool has_model;          // one of another log was walked over
    uint32_t similarity_ppm; // of the log's neighbours to those of the walk, or of that model
    const struct lp_log_verdict *verdicts; // marked and listed
    size_t verdict_count;
    const uint64_t *truth; // 1-based numbers of lines that are known to be damaged; marked
    size_t truth_count;
};
// One HTML file that needs nothing else: no network, no library.
// Source: S3, figures 1 and 2.
void lp_log_page_print(const struct lp_log_page *page, struct lp_str *ret_text);
