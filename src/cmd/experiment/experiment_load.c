// The load of a run: a generator in a process of its own.
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/experiment/experiment_parts.h"
#include "drivers/load/load_file.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"

enum { OUTPUT_BYTES_MAX = 64 * 1024, BEGIN_MS = 30 * 1000, STOP_MS = 2000 };

void lp_run_load_begin(struct lp_run *run, uint32_t index)
{
    struct lp_cmd *cmd = run->cmd;
    struct lp_run_step *row = &run->step_rows[index];
    struct lp_err err;
    LP_OWNS_STR struct lp_str plan = {0};
    char folder[4096];
    const char *path =
        lp_arena_printf(cmd->arena, "%s/load-%u.json", run->what.folder, run->what.number);
    run->load_path =
        lp_arena_printf(cmd->arena, "%s/run-%u.load", run->what.folder, run->what.number);
    lp_load_print(&run->what.experiment->load, &plan);
    if (lp_dir_make(run->what.folder, 0700, &err) < 0 ||
        lp_file_write(path, lp_str_text(&plan), plan.bytes, 0600, &err) < 0) {
        lp_str_add(&row->text, err.text);
        lp_run_step_end(run, index, false);
        return;
    }
    const char *argv[] = {cmd->program, "--root",       cmd->root, "--infra", run->what.infra,
                          "load",       "--plan",       path,      "--out",   run->load_path,
                          "--quiet",    "--fail-above", "100%",    NULL};
    const struct lp_child_spec spec = {.argv = argv,
                                       .environment = run->what.environment,
                                       .folder = getcwd(folder, sizeof(folder)),
                                       .output_max = OUTPUT_BYTES_MAX,
                                       .prepare = lp_run_orphan_end};
    if (!run->what.infra) // URLs only: there is no infrastructure to name
        memmove(argv + 3, argv + 5, sizeof(argv) - 5 * sizeof(*argv));
    uint64_t tag = ++run->next_tag;
    if (lp_children_spawn(run->children, &spec, tag, NULL, &err) < 0) {
        lp_str_add(&row->text, err.text);
        lp_run_step_end(run, index, false);
        return;
    }
    run->load_tag = tag;
    row->deadline_ms = lp_wall_ms() + BEGIN_MS;
}

static void begin_look(struct lp_run *run, uint32_t index)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_load_data data;
    struct lp_err err;
    if (lp_path_exists(run->load_path) &&
        lp_load_file_read(run->load_path, &arena, &data, &err) == 0) {
        run->load_start_wall_us = data.header.start_wall_us;
        lp_load_data_release(&data);
        lp_run_note(run, LP_TRIAL_LOAD_BEGAN, 0, true);
        run->queue[run->queued - 1].at_ms = run->load_start_wall_us / 1000;
        lp_run_step_end(run, index, true);
    } else if (!run->load_tag) {
        lp_str_add(&run->step_rows[index].text, "the load could not begin");
        lp_run_step_end(run, index, false);
    }
}

void lp_run_load_look(struct lp_run *run)
{
    for (uint32_t i = 0; i < run->plan.step_count; i++) {
        const struct lp_run_step *row = &run->step_rows[i];
        if (!row->is_open)
            continue;
        if (row->act == LP_RUN_START_LOAD)
            begin_look(run, i);
        else if (row->act == LP_RUN_END_LOAD && !run->load_tag)
            lp_run_step_end(run, i, true);
    }
}

// Asked once it ends in good order, asked twice at once; then it is killed.
void lp_run_load_stop(struct lp_run *run)
{
    int64_t now_ms = lp_wall_ms();
    if (!run->load_tag || now_ms - run->load_stop_ms < STOP_MS)
        return;
    run->load_stop_ms = now_ms;
    lp_children_signal(run->children, run->load_tag, run->load_stops < 2 ? SIGINT : SIGKILL);
    run->load_stops++;
}
