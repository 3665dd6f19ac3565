// `limpet experiment report`: the figures of one or several experiments, for people, as JSON, as a
// page.
#include "cmd/experiment/experiment_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/experiment/experiment.h"
#include "cmd/table.h"
#include "base/handover.h"
#include "base/own.h"
#include "base/str.h"

enum { SECOND_US = 1000000 };

void lp_report_value_print(const json_t *value, enum lp_report_unit unit, bool is_change,
                           struct lp_str *out)
{
    double number = (double)json_integer_value(value);
    if (!json_is_integer(value))
        lp_str_add(out, "-");
    else if (unit == LP_REPORT_PPM)
        lp_str_printf(out, is_change ? "%+.3f points" : "%.3f %%", number / 1e4);
    else if (unit == LP_REPORT_COUNT)
        lp_str_printf(out, is_change ? "%+.0f" : "%.0f", number);
    else if (number < 1e6 && number > -1e6)
        lp_str_printf(out, is_change ? "%+.2f ms" : "%.2f ms", number / 1e3);
    else
        lp_str_printf(out, is_change ? "%+.3f s" : "%.3f s", number / 1e6);
}

struct lp_report_scale lp_report_scale_of(enum lp_report_unit unit, int64_t most)
{
    if (unit == LP_REPORT_PPM)
        return (struct lp_report_scale){1e4, 3, "%"};
    if (unit == LP_REPORT_COUNT)
        return (struct lp_report_scale){1, 0, ""};
    if (most >= SECOND_US)
        return (struct lp_report_scale){1e6, most >= 100 * (int64_t)SECOND_US ? 1 : 3, "s"};
    return (struct lp_report_scale){1e3, most >= SECOND_US / 10 ? 1 : 2, "ms"};
}

void lp_report_number_print(const struct lp_report_scale *scale, int64_t value, bool is_change,
                            struct lp_str *out)
{
    char digits[64];
    snprintf(digits, sizeof(digits), "%.*f", scale->decimals,
             (double)llabs(value) / scale->divisor);
    size_t whole = strcspn(digits, ".");
    bool is_zero = digits[strspn(digits, "0.")] == '\0';
    if (!is_zero && (value < 0 || is_change))
        lp_str_add(out, value < 0 ? "\xe2\x88\x92" : "+");
    for (size_t i = 0; digits[i]; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0)
            lp_str_add_char(out, ',');
        lp_str_add_char(out, digits[i]);
    }
}

void lp_report_ours_print(const json_t *reference, struct lp_str *out)
{
    const struct lp_report_figure *figure =
        lp_report_figure_find(lp_json_text(reference, "figure"));
    const json_t *median = json_object_get(json_object_get(reference, "ours"), "median");
    const char *variant = lp_json_text(reference, "variant");
    if (!figure || !json_is_integer(median)) {
        lp_str_add(out, "not measured");
        return;
    }
    lp_report_value_print(median, figure->unit, false, out);
    lp_str_printf(out, " (%s%s%s)", figure->label, *variant ? ", " : "", variant);
}

static const char *value_text(struct lp_cmd *cmd, const json_t *set, const char *key,
                              const struct lp_report_figure *figure)
{
    LP_OWNS_STR struct lp_str text = {0};
    bool is_change = strcmp(key, "difference") == 0;
    lp_report_value_print(json_object_get(set, key), figure->unit, is_change, &text);
    return lp_arena_text(cmd->arena, lp_str_text(&text));
}

static const char *interval_text(struct lp_cmd *cmd, const json_t *set,
                                 const struct lp_report_figure *figure)
{
    LP_OWNS_STR struct lp_str text = {0};
    bool is_change = json_object_get(set, "difference") != NULL;
    lp_report_value_print(json_object_get(set, "low"), figure->unit, is_change, &text);
    lp_str_add(&text, " to ");
    lp_report_value_print(json_object_get(set, "high"), figure->unit, is_change, &text);
    lp_str_printf(&text, " (%.1f %%)", (double)lp_json_number(set, "sure_permille") / 10);
    return lp_arena_text(cmd->arena, lp_str_text(&text));
}

static void title_print(struct lp_cmd *cmd, const char *text, const char *rest)
{
    LP_OWNS_STR struct lp_str line = {0};
    lp_color_begin(&line, LP_BOLD, cmd->has_color);
    lp_text_fit(&line, text, SIZE_MAX);
    lp_color_end(&line, LP_BOLD, cmd->has_color);
    lp_text_fit(&line, rest, SIZE_MAX);
    puts(lp_str_text(&line));
}

static void group_print(struct lp_cmd *cmd, const json_t *group)
{
    struct lp_table table = {.columns = 4};
    long long runs = lp_json_number(group, "runs");
    const json_t *figures = json_object_get(group, "figures");
    title_print(cmd, lp_json_text(group, "name"),
                lp_arena_printf(cmd->arena, ", %lld run%s", runs, runs == 1 ? "" : "s"));
    lp_table_add(cmd, &table,
                 (struct lp_cell[]){{"  FIGURE", LP_DIM},
                                    {runs > 1 ? "MEDIAN" : "VALUE", LP_DIM},
                                    {runs > 1 ? "P95" : "", LP_DIM},
                                    {runs > 1 ? "INTERVAL OF THE MEDIAN" : "", LP_DIM}});
    for (size_t i = 0; i < lp_report_figure_count; i++) {
        const struct lp_report_figure *figure = &lp_report_figures[i];
        const json_t *set = json_object_get(figures, figure->name);
        if (!set)
            continue;
        lp_table_add(
            cmd, &table,
            (struct lp_cell[]){{lp_arena_printf(cmd->arena, "  %s", figure->label), LP_PLAIN},
                               {value_text(cmd, set, "median", figure), LP_PLAIN},
                               {runs > 1 ? value_text(cmd, set, "p95", figure) : "", LP_PLAIN},
                               {runs > 1 ? interval_text(cmd, set, figure) : "", LP_PLAIN}});
    }
    lp_table_print(cmd, &table);
}

static void difference_print(struct lp_cmd *cmd, const json_t *groups, const json_t *difference)
{
    struct lp_table table = {.columns = 3};
    const json_t *from = json_array_get(groups, (size_t)lp_json_number(difference, "from"));
    const json_t *to = json_array_get(groups, (size_t)lp_json_number(difference, "to"));
    const json_t *figures = json_object_get(difference, "figures");
    if (!json_object_size(figures))
        return;
    title_print(cmd,
                lp_arena_printf(cmd->arena, "%s against %s", lp_json_text(to, "name"),
                                lp_json_text(from, "name")),
                "");
    lp_table_add(
        cmd, &table,
        (struct lp_cell[]){{"  FIGURE", LP_DIM}, {"DIFFERENCE", LP_DIM}, {"INTERVAL", LP_DIM}});
    for (size_t i = 0; i < lp_report_figure_count; i++) {
        const struct lp_report_figure *figure = &lp_report_figures[i];
        const json_t *one = json_object_get(figures, figure->name);
        bool has_interval = json_is_true(json_object_get(one, "has_interval"));
        if (!one)
            continue;
        lp_table_add(
            cmd, &table,
            (struct lp_cell[]){{lp_arena_printf(cmd->arena, "  %s", figure->label), LP_PLAIN},
                               {value_text(cmd, one, "difference", figure), LP_PLAIN},
                               {has_interval ? interval_text(cmd, one, figure) : "one run only",
                                has_interval ? LP_PLAIN : LP_DIM}});
    }
    lp_table_print(cmd, &table);
}

static void result_print(struct lp_cmd *cmd, const json_t *result)
{
    size_t i;
    const json_t *one;
    title_print(cmd, lp_json_text(result, "title"),
                lp_arena_printf(cmd->arena, ": %s", lp_json_text(result, "status")));
    json_array_foreach (json_object_get(result, "reasons"), i, one) {
        title_print(cmd, "", lp_arena_printf(cmd->arena, "  %s", json_string_value(one)));
    }
    json_array_foreach (json_object_get(result, "reference"), i, one) {
        LP_OWNS_STR struct lp_str ours = {0};
        const char *differs = lp_json_text(one, "differs");
        lp_report_ours_print(one, &ours);
        title_print(cmd, "",
                    lp_arena_printf(cmd->arena, "  %s: theirs %s (%s), ours %s",
                                    lp_json_text(one, "what"), lp_json_text(one, "value"),
                                    lp_json_text(one, "source"), lp_str_text(&ours)));
        if (*differs)
            title_print(cmd, "", lp_arena_printf(cmd->arena, "    what differs: %s", differs));
    }
}

void lp_report_print(struct lp_cmd *cmd, const json_t *report)
{
    size_t i;
    const json_t *one, *groups = json_object_get(report, "groups");
    json_array_foreach (json_object_get(report, "results"), i, one) {
        result_print(cmd, one);
    }
    json_array_foreach (groups, i, one) {
        group_print(cmd, one);
    }
    json_array_foreach (json_object_get(report, "differences"), i, one) {
        difference_print(cmd, groups, one);
    }
}

static int page_write(struct lp_cmd *cmd, const json_t *results, const json_t *report)
{
    LP_OWNS_STR struct lp_str page = {0};
    const char *path = lp_option_value(cmd, "html");
    lp_report_page(results, report, &page);
    return lp_handover_write(path, lp_str_text(&page), page.bytes, 0644, &cmd->err);
}

int lp_experiment_report(struct lp_cmd *cmd, int argc, char **argv)
{
    json_t *results = json_array();
    const char *html = lp_option_value(cmd, "html");
    int code = html ? lp_handover_check_file(html, &cmd->err) : 0;
    if (code < 0)
        (void)lp_err_wrap(&cmd->err, "--html");
    for (int i = 1; i < argc && code == 0; i++) {
        json_t *result = lp_experiment_result_read(cmd, argv[i]);
        if (!result)
            code = -1;
        else
            json_array_append_new(results, result);
    }
    if (code == 0) {
        json_t *report = lp_report_make(results);
        if (cmd->is_json)
            lp_json_show(report);
        else if (!cmd->is_quiet)
            lp_report_print(cmd, report);
        if (html)
            code = page_write(cmd, results, report);
        json_decref(report);
    }
    json_decref(results);
    return code < 0 ? lp_cmd_fail(cmd, &cmd->err) : LP_EXIT_DONE;
}
