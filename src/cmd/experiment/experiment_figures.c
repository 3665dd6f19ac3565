// The figures of a report: taken from each run, and over the runs of a group.
#include <string.h>

#include "cmd/experiment/experiment_report.h"

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "core/outcome_set.h"
#include "model/limits.h"

#define LATENCY(when, words)                                                                       \
    {"latency_" when "_p50_us", when "/p50_us", NULL, "latency " words ", p50", LP_REPORT_US},     \
        {"latency_" when "_p99_us", when "/p99_us", NULL, "latency " words ", p99", LP_REPORT_US}, \
    {                                                                                              \
        "latency_" when "_p999_us", when "/p999_us", NULL, "latency " words ", p99.9",             \
            LP_REPORT_US                                                                           \
    }

const struct lp_report_figure lp_report_figures[] = {
    {"availability_ppm", "availability_ppm", NULL, "good replies", LP_REPORT_PPM},
    {"availability_seconds_ppm", "availability_seconds_ppm", NULL, "good seconds", LP_REPORT_PPM},
    {"to_detect_us", "to_detect_us", "detected", "time to detect", LP_REPORT_US},
    {"to_repair_us", "to_repair_us", "repaired", "time to repair, by the controller", LP_REPORT_US},
    {"to_first_good_us", "to_first_good_us", NULL, "time to the first good reply", LP_REPORT_US},
    {"to_full_us", "to_full_us", NULL, "time to full throughput", LP_REPORT_US},
    {"longest_gap_us", "longest_gap_us", NULL, "longest gap", LP_REPORT_US},
    {"requests", "requests", NULL, "requests", LP_REPORT_COUNT},
    {"failed", "failed", NULL, "requests failed", LP_REPORT_COUNT},
    {"delayed", "delayed", NULL, "requests delayed", LP_REPORT_COUNT},
    {"not_sent", "endings/not-sent", NULL, "requests not sent", LP_REPORT_COUNT},
    {"acknowledged_then_lost", "writes/acknowledged_then_lost", NULL, "acknowledged then lost",
     LP_REPORT_COUNT},
    LATENCY("before", "before the fault"),
    LATENCY("during", "during it"),
    LATENCY("after", "after it"),
};
const size_t lp_report_figure_count = sizeof(lp_report_figures) / sizeof(*lp_report_figures);

// A number that a figure can be: the file may say anything, and differences must not overflow.
static bool number_take(const json_t *value, int64_t *ret_number)
{
    static const int64_t most = INT64_C(1) << 50; // of microseconds 35 years
    if (!json_is_integer(value) || json_integer_value(value) > most ||
        json_integer_value(value) < -most)
        return false;
    *ret_number = json_integer_value(value);
    return true;
}

bool lp_report_value(const json_t *run, const struct lp_report_figure *figure, int64_t *ret_value)
{
    const json_t *at = json_object_get(json_object_get(run, "load"), "outcome");
    if (!json_is_object(at)) {
        const json_t *marks = json_object_get(run, "marks");
        const json_t *mark = figure->mark ? json_object_get(marks, figure->mark) : NULL;
        int64_t fault_ms, mark_ms;
        if (!number_take(json_object_get(marks, "fault"), &fault_ms) ||
            !number_take(mark, &mark_ms))
            return false;
        *ret_value = (mark_ms - fault_ms) * 1000;
        return true;
    }
    for (const char *part = figure->path; part;) {
        const char *slash = strchr(part, '/');
        size_t bytes = slash ? (size_t)(slash - part) : strlen(part);
        at = json_object_getn(at, part, bytes);
        part = slash ? slash + 1 : NULL;
    }
    return number_take(at, ret_value);
}

// A run's group: the result it is of, and its variant.
static bool is_of_group(const json_t *run, const json_t *group, size_t result)
{
    return result == (size_t)lp_json_number(group, "result") &&
           lp_json_number(run, "variant") == lp_json_number(group, "variant");
}

// The values of one figure over a group's runs; room for as many as there are runs.
static size_t values_take(const json_t *results, const json_t *group,
                          const struct lp_report_figure *figure, int64_t *values)
{
    size_t i, count = 0, result = (size_t)lp_json_number(group, "result");
    const json_t *run, *runs = json_object_get(json_array_get(results, result), "runs");
    json_array_foreach (runs, i, run) {
        if (is_of_group(run, group, result) && lp_report_value(run, figure, &values[count]))
            count++;
    }
    return count;
}

static size_t runs_most(const json_t *results)
{
    size_t i, most = 1;
    const json_t *result;
    json_array_foreach (results, i, result) {
        size_t count = json_array_size(json_object_get(result, "runs"));
        most = count > most ? count : most;
    }
    return most;
}

static json_t *set_json(const struct lp_outcome_set *set)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "count", (json_int_t)set->count, "least",
                     (json_int_t)set->least, "median", (json_int_t)set->median, "p95",
                     (json_int_t)set->p95, "most", (json_int_t)set->most, "low",
                     (json_int_t)set->low, "high", (json_int_t)set->high, "sure_permille",
                     (json_int_t)set->sure_permille);
}

static void group_count(const json_t *results, json_t *group, int64_t *values, int64_t *spare)
{
    json_t *figures = json_object();
    for (size_t i = 0; i < lp_report_figure_count; i++) {
        struct lp_outcome_set set;
        size_t count = values_take(results, group, &lp_report_figures[i], values);
        if (!count)
            continue;
        lp_outcome_set_count(values, count, spare, &set);
        json_object_set_new(figures, lp_report_figures[i].name, set_json(&set));
    }
    json_object_set_new(group, "figures", figures);
}

// Two results of one experiment have one name: their ids tell them apart.
static void names_part(const json_t *results, json_t *groups)
{
    size_t i, k;
    json_t *group, *other;
    json_array_foreach (groups, i, group) {
        const char *name = lp_json_text(group, "name");
        const json_t *result = json_array_get(results, (size_t)lp_json_number(group, "result"));
        bool is_double = false;
        json_array_foreach (groups, k, other) {
            is_double = is_double || (k != i && strcmp(name, lp_json_text(other, "name")) == 0);
        }
        if (is_double)
            json_object_set_new(group, "label",
                                json_sprintf("%s (%s)", name, lp_json_text(result, "id")));
    }
    json_array_foreach (groups, i, group) {
        json_t *label = json_object_get(group, "label");
        if (label)
            json_object_set(group, "name", label);
        json_object_del(group, "label");
    }
}

static json_t *groups_make(const json_t *results)
{
    json_t *groups = json_array();
    size_t i, k, m;
    const json_t *result, *variant, *run;
    json_array_foreach (results, i, result) {
        const json_t *variants = json_object_get(result, "variants");
        const char *title = lp_json_text(json_object_get(result, "experiment"), "title");
        json_array_foreach (variants, k, variant) {
            json_t *group =
                json_pack("{s:I,s:I}", "result", (json_int_t)i, "variant", (json_int_t)k);
            json_int_t count = 0;
            json_array_foreach (json_object_get(result, "runs"), m, run) {
                count += is_of_group(run, group, i);
            }
            bool is_one = json_array_size(variants) == 1;
            json_object_set_new(group, "name",
                                json_string(is_one ? title : lp_json_text(variant, "name")));
            json_object_set_new(group, "runs", json_integer(count));
            json_array_append_new(groups, group);
        }
    }
    if (json_array_size(results) > 1)
        names_part(results, groups);
    return groups;
}

static json_t *difference_make(const json_t *results, const json_t *a, const json_t *b)
{
    size_t most = runs_most(results);
    size_t bound = most < LP_EXPERIMENT_REPEAT_MAX ? most : LP_EXPERIMENT_REPEAT_MAX;
    int64_t *values = lp_heap_take((2 * most + 2 * bound * bound) * sizeof(*values));
    json_t *figures = json_object();
    for (size_t i = 0; i < lp_report_figure_count; i++) {
        const struct lp_report_figure *figure = &lp_report_figures[i];
        struct lp_outcome_values of_a = {values, values_take(results, a, figure, values)};
        struct lp_outcome_values of_b = {values + most,
                                         values_take(results, b, figure, values + most)};
        struct lp_outcome_difference found;
        if (!of_a.count || !of_b.count)
            continue;
        of_a.count = of_a.count < bound ? of_a.count : bound; // more only a strange file has
        of_b.count = of_b.count < bound ? of_b.count : bound;
        lp_outcome_set_compare(&of_a, &of_b, values + 2 * most, &found);
        json_object_set_new(
            figures, figure->name,
            json_pack("{s:I,s:I,s:I,s:I,s:b}", "difference", (json_int_t)found.difference, "low",
                      (json_int_t)found.low, "high", (json_int_t)found.high, "sure_permille",
                      (json_int_t)found.sure_permille, "has_interval", found.sure_permille > 0));
    }
    lp_heap_free(values);
    return figures;
}

// Our figure beside one of others: that of the group of its variant; null: it was not measured.
static json_t *ours_find(const json_t *groups, size_t result, const json_t *reference)
{
    size_t i;
    const json_t *group;
    const char *variant = lp_json_text(reference, "variant");
    json_array_foreach (groups, i, group) {
        if ((size_t)lp_json_number(group, "result") != result ||
            (*variant && strcmp(lp_json_text(group, "name"), variant) != 0))
            continue;
        const json_t *figures = json_object_get(group, "figures");
        json_t *set = json_object_get(figures, lp_json_text(reference, "figure"));
        return set ? json_incref(set) : json_null();
    }
    return json_null();
}

static json_t *references_tell(const json_t *references, const json_t *groups, size_t result)
{
    json_t *all = json_array();
    size_t i;
    const json_t *reference;
    json_array_foreach (references, i, reference) {
        json_t *one = json_deep_copy(reference);
        json_object_set_new(one, "ours", ours_find(groups, result, reference));
        json_array_append_new(all, one);
    }
    return all;
}

const struct lp_report_figure *lp_report_figure_find(const char *name)
{
    for (size_t i = 0; i < lp_report_figure_count; i++)
        if (strcmp(lp_report_figures[i].name, name) == 0)
            return &lp_report_figures[i];
    return NULL;
}

static json_t *results_tell(const json_t *results, const json_t *groups)
{
    json_t *all = json_array();
    size_t i;
    const json_t *result;
    json_array_foreach (results, i, result) {
        json_t *experiment = json_object_get(result, "experiment");
        json_t *one = json_object();
        json_object_set_new(one, "id", json_string(lp_json_text(result, "id")));
        json_object_set_new(one, "title", json_string(lp_json_text(experiment, "title")));
        json_object_set_new(one, "status", json_string(lp_json_text(result, "status")));
        json_object_set(one, "reasons", json_object_get(result, "reasons"));
        const json_t *references = json_object_get(experiment, "reference");
        json_object_set_new(one, "reference", references_tell(references, groups, i));
        json_array_append_new(all, one);
    }
    return all;
}

json_t *lp_report_make(const json_t *results)
{
    size_t i, most = runs_most(results);
    int64_t *values = lp_heap_take(2 * most * sizeof(*values));
    json_t *group, *groups = groups_make(results), *differences = json_array();
    json_array_foreach (groups, i, group) {
        group_count(results, group, values, values + most);
    }
    lp_heap_free(values);
    for (i = 1; i < json_array_size(groups); i++) {
        const json_t *a = json_array_get(groups, 0), *b = json_array_get(groups, i);
        json_t *figures = difference_make(results, a, b);
        json_array_append_new(differences, json_pack("{s:I,s:I,s:o}", "from", (json_int_t)0, "to",
                                                     (json_int_t)i, "figures", figures));
    }
    return json_pack("{s:s,s:i,s:o,s:o,s:o}", "format", "limpet-experiment-report", "version", 1,
                     "results", results_tell(results, groups), "groups", groups, "differences",
                     differences);
}
