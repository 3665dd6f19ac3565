// One run of an experiment as a function: facts come in, orders go out. It holds nothing but plain
// tables; whoever carries the orders out tells what came of them.
//   stages in order: prepare, setup, steady-state, break and heal, cleanup, steady-state-after,
//   teardown; in each the steps one after the other, then its checks beside one another.
// Source: [S0] 5; rules for what the well-known tools leave open: docs/experiments.md.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/limits.h"

enum lp_trial_status { // the worse, the higher
    LP_TRIAL_PASSED,
    LP_TRIAL_SKIPPED, // a requirement is not met: nothing was touched
    LP_TRIAL_INVALID, // it says nothing: not steady beforehand, or what was to be done failed
    LP_TRIAL_FAILED,  // a check did not come out as expected
    LP_TRIAL_ABORTED, // a guard, or a person, ended it
};
enum lp_trial_stage_kind {
    LP_TRIAL_PREPARE,
    LP_TRIAL_SETUP,
    LP_TRIAL_STEADY,
    LP_TRIAL_BREAK,
    LP_TRIAL_HEAL,
    LP_TRIAL_CLEANUP,
    LP_TRIAL_AFTER,
    LP_TRIAL_TEARDOWN,
    LP_TRIAL_STAGE_KINDS
};
enum lp_trial_step_kind {
    LP_TRIAL_ACT,       // ordered
    LP_TRIAL_WAIT,      // wait_ms pass
    LP_TRIAL_WAIT_LOAD, // until wait_ms after the load began
};
enum lp_trial_until { LP_TRIAL_FOR, LP_TRIAL_FAULTS_END, LP_TRIAL_LOAD_END };
#define LP_TRIAL_NONE UINT32_MAX

struct lp_trial_stage {
    uint8_t kind;
    uint32_t first_step, step_count, first_check, check_count;
};
struct lp_trial_step {
    uint8_t kind;
    bool is_background; // the next one does not wait for it
    bool may_fail;
    bool judges; // its failure is that of a check: somebody has looked
    bool breaks; // done once each of its faults is in effect: no check is read before
    uint32_t wait_ms;
    uint32_t undo_of; // only when that step was begun; LP_TRIAL_NONE
};
struct lp_trial_check {
    uint32_t within_ms; // the time for which it must hold begins at most so late; 0: at once
    uint32_t for_ms, every_ms;
    uint8_t until;            // enum lp_trial_until
    bool is_failure_expected; // good when the reading is bad
};

struct lp_trial_plan { // lent; constant once begun
    const struct lp_trial_stage *stages;
    const struct lp_trial_step *steps;
    const struct lp_trial_check *checks;
    uint32_t stage_count, step_count, check_count;
    uint32_t first_guard, guard_count; // checks that end the run when they come out good
    uint32_t heal_step; // undoes every fault; in the cleanup. First of all after an abort
};

enum lp_trial_event_kind {
    LP_TRIAL_BEGIN,     // is_ok: every requirement is met
    LP_TRIAL_STEP_DONE, // index, is_ok
    LP_TRIAL_READING,   // index of a check, is_ok
    LP_TRIAL_FAULTS,    // is_ok: none is out
    LP_TRIAL_LOAD_BEGAN,
    LP_TRIAL_LOAD_OVER, // or there is none
    LP_TRIAL_TICK,      // wake_at_ms came
    LP_TRIAL_INTERRUPT, // a person wants it to end; the second time without looking again
};
struct lp_trial_event {
    enum lp_trial_event_kind kind;
    uint32_t index;
    bool is_ok;
    int64_t at_ms; // never decreases
};

enum lp_trial_order_kind {
    LP_TRIAL_RUN_STEP,    // begin it; STEP_DONE follows
    LP_TRIAL_CANCEL_STEP, // end it as soon as can be; STEP_DONE follows all the same
    LP_TRIAL_READ_CHECK,  // begin a reading; READING follows, unless it is dropped
    LP_TRIAL_DROP_CHECK,  // no reading of it is wanted any more
};
struct lp_trial_order {
    enum lp_trial_order_kind kind;
    uint32_t index;
};
enum { LP_TRIAL_ORDERS_MAX = 2 * (LP_TRIAL_STEPS_MAX + LP_TRIAL_CHECKS_MAX) };
struct lp_trial_orders {
    struct lp_trial_order items[LP_TRIAL_ORDERS_MAX];
    size_t count;
    int64_t wake_at_ms; // INT64_MAX: no need
    bool is_over;       // the run has ended; status says how
};

enum lp_trial_state { // of a stage, step or check
    LP_TRIAL_IDLE,
    LP_TRIAL_RUNNING,
    LP_TRIAL_GOOD,
    LP_TRIAL_BAD,
    LP_TRIAL_LEFT_OUT,
    LP_TRIAL_CANCELLED,
};
struct lp_trial_stage_row {
    uint8_t state;
    int64_t began_ms, ended_ms; // 0: not
};
struct lp_trial_step_row {
    uint8_t state;
    int64_t began_ms, ended_ms;
};
struct lp_trial_check_row {
    uint8_t state;
    bool is_reading, has_reading, was_good;
    int64_t began_ms, ended_ms;
    int64_t read_ms;       // the last reading began
    int64_t good_since_ms; // of the present run of good readings
};
enum lp_trial_reason_kind {
    LP_TRIAL_NOT_MET,
    LP_TRIAL_STEP_FAILED,
    LP_TRIAL_CHECK_FAILED,
    LP_TRIAL_GUARD,
    LP_TRIAL_INTERRUPTED,
};
struct lp_trial_reason {
    uint8_t kind, stage_kind;
    uint32_t stage, index; // of the step or check
};
enum { LP_TRIAL_REASONS_MAX = 64 };

struct lp_trial {
    struct lp_trial_plan plan;
    uint8_t status; // enum lp_trial_status
    bool is_over, is_checking, is_aborting, are_faults_over, is_load_over, was_broken;
    uint8_t interrupts;
    uint32_t stage, step; // where it is
    int64_t now_ms, load_ms;
    uint32_t reason_count;
    struct lp_trial_reason reasons[LP_TRIAL_REASONS_MAX];
    struct lp_trial_stage_row stages[LP_TRIAL_STAGES_MAX];
    struct lp_trial_step_row steps[LP_TRIAL_STEPS_MAX];
    struct lp_trial_check_row checks[LP_TRIAL_CHECKS_MAX];
};

// Ready for BEGIN. The plan must be within the bounds of limits.h, its stages in the order of
// their kinds (break and heal may alternate).
void lp_trial_init(struct lp_trial *trial, const struct lp_trial_plan *plan);
// Take one fact in; ret_orders is written anew. Facts about what was not asked for are ignored.
void lp_trial_step(struct lp_trial *trial, const struct lp_trial_event *event,
                   struct lp_trial_orders *ret_orders);
extern const char *const lp_trial_status_words[];
extern const char *const lp_trial_stage_words[];

// Of the checks (trial_check.c): begin it; take a reading in; ask for the next one when its time
// has come. A check that has come to its end has state GOOD or BAD.
void lp_trial_check_begin(struct lp_trial *trial, uint32_t index);
void lp_trial_check_take(struct lp_trial *trial, uint32_t index, bool is_ok);
void lp_trial_check_ask(struct lp_trial *trial, uint32_t index, struct lp_trial_orders *orders);
