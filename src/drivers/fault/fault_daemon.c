// Faults of Limpet itself. A daemon that is stopped cannot wake itself: a small process, which is
// there before, sends the SIGCONT; it is the whole undo.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drivers/fault/fault_parts.h"

static int daemon_inject(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    char script[128];
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    struct lp_child_spec spec = {.argv = argv, .is_detached = true};
    uint32_t ms = job->spec.duration_ms;
    if (json_object_get(job->undo, "is_over")) // the daemon after it looks at the same order
        return 0;
    json_object_set_new(job->undo, "is_over", json_true());
    if (lp_fault_job_save(faults, job, err) < 0)
        return err->code;
    if (job->spec.kind == LP_FAULT_DAEMON_KILL) {
        // Shortly after: the answer to whoever asked for it still goes out.
        snprintf(script, sizeof(script), "sleep 0.05; kill -KILL %d", (int)getpid());
    } else {
        if (ms == LP_FAULT_FOREVER)
            return lp_err_set(err, LP_EINPUT,
                              "a daemon that is stopped for ever could not be asked to heal: say "
                              "for how long");
        snprintf(script, sizeof(script), "sleep 0.05; kill -STOP %d; sleep %u.%03u; kill -CONT %d",
                 (int)getpid(), ms / 1000, ms % 1000, (int)getpid());
    }
    return lp_children_spawn(faults->children, &spec, job->number, NULL, err);
}

static int daemon_look(struct lp_faults *faults, struct lp_fault_job *job, struct lp_str *ret_seen,
                       struct lp_err *err)
{
    (void)faults, (void)job, (void)err;
    lp_str_add(ret_seen, "its daemon stops now, and tells nothing while that lasts");
    return 1;
}

static int daemon_undo(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    (void)faults, (void)job, (void)err; // who runs this has gone on already
    return 0;
}

const struct lp_fault_hand lp_fault_hand_daemon = {
    .inject = daemon_inject,
    .look = daemon_look,
    .undo = daemon_undo,
};
