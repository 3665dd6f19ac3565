// `limpet up`.
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/daemon_start.h"
#include "cmd/descriptor_file.h"
#include "cmd/progress.h"
#include "cmd/table.h"
#include "cmd/verb.h"
#include "base/clock.h"
#include "base/own.h"

enum { SUMMARY_NODES_MAX = 40 };

LP_MUST_CHECK static int apply(struct lp_cmd *cmd, struct lp_client *client,
                               const struct lp_descriptor_file *file, uint64_t *ret_seq)
{
    json_t *answer = NULL;
    const char *name = file->descriptor->name;
    struct lp_call_spec spec = {
        .method = "PUT",
        .path = lp_arena_printf(cmd->arena, "/v1/infrastructures/%s", name),
        .body = lp_descriptor_file_body(cmd, file, true),
    };
    if (lp_client_call(client, &spec, &answer, &cmd->err) < 0)
        return cmd->err.code;
    *ret_seq = (uint64_t)lp_json_number(answer, "journal_seq");
    json_decref(answer);
    return 0;
}

// "127.0.0.1:8080->80" as a person would type it.
static const char *url_of(struct lp_cmd *cmd, const char *port)
{
    const char *arrow = strstr(port, "->");
    size_t bytes = arrow ? (size_t)(arrow - port) : strlen(port);
    const char *host = lp_arena_text_n(cmd->arena, port, bytes);
    static const char *const all[] = {"*:", "0.0.0.0:", "[::]:"};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (lp_text_starts(host, all[i]))
            host = lp_arena_printf(cmd->arena, "localhost:%s", host + strlen(all[i]));
    const char *inner = arrow ? arrow + 2 : "";
    if (lp_text_ends(port, "/udp"))
        return lp_arena_printf(cmd->arena, "%s (udp)", host);
    if (lp_text_equal(inner, "443") || lp_text_equal(inner, "8443"))
        return lp_arena_printf(cmd->arena, "https://%s/", host);
    static const char *const web[] = {"80", "3000", "5000", "8000", "8080", "8888", "9090"};
    for (size_t i = 0; i < sizeof(web) / sizeof(*web); i++)
        if (lp_text_equal(inner, web[i]))
            return lp_arena_printf(cmd->arena, "http://%s/", host);
    return host;
}

static void ports_print(const struct lp_progress *progress)
{
    struct lp_cmd *cmd = progress->cmd;
    json_t *services = NULL;
    const json_t *service, *port;
    size_t i, k;
    if (lp_client_get(progress->client, &services, &cmd->err, "/v1/services", "infrastructure",
                      progress->infra, LP_QUERY_END) < 0)
        return; // the summary goes without
    json_array_foreach (services, i, service) {
        json_array_foreach (json_object_get(service, "ports"), k, port) {
            if (!lp_json_holds(json_object_get(service, "unpublished"), port))
                printf("%s answers at %s\n", lp_json_text(service, "service"),
                       url_of(cmd, json_string_value(port)));
        }
    }
    json_decref(services);
}

// Every node is healthy; a port that somebody else has is told apart, because what is wrong then
// is outside of the infrastructure.
static int summary_print(const struct lp_progress *progress)
{
    struct lp_cmd *cmd = progress->cmd;
    struct lp_table table = {.columns = 3};
    size_t i, count = json_array_size(progress->nodes);
    const json_t *node;
    const char *trouble = lp_json_text(progress->row, "trouble");
    int status = trouble[0] ? LP_EXIT_NOT_HEALTHY : LP_EXIT_DONE;
    if (trouble[0])
        fprintf(stderr, "limpet up: %s\n", trouble);
    if (cmd->is_quiet)
        return status;
    printf("%s is up: %zu node%s healthy after %s\n", progress->infra, count, count == 1 ? "" : "s",
           lp_time_span(cmd, lp_monotonic_ms() - progress->start_ms));
    lp_table_add(cmd, &table,
                 (struct lp_cell[]){{"NODE", LP_DIM}, {"HEALTH", LP_DIM}, {"ADDRESS", LP_DIM}});
    json_array_foreach (progress->nodes, i, node) {
        const char *health = lp_json_text(node, "health");
        if (i == SUMMARY_NODES_MAX)
            break;
        lp_table_add(cmd, &table,
                     (struct lp_cell[]){{lp_json_text(node, "node"), LP_PLAIN},
                                        {health, lp_health_color(health)},
                                        {lp_json_text(node, "address"), LP_PLAIN}});
    }
    lp_table_print(cmd, &table);
    if (count > SUMMARY_NODES_MAX)
        printf("… and %zu more; limpet ps lists them\n", count - SUMMARY_NODES_MAX);
    ports_print(progress);
    return status;
}

static int unwell(struct lp_progress *progress, int64_t limit_ms)
{
    size_t i, count = 0;
    const json_t *node;
    json_array_foreach (progress->nodes, i, node) {
        const char *health = lp_json_text(node, "health");
        count += strcmp(health, "healthy") != 0 && strcmp(health, "completed") != 0;
    }
    int64_t passed_ms = lp_monotonic_ms() - progress->start_ms;
    fprintf(stderr, "limpet up: %s is not healthy after %s (%zu of %zu nodes are not)%s\n",
            progress->infra, lp_time_span(progress->cmd, passed_ms), count,
            json_array_size(progress->nodes),
            passed_ms < limit_ms ? ": nothing more will be tried" : "");
    lp_progress_tell_unwell(progress);
    return LP_EXIT_NOT_HEALTHY;
}

// Nothing more is going to happen. Right after its start a daemon does not know yet what runs.
static bool is_settled(const struct lp_progress *progress)
{
    size_t i;
    const json_t *node;
    json_array_foreach (progress->nodes, i, node) {
        if (strcmp(lp_json_text(node, "state"), "unknown") == 0)
            return false;
    }
    return json_is_true(json_object_get(progress->row, "is_settled"));
}

// Until all is well, nothing more will happen, the time is over or a person has seen enough.
static int wait_healthy(struct lp_progress *progress, int64_t limit_ms)
{
    lp_interrupt_watch();
    for (;;) {
        int code = lp_progress_turn(progress);
        if (code < 0) {
            lp_progress_erase(progress);
            return lp_progress_fail(progress);
        }
        const char *state = lp_json_text(progress->row, "state");
        bool is_at_rest = is_settled(progress);
        bool is_healthy = is_at_rest && strcmp(state, "healthy") == 0;
        bool is_over = lp_monotonic_ms() - progress->start_ms >= limit_ms;
        bool is_gone = !progress->row;
        if (!is_at_rest && !is_over && !is_gone && !lp_interrupt_came())
            continue;
        lp_progress_erase(progress);
        lp_progress_catch_up(progress);
        if (is_healthy)
            return summary_print(progress);
        if (lp_interrupt_came() && !is_at_rest && !is_over) {
            fprintf(stderr, "limpet up: not waiting any longer; %s goes on coming up\n",
                    progress->infra);
            return LP_EXIT_FAILED;
        }
        return unwell(progress, limit_ms);
    }
}

static int up(struct lp_cmd *cmd, struct lp_client *client, const struct lp_descriptor_file *file,
              int64_t limit_ms)
{
    uint64_t seq = 0;
    const char *name = file->descriptor->name;
    if (lp_daemon_ensure(cmd, client) < 0 || apply(cmd, client, file, &seq) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (lp_option_is_given(cmd, "detach")) {
        if (!cmd->is_quiet)
            printf("%s is coming up; limpet ps shows how far it is\n", name);
        return LP_EXIT_DONE;
    }
    struct lp_progress progress = {.cmd = cmd, .client = client, .infra = name, .after = seq};
    int status = wait_healthy(&progress, limit_ms);
    lp_progress_end(&progress);
    return status;
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    struct lp_descriptor_file file;
    struct lp_client *client;
    int64_t wait_ms;
    if (lp_option_wait_ms(cmd, &wait_ms, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    int status = lp_descriptor_file_read(cmd, argc > 1 ? argv[1] : NULL, &file);
    if (status != LP_EXIT_DONE)
        return status;
    if (lp_client_open(cmd->root, &client, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    status = up(cmd, client, &file, wait_ms);
    lp_client_close(client);
    return status;
}

static const struct lp_option options[] = {
    {"wait", 0, "[TIME]", "wait until all is healthy, at most so long (the default: 10m)"},
    {"detach", 'd', NULL, "do not wait"},
    {"profile", 0, "NAME", "with the services of this profile; may be given again"},
    {"scale", 0, "SERVICE=N", "with so many nodes of this service; may be given again"},
    {0},
};

const struct lp_verb lp_verb_up = {
    .name = "up",
    .summary = "Bring up what a file describes, or make it as the file says",
    .usage = "[FILE] [--wait[=TIME]|--detach] [--profile NAME]... [--scale SERVICE=N]...",
    .help = "Only what differs from the file is touched. Without FILE: limpet.yaml, compose.yaml\n"
            "or docker-compose.yml of the working folder; ${VARIABLES} come from the environment\n"
            "and from the .env beside the file. Starts the daemon when none runs. Ends with 3\n"
            "when not all is healthy in time or a port is not published, and says what and why.",
    .options = options,
    .run = run,
    .most = 1,
};
