// The inside of `limpet experiment run`: one run, and who does what in it. Used by
// cmd/experiment*.c only.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/trial.h"
#include "drivers/child.h"
#include "model/experiment.h"

struct lp_client;
struct lp_cmd;
struct lp_str;

enum lp_run_act { // what a step of a run does, beyond those of the file
    LP_RUN_STEP,  // as the file says
    LP_RUN_PREPARE,
    LP_RUN_START_LOAD,
    LP_RUN_END_LOAD,
    LP_RUN_HEAL_ALL,
    LP_RUN_UNDO,
    LP_RUN_TEARDOWN,
};

struct lp_run_step {
    enum lp_run_act act;
    const struct lp_experiment_step *step; // NULL: none of the file
    const char *name, *action;
    const char *target;  // of BREAK and HEAL, after choices were made
    uint32_t heals;      // HEAL: the faults of this step; LP_TRIAL_NONE: by target
    struct lp_str text;  // what came of it
    json_t *output;      // of an activity; NULL
    json_t *faults;      // names of faults that it ordered; NULL
    int64_t deadline_ms; // of what nobody else bounds; 0
    bool is_open;        // ordered, and not done yet
    bool is_told;
    uint64_t tag; // of its process
};
struct lp_run_check {
    const struct lp_experiment_check *check;
    json_t *readings;
    struct lp_str text; // of the last one
    json_t *output;     // the last one's, for a journal
    uint64_t tag;       // of the reading under way; 0
    bool is_guard, was_ok, has_reading, is_told;
    int64_t read_ms;
};
struct lp_run_stage {
    const char *name;
};

struct lp_run_what { // what one run is about
    const struct lp_experiment *experiment;
    const char *name;               // of the variant
    const char *infra, *descriptor; // descriptor NULL: it runs already, or none is needed
    const char *folder;             // where records go
    unsigned number, variant, repetition;
    uint64_t seed;
    bool is_left_whole; // nothing is broken in it
    bool is_interactive, is_kept;
    const char *const *environment; // of its commands
    void (*begun)(void *context);   // called when its folder is there and nothing was touched yet
    void *context;
};

struct lp_run {
    struct lp_cmd *cmd;
    struct lp_client *client;
    struct lp_run_what what;
    struct lp_trial *trial;
    struct lp_trial_orders *orders;
    struct lp_trial_stage stages[LP_TRIAL_STAGES_MAX];
    struct lp_run_stage stage_rows[LP_TRIAL_STAGES_MAX];
    struct lp_trial_step steps[LP_TRIAL_STEPS_MAX];
    struct lp_run_step step_rows[LP_TRIAL_STEPS_MAX];
    struct lp_trial_check checks[LP_TRIAL_CHECKS_MAX];
    struct lp_run_check check_rows[LP_TRIAL_CHECKS_MAX];
    struct lp_trial_plan plan;
    struct lp_children *children;
    uint64_t next_tag;
    int64_t began_ms, ended_ms;
    const char *unmet; // requirement that is not met; NULL
    bool was_running;  // the infrastructure, before the run

    json_t *faults, *events; // as in docs/experiment-result.md
    long long after;         // journal record up to which was read
    int64_t news_ms;         // when that was
    bool has_daemon;

    uint64_t load_tag; // 0: no load runs
    const char *load_path;
    struct lp_str load_text;    // what its generator said
    int64_t load_start_wall_us; // 0: not known yet
    unsigned load_stops;
    int64_t load_stop_ms;
    struct lp_trial_event queue[LP_TRIAL_CHECKS_MAX + 64]; // facts for the trial
    size_t queued;

    size_t drawn; // columns of the live line
    int64_t drawn_ms;
};

// A fact for the trial.
void lp_run_note(struct lp_run *run, enum lp_trial_event_kind kind, uint32_t index, bool is_ok);
// The step has come to its end.
void lp_run_step_end(struct lp_run *run, uint32_t index, bool is_ok);

// experiment_plan.c: the tables of stages, steps and checks. LP_EFULL: too many.
LP_MUST_CHECK int lp_run_plan(struct lp_run *run, struct lp_err *err);
// experiment_require.c: NULL, or why this machine cannot run it.
const char *lp_run_unmet(struct lp_run *run);
// experiment_act.c: begin a step; cancel it; order readings; take in what processes said.
// In a child before exec: when whoever runs the experiment is killed, its processes end, too.
int lp_run_orphan_end(void *context, const char **ret_step);
void lp_run_step_begin(struct lp_run *run, uint32_t index);
void lp_run_step_cancel(struct lp_run *run, uint32_t index);
void lp_run_check_read(struct lp_run *run, uint32_t index);
void lp_run_check_drop(struct lp_run *run, uint32_t index);
void lp_run_children_take(struct lp_run *run);
// The time limits of steps, and what a cancelled or aborted run waits for.
void lp_run_limits_look(struct lp_run *run);
// experiment_fault.c: order, heal, and hear of faults.
void lp_run_break(struct lp_run *run, uint32_t index);
void lp_run_heal(struct lp_run *run, uint32_t index);
void lp_run_heal_all(struct lp_run *run, uint32_t index);
bool lp_run_is_fault_open(const json_t *fault);
// Read the journal on; due: only when that is due.
void lp_run_news(struct lp_run *run, bool is_due);
// experiment_load.c
void lp_run_load_begin(struct lp_run *run, uint32_t index);
void lp_run_load_look(struct lp_run *run);
void lp_run_load_stop(struct lp_run *run);
// experiment_result.c: the run as JSON, the caller's.
json_t *lp_run_result(struct lp_run *run);
// experiment_tell.c: what a person sees of it.
void lp_run_tell_begin(struct lp_run *run);
void lp_run_tell_step(struct lp_run *run, uint32_t index, const char *stage);
void lp_run_tell_check(struct lp_run *run, uint32_t index, const char *stage);
void lp_run_tell_changes(struct lp_run *run); // what has come to its end since the last call
void lp_run_tell_live(struct lp_run *run);
void lp_run_tell_interrupt(struct lp_run *run, int count); // somebody wants it to end, so often
void lp_run_tell_end(struct lp_run *run, const json_t *result);
// In words, why a run ended as it did.
void lp_run_reason_print(const struct lp_run *run, const struct lp_trial_reason *reason,
                         struct lp_str *ret_text);

// experiment_run.c: do one run from beginning to end. Its result is the caller's.
json_t *lp_run_do(struct lp_cmd *cmd, const struct lp_run_what *what);
// How often a person wanted it to end. watch: from now on Ctrl-C and SIGTERM are counted.
int lp_run_interrupts(void);
void lp_run_interrupts_watch(void);
