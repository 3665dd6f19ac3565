// Faults of an application: signals to its processes.
#include <signal.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "drivers/fault/fault_parts.h"

enum { PROCESSES_MAX = 1024, RESTART_GRACE_MS = 10 * 1000 };

static void note(struct lp_fault_job *job, const pid_t *pids, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_integer(pids[i]));
    json_object_set_new(job->undo, "pids", list);
}

static int process_prepare(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    pid_t *pids = lp_heap_take(PROCESSES_MAX * sizeof(*pids));
    size_t count = lp_fault_processes(faults, job, pids, PROCESSES_MAX);
    note(job, pids, count);
    lp_heap_free(pids);
    return count > 0 ? 0
                     : lp_err_set(err, LP_ENOTFOUND, "%s in %s does not run", job->app_name,
                                  job->mark.name);
}

// To all that the notes name and that still are the application's; or only to the first.
static size_t signal_send(struct lp_faults *faults, struct lp_fault_job *job, int number,
                          bool is_first_only)
{
    pid_t *pids = lp_heap_take(PROCESSES_MAX * sizeof(*pids));
    size_t count = lp_fault_processes(faults, job, pids, PROCESSES_MAX);
    for (size_t i = 0; i < count && (i == 0 || !is_first_only); i++)
        kill(pids[i], number);
    lp_heap_free(pids);
    return count;
}

static int process_inject(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    (void)err;
    switch (job->spec.kind) {
    case LP_FAULT_KILL:
        signal_send(faults, job, SIGKILL, false);
        break;
    case LP_FAULT_HANG:
        signal_send(faults, job, SIGSTOP, false);
        break;
    default:
        signal_send(faults, job, SIGTERM, true);
    }
    return 0;
}

static bool is_over(char state)
{
    return state == 0 || state == 'Z' || state == 'X';
}

// All processes that the application has now, also those that were made while others were being
// stopped.
static int hang_look(struct lp_faults *faults, struct lp_fault_job *job, struct lp_str *ret_seen)
{
    pid_t *pids = lp_heap_take(PROCESSES_MAX * sizeof(*pids));
    size_t count = lp_fault_processes(faults, job, pids, PROCESSES_MAX), waiting = 0;
    for (size_t i = 0; i < count; i++) {
        char state = lp_fault_process_state(pids[i]);
        if (is_over(state) || state == 'T' || state == 't')
            continue;
        kill(pids[i], SIGSTOP);
        waiting++;
    }
    lp_heap_free(pids);
    if (waiting == 0)
        lp_str_printf(ret_seen, "%zu of its processes are stopped", count);
    return waiting == 0;
}

static int process_look(struct lp_faults *faults, struct lp_fault_job *job, struct lp_str *ret_seen,
                        struct lp_err *err)
{
    if (job->spec.kind == LP_FAULT_HANG)
        return hang_look(faults, job, ret_seen);
    size_t i, waiting = 0;
    const json_t *pid, *pids = json_object_get(job->undo, "pids");
    bool is_first_only = job->spec.kind != LP_FAULT_KILL;
    json_array_foreach (pids, i, pid) {
        char state = lp_fault_process_state((pid_t)json_integer_value(pid));
        waiting += !is_over(state) && (i == 0 || !is_first_only);
    }
    int64_t now_ms = lp_monotonic_ms();
    if (waiting > 0 && job->spec.kind == LP_FAULT_RESTART &&
        now_ms - job->since_ms > RESTART_GRACE_MS)
        signal_send(faults, job, SIGKILL, false);
    if (waiting > 0 && job->spec.kind == LP_FAULT_TERMINATE &&
        now_ms - job->since_ms > RESTART_GRACE_MS)
        return lp_err_set(err, LP_ETIMEOUT, "it did not end within %d s of SIGTERM",
                          RESTART_GRACE_MS / 1000);
    if (waiting > 0)
        return 0;
    lp_str_printf(ret_seen, "%zu of its processes ended",
                  is_first_only ? 1 : json_array_size(pids));
    return 1;
}

// The last one that stops an application lets it go on.
static int process_undo(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    (void)err;
    if (job->spec.kind == LP_FAULT_HANG && !lp_fault_has_twin(faults, job))
        signal_send(faults, job, SIGCONT, false);
    return 0;
}

const struct lp_fault_hand lp_fault_hand_process = {
    .prepare = process_prepare,
    .inject = process_inject,
    .look = process_look,
    .undo = process_undo,
};
