// `limpet faults`: what is broken on purpose, what could be, and the lever that stops it all.
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "cmd/client.h"
#include "cmd/daemon_start.h"
#include "cmd/table.h"
#include "cmd/verb.h"
#include "drivers/fault/fault_parts.h"
#include "model/fault.h"

static void add_heads(struct lp_cmd *cmd, struct lp_table *table, const char *const *heads)
{
    struct lp_cell cells[LP_TABLE_COLUMNS_MAX];
    for (size_t i = 0; i < table->columns; i++)
        cells[i] = (struct lp_cell){heads[i], LP_DIM};
    lp_table_add(cmd, table, cells);
}

static void print(struct lp_cmd *cmd, const json_t *answer)
{
    static const char *const heads[] = {"FAULT", "INFRASTRUCTURE", "TARGET",
                                        "WHAT",  "PHASE",          "ENDS IN"};
    struct lp_table table = {.columns = sizeof(heads) / sizeof(heads[0])};
    size_t i;
    const json_t *fault;
    add_heads(cmd, &table, heads);
    json_array_foreach (json_object_get(answer, "faults"), i, fault) {
        const json_t *asked = json_object_get(fault, "as_asked");
        const char *target = lp_json_text(asked, "target"), *says = lp_json_text(fault, "says");
        const char *command = lp_json_text(json_object_get(asked, "options"), "command");
        const char *app = lp_json_text(fault, "application"), *phase = lp_json_text(fault, "phase");
        long long until = lp_json_number(fault, "until");
        struct lp_cell row[] = {
            {lp_json_text(fault, "fault"), LP_BOLD},
            {lp_json_text(fault, "infrastructure"), LP_PLAIN},
            {app[0] ? lp_arena_printf(cmd->arena, "%s/%s", target, app) : target, LP_PLAIN},
            {command[0] ? lp_arena_printf(cmd->arena, "%s: %s", says, command) : says, LP_PLAIN},
            {phase, strcmp(phase, "active") == 0 ? LP_RED : LP_YELLOW},
            {until ? lp_time_span(cmd, until - lp_wall_ms()) : "until healed", LP_PLAIN},
        };
        lp_table_add(cmd, &table, row);
    }
    lp_table_print(cmd, &table);
    if (json_is_true(json_object_get(answer, "locked")))
        puts("faults are locked: `limpet faults --unlock` admits them again");
    else if (i == 0 && !cmd->is_quiet)
        puts("nothing is broken on purpose");
}

static int kinds_print(struct lp_cmd *cmd)
{
    static const char *const heads[] = {"FAULT", "WHAT IT DOES", "OPTIONS", "HOW IT IS UNDONE"};
    struct lp_table table = {.columns = sizeof(heads) / sizeof(heads[0])};
    add_heads(cmd, &table, heads);
    json_t *list = json_array();
    for (int kind = 1; kind < LP_FAULT_KINDS; kind++) {
        const struct lp_fault_about *about = lp_fault_about((enum lp_fault_kind)kind);
        if (!lp_fault_hand_of((uint32_t)kind))
            continue; // a word that nothing does yet
        struct lp_str names = {0};
        lp_fault_options((enum lp_fault_kind)kind, &names);
        const char *options = lp_arena_text(cmd->arena, lp_str_text(&names));
        lp_str_release(&names);
        struct lp_cell row[] = {{lp_fault_words[kind], LP_BOLD},
                                {about->effect, LP_PLAIN},
                                {options, LP_DIM},
                                {about->undo, LP_PLAIN}};
        lp_table_add(cmd, &table, row);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "fault", lp_fault_words[kind],
                                              "effect", about->effect, "options", options, "undo",
                                              about->undo));
    }
    if (cmd->is_json)
        lp_json_show(list);
    else
        lp_table_print(cmd, &table);
    json_decref(list);
    return LP_EXIT_DONE;
}

static int lever(struct lp_cmd *cmd, struct lp_client *client, bool is_locked)
{
    struct lp_call_spec spec = {"POST", "/v1/faults/lock",
                                is_locked ? "{\"locked\":true}" : "{\"locked\":false}"};
    if (lp_daemon_ensure(cmd, client) < 0 || lp_client_call(client, &spec, NULL, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (cmd->is_json)
        puts(is_locked ? "{\"locked\":true}" : "{\"locked\":false}");
    else if (!cmd->is_quiet)
        puts(is_locked ? "faults are locked: all are being undone, none is let in"
                       : "faults are admitted again");
    return LP_EXIT_DONE;
}

static int list(struct lp_cmd *cmd, struct lp_client *client)
{
    json_t *answer = NULL;
    if (lp_client_get(client, &answer, &cmd->err, "/v1/faults", "infrastructure", cmd->infra,
                      LP_QUERY_END) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (cmd->is_json)
        lp_json_show(json_object_get(answer, "faults"));
    else
        print(cmd, answer);
    json_decref(answer);
    return LP_EXIT_DONE;
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    (void)argc, (void)argv;
    struct lp_client *client = NULL;
    bool is_lock = lp_option_is_given(cmd, "lock"), is_unlock = lp_option_is_given(cmd, "unlock");
    if (lp_option_is_given(cmd, "kinds"))
        return kinds_print(cmd);
    if (lp_client_open(cmd->root, &client, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    int status = is_lock || is_unlock ? lever(cmd, client, is_lock) : list(cmd, client);
    lp_client_close(client);
    return status;
}

static const struct lp_option options[] = {
    {"kinds", 'k', NULL, "list the kinds of faults: effect, options, undo"},
    {"lock", 0, NULL, "undo all faults and let none in"},
    {"unlock", 0, NULL, "let faults in again"},
    {0},
};

const struct lp_verb lp_verb_faults = {
    .name = "faults",
    .summary = "List what is broken on purpose; stop it all",
    .usage = "[--kinds|--lock|--unlock]",
    .options = options,
    .run = run,
};
