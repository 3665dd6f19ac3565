// The table of verbs, in the order of --help.
#include "cmd/exec.h"
#include "cmd/logs.h"
#include "cmd/verb.h"

static int exec_run(struct lp_cmd *cmd, int argc, char **argv)
{
    return lp_cmd_exec(cmd->root, argc, argv);
}

const struct lp_verb lp_verb_exec = {
    .name = "exec",
    .summary = "Run a command in a node",
    .usage = "[OPTIONS] NODE COMMAND...",
    .run = exec_run,
    .has_own_options = true,
};

static int logs_run(struct lp_cmd *cmd, int argc, char **argv)
{
    return lp_cmd_logs(cmd->root, argc, argv);
}

const struct lp_verb lp_verb_logs = {
    .name = "logs",
    .summary = "Print what applications wrote",
    .usage = "[OPTIONS] [NODE[/APPLICATION]]...",
    .run = logs_run,
    .has_own_options = true,
};

const struct lp_verb *const lp_verbs[] = {
    &lp_verb_up,         &lp_verb_down,   &lp_verb_plan,     &lp_verb_check,    &lp_verb_ps,
    &lp_verb_status,     &lp_verb_events, &lp_verb_why,      &lp_verb_logs,     &lp_verb_log,
    &lp_verb_exec,       &lp_verb_scale,  &lp_verb_restart,  &lp_verb_break,    &lp_verb_heal,
    &lp_verb_faults,     &lp_verb_images, &lp_verb_daemon,   &lp_verb_shutdown, &lp_verb_load,
    &lp_verb_experiment, &lp_verb_doctor, &lp_verb_simulate, &lp_verb_version,  &lp_verb_forward,
    &lp_verb_hog,        &lp_verb_layer,  &lp_verb_probe,    &lp_verb_relay,
};
const size_t lp_verb_count = sizeof(lp_verbs) / sizeof(lp_verbs[0]);
