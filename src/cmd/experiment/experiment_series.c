// `limpet experiment run`: all runs of a file, each variant as often as it is to be repeated, and
// what is kept of them.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/descriptor_file.h"
#include "cmd/experiment/experiment.h"
#include "cmd/experiment/experiment_file.h"
#include "cmd/experiment/experiment_keep.h"
#include "cmd/experiment/experiment_parts.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/own.h"
#include "base/rng.h"

struct series {
    struct lp_cmd *cmd;
    struct lp_experiment experiment;
    const char *path, *sha256;
    struct lp_keep keep;
    int64_t began_ms;
    struct lp_run_what what;
    json_t *variants, *runs;
    uint32_t repeat;
    uint64_t seed;
};

static int number_option(struct lp_cmd *cmd, const char *name, long low, long high,
                         long *ret_number)
{
    const char *text = lp_option_value(cmd, name);
    if (!text)
        return 0;
    const char *what = lp_arena_printf(cmd->arena, "--%s", name);
    if (lp_number_parse(text, low, high, what, ret_number, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    return 0;
}

static int options_take(struct series *series)
{
    struct lp_cmd *cmd = series->cmd;
    long repeat = series->experiment.repeat, seed = -1;
    int status = number_option(cmd, "repeat", 1, LP_EXPERIMENT_REPEAT_MAX, &repeat);
    if (status == 0)
        status = number_option(cmd, "seed", 0, INT32_MAX, &seed);
    series->repeat = (uint32_t)repeat;
    series->seed = seed >= 0                     ? (uint64_t)seed
                   : series->experiment.has_seed ? series->experiment.seed
                                                 : (uint64_t)lp_wall_ms() & 0x7fffffff;
    return status;
}

// What one variant is: a descriptor, something that runs already, or nothing.
static int variant_find(struct series *series, const char *text, struct lp_run_what *what)
{
    struct lp_cmd *cmd = series->cmd;
    struct lp_descriptor_file file;
    const char *sha256 = NULL;
    what->infra = text;
    what->descriptor = NULL;
    if (text && lp_descriptor_file_is(text)) {
        char digest[LP_SHA256_TEXT];
        int status = lp_descriptor_file_read(cmd, text, &file);
        if (status != LP_EXIT_DONE)
            return status;
        lp_sha256_text(file.text, file.bytes, digest);
        sha256 = lp_arena_text(cmd->arena, digest);
        what->infra = file.descriptor->name;
        what->descriptor = text;
    }
    const char *slash = text ? strrchr(text, '/') : NULL;
    const char *name = slash ? slash + 1 : text ? text : "-";
    if (!what->name)
        what->name = lp_arena_text_n(cmd->arena, name, strcspn(name, what->descriptor ? "." : ""));
    json_array_append_new(series->variants,
                          json_pack("{s:s, s:s?, s:s?, s:s?, s:b}", "name", what->name,
                                    "infrastructure", what->infra, "descriptor", what->descriptor,
                                    "sha256", sha256, "break", !what->is_left_whole));
    return LP_EXIT_DONE;
}

// The worst of the runs; those that were skipped count only when nothing else was run.
static const char *worst(const json_t *runs)
{
    size_t i;
    const json_t *run;
    int found = -1;
    json_array_foreach (runs, i, run) {
        for (int k = LP_TRIAL_PASSED; k <= LP_TRIAL_ABORTED; k++)
            if (strcmp(lp_json_text(run, "status"), lp_trial_status_words[k]) == 0 &&
                (k > found || found == LP_TRIAL_SKIPPED) && (k != LP_TRIAL_SKIPPED || found < 0))
                found = k;
    }
    return lp_trial_status_words[found < 0 ? LP_TRIAL_SKIPPED : found];
}

static json_t *reasons_of(struct lp_cmd *cmd, const json_t *runs)
{
    size_t i, k;
    const json_t *run, *reason;
    json_t *reasons = json_array();
    bool is_one = json_array_size(runs) == 1;
    json_array_foreach (runs, i, run) {
        json_array_foreach (json_object_get(run, "reasons"), k, reason) {
            const char *text = json_string_value(reason);
            json_array_append_new(
                reasons, json_string(is_one ? text
                                            : lp_arena_printf(cmd->arena, "run %lld: %s",
                                                              lp_json_number(run, "run"), text)));
        }
    }
    return reasons;
}

// The file as it was written, for the report; NULL when it is another by now.
static const char *file_text(const struct series *series)
{
    LP_OWNS_STR struct lp_str text = {0};
    char digest[LP_SHA256_TEXT];
    struct lp_err why;
    if (lp_file_read(series->experiment.path, LP_DESCRIPTOR_BYTES_MAX, &text, &why) < 0)
        return NULL;
    lp_sha256_text(text.text, text.bytes, digest);
    bool is_same =
        lp_text_equal(digest, series->sha256) && strlen(lp_str_text(&text)) == text.bytes;
    bool is_text = is_same && lp_utf8_valid(lp_str_text(&text), text.bytes) == text.bytes;
    return is_text ? lp_arena_text(series->cmd->arena, lp_str_text(&text)) : NULL;
}

static json_t *references_make(const struct lp_experiment *experiment)
{
    json_t *all = json_array();
    for (size_t i = 0; i < experiment->reference_count; i++) {
        const struct lp_experiment_reference *one = &experiment->references[i];
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s?}", "what", one->what,
                                             "value", one->value, "source", one->source, "differs",
                                             one->differs, "variant", one->variant, "figure",
                                             one->figure));
    }
    return all;
}

static json_t *result_make(const struct series *series)
{
    const struct lp_experiment *experiment = &series->experiment;
    return json_pack(
        "{s:s, s:i, s:s, s:s, s:{s:s, s:s?, s:s, s:s, s:s?, s:s, s:o}, s:I, s:I, s:s, s:o, s:O, "
        "s:O}",
        "format", "limpet-experiment", "version", 1, "limpet", LP_VERSION, "id", series->keep.id,
        "experiment", "title", experiment->title, "description", experiment->description, "file",
        experiment->path, "sha256", series->sha256, "text", file_text(series), "dialect",
        experiment->is_chaos_toolkit ? "chaos-toolkit" : "limpet", "reference",
        references_make(experiment), "started", (json_int_t)series->began_ms, "ended",
        (json_int_t)lp_wall_ms(), "status", worst(series->runs), "reasons",
        reasons_of(series->cmd, series->runs), "variants", series->variants, "runs", series->runs);
}

// What is known while runs are still to come: whoever kills this program loses no run that is over,
// and what it was about can be found out. The end tells when it cannot be written.
static void so_far_keep(void *context)
{
    struct series *series = context;
    json_t *result = result_make(series), *infras = json_object();
    unsigned variants = (unsigned)json_array_size(series->variants);
    size_t i, done = json_array_size(series->runs);
    const json_t *variant;
    json_array_foreach (series->variants, i, variant) {
        const char *infra = lp_json_text(variant, "infrastructure");
        if (json_is_string(json_object_get(variant, "descriptor")))
            json_object_set_new(infras, infra, json_true());
    }
    json_t *names = json_array(), *value;
    const char *name;
    json_object_foreach (infras, name, value) {
        json_array_append_new(names, json_string(name));
    }
    json_decref(infras);
    json_object_set_new(result, "status", json_string(lp_trial_status_words[LP_TRIAL_ABORTED]));
    json_object_set_new(result, "unfinished",
                        json_pack("{s:I, s:I, s:o}", "run", (json_int_t)done + 1, "of",
                                  (json_int_t)variants * series->repeat, "infrastructures", names));
    (void)!lp_keep_begin(series->cmd, &series->keep, result);
    json_decref(result);
}

// Runs of the variants take turns, so that what changes with time meets them all alike.
LP_MUST_CHECK static int all_run(struct series *series, const struct lp_run_what *variants,
                                 unsigned variant_count)
{
    unsigned number = 0;
    for (uint32_t repetition = 1; repetition <= series->repeat; repetition++) {
        for (unsigned v = 0; v < variant_count && !lp_run_interrupts(); v++) {
            struct lp_run_what what = variants[v];
            what.number = ++number;
            what.variant = v;
            what.repetition = repetition;
            what.seed = series->seed + repetition - 1;
            json_t *run = lp_run_do(series->cmd, &what);
            if (!run)
                return series->cmd->err.code;
            json_array_append_new(series->runs, run);
            if (number < series->repeat * variant_count)
                so_far_keep(series);
        }
    }
    return 0;
}

// A variant with settings of its own is the whole file read with them.
static int variant_make(struct series *series, unsigned v, struct lp_run_what *what)
{
    struct lp_cmd *cmd = series->cmd;
    const struct lp_experiment *experiment = &series->experiment;
    const struct lp_experiment_variant *variant =
        experiment->compare_count ? &experiment->compare[v] : NULL;
    const struct lp_pairs *set = variant && variant->set.count ? &variant->set : NULL;
    const char *text = variant                      ? variant->infrastructure
                       : experiment->infrastructure ? experiment->infrastructure
                                                    : cmd->infra;
    *what = (struct lp_run_what){
        .experiment = experiment,
        .name = variant ? variant->name : NULL,
        .is_left_whole = variant && variant->is_left_whole,
        .is_interactive = lp_option_is_given(cmd, "interactive"),
        .is_kept = lp_option_is_given(cmd, "keep"),
        .environment = lp_experiment_environment(cmd, set),
    };
    if (set) {
        struct lp_experiment *own = lp_arena_new(cmd->arena, struct lp_experiment);
        int status = lp_experiment_file_read(cmd, series->path, set, own, NULL);
        if (status != LP_EXIT_DONE)
            return status;
        what->experiment = own;
    }
    // The descriptor's name may depend on the settings.
    const char *const *own_environment = (const char *const *)environ;
    environ = (char **)(uintptr_t)what->environment;
    int status = variant_find(series, text, what);
    environ = (char **)(uintptr_t)own_environment;
    return status;
}

static int variants_run(struct series *series, const struct lp_run_what *variants, unsigned count)
{
    struct lp_cmd *cmd = series->cmd;
    lp_run_interrupts_watch();
    int code = all_run(series, variants, count);
    struct lp_err err = cmd->err;
    bool is_any = json_array_size(series->runs) > 0, is_kept = true;
    json_t *result = result_make(series);
    const char *status = worst(series->runs);
    if (cmd->is_json)
        lp_json_show(result);
    else if (!cmd->is_quiet && is_any)
        lp_experiment_summary_print(cmd, result);
    if (is_any)
        is_kept = lp_keep_end(cmd, &series->keep, result, series->experiment.source);
    else
        (void)rmdir(series->keep.home); // nothing came of it
    json_decref(result);
    if (code < 0)
        return lp_cmd_fail(cmd, &err);
    bool is_good = strcmp(status, "passed") == 0 || strcmp(status, "skipped") == 0;
    return is_good && is_kept ? LP_EXIT_DONE : LP_EXIT_FAILED;
}

static int series_run(struct series *series)
{
    struct lp_cmd *cmd = series->cmd;
    const struct lp_experiment *experiment = &series->experiment;
    unsigned count = experiment->compare_count ? (unsigned)experiment->compare_count : 1;
    struct lp_run_what *variants = lp_arena_new_array(cmd->arena, struct lp_run_what, count);
    bool has_infra = false;
    series->began_ms = lp_wall_ms();
    for (unsigned v = 0; v < count; v++) {
        int status = variant_make(series, v, &variants[v]);
        if (status != LP_EXIT_DONE)
            return status;
        has_infra = has_infra || variants[v].infra;
    }
    if (lp_keep_open(cmd, experiment->title, has_infra, &series->keep) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    for (unsigned v = 0; v < count; v++) {
        variants[v].folder = series->keep.home;
        variants[v].begun = so_far_keep;
        variants[v].context = series;
    }
    return variants_run(series, variants, count);
}

int lp_experiment_run(struct lp_cmd *cmd, int argc, char **argv)
{
    struct series series = {.cmd = cmd, .path = argv[1]};
    (void)argc;
    int status = lp_experiment_file_read(cmd, argv[1], NULL, &series.experiment, &series.sha256);
    if (status == LP_EXIT_DONE)
        status = lp_experiment_names_check(cmd, argv[1], &series.experiment);
    if (status == LP_EXIT_DONE)
        status = options_take(&series);
    if (status != LP_EXIT_DONE)
        return status;
    series.variants = json_array();
    series.runs = json_array();
    status = series_run(&series);
    json_decref(series.variants);
    json_decref(series.runs);
    return status;
}
