// The fault "exec": a person's command runs in the node, and their other command takes it back.
// Both stand in the fault's file before the first one runs. Since a daemon may be killed at any
// instant, an undo may run although its command did half of its work or nothing.
#include "base/clock.h"
#include "drivers/fault/fault_parts.h"
#include "drivers/crun/init_exec.h"

enum { UNDO_TRIES = 3, UNDO_AGAIN_MS = 1000 };

static uint32_t life_of(const struct lp_fault_job *job)
{
    return (uint32_t)json_integer_value(json_object_get(job->undo, "life"));
}

static bool is_done(const struct lp_fault_job *job)
{
    return json_is_true(json_object_get(job->undo, "is_done"));
}

static int start(const struct lp_faults *faults, struct lp_fault_job *job, const char *option,
                 struct lp_err *err)
{
    const char *argv[] = {"/bin/sh", "-c", lp_fault_option(job, option)};
    const struct lp_exec_request request = {.argv = {argv, sizeof(argv) / sizeof(argv[0])},
                                            .is_inheriting = true,
                                            .timeout_ms = LP_FAULT_COMMAND_MS};
    if (!argv[2])
        return lp_err_set(err, LP_ECORRUPT, "nothing is known of its %s", option);
    return lp_fault_command_start(faults, job, &request, err);
}

static int exec_prepare(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    pid_t pid;
    if (lp_fault_node_pid(faults, job, &pid, err) < 0)
        return err->code;
    if (job->command && job->is_command_undo)
        return lp_err_set(err, LP_ECONFLICT, "its undo of before still runs");
    if (life_of(job) == job->mark.incarnation) // ordered again
        return is_done(job) || job->command
                   ? 0
                   : lp_err_set(err, LP_ECONFLICT,
                                "the daemon ended while the command ran: what it did is undone");
    lp_fault_command_drop(job); // of an earlier life of the node
    job->undo_tries = 0;
    job->undo_not_before_ms = 0;
    if (!lp_fault_option(job, "command") || !lp_fault_option(job, "undo"))
        return lp_err_set(err, LP_EINPUT, "the fault exec needs a command and its undo");
    json_object_set_new(job->undo, "life", json_integer(job->mark.incarnation));
    json_object_set_new(job->undo, "is_done", json_false());
    return 0;
}

static int exec_inject(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    if (is_done(job) || job->command)
        return 0;
    job->is_command_undo = false;
    return start(faults, job, "command", err);
}

static int exec_look(struct lp_faults *faults, struct lp_fault_job *job, struct lp_str *ret_seen,
                     struct lp_err *err)
{
    if (!is_done(job)) {
        if (!job->command)
            return lp_err_set(err, LP_EIO, "its command is gone");
        int result = lp_fault_command_look(job, NULL, err);
        if (result <= 0)
            return result;
        json_object_set_new(job->undo, "is_done", json_true());
        if (lp_fault_job_save(faults, job, err) < 0)
            return err->code;
    }
    lp_str_add(ret_seen, "its command has ended well");
    return 1;
}

// The undo has ended, or could not be begun: once more, or that is told.
static int undo_failed(struct lp_fault_job *job, struct lp_err *err)
{
    if (++job->undo_tries < UNDO_TRIES) {
        job->undo_not_before_ms = lp_monotonic_ms() + UNDO_AGAIN_MS;
        return LP_ETIMEOUT;
    }
    lp_str_clear(&job->healed_text);
    lp_str_printf(&job->healed_text, "its undo was tried %d times and failed: %s", UNDO_TRIES,
                  err->text);
    return 0;
}

// A command that is still at it is hung up first, and what a daemon of before has left of one is
// given the time to end: the undo must not meet it.
static bool is_quiet(const struct lp_faults *faults, struct lp_fault_job *job)
{
    int64_t now_ms = lp_monotonic_ms();
    if (job->command && !job->is_command_undo) {
        lp_fault_command_drop(job);
        job->undo_not_before_ms = now_ms + LP_FAULT_HANG_UP_MS;
    } else if (!is_done(job) && !job->undo_not_before_ms) {
        job->undo_not_before_ms = faults->open_ms + LP_FAULT_HANG_UP_MS;
    }
    return now_ms >= job->undo_not_before_ms;
}

static int exec_undo(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    pid_t pid;
    int result;
    if (life_of(job) == 0) // it never ran
        return 0;
    if (life_of(job) != job->mark.incarnation || lp_fault_node_pid(faults, job, &pid, err) < 0) {
        lp_str_clear(&job->healed_text);
        lp_str_add(&job->healed_text, "that life of the node is over, there is nothing to undo");
        return 0;
    }
    if (!is_quiet(faults, job))
        return lp_err_set(err, LP_ETIMEOUT, "the command is ending");
    if (!job->command) {
        job->is_command_undo = true;
        result = start(faults, job, "undo", err);
        return result < 0 ? undo_failed(job, err) : LP_ETIMEOUT;
    }
    result = lp_fault_command_look(job, NULL, err);
    if (result == 0)
        return lp_err_set(err, LP_ETIMEOUT, "the undo runs");
    return result < 0 ? undo_failed(job, err) : 0;
}

const struct lp_fault_hand lp_fault_hand_exec = {
    .prepare = exec_prepare,
    .inject = exec_inject,
    .look = exec_look,
    .undo = exec_undo,
};
