// From an experiment to the tables of one run: combinations are written out, stages that are not
// in the file are added.
#include <stdlib.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/descriptor_file.h"
#include "cmd/experiment/experiment_parts.h"
#include "base/rng.h"

struct making {
    struct lp_run *run;
    struct lp_rng rng;
    struct lp_err *err;
    uint32_t stage; // index of the one that grows
    bool has_failed;
    bool is_left_whole; // the steps that break or heal are left out
};

static const char *const action_words[] = {
    [LP_RUN_PREPARE] = "up",        [LP_RUN_START_LOAD] = "start-load",
    [LP_RUN_END_LOAD] = "end-load", [LP_RUN_HEAL_ALL] = "heal-all",
    [LP_RUN_UNDO] = "exec",         [LP_RUN_TEARDOWN] = "down",
};

static void stage_open(struct making *making, enum lp_trial_stage_kind kind, const char *name)
{
    struct lp_trial_plan *plan = &making->run->plan;
    making->stage = plan->stage_count++;
    making->run->stage_rows[making->stage].name = name;
    making->run->stages[making->stage] = (struct lp_trial_stage){
        .kind = (uint8_t)kind, .first_step = plan->step_count, .first_check = plan->check_count};
}

// Returns the step's index; steps and checks of a stage lie beside one another.
static uint32_t step_add(struct making *making, const struct lp_trial_step *step,
                         const struct lp_run_step *row)
{
    struct lp_trial_plan *plan = &making->run->plan;
    if (plan->step_count == LP_TRIAL_STEPS_MAX) {
        if (!making->has_failed)
            lp_err_set(making->err, LP_EFULL, "more than %d steps when all is written out",
                       LP_TRIAL_STEPS_MAX);
        making->has_failed = true;
        return LP_TRIAL_NONE;
    }
    uint32_t index = plan->step_count++;
    making->run->steps[index] = *step;
    making->run->step_rows[index] = *row;
    making->run->stages[making->stage].step_count++;
    return index;
}

static uint32_t act_add(struct making *making, enum lp_run_act act, const char *name)
{
    const struct lp_trial_step step = {.undo_of = LP_TRIAL_NONE};
    const struct lp_run_step row = {
        .act = act, .name = name, .action = action_words[act], .heals = LP_TRIAL_NONE};
    return step_add(making, &step, &row);
}

static void wait_add(struct making *making, uint32_t wait_ms)
{
    const struct lp_trial_step step = {
        .kind = LP_TRIAL_WAIT, .wait_ms = wait_ms, .undo_of = LP_TRIAL_NONE};
    const struct lp_run_step row = {.name = "wait", .action = "wait", .heals = LP_TRIAL_NONE};
    if (wait_ms)
        step_add(making, &step, &row);
}

// The nodes of a service: those that there are, else those that the descriptor wants.
static size_t nodes_find(struct making *making, const char *service, const char ***ret_nodes)
{
    struct lp_run *run = making->run;
    struct lp_cmd *cmd = run->cmd;
    struct lp_descriptor_file file;
    json_t *nodes = NULL;
    const json_t *node;
    size_t i, count = 0;
    if (run->has_daemon && lp_client_get(run->client, &nodes, &cmd->err, "/v1/nodes",
                                         "infrastructure", run->what.infra, LP_QUERY_END) == 0) {
        *ret_nodes = lp_arena_new_array(cmd->arena, const char *, json_array_size(nodes) + 1);
        json_array_foreach (nodes, i, node) {
            if (strcmp(lp_json_text(node, "service"), service) == 0)
                (*ret_nodes)[count++] = lp_arena_text(cmd->arena, lp_json_text(node, "node"));
        }
        json_decref(nodes);
    }
    if (count || !run->what.descriptor ||
        lp_descriptor_file_read(cmd, run->what.descriptor, &file) != LP_EXIT_DONE)
        return count;
    const struct lp_service *row = lp_descriptor_find_service(file.descriptor, service);
    uint32_t replicas = row ? row->replicas : 0;
    *ret_nodes = lp_arena_new_array(cmd->arena, const char *, (size_t)replicas + 1);
    for (; count < replicas; count++)
        (*ret_nodes)[count] = lp_arena_printf(cmd->arena, "%s-%zu", service, count + 1);
    return count;
}

static void shuffle(struct lp_rng *rng, uint32_t *items, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = lp_rng_below(rng, i);
        uint32_t kept = items[i - 1];
        items[i - 1] = items[other];
        items[other] = kept;
    }
}

// Stop a random subset one by one, restore it in another random order.
// Source: FoundationDB, "swizzle-clogging" (documentation, Simulation and Testing).
static void swizzle_add(struct making *making, const struct lp_experiment_step *step)
{
    struct lp_cmd *cmd = making->run->cmd;
    const char **nodes = NULL;
    size_t all = nodes_find(making, step->target, &nodes);
    size_t count = (all * step->share_permille + 500) / 1000;
    count = count ? count : 1;
    uint32_t *order = lp_arena_new_array(cmd->arena, uint32_t, all + 1);
    struct lp_rng own, *rng = &making->rng;
    if (all == 0) {
        if (!making->has_failed)
            lp_err_set(making->err, LP_ENOTFOUND, "swizzle: there is no service '%s' with nodes",
                       step->target);
        making->has_failed = true;
        return;
    }
    if (step->has_seed) {
        lp_rng_init(&own, step->seed + making->run->what.repetition - 1);
        rng = &own;
    }
    for (uint32_t i = 0; i < all; i++)
        order[i] = i;
    shuffle(rng, order, all);
    for (size_t i = 0; i < count; i++) {
        const struct lp_trial_step broken = {.breaks = true, .undo_of = LP_TRIAL_NONE};
        const struct lp_run_step row = {
            .step = step,
            .name = lp_arena_printf(cmd->arena, "break %s: %s", nodes[order[i]], step->fault),
            .action = "break",
            .target = nodes[order[i]],
            .heals = LP_TRIAL_NONE};
        order[i] = step_add(making, &broken, &row);
        wait_add(making, step->wait_ms);
    }
    if (making->has_failed)
        return;
    shuffle(rng, order, count);
    for (size_t i = 0; i < count; i++) {
        const char *target = making->run->step_rows[order[i]].target;
        const struct lp_trial_step healed = {.undo_of = LP_TRIAL_NONE};
        const struct lp_run_step row = {.step = step,
                                        .name = lp_arena_printf(cmd->arena, "heal %s", target),
                                        .action = "heal",
                                        .target = target,
                                        .heals = order[i]};
        step_add(making, &healed, &row);
        if (i + 1 < count)
            wait_add(making, step->wait_ms);
    }
}

static void steps_add(struct making *making, const struct lp_experiment_steps *steps);

// Choices by weight, with putting back.
static void random_add(struct making *making, const struct lp_experiment_step *step)
{
    uint64_t total = 0;
    struct lp_rng own, *rng = &making->rng;
    if (step->has_seed) {
        lp_rng_init(&own, step->seed + making->run->what.repetition - 1);
        rng = &own;
    }
    for (size_t i = 0; i < step->inner.count; i++)
        total += step->inner.items[i].weight;
    for (uint32_t turn = 0; turn < step->count && !making->has_failed && total; turn++) {
        uint64_t drawn = lp_rng_below(rng, total);
        size_t chosen = 0;
        while (drawn >= step->inner.items[chosen].weight)
            drawn -= step->inner.items[chosen++].weight;
        if (turn)
            wait_add(making, step->wait_ms);
        steps_add(making, &step->inner.items[chosen].inner);
    }
}

static void repeat_add(struct making *making, const struct lp_experiment_step *step)
{
    for (uint32_t turn = 0; turn < step->count && !making->has_failed; turn++) {
        if (turn)
            wait_add(making, step->wait_ms);
        steps_add(making, &step->inner);
    }
}

// `heal NAME`: of the last step to break that bears this name; else a target.
static uint32_t healed_find(const struct lp_run *run, const char *target)
{
    for (uint32_t i = run->plan.step_count; i > 0; i--) {
        const struct lp_run_step *row = &run->step_rows[i - 1];
        if (run->steps[i - 1].breaks && strcmp(row->name, target) == 0)
            return i - 1;
    }
    return LP_TRIAL_NONE;
}

static void plain_add(struct making *making, const struct lp_experiment_step *from)
{
    bool is_wait = from->kind == LP_EXPERIMENT_WAIT;
    const struct lp_trial_step step = {.kind = !is_wait                ? LP_TRIAL_ACT
                                               : from->is_wait_of_load ? LP_TRIAL_WAIT_LOAD
                                                                       : LP_TRIAL_WAIT,
                                       .is_background = from->is_background,
                                       .may_fail = from->may_fail,
                                       .judges = from->kind == LP_EXPERIMENT_ASK,
                                       .breaks = from->kind == LP_EXPERIMENT_BREAK,
                                       .wait_ms = from->wait_ms,
                                       .undo_of = LP_TRIAL_NONE};
    const struct lp_run_step row = {.step = from,
                                    .name = from->name,
                                    .action = lp_experiment_step_words[from->kind],
                                    .target = from->target,
                                    .heals = from->kind == LP_EXPERIMENT_HEAL
                                                 ? healed_find(making->run, from->target)
                                                 : LP_TRIAL_NONE};
    step_add(making, &step, &row);
}

static void steps_add(struct making *making, const struct lp_experiment_steps *steps)
{
    for (size_t i = 0; i < steps->count && !making->has_failed; i++) {
        const struct lp_experiment_step *step = &steps->items[i];
        bool is_of_fault = step->kind == LP_EXPERIMENT_BREAK || step->kind == LP_EXPERIMENT_HEAL ||
                           step->kind == LP_EXPERIMENT_SWIZZLE;
        if (making->is_left_whole && is_of_fault)
            continue;
        if (step->kind == LP_EXPERIMENT_SWIZZLE)
            swizzle_add(making, step);
        else if (step->kind == LP_EXPERIMENT_REPEAT)
            repeat_add(making, step);
        else if (step->kind == LP_EXPERIMENT_RANDOM)
            random_add(making, step);
        else
            plain_add(making, step);
    }
}

static uint32_t check_add(struct making *making, const struct lp_experiment_check *from)
{
    struct lp_trial_plan *plan = &making->run->plan;
    if (plan->check_count == LP_TRIAL_CHECKS_MAX) {
        if (!making->has_failed)
            lp_err_set(making->err, LP_EFULL, "more than %d checks", LP_TRIAL_CHECKS_MAX);
        making->has_failed = true;
        return LP_TRIAL_NONE;
    }
    uint32_t index = plan->check_count++;
    making->run->checks[index] =
        (struct lp_trial_check){.within_ms = from->within_ms,
                                .for_ms = from->for_ms,
                                .every_ms = from->every_ms,
                                .until = (uint8_t)from->until,
                                .is_failure_expected = from->is_failure_expected};
    making->run->check_rows[index] = (struct lp_run_check){.check = from, .readings = json_array()};
    return index;
}

static void checks_add(struct making *making, const struct lp_experiment_checks *checks)
{
    for (size_t i = 0; i < checks->count && !making->has_failed; i++)
        if (check_add(making, &checks->items[i]) != LP_TRIAL_NONE)
            making->run->stages[making->stage].check_count++;
}

// What must be so before and after: each check for the time of the whole, unless it says its own.
static void steady_add(struct making *making)
{
    const struct lp_experiment *experiment = making->run->what.experiment;
    struct lp_run *run = making->run;
    uint32_t first = run->plan.check_count;
    checks_add(making, &experiment->steady);
    for (uint32_t i = first; i < run->plan.check_count; i++) {
        if (!run->checks[i].for_ms)
            run->checks[i].for_ms = experiment->steady_for_ms;
        if (!run->checks[i].within_ms)
            run->checks[i].within_ms = experiment->steady_within_ms;
        run->checks[i].until = LP_TRIAL_FOR;
    }
}

static void file_stages_add(struct making *making, enum lp_experiment_stage_kind first,
                            enum lp_experiment_stage_kind last)
{
    static const enum lp_trial_stage_kind kinds[] = {
        [LP_EXPERIMENT_SETUP] = LP_TRIAL_SETUP,
        [LP_EXPERIMENT_BREAKING] = LP_TRIAL_BREAK,
        [LP_EXPERIMENT_HEALING] = LP_TRIAL_HEAL,
        [LP_EXPERIMENT_CLEANUP] = LP_TRIAL_CLEANUP,
    };
    const struct lp_experiment *experiment = making->run->what.experiment;
    bool has_load = experiment->has_load && first == LP_EXPERIMENT_BREAKING;
    for (size_t i = 0; i < experiment->stage_count && !making->has_failed; i++) {
        const struct lp_experiment_stage *stage = &experiment->stages[i];
        if (stage->kind < first || stage->kind > last)
            continue;
        stage_open(making, kinds[stage->kind], stage->name);
        if (has_load)
            act_add(making, LP_RUN_START_LOAD, "start the load");
        has_load = false;
        steps_add(making, &stage->steps);
        checks_add(making, &stage->checks);
    }
}

// Once, whatever happened: the load, the faults, what setup can undo in reverse, then the stages
// named cleanup.
static void cleanup_add(struct making *making)
{
    struct lp_run *run = making->run;
    uint32_t done = run->plan.step_count;
    stage_open(making, LP_TRIAL_CLEANUP, "cleanup");
    if (run->what.experiment->has_load)
        act_add(making, LP_RUN_END_LOAD, "end the load");
    run->plan.heal_step = act_add(making, LP_RUN_HEAL_ALL, "heal all faults");
    for (uint32_t i = done; i > 0 && !making->has_failed; i--) {
        const struct lp_experiment_step *step = run->step_rows[i - 1].step;
        if (!step || step->kind != LP_EXPERIMENT_RUN || !step->undo.count)
            continue;
        const char *name = lp_arena_printf(run->cmd->arena, "undo %s", step->name);
        uint32_t index = act_add(making, LP_RUN_UNDO, name);
        if (index == LP_TRIAL_NONE)
            return;
        run->steps[index].undo_of = i - 1;
        run->step_rows[index].step = step;
    }
    file_stages_add(making, LP_EXPERIMENT_CLEANUP, LP_EXPERIMENT_CLEANUP);
}

int lp_run_plan(struct lp_run *run, struct lp_err *err)
{
    struct making making = {.run = run, .err = err, .is_left_whole = run->what.is_left_whole};
    const struct lp_experiment *experiment = run->what.experiment;
    lp_rng_init(&making.rng, run->what.seed);
    run->plan = (struct lp_trial_plan){.stages = run->stages,
                                       .steps = run->steps,
                                       .checks = run->checks,
                                       .heal_step = LP_TRIAL_NONE};
    if (run->what.descriptor) {
        stage_open(&making, LP_TRIAL_PREPARE, "prepare");
        act_add(&making, LP_RUN_PREPARE,
                lp_arena_printf(run->cmd->arena, "up %s", run->what.descriptor));
    }
    file_stages_add(&making, LP_EXPERIMENT_SETUP, LP_EXPERIMENT_SETUP);
    stage_open(&making, LP_TRIAL_STEADY, "steady-state");
    steady_add(&making);
    file_stages_add(&making, LP_EXPERIMENT_BREAKING, LP_EXPERIMENT_HEALING);
    if (!experiment->is_chaos_toolkit)
        cleanup_add(&making);
    stage_open(&making, LP_TRIAL_AFTER, "steady-state-after");
    steady_add(&making);
    if (experiment->is_chaos_toolkit) // there, rollbacks come when all is said
        cleanup_add(&making);
    if (run->what.descriptor && !run->was_running && !run->what.is_kept) {
        stage_open(&making, LP_TRIAL_TEARDOWN, "teardown");
        act_add(&making, LP_RUN_TEARDOWN,
                lp_arena_printf(run->cmd->arena, "down %s", run->what.infra));
    }
    run->plan.first_guard = run->plan.check_count;
    for (size_t i = 0; i < experiment->guards.count && !making.has_failed; i++) {
        uint32_t index = check_add(&making, &experiment->guards.items[i]);
        if (index != LP_TRIAL_NONE)
            run->check_rows[index].is_guard = true;
    }
    run->plan.guard_count = run->plan.check_count - run->plan.first_guard;
    return making.has_failed ? err->code : 0;
}
