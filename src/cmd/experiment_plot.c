// The plots of a run: drawn as SVG, second by second, in the colours of the page.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/experiment_report.h"

#include "cmd/client.h"
#include "cmd/table.h"
#include "base/own.h"
#include "base/str.h"

enum {
    LEFT = 70,
    RIGHT = 20,
    TOP = 66,
    WIDTH = 860,
    HEIGHT = 170,
    BOTTOM = 40,
    BINS_MAX = 400,
    GRID = 4,
    LOG_UNIT = 1024,
};

struct plot {
    const json_t *series;
    size_t seconds; // of the widest series in the plot
    size_t bin;     // seconds a step of the line
    int64_t low, high;
    bool is_log;
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
    return TOP + HEIGHT - (double)(at - low) * HEIGHT / (double)(high > low ? high - low : 1);
}

static double x_of(const struct plot *plot, double seconds)
{
    double share = seconds / (double)(plot->seconds ? plot->seconds : 1);
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    return LEFT + share * (WIDTH - LEFT - RIGHT);
}

// A field over the seconds of one step: counts are averaged, latencies are the largest; -1: none.
static int64_t bin_value(const struct plot *plot, const json_t *series, size_t from,
                         const char *field)
{
    int64_t sum = 0, most = -1;
    size_t count = 0;
    for (size_t i = from; i < from + plot->bin && i < json_array_size(series); i++) {
        const json_t *value = json_object_get(json_array_get(series, i), field);
        if (!json_is_integer(value))
            continue;
        sum += json_integer_value(value);
        most = json_integer_value(value) > most ? json_integer_value(value) : most;
        count++;
    }
    return plot->is_log || !count ? most : sum / (int64_t)count;
}

static void line_add(const struct plot *plot, const json_t *series, const char *field,
                     const char *style, struct lp_str *out)
{
    bool is_down = false;
    lp_str_printf(out, "<path class=\"%s\" d=\"", style);
    for (size_t i = 0; i < json_array_size(series); i += plot->bin) {
        int64_t value = bin_value(plot, series, i, field);
        if (value < 0) {
            is_down = false;
            continue;
        }
        lp_str_printf(out, "%s%.1f %.1fH%.1f", is_down ? "L" : "M", x_of(plot, (double)i),
                      y_of(plot, value), x_of(plot, (double)(i + plot->bin)));
        is_down = true;
    }
    lp_str_add(out, "\"/>\n");
}

static int64_t most_of(const json_t *series, const char *field)
{
    size_t i;
    const json_t *row;
    int64_t most = 0;
    json_array_foreach (series, i, row) {
        int64_t value = lp_json_number(row, field);
        most = value > most ? value : most;
    }
    return most;
}

static void latency_tick(struct lp_str *out, int64_t us)
{
    if (us < 1000)
        lp_str_printf(out, "%" PRId64 " µs", us);
    else if (us < 1000000)
        lp_str_printf(out, "%" PRId64 " ms", us / 1000);
    else
        lp_str_printf(out, "%" PRId64 " s", us / 1000000);
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

static void axes_add(const struct plot *plot, struct lp_str *out)
{
    int64_t step = round_up((int64_t)(plot->seconds + 9) / 10);
    if (plot->is_log)
        for (int64_t value = plot->low; value <= plot->high; value *= 10)
            tick_add(plot, value, out);
    else if (plot->high < GRID)
        for (int64_t value = 0; value <= plot->high; value++)
            tick_add(plot, value, out);
    else
        for (int64_t i = 0; i <= GRID; i++)
            tick_add(plot, plot->high * i / GRID, out);
    for (int64_t at = 0; at <= (int64_t)plot->seconds; at += step)
        lp_str_printf(out,
                      "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%" PRId64 " s</text>\n",
                      x_of(plot, (double)at), TOP + HEIGHT + 18, at);
}

static void marks_add(const struct plot *plot, const json_t *marks, struct lp_str *out)
{
    static const struct {
        const char *key, *words;
    } parts[] = {{"fault_us", "fault"},
                 {"effect_us", "in effect"},
                 {"detected_us", "detected"},
                 {"repaired_us", "repaired"}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        const json_t *at = json_object_get(marks, parts[i].key);
        if (!json_is_integer(at) || json_integer_value(at) < 0)
            continue;
        double seconds = (double)json_integer_value(at) / 1e6, x = x_of(plot, seconds);
        bool is_right = x > LEFT + (WIDTH - LEFT) * 0.7;
        lp_str_printf(
            out,
            "<line class=\"mark %s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%zu\" y2=\"%d\"/>"
            "<text class=\"%s\" x=\"%.1f\" y=\"%zu\" text-anchor=\"%s\">%s %.3f s</text>\n",
            parts[i].key, x, x, 6 + 14 * i, TOP + HEIGHT, parts[i].key, is_right ? x - 4 : x + 4,
            14 + 14 * i, is_right ? "end" : "start", parts[i].words, seconds);
    }
}

// What the pointer reads over each step.
static void hover_add(const struct plot *plot, struct lp_str *out)
{
    for (size_t i = 0; i < json_array_size(plot->series); i += plot->bin) {
        double x = x_of(plot, (double)i);
        const json_t *row = json_array_get(plot->series, i);
        lp_str_printf(out,
                      "<rect class=\"hover\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\">"
                      "<title>second %zu: %lld offered, %lld good, %lld failed",
                      x, TOP, x_of(plot, (double)(i + plot->bin)) - x, HEIGHT, i,
                      lp_json_number(row, "offered"), lp_json_number(row, "good"),
                      lp_json_number(row, "failed"));
        if (json_is_integer(json_object_get(row, "p99_us")))
            lp_str_printf(out, "; p50 %.2f ms, p99 %.2f ms",
                          (double)lp_json_number(row, "p50_us") / 1e3,
                          (double)lp_json_number(row, "p99_us") / 1e3);
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

static const json_t *series_of(const json_t *run)
{
    return json_object_get(json_object_get(json_object_get(run, "load"), "outcome"), "series");
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

void lp_plot_load(const json_t *run, const json_t *reference, struct lp_str *out)
{
    const json_t *marks = json_object_get(json_object_get(run, "load"), "marks");
    const json_t *behind = reference ? series_of(reference) : NULL;
    struct plot plot = {.series = series_of(run), .low = 0};
    plot.seconds = json_array_size(plot.series);
    if (!plot.seconds)
        return;
    if (json_array_size(behind) > plot.seconds)
        plot.seconds = json_array_size(behind);
    plot.bin = (plot.seconds + BINS_MAX - 1) / BINS_MAX;
    int64_t most = most_of(plot.series, "offered");
    most = most_of(plot.series, "good") > most ? most_of(plot.series, "good") : most;
    most = most_of(behind, "good") > most ? most_of(behind, "good") : most;
    plot.high = round_up(most > 0 ? most : 1);
    frame_begin("Throughput, replies a second",
                "Good and failed replies in each second of the load, beside what was offered", 276,
                out);
    axes_add(&plot, out);
    if (behind)
        line_add(&plot, behind, "good", "reference", out);
    line_add(&plot, plot.series, "offered", "offered", out);
    line_add(&plot, plot.series, "failed", "failed", out);
    line_add(&plot, plot.series, "good", "good", out);
    marks_add(&plot, marks, out);
    hover_add(&plot, out);
    legend_add(behind != NULL, false, out);

    plot.is_log = true, plot.low = 100, plot.high = 10000;
    while (plot.high < most_of(plot.series, "p99_us") && plot.high < INT64_MAX / 10)
        plot.high *= 10;
    frame_begin("Latency of good replies, from the scheduled time",
                "The median and the 99th percentile of the latency in each second", 276, out);
    axes_add(&plot, out);
    if (behind)
        line_add(&plot, behind, "p50_us", "reference", out);
    line_add(&plot, plot.series, "p99_us", "p99", out);
    line_add(&plot, plot.series, "p50_us", "good", out);
    marks_add(&plot, marks, out);
    hover_add(&plot, out);
    legend_add(behind != NULL, true, out);
}

enum { LINE_LEFT = 250, LINE_HEIGHT = 20, LABEL_COLUMNS = 34, ROWS_MAX = 200 };

struct time_line {
    int64_t from, to;
    int row;
};

static void bar_add(struct time_line *line, const json_t *item, const char *keys[2],
                    const char *label, struct lp_str *out)
{
    const json_t *from = json_object_get(item, keys[0]), *to = json_object_get(item, keys[1]);
    LP_OWNS_STR struct lp_str text = {0};
    if (!json_is_integer(from) || line->row >= ROWS_MAX)
        return;
    int64_t start = json_integer_value(from);
    bool is_instant = strcmp(lp_json_text(item, "status"), "instant") == 0;
    int64_t end = json_is_integer(to) ? json_integer_value(to) : is_instant ? start : line->to;
    double scale = (double)(WIDTH - LINE_LEFT - RIGHT) / (double)(line->to - line->from);
    double x = LINE_LEFT + (double)(start - line->from) * scale;
    double width = (double)(end - start) * scale;
    int y = line->row++ * LINE_HEIGHT + 6;
    lp_text_fit(&text, label, LABEL_COLUMNS);
    lp_str_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", LINE_LEFT - 8, y + 12);
    lp_html_add(out, lp_str_text(&text));
    lp_str_printf(out,
                  "</text><rect class=\"bar %s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"13\">",
                  strcmp(keys[0], "asked") == 0                         ? "fault"
                  : strcmp(lp_json_text(item, "status"), "failed") == 0 ? "bad"
                  : strcmp(lp_json_text(item, "status"), "passed") == 0 ? "fine"
                                                                        : "plain",
                  x, y, width < 2 ? 2 : width);
    lp_str_add(out, "<title>");
    lp_html_add(out, label);
    lp_str_printf(out, ": %.3f s to %.3f s, ", (double)(start - line->from) / 1e3,
                  (double)(end - line->from) / 1e3);
    lp_html_add(out, lp_json_text(item, "status"));
    lp_str_add(out, "</title></rect>\n");
}

static void events_add(const struct time_line *line, const json_t *events, struct lp_str *out)
{
    size_t i;
    const json_t *event;
    double scale = (double)(WIDTH - LINE_LEFT - RIGHT) / (double)(line->to - line->from);
    int y = line->row * LINE_HEIGHT + 6;
    lp_str_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">events</text>\n", LINE_LEFT - 8,
                  y + 12);
    json_array_foreach (events, i, event) {
        int64_t at = lp_json_number(event, "at");
        if (at < line->from || at > line->to)
            continue;
        lp_str_printf(
            out, "<rect class=\"bar plain\" x=\"%.1f\" y=\"%d\" width=\"2\" height=\"13\"><title>",
            LINE_LEFT + (double)(at - line->from) * scale, y);
        lp_html_add(out, lp_json_text(event, "sentence"));
        lp_str_add(out, "</title></rect>\n");
    }
}

void lp_plot_time_line(const json_t *run, struct lp_str *out)
{
    LP_OWNS_STR struct lp_str rows = {0};
    size_t i, k;
    const json_t *stage, *item;
    const char *span[2] = {"started", "ended"}, *fault_span[2] = {"asked", "healed"};
    struct time_line line = {.from = lp_json_number(run, "started"),
                             .to = lp_json_number(run, "ended")};
    if (line.to <= line.from)
        return;
    json_array_foreach (json_object_get(run, "stages"), i, stage) {
        bar_add(&line, stage, span, lp_json_text(stage, "name"), &rows);
        json_array_foreach (json_object_get(stage, "checks"), k, item) {
            bar_add(&line, item, span, lp_json_text(item, "name"), &rows);
        }
    }
    json_array_foreach (json_object_get(run, "guards"), i, item) {
        bar_add(&line, item, span, lp_json_text(item, "name"), &rows);
    }
    json_array_foreach (json_object_get(run, "faults"), i, item) {
        bar_add(&line, item, fault_span, lp_json_text(item, "says"), &rows);
    }
    events_add(&line, json_object_get(run, "events"), &rows);
    int height = (line.row + 1) * LINE_HEIGHT + 30;
    frame_begin("Stages, checks, faults and events",
                "When each stage, check and fault began and ended; the table below says the same",
                height, out);
    lp_str_add(out, lp_str_text(&rows));
    for (i = 0; i <= GRID; i++)
        lp_str_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">%.2f s</text>\n",
                      (int)(LINE_LEFT + (WIDTH - LINE_LEFT - RIGHT) * i / GRID), height - 6,
                      i == GRID ? "end" : "middle",
                      (double)(line.to - line.from) * (double)i / GRID / 1e3);
    lp_str_add(out, "</svg></figure>\n");
}
