// The course of an experiment: which stage, which step, and what the verdict is.
#include "core/trial.h"

#include "base/err.h"

const char *const lp_trial_status_words[] = {
    [LP_TRIAL_PASSED] = "passed", [LP_TRIAL_SKIPPED] = "skipped", [LP_TRIAL_INVALID] = "invalid",
    [LP_TRIAL_FAILED] = "failed", [LP_TRIAL_ABORTED] = "aborted",
};
const char *const lp_trial_stage_words[] = {
    [LP_TRIAL_PREPARE] = "prepare",
    [LP_TRIAL_SETUP] = "setup",
    [LP_TRIAL_STEADY] = "steady-state",
    [LP_TRIAL_BREAK] = "break",
    [LP_TRIAL_HEAL] = "heal",
    [LP_TRIAL_CLEANUP] = "cleanup",
    [LP_TRIAL_AFTER] = "steady-state-after",
    [LP_TRIAL_TEARDOWN] = "teardown",
};

void lp_trial_init(struct lp_trial *trial, const struct lp_trial_plan *plan)
{
    lp_assert(plan->stage_count <= LP_TRIAL_STAGES_MAX && plan->step_count <= LP_TRIAL_STEPS_MAX &&
              plan->check_count <= LP_TRIAL_CHECKS_MAX);
    *trial = (struct lp_trial){.plan = *plan, .are_faults_over = true, .load_ms = INT64_MAX};
    trial->stage = LP_TRIAL_NONE;
}

static enum lp_trial_stage_kind kind_of(const struct lp_trial *trial, uint32_t stage)
{
    return (enum lp_trial_stage_kind)trial->plan.stages[stage].kind;
}

static void order(struct lp_trial_orders *orders, enum lp_trial_order_kind kind, uint32_t index)
{
    orders->items[orders->count++] = (struct lp_trial_order){kind, index};
}

static void reason_add(struct lp_trial *trial, enum lp_trial_reason_kind kind, uint32_t index)
{
    if (trial->reason_count == LP_TRIAL_REASONS_MAX)
        return;
    uint8_t stage_kind =
        trial->stage == LP_TRIAL_NONE ? LP_TRIAL_PREPARE : trial->plan.stages[trial->stage].kind;
    trial->reasons[trial->reason_count++] =
        (struct lp_trial_reason){(uint8_t)kind, stage_kind, trial->stage, index};
}

// What a failure in a stage of this kind makes of the run.
static void spoil(struct lp_trial *trial, enum lp_trial_stage_kind kind, bool is_check)
{
    bool is_before = kind <= LP_TRIAL_STEADY || (kind == LP_TRIAL_BREAK && !is_check);
    if (trial->status == LP_TRIAL_PASSED)
        trial->status = is_before ? LP_TRIAL_INVALID : LP_TRIAL_FAILED;
}

// Which stages are still wanted, as things stand.
static bool is_wanted(const struct lp_trial *trial, uint32_t stage)
{
    switch (kind_of(trial, stage)) {
    case LP_TRIAL_PREPARE:
    case LP_TRIAL_SETUP:
    case LP_TRIAL_STEADY:
    case LP_TRIAL_BREAK:
        return trial->status == LP_TRIAL_PASSED;
    case LP_TRIAL_HEAL:
        return trial->status == LP_TRIAL_PASSED || trial->status == LP_TRIAL_FAILED;
    case LP_TRIAL_AFTER:
        return trial->was_broken && trial->interrupts < 2;
    default:
        return true;
    }
}

static void guards_begin(struct lp_trial *trial)
{
    for (uint32_t i = 0; i < trial->plan.guard_count; i++)
        if (trial->checks[trial->plan.first_guard + i].state == LP_TRIAL_IDLE)
            lp_trial_check_begin(trial, trial->plan.first_guard + i);
}

static void check_leave(struct lp_trial *trial, uint32_t index, struct lp_trial_orders *orders)
{
    struct lp_trial_check_row *row = &trial->checks[index];
    if (row->is_reading)
        order(orders, LP_TRIAL_DROP_CHECK, index);
    if (row->state == LP_TRIAL_RUNNING || row->state == LP_TRIAL_IDLE) {
        row->state = row->state == LP_TRIAL_RUNNING ? LP_TRIAL_CANCELLED : LP_TRIAL_LEFT_OUT;
        row->ended_ms = row->began_ms ? trial->now_ms : 0;
    }
    row->is_reading = false;
}

static void guards_end(struct lp_trial *trial, struct lp_trial_orders *orders)
{
    for (uint32_t i = 0; i < trial->plan.guard_count; i++)
        check_leave(trial, trial->plan.first_guard + i, orders);
}

static void stage_leave_out(struct lp_trial *trial, uint32_t index, struct lp_trial_orders *orders)
{
    const struct lp_trial_stage *stage = &trial->plan.stages[index];
    trial->stages[index].state = LP_TRIAL_LEFT_OUT;
    for (uint32_t i = 0; i < stage->step_count; i++)
        trial->steps[stage->first_step + i].state = LP_TRIAL_LEFT_OUT;
    for (uint32_t i = 0; i < stage->check_count; i++)
        check_leave(trial, stage->first_check + i, orders);
}

static void stage_end(struct lp_trial *trial, struct lp_trial_orders *orders)
{
    const struct lp_trial_stage *stage = &trial->plan.stages[trial->stage];
    struct lp_trial_stage_row *row = &trial->stages[trial->stage];
    bool is_good = true;
    for (uint32_t i = 0; i < stage->step_count; i++) {
        const struct lp_trial_step_row *step = &trial->steps[stage->first_step + i];
        bool may_fail = trial->plan.steps[stage->first_step + i].may_fail;
        is_good = is_good && (step->state != LP_TRIAL_BAD || may_fail) &&
                  step->state != LP_TRIAL_CANCELLED;
        if (step->state == LP_TRIAL_IDLE)
            trial->steps[stage->first_step + i].state = LP_TRIAL_LEFT_OUT;
    }
    for (uint32_t i = 0; i < stage->check_count; i++) {
        check_leave(trial, stage->first_check + i, orders);
        is_good = is_good && trial->checks[stage->first_check + i].state == LP_TRIAL_GOOD;
    }
    row->state = is_good ? LP_TRIAL_GOOD : LP_TRIAL_BAD;
    row->ended_ms = trial->now_ms;
}

static void next_stage(struct lp_trial *trial, struct lp_trial_orders *orders)
{
    uint32_t next = trial->stage == LP_TRIAL_NONE ? 0 : trial->stage + 1;
    for (; next < trial->plan.stage_count && !is_wanted(trial, next); next++)
        stage_leave_out(trial, next, orders);
    trial->stage = next;
    trial->step = 0;
    trial->is_checking = false;
    if (next == trial->plan.stage_count) {
        guards_end(trial, orders);
        trial->is_over = true;
        return;
    }
    enum lp_trial_stage_kind kind = kind_of(trial, next);
    trial->stages[next] = (struct lp_trial_stage_row){LP_TRIAL_RUNNING, trial->now_ms, 0};
    if (kind == LP_TRIAL_BREAK) {
        trial->was_broken = true;
        guards_begin(trial);
    }
    if (kind > LP_TRIAL_HEAL)
        guards_end(trial, orders);
}

static bool is_open(const struct lp_trial *trial, uint32_t step)
{
    const struct lp_trial_step_row *row = &trial->steps[step];
    return row->state == LP_TRIAL_RUNNING ||
           (row->state == LP_TRIAL_CANCELLED && row->began_ms && !row->ended_ms);
}

static void step_end(struct lp_trial *trial, uint32_t index, bool is_ok)
{
    struct lp_trial_step_row *row = &trial->steps[index];
    bool was_cancelled = row->state == LP_TRIAL_CANCELLED;
    row->ended_ms = trial->now_ms;
    if (was_cancelled)
        return;
    row->state = is_ok ? LP_TRIAL_GOOD : LP_TRIAL_BAD;
    if (is_ok || trial->plan.steps[index].may_fail)
        return;
    reason_add(trial, LP_TRIAL_STEP_FAILED, index);
    spoil(trial, kind_of(trial, trial->stage), trial->plan.steps[index].judges);
}

// The end of a wait, as far as it is known; INT64_MAX: until something happens.
static int64_t wait_end_ms(const struct lp_trial *trial, uint32_t index)
{
    const struct lp_trial_step *step = &trial->plan.steps[index];
    if (step->kind == LP_TRIAL_WAIT)
        return trial->steps[index].began_ms + (int64_t)step->wait_ms;
    if (trial->is_load_over)
        return trial->now_ms;
    return trial->load_ms == INT64_MAX ? INT64_MAX : trial->load_ms + (int64_t)step->wait_ms;
}

// A step that was undone before, or undoes what was not done, is left out.
static bool is_needless(const struct lp_trial *trial, uint32_t index)
{
    uint32_t undone = trial->plan.steps[index].undo_of;
    if (trial->steps[index].state != LP_TRIAL_IDLE)
        return true;
    return undone != LP_TRIAL_NONE && trial->steps[undone].began_ms == 0;
}

static void step_begin(struct lp_trial *trial, uint32_t index, struct lp_trial_orders *orders)
{
    trial->steps[index] = (struct lp_trial_step_row){LP_TRIAL_RUNNING, trial->now_ms, 0};
    if (trial->plan.steps[index].kind == LP_TRIAL_ACT)
        order(orders, LP_TRIAL_RUN_STEP, index);
}

// One of the steps of the stage that is neither over nor left behind. true: it has to be waited
// for, with or without a time.
static bool step_turn(struct lp_trial *trial, uint32_t index, struct lp_trial_orders *orders)
{
    struct lp_trial_step_row *row = &trial->steps[index];
    const struct lp_trial_step *step = &trial->plan.steps[index];
    if (row->state == LP_TRIAL_IDLE) {
        if (is_needless(trial, index)) {
            row->state = LP_TRIAL_LEFT_OUT;
            return false;
        }
        step_begin(trial, index, orders);
    }
    if (row->state == LP_TRIAL_RUNNING && step->kind != LP_TRIAL_ACT) {
        int64_t end_ms = wait_end_ms(trial, index);
        if (end_ms <= trial->now_ms)
            step_end(trial, index, true);
        else if (end_ms < orders->wake_at_ms)
            orders->wake_at_ms = end_ms;
    }
    return is_open(trial, index) && !step->is_background;
}

// A stage goes on with its steps only while they do what they should; what cleans up always does.
static bool goes_on(const struct lp_trial *trial)
{
    enum lp_trial_stage_kind kind = kind_of(trial, trial->stage);
    if (kind >= LP_TRIAL_CLEANUP)
        return true;
    if (trial->is_aborting)
        return false;
    return kind == LP_TRIAL_HEAL ? true : trial->status == LP_TRIAL_PASSED;
}

// What is under way in the background is waited for before the cleanup; what breaks, before the
// checks; and all of a stage that is broken off.
static bool is_behind_open(const struct lp_trial *trial)
{
    const struct lp_trial_stage *stage = &trial->plan.stages[trial->stage];
    for (uint32_t i = stage->first_step; i < stage->first_step + stage->step_count; i++)
        if (is_open(trial, i) &&
            (trial->plan.steps[i].breaks || !goes_on(trial) || stage->kind >= LP_TRIAL_CLEANUP))
            return true;
    return false;
}

static bool is_before_open(const struct lp_trial *trial)
{
    const struct lp_trial_stage *stage = &trial->plan.stages[trial->stage];
    for (uint32_t i = 0; stage->kind >= LP_TRIAL_CLEANUP && i < stage->first_step; i++)
        if (is_open(trial, i))
            return true;
    return false;
}

// true: the steps of the stage are over.
static bool steps_turn(struct lp_trial *trial, struct lp_trial_orders *orders)
{
    const struct lp_trial_stage *stage = &trial->plan.stages[trial->stage];
    if (is_before_open(trial))
        return false;
    if (stage->kind == LP_TRIAL_CLEANUP && trial->step == 0 && trial->is_aborting &&
        trial->plan.heal_step != LP_TRIAL_NONE) {
        if (step_turn(trial, trial->plan.heal_step, orders))
            return false;
    }
    while (trial->step < stage->step_count && goes_on(trial)) {
        if (step_turn(trial, stage->first_step + trial->step, orders))
            return false;
        trial->step++;
    }
    return !is_behind_open(trial);
}

// true: the checks of the stage are over.
static bool checks_turn(struct lp_trial *trial, struct lp_trial_orders *orders)
{
    const struct lp_trial_stage *stage = &trial->plan.stages[trial->stage];
    bool is_any_open = false;
    if (!goes_on(trial))
        return true;
    for (uint32_t i = 0; !trial->is_checking && i < stage->check_count; i++)
        lp_trial_check_begin(trial, stage->first_check + i);
    trial->is_checking = true;
    for (uint32_t i = stage->first_check; i < stage->first_check + stage->check_count; i++) {
        struct lp_trial_check_row *row = &trial->checks[i];
        lp_trial_check_ask(trial, i, orders);
        is_any_open = is_any_open || row->state == LP_TRIAL_RUNNING;
    }
    return !is_any_open;
}

static void verdicts_take(struct lp_trial *trial)
{
    const struct lp_trial_stage *stage = &trial->plan.stages[trial->stage];
    for (uint32_t i = 0; i < stage->check_count; i++) {
        if (trial->checks[stage->first_check + i].state != LP_TRIAL_BAD)
            continue;
        reason_add(trial, LP_TRIAL_CHECK_FAILED, stage->first_check + i);
        spoil(trial, (enum lp_trial_stage_kind)stage->kind, true);
    }
}

static void abort_begin(struct lp_trial *trial, struct lp_trial_orders *orders)
{
    bool is_late = trial->stage == LP_TRIAL_NONE || trial->is_over ||
                   kind_of(trial, trial->stage) >= LP_TRIAL_CLEANUP;
    trial->status = LP_TRIAL_ABORTED;
    trial->is_aborting = true;
    for (uint32_t i = 0; !is_late && i < trial->plan.step_count; i++) {
        struct lp_trial_step_row *row = &trial->steps[i];
        if (row->state != LP_TRIAL_RUNNING)
            continue;
        row->state = LP_TRIAL_CANCELLED;
        if (trial->plan.steps[i].kind == LP_TRIAL_ACT)
            order(orders, LP_TRIAL_CANCEL_STEP, i);
        else
            row->ended_ms = trial->now_ms;
    }
    guards_end(trial, orders);
}

static void guards_turn(struct lp_trial *trial, struct lp_trial_orders *orders)
{
    for (uint32_t i = 0; i < trial->plan.guard_count && !trial->is_aborting; i++) {
        uint32_t index = trial->plan.first_guard + i;
        lp_trial_check_ask(trial, index, orders);
        if (trial->checks[index].state != LP_TRIAL_GOOD)
            continue;
        reason_add(trial, LP_TRIAL_GUARD, index);
        abort_begin(trial, orders);
    }
}

static void interrupt(struct lp_trial *trial, struct lp_trial_orders *orders)
{
    trial->interrupts++;
    if (trial->interrupts == 1) {
        reason_add(trial, LP_TRIAL_INTERRUPTED, LP_TRIAL_NONE);
        abort_begin(trial, orders);
    }
    // Somebody who asks twice does not want it to be looked at again.
    if (trial->interrupts > 1 && trial->stage < trial->plan.stage_count &&
        kind_of(trial, trial->stage) == LP_TRIAL_AFTER) {
        stage_end(trial, orders);
        next_stage(trial, orders);
    }
}

static void event_take(struct lp_trial *trial, const struct lp_trial_event *event,
                       struct lp_trial_orders *orders)
{
    switch (event->kind) {
    case LP_TRIAL_BEGIN:
        if (trial->stage != LP_TRIAL_NONE)
            break;
        if (!event->is_ok) {
            reason_add(trial, LP_TRIAL_NOT_MET, event->index);
            trial->status = LP_TRIAL_SKIPPED;
            for (uint32_t i = 0; i < trial->plan.stage_count; i++)
                stage_leave_out(trial, i, orders);
            trial->stage = trial->plan.stage_count;
            trial->is_over = true;
        } else {
            next_stage(trial, orders);
        }
        break;
    case LP_TRIAL_STEP_DONE:
        if (event->index < trial->plan.step_count && trial->steps[event->index].began_ms &&
            !trial->steps[event->index].ended_ms)
            step_end(trial, event->index, event->is_ok);
        break;
    case LP_TRIAL_READING:
        if (event->index < trial->plan.check_count)
            lp_trial_check_take(trial, event->index, event->is_ok);
        break;
    case LP_TRIAL_FAULTS:
        trial->are_faults_over = event->is_ok;
        break;
    case LP_TRIAL_LOAD_BEGAN:
        trial->load_ms = event->at_ms;
        break;
    case LP_TRIAL_LOAD_OVER:
        trial->is_load_over = true;
        break;
    case LP_TRIAL_INTERRUPT:
        interrupt(trial, orders);
        break;
    case LP_TRIAL_TICK:
        break;
    }
}

void lp_trial_step(struct lp_trial *trial, const struct lp_trial_event *event,
                   struct lp_trial_orders *ret_orders)
{
    ret_orders->count = 0;
    ret_orders->wake_at_ms = INT64_MAX;
    if (event->at_ms > trial->now_ms)
        trial->now_ms = event->at_ms;
    event_take(trial, event, ret_orders);
    while (!trial->is_over && trial->stage != LP_TRIAL_NONE) {
        guards_turn(trial, ret_orders);
        if (!trial->is_checking && !steps_turn(trial, ret_orders))
            break;
        if (!checks_turn(trial, ret_orders))
            break;
        verdicts_take(trial);
        stage_end(trial, ret_orders);
        next_stage(trial, ret_orders);
    }
    ret_orders->is_over = trial->is_over;
}
