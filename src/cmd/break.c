// `limpet break`: faults on purpose.
#include <stdio.h>
#include <string.h>

#include "cmd/fault_wait.h"
#include "cmd/target.h"
#include "cmd/verb.h"
#include "model/fault.h"

static const struct lp_option options[] = {
    {"for", 0, "TIME",
     "heal it after TIME (default 5m; kill, crash and the like: nothing to heal); "
     "'ever': until somebody heals it"},
    {"select", 0, "WHICH", "of a service: one (default), all, a number, or a share such as 50%"},
    {"no-wait", 0, NULL, "do not wait until its effect is seen"},
    {"delay", 0, "TIME", "delay, reorder, disk-slow: by how much"},
    {"jitter", 0, "TIME", "delay, disk-slow: more or less this much"},
    {"distribution", 0, "NAME", "of the jitter: uniform or normal"},
    {"share", 0, "SHARE",
     "of the packets, of the disk's work, of the time or of the memory: 5% or 0.05"},
    {"rate", 0, "RATE", "bandwidth: 512k (bytes a second) or 8mbit"},
    {"workers", 0, "N", "cpu, disk-load: how many"},
    {"leave", 0, "SIZE", "memory, disk-full: how much is left free"},
    {"direction", 0, "WAY", "network: both (default), in or out"},
    {"peer", 0, "TARGET", "network: only to and from this node or service"},
    {"network", 0, "NAME", "network: only on this one"},
    {"volume", 0, "NAME",
     "disk faults: the volume, by its name or path (default: the only one); disk-load: not /tmp"},
    {"on", 0, "WHAT", "disk-slow, io-error: all (default), read, write or sync"},
    {"command", 0, "CMD",
     "exec: run by the node's /bin/sh as its root; in effect once it ended with 0"},
    {"undo", 0, "CMD", "exec: what takes it back; 'true' for nothing"},
    {"jump", 0, "TIME", "clock: so far ahead or, with '-', back, at once: 1h, -5m"},
    {"drift", 0, "SPEED", "clock: this much faster or slower: 100ppm, -100ppm, 2x"},
    {"seed", 0, "N", "of all chance in it"},
    {0},
};
enum { FIRST_OF_FAULT = 3 }; // the options before are those of the request

static json_t *request_of(struct lp_cmd *cmd, char **argv)
{
    json_t *body = json_pack("{s:s, s:s}", "target", argv[1], "fault", argv[2]);
    json_t *given = json_object();
    static const char *const own[] = {"for", "select"};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (lp_option_is_given(cmd, own[i]))
            json_object_set_new(body, own[i], json_string(lp_option_value(cmd, own[i])));
    for (const struct lp_option *option = options + FIRST_OF_FAULT; option->name; option++)
        if (lp_option_is_given(cmd, option->name))
            json_object_set_new(given, option->name,
                                json_string(lp_option_value(cmd, option->name)));
    json_object_set_new(body, "options", given);
    return body;
}

// Who is meant when nobody said --infra: the host and Limpet itself are of none.
LP_MUST_CHECK static int infra_find(struct lp_cmd *cmd, struct lp_client *client,
                                    const char *target, const char **ret_infra)
{
    *ret_infra = cmd->infra;
    if (cmd->infra || strcmp(target, "host") == 0 || strcmp(target, "limpet") == 0)
        return 0;
    if (strncmp(target, "network:", strlen("network:")) == 0)
        return lp_target_infra(cmd, client, ret_infra);
    return lp_target_infra_of(cmd, client, target, ret_infra);
}

// Nothing is waited for: only which faults were asked for.
static void asked_tell(const struct lp_cmd *cmd, const json_t *answer)
{
    size_t i;
    const json_t *fault;
    if (cmd->is_json)
        lp_json_show(answer);
    if (cmd->is_json || cmd->is_quiet)
        return;
    json_array_foreach (json_object_get(answer, "faults"), i, fault) {
        printf("Fault %s is asked for.\n", json_string_value(fault));
    }
}

static int ask(struct lp_cmd *cmd, struct lp_client *client, char **argv)
{
    const char *infra = NULL;
    json_t *answer = NULL;
    if (infra_find(cmd, client, argv[1], &infra) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    json_t *body = request_of(cmd, argv);
    if (infra)
        json_object_set_new(body, "infrastructure", json_string(infra));
    struct lp_call_spec spec = {"POST", "/v1/faults", lp_json_print(cmd, body)};
    json_decref(body);
    if (lp_client_call(client, &spec, &answer, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    int status = LP_EXIT_DONE;
    if (lp_option_is_given(cmd, "no-wait") || strcmp(argv[2], "daemon-kill") == 0) {
        asked_tell(cmd, answer);
    } else {
        status = lp_fault_wait(cmd, client, answer, "fault-active", "fault-failed");
    }
    json_decref(answer);
    return status;
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    (void)argc;
    struct lp_client *client = NULL;
    if (lp_client_open(cmd->root, &client, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    int status = ask(cmd, client, argv);
    lp_client_close(client);
    return status;
}

const struct lp_verb lp_verb_break = {
    .name = "break",
    .summary = "Break something on purpose, for a while",
    .usage = "TARGET FAULT [OPTIONS]",
    .help =
        "TARGET is a node (db-1), an application in it (db-1/mariadb), a service (web, see\n"
        "--select), a network (network:back), 'host', or 'limpet' itself. FAULT is one of\n"
        "  of an application   kill terminate hang restart\n"
        "  of a node           crash shutdown reboot pause oom cpu memory disk-load processes\n"
        "                      exec clock\n"
        "  of its volumes      disk-full read-only disk-slow io-error lose-writes\n"
        "  of its network      cut loss delay reorder duplicate corrupt bandwidth dns\n"
        "  of Limpet           daemon-kill daemon-stall\n"
        "`limpet faults --kinds` tells what each does, takes and how it is undone. The undo is\n"
        "in the journal before the fault is in the world; `limpet heal` ends it earlier.\n"
        "crash and shutdown with --for keep the node off for that long.",
    .options = options,
    .run = run,
    .least = 2,
    .most = 2,
};
