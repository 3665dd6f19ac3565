// Variants and results side by side: plots on the same axes, and one table of all their figures
// with the differences from the first.
#include <stdlib.h>
#include <string.h>

#include "cmd/experiment/experiment_report.h"

#include "cmd/client.h"
#include "base/own.h"
#include "base/str.h"

enum {
    COLUMNS_MAX = 12, // of the table; more are listed run by run only
    ROW_MAX = 4,      // plots in a row
    ROW_WIDTH = 1080, // of such a row; units of SVG
    LEFT = 62,        // of a plot, for the numbers of its axis
    TEXT_SHARE = 36,  // of its width, for the height of words on a narrow screen
    HEIGHT = 120,     // of a plot
};

struct column {
    const json_t *group, *figures;
    const json_t *change; // figures of its difference from the first; NULL
    const json_t *run;    // that is drawn; NULL: none has a load
};
struct beside {
    struct column columns[COLUMNS_MAX];
    size_t count;
};

// Of a group's runs with a load the one whose good replies are nearest to their median.
static const json_t *run_choose(const json_t *results, const json_t *group)
{
    const json_t *run, *found = NULL;
    const json_t *result = json_array_get(results, (size_t)lp_json_number(group, "result"));
    const json_t *set = json_object_get(json_object_get(group, "figures"), "availability_ppm");
    int64_t least = INT64_MAX, value = 0;
    size_t i;
    json_array_foreach (json_object_get(result, "runs"), i, run) {
        if (lp_json_number(run, "variant") != lp_json_number(group, "variant") ||
            !lp_report_value(run, lp_report_figure_find("availability_ppm"), &value))
            continue;
        int64_t apart = llabs(value - lp_json_number(set, "median"));
        if (apart < least) {
            least = apart;
            found = run;
        }
    }
    return found;
}

static void columns_find(const json_t *results, const json_t *report, struct beside *beside)
{
    const json_t *group, *difference;
    size_t i, k;
    json_array_foreach (json_object_get(report, "groups"), i, group) {
        struct column column = {.group = group, .figures = json_object_get(group, "figures")};
        if (!json_object_size(column.figures) || beside->count == COLUMNS_MAX)
            continue;
        json_array_foreach (json_object_get(report, "differences"), k, difference) {
            if ((size_t)lp_json_number(difference, "to") == i)
                column.change = json_object_get(difference, "figures");
        }
        column.run = run_choose(results, group);
        beside->columns[beside->count++] = column;
    }
}

static int64_t most_in(const json_t *set, int64_t most)
{
    static const char *const keys[] = {"median", "low", "high", "difference"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        int64_t value = llabs(lp_json_number(set, keys[i]));
        most = value > most ? value : most;
    }
    return most;
}

static struct lp_report_scale scale_of(const struct beside *beside,
                                       const struct lp_report_figure *figure)
{
    int64_t most = 0;
    for (size_t i = 0; i < beside->count; i++) {
        most = most_in(json_object_get(beside->columns[i].figures, figure->name), most);
        most = most_in(json_object_get(beside->columns[i].change, figure->name), most);
    }
    return lp_report_scale_of(figure->unit, most);
}

static bool is_nothing(const json_t *change)
{
    return lp_json_number(change, "difference") == 0 && lp_json_number(change, "low") == 0 &&
           lp_json_number(change, "high") == 0;
}

// A median or difference, and its interval unless that is the same.
static void set_add(const struct lp_report_scale *scale, const json_t *set, const char *key,
                    struct lp_str *out)
{
    bool is_change = strcmp(key, "difference") == 0;
    int64_t value = lp_json_number(set, key);
    int64_t low = lp_json_number(set, "low"), high = lp_json_number(set, "high");
    bool has_interval = !is_change || json_is_true(json_object_get(set, "has_interval"));
    bool is_sure = is_change && has_interval && (low > 0 || high < 0);
    lp_str_printf(out, "<span class=\"%s\">", !is_change ? "value" : is_sure ? "sure" : "dim");
    lp_report_number_print(scale, value, is_change, out);
    lp_str_add(out, "</span>");
    if (!has_interval || (low == value && high == value))
        return;
    lp_str_add(out, " <span class=\"dim\">(");
    lp_report_number_print(scale, low, is_change, out);
    lp_str_add(out, " to ");
    lp_report_number_print(scale, high, is_change, out);
    lp_str_add(out, ")</span>");
}

static void row_add(const struct beside *beside, const struct lp_report_figure *figure,
                    struct lp_str *out)
{
    const struct lp_report_scale scale = scale_of(beside, figure);
    bool is_any = false;
    for (size_t i = 0; i < beside->count; i++)
        is_any = is_any || json_object_get(beside->columns[i].figures, figure->name);
    if (!is_any)
        return;
    lp_str_printf(out, "<tr><th scope=\"row\">%s%s%s</th>", figure->label, *scale.unit ? ", " : "",
                  scale.unit);
    for (size_t i = 0; i < beside->count; i++) {
        const json_t *set = json_object_get(beside->columns[i].figures, figure->name);
        const json_t *change = json_object_get(beside->columns[i].change, figure->name);
        lp_str_add(out, "<td class=\"n\">");
        if (set)
            set_add(&scale, set, "median", out);
        else
            lp_str_add(out, "<span class=\"dim\">\xe2\x80\x93</span>");
        if (change && !is_nothing(change)) {
            lp_str_add(out, "<br>");
            set_add(&scale, change, "difference", out);
        }
        lp_str_add(out, "</td>");
    }
    lp_str_add(out, "</tr>\n");
}

// How sure the intervals are, from the least to the most sure.
static void sure_add(const struct beside *beside, bool is_change, struct lp_str *out)
{
    long long least = 1000, most = 0;
    const char *name;
    json_t *set;
    for (size_t i = 0; i < beside->count; i++) {
        const struct column *column = &beside->columns[i];
        json_t *figures = (json_t *)(uintptr_t)(is_change ? column->change : column->figures);
        json_object_foreach (figures, name, set) {
            long long sure = lp_json_number(set, "sure_permille");
            if (sure <= 0)
                continue;
            least = sure < least ? sure : least;
            most = sure > most ? sure : most;
        }
    }
    if (least < most)
        lp_str_printf(out, "%.1f to ", (double)least / 10);
    lp_str_printf(out, "%.1f %%", (double)most / 10);
}

static bool has_intervals(const struct beside *beside)
{
    for (size_t i = 0; i < beside->count; i++)
        if (lp_json_number(beside->columns[i].group, "runs") > 1)
            return true;
    return false;
}

static void note_add(const struct beside *beside, struct lp_str *out)
{
    lp_str_add(out, "<p class=\"note\">");
    bool has_spread = has_intervals(beside);
    if (has_spread) {
        lp_str_add(out, "The median over the runs, with its interval (");
        sure_add(beside, false, out);
        lp_str_add(out, " sure). ");
    }
    lp_str_add(out, "Below it, unless there is none, the difference from <em>");
    lp_html_add(out, lp_json_text(beside->columns[0].group, "name"));
    lp_str_add(out, "</em>");
    if (has_spread) {
        lp_str_add(out, " with its interval (");
        sure_add(beside, true, out);
        lp_str_add(out, " sure; in bold when 0 is not in it)");
    }
    lp_str_add(out, "; of shares in points. \xe2\x80\x93: it did not happen.</p>\n");
}

static void table_add(const struct beside *beside, struct lp_str *out)
{
    lp_str_add(out,
               "<div class=\"wide\"><table class=\"beside\"><tr><th scope=\"col\">Figure</th>");
    for (size_t i = 0; i < beside->count; i++) {
        long long runs = lp_json_number(beside->columns[i].group, "runs");
        lp_str_add(out, "<th class=\"n\" scope=\"col\">");
        lp_html_add(out, lp_json_text(beside->columns[i].group, "name"));
        lp_str_printf(out, "<br><span class=\"dim\">%lld run%s</span></th>", runs,
                      runs == 1 ? "" : "s");
    }
    lp_str_add(out, "</tr>\n");
    for (size_t i = 0; i < lp_report_figure_count; i++)
        row_add(beside, &lp_report_figures[i], out);
    lp_str_add(out, "</table></div>\n");
    note_add(beside, out);
}

static void plots_add(const struct beside *beside, const struct lp_plot_frame *frame,
                      const json_t *reference, bool is_latency, struct lp_str *out)
{
    bool has_reference = false;
    lp_str_printf(out, "<h3>%s</h3><div class=\"plots\" style=\"--plots:%d;--text:%dpx\">",
                  is_latency ? "Latency of good replies, from the scheduled time"
                             : "Throughput, replies a second",
                  (ROW_WIDTH + frame->width / 2) / frame->width, frame->width / TEXT_SHARE);
    for (size_t i = 0; i < beside->count; i++) {
        const struct column *column = &beside->columns[i];
        LP_OWNS_STR struct lp_str caption = {0};
        if (!column->run)
            continue;
        lp_str_add(&caption, lp_json_text(column->group, "name"));
        if (lp_json_number(column->group, "runs") > 1)
            lp_str_printf(&caption, ", run %lld", lp_json_number(column->run, "run"));
        const struct lp_plot_what what = {column->run, column->run == reference ? NULL : reference,
                                          lp_str_text(&caption)};
        has_reference = has_reference || what.reference;
        if (is_latency)
            lp_plot_latency(&what, frame, out);
        else
            lp_plot_throughput(&what, frame, out);
    }
    lp_str_add(out, "</div>\n");
    lp_plot_legend(has_reference, is_latency, out);
}

void lp_report_beside(const json_t *results, const json_t *report, const json_t *reference,
                      struct lp_str *out)
{
    struct beside beside = {.count = 0};
    struct lp_plot_frame frame = {.left = LEFT, .height = HEIGHT};
    int drawn = 0;
    columns_find(results, report, &beside);
    if (beside.count < 2)
        return;
    for (size_t i = 0; i < beside.count; i++)
        drawn += beside.columns[i].run != NULL;
    frame.width = ROW_WIDTH / (drawn < 1 ? 1 : drawn < ROW_MAX ? drawn : ROW_MAX);
    for (size_t i = 0; i < beside.count; i++)
        if (beside.columns[i].run)
            (void)lp_plot_frame_widen(beside.columns[i].run, &frame);
    lp_str_add(out, "<section><h2>Side by side</h2>\n");
    if (drawn > 1) {
        plots_add(&beside, &frame, reference, false, out);
        plots_add(&beside, &frame, reference, true, out);
    }
    table_add(&beside, out);
    lp_str_add(out, "</section>\n");
}
