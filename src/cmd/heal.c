// `limpet heal`: faults on purpose are undone before their time.
#include <stdio.h>
#include <string.h>

#include "cmd/daemon_start.h"
#include "cmd/fault_wait.h"
#include "cmd/verb.h"

static int heal(struct lp_cmd *cmd, struct lp_client *client, const char *what)
{
    json_t *answer = NULL;
    json_t *body = json_pack("{s:s}", "target", what);
    if (cmd->infra)
        json_object_set_new(body, "infrastructure", json_string(cmd->infra));
    struct lp_call_spec spec = {"POST", "/v1/faults/heal", lp_json_print(cmd, body)};
    json_decref(body);
    // A daemon that was killed has left its faults in force: a fresh one finishes the undo.
    if (lp_daemon_ensure(cmd, client) < 0 || lp_client_call(client, &spec, &answer, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (json_array_size(json_object_get(answer, "faults")) == 0 && !cmd->is_quiet && !cmd->is_json)
        puts("nothing is broken on purpose");
    int status = lp_fault_wait(cmd, client, answer, "fault-healed", NULL);
    json_decref(answer);
    return status;
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    bool is_all = lp_option_is_given(cmd, "all");
    struct lp_client *client = NULL;
    int status = LP_EXIT_DONE;
    if (is_all == (argc > 1)) {
        lp_err_set(&cmd->err, LP_EINPUT,
                   is_all ? "--all heals everything: name nothing besides"
                          : "say which fault (f7), which target (db-1), or --all");
        return lp_cmd_fail(cmd, &cmd->err);
    }
    if (lp_client_open(cmd->root, &client, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (is_all)
        status = heal(cmd, client, "all");
    for (int i = 1; i < argc && status == LP_EXIT_DONE; i++)
        status = heal(cmd, client, argv[i]);
    lp_client_close(client);
    return status;
}

static const struct lp_option options[] = {
    {"all", 'a', NULL, "all faults of this Limpet"},
    {0},
};

const struct lp_verb lp_verb_heal = {
    .name = "heal",
    .summary = "Undo faults before their time",
    .usage = "FAULT|TARGET...|--all",
    .help =
        "FAULT is an id as `limpet faults` lists it (f7); TARGET is what `limpet break` takes: a\n"
        "node, an application, a service (and all its nodes), a network (network:back: faults\n"
        "limited to it), 'host' (and all nodes on it) or 'limpet', and means all faults of it.\n"
        "Waits until they are undone.",
    .options = options,
    .run = run,
    .most = -1,
};
