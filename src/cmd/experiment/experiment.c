// `limpet experiment`: what is broken on purpose, and whether what should hold did.
#include "cmd/experiment/experiment.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/experiment/experiment_file.h"
#include "cmd/experiment/experiment_keep.h"
#include "cmd/table.h"
#include "cmd/verb.h"
#include "base/file.h"
#include "base/own.h"
#include "base/spelling.h"
#include "base/str.h"

static const struct {
    const char *name;
    int (*run)(struct lp_cmd *cmd, int argc, char **argv);
    int least, most;
    const char *usage;
} verbs[] = {
    {"run", lp_experiment_run, 1, 1, "FILE"},
    {"list", lp_experiment_list, 0, 0, ""},
    {"check", lp_experiment_check, 1, -1, "FILE..."},
    {"show", lp_experiment_show, 0, 1, "[ID|FILE]"},
    {"report", lp_experiment_report, 1, -1, "ID|FILE... [--html PAGE]"},
};
enum { VERBS = sizeof(verbs) / sizeof(*verbs), RESULT_BYTES_MAX = 512 * 1024 * 1024 };

const char *lp_experiment_folder(const struct lp_cmd *cmd)
{
    bool is_root = lp_path_exists(lp_arena_printf(cmd->arena, "%s/id", cmd->root));
    return is_root ? lp_arena_printf(cmd->arena, "%s/experiments", cmd->root)
                   : "limpet-experiments";
}

int lp_experiment_check(struct lp_cmd *cmd, int argc, char **argv)
{
    int status = LP_EXIT_DONE;
    for (int i = 1; i < argc; i++) {
        struct lp_experiment experiment;
        int one = lp_experiment_file_read(cmd, argv[i], NULL, &experiment, NULL);
        if (one == LP_EXIT_DONE)
            one = lp_experiment_names_check(cmd, argv[i], &experiment);
        if (one != LP_EXIT_DONE)
            status = one;
        else if (!cmd->is_quiet && cmd->is_json)
            puts(experiment.source);
        else if (!cmd->is_quiet)
            printf("%s: %s\n", argv[i], experiment.title);
    }
    return status;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static json_t *result_read(struct lp_cmd *cmd, const char *path)
{
    LP_OWNS_STR struct lp_str text = {0};
    json_error_t why;
    if (lp_file_read(path, RESULT_BYTES_MAX, &text, &cmd->err) < 0)
        return NULL;
    json_t *result = json_loads(lp_str_text(&text), 0, &why);
    if (!result || strcmp(lp_json_text(result, "format"), "limpet-experiment") != 0) {
        json_decref(result);
        lp_err_set(&cmd->err, LP_ECORRUPT, "%s is not the result of an experiment", path);
        return NULL;
    }
    return result;
}

// "running" or "cut off" for one whose end nobody has written; else its status.
static const char *status_word(const json_t *result, const char *home)
{
    if (!json_object_get(result, "unfinished"))
        return lp_json_text(result, "status");
    return lp_keep_is_running(home) ? "running" : "cut off";
}

static void row_add(struct lp_cmd *cmd, struct lp_table *table, const json_t *result,
                    const char *home)
{
    const char *status = status_word(result, home);
    bool is_good = strcmp(status, "passed") == 0;
    int64_t started_ms = lp_json_number(result, "started");
    lp_table_add(
        cmd, table,
        (struct lp_cell[]){
            {lp_arena_text(cmd->arena, lp_json_text(result, "id")), LP_PLAIN},
            {lp_arena_text(cmd->arena, status), is_good ? LP_GREEN : LP_RED},
            {lp_arena_printf(cmd->arena, "%zu", json_array_size(json_object_get(result, "runs"))),
             LP_PLAIN},
            {lp_time_span(cmd, lp_json_number(result, "ended") - started_ms), LP_PLAIN},
            {lp_arena_text(cmd->arena,
                           lp_json_text(json_object_get(result, "experiment"), "title")),
             LP_PLAIN}});
}

int lp_experiment_list(struct lp_cmd *cmd, int argc, char **argv)
{
    (void)argc, (void)argv;
    struct lp_table table = {.columns = 5};
    struct dirent **entries = NULL;
    const char *folder = lp_experiment_folder(cmd);
    json_t *all = json_array();
    int count = scandir(folder, &entries, NULL, by_name);
    lp_table_add(cmd, &table,
                 (struct lp_cell[]){{"ID", LP_DIM},
                                    {"STATUS", LP_DIM},
                                    {"RUNS", LP_DIM},
                                    {"TOOK", LP_DIM},
                                    {"TITLE", LP_DIM}});
    for (int i = 0; i < count; i++) {
        const char *home = lp_arena_printf(cmd->arena, "%s/%s", folder, entries[i]->d_name);
        json_t *result =
            entries[i]->d_name[0] == '.'
                ? NULL
                : result_read(cmd, lp_arena_printf(cmd->arena, "%s/result.json", home));
        free(entries[i]);
        if (!result)
            continue;
        row_add(cmd, &table, result, home);
        json_t *unfinished = json_object_get(result, "unfinished");
        if (unfinished)
            json_object_set_new(unfinished, "running", json_boolean(lp_keep_is_running(home)));
        json_object_del(result, "runs");
        json_array_append_new(all, result);
    }
    free(entries);
    if (cmd->is_json)
        lp_json_show(all);
    else
        lp_table_print(cmd, &table);
    json_decref(all);
    return LP_EXIT_DONE;
}

// A file, a folder or an id; without one the latest.
static const char *result_find(struct lp_cmd *cmd, const char *text)
{
    const char *folder = lp_experiment_folder(cmd), *found = NULL;
    struct dirent **entries = NULL;
    if (text && lp_text_ends(text, ".json"))
        return text;
    if (text && lp_path_exists(lp_arena_printf(cmd->arena, "%s/result.json", text)))
        return lp_arena_printf(cmd->arena, "%s/result.json", text);
    if (text) {
        found = lp_arena_printf(cmd->arena, "%s/%s/result.json", folder, text);
        return lp_path_exists(found) ? found : NULL;
    }
    int count = scandir(folder, &entries, NULL, by_name);
    for (int i = 0; i < count; i++) {
        const char *path =
            lp_arena_printf(cmd->arena, "%s/%s/result.json", folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && lp_path_exists(path))
            found = path;
        free(entries[i]);
    }
    free(entries);
    return found;
}

static void checks_show(struct lp_cmd *cmd, const json_t *checks, const char *stage,
                        struct lp_table *table)
{
    size_t i;
    const json_t *check;
    json_array_foreach (checks, i, check) {
        const char *status = lp_json_text(check, "status");
        int64_t took_ms = lp_json_number(check, "ended") - lp_json_number(check, "started");
        bool is_good = strcmp(status, "passed") == 0 || strcmp(status, "done") == 0;
        bool is_out = strcmp(status, "skipped") == 0;
        lp_table_add(cmd, table,
                     (struct lp_cell[]){
                         {stage, LP_DIM},
                         {lp_json_text(check, "name"), LP_PLAIN},
                         {status, is_good  ? LP_GREEN
                                  : is_out ? LP_DIM
                                           : LP_RED},
                         {is_out ? "" : lp_arena_printf(cmd->arena, "%lld ms", (long long)took_ms),
                          LP_PLAIN},
                         {lp_json_text(check, "text"), LP_PLAIN}});
    }
}

static void run_show(struct lp_cmd *cmd, const json_t *run)
{
    struct lp_table table = {.columns = 5};
    size_t i;
    const json_t *stage, *reason;
    printf("run %lld: %s\n", lp_json_number(run, "run"), lp_json_text(run, "status"));
    json_array_foreach (json_object_get(run, "reasons"), i, reason) {
        printf("  %s\n", json_string_value(reason));
    }
    json_array_foreach (json_object_get(run, "stages"), i, stage) {
        checks_show(cmd, json_object_get(stage, "steps"), lp_json_text(stage, "name"), &table);
        checks_show(cmd, json_object_get(stage, "checks"), lp_json_text(stage, "name"), &table);
    }
    checks_show(cmd, json_object_get(run, "guards"), "guard", &table);
    lp_table_print(cmd, &table);
}

json_t *lp_experiment_result_read(struct lp_cmd *cmd, const char *text)
{
    const char *path = result_find(cmd, text);
    if (path)
        return result_read(cmd, path);
    if (text)
        lp_err_set(&cmd->err, LP_ENOTFOUND,
                   "there is no experiment '%s' in %s; `limpet experiment list` has those that are "
                   "kept",
                   text, lp_experiment_folder(cmd));
    else
        lp_err_set(&cmd->err, LP_ENOTFOUND, "no experiment was run yet");
    return NULL;
}

// What is left of an experiment whose end nobody has written, and how to be rid of it.
static void unfinished_show(const json_t *unfinished, bool is_running)
{
    size_t i;
    const json_t *infra;
    printf("%s run %lld of %lld\n",
           is_running ? "running: it is at" : "cut off: its runner ended in",
           lp_json_number(unfinished, "run"), lp_json_number(unfinished, "of"));
    if (is_running)
        return;
    puts("  what it broke ends by itself, or at once: limpet faults, limpet heal --all");
    json_array_foreach (json_object_get(unfinished, "infrastructures"), i, infra) {
        printf("  what it brought up stays: limpet down %s --volumes\n", json_string_value(infra));
    }
    puts("  what its setup did was not undone");
}

int lp_experiment_show(struct lp_cmd *cmd, int argc, char **argv)
{
    size_t i;
    const json_t *run;
    const char *path = result_find(cmd, argc > 1 ? argv[1] : NULL);
    json_t *result = lp_experiment_result_read(cmd, argc > 1 ? argv[1] : NULL);
    if (!result || !path)
        return lp_cmd_fail(cmd, &cmd->err);
    const char *slash = strrchr(path, '/');
    const char *home = slash ? lp_arena_text_n(cmd->arena, path, (size_t)(slash - path)) : ".";
    const char *word = status_word(result, home);
    if (cmd->is_json) {
        lp_json_show(result);
    } else {
        printf("%s: %s\n", lp_json_text(json_object_get(result, "experiment"), "title"), word);
        if (json_object_get(result, "unfinished"))
            unfinished_show(json_object_get(result, "unfinished"), strcmp(word, "running") == 0);
        json_array_foreach (json_object_get(result, "runs"), i, run) {
            run_show(cmd, run);
        }
        lp_experiment_summary_print(cmd, result);
    }
    json_decref(result);
    return LP_EXIT_DONE;
}

static int usage_tell(const char *word)
{
    const char *names[VERBS];
    for (size_t i = 0; i < VERBS; i++)
        names[i] = verbs[i].name;
    const char *nearest = lp_spelling_nearest(word, names, VERBS);
    fprintf(stderr, "limpet experiment: there is no '%s'; %s%s%s\n", word,
            nearest ? "did you mean '" : "it is one of run, list, check, show, report",
            nearest ? nearest : "", nearest ? "'?" : "");
    return LP_EXIT_USAGE;
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(argv[1], verbs[i].name) != 0)
            continue;
        int count = argc - 2;
        if (count >= verbs[i].least && (verbs[i].most < 0 || count <= verbs[i].most))
            return verbs[i].run(cmd, argc - 1, argv + 1);
        fprintf(stderr, "usage: limpet experiment %s %s\n", verbs[i].name, verbs[i].usage);
        return LP_EXIT_USAGE;
    }
    return usage_tell(argv[1]);
}

static const struct lp_option options[] = {
    {"set", 0, "NAME=VALUE", "run, check: the value of ${NAME} in the file; again for more"},
    {"repeat", 0, "N", "run: so many runs, whatever the file says"},
    {"seed", 0, "N", "run: of all chance in it"},
    {"out", 0, "DIR", "run: a copy of the result, besides <root>/experiments"},
    {"journal", 0, "FILE", "run: write a journal of the Chaos Toolkit, too"},
    {"interactive", 0, NULL, "run: ask a person what `ask:` wants to know"},
    {"html", 0, "FILE", "report: write a page with plots, which needs nothing else, here"},
    {"keep", 0, NULL, "run: leave the infrastructure up"},
    {0},
};

const struct lp_verb lp_verb_experiment = {
    .name = "experiment",
    .summary = "Break things as a file says, and judge whether what should hold did",
    .usage = "run FILE [--set NAME=VALUE]... [--repeat N] [--out DIR] [OPTIONS]\n"
             "list\n"
             "check FILE...\n"
             "show [ID|FILE]\n"
             "report ID|FILE... [--html PAGE]",
    .help =
        "run: bring up, check, break, check, heal, check, clean up; docs/experiments.md. Files\n"
        "of the Chaos Toolkit are taken as they are. Ctrl-C heals and cleans up first. Exit\n"
        "status: 0 passed or skipped, 1 failed, invalid or aborted, 2 the file is wrong.\n"
        "list: results that are kept. check: only read the files. show: a result again.\n"
        "report: the figures of one or more results, over repetitions, and their differences.",
    .options = options,
    .run = run,
    .least = 1,
    .most = -1,
};
