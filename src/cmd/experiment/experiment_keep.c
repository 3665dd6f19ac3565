// Keeps the result of an experiment: at home below the root after each run, and at the end wherever
// it was asked for.
#define _GNU_SOURCE
#include "cmd/experiment/experiment_keep.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/experiment/experiment.h"
#include "cmd/experiment/experiment_parts.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/handover.h"
#include "base/own.h"

enum { SLUG_BYTES = 40 };

static const char *id_make(struct lp_cmd *cmd, const char *title, int64_t at_ms)
{
    char slug[SLUG_BYTES + 1] = "", when[32];
    size_t bytes = 0;
    time_t at_s = at_ms / 1000;
    struct tm utc;
    for (const char *c = title; *c && bytes < SLUG_BYTES; c++) {
        bool is_word = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9');
        bool is_upper = *c >= 'A' && *c <= 'Z';
        if (is_word || is_upper)
            slug[bytes++] = (char)(is_upper ? *c + 32 : *c);
        else if (bytes && slug[bytes - 1] != '-')
            slug[bytes++] = '-';
    }
    while (bytes && slug[bytes - 1] == '-')
        bytes--;
    slug[bytes] = '\0';
    gmtime_r(&at_s, &utc);
    strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &utc);
    return lp_arena_printf(cmd->arena, "%s-%03d%s%s", when, (int)(at_ms % 1000), bytes ? "-" : "",
                           slug);
}

static const char *absolute(struct lp_cmd *cmd, const char *path)
{
    char folder[4096];
    bool is_relative = path && path[0] != '/' && getcwd(folder, sizeof(folder));
    return is_relative ? lp_arena_printf(cmd->arena, "%s/%s", folder, path) : path;
}

// What is not yet the root of a Limpet must stay empty until its daemon has begun.
static bool is_root_missing(const struct lp_cmd *cmd, const struct lp_keep *keep)
{
    return keep->is_below_root && !lp_path_exists(lp_arena_printf(cmd->arena, "%s/id", cmd->root));
}

int lp_keep_open(struct lp_cmd *cmd, const char *title, bool has_infra, struct lp_keep *ret_keep)
{
    const char *out = absolute(cmd, lp_option_value(cmd, "out"));
    struct lp_keep keep = {.id = id_make(cmd, title, lp_wall_ms()),
                           .out = out,
                           .journal = absolute(cmd, lp_option_value(cmd, "journal")),
                           .hold_fd = -1};
    bool is_root = lp_path_exists(lp_arena_printf(cmd->arena, "%s/id", cmd->root));
    const char *folder = has_infra ? lp_arena_printf(cmd->arena, "%s/experiments", cmd->root)
                                   : lp_experiment_folder(cmd);
    keep.home = absolute(cmd, lp_arena_printf(cmd->arena, "%s/%s", folder, keep.id));
    if (keep.out && !has_infra && !is_root) { // no Limpet lives here: the folder is the only one
        keep.home = out;
        keep.out = NULL;
    }
    keep.is_below_root = is_root || has_infra;
    bool is_due = !is_root_missing(cmd, &keep);
    if (keep.out && lp_handover_check_folder(keep.out, &cmd->err) < 0)
        return lp_err_wrap(&cmd->err, "--out");
    if (keep.journal && lp_handover_check_file(keep.journal, &cmd->err) < 0)
        return lp_err_wrap(&cmd->err, "--journal");
    if (is_due && lp_handover_check_folder(keep.home, &cmd->err) < 0)
        return keep.home == out ? lp_err_wrap(&cmd->err, "--out") : cmd->err.code;
    *ret_keep = keep;
    return 0;
}

int lp_keep_begin(struct lp_cmd *cmd, struct lp_keep *keep, const json_t *result)
{
    if (is_root_missing(cmd, keep))
        return 0;
    int code = lp_keep_result(cmd, keep, result);
    if (keep->hold_fd < 0)
        keep->hold_fd = open(keep->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (keep->hold_fd >= 0)
        (void)flock(keep->hold_fd, LOCK_EX | LOCK_NB);
    return code;
}

bool lp_keep_is_running(const char *home)
{
    LP_OWNS_FD int fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;
}

int lp_keep_result(struct lp_cmd *cmd, const struct lp_keep *keep, const json_t *result)
{
    const char *path = lp_arena_printf(cmd->arena, "%s/result.json", keep->home);
    LP_OWNS_TEXT char *text = json_dumps(result, JSON_COMPACT);
    if (!text)
        return lp_err_set(&cmd->err, LP_EIO, "the result cannot be written down");
    if (lp_dir_make(keep->home, 0700, &cmd->err) < 0)
        return cmd->err.code;
    return lp_file_write(path, text, strlen(text), 0600, &cmd->err);
}

// The result also from memory: home may be where there was no space.
LP_MUST_CHECK static int out_write(struct lp_cmd *cmd, const struct lp_keep *keep,
                                   const json_t *result)
{
    const struct lp_keep there = {.home = keep->out};
    size_t i;
    const json_t *run;
    if (lp_keep_result(cmd, &there, result) < 0)
        return cmd->err.code;
    json_array_foreach (json_object_get(result, "runs"), i, run) {
        const char *file = lp_json_text(json_object_get(run, "load"), "file");
        if (*file &&
            lp_handover_copy(lp_arena_printf(cmd->arena, "%s/%s", keep->home, file),
                             lp_arena_printf(cmd->arena, "%s/%s", keep->out, file), &cmd->err) < 0)
            return cmd->err.code;
    }
    return 0;
}

bool lp_keep_end(struct lp_cmd *cmd, struct lp_keep *keep, const json_t *result, const char *source)
{
    if (is_root_missing(cmd, keep)) { // every run was skipped: no daemon has begun
        keep->home = keep->out
                         ? keep->out
                         : absolute(cmd, lp_arena_printf(cmd->arena, "%s/%s",
                                                         lp_experiment_folder(cmd), keep->id));
        keep->out = NULL;
    }
    bool is_home = lp_keep_result(cmd, keep, result) == 0, is_out = true, is_journal = true;
    const char *told = is_home ? keep->home : NULL;
    if (!is_home)
        (void)lp_cmd_fail(cmd, &cmd->err);
    if (keep->out) {
        is_out = out_write(cmd, keep, result) == 0;
        if (!is_out)
            (void)lp_cmd_fail(cmd, &cmd->err);
        told = is_out ? keep->out : told;
    }
    if (keep->journal) {
        is_journal = lp_experiment_journal_write(keep->journal, source, result, &cmd->err) == 0;
        if (!is_journal)
            (void)lp_cmd_fail(cmd, &cmd->err);
    }
    if (told && !cmd->is_json && !cmd->is_quiet)
        printf("%s/result.json\n", told);
    return is_home && is_out && is_journal;
}
