// Reads an experiment's file with the environment and --set.
#define _GNU_SOURCE
#include "cmd/experiment/experiment_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "model/parse_mistake.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/own.h"
#include "base/str.h"

// "NAME=VALUE" in place of one of the same name, or behind all.
static void setting_put(const char **all, size_t *count, const char *setting)
{
    size_t bytes = strcspn(setting, "=") + 1;
    for (size_t i = 0; i < *count; i++) {
        if (strncmp(all[i], setting, bytes) == 0) {
            all[i] = setting;
            return;
        }
    }
    all[(*count)++] = setting;
}

const char *const *lp_experiment_environment(struct lp_cmd *cmd, const struct lp_pairs *above)
{
    size_t count = 0, more = above ? above->count : 0;
    while (environ[count])
        count++;
    const char **all =
        lp_arena_new_array(cmd->arena, const char *, count + cmd->given_count + more + 1);
    for (size_t i = 0; i < count; i++)
        all[i] = environ[i];
    for (size_t k = 0; k < cmd->given_count; k++)
        if (strcmp(cmd->given[k].option->name, "set") == 0)
            setting_put(all, &count, cmd->given[k].value);
    for (size_t i = 0; i < more; i++)
        setting_put(
            all, &count,
            lp_arena_printf(cmd->arena, "%s=%s", above->items[i].key, above->items[i].value));
    return all;
}

static struct lp_pairs variables_of(struct lp_cmd *cmd, const struct lp_pairs *above)
{
    const char *const *all = lp_experiment_environment(cmd, above);
    struct lp_pairs pairs = {0};
    size_t count = 0;
    while (all[count])
        count++;
    pairs.items = lp_arena_new_array(cmd->arena, struct lp_pair, count + 1);
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(all[i], '=');
        if (equals)
            pairs.items[pairs.count++] = (struct lp_pair){
                lp_arena_text_n(cmd->arena, all[i], (size_t)(equals - all[i])), equals + 1};
    }
    return pairs;
}

LP_MUST_CHECK static int settings_check(struct lp_cmd *cmd)
{
    for (size_t k = 0; k < cmd->given_count; k++)
        if (strcmp(cmd->given[k].option->name, "set") == 0 &&
            (!strchr(cmd->given[k].value, '=') || cmd->given[k].value[0] == '='))
            return lp_err_set(&cmd->err, LP_EINPUT, "--set %s: NAME=VALUE is wanted",
                              cmd->given[k].value);
    return 0;
}

int lp_experiment_file_read(struct lp_cmd *cmd, const char *path, const struct lp_pairs *above,
                            struct lp_experiment *ret_experiment, const char **ret_sha256)
{
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_mistakes *mistakes = lp_arena_new(cmd->arena, struct lp_mistakes);
    char sha256[LP_SHA256_TEXT], folder[4096];
    if (settings_check(cmd) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (lp_file_read(path, LP_DESCRIPTOR_BYTES_MAX, &text, &cmd->err) < 0) {
        lp_cmd_fail(cmd, &cmd->err);
        return LP_EXIT_USAGE;
    }
    struct lp_pairs variables = variables_of(cmd, above);
    const char *absolute = path;
    if (path[0] != '/' && getcwd(folder, sizeof(folder)))
        absolute = lp_arena_printf(cmd->arena, "%s/%s", folder, path);
    lp_sha256_text(lp_str_text(&text), text.bytes, sha256);
    if (ret_sha256)
        *ret_sha256 = lp_arena_text(cmd->arena, sha256);
    const struct lp_experiment_input input = {
        .path = absolute,
        .text = lp_arena_text_n(cmd->arena, lp_str_text(&text), text.bytes),
        .bytes = text.bytes,
        .variables = &variables};
    if (lp_experiment_parse(&input, cmd->arena, mistakes, ret_experiment, &cmd->err) == 0) {
        if (ret_experiment->has_controls && !cmd->is_quiet)
            fprintf(stderr, "%s: its controls are not run: they are Python\n", path);
        return LP_EXIT_DONE;
    }
    for (size_t i = 0; i < mistakes->count; i++) {
        const struct lp_mistake *mistake = &mistakes->items[i];
        if (mistake->line > 0)
            fprintf(stderr, "%s:%d:%d: %s\n", path, mistake->line, mistake->column, mistake->text);
        else
            fprintf(stderr, "%s: %s\n", path, mistake->text);
    }
    return LP_EXIT_USAGE;
}
