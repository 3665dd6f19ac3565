// The plots of a run: drawn as SVG, step by step, in the colours of the page.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/experiment/experiment_report.h"

#include "cmd/client.h"
#include "cmd/table.h"
#include "base/own.h"
#include "base/str.h"

enum {
    WIDTH = 860, // of a plot that stands alone
    LEFT = 70,
    HEIGHT = 170,
    NARROW = 400, // narrower ones have fewer words
    RIGHT = 20,
    MARGIN = 10, // above the plot, beside the words of the marks
    BOTTOM = 30,
    WORDS = 14, // height of a line of words
    BINS_MAX = 400,
    BIN_WIDTH = 4, // at least, in a plot that has others beside it
    LOG_UNIT = 1024,
    SECOND_US = 1000000,
};

struct course { // of a load: its steps, or its seconds
    const json_t *rows;
    int64_t step_us, end_us; // end_us: of the plan
    size_t bin;              // steps that are drawn as one
};

struct plot {
    struct course course;
    const struct lp_plot_frame *frame;
    int64_t low, high;
    bool is_log;
};

struct bin { // some steps as one; latencies are the largest of them, -1: none
    int64_t from_us, to_us, offered, good, failed, p50_us, p99_us;
};

// 1024 * log2, straight between powers of two: good enough for an axis, and without libm.
static int64_t log_of(int64_t value)
{
    uint64_t number = value < 1 ? 1 : (uint64_t)value;
    int power = 63 - __builtin_clzll(number);
    return (int64_t)power * LOG_UNIT +
           (int64_t)(((double)number / (double)(UINT64_C(1) << power) - 1) * LOG_UNIT);
}

// Where the lowest value stands.
static int floor_of(const struct plot *plot)
{
    return plot->frame->top + plot->frame->height;
}

static double y_of(const struct plot *plot, int64_t value)
{
    int64_t low = plot->is_log ? log_of(plot->low) : plot->low;
    int64_t high = plot->is_log ? log_of(plot->high) : plot->high;
    int64_t at = plot->is_log ? log_of(value) : value;
    at = at < low ? low : at > high ? high : at;
    return floor_of(plot) -
           (double)(at - low) * plot->frame->height / (double)(high > low ? high - low : 1);
}

static double x_of(const struct plot *plot, int64_t at_us)
{
    double share = (double)at_us / (double)(plot->frame->span_us > 0 ? plot->frame->span_us : 1);
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    return plot->frame->left + share * (plot->frame->width - plot->frame->left - RIGHT);
}

static int64_t latency_of(const json_t *row, const char *key, int64_t most)
{
    const json_t *value = json_object_get(row, key);
    return json_is_integer(value) && json_integer_value(value) > most ? json_integer_value(value)
                                                                      : most;
}

// The file may say anything.
static int64_t count_of(const json_t *row, const char *key)
{
    int64_t count = lp_json_number(row, key);
    return count < 0 ? 0 : count > UINT32_MAX ? UINT32_MAX : count;
}

static struct bin bin_of(const struct course *course, size_t from)
{
    size_t count = json_array_size(course->rows);
    size_t to = count - from < course->bin ? count : from + course->bin;
    struct bin bin = {.from_us = (int64_t)from * course->step_us,
                      .to_us = (int64_t)to * course->step_us,
                      .p50_us = -1,
                      .p99_us = -1};
    for (size_t i = from; i < to; i++) {
        const json_t *row = json_array_get(course->rows, i);
        bin.offered += count_of(row, "offered");
        bin.good += count_of(row, "good");
        bin.failed += count_of(row, "failed");
        bin.p50_us = latency_of(row, "p50_us", bin.p50_us);
        bin.p99_us = latency_of(row, "p99_us", bin.p99_us);
    }
    // The plan ended within the last step: what there is came in the time until then.
    bool is_cut = to == count && course->end_us < bin.to_us &&
                  course->end_us - bin.from_us >= (bin.to_us - bin.from_us) / 4;
    if (is_cut)
        bin.to_us = course->end_us;
    return bin;
}

enum field { OFFERED, GOOD, FAILED, P50, P99 };

// Counts as so many a second.
static int64_t value_of(const struct bin *bin, enum field field)
{
    int64_t count = field == OFFERED ? bin->offered : field == GOOD ? bin->good : bin->failed;
    if (field == P50 || field == P99)
        return field == P50 ? bin->p50_us : bin->p99_us;
    return (int64_t)((double)count * SECOND_US / (double)(bin->to_us - bin->from_us) + 0.5);
}

static int64_t most_of(const struct course *course, enum field field)
{
    int64_t most = 0;
    for (size_t i = 0; i < json_array_size(course->rows); i += course->bin) {
        const struct bin bin = bin_of(course, i);
        int64_t value = value_of(&bin, field);
        most = value > most ? value : most;
    }
    return most;
}

static void line_add(const struct plot *plot, const struct course *course, enum field field,
                     const char *style, struct lp_str *out)
{
    bool is_down = false;
    lp_str_printf(out, "<path class=\"%s\" d=\"", style);
    for (size_t i = 0; i < json_array_size(course->rows); i += course->bin) {
        const struct bin bin = bin_of(course, i);
        int64_t value = value_of(&bin, field);
        if (value < 0) {
            is_down = false;
            continue;
        }
        lp_str_printf(out, "%s%.1f %.1fH%.1f", is_down ? "L" : "M", x_of(plot, bin.from_us),
                      y_of(plot, value), x_of(plot, bin.to_us));
        is_down = true;
    }
    lp_str_add(out, "\"/>\n");
}

static void latency_tick(struct lp_str *out, int64_t us)
{
    if (us < 1000)
        lp_str_printf(out, "%" PRId64 " µs", us);
    else if (us < SECOND_US)
        lp_str_printf(out, "%" PRId64 " ms", us / 1000);
    else
        lp_str_printf(out, "%" PRId64 " s", us / SECOND_US);
}

static void tick_add(const struct plot *plot, int64_t value, struct lp_str *out)
{
    double y = y_of(plot, value);
    lp_str_printf(out,
                  "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                  "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">",
                  plot->frame->left, plot->frame->width - RIGHT, y, y, plot->frame->left - 6,
                  y + 4);
    if (plot->is_log)
        latency_tick(out, value);
    else
        lp_str_printf(out, "%" PRId64, value);
    lp_str_add(out, "</text>\n");
}

int64_t lp_plot_round_up(int64_t value)
{
    static const int64_t parts[] = {1, 2, 5, 10};
    for (int64_t power = 1;; power *= 10)
        for (size_t i = 0; i < 4; i++)
            if (parts[i] * power >= value)
                return parts[i] * power;
}

// In the unit in which the numbers stay small.
static void times_add(const struct plot *plot, struct lp_str *out)
{
    bool is_long = plot->frame->span_us >= INT64_C(10800) * SECOND_US;
    bool is_short = plot->frame->span_us < INT64_C(600) * SECOND_US;
    int64_t unit_us = (is_long ? INT64_C(3600) : is_short ? 1 : 60) * SECOND_US;
    // Tenths of a unit, or whole ones from ten on.
    int64_t parts = plot->frame->width < NARROW ? 4 : 10;
    int64_t step_us = lp_plot_round_up((plot->frame->span_us * 10 / unit_us + parts - 1) / parts) *
                      (unit_us / 10);
    for (int64_t at = 0; at <= plot->frame->span_us; at += step_us)
        lp_str_printf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.*f %s</text>\n",
                      x_of(plot, at), floor_of(plot) + 18, step_us % unit_us ? 1 : 0,
                      (double)at / (double)unit_us,
                      is_long    ? "h"
                      : is_short ? "s"
                                 : "min");
}

// The step of an axis of counts up to most, in about five parts.
static int64_t count_step(int64_t most)
{
    return lp_plot_round_up((most + 4) / 5);
}

static void axes_add(const struct plot *plot, struct lp_str *out)
{
    if (plot->is_log)
        for (int64_t value = plot->low; value <= plot->high; value *= 10)
            tick_add(plot, value, out);
    else // a power of ten, or 2 or 5 of it: whole numbers
        for (int64_t value = 0, step = count_step(plot->high); value <= plot->high; value += step)
            tick_add(plot, value, out);
    times_add(plot, out);
}

static const struct {
    const char *key, *words;
} mark_parts[] = {{"fault_us", "fault"},
                  {"effect_us", "in effect"},
                  {"detected_us", "detected"},
                  {"repaired_us", "repaired"}};
enum { MARKS = sizeof(mark_parts) / sizeof(*mark_parts) };

// When it happened; -1: it did not, or before the load.
static int64_t mark_of(const json_t *marks, size_t i)
{
    const json_t *at = json_object_get(marks, mark_parts[i].key);
    return json_is_integer(at) && json_integer_value(at) >= 0 ? json_integer_value(at) : -1;
}

static int marks_height(const json_t *marks)
{
    int height = MARGIN;
    for (size_t i = 0; i < MARKS; i++)
        height += mark_of(marks, i) >= 0 ? WORDS : 0;
    return height;
}

static void marks_add(const struct plot *plot, const json_t *marks, struct lp_str *out)
{
    int y = 6;
    for (size_t i = 0; i < MARKS; i++) {
        int64_t at_us = mark_of(marks, i);
        if (at_us < 0)
            continue;
        double x = x_of(plot, at_us);
        bool is_right = x > plot->frame->width * 0.7;
        lp_str_printf(
            out,
            "<line class=\"mark %s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
            "<text class=\"%s\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s %.3f s</text>\n",
            mark_parts[i].key, x, x, y, floor_of(plot), mark_parts[i].key, is_right ? x - 4 : x + 4,
            y + 8, is_right ? "end" : "start", mark_parts[i].words, (double)at_us / SECOND_US);
        y += WORDS;
    }
}

// What the pointer reads over each step.
static void hover_add(const struct plot *plot, struct lp_str *out)
{
    const struct course *course = &plot->course;
    for (size_t i = 0; i < json_array_size(course->rows); i += course->bin) {
        const struct bin bin = bin_of(course, i);
        double x = x_of(plot, bin.from_us);
        lp_str_printf(out,
                      "<rect class=\"hover\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\">"
                      "<title>%.2f s to %.2f s: %lld offered, %lld good, %lld failed",
                      x, plot->frame->top, x_of(plot, bin.to_us) - x, plot->frame->height,
                      (double)bin.from_us / SECOND_US, (double)bin.to_us / SECOND_US,
                      (long long)bin.offered, (long long)bin.good, (long long)bin.failed);
        if (bin.p99_us >= 0)
            lp_str_printf(out, "; p50 %.2f ms, p99 %.2f ms", (double)bin.p50_us / 1e3,
                          (double)bin.p99_us / 1e3);
        lp_str_add(out, "</title></rect>\n");
    }
}

static void frame_begin(const struct plot *plot, const char *caption, const char *words,
                        struct lp_str *out)
{
    lp_str_add(out, "<figure><figcaption>");
    lp_html_add(out, caption);
    lp_str_printf(out, "</figcaption><svg role=\"img\" viewBox=\"0 0 %d %d\" aria-label=\"%s\">\n",
                  plot->frame->width, floor_of(plot) + BOTTOM, words);
}

static struct course course_of(const json_t *run, const struct lp_plot_frame *frame)
{
    const json_t *outcome = json_object_get(json_object_get(run, "load"), "outcome");
    const json_t *steps = json_object_get(outcome, "steps");
    int64_t step_us = lp_json_number(steps, "step_us");
    bool is_fine = step_us >= 1000 && step_us < SECOND_US;
    struct course course = {
        .rows = is_fine ? json_object_get(steps, "rows") : json_object_get(outcome, "series"),
        .step_us = is_fine ? step_us : SECOND_US,
        .end_us =
            lp_json_number(outcome, "end_us") > 0 ? lp_json_number(outcome, "end_us") : INT64_MAX,
    };
    size_t bins = frame->width < WIDTH ? (size_t)frame->width / BIN_WIDTH : BINS_MAX;
    course.bin = (json_array_size(course.rows) + bins - 1) / bins;
    course.bin = course.bin ? course.bin : 1;
    return course;
}

static int64_t span_of(const struct course *course)
{
    size_t count = json_array_size(course->rows);
    return count ? bin_of(course, (count - 1) / course->bin * course->bin).to_us : 0;
}

void lp_plot_legend(bool has_reference, bool is_latency, struct lp_str *out)
{
    lp_str_add(out, "<p class=\"legend\">");
    lp_str_add(out, is_latency
                        ? "<i class=\"good\"></i> p50 <i class=\"p99\"></i> p99"
                        : "<i class=\"good\"></i> good replies <i class=\"failed\"></i> failed "
                          "<i class=\"offered\"></i> offered");
    if (has_reference)
        lp_str_add(out, is_latency ? " <i class=\"reference\"></i> p50 of the reference run"
                                   : " <i class=\"reference\"></i> the reference run, without "
                                     "fault");
    lp_str_add(out, "</p>\n");
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

bool lp_plot_frame_widen(const json_t *run, struct lp_plot_frame *frame)
{
    const struct course course = course_of(run, frame);
    int top = marks_height(json_object_get(json_object_get(run, "load"), "marks"));
    if (!json_array_size(course.rows))
        return false;
    frame->span_us = larger(frame->span_us, span_of(&course));
    frame->replies_most = larger(frame->replies_most, most_of(&course, OFFERED));
    frame->replies_most = larger(frame->replies_most, most_of(&course, GOOD));
    frame->latency_most_us = larger(frame->latency_most_us, most_of(&course, P99));
    frame->top = top > frame->top ? top : frame->top;
    return true;
}

static struct plot plot_of(const struct lp_plot_what *what, const struct lp_plot_frame *frame)
{
    return (struct plot){.course = course_of(what->run, frame), .frame = frame};
}

static void end_add(const struct plot *plot, const struct lp_plot_what *what, struct lp_str *out)
{
    marks_add(plot, json_object_get(json_object_get(what->run, "load"), "marks"), out);
    hover_add(plot, out);
    lp_str_add(out, "</svg></figure>\n");
}

void lp_plot_throughput(const struct lp_plot_what *what, const struct lp_plot_frame *frame,
                        struct lp_str *out)
{
    struct plot plot = plot_of(what, frame);
    const struct course behind = course_of(what->reference, frame);
    int64_t most = larger(frame->replies_most, 1), step = count_step(most);
    plot.high = (most + step - 1) / step * step;
    frame_begin(&plot, what->caption,
                "Good and failed replies over the time of the load, beside what was offered", out);
    axes_add(&plot, out);
    if (behind.rows)
        line_add(&plot, &behind, GOOD, "reference", out);
    line_add(&plot, &plot.course, OFFERED, "offered", out);
    line_add(&plot, &plot.course, FAILED, "failed", out);
    line_add(&plot, &plot.course, GOOD, "good", out);
    end_add(&plot, what, out);
}

void lp_plot_latency(const struct lp_plot_what *what, const struct lp_plot_frame *frame,
                     struct lp_str *out)
{
    struct plot plot = plot_of(what, frame);
    const struct course behind = course_of(what->reference, frame);
    plot.is_log = true, plot.low = 100, plot.high = 10000;
    while (plot.high < frame->latency_most_us && plot.high < INT64_MAX / 1000)
        plot.high *= 10;
    frame_begin(&plot, what->caption,
                "The median and the 99th percentile of the latency over the time of the load", out);
    axes_add(&plot, out);
    if (behind.rows)
        line_add(&plot, &behind, P50, "reference", out);
    line_add(&plot, &plot.course, P99, "p99", out);
    line_add(&plot, &plot.course, P50, "good", out);
    end_add(&plot, what, out);
}

void lp_plot_load(const json_t *run, const json_t *reference, struct lp_str *out)
{
    struct lp_plot_frame frame = {.width = WIDTH, .left = LEFT, .height = HEIGHT};
    struct lp_plot_what what = {run, reference, "Throughput, replies a second"};
    if (!lp_plot_frame_widen(run, &frame))
        return;
    int top = frame.top;
    if (reference)
        (void)lp_plot_frame_widen(reference, &frame);
    frame.top = top;
    lp_plot_throughput(&what, &frame, out);
    lp_plot_legend(reference != NULL, false, out);
    what.caption = "Latency of good replies, from the scheduled time";
    lp_plot_latency(&what, &frame, out);
    lp_plot_legend(reference != NULL, true, out);
}
