// Activities of the Chaos Toolkit and what their tolerances make of them.
// Source: chaostoolkit-lib 1.45.0, hypothesis.py and provider modules.
#define _GNU_SOURCE
#include <curl/curl.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/experiment/json_path.h"
#include "cmd/experiment/probe.h"
#include "drivers/child.h"
#include "base/own.h"

enum { OUTPUT_BYTES_MAX = 256 * 1024 };

// name=value&..., escaped.
static const char *form_make(struct lp_cmd *cmd, const json_t *arguments)
{
    LP_OWNS_STR struct lp_str form = {0};
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)arguments, key, value) {
        char *plain = json_is_string(value) ? strdup(json_string_value(value))
                                            : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        char *left = curl_easy_escape(NULL, key, 0), *right = curl_easy_escape(NULL, plain, 0);
        lp_str_printf(&form, "%s%s=%s", form.bytes ? "&" : "", left, right);
        curl_free(left);
        curl_free(right);
        free(plain);
    }
    return lp_arena_text(cmd->arena, lp_str_text(&form));
}

static bool is_json_wanted(const struct lp_pairs *headers)
{
    for (size_t i = 0; i < headers->count; i++)
        if (strcasecmp(headers->items[i].key, "content-type") == 0 &&
            strstr(headers->items[i].value, "json"))
            return true;
    return false;
}

// Does the reply say that it is JSON? Any other body is a text.
static bool is_json(const json_t *headers)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)headers, name, value) {
        if (strcasecmp(name, "content-type") == 0 && strstr(json_string_value(value), "json"))
            return true;
    }
    return false;
}

LP_MUST_CHECK static int http_do(struct lp_probe *probe,
                                 const struct lp_experiment_activity *activity, struct lp_err *err)
{
    struct lp_http_reply reply;
    struct lp_http_call call = {.url = activity->url,
                                .method = activity->method,
                                .headers = &activity->headers,
                                .timeout_ms = activity->timeout_ms,
                                .is_tls_unverified = activity->is_tls_unverified};
    json_t *arguments = activity->body ? json_loads(activity->body, JSON_DECODE_ANY, NULL) : NULL;
    if (json_is_object(arguments) && strcasecmp(activity->method, "GET") == 0)
        call.url = lp_arena_printf(probe->cmd->arena, "%s%c%s", activity->url,
                                   strchr(activity->url, '?') ? '&' : '?',
                                   form_make(probe->cmd, arguments));
    else if (json_is_object(arguments) && !is_json_wanted(&activity->headers))
        call.body = form_make(probe->cmd, arguments);
    else if (arguments)
        call.body = json_is_string(arguments)
                        ? lp_arena_text(probe->cmd->arena, json_string_value(arguments))
                        : activity->body;
    json_decref(arguments);
    int code = lp_probe_http(&call, &reply, err);
    if (code == 0) {
        json_t *body = is_json(reply.headers)
                           ? json_loads(lp_str_text(&reply.body), JSON_DECODE_ANY, NULL)
                           : NULL;
        size_t valid = lp_utf8_valid(lp_str_text(&reply.body), reply.body.bytes);
        if (!body)
            body = json_stringn(lp_str_text(&reply.body), valid);
        probe->output = json_pack("{s:i, s:O, s:o}", "status", reply.status, "headers",
                                  reply.headers, "body", body);
        lp_str_printf(&probe->text, "status %d", reply.status);
        probe->is_ok = !activity->expected_status || reply.status == activity->expected_status;
    }
    lp_http_reply_release(&reply);
    return code;
}

static json_t *text_json(const struct lp_str *text)
{
    return json_stringn(lp_str_text(text), lp_utf8_valid(lp_str_text(text), text->bytes));
}

LP_MUST_CHECK static int process_do(struct lp_probe *probe,
                                    const struct lp_experiment_activity *activity,
                                    struct lp_err *err)
{
    char errors[] = "/tmp/limpet-stderr-XXXXXX";
    LP_OWNS_FD int fd = mkostemp(errors, O_CLOEXEC);
    LP_OWNS_STR struct lp_str output = {0}, stderr_text = {0};
    int status = 0;
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "%s cannot be made", errors);
    // Its two outputs are told apart: the shell puts one of them into a file.
    const char *const shell[] = {"/bin/sh", "-c", "f=$1; shift; exec \"$@\" 2>\"$f\"", "sh",
                                 errors};
    size_t count = sizeof(shell) / sizeof(*shell);
    const char **argv =
        lp_arena_new_array(probe->cmd->arena, const char *, count + activity->argv.count + 1);
    memcpy(argv, shell, sizeof(shell));
    for (size_t i = 0; i < activity->argv.count; i++)
        argv[count++] = activity->argv.items[i];
    char folder[4096];
    const struct lp_child_spec spec = {.argv = argv,
                                       .environment = (const char *const *)environ,
                                       .folder = getcwd(folder, sizeof(folder)),
                                       .output_max = OUTPUT_BYTES_MAX,
                                       .timeout_ms = activity->timeout_ms};
    int code = lp_child_run(&spec, &status, &output, err);
    if (code == 0) {
        char bytes[4096];
        for (ssize_t got;
             (got = read(fd, bytes, sizeof(bytes))) > 0 && stderr_text.bytes < OUTPUT_BYTES_MAX;)
            lp_str_add_n(&stderr_text, bytes, (size_t)got);
        probe->output = json_pack("{s:i, s:o, s:o}", "status", status, "stdout", text_json(&output),
                                  "stderr", text_json(&stderr_text));
        lp_child_status_print(status, &probe->text);
        probe->is_ok = true; // that it ran is what counts; a tolerance may look closer
    }
    unlink(errors);
    return code;
}

// Tolerances.
static bool is_met(struct lp_probe *probe, const struct lp_tolerance *tolerance,
                   const json_t *value);

// What a tolerance looks at: a part of the output, a text of it as JSON when it is.
static json_t *target_take(const struct lp_tolerance *tolerance, const json_t *value)
{
    const json_t *found = value;
    if (tolerance->target && json_is_object(value))
        found = json_object_get(value, tolerance->target);
    else if (tolerance->kind != LP_TOLERANCE_JSONPATH && json_is_object(value) &&
             json_object_get(value, "status"))
        found = json_object_get(value, "status");
    return found ? json_deep_copy(found) : json_null();
}

static bool number_of(const json_t *value, double *ret_number)
{
    char *end;
    if (json_is_number(value)) {
        *ret_number = json_number_value(value);
        return true;
    }
    const char *text = json_string_value(value);
    if (!text || !*text)
        return false;
    *ret_number = strtod(text, &end);
    return end > text && strspn(end, " \r\n\t") == strlen(end);
}

static bool is_one_of(const struct lp_texts *values, const json_t *value)
{
    for (size_t i = 0; i < values->count; i++) {
        json_t *wanted = json_loads(values->items[i], JSON_DECODE_ANY, NULL);
        bool is_it = wanted && lp_json_same(wanted, value);
        json_decref(wanted);
        if (is_it)
            return true;
    }
    return false;
}

static bool jsonpath_is_met(struct lp_probe *probe, const struct lp_tolerance *tolerance,
                            const json_t *value)
{
    struct lp_err err;
    json_t *matches = NULL, *item;
    json_t *parsed = json_is_string(value)
                         ? json_loads(json_string_value(value), JSON_DECODE_ANY, NULL)
                         : json_deep_copy(value);
    size_t i;
    bool is_good = false;
    if (!parsed) {
        lp_str_add(&probe->text, "; it is not JSON");
    } else if (lp_json_path(parsed, tolerance->pattern, &matches, &err) < 0) {
        lp_str_printf(&probe->text, "; %s", err.text);
    } else if (tolerance->values.count) { // all that is found, in its order, and nothing else
        is_good = json_array_size(matches) == tolerance->values.count;
        json_array_foreach (matches, i, item) {
            const struct lp_texts wanted = {&tolerance->values.items[i], 1};
            is_good = is_good && is_one_of(&wanted, item);
        }
    } else {
        size_t count = json_array_size(matches);
        is_good = tolerance->has_count ? count == tolerance->count : count > 0;
    }
    json_decref(parsed);
    json_decref(matches);
    return is_good;
}

// The activity with the output that it judges as one more argument: "value", and the output.
static struct lp_experiment_activity value_add(struct lp_probe *probe,
                                               const struct lp_experiment_activity *activity,
                                               const json_t *value)
{
    struct lp_experiment_activity own = *activity;
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    const char *kept = lp_arena_text(probe->cmd->arena, text ? text : "null");
    free(text);
    if (activity->is_http) {
        json_t *arguments = activity->body ? json_loads(activity->body, 0, NULL) : NULL;
        arguments = arguments ? arguments : json_object();
        json_object_set_new(arguments, "value", json_string(kept));
        char *body = json_dumps(arguments, JSON_COMPACT);
        own.body = lp_arena_text(probe->cmd->arena, body);
        free(body);
        json_decref(arguments);
    } else {
        size_t count = activity->argv.count;
        const char **argv = lp_arena_new_array(probe->cmd->arena, const char *, count + 3);
        memcpy(argv, activity->argv.items, count * sizeof(*argv));
        argv[count] = "value";
        argv[count + 1] = kept;
        own.argv = (struct lp_texts){argv, count + 2};
    }
    return own;
}

static bool probe_is_met(struct lp_probe *probe, const struct lp_experiment_activity *activity,
                         const json_t *value)
{
    struct lp_probe inner = {.cmd = probe->cmd, .since_ms = probe->since_ms};
    struct lp_experiment_activity own = *activity;
    struct lp_err err;
    if (activity->takes_value)
        own = value_add(probe, activity, value);
    bool is_good = lp_probe_activity(&inner, &own, &err) == 0 && inner.is_ok;
    // Who is asked whether all is well answers by its status.
    json_int_t status = json_integer_value(json_object_get(inner.output, "status"));
    if (is_good && !activity->tolerance)
        is_good = activity->is_http ? status < 400 : status == 0;
    json_decref(inner.output);
    lp_str_release(&inner.text);
    return is_good;
}

static bool is_met(struct lp_probe *probe, const struct lp_tolerance *tolerance,
                   const json_t *value)
{
    double number = 0;
    bool is_good = false;
    json_t *target = target_take(tolerance, value);
    switch (tolerance->kind) {
    case LP_TOLERANCE_EQUAL:
    case LP_TOLERANCE_ONE_OF:
        is_good = is_one_of(&tolerance->values, target);
        break;
    case LP_TOLERANCE_RANGE:
        is_good =
            number_of(target, &number) && number >= tolerance->least && number <= tolerance->most;
        break;
    case LP_TOLERANCE_REGEX: {
        char *text = json_is_string(target) ? strdup(json_string_value(target))
                                            : json_dumps(target, JSON_ENCODE_ANY | JSON_COMPACT);
        is_good = text && lp_probe_regex_matches(tolerance->pattern, text);
        free(text);
        break;
    }
    case LP_TOLERANCE_JSONPATH:
        is_good = jsonpath_is_met(probe, tolerance, target);
        break;
    case LP_TOLERANCE_PROBE:
        is_good = probe_is_met(probe, tolerance->probe, value);
        break;
    }
    json_decref(target);
    return is_good;
}

int lp_probe_activity(struct lp_probe *probe, const struct lp_experiment_activity *activity,
                      struct lp_err *err)
{
    int code = activity->is_http ? http_do(probe, activity, err) : process_do(probe, activity, err);
    if (code < 0 || !activity->tolerance)
        return code;
    probe->is_ok = is_met(probe, activity->tolerance, probe->output);
    lp_str_add(&probe->text,
               probe->is_ok ? ", within the tolerance" : ", not within the tolerance");
    return 0;
}
