// The hands of a run: steps and readings are processes, so that none can hold another up.
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/experiment/experiment_parts.h"
#include "base/clock.h"
#include "base/own.h"

enum {
    OUTPUT_BYTES_MAX = 512 * 1024,
    SHOWN_BYTES = 300,
    PROBE_EXTRA_MS = 2000, // for its own start
    UP_MS = 15 * 60 * 1000,
    READINGS_MAX = 1000,
    WORDS_MAX = 24,
};

void lp_run_note(struct lp_run *run, enum lp_trial_event_kind kind, uint32_t index, bool is_ok)
{
    lp_assert(run->queued < sizeof(run->queue) / sizeof(*run->queue));
    run->queue[run->queued++] = (struct lp_trial_event){kind, index, is_ok, lp_wall_ms()};
}

void lp_run_step_end(struct lp_run *run, uint32_t index, bool is_ok)
{
    struct lp_run_step *row = &run->step_rows[index];
    if (!row->is_open)
        return;
    row->is_open = false;
    row->tag = 0;
    lp_run_note(run, LP_TRIAL_STEP_DONE, index, is_ok);
}

int lp_run_orphan_end(void *context, const char **ret_step)
{
    (void)context, (void)ret_step;
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    return 0;
}

static void spawn(struct lp_run *run, uint32_t index, const char *const *argv, uint32_t timeout_ms,
                  const char *input)
{
    struct lp_run_step *row = &run->step_rows[index];
    struct lp_err err;
    char folder[4096];
    const struct lp_child_spec spec = {.argv = argv,
                                       .environment = run->what.environment,
                                       .folder = getcwd(folder, sizeof(folder)),
                                       .input = input,
                                       .output_max = OUTPUT_BYTES_MAX,
                                       .prepare = lp_run_orphan_end,
                                       .timeout_ms = timeout_ms};
    row->tag = ++run->next_tag;
    if (lp_children_spawn(run->children, &spec, row->tag, NULL, &err) == 0)
        return;
    lp_str_add(&row->text, err.text);
    lp_run_step_end(run, index, false);
}

// A verb of this program; words end with NULL.
static void verb_spawn(struct lp_run *run, uint32_t index, const char *const *words,
                       uint32_t timeout_ms)
{
    const char *argv[WORDS_MAX] = {run->cmd->program, "--root", run->cmd->root};
    size_t count = 3;
    if (run->what.infra) {
        argv[count++] = "--infra";
        argv[count++] = run->what.infra;
    }
    while (*words && count + 1 < WORDS_MAX)
        argv[count++] = *words++;
    spawn(run, index, argv, timeout_ms, NULL);
}

static void command_spawn(struct lp_run *run, uint32_t index, const struct lp_texts *command)
{
    const struct lp_experiment_step *step = run->step_rows[index].step;
    const char **argv = lp_arena_new_array(run->cmd->arena, const char *, command->count + 8);
    size_t count = 0;
    if (step->node) {
        const char *own[] = {run->cmd->program, "--root",
                             run->cmd->root,    "exec",
                             "--infra",         run->what.infra ? run->what.infra : "",
                             step->node};
        for (; count < sizeof(own) / sizeof(*own); count++)
            argv[count] = own[count];
    }
    for (size_t i = 0; i < command->count; i++)
        argv[count++] = command->items[i];
    spawn(run, index, argv, step->timeout_ms, NULL);
}

static void ask(struct lp_run *run, uint32_t index)
{
    struct lp_run_step *row = &run->step_rows[index];
    if (!run->what.is_interactive) {
        lp_str_add(&row->text, "nobody was asked: not --interactive");
        lp_run_step_end(run, index, true);
        return;
    }
    fprintf(stderr, "%s [y/n] ", row->step->question);
}

// What a person has typed meanwhile; guards and bounds go on while nobody answers.
static void answer_look(struct lp_run *run, uint32_t index)
{
    struct lp_run_step *row = &run->step_rows[index];
    char line[256];
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&input, 1, 0) <= 0)
        return;
    ssize_t count = read(STDIN_FILENO, line, sizeof(line) - 1);
    size_t bytes = count > 0 ? (size_t)count : 0;
    line[bytes] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    bool is_yes = line[0] == 'y' || line[0] == 'Y';
    lp_str_printf(&row->text, "%s", bytes ? line : "nobody answers");
    lp_run_step_end(run, index, is_yes);
}

static void file_step_begin(struct lp_run *run, uint32_t index)
{
    struct lp_run_step *row = &run->step_rows[index];
    const struct lp_experiment_step *step = row->step;
    struct lp_arena *arena = run->cmd->arena;
    switch (step->kind) {
    case LP_EXPERIMENT_RUN:
        command_spawn(run, index, &step->argv);
        break;
    case LP_EXPERIMENT_SCALE: {
        const char *words[] = {"scale",
                               lp_arena_printf(arena, "%s=%u", step->target, step->replicas), NULL};
        verb_spawn(run, index, words, UP_MS);
        break;
    }
    case LP_EXPERIMENT_RESTART:
        verb_spawn(run, index, (const char *[]){"restart", row->target, NULL}, UP_MS);
        break;
    case LP_EXPERIMENT_UP:
        verb_spawn(run, index, (const char *[]){"up", row->target, NULL}, step->timeout_ms);
        break;
    case LP_EXPERIMENT_DOWN:
        verb_spawn(run, index, (const char *[]){"down", row->target, NULL}, step->timeout_ms);
        break;
    case LP_EXPERIMENT_ASK:
        ask(run, index);
        break;
    case LP_EXPERIMENT_REQUEST: {
        const char *argv[] = {run->cmd->program, "probe", "activity", NULL};
        spawn(run, index, argv, step->timeout_ms ? step->timeout_ms + PROBE_EXTRA_MS : 0,
              step->source);
        break;
    }
    case LP_EXPERIMENT_BREAK:
        lp_run_break(run, index);
        break;
    case LP_EXPERIMENT_HEAL:
        lp_run_heal(run, index);
        break;
    case LP_EXPERIMENT_SWIZZLE: // written out: each of its steps breaks or heals
        if (run->steps[index].breaks)
            lp_run_break(run, index);
        else
            lp_run_heal(run, index);
        break;
    default:
        lp_run_step_end(run, index, true);
        break;
    }
}

void lp_run_step_begin(struct lp_run *run, uint32_t index)
{
    struct lp_run_step *row = &run->step_rows[index];
    row->is_open = true;
    switch (row->act) {
    case LP_RUN_STEP:
        file_step_begin(run, index);
        break;
    case LP_RUN_PREPARE:
        verb_spawn(run, index, (const char *[]){"up", run->what.descriptor, NULL}, UP_MS);
        break;
    case LP_RUN_TEARDOWN:
        verb_spawn(run, index, (const char *[]){"down", run->what.infra, "--volumes", NULL}, UP_MS);
        break;
    case LP_RUN_UNDO:
        command_spawn(run, index, &row->step->undo);
        break;
    case LP_RUN_HEAL_ALL:
        lp_run_heal_all(run, index);
        break;
    case LP_RUN_START_LOAD:
        lp_run_load_begin(run, index);
        break;
    case LP_RUN_END_LOAD: // its end is told by lp_run_load_look
        if (!run->load_tag)
            lp_run_step_end(run, index, true);
        break;
    }
}

void lp_run_step_cancel(struct lp_run *run, uint32_t index)
{
    struct lp_run_step *row = &run->step_rows[index];
    if (!row->is_open)
        return;
    lp_str_add(&row->text, "broken off");
    if (row->tag)
        lp_children_signal(run->children, row->tag, SIGKILL);
    else
        lp_run_step_end(run, index, false); // what it has ordered is known, and will be healed
}

void lp_run_check_read(struct lp_run *run, uint32_t index)
{
    struct lp_run_check *row = &run->check_rows[index];
    const struct lp_experiment_check *check = row->check;
    struct lp_err err;
    char since[24];
    const char *infra = run->what.infra ? run->what.infra : "none";
    snprintf(since, sizeof(since), "%lld", (long long)run->began_ms);
    const char *const argv[] = {run->cmd->program,
                                "--root",
                                run->cmd->root,
                                "--infra",
                                infra,
                                "probe",
                                check->kind == LP_EXPERIMENT_TOLERANCE ? "tolerance" : "check",
                                since,
                                NULL};
    char folder[4096];
    const struct lp_child_spec spec = {.argv = argv,
                                       .environment = run->what.environment,
                                       .folder = getcwd(folder, sizeof(folder)),
                                       .input = check->source,
                                       .output_max = OUTPUT_BYTES_MAX,
                                       .prepare = lp_run_orphan_end,
                                       .timeout_ms = check->timeout_ms + PROBE_EXTRA_MS};
    row->tag = ++run->next_tag;
    row->read_ms = lp_wall_ms();
    if (lp_children_spawn(run->children, &spec, row->tag, NULL, &err) == 0)
        return;
    row->tag = 0;
    lp_str_clear(&row->text);
    lp_str_add(&row->text, err.text);
    lp_run_note(run, LP_TRIAL_READING, index, false);
}

void lp_run_check_drop(struct lp_run *run, uint32_t index)
{
    struct lp_run_check *row = &run->check_rows[index];
    if (row->tag)
        lp_children_signal(run->children, row->tag, SIGKILL);
    row->tag = 0;
}

// The first thousand, and each change after them.
static void reading_keep(struct lp_run_check *row, bool is_ok, long long took_us)
{
    bool is_change = !row->has_reading || is_ok != row->was_ok;
    row->has_reading = true;
    row->was_ok = is_ok;
    if (json_array_size(row->readings) >= READINGS_MAX && !is_change)
        return;
    json_array_append_new(row->readings,
                          json_pack("{s:I, s:b, s:I, s:s}", "at", (json_int_t)row->read_ms, "ok",
                                    is_ok, "took_us", (json_int_t)took_us, "text",
                                    lp_str_text(&row->text)));
}

static void reading_take(struct lp_run *run, uint32_t index, const struct lp_child_exit *exit)
{
    struct lp_run_check *row = &run->check_rows[index];
    json_t *answer = json_loadb(exit->output, exit->output_bytes, 0, NULL);
    bool is_ok = answer && json_is_true(json_object_get(answer, "ok"));
    row->tag = 0;
    lp_str_clear(&row->text);
    if (answer)
        lp_str_add(&row->text, lp_json_text(answer, "text"));
    else
        lp_str_add(&row->text, exit->is_timed_out ? "no answer in time" : "the probe broke");
    json_decref(row->output);
    row->output = json_incref(json_object_get(answer, "output"));
    reading_keep(row, is_ok, answer ? lp_json_number(answer, "took_us") : -1);
    json_decref(answer);
    lp_run_note(run, LP_TRIAL_READING, index, is_ok);
}

// What a command wrote, cut and made one line.
static void words_take(struct lp_str *text, const char *bytes, size_t count)
{
    size_t valid = lp_utf8_valid(bytes, count);
    while (valid > 0 && (bytes[valid - 1] == '\n' || bytes[valid - 1] == ' '))
        valid--;
    size_t from = valid > SHOWN_BYTES ? valid - SHOWN_BYTES : 0;
    while (from < valid && ((unsigned char)bytes[from] & 0xc0) == 0x80)
        from++;
    for (size_t i = from; i < valid; i++)
        lp_str_add_char(text, (unsigned char)bytes[i] < ' ' ? ' ' : bytes[i]);
}

static void step_take(struct lp_run *run, uint32_t index, const struct lp_child_exit *exit)
{
    struct lp_run_step *row = &run->step_rows[index];
    bool is_activity = row->act == LP_RUN_STEP && row->step->kind == LP_EXPERIMENT_REQUEST;
    bool is_ok = exit->status == 0 && !exit->is_timed_out;
    if (is_activity) {
        json_t *answer = json_loadb(exit->output, exit->output_bytes, 0, NULL);
        is_ok = is_ok && json_is_true(json_object_get(answer, "ok"));
        lp_str_add(&row->text, answer ? lp_json_text(answer, "text") : "no answer");
        row->output = json_incref(json_object_get(answer, "output"));
        json_decref(answer);
    } else {
        words_take(&row->text, exit->output, exit->output_bytes);
        if (!is_ok) {
            lp_str_add(&row->text, row->text.bytes ? " (" : "(");
            if (exit->is_timed_out)
                lp_str_add(&row->text, "took too long");
            else
                lp_child_status_print(exit->status, &row->text);
            lp_str_add_char(&row->text, ')');
        }
    }
    lp_run_step_end(run, index, is_ok);
}

static void exit_take(void *context, const struct lp_child_exit *exit)
{
    struct lp_run *run = context;
    if (exit->tag == run->load_tag) {
        run->load_tag = 0;
        words_take(&run->load_text, exit->output, exit->output_bytes);
        lp_run_note(run, LP_TRIAL_LOAD_OVER, 0, true);
        return;
    }
    for (uint32_t i = 0; i < run->plan.check_count; i++) {
        if (run->check_rows[i].tag == exit->tag) {
            reading_take(run, i, exit);
            return;
        }
    }
    for (uint32_t i = 0; i < run->plan.step_count; i++) {
        if (run->step_rows[i].tag == exit->tag) {
            step_take(run, i, exit);
            return;
        }
    }
}

void lp_run_children_take(struct lp_run *run)
{
    lp_children_collect(run->children, exit_take, run);
}

void lp_run_limits_look(struct lp_run *run)
{
    int64_t now_ms = lp_wall_ms();
    for (uint32_t i = 0; i < run->plan.step_count; i++) {
        struct lp_run_step *row = &run->step_rows[i];
        if (row->is_open && row->act == LP_RUN_STEP && row->step->kind == LP_EXPERIMENT_ASK)
            answer_look(run, i);
        if (!row->is_open || !row->deadline_ms || now_ms < row->deadline_ms)
            continue;
        lp_str_add(&row->text, "nothing was heard of it in time");
        lp_run_step_end(run, i, false);
    }
}
