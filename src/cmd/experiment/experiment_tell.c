// What a person sees of a run: one line when a step or check has come to its end, and on a terminal
// a last line that is alive.
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/experiment/experiment_parts.h"
#include "cmd/table.h"
#include "base/clock.h"
#include "base/own.h"

enum { LIVE_MS = 150, NAME_COLUMNS = 52, COLUMNS_LEAST = 40, COLUMNS_USUAL = 80, TEXT_COLUMN = 96 };

static bool is_told(const struct lp_run *run)
{
    return !run->cmd->is_json && !run->cmd->is_quiet;
}

static size_t terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col)
        return COLUMNS_USUAL;
    return size.ws_col > COLUMNS_LEAST ? size.ws_col : COLUMNS_LEAST;
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
    if (line->text && line->text[0]) {
        // What went well is told in one line of a terminal; `show` has all of it.
        bool is_short = run->cmd->is_terminal && line->color == LP_GREEN;
        size_t room = is_short ? terminal_columns() - 1 : SIZE_MAX;
        lp_str_add(&out, "  ");
        if (room > TEXT_COLUMN + 8)
            lp_text_fit(&out, line->text, room - (is_short ? TEXT_COLUMN : 0));
    }
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

struct present { // what goes on now
    const char *stage, *what, *text;
    int64_t since_ms, bound_ms; // bound: how long it takes at most; 0: not known
    bool is_wait;               // it takes exactly so long
    size_t more;                // checks beside this one
};

static void step_present(const struct lp_run *run, uint32_t i, struct present *now)
{
    const struct lp_trial *trial = run->trial;
    const struct lp_trial_step *step = &run->steps[i];
    const struct lp_run_step *row = &run->step_rows[i];
    now->what = row->name;
    now->since_ms = trial->steps[i].began_ms;
    now->is_wait = step->kind != LP_TRIAL_ACT;
    if (step->kind == LP_TRIAL_WAIT)
        now->bound_ms = step->wait_ms;
    else if (step->kind == LP_TRIAL_WAIT_LOAD && trial->load_ms != INT64_MAX)
        now->bound_ms = trial->load_ms + (int64_t)step->wait_ms - now->since_ms;
    else if (row->deadline_ms)
        now->bound_ms = row->deadline_ms - now->since_ms;
    else if (row->act == LP_RUN_STEP && row->step->timeout_ms)
        now->bound_ms = row->step->timeout_ms;
}

static bool present_find(const struct lp_run *run, struct present *now)
{
    const struct lp_trial *trial = run->trial;
    *now = (struct present){
        .stage = trial->stage < run->plan.stage_count ? run->stage_rows[trial->stage].name : ""};
    for (uint32_t i = 0; i < run->plan.step_count && !now->what; i++)
        if (trial->steps[i].state == LP_TRIAL_RUNNING)
            step_present(run, i, now);
    for (uint32_t i = 0; i < run->plan.first_guard; i++) {
        if (trial->checks[i].state != LP_TRIAL_RUNNING)
            continue;
        now->more += now->what != NULL;
        if (now->what)
            continue;
        now->what = run->check_rows[i].check->name;
        now->text = lp_str_text(&run->check_rows[i].text);
        now->since_ms = trial->checks[i].began_ms;
        if (run->checks[i].until == LP_TRIAL_FOR)
            now->bound_ms = (int64_t)run->checks[i].within_ms + run->checks[i].for_ms;
    }
    return now->what != NULL;
}

static void seconds_print(int64_t ms, struct lp_str *out)
{
    lp_str_printf(out, "%lld.%lld s", (long long)(ms / 1000), (long long)(ms % 1000 / 100));
}

// What is behind what goes on: the load, and the faults that are out.
static void background_print(const struct lp_run *run, int64_t now_ms, struct lp_str *out)
{
    size_t i;
    const json_t *fault;
    if (run->load_tag && run->load_start_wall_us) {
        int64_t span_ms = lp_load_span_us(&run->what.experiment->load) / 1000;
        int64_t age_ms = now_ms - run->load_start_wall_us / 1000;
        lp_str_add(out, " | load ");
        seconds_print(age_ms < span_ms ? age_ms : span_ms, out);
        lp_str_add(out, " of ");
        seconds_print(span_ms, out);
    }
    json_array_foreach (run->faults, i, fault) {
        int64_t until_ms = lp_json_number(fault, "until");
        if (!lp_run_is_fault_open(fault))
            continue;
        lp_str_printf(out, " | %s: %s", lp_json_text(fault, "target"), lp_json_text(fault, "kind"));
        if (until_ms > now_ms) {
            lp_str_add(out, ", ");
            seconds_print(until_ms - now_ms, out);
            lp_str_add(out, " left");
        }
    }
}

static void present_print(const struct lp_run *run, const struct present *now, int64_t now_ms,
                          struct lp_str *out)
{
    int64_t took_ms = now_ms > now->since_ms ? now_ms - now->since_ms : 0;
    LP_OWNS_STR struct lp_str what = {0};
    lp_text_fit(&what, now->what, NAME_COLUMNS);
    lp_str_printf(out, "  … %s%s: %s, ", run->trial->is_aborting ? "ending, " : "", now->stage,
                  lp_str_text(&what));
    if (now->is_wait && now->bound_ms > 0) {
        lp_str_printf(out, "%lld.%lld of ", (long long)(took_ms / 1000),
                      (long long)(took_ms % 1000 / 100));
        seconds_print(now->bound_ms, out);
    } else {
        seconds_print(took_ms, out);
        if (now->bound_ms > 0) {
            lp_str_add(out, " (at most ");
            seconds_print(now->bound_ms, out);
            lp_str_add_char(out, ')');
        }
    }
    if (now->more)
        lp_str_printf(out, ", and %zu more", now->more);
    background_print(run, now_ms, out);
    if (now->text && *now->text)
        lp_str_printf(out, " | %s", now->text);
}

void lp_run_tell_live(struct lp_run *run)
{
    int64_t now_ms = lp_wall_ms();
    struct present now;
    LP_OWNS_STR struct lp_str line = {0}, fit = {0};
    if (!is_told(run) || !run->cmd->is_terminal || run->what.is_interactive ||
        now_ms - run->drawn_ms < LIVE_MS)
        return;
    run->drawn_ms = now_ms;
    live_erase(run);
    if (run->trial->is_over || !present_find(run, &now))
        return;
    present_print(run, &now, now_ms, &line);
    lp_text_fit(&fit, lp_str_text(&line), terminal_columns() - 1);
    fputs(lp_str_text(&fit), stdout);
    fflush(stdout);
    run->drawn = 1;
}

void lp_run_tell_interrupt(struct lp_run *run, int count)
{
    if (!is_told(run) || count > 2)
        return;
    live_erase(run);
    puts(count == 1
             ? "  ending: faults are healed and all is cleaned up first; once more leaves out "
               "the last look"
             : "  ending: without the last look; the cleanup goes on");
    fflush(stdout);
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
