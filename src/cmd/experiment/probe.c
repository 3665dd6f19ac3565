// `limpet probe`: one reading of a check of an experiment. Called by `limpet experiment`.
#define _GNU_SOURCE
#include "cmd/experiment/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/client.h"
#include "cmd/verb.h"
#include "drivers/child.h"
#include "drivers/network/network_ns.h"
#include "drivers/check/ping.h"
#include "drivers/place.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"

enum { CHECK_BYTES_MAX = 64 * 1024, OUTPUT_BYTES_MAX = 256 * 1024, SHOWN_BYTES = 160 };

bool lp_probe_regex_matches(const char *regex, const char *text)
{
    regex_t compiled;
    if (regcomp(&compiled, regex, REG_EXTENDED | REG_NOSUB | REG_NEWLINE) != 0)
        return false;
    bool is_match = regexec(&compiled, text, 0, NULL, 0) == 0;
    regfree(&compiled);
    return is_match;
}

int lp_probe_network_enter(const struct lp_cmd *cmd, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str id = {0};
    LP_OWNS_FD int fd = -1;
    const char *path = lp_arena_printf(cmd->arena, "%s/id", cmd->root);
    if (!cmd->infra)
        return lp_err_set(err, LP_EINPUT, "a node of which infrastructure?");
    if (lp_file_read(path, 64, &id, err) < 0)
        return err->code;
    char *text = lp_arena_text(cmd->arena, lp_str_text(&id));
    text[strcspn(text, "\n")] = '\0';
    path = lp_arena_printf(cmd->arena, "/run/netns/limpet-%s-%s", text, cmd->infra);
    if (lp_netns_open(path, &fd, err) < 0 || lp_netns_enter(fd, err) < 0)
        return lp_err_wrap(err, "network of %s", cmd->infra);
    return 0;
}

int lp_probe_node_address(struct lp_cmd *cmd, const char *node, const char **ret_address,
                          struct lp_err *err)
{
    struct lp_client *client = NULL;
    json_t *nodes = NULL;
    const json_t *row;
    size_t i;
    *ret_address = NULL;
    int code = lp_client_open(cmd->root, &client, err);
    if (code == 0)
        code = lp_client_get(client, &nodes, err, "/v1/nodes", "infrastructure", cmd->infra,
                             LP_QUERY_END);
    json_array_foreach (nodes, i, row) {
        if (strcmp(lp_json_text(row, "node"), node) == 0)
            *ret_address = lp_arena_text(cmd->arena, lp_json_text(row, "address"));
    }
    json_decref(nodes);
    lp_client_close(client);
    if (code == 0 && !*ret_address)
        code = lp_err_set(err, LP_ENOTFOUND, "there is no node '%s'", node);
    if (code == 0 && !**ret_address)
        code = lp_err_set(err, LP_ENOTFOUND, "%s has no address", node);
    return code;
}

// "127.0.0.1:8081->80": the first half, if the second is the wanted port, or any is.
static const char *published_find(struct lp_cmd *cmd, const json_t *ports, uint16_t wanted)
{
    const json_t *port;
    size_t i;
    json_array_foreach (ports, i, port) {
        const char *text = json_string_value(port), *arrow = strstr(text, "->");
        if (!arrow || strstr(arrow, "/udp") || (wanted && atoi(arrow + 2) != wanted))
            continue;
        const char *address = lp_arena_text_n(cmd->arena, text, (size_t)(arrow - text));
        const char *colon = strrchr(address, ':');
        if (lp_text_starts(address, "*:") || lp_text_starts(address, "0.0.0.0:"))
            return lp_arena_printf(cmd->arena, "127.0.0.1%s", colon);
        return address;
    }
    return NULL;
}

int lp_probe_service_port(struct lp_cmd *cmd, const char *service, uint16_t port,
                          const char **ret_address, struct lp_err *err)
{
    struct lp_client *client = NULL;
    json_t *services = NULL;
    const json_t *row;
    size_t i;
    bool is_known = false;
    *ret_address = NULL;
    int code = lp_client_open(cmd->root, &client, err);
    if (code == 0)
        code = lp_client_get(client, &services, err, "/v1/services", "infrastructure", cmd->infra,
                             LP_QUERY_END);
    json_array_foreach (services, i, row) {
        if (strcmp(lp_json_text(row, "service"), service) != 0)
            continue;
        is_known = true;
        *ret_address = published_find(cmd, json_object_get(row, "ports"), port);
    }
    json_decref(services);
    lp_client_close(client);
    if (code == 0 && !is_known)
        code = lp_err_set(err, LP_ENOTFOUND, "there is no service '%s'", service);
    else if (code == 0 && !*ret_address)
        code = lp_err_set(err, LP_ENOTFOUND, "%s does not publish that port", service);
    return code;
}

// "host:port" as numbers.
LP_MUST_CHECK static int tcp_try(const char *host, uint16_t port, uint32_t timeout_ms,
                                 struct lp_err *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    LP_OWNS_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int code = 0;
    socklen_t bytes = sizeof(code);
    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        return lp_err_set(err, LP_EINPUT, "'%s' is not an IPv4 address", host);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno != EINPROGRESS)
        return lp_err_set(err, LP_EIO, "%s:%u: %s", host, port, strerror(errno));
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    if (poll(&wait, 1, (int)timeout_ms) <= 0)
        return lp_err_set(err, LP_ETIMEOUT, "%s:%u does not answer", host, port);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &bytes) < 0 || code)
        return lp_err_set(err, LP_EIO, "%s:%u: %s", host, port, strerror(code));
    return 0;
}

LP_MUST_CHECK static int tcp_probe(struct lp_probe *probe, const struct lp_experiment_check *check,
                                   struct lp_err *err)
{
    const char *host = check->host;
    uint16_t port = check->port;
    if (check->service) {
        const char *address = NULL;
        if (lp_probe_service_port(probe->cmd, check->service, check->port, &address, err) < 0)
            return err->code;
        const char *colon = address ? strrchr(address, ':') : NULL;
        if (!colon)
            return lp_err_set(err, LP_ECORRUPT, "'%s' is no address with a port",
                              address ? address : "");
        host = lp_arena_text_n(probe->cmd->arena, address, (size_t)(colon - address));
        port = (uint16_t)atoi(colon + 1);
    } else if (check->node) {
        if (lp_probe_node_address(probe->cmd, check->node, &host, err) < 0)
            return err->code;
        if (lp_probe_network_enter(probe->cmd, err) < 0)
            return err->code;
    }
    if (!host)
        return lp_err_set(err, LP_EINPUT, "which address?");
    if (tcp_try(host, port, check->timeout_ms, err) < 0)
        return err->code;
    probe->is_ok = true;
    lp_str_printf(&probe->text, "%s:%u accepts connections", host, port);
    return 0;
}

LP_MUST_CHECK static int ping_try(const char *host, uint32_t timeout_ms, struct lp_err *err)
{
    uint8_t bytes[256];
    struct in_addr address;
    bool is_raw = false;
    LP_OWNS_FD int fd = -1, home = -1;
    uint16_t id = (uint16_t)getpid();
    if (inet_pton(AF_INET, host, &address) != 1)
        return lp_err_set(err, LP_EINPUT, "'%s' is neither a node nor an IPv4 address", host);
    if (lp_netns_open_own(&home, err) < 0 ||
        lp_ping_open(home, ntohl(address.s_addr), &fd, &is_raw, err) < 0)
        return err->code;
    lp_ping_print(id, 1, bytes);
    if (send(fd, bytes, LP_PING_BYTES, 0) < 0)
        return lp_err_set(err, LP_EIO, "ping %s: %s", host, strerror(errno));
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    for (int tries = 0; tries < 16 && poll(&wait, 1, (int)timeout_ms) > 0; tries++) {
        ssize_t count = recv(fd, bytes, sizeof(bytes), 0);
        if (count < 0)
            return lp_err_set(err, LP_EIO, "ping %s: %s", host, strerror(errno));
        if (lp_ping_is_answer(bytes, (size_t)count, is_raw, id, 1))
            return 0;
    }
    return lp_err_set(err, LP_ETIMEOUT, "%s does not answer", host);
}

LP_MUST_CHECK static int ping_probe(struct lp_probe *probe, const struct lp_experiment_check *check,
                                    struct lp_err *err)
{
    struct in_addr address;
    const char *host = check->host;
    if (inet_pton(AF_INET, host, &address) != 1) {
        if (lp_probe_node_address(probe->cmd, check->host, &host, err) < 0)
            return err->code;
        if (lp_probe_network_enter(probe->cmd, err) < 0)
            return err->code;
    }
    if (ping_try(host, check->timeout_ms, err) < 0)
        return err->code;
    probe->is_ok = true;
    lp_str_printf(&probe->text, "%s answers", check->host);
    return 0;
}

// A command of this program, or any other; its output is looked at.
LP_MUST_CHECK static int command_run(struct lp_probe *probe, const char *const *argv,
                                     uint32_t timeout_ms, struct lp_str *ret_output,
                                     int *ret_status, struct lp_err *err)
{
    const struct lp_child_spec spec = {.argv = argv,
                                       .environment = (const char *const *)environ,
                                       .output_max = OUTPUT_BYTES_MAX,
                                       .timeout_ms = timeout_ms};
    (void)probe;
    return lp_child_run(&spec, ret_status, ret_output, err);
}

static void output_show(struct lp_probe *probe, const struct lp_str *output)
{
    const char *text = lp_str_text(output);
    size_t bytes = strcspn(text, "\n");
    if (!bytes)
        return;
    bytes = lp_utf8_valid(text, bytes < SHOWN_BYTES ? bytes : (size_t)SHOWN_BYTES);
    lp_str_printf(&probe->text, ": %.*s", (int)bytes, text);
}

static bool has_what(struct lp_probe *probe, const struct lp_experiment_check *check,
                     const char *text)
{
    if (check->contains && !strstr(text, check->contains)) {
        lp_str_printf(&probe->text, "; '%s' is not in it", check->contains);
        return false;
    }
    if (check->regex && !lp_probe_regex_matches(check->regex, text)) {
        lp_str_printf(&probe->text, "; nothing in it matches '%s'", check->regex);
        return false;
    }
    return true;
}

LP_MUST_CHECK static int exec_probe(struct lp_probe *probe, const struct lp_experiment_check *check,
                                    struct lp_err *err)
{
    struct lp_cmd *cmd = probe->cmd;
    LP_OWNS_STR struct lp_str output = {0};
    size_t count = 0;
    int status = 0;
    const char **argv = lp_arena_new_array(cmd->arena, const char *, check->argv.count + 8);
    if (check->node) {
        const char *own[] = {cmd->program, "--root",  cmd->root,
                             "exec",       "--infra", cmd->infra ? cmd->infra : "",
                             check->node};
        for (; count < sizeof(own) / sizeof(*own); count++)
            argv[count] = own[count];
    }
    for (size_t i = 0; i < check->argv.count; i++)
        argv[count++] = check->argv.items[i];
    if (command_run(probe, argv, check->timeout_ms, &output, &status, err) < 0)
        return err->code;
    lp_child_status_print(status, &probe->text);
    output_show(probe, &output);
    probe->is_ok = status == check->exit_code && has_what(probe, check, lp_str_text(&output));
    return 0;
}

LP_MUST_CHECK static int log_probe(struct lp_probe *probe, const struct lp_experiment_check *check,
                                   struct lp_err *err)
{
    struct lp_cmd *cmd = probe->cmd;
    LP_OWNS_STR struct lp_str output = {0};
    int status = 0;
    const char *since =
        lp_arena_printf(cmd->arena, "@%lld.%03d", (long long)(probe->since_ms / 1000),
                        (int)(probe->since_ms % 1000));
    const char *const argv[] = {
        cmd->program, "--root", cmd->root,     "logs",      "--infra", cmd->infra ? cmd->infra : "",
        "--since",    since,    "--no-prefix", check->node, NULL};
    if (command_run(probe, argv, check->timeout_ms, &output, &status, err) < 0)
        return err->code;
    lp_str_printf(&probe->text, "%zu bytes of log", output.bytes);
    probe->is_ok = status == 0 && has_what(probe, check, lp_str_text(&output));
    return 0;
}

LP_MUST_CHECK static int node_probe(struct lp_probe *probe, const struct lp_experiment_check *check,
                                    struct lp_err *err)
{
    struct lp_cmd *cmd = probe->cmd;
    struct lp_client *client = NULL;
    json_t *nodes = NULL;
    const json_t *row;
    size_t i, count = 0, good = 0;
    int code = lp_client_open(cmd->root, &client, err);
    if (code == 0)
        code = lp_client_get(client, &nodes, err, "/v1/nodes", "infrastructure", cmd->infra,
                             LP_QUERY_END);
    json_array_foreach (nodes, i, row) {
        if (strcmp(lp_json_text(row, "node"), check->node) != 0 &&
            strcmp(lp_json_text(row, "service"), check->node) != 0)
            continue;
        const char *health = lp_json_text(row, "health"), *state = lp_json_text(row, "state");
        bool is_so = strcmp(health, check->is) == 0 || strcmp(state, check->is) == 0;
        lp_str_printf(&probe->text, "%s%s is %s", count ? ", " : "", lp_json_text(row, "node"),
                      is_so ? check->is : health);
        count++;
        good += is_so;
    }
    json_decref(nodes);
    lp_client_close(client);
    if (code == 0 && count == 0)
        code = lp_err_set(err, LP_ENOTFOUND, "there is no node or service '%s'", check->node);
    probe->is_ok = count && good == count;
    return code;
}

int lp_probe_check(struct lp_probe *probe, const struct lp_experiment_check *check,
                   struct lp_err *err)
{
    switch (check->kind) {
    case LP_EXPERIMENT_HTTP:
        return lp_probe_web(probe, check, err);
    case LP_EXPERIMENT_METRIC:
    case LP_EXPERIMENT_PROMQL:
        return lp_probe_metric(probe, check, err);
    case LP_EXPERIMENT_TCP:
        return tcp_probe(probe, check, err);
    case LP_EXPERIMENT_PING:
        return ping_probe(probe, check, err);
    case LP_EXPERIMENT_EXEC:
        return exec_probe(probe, check, err);
    case LP_EXPERIMENT_NODE:
        return node_probe(probe, check, err);
    case LP_EXPERIMENT_LOG:
        return log_probe(probe, check, err);
    default:
        return lp_err_set(err, LP_EINPUT, "not a check");
    }
}

// check: of Limpet; tolerance: an activity of the Chaos Toolkit, judged; activity: only done.
static int take(struct lp_probe *probe, const char *source, const char *what)
{
    struct lp_experiment_check check;
    struct lp_experiment_activity activity;
    struct lp_err *err = &probe->cmd->err;
    if (strcmp(what, "check") == 0)
        return lp_experiment_check_read(source, probe->cmd->arena, &check, err) < 0
                   ? err->code
                   : lp_probe_check(probe, &check, err);
    if (lp_experiment_activity_read(source, probe->cmd->arena, &activity, err) < 0)
        return err->code;
    if (strcmp(what, "activity") == 0)
        activity.tolerance = NULL;
    return lp_probe_activity(probe, &activity, err);
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    char source[CHECK_BYTES_MAX + 1];
    size_t count = fread(source, 1, CHECK_BYTES_MAX, stdin);
    struct lp_probe probe = {.cmd = cmd, .since_ms = argc > 2 ? atoll(argv[2]) : 0};
    int64_t began_us = lp_monotonic_us();
    source[count] = '\0';
    if (take(&probe, source, argv[1]) < 0) {
        probe.is_ok = false;
        lp_str_printf(&probe.text, "%s%s", probe.text.bytes ? "; " : "", cmd->err.text);
    }
    size_t valid = lp_utf8_valid(lp_str_text(&probe.text), probe.text.bytes);
    json_t *answer = json_pack("{s:b, s:I, s:s%}", "ok", probe.is_ok, "took_us",
                               (json_int_t)(lp_monotonic_us() - began_us), "text",
                               lp_str_text(&probe.text), valid);
    if (probe.output)
        json_object_set_new(answer, "output", probe.output);
    lp_json_show(answer);
    json_decref(answer);
    lp_str_release(&probe.text);
    return LP_EXIT_DONE;
}

const struct lp_verb lp_verb_probe = {
    .name = "probe",
    .summary = "Take one reading of a check",
    .usage = "check|activity|tolerance [SINCE]",
    .run = run,
    .least = 1,
    .most = 2,
    .is_hidden = true,
};
