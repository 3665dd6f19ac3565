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
    LEFT = 70,
    RIGHT = 20,
    MARGIN = 10, // above the plot, beside the words of the marks
    WIDTH = 860,
    HEIGHT = 170,
    BOTTOM = 30,
    WORDS = 14, // height of a line of words
    BINS_MAX = 400,
    GRID = 4,
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
    int64_t span_us; // of the widest course in the plot
    int top;
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

static double y_of(const struct plot *plot, int64_t value)
{
    int64_t low = plot->is_log ? log_of(plot->low) : plot->low;
    int64_t high = plot->is_log ? log_of(plot->high) : plot->high;
    int64_t at = plot->is_log ? log_of(value) : value;
    at = at < low ? low : at > high ? high : at;
    return plot->top + HEIGHT - (double)(at - low) * HEIGHT / (double)(high > low ? high - low : 1);
}

static double x_of(const struct plot *plot, int64_t at_us)
{
    double share = (double)at_us / (double)(plot->span_us > 0 ? plot->span_us : 1);
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    return LEFT + share * (WIDTH - LEFT - RIGHT);
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
                  LEFT, WIDTH - RIGHT, y, y, LEFT - 6, y + 4);
    if (plot->is_log)
        latency_tick(out, value);
    else
        lp_str_printf(out, "%" PRId64, value);
    lp_str_add(out, "</text>\n");
}

// 1, 2 or 5 times a power of ten, the least that is not below value.
static int64_t round_up(int64_t value)
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
    bool is_long = plot->span_us >= INT64_C(10800) * SECOND_US;
    bool is_short = plot->span_us < INT64_C(600) * SECOND_US;
    int64_t unit_us = (is_long ? INT64_C(3600) : is_short ? 1 : 60) * SECOND_US;
    // Tenths of a unit, or whole ones from ten on.
    int64_t step_us = round_up((plot->span_us * 10 / unit_us + 9) / 10) * (unit_us / 10);
    for (int64_t at = 0; at <= plot->span_us; at += step_us)
        lp_str_printf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.*f %s</text>\n",
                      x_of(plot, at), plot->top + HEIGHT + 18, step_us % unit_us ? 1 : 0,
                      (double)at / (double)unit_us,
                      is_long    ? "h"
                      : is_short ? "s"
                                 : "min");
}

static int64_t count_step(int64_t high)
{
    int64_t first = high; // its first digit
    while (first % 10 == 0)
        first /= 10;
    return high < 5 ? 1 : high / (first == 2 ? 4 : 5);
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
        bool is_right = x > LEFT + (WIDTH - LEFT) * 0.7;
        lp_str_printf(
            out,
            "<line class=\"mark %s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
            "<text class=\"%s\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s %.3f s</text>\n",
            mark_parts[i].key, x, x, y, plot->top + HEIGHT, mark_parts[i].key,
            is_right ? x - 4 : x + 4, y + 8, is_right ? "end" : "start", mark_parts[i].words,
            (double)at_us / SECOND_US);
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
                      x, plot->top, x_of(plot, bin.to_us) - x, HEIGHT,
                      (double)bin.from_us / SECOND_US, (double)bin.to_us / SECOND_US,
                      (long long)bin.offered, (long long)bin.good, (long long)bin.failed);
        if (bin.p99_us >= 0)
            lp_str_printf(out, "; p50 %.2f ms, p99 %.2f ms", (double)bin.p50_us / 1e3,
                          (double)bin.p99_us / 1e3);
        lp_str_add(out, "</title></rect>\n");
    }
}

static void frame_begin(const char *title, const char *words, int height, struct lp_str *out)
{
    lp_str_printf(out,
                  "<figure><figcaption>%s</figcaption><svg role=\"img\" viewBox=\"0 0 %d %d\" "
                  "aria-label=\"%s\">\n",
                  title, WIDTH, height, words);
}

static struct course course_of(const json_t *run)
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
    course.bin = (json_array_size(course.rows) + BINS_MAX - 1) / BINS_MAX;
    course.bin = course.bin ? course.bin : 1;
    return course;
}

static int64_t span_of(const struct course *course)
{
    size_t count = json_array_size(course->rows);
    return count ? bin_of(course, (count - 1) / course->bin * course->bin).to_us : 0;
}

static void legend_add(bool has_reference, bool is_log, struct lp_str *out)
{
    lp_str_add(out, "</svg><p class=\"legend\">");
    lp_str_add(out, is_log ? "<i class=\"good\"></i> p50 <i class=\"p99\"></i> p99"
                           : "<i class=\"good\"></i> good replies <i class=\"failed\"></i> failed "
                             "<i class=\"offered\"></i> offered");
    if (has_reference)
        lp_str_add(out, is_log ? " <i class=\"reference\"></i> p50 of the reference run"
                               : " <i class=\"reference\"></i> the reference run, without fault");
    lp_str_add(out, "</p></figure>\n");
}

static void throughput_add(struct plot *plot, const struct course *behind, const json_t *marks,
                           struct lp_str *out)
{
    int64_t most = most_of(&plot->course, OFFERED), good = most_of(&plot->course, GOOD);
    int64_t of_reference = most_of(behind, GOOD);
    most = good > most ? good : most;
    most = of_reference > most ? of_reference : most;
    plot->high = round_up(most > 0 ? most : 1);
    frame_begin("Throughput, replies a second",
                "Good and failed replies over the time of the load, beside what was offered",
                plot->top + HEIGHT + BOTTOM, out);
    axes_add(plot, out);
    if (behind->rows)
        line_add(plot, behind, GOOD, "reference", out);
    line_add(plot, &plot->course, OFFERED, "offered", out);
    line_add(plot, &plot->course, FAILED, "failed", out);
    line_add(plot, &plot->course, GOOD, "good", out);
    marks_add(plot, marks, out);
    hover_add(plot, out);
    legend_add(behind->rows != NULL, false, out);
}

static void latency_add(struct plot *plot, const struct course *behind, const json_t *marks,
                        struct lp_str *out)
{
    plot->is_log = true, plot->low = 100, plot->high = 10000;
    while (plot->high < most_of(&plot->course, P99) && plot->high < INT64_MAX / 1000)
        plot->high *= 10;
    frame_begin("Latency of good replies, from the scheduled time",
                "The median and the 99th percentile of the latency over the time of the load",
                plot->top + HEIGHT + BOTTOM, out);
    axes_add(plot, out);
    if (behind->rows)
        line_add(plot, behind, P50, "reference", out);
    line_add(plot, &plot->course, P99, "p99", out);
    line_add(plot, &plot->course, P50, "good", out);
    marks_add(plot, marks, out);
    hover_add(plot, out);
    legend_add(behind->rows != NULL, true, out);
}

void lp_plot_load(const json_t *run, const json_t *reference, struct lp_str *out)
{
    const json_t *marks = json_object_get(json_object_get(run, "load"), "marks");
    struct course behind = reference ? course_of(reference) : (struct course){.bin = 1};
    struct plot plot = {.course = course_of(run), .top = marks_height(marks)};
    if (!json_array_size(plot.course.rows))
        return;
    plot.span_us = span_of(&plot.course);
    if (span_of(&behind) > plot.span_us)
        plot.span_us = span_of(&behind);
    throughput_add(&plot, &behind, marks, out);
    latency_add(&plot, &behind, marks, out);
}

enum { LINE_LEFT = 250, LINE_HEIGHT = 20, LABEL_COLUMNS = 34, ROWS_MAX = 200 };
enum bar_kind { CHECK, GUARD, FAULT }; // a stage is like a check

struct time_line {
    int64_t from, to;
    int row;
};

// Milliseconds since 1970, within what a time can be; the file may say anything.
static int64_t time_of(const json_t *item, const char *key)
{
    static const int64_t most = INT64_C(1) << 48;
    int64_t at = lp_json_number(item, key);
    return at < 0 ? 0 : at > most ? most : at;
}

static double place_of(const struct time_line *line, int64_t at)
{
    double share = (double)(at - line->from) / (double)(line->to - line->from);
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    return LINE_LEFT + share * (WIDTH - LINE_LEFT - RIGHT);
}

// A guard that passed has struck.
static const char *bar_style(const json_t *item, enum bar_kind kind)
{
    const char *status = lp_json_text(item, "status");
    bool is_passed = strcmp(status, "passed") == 0;
    if (kind == FAULT)
        return "fault";
    if (kind == GUARD)
        return is_passed ? "bad" : "plain";
    return strcmp(status, "failed") == 0 ? "bad" : is_passed ? "fine" : "plain";
}

static void label_add(const struct time_line *line, const char *label, struct lp_str *out)
{
    LP_OWNS_STR struct lp_str text = {0};
    lp_text_fit(&text, label, LABEL_COLUMNS);
    lp_str_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", LINE_LEFT - 8,
                  line->row * LINE_HEIGHT + 18);
    lp_html_add(out, lp_str_text(&text));
    lp_str_add(out, "</text>");
}

static void bar_add(struct time_line *line, const json_t *item, enum bar_kind kind,
                    const char *label, struct lp_str *out)
{
    const char *from_key = kind == FAULT ? "asked" : "started";
    const char *to_key = kind == FAULT ? "healed" : "ended";
    if (!json_is_integer(json_object_get(item, from_key)) || line->row >= ROWS_MAX)
        return;
    const char *status = lp_json_text(item, "status");
    int64_t start = time_of(item, from_key);
    int64_t end = json_is_integer(json_object_get(item, to_key)) ? time_of(item, to_key)
                  : strcmp(status, "instant") == 0               ? start
                                                                 : line->to;
    double x = place_of(line, start), width = place_of(line, end) - x;
    label_add(line, label, out);
    lp_str_printf(out, "<rect class=\"bar %s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"13\">",
                  bar_style(item, kind), x, line->row * LINE_HEIGHT + 6, width < 2 ? 2 : width);
    line->row++;
    lp_str_add(out, "<title>");
    lp_html_add(out, label);
    lp_str_printf(out, ": %.3f s to %.3f s, ", (double)(start - line->from) / 1e3,
                  (double)(end - line->from) / 1e3);
    lp_html_add(out, kind == GUARD ? lp_report_guard_word(status) : status);
    lp_str_add(out, "</title></rect>\n");
}

static void fault_add(struct time_line *line, const json_t *fault, struct lp_str *out)
{
    LP_OWNS_STR struct lp_str label = {0};
    lp_str_printf(&label, "%s: %s", lp_json_text(fault, "target"), lp_json_text(fault, "says"));
    bar_add(line, fault, FAULT, lp_str_text(&label), out);
}

// A row of what happened, or of what Limpet did about it.
static void events_add(struct time_line *line, const json_t *events, bool are_actions,
                       struct lp_str *out)
{
    size_t i, count = 0;
    const json_t *event;
    json_array_foreach (events, i, event) {
        bool is_action = strcmp(lp_json_text(event, "record"), "action") == 0;
        int64_t at = time_of(event, "at");
        if (is_action != are_actions || at < line->from || at > line->to)
            continue;
        if (count++ == 0)
            label_add(line, are_actions ? "what Limpet did" : "what happened", out);
        lp_str_printf(
            out, "<rect class=\"bar %s\" x=\"%.1f\" y=\"%d\" width=\"2\" height=\"13\"><title>",
            are_actions ? "deed" : "plain", place_of(line, at), line->row * LINE_HEIGHT + 6);
        lp_html_add(out, lp_json_text(event, "sentence"));
        lp_str_add(out, "</title></rect>\n");
    }
    line->row += count > 0;
}

static void rows_add(struct time_line *line, const json_t *run, struct lp_str *out)
{
    size_t i, k;
    const json_t *stage, *item;
    json_array_foreach (json_object_get(run, "stages"), i, stage) {
        bar_add(line, stage, CHECK, lp_json_text(stage, "name"), out);
        json_array_foreach (json_object_get(stage, "checks"), k, item) {
            bar_add(line, item, CHECK, lp_json_text(item, "name"), out);
        }
    }
    json_array_foreach (json_object_get(run, "guards"), i, item) {
        bar_add(line, item, GUARD, lp_json_text(item, "name"), out);
    }
    json_array_foreach (json_object_get(run, "faults"), i, item) {
        fault_add(line, item, out);
    }
    events_add(line, json_object_get(run, "events"), false, out);
    events_add(line, json_object_get(run, "events"), true, out);
}

void lp_plot_time_line(const json_t *run, struct lp_str *out)
{
    LP_OWNS_STR struct lp_str rows = {0};
    struct time_line line = {.from = time_of(run, "started"), .to = time_of(run, "ended")};
    if (line.to <= line.from)
        return;
    rows_add(&line, run, &rows);
    if (!line.row)
        return;
    int height = line.row * LINE_HEIGHT + 30;
    frame_begin("Stages, checks, faults and events",
                "When each stage, check and fault began and ended; the table below says the same",
                height, out);
    lp_str_add(out, lp_str_text(&rows));
    for (int i = 0; i <= GRID; i++)
        lp_str_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">%.2f s</text>\n",
                      LINE_LEFT + (WIDTH - LINE_LEFT - RIGHT) * i / GRID, height - 6,
                      i == GRID ? "end" : "middle",
                      (double)(line.to - line.from) * (double)i / GRID / 1e3);
    lp_str_add(out, "</svg></figure>\n");
}
