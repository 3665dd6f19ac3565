// The report as one HTML file that needs no network, no script and nothing beside it.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/experiment/experiment_report.h"

#include "cmd/client.h"
#include "base/own.h"
#include "base/str.h"

enum { OPEN_MAX = 6 }; // runs that are all shown open

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
    "style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<style>\n"
    ":root{color-scheme:light dark;--ink:#1b1f24;--dim:#5b6570;--paper:#fff;--line:#d5dae0;"
    "--good:#0b66ad;--failed:#c2410c;--offered:#8a94a0;--p99:#a16207;--ref:#7b4fb0;--fine:#00755a}"
    "\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--dim:#9aa5b1;--paper:#14181d;"
    "--line:#343c46;--good:#6cb6f5;--failed:#ff8a5c;--offered:#7d8894;--p99:#e8c468;"
    "--ref:#c49bf2;--fine:#45c9a5}}\n"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);"
    "max-width:70rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}\n"
    "h1{font-size:1.6rem;line-height:1.25}h3{font-size:1rem;margin:1.4rem 0 "
    "0}h2{font-size:1.25rem;margin-top:2.2rem;"
    "border-bottom:1px solid var(--line)}\n"
    "table{border-collapse:collapse;width:100%;margin:.8rem 0;font-size:.9rem}"
    "caption{text-align:left;font-weight:600}\n"
    "th,td{text-align:left;padding:.2rem .6rem .2rem 0;border-bottom:1px solid var(--line);"
    "vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;"
    "overflow-wrap:normal}th[scope=col],td.n,td.word{white-space:nowrap;overflow-wrap:normal}"
    "th[scope=row]{font-weight:400}.deed td{font-weight:600}"
    ".wide{overflow-x:auto}.story{min-width:38rem}"
    ".words td,.words th{white-space:normal!important;overflow-wrap:normal}\n"
    ".passed{color:var(--fine)}.failed,.aborted{color:var(--failed)}.invalid{color:var(--p99)}"
    ".skipped,.dim{color:var(--dim)}\n"
    "figure{margin:1.2rem 0;overflow-x:auto}figcaption{font-weight:600}"
    "svg{width:100%;min-width:38rem;height:auto;display:block}\n"
    ".beside th[scope=col]{white-space:normal;min-width:11rem;vertical-align:bottom}"
    ".beside tr>:first-child{position:sticky;left:0;background:var(--paper);min-width:9rem;"
    "white-space:normal}.beside td{line-height:1.35}.beside td .dim{font-size:.85em}"
    ".value{font-weight:600}.sure{font-weight:700;color:var(--good)}"
    ".note{font-size:.85rem;color:var(--dim)}\n"
    ".plots{display:grid;gap:0 1rem;grid-template-columns:repeat(var(--plots),minmax(0,1fr))}"
    ".plots svg{min-width:0}.plots figure{margin:.6rem 0 0}.plots figcaption{font-weight:400;"
    "font-size:.9rem}\n"
    "@media(max-width:60rem){.plots{grid-template-columns:repeat(auto-fit,minmax(19rem,1fr))}}"
    "@media(max-width:40rem){.plots svg text{font-size:var(--text)}"
    ".beside td span{display:block}.beside td br{display:none}"
    ".beside th[scope=col]{min-width:7rem}.beside tr>:first-child{min-width:6.5rem}}\n"
    "summary{cursor:pointer}summary h2{display:inline}details{margin-top:2.2rem}\n"
    "svg text{font-size:11px;fill:var(--dim)}svg path{fill:none;stroke-width:1.6}"
    ".grid{stroke:var(--line)}.good{stroke:var(--good)}.failed{stroke:var(--failed)}"
    ".offered{stroke:var(--offered);stroke-dasharray:4 3}.p99{stroke:var(--p99)}"
    ".reference{stroke:var(--ref);stroke-dasharray:7 3}\n"
    ".mark{stroke-width:1.2;stroke:var(--dim)}.mark.fault_us{stroke:var(--failed)}"
    ".mark.repaired_us{stroke:var(--fine)}svg text.fault_us{fill:var(--failed)}"
    "svg text.repaired_us{fill:var(--fine)}.hover{fill:transparent}"
    ".hover:hover{fill:var(--dim);fill-opacity:.15}\n"
    ".bar.bad{stroke:var(--ink);stroke-width:1.5}.bar.fine{fill:var(--fine)}.bar.bad,.bar.fault{"
    "fill:var(--failed)}.bar.plain{fill:var(--good)}"
    ".bar.deed{fill:var(--ref)}\n"
    ".legend{font-size:.85rem;color:var(--dim);margin:.2rem 0}.legend i{display:inline-block;"
    "width:1.6rem;height:0;border-top:3px solid;vertical-align:middle;margin-left:.8rem}"
    ".legend .good{color:var(--good)}.legend .failed{color:var(--failed)}"
    ".legend .offered{color:var(--offered);border-top-style:dashed}"
    ".legend .p99{color:var(--p99)}.legend .reference{color:var(--ref);border-top-style:dashed}\n"
    "pre{white-space:pre-wrap;font-size:.82rem;border:1px solid var(--line);padding:.8rem}\n"
    "@media print{body{max-width:none;margin:0}figure,tr{break-inside:avoid}}\n"
    "</style>\n<title>";

void lp_html_add(struct lp_str *out, const char *text)
{
    size_t bytes = text ? strlen(text) : 0;
    for (size_t i = 0; i < bytes;) {
        unsigned char c = (unsigned char)text[i];
        size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        bool is_valid = i + length <= bytes && lp_utf8_valid(text + i, length) == length;
        const char *entity = c == '&'    ? "&amp;"
                             : c == '<'  ? "&lt;"
                             : c == '>'  ? "&gt;"
                             : c == '"'  ? "&quot;"
                             : c == '\'' ? "&#39;"
                                         : NULL;
        if (entity)
            lp_str_add(out, entity);
        else if (!is_valid || c == 0x7f || (c < 0x20 && c != '\n' && c != '\t'))
            lp_str_add(out, "\xef\xbf\xbd");
        else
            lp_str_add_n(out, text + i, length);
        i += is_valid ? length : 1;
    }
}

static void element_add(struct lp_str *out, const char *name, const char *text)
{
    lp_str_printf(out, "<%s>", name);
    lp_html_add(out, text);
    lp_str_printf(out, "</%s>", name);
}

// A word for the style sheet; the file may say anything.
static const char *status_class(const char *status)
{
    static const char *const words[] = {"passed", "failed", "aborted", "invalid", "skipped"};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strcmp(status, words[i]) == 0)
            return words[i];
    return "";
}

const char *lp_report_guard_word(const char *status)
{
    return strcmp(status, "passed") == 0 ? "struck" : "did not strike";
}

static void cell_add(struct lp_str *out, const json_t *set, const char *key,
                     const struct lp_report_figure *figure)
{
    bool is_change = json_object_get(set, "difference") != NULL;
    lp_str_add(out, "<td class=\"n\">");
    lp_report_value_print(json_object_get(set, key), figure->unit, is_change, out);
    lp_str_add(out, "</td>");
}

static void interval_add(struct lp_str *out, const json_t *set,
                         const struct lp_report_figure *figure)
{
    bool is_change = json_object_get(set, "difference") != NULL;
    lp_str_add(out, "<td class=\"n\">");
    if (is_change && !json_is_true(json_object_get(set, "has_interval"))) {
        lp_str_add(out, "one run only</td>");
        return;
    }
    lp_report_value_print(json_object_get(set, "low"), figure->unit, is_change, out);
    lp_str_add(out, " to ");
    lp_report_value_print(json_object_get(set, "high"), figure->unit, is_change, out);
    lp_str_printf(out, " (%.1f %%)", (double)lp_json_number(set, "sure_permille") / 10);
    lp_str_add(out, "</td>");
}

static void group_add(struct lp_str *out, const json_t *group)
{
    const json_t *figures = json_object_get(group, "figures");
    long long runs = lp_json_number(group, "runs");
    if (!json_object_size(figures))
        return;
    lp_str_add(out, "<div class=\"wide\"><table><caption>");
    lp_html_add(out, lp_json_text(group, "name"));
    lp_str_printf(out, ", %lld run%s</caption><tr><th scope=\"col\">Figure</th>", runs,
                  runs == 1 ? "" : "s");
    lp_str_add(out, runs > 1 ? "<th class=\"n\" scope=\"col\">Median</th><th class=\"n\" "
                               "scope=\"col\">p95</th><th class=\"n\" scope=\"col\">Interval of "
                               "the median</th></tr>\n"
                             : "<th class=\"n\" scope=\"col\">Value</th></tr>\n");
    for (size_t i = 0; i < lp_report_figure_count; i++) {
        const struct lp_report_figure *figure = &lp_report_figures[i];
        const json_t *set = json_object_get(figures, figure->name);
        if (!set)
            continue;
        lp_str_printf(out, "<tr><th scope=\"row\">%s</th>", figure->label);
        cell_add(out, set, "median", figure);
        if (runs > 1) {
            cell_add(out, set, "p95", figure);
            interval_add(out, set, figure);
        }
        lp_str_add(out, "</tr>\n");
    }
    lp_str_add(out, "</table></div>\n");
}

static void difference_add(struct lp_str *out, const json_t *groups, const json_t *difference)
{
    const json_t *figures = json_object_get(difference, "figures");
    if (!json_object_size(figures))
        return;
    lp_str_add(out, "<div class=\"wide\"><table><caption>");
    lp_html_add(out, lp_json_text(json_array_get(groups, (size_t)lp_json_number(difference, "to")),
                                  "name"));
    lp_str_add(out, " against ");
    lp_html_add(
        out,
        lp_json_text(json_array_get(groups, (size_t)lp_json_number(difference, "from")), "name"));
    lp_str_add(out, "</caption><tr><th scope=\"col\">Figure</th><th class=\"n\" scope=\"col\">"
                    "Difference</th><th class=\"n\" scope=\"col\">Interval</th></tr>\n");
    for (size_t i = 0; i < lp_report_figure_count; i++) {
        const json_t *one = json_object_get(figures, lp_report_figures[i].name);
        if (!one)
            continue;
        lp_str_printf(out, "<tr><th scope=\"row\">%s</th>", lp_report_figures[i].label);
        cell_add(out, one, "difference", &lp_report_figures[i]);
        interval_add(out, one, &lp_report_figures[i]);
        lp_str_add(out, "</tr>\n");
    }
    lp_str_add(out, "</table></div>\n");
}

// The reference: the first run with a load in which nothing was broken.
static const json_t *reference_find(const json_t *results)
{
    size_t i, k;
    const json_t *result, *run;
    json_array_foreach (results, i, result) {
        json_array_foreach (json_object_get(result, "runs"), k, run) {
            bool has_fault =
                json_is_integer(json_object_get(json_object_get(run, "marks"), "fault"));
            if (json_is_object(json_object_get(run, "load")) && !has_fault)
                return run;
        }
    }
    return NULL;
}

static void check_add(struct lp_str *out, const json_t *check, const char *stage, int64_t from)
{
    const char *status = lp_json_text(check, "status");
    lp_str_add(out, "<tr>");
    element_add(out, "td", stage ? stage : "guard");
    element_add(out, "td", lp_json_text(check, "name"));
    if (!stage) // a guard that passed has ended the run
        lp_str_printf(out, "<td class=\"word %s\">%s",
                      strcmp(status, "passed") == 0 ? "failed" : "dim",
                      lp_report_guard_word(status));
    else {
        lp_str_printf(out, "<td class=\"word %s\">", status_class(status));
        lp_html_add(out, status);
    }
    lp_str_add(out, "</td><td class=\"n\">");
    if (json_is_integer(json_object_get(check, "started")))
        lp_str_printf(out, "%.3f s",
                      ((double)lp_json_number(check, "started") - (double)from) / 1e3);
    lp_str_add(out, "</td>");
    element_add(out, "td", lp_json_text(check, "text"));
    lp_str_add(out, "</tr>\n");
}

static void steps_add(struct lp_str *out, const json_t *run)
{
    size_t i, k;
    const json_t *stage, *item;
    int64_t from = lp_json_number(run, "started");
    if (!json_array_size(json_object_get(run, "stages")))
        return;
    lp_str_add(out, "<div class=\"wide\"><table class=\"story\"><caption>Steps and checks</caption>"
                    "<tr><th scope=\"col\">Stage</th><th scope=\"col\">Name</th><th scope=\"col\">"
                    "Status</th><th class=\"n\" scope=\"col\">Began</th><th scope=\"col\">Text</th>"
                    "</tr>\n");
    json_array_foreach (json_object_get(run, "stages"), i, stage) {
        json_array_foreach (json_object_get(stage, "steps"), k, item) {
            check_add(out, item, lp_json_text(stage, "name"), from);
        }
        json_array_foreach (json_object_get(stage, "checks"), k, item) {
            check_add(out, item, lp_json_text(stage, "name"), from);
        }
    }
    json_array_foreach (json_object_get(run, "guards"), i, item) {
        check_add(out, item, NULL, from);
    }
    lp_str_add(out, "</table></div>\n");
}

static void story_add(struct lp_str *out, const json_t *run)
{
    size_t i;
    const json_t *item, *events = json_object_get(run, "events");
    double from = (double)lp_json_number(run, "started");
    if (!json_array_size(events))
        return;
    lp_str_add(out,
               "<div class=\"wide\"><table class=\"story\"><caption>What happened, what Limpet "
               "did, and why</caption><tr><th class=\"n\" scope=\"col\">At</th><th "
               "scope=\"col\">Event</th></tr>\n");
    json_array_foreach (events, i, item) {
        bool is_action = strcmp(lp_json_text(item, "record"), "action") == 0;
        lp_str_printf(out, "<tr%s><td class=\"n\">%.3f s</td>", is_action ? " class=\"deed\"" : "",
                      ((double)lp_json_number(item, "at") - from) / 1e3);
        element_add(out, "td", lp_json_text(item, "sentence"));
        lp_str_add(out, "</tr>\n");
    }
    lp_str_add(out, "</table></div>\n");
}

static const json_t *variant_of(const json_t *result, const json_t *run)
{
    return json_array_get(json_object_get(result, "variants"),
                          (size_t)lp_json_number(run, "variant"));
}

// What stands on the page beside the run: of many only those that went wrong, and the first.
struct page {
    const json_t *reference; // NULL: there is none
    bool has_many_results, has_many_runs;
};

static void run_add(struct lp_str *out, const struct page *page, const json_t *result,
                    const json_t *run)
{
    size_t i;
    const json_t *reason;
    const char *status = lp_json_text(run, "status");
    long long number = lp_json_number(run, "run");
    bool is_open = !page->has_many_runs || number == 1 || strcmp(status, "passed") != 0;
    lp_str_printf(out, "<details%s><summary><h2>", is_open ? " open" : "");
    if (page->has_many_results) {
        lp_html_add(out, lp_json_text(json_object_get(result, "experiment"), "title"));
        lp_str_add(out, ": ");
    }
    lp_str_printf(out, "Run %lld, ", number);
    lp_html_add(out, lp_json_text(variant_of(result, run), "name"));
    lp_str_printf(out, ": <span class=\"%s\">", status_class(status));
    lp_html_add(out, status);
    lp_str_add(out, "</span></h2></summary>\n");
    json_array_foreach (json_object_get(run, "reasons"), i, reason) {
        element_add(out, "p", json_string_value(reason));
    }
    if (json_is_object(json_object_get(run, "load")))
        lp_plot_load(run, page->reference == run ? NULL : page->reference, out);
    lp_plot_time_line(run, out);
    steps_add(out, run);
    story_add(out, run);
    lp_str_add(out, "</details>\n");
}

static void value_add(struct lp_str *out, const json_t *run, const struct lp_report_figure *figure,
                      const struct lp_report_scale *scale)
{
    int64_t value;
    lp_str_add(out, "<td class=\"n\">");
    if (lp_report_value(run, figure, &value))
        lp_report_number_print(scale, value, false, out);
    else
        lp_str_add(out, "\xe2\x80\x93");
    lp_str_add(out, "</td>");
}

static struct lp_report_scale scale_of(const json_t *runs, const struct lp_report_figure *figure)
{
    int64_t most = 0, value;
    size_t i;
    const json_t *run;
    json_array_foreach (runs, i, run) {
        if (lp_report_value(run, figure, &value) && value > most)
            most = value;
    }
    return lp_report_scale_of(figure->unit, most);
}

// Run by run what the load met.
static void runs_add(struct lp_str *out, const json_t *result)
{
    static const char *const names[] = {"availability_ppm", "failed",     "acknowledged_then_lost",
                                        "to_first_good_us", "to_full_us", "longest_gap_us"};
    static const char *const words[] = {"Good replies",     "Failed",     "Lost",
                                        "First good reply", "Full again", "Longest gap"};
    enum { COLUMNS = sizeof(names) / sizeof(*names) };
    const struct lp_report_figure *figures[COLUMNS];
    struct lp_report_scale scales[COLUMNS];
    const json_t *run, *runs = json_object_get(result, "runs");
    size_t i;
    if (json_array_size(runs) < 2)
        return;
    lp_str_add(out, "<div class=\"wide\"><table><caption>");
    lp_html_add(out, lp_json_text(json_object_get(result, "experiment"), "title"));
    lp_str_add(out, ", run by run</caption><tr><th class=\"n\" scope=\"col\">Run</th><th "
                    "scope=\"col\">Variant</th><th scope=\"col\">Status</th>");
    for (size_t k = 0; k < COLUMNS; k++) {
        figures[k] = lp_report_figure_find(names[k]);
        scales[k] = scale_of(runs, figures[k]);
        lp_str_printf(out, "<th class=\"n\" scope=\"col\">%s%s%s</th>", words[k],
                      *scales[k].unit ? ", " : "", scales[k].unit);
    }
    lp_str_add(out, "</tr>\n");
    json_array_foreach (runs, i, run) {
        const char *status = lp_json_text(run, "status");
        lp_str_printf(out, "<tr><td class=\"n\">%lld</td>", lp_json_number(run, "run"));
        element_add(out, "td", lp_json_text(variant_of(result, run), "name"));
        lp_str_printf(out, "<td class=\"word %s\">", status_class(status));
        lp_html_add(out, status);
        lp_str_add(out, "</td>");
        for (size_t k = 0; k < COLUMNS; k++)
            value_add(out, run, figures[k], &scales[k]);
        lp_str_add(out, "</tr>\n");
    }
    lp_str_add(out, "</table></div>\n");
}

static void references_add(struct lp_str *out, const json_t *references)
{
    size_t i;
    const json_t *one;
    if (!json_array_size(references))
        return;
    lp_str_add(out, "<div class=\"wide\"><table class=\"words story\"><caption>Figures of others, "
                    "and ours</caption><tr>"
                    "<th scope=\"col\">What</th><th scope=\"col\">Theirs</th>"
                    "<th scope=\"col\">Ours</th><th scope=\"col\">What differs</th>"
                    "<th scope=\"col\">Source</th></tr>\n");
    json_array_foreach (references, i, one) {
        LP_OWNS_STR struct lp_str ours = {0};
        lp_report_ours_print(one, &ours);
        lp_str_add(out, "<tr>");
        element_add(out, "td", lp_json_text(one, "what"));
        element_add(out, "td", lp_json_text(one, "value"));
        element_add(out, "td", lp_str_text(&ours));
        element_add(out, "td", lp_json_text(one, "differs"));
        element_add(out, "td", lp_json_text(one, "source"));
        lp_str_add(out, "</tr>\n");
    }
    lp_str_add(out, "</table></div>\n");
}

static void results_add(struct lp_str *out, const json_t *report)
{
    size_t i, k;
    const json_t *result, *one;
    json_array_foreach (json_object_get(report, "results"), i, result) {
        const char *status = lp_json_text(result, "status");
        element_add(out, "h1", lp_json_text(result, "title"));
        lp_str_printf(out, "<p class=\"%s\"><strong>", status_class(status));
        lp_html_add(out, status);
        lp_str_add(out, "</strong> <span class=\"dim\">");
        lp_html_add(out, lp_json_text(result, "id"));
        lp_str_add(out, "</span></p>\n");
        json_array_foreach (json_object_get(result, "reasons"), k, one) {
            element_add(out, "p", json_string_value(one));
        }
        references_add(out, json_object_get(result, "reference"));
    }
}

static void file_add(struct lp_str *out, const json_t *result)
{
    const json_t *experiment = json_object_get(result, "experiment");
    const char *text = lp_json_text(experiment, "text");
    if (!*text)
        return;
    lp_str_add(out, "<section><h2>The experiment: ");
    lp_html_add(out, lp_json_text(experiment, "file"));
    lp_str_add(out, "</h2>\n");
    element_add(out, "pre", text);
    lp_str_add(out, "</section>\n");
}

static size_t groups_count(const json_t *groups)
{
    size_t i, count = 0;
    const json_t *group;
    json_array_foreach (groups, i, group) {
        count += json_object_size(json_object_get(group, "figures")) > 0;
    }
    return count;
}

// Several groups stand side by side; one by one, with the 95th percentile, they are folded.
static void figures_add(struct lp_str *out, const json_t *results, const json_t *report,
                        const json_t *reference)
{
    size_t i;
    const json_t *one, *groups = json_object_get(report, "groups");
    size_t count = groups_count(groups);
    if (!count)
        return;
    lp_report_beside(results, report, reference, out);
    lp_str_add(out, count > 1 ? "<details><summary><h2>Figures, one by one</h2></summary>\n"
                              : "<section><h2>Figures</h2>\n");
    json_array_foreach (groups, i, one) {
        group_add(out, one);
    }
    json_array_foreach (json_object_get(report, "differences"), i, one) {
        difference_add(out, groups, one);
    }
    lp_str_add(out, count > 1 ? "</details>\n" : "</section>\n");
    json_array_foreach (results, i, one) {
        runs_add(out, one);
    }
}

void lp_report_page(const json_t *results, const json_t *report, struct lp_str *out)
{
    size_t i, k, count = 0;
    const json_t *one, *run;
    json_array_foreach (results, i, one) {
        count += json_array_size(json_object_get(one, "runs"));
    }
    const struct page page = {.reference = reference_find(results),
                              .has_many_results = json_array_size(results) > 1,
                              .has_many_runs = count > OPEN_MAX};
    lp_str_add(out, head);
    lp_html_add(out,
                lp_json_text(json_object_get(json_array_get(results, 0), "experiment"), "title"));
    lp_str_add(out, "</title></head><body><main>\n");
    results_add(out, report);
    figures_add(out, results, report, page.reference);
    json_array_foreach (results, i, one) {
        json_array_foreach (json_object_get(one, "runs"), k, run) {
            run_add(out, &page, one, run);
        }
        file_add(out, one);
    }
    lp_str_add(out, "</main></body></html>\n");
}
