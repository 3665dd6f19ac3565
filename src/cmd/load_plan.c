// The plan of a load as a person gives it: options become the keys of a plan, and one reader reads
// both.
#include "cmd/load_plan.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/target.h"
#include "model/parse_mistake.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

// Options whose value is that of a key; the first ones say when, not what.
static const struct {
    const char *option, *key;
} when_keys[] = {{"profile", "profile"},
                 {"rate", "rate"},
                 {"for", "for"},
                 {"peak", "peak"},
                 {"up", "up"},
                 {"hold", "hold"},
                 {"down", "down"},
                 {"timeout", "timeout"},
                 {"connections", "connections"},
                 {"outstanding", "outstanding"},
                 {"delayed-after", "delayed_after"}};
static const char *const what_options[] = {"step",          "method",      "header",       "data",
                                           "expect-status", "expect-body", "expect-regex", "read",
                                           "read-body",     "read-within", "no-keep-alive"};
enum {
    WHEN_KEYS = sizeof(when_keys) / sizeof(*when_keys),
    WHAT_OPTIONS = sizeof(what_options) / sizeof(*what_options),
    HOST_BYTES = 64, // sscanf below knows it, too
};

static void text_set(json_t *object, const char *key, const char *value)
{
    if (value)
        json_object_set_new(object, key, json_string(value));
}

static json_t *expect_of(const struct lp_cmd *cmd, const char *status, const char *contains,
                         const char *regex)
{
    json_t *expect = json_object(), *statuses = json_array();
    const char *list = status ? lp_option_value(cmd, status) : NULL;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    for (char *save = NULL, *word = list ? strtok_r(lp_arena_text(&arena, list), ",", &save) : NULL;
         word; word = strtok_r(NULL, ",", &save))
        json_array_append_new(statuses, json_string(word));
    if (list)
        json_object_set(expect, "status", statuses);
    json_decref(statuses);
    text_set(expect, "contains", lp_option_value(cmd, contains));
    text_set(expect, "regex", regex ? lp_option_value(cmd, regex) : NULL);
    return expect;
}

LP_MUST_CHECK static int headers_set(struct lp_cmd *cmd, json_t *request)
{
    json_t *headers = json_object();
    json_object_set_new(request, "headers", headers);
    for (size_t i = 0; i < cmd->given_count; i++) {
        if (strcmp(cmd->given[i].option->name, "header") != 0)
            continue;
        const char *text = cmd->given[i].value, *colon = strchr(text, ':');
        if (!colon)
            return lp_err_set(&cmd->err, LP_EINPUT, "--header '%s': NAME: VALUE is wanted", text);
        const char *name = lp_arena_text_n(cmd->arena, text, (size_t)(colon - text));
        text_set(headers, name, colon + 1 + strspn(colon + 1, " \t"));
    }
    return 0;
}

LP_MUST_CHECK static int body_set(struct lp_cmd *cmd, json_t *request)
{
    const char *data = lp_option_value(cmd, "data");
    LP_OWNS_STR struct lp_str text = {0};
    if (data && data[0] == '@') {
        if (lp_file_read(data + 1, LP_LOAD_TEXT_BYTES_MAX, &text, &cmd->err) < 0)
            return lp_err_set(&cmd->err, LP_EINPUT, "--data: %s",
                              lp_arena_text(cmd->arena, cmd->err.text));
        data = lp_str_text(&text);
    }
    text_set(request, "body", data);
    return 0;
}

// Where to. HOST:PORT/PATH is told from SERVICE/... by the colon before the first slash.
LP_MUST_CHECK static int target_set(struct lp_cmd *cmd, const char *text, json_t *request)
{
    char *end;
    size_t first = strcspn(text, "/");
    bool has_port = memchr(text, ':', first) != NULL;
    if (strstr(text, "://")) {
        text_set(request, "url", text);
        return 0;
    }
    if (has_port) {
        text_set(request, "url", lp_arena_printf(cmd->arena, "http://%s", text));
        return 0;
    }
    const char *service = text;
    if (text[first] == '/') {
        const char *infra = lp_arena_text_n(cmd->arena, text, first);
        if (cmd->infra && strcmp(cmd->infra, infra) != 0)
            return lp_err_set(&cmd->err, LP_EINPUT, "one infrastructure at a time, not %s and %s",
                              cmd->infra, infra);
        cmd->infra = infra;
        service += first + 1;
    }
    size_t bytes = strcspn(service, ":/?");
    const char *rest = service + bytes;
    text_set(request, "service", lp_arena_text_n(cmd->arena, service, bytes));
    if (*rest == ':') {
        unsigned long port = isdigit((unsigned char)rest[1]) ? strtoul(rest + 1, &end, 10) : 0;
        if (port < 1 || port > 65535 || !strchr("/?", *end))
            return lp_err_set(&cmd->err, LP_EINPUT, "'%s': no port of a service", text);
        json_object_set_new(request, "port", json_integer((json_int_t)port));
        rest = end;
    }
    if (*rest)
        text_set(request, "path",
                 lp_arena_printf(cmd->arena, "%s%s", *rest == '/' ? "" : "/", rest));
    return 0;
}

LP_MUST_CHECK static int request_make(struct lp_cmd *cmd, const char *target, json_t *request)
{
    const char *read = lp_option_value(cmd, "read");
    if (target_set(cmd, target, request) < 0 || headers_set(cmd, request) < 0 ||
        body_set(cmd, request) < 0)
        return cmd->err.code;
    text_set(request, "method", lp_option_value(cmd, "method"));
    json_object_set_new(request, "expect",
                        expect_of(cmd, "expect-status", "expect-body", "expect-regex"));
    if (!read) {
        if (lp_option_is_given(cmd, "read-body") || lp_option_is_given(cmd, "read-within"))
            return lp_err_set(&cmd->err, LP_EINPUT, "what is read back? --read URL is missing");
        return 0;
    }
    json_t *back = json_object();
    json_object_set_new(request, "read", back);
    json_object_set_new(back, "expect", expect_of(cmd, NULL, "read-body", NULL));
    text_set(back, "within", lp_option_value(cmd, "read-within"));
    if (read[0] != '/')
        return target_set(cmd, read, back);
    text_set(back, "path", read); // where the write goes
    return 0;
}

// --step 100:10s, or 100-200:10s for a rate that rises.
LP_MUST_CHECK static int steps_set(struct lp_cmd *cmd, json_t *plan)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < cmd->given_count; i++) {
        if (strcmp(cmd->given[i].option->name, "step") != 0)
            continue;
        json_t *step = json_object();
        const char *text = cmd->given[i].value, *colon = strchr(text, ':');
        json_array_append_new(steps, step);
        if (!colon) {
            json_decref(steps);
            return lp_err_set(&cmd->err, LP_EINPUT, "--step %s: RATE:TIME or RATE-RATE:TIME", text);
        }
        const char *rate = lp_arena_text_n(cmd->arena, text, (size_t)(colon - text));
        const char *dash = strchr(rate, '-');
        text_set(step, "rate", lp_arena_text_n(cmd->arena, rate, strcspn(rate, "-")));
        text_set(step, "to", dash ? dash + 1 : NULL);
        text_set(step, "for", colon + 1);
    }
    if (json_array_size(steps))
        json_object_set(plan, "steps", steps);
    json_decref(steps);
    return 0;
}

LP_MUST_CHECK static int plan_make(struct lp_cmd *cmd, int count, char **targets, json_t *plan)
{
    json_t *requests = json_array();
    json_object_set_new(plan, "requests", requests);
    for (int i = 0; i < count; i++) {
        json_t *request = json_object();
        json_array_append_new(requests, request);
        if (request_make(cmd, targets[i], request) < 0)
            return cmd->err.code;
    }
    for (size_t i = 0; i < WHEN_KEYS; i++)
        text_set(plan, when_keys[i].key, lp_option_value(cmd, when_keys[i].option));
    if (lp_option_is_given(cmd, "no-keep-alive"))
        json_object_set_new(plan, "keep_alive", json_false());
    return steps_set(cmd, plan);
}

// All mistakes; for options their places mean nothing.
static int mistakes_tell(const struct lp_cmd *cmd, const struct lp_mistakes *mistakes,
                         bool has_file)
{
    for (size_t i = 0; i < mistakes->count; i++) {
        const struct lp_mistake *mistake = &mistakes->items[i];
        if (has_file && mistake->line > 0)
            fprintf(stderr, "%s:%d:%d: %s\n", mistake->file, mistake->line, mistake->column,
                    mistake->text);
        else
            fprintf(stderr, "limpet %s: %s\n", cmd->verb->name, mistake->text);
    }
    return LP_EXIT_USAGE;
}

LP_MUST_CHECK static int text_read(struct lp_cmd *cmd, const char *path, const struct lp_str *text,
                                   struct lp_load *ret_load)
{
    struct lp_mistakes *mistakes = lp_arena_new(cmd->arena, struct lp_mistakes);
    if (lp_load_read(path ? path : "options", text, cmd->arena, mistakes, ret_load, &cmd->err) < 0)
        return mistakes_tell(cmd, mistakes, path != NULL);
    return LP_EXIT_DONE;
}

LP_MUST_CHECK static int file_read(struct lp_cmd *cmd, const char *path, int count,
                                   struct lp_load *ret_load)
{
    LP_OWNS_STR struct lp_str text = {0};
    bool has_more = count > 0;
    for (size_t i = 0; i < WHEN_KEYS; i++)
        has_more = has_more || lp_option_is_given(cmd, when_keys[i].option);
    for (size_t i = 0; i < WHAT_OPTIONS; i++)
        has_more = has_more || lp_option_is_given(cmd, what_options[i]);
    if (has_more) {
        lp_err_set(&cmd->err, LP_EINPUT, "--plan says it all: no target and no key of it beside");
        return lp_cmd_fail(cmd, &cmd->err);
    }
    if (lp_file_read(path, LP_DESCRIPTOR_BYTES_MAX, &text, &cmd->err) < 0) {
        lp_cmd_fail(cmd, &cmd->err);
        return LP_EXIT_USAGE;
    }
    return text_read(cmd, path, &text, ret_load);
}

// "127.0.0.1:8080->80", "*:8080->80": where a service's port is published on this machine.
static bool port_read(const char *text, uint16_t wanted, char ret_host[HOST_BYTES],
                      uint16_t *ret_port, uint16_t *ret_inner)
{
    unsigned outer, inner;
    int end = 0;
    if (sscanf(text, "%63[^:]:%u->%u%n", ret_host, &outer, &inner, &end) != 3 || text[end] ||
        outer > UINT16_MAX || inner > UINT16_MAX || (wanted && inner != wanted))
        return false;
    if (strcmp(ret_host, "0.0.0.0") == 0 || strcmp(ret_host, "*") == 0)
        snprintf(ret_host, HOST_BYTES, "127.0.0.1");
    *ret_port = (uint16_t)outer;
    *ret_inner = (uint16_t)inner;
    return true;
}

LP_MUST_CHECK static int service_resolve(struct lp_cmd *cmd, const json_t *service,
                                         struct lp_load_target *target)
{
    const json_t *port;
    char host[HOST_BYTES], found_host[HOST_BYTES] = "";
    uint16_t outer, inner, found = 0, found_inner = 0;
    size_t i;
    json_array_foreach (json_object_get(service, "ports"), i, port) {
        if (!port_read(json_string_value(port), target->port, host, &outer, &inner))
            continue;
        if (found && inner != found_inner)
            return lp_err_set(&cmd->err, LP_EINPUT,
                              "%s publishes several ports: say which with %s:PORT", target->service,
                              target->service);
        found = outer;
        found_inner = inner;
        memcpy(found_host, host, sizeof(host));
    }
    if (!found && target->port)
        return lp_err_set(&cmd->err, LP_ENOTFOUND, "%s does not publish its port %u",
                          target->service, target->port);
    if (!found)
        return lp_err_set(&cmd->err, LP_ENOTFOUND,
                          "%s publishes no port (`ports:` in its descriptor); a load needs one",
                          target->service);
    lp_load_resolve(target, found_host, found, cmd->arena);
    return 0;
}

LP_MUST_CHECK static int target_resolve(struct lp_cmd *cmd, const json_t *services,
                                        const char *infra, struct lp_load_target *target)
{
    const json_t *service;
    size_t i;
    if (!target->service)
        return 0;
    json_array_foreach (services, i, service) {
        if (strcmp(lp_json_text(service, "infrastructure"), infra) == 0 &&
            strcmp(lp_json_text(service, "service"), target->service) == 0)
            return service_resolve(cmd, service, target);
    }
    return lp_err_set(&cmd->err, LP_ENOTFOUND, "%s has no service '%s'", infra, target->service);
}

LP_MUST_CHECK static int services_resolve(struct lp_cmd *cmd, struct lp_client *client,
                                          struct lp_load *load)
{
    const char *infra;
    json_t *services = NULL;
    if (lp_target_infra(cmd, client, &infra) < 0 ||
        lp_client_get(client, &services, &cmd->err, "/v1/services", "infrastructure", infra,
                      LP_QUERY_END) < 0)
        return cmd->err.code;
    int code = 0;
    for (size_t i = 0; code == 0 && i < load->request_count; i++) {
        code = target_resolve(cmd, services, infra, &load->requests[i].target);
        if (code == 0)
            code = target_resolve(cmd, services, infra, &load->requests[i].read);
    }
    json_decref(services);
    return code;
}

LP_MUST_CHECK static int resolve(struct lp_cmd *cmd, struct lp_load *load)
{
    bool has_service = false;
    struct lp_client *client;
    for (size_t i = 0; i < load->request_count; i++)
        has_service =
            has_service || load->requests[i].target.service || load->requests[i].read.service;
    if (!has_service)
        return LP_EXIT_DONE;
    if (lp_client_open(cmd->root, &client, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    int code = services_resolve(cmd, client, load);
    lp_client_close(client);
    return code < 0 ? lp_cmd_fail(cmd, &cmd->err) : LP_EXIT_DONE;
}

int lp_load_plan_read(struct lp_cmd *cmd, int count, char **targets, struct lp_load *ret_load)
{
    const char *path = lp_option_value(cmd, "plan");
    LP_OWNS_STR struct lp_str text = {0};
    int status;
    if (path) {
        status = file_read(cmd, path, count, ret_load);
    } else if (count == 0) {
        lp_err_set(&cmd->err, LP_EINPUT, "a load on what? Name a URL or a service");
        return lp_cmd_fail(cmd, &cmd->err);
    } else {
        json_t *plan = json_object();
        int code = plan_make(cmd, count, targets, plan);
        lp_str_add(&text, lp_json_print(cmd, plan));
        json_decref(plan);
        if (code < 0)
            return lp_cmd_fail(cmd, &cmd->err);
        status = text_read(cmd, NULL, &text, ret_load);
    }
    return status == LP_EXIT_DONE ? resolve(cmd, ret_load) : status;
}
