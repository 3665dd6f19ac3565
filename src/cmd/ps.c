// `limpet ps` and `limpet status`: what there is.
#include <stdio.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/table.h"
#include "cmd/verb.h"
#include "base/str.h"

static const char *number(struct lp_cmd *cmd, const json_t *object, const char *key)
{
    return lp_arena_printf(cmd->arena, "%lld", lp_json_number(object, key));
}

// What is said besides the health: what it waits for, or which applications are not well.
static const char *note_of(struct lp_cmd *cmd, const json_t *node)
{
    size_t i;
    const json_t *app;
    if (lp_json_text(node, "waits_for")[0])
        return lp_arena_printf(cmd->arena, "waits for %s", lp_json_text(node, "waits_for"));
    if (strcmp(lp_json_text(node, "health"), "healthy") == 0)
        return "";
    json_array_foreach (json_object_get(node, "applications"), i, app) {
        const char *state = lp_json_text(app, "state");
        if (strcmp(state, "ready") != 0 && strcmp(state, "done") != 0 && strcmp(state, "idle") != 0)
            return lp_arena_printf(cmd->arena, "%s: %s", lp_json_text(app, "name"), state);
    }
    return "";
}

static void nodes_print(struct lp_cmd *cmd, const json_t *nodes)
{
    struct lp_table table = {.columns = 9};
    size_t i;
    const json_t *node;
    static const char *const heads[] = {"INFRASTRUCTURE", "NODE",  "STATE", "HEALTH", "ADDRESS",
                                        "RESTARTS",       "SINCE", "IMAGE", ""};
    struct lp_cell cells[9];
    for (i = 0; i < 9; i++)
        cells[i] = (struct lp_cell){heads[i], LP_DIM};
    lp_table_add(cmd, &table, cells);
    json_array_foreach (nodes, i, node) {
        const char *health = lp_json_text(node, "health");
        struct lp_cell row[] = {
            {lp_json_text(node, "infrastructure"), LP_PLAIN},
            {lp_json_text(node, "node"), LP_BOLD},
            {lp_json_text(node, "state"), LP_PLAIN},
            {health, lp_health_color(health)},
            {lp_json_text(node, "address"), LP_PLAIN},
            {number(cmd, node, "restarts"), LP_PLAIN},
            {lp_time_ago(cmd, lp_json_number(node, "since")), LP_PLAIN},
            {lp_json_text(node, "image"), LP_PLAIN},
            {note_of(cmd, node), LP_YELLOW},
        };
        lp_table_add(cmd, &table, row);
    }
    lp_table_print(cmd, &table);
    if (json_array_size(nodes) == 0 && !cmd->is_quiet)
        puts("no nodes; `limpet up FILE` brings some up");
}

static void services_print(struct lp_cmd *cmd, const json_t *services, const char *infra)
{
    struct lp_table table = {.columns = 4};
    size_t i, k;
    const json_t *service, *port;
    lp_table_add(
        cmd, &table,
        (struct lp_cell[]){
            {"  SERVICE", LP_DIM}, {"HEALTHY", LP_DIM}, {"IMAGE", LP_DIM}, {"PORTS", LP_DIM}});
    json_array_foreach (services, i, service) {
        struct lp_str ports = {0};
        if (strcmp(lp_json_text(service, "infrastructure"), infra) != 0)
            continue;
        json_array_foreach (json_object_get(service, "ports"), k, port) {
            lp_str_printf(&ports, "%s%s%s", k ? ", " : "", json_string_value(port),
                          lp_json_holds(json_object_get(service, "unpublished"), port)
                              ? " (not published)"
                              : "");
        }
        if (json_is_true(json_object_get(service, "is_braked")))
            lp_str_add(&ports, ports.bytes ? "  (braked: most nodes failed)"
                                           : "(braked: most nodes failed)");
        long long healthy = lp_json_number(service, "healthy"),
                  wanted = lp_json_number(service, "wanted");
        struct lp_cell row[] = {
            {lp_arena_printf(cmd->arena, "  %s", lp_json_text(service, "service")), LP_PLAIN},
            {lp_arena_printf(cmd->arena, "%lld/%lld", healthy, wanted),
             healthy >= wanted ? LP_GREEN : LP_YELLOW},
            {lp_json_text(service, "image"), LP_PLAIN},
            {lp_arena_text(cmd->arena, lp_str_text(&ports)), LP_PLAIN},
        };
        lp_str_release(&ports);
        lp_table_add(cmd, &table, row);
    }
    lp_table_print(cmd, &table);
}

static void status_print(struct lp_cmd *cmd, const json_t *infras, const json_t *services)
{
    size_t i;
    const json_t *infra;
    json_array_foreach (infras, i, infra) {
        const char *state = lp_json_text(infra, "state"),
                   *name = lp_json_text(infra, "infrastructure");
        struct lp_str line = {0};
        lp_color_begin(&line, LP_BOLD, cmd->has_color);
        lp_str_add(&line, name);
        lp_color_end(&line, LP_BOLD, cmd->has_color);
        lp_str_add(&line, "  ");
        lp_color_begin(&line, lp_health_color(state), cmd->has_color);
        lp_str_add(&line, state);
        lp_color_end(&line, lp_health_color(state), cmd->has_color);
        printf("%s  %lld of %lld nodes healthy, network %s, %s\n", lp_str_text(&line),
               lp_json_number(infra, "healthy"), lp_json_number(infra, "wanted"),
               lp_json_text(infra, "network"), lp_time_ago(cmd, lp_json_number(infra, "since")));
        lp_str_release(&line);
        if (lp_json_text(infra, "trouble")[0])
            printf("  %s\n", lp_json_text(infra, "trouble"));
        services_print(cmd, services, name);
    }
    if (json_array_size(infras) == 0 && !cmd->is_quiet)
        puts("no infrastructures; `limpet up FILE` brings one up");
}

static int ps_run(struct lp_cmd *cmd, int argc, char **argv)
{
    struct lp_client *client;
    json_t *nodes = NULL;
    if (lp_client_open(cmd->root, &client, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    int code = lp_client_get(client, &nodes, &cmd->err, "/v1/nodes", "infrastructure",
                             argc > 1 ? argv[1] : cmd->infra, LP_QUERY_END);
    lp_client_close(client);
    if (code < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (cmd->is_json)
        lp_json_show(nodes);
    else
        nodes_print(cmd, nodes);
    json_decref(nodes);
    return LP_EXIT_DONE;
}

static int status_run(struct lp_cmd *cmd, int argc, char **argv)
{
    struct lp_client *client;
    json_t *infras = NULL, *services = NULL;
    const char *infra = argc > 1 ? argv[1] : cmd->infra;
    if (lp_client_open(cmd->root, &client, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    int code = lp_client_get(client, &infras, &cmd->err, "/v1/infrastructures", "infrastructure",
                             infra, LP_QUERY_END);
    if (code == 0)
        code = lp_client_get(client, &services, &cmd->err, "/v1/services", "infrastructure", infra,
                             LP_QUERY_END);
    lp_client_close(client);
    if (code == 0 && cmd->is_json)
        lp_json_show(infras);
    else if (code == 0)
        status_print(cmd, infras, services);
    json_decref(infras);
    json_decref(services);
    return code < 0 ? lp_cmd_fail(cmd, &cmd->err) : LP_EXIT_DONE;
}

const struct lp_verb lp_verb_ps = {
    .name = "ps",
    .summary = "List the nodes",
    .usage = "[INFRASTRUCTURE] [-o json]",
    .help =
        "With -o json: an array of objects with infrastructure, service, node, runtime, state,\n"
        "health, address, addresses, image, restarts, since, incarnation, waits_for and\n"
        "applications.",
    .run = ps_run,
    .most = 1,
};

const struct lp_verb lp_verb_status = {
    .name = "status",
    .summary = "List the infrastructures and their services",
    .usage = "[INFRASTRUCTURE] [-o json]",
    .help =
        "With -o json: an array of objects with infrastructure, state, services, nodes, healthy,\n"
        "wanted, gave_up, network, since, is_settled and trouble.",
    .run = status_run,
    .most = 1,
};
