// The time line of a run: stages, checks, guards, faults and events, drawn as SVG.
#include <inttypes.h>
#include <string.h>

#include "cmd/experiment/experiment_report.h"

#include "cmd/client.h"
#include "cmd/table.h"
#include "base/own.h"
#include "base/str.h"

enum {
    LINE_WIDTH = 860,
    LINE_LEFT = 250,
    LINE_RIGHT = 20,
    LINE_HEIGHT = 20,
    LABEL_COLUMNS = 34,
    ROWS_MAX = 200,
    PARTS = 10, // of the axis, at most
};
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
    return LINE_LEFT + share * (LINE_WIDTH - LINE_LEFT - LINE_RIGHT);
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
    lp_str_printf(out,
                  "<figure><figcaption>Stages, checks, faults and events</figcaption>"
                  "<svg role=\"img\" viewBox=\"0 0 %d %d\" aria-label=\"When each stage, check and "
                  "fault began and ended; the table below says the same\">\n",
                  LINE_WIDTH, height);
    int64_t step = lp_plot_round_up((line.to - line.from) / PARTS + 1); // milliseconds
    for (int64_t at = 0; at <= line.to - line.from; at += step)
        lp_str_printf(out,
                      "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"2\" y2=\"%d\"/>"
                      "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.*f s</text>\n",
                      place_of(&line, line.from + at), place_of(&line, line.from + at), height - 20,
                      place_of(&line, line.from + at), height - 6,
                      step % 1000 == 0  ? 0
                      : step % 100 == 0 ? 1
                                        : 3,
                      (double)at / 1e3);
    lp_str_add(out, lp_str_text(&rows));
    lp_str_add(out, "</svg></figure>\n");
}
