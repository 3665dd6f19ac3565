// Faults of a whole node: its power, and its being frozen.
#include <signal.h>

#include "base/own.h"
#include "drivers/fault/fault_parts.h"
#include "drivers/place.h"

// It has no power already: what is to be held down is in effect.
static bool is_off(const struct lp_faults *faults, const struct lp_fault_job *job)
{
    struct lp_node_mark mark;
    struct lp_err ignored;
    LP_OWNS_FD int pidfd = -1;
    pid_t pid;
    return (job->spec.flags & LP_FAULT_HOLDS) &&
           (lp_node_mark_read(&faults->env, job->mark.infra_name, job->mark.name, &mark, &ignored) <
                0 ||
            lp_node_mark_process(&faults->env, &mark, &pid, &pidfd, &ignored) < 0);
}

static int node_prepare(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    pid_t pid;
    if (job->spec.kind == LP_FAULT_PAUSE && !faults->cgroups.has_freezer)
        return lp_err_set(err, LP_EUNSUPPORTED, "this machine has no freezer among its cgroups");
    json_object_del(job->undo, "pid"); // of an earlier begin
    if (is_off(faults, job))
        return 0;
    int result = lp_fault_node_pid(faults, job, &pid, err);
    if (result == 0)
        json_object_set_new(job->undo, "pid", json_integer(pid));
    return result;
}

static int node_inject(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    pid_t pid;
    struct lp_place cgroup = lp_fault_cgroup(faults, job);
    if (is_off(faults, job))
        return 0;
    if (lp_fault_node_pid(faults, job, &pid, err) < 0)
        return err->code;
    if (job->spec.kind == LP_FAULT_PAUSE)
        lp_cgroup_freeze(&faults->cgroups, cgroup.text, true);
    else if (job->spec.kind == LP_FAULT_CRASH)
        lp_cgroup_kill(&faults->cgroups, cgroup.text);
    else
        kill(pid, SIGTERM); // limpet-init halts in order
    return 0;
}

static int node_look(struct lp_faults *faults, struct lp_fault_job *job, struct lp_str *ret_seen,
                     struct lp_err *err)
{
    (void)err;
    if (job->spec.kind == LP_FAULT_PAUSE) {
        if (!lp_cgroup_is_frozen(&faults->cgroups, lp_fault_cgroup(faults, job).text))
            return 0;
        lp_str_add(ret_seen, "all its processes are frozen");
        return 1;
    }
    pid_t pid = (pid_t)json_integer_value(json_object_get(job->undo, "pid"));
    char state = pid ? lp_fault_process_state(pid) : 0;
    if (state != 0 && state != 'Z' && state != 'X')
        return 0;
    lp_str_add(ret_seen, pid ? "its first process ended" : "it was off already, and stays so");
    return 1;
}

// The last pause of a node thaws it.
static int node_undo(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    (void)err; // what was powered off is started by the controller, once nothing holds it
    if (job->spec.kind == LP_FAULT_PAUSE && !lp_fault_has_twin(faults, job))
        lp_cgroup_freeze(&faults->cgroups, lp_fault_cgroup(faults, job).text, false);
    return 0;
}

const struct lp_fault_hand lp_fault_hand_node = {
    .prepare = node_prepare,
    .inject = node_inject,
    .look = node_look,
    .undo = node_undo,
};
