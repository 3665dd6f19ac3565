// What a person sees of a run: one line when a step or check has come to its end, and on a terminal
// a last line that is alive.
#include <stdio.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/experiment/experiment_parts.h"
#include "cmd/table.h"
#include "base/clock.h"
#include "base/own.h"

enum { LIVE_MS = 150, NAME_COLUMNS = 52 };

static bool is_told(const struct lp_run *run)
{
    return !run->cmd->is_json && !run->cmd->is_quiet;
}

static void live_erase(struct lp_run *run)
{
    if (run->drawn)
        fputs("\r\033[K", stdout);
    run->drawn = 0;
}

static void span_print(int64_t ms, struct lp_str *out)
{
    if (ms < 10 * 1000)
        lp_str_printf(out, "%lld ms", (long long)ms);
    else
        lp_str_printf(out, "%lld.%lld s", (long long)(ms / 1000), (long long)(ms % 1000 / 100));
}

void lp_run_tell_begin(struct lp_run *run)
{
    const struct lp_run_what *what = &run->what;
    const struct lp_experiment *experiment = what->experiment;
    if (!is_told(run))
        return;
    printf("%s", experiment->title);
    if (experiment->repeat > 1 || experiment->compare_count)
        printf(" (run %u: %s, repetition %u)", what->number, what->name, what->repetition);
    printf("\n");
    fflush(stdout);
}

struct line {
    const char *stage, *name, *word, *text;
    enum lp_color color;
    int64_t took_ms;
};

static void line_print(struct lp_run *run, const struct line *line)
{
    LP_OWNS_STR struct lp_str out = {0}, name = {0}, took = {0};
    bool has_color = run->cmd->has_color;
    live_erase(run);
    lp_text_fit(&name, line->name, NAME_COLUMNS);
    span_print(line->took_ms, &took);
    lp_color_begin(&out, LP_DIM, has_color);
    lp_str_printf(&out, "  %-18s ", line->stage);
    lp_color_end(&out, LP_DIM, has_color);
    lp_str_printf(&out, "%s%*s  ", lp_str_text(&name),
                  (int)(NAME_COLUMNS - lp_text_width(lp_str_text(&name))), "");
    lp_color_begin(&out, line->color, has_color);
    lp_str_printf(&out, "%-9s", line->word);
    lp_color_end(&out, line->color, has_color);
    lp_str_printf(&out, " %9s", lp_str_text(&took));
    if (line->text && line->text[0])
        lp_str_printf(&out, "  %s", line->text);
    puts(lp_str_text(&out));
    fflush(stdout);
}

void lp_run_tell_step(struct lp_run *run, uint32_t index, const char *stage)
{
    const struct lp_trial_step_row *row = &run->trial->steps[index];
    const struct lp_run_step *step = &run->step_rows[index];
    bool is_good = row->state == LP_TRIAL_GOOD;
    bool is_quiet = is_good && step->act != LP_RUN_STEP;
    struct line line = {.stage = stage,
                        .name = step->name,
                        .word = is_good                            ? "done"
                                : row->state == LP_TRIAL_CANCELLED ? "cancelled"
                                                                   : "failed",
                        .text = is_quiet ? "" : lp_str_text(&step->text),
                        .color = is_good ? LP_GREEN : LP_RED,
                        .took_ms = row->ended_ms - row->began_ms};
    if (is_told(run))
        line_print(run, &line);
}

void lp_run_tell_check(struct lp_run *run, uint32_t index, const char *stage)
{
    const struct lp_trial_check_row *row = &run->trial->checks[index];
    const struct lp_run_check *check = &run->check_rows[index];
    bool is_good = row->state == LP_TRIAL_GOOD, is_guard = check->is_guard;
    LP_OWNS_STR struct lp_str name = {0};
    lp_str_add(&name, check->check->name);
    if (check->check->is_failure_expected)
        lp_str_add(&name, " (is to fail)");
    struct line line = {.stage = is_guard ? "guard" : stage,
                        .name = lp_str_text(&name),
                        .word = is_guard  ? "abort"
                                : is_good ? "passed"
                                          : "failed",
                        .text = lp_str_text(&check->text),
                        .color = is_good && !is_guard ? LP_GREEN : LP_RED,
                        .took_ms = row->ended_ms - row->began_ms};
    if (is_told(run))
        line_print(run, &line);
}

static bool is_ended(uint8_t state)
{
    return state == LP_TRIAL_GOOD || state == LP_TRIAL_BAD;
}

void lp_run_tell_changes(struct lp_run *run)
{
    const struct lp_trial *trial = run->trial;
    for (uint32_t s = 0; s < run->plan.stage_count; s++) {
        const struct lp_trial_stage *stage = &run->stages[s];
        const char *name = run->stage_rows[s].name;
        for (uint32_t i = stage->first_step; i < stage->first_step + stage->step_count; i++) {
            struct lp_run_step *row = &run->step_rows[i];
            bool is_over =
                is_ended(trial->steps[i].state) ||
                (trial->steps[i].state == LP_TRIAL_CANCELLED && trial->steps[i].ended_ms);
            if (is_over && !row->is_told)
                lp_run_tell_step(run, i, name);
            row->is_told = row->is_told || is_over;
        }
        for (uint32_t i = stage->first_check; i < stage->first_check + stage->check_count; i++) {
            struct lp_run_check *row = &run->check_rows[i];
            if (is_ended(trial->checks[i].state) && !row->is_told)
                lp_run_tell_check(run, i, name);
            row->is_told = row->is_told || is_ended(trial->checks[i].state);
        }
    }
    for (uint32_t i = run->plan.first_guard; i < run->plan.check_count; i++) {
        if (trial->checks[i].state == LP_TRIAL_GOOD && !run->check_rows[i].is_told) {
            run->check_rows[i].is_told = true;
            lp_run_tell_check(run, i, "guard");
        }
    }
}

// What goes on now: the step under way, or the checks that are open with what they last saw.
static const char *present(const struct lp_run *run, int64_t *ret_since_ms)
{
    const struct lp_trial *trial = run->trial;
    for (uint32_t i = 0; i < run->plan.step_count; i++) {
        if (trial->steps[i].state != LP_TRIAL_RUNNING)
            continue;
        *ret_since_ms = trial->steps[i].began_ms;
        return run->step_rows[i].name;
    }
    for (uint32_t i = 0; i < run->plan.first_guard; i++) {
        if (trial->checks[i].state != LP_TRIAL_RUNNING)
            continue;
        *ret_since_ms = trial->checks[i].began_ms;
        return run->check_rows[i].text.bytes
                   ? lp_arena_printf(run->cmd->arena, "%s: %s", run->check_rows[i].check->name,
                                     lp_str_text(&run->check_rows[i].text))
                   : run->check_rows[i].check->name;
    }
    return NULL;
}

void lp_run_tell_live(struct lp_run *run)
{
    int64_t now_ms = lp_wall_ms(), since_ms = now_ms;
    LP_OWNS_STR struct lp_str line = {0}, took = {0};
    if (!is_told(run) || !run->cmd->is_terminal || run->what.is_interactive ||
        now_ms - run->drawn_ms < LIVE_MS)
        return;
    run->drawn_ms = now_ms;
    const char *what = present(run, &since_ms);
    live_erase(run);
    if (!what || run->trial->is_over)
        return;
    span_print(now_ms - since_ms, &took);
    lp_text_fit(&line, what, NAME_COLUMNS + 4);
    printf("  … %s %s", lp_str_text(&line), lp_str_text(&took));
    fflush(stdout);
    run->drawn = 1;
}

void lp_run_reason_print(const struct lp_run *run, const struct lp_trial_reason *reason,
                         struct lp_str *ret_text)
{
    const struct lp_run_check *check = &run->check_rows[reason->index];
    const struct lp_run_step *step = &run->step_rows[reason->index];
    const char *stage = reason->stage == LP_TRIAL_NONE || reason->stage >= run->plan.stage_count
                            ? "start"
                            : run->stage_rows[reason->stage].name;
    switch ((enum lp_trial_reason_kind)reason->kind) {
    case LP_TRIAL_NOT_MET:
        lp_str_add(ret_text, run->unmet ? run->unmet : "a requirement is not met");
        break;
    case LP_TRIAL_STEP_FAILED:
        lp_str_printf(ret_text, "%s: %s failed: %s", stage, step->name, lp_str_text(&step->text));
        break;
    case LP_TRIAL_CHECK_FAILED:
        if (check->check->is_failure_expected)
            lp_str_printf(ret_text, "%s: %s should have failed: %s", stage, check->check->name,
                          lp_str_text(&check->text));
        else
            lp_str_printf(ret_text, "%s: %s: %s", stage, check->check->name,
                          lp_str_text(&check->text));
        break;
    case LP_TRIAL_GUARD:
        lp_str_printf(ret_text, "%s: abort_when %s: %s", stage, check->check->name,
                      lp_str_text(&check->text));
        break;
    case LP_TRIAL_INTERRUPTED:
        lp_str_printf(ret_text, "%s: somebody ended it", stage);
        break;
    }
}

void lp_run_tell_end(struct lp_run *run, const json_t *result)
{
    size_t i;
    const json_t *reason;
    const char *status = lp_json_text(result, "status");
    LP_OWNS_STR struct lp_str out = {0}, took = {0};
    bool is_good = strcmp(status, "passed") == 0;
    live_erase(run);
    if (!is_told(run))
        return;
    span_print(run->ended_ms - run->began_ms, &took);
    lp_color_begin(&out, is_good ? LP_GREEN : LP_RED, run->cmd->has_color);
    lp_str_printf(&out, "%s", status);
    lp_color_end(&out, is_good ? LP_GREEN : LP_RED, run->cmd->has_color);
    lp_str_printf(&out, " after %s\n", lp_str_text(&took));
    json_array_foreach (json_object_get(result, "reasons"), i, reason) {
        lp_str_printf(&out, "  %s\n", json_string_value(reason));
    }
    fputs(lp_str_text(&out), stdout);
    fflush(stdout);
}
