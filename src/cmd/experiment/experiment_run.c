// One run of an experiment: facts to the trial, its orders to the hands, until it is over.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/daemon_start.h"
#include "cmd/experiment/experiment_parts.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/handover.h"
#include "base/own.h"

enum { TURN_MS = 100, WAITING_MS = 5 };

static volatile sig_atomic_t interrupts;

static void interrupt_note(int number)
{
    (void)number;
    interrupts = interrupts + 1;
}

void lp_run_interrupts_watch(void)
{
    struct sigaction action = {.sa_handler = interrupt_note};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

int lp_run_interrupts(void)
{
    return interrupts;
}

// What the orders change is told as it happens.
static void orders_carry_out(struct lp_run *run)
{
    const struct lp_trial_orders *orders = run->orders;
    for (size_t i = 0; i < orders->count; i++) {
        uint32_t index = orders->items[i].index;
        switch (orders->items[i].kind) {
        case LP_TRIAL_RUN_STEP:
            lp_run_step_begin(run, index);
            break;
        case LP_TRIAL_CANCEL_STEP:
            lp_run_step_cancel(run, index);
            break;
        case LP_TRIAL_READ_CHECK:
            lp_run_check_read(run, index);
            break;
        case LP_TRIAL_DROP_CHECK:
            lp_run_check_drop(run, index);
            break;
        }
    }
}

static void fact_take(struct lp_run *run, const struct lp_trial_event *event)
{
    lp_trial_step(run->trial, event, run->orders);
    lp_run_tell_changes(run);
    orders_carry_out(run);
}

static void queue_take(struct lp_run *run)
{
    for (size_t i = 0; i < run->queued && !run->trial->is_over; i++)
        fact_take(run, &run->queue[i]); // may add more behind
    run->queued = 0;
}

static bool is_waiting(const struct lp_run *run)
{
    for (uint32_t i = 0; i < run->plan.step_count; i++)
        if (run->step_rows[i].is_open && run->step_rows[i].deadline_ms)
            return true;
    return false;
}

// Until something has happened or is due.
static void wait(struct lp_run *run)
{
    int64_t now_ms = lp_wall_ms(), limit_ms = is_waiting(run) ? WAITING_MS : TURN_MS;
    int64_t wake_ms = run->orders->wake_at_ms;
    struct pollfd fd = {.fd = lp_children_wait_fd(run->children), .events = POLLIN};
    if (wake_ms < now_ms + limit_ms)
        limit_ms = wake_ms > now_ms ? wake_ms - now_ms : 0;
    poll(&fd, 1, (int)limit_ms);
}

static void turn(struct lp_run *run, int *seen_interrupts)
{
    lp_run_children_take(run);
    lp_run_news(run, true);
    lp_run_load_look(run);
    lp_run_limits_look(run);
    for (; *seen_interrupts < lp_run_interrupts(); (*seen_interrupts)++) {
        lp_run_note(run, LP_TRIAL_INTERRUPT, 0, true);
        lp_run_tell_interrupt(run, *seen_interrupts + 1);
    }
    if (run->trial->is_aborting)
        lp_run_load_stop(run);
    if (!run->queued)
        lp_run_note(run, LP_TRIAL_TICK, 0, true);
    queue_take(run);
    lp_run_tell_live(run);
}

static bool is_running_already(struct lp_run *run)
{
    json_t *rows = NULL;
    struct lp_err err;
    bool is_there = run->what.infra &&
                    lp_client_get(run->client, &rows, &err, "/v1/infrastructures", "infrastructure",
                                  run->what.infra, LP_QUERY_END) == 0 &&
                    json_array_size(rows) > 0;
    json_decref(rows);
    return is_there;
}

// The journal from here on.
LP_MUST_CHECK static int journal_find(struct lp_run *run, struct lp_err *err)
{
    json_t *page = NULL;
    if (lp_client_get(run->client, &page, err, "/v1/events", "limit", "1", LP_QUERY_END) < 0)
        return err->code;
    run->after = lp_json_number(page, "next");
    json_decref(page);
    return 0;
}

LP_MUST_CHECK static int begin(struct lp_run *run, struct lp_err *err)
{
    if (lp_children_open(&run->children, err) < 0 ||
        lp_client_open(run->cmd->root, &run->client, err) < 0)
        return err->code;
    run->unmet = lp_run_unmet(run);
    if (run->what.infra && !run->unmet) {
        if (lp_daemon_ensure(run->cmd, run->client) < 0)
            return lp_err_set(err, run->cmd->err.code, "%s",
                              lp_arena_text(run->cmd->arena, run->cmd->err.text));
        run->has_daemon = true;
        run->was_running = is_running_already(run);
        if (!run->what.descriptor && !run->was_running)
            return lp_err_set(err, LP_ENOTFOUND, "there is no infrastructure '%s'",
                              run->what.infra);
        if (journal_find(run, err) < 0 || lp_handover_check_folder(run->what.folder, err) < 0)
            return err->code;
    }
    if (run->unmet) {
        run->plan = (struct lp_trial_plan){.heal_step = LP_TRIAL_NONE,
                                           .stages = run->stages,
                                           .steps = run->steps,
                                           .checks = run->checks};
        return 0;
    }
    return lp_run_plan(run, err);
}

static void run_release(struct lp_run *run)
{
    for (uint32_t i = 0; i < LP_TRIAL_STEPS_MAX; i++) {
        lp_str_release(&run->step_rows[i].text);
        json_decref(run->step_rows[i].output);
        json_decref(run->step_rows[i].faults);
    }
    for (uint32_t i = 0; i < LP_TRIAL_CHECKS_MAX; i++) {
        lp_str_release(&run->check_rows[i].text);
        json_decref(run->check_rows[i].output);
        json_decref(run->check_rows[i].readings);
    }
    lp_str_release(&run->load_text);
    json_decref(run->faults);
    json_decref(run->events);
    if (run->children)
        lp_children_close(run->children);
    lp_client_close(run->client);
    lp_heap_free(run->trial);
    lp_heap_free(run->orders);
    lp_heap_free(run);
}

json_t *lp_run_do(struct lp_cmd *cmd, const struct lp_run_what *what)
{
    struct lp_run *run = lp_heap_take(sizeof(*run));
    json_t *result = NULL;
    int seen_interrupts = 0;
    run->cmd = cmd;
    run->what = *what;
    run->trial = lp_heap_take(sizeof(*run->trial));
    run->orders = lp_heap_take(sizeof(*run->orders));
    run->faults = json_array();
    run->events = json_array();
    run->began_ms = lp_wall_ms();
    if (begin(run, &cmd->err) == 0) {
        if (!run->unmet)
            what->begun(what->context);
        lp_trial_init(run->trial, &run->plan);
        lp_run_tell_begin(run);
        lp_run_note(run, LP_TRIAL_BEGIN, 0, !run->unmet);
        if (!what->experiment->has_load)
            lp_run_note(run, LP_TRIAL_LOAD_OVER, 0, true);
        queue_take(run);
        while (!run->trial->is_over) {
            wait(run);
            turn(run, &seen_interrupts);
        }
        lp_run_news(run, false);
        run->ended_ms = lp_wall_ms();
        result = lp_run_result(run);
        lp_run_tell_end(run, result);
    }
    run_release(run);
    return result;
}
