// What a report is made of: results of experiments, their runs in groups, and each group's figures.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct lp_cmd;
struct lp_str;

enum lp_report_unit { LP_REPORT_COUNT, LP_REPORT_PPM, LP_REPORT_US };

struct lp_report_figure {
    const char *name;  // as in the JSON of the report
    const char *path;  // in the outcome of a load; parts are separated by a slash
    const char *mark;  // of a run without load: the mark it is counted to, from the fault; or NULL
    const char *label; // for people
    enum lp_report_unit unit;
};
extern const struct lp_report_figure lp_report_figures[];
extern const size_t lp_report_figure_count;
// NULL: there is none of that name.
const struct lp_report_figure *lp_report_figure_find(const char *name);

// The figure of one run. Returns false when it did not happen or is not known.
bool lp_report_value(const json_t *run, const struct lp_report_figure *figure, int64_t *ret_value);
// The report of results (an array of what docs/experiment-result.md describes), as
// docs/experiment-report.md describes it; the caller's.
json_t *lp_report_make(const json_t *results);
// Append a value as people read it: "99.500 %", "1.204 s", "17"; "-" when it is null or absent.
// is_change: with its sign.
void lp_report_value_print(const json_t *value, enum lp_report_unit unit, bool is_change,
                           struct lp_str *out);
// In which all numbers of a column or row are written, so that they can be compared.
struct lp_report_scale {
    double divisor;
    int decimals;
    const char *unit; // "" for counts
};
// The scale for values up to `most`.
struct lp_report_scale lp_report_scale_of(enum lp_report_unit unit, int64_t most);
// Append "1,749", "0.340"; with is_change "+0.340" or a minus sign (not a hyphen), and "0" plain.
void lp_report_number_print(const struct lp_report_scale *scale, int64_t value, bool is_change,
                            struct lp_str *out);
// Append what stands beside a figure of others: "22.100 s (of b)", or that it was not measured.
void lp_report_ours_print(const json_t *reference, struct lp_str *out);
// Print what a person reads.
void lp_report_print(struct lp_cmd *cmd, const json_t *report);
// Append the page: one HTML file that needs nothing else. All text of the results is escaped.
void lp_report_page(const json_t *results, const json_t *report, struct lp_str *out);

// What the status of a guard means: a guard that passed has ended the run.
const char *lp_report_guard_word(const char *status);
// Append text for HTML, inside an element or a quoted attribute. Control characters, and what is
// not UTF-8, become U+FFFD.
void lp_html_add(struct lp_str *out, const char *text);
// What a plot has in common with those beside it.
struct lp_plot_frame {
    int width, left, height; // of the drawing, of what stands left of it, of the plot; units of SVG
    int top;                 // room above for the words of marks
    int64_t span_us, replies_most, latency_most_us; // that its axes must hold
};
struct lp_plot_what {
    const json_t *run, *reference; // reference: a run with a load to draw behind it; NULL
    const char *caption;
};
// Make the frame hold the run's load, too. Returns false when there is none.
bool lp_plot_frame_widen(const json_t *run, struct lp_plot_frame *frame);
// Append one plot, in a frame that was widened by the run.
void lp_plot_throughput(const struct lp_plot_what *what, const struct lp_plot_frame *frame,
                        struct lp_str *out);
void lp_plot_latency(const struct lp_plot_what *what, const struct lp_plot_frame *frame,
                     struct lp_str *out);
void lp_plot_legend(bool has_reference, bool is_latency, struct lp_str *out);
// 1, 2 or 5 times a power of ten, the least that is not below value.
int64_t lp_plot_round_up(int64_t value);
// Append both plots of a run with a load, each with its legend; and (experiment_time_line.c) the
// time line of a run. reference: as above.
void lp_plot_load(const json_t *run, const json_t *reference, struct lp_str *out);
void lp_plot_time_line(const json_t *run, struct lp_str *out);

// Append variants and results side by side: the plots of one run of each, and all their figures
// with the differences from the first (experiment_beside.c). Nothing when there are no two.
void lp_report_beside(const json_t *results, const json_t *report, const json_t *reference,
                      struct lp_str *out);
