// Readings over HTTP: replies, pages of metrics, queries to a Prometheus.
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/experiment/json_path.h"
#include "cmd/experiment/probe.h"
#include "base/own.h"

enum { BODY_BYTES_MAX = 4 * 1024 * 1024, SHOWN_BYTES = 120 };

static size_t body_take(char *bytes, size_t size, size_t count, void *context)
{
    struct lp_str *body = context;
    size_t room = BODY_BYTES_MAX - body->bytes, taken = size * count;
    lp_str_add_n(body, bytes, taken < room ? taken : room);
    return taken;
}

static size_t header_take(char *bytes, size_t size, size_t count, void *context)
{
    json_t *headers = context;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    char *line = lp_arena_text_n(&arena, bytes, size * count);
    char *colon = strchr(line, ':');
    line[strcspn(line, "\r\n")] = '\0';
    if (colon) {
        *colon++ = '\0';
        json_t *value = json_string(colon + strspn(colon, " \t"));
        if (value)
            json_object_set_new(headers, line, value);
    }
    return size * count;
}

static struct curl_slist *headers_make(const struct lp_pairs *headers)
{
    struct curl_slist *list = NULL;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    for (size_t i = 0; headers && i < headers->count; i++)
        list = curl_slist_append(list, lp_arena_printf(&arena, "%s: %s", headers->items[i].key,
                                                       headers->items[i].value));
    return list;
}

int lp_probe_http(const struct lp_http_call *call, struct lp_http_reply *ret_reply,
                  struct lp_err *err)
{
    char text[CURL_ERROR_SIZE] = "";
    long status = 0;
    curl_off_t took_us = 0;
    CURL *curl = curl_easy_init();
    *ret_reply = (struct lp_http_reply){.headers = json_object()};
    if (!curl)
        return lp_err_set(err, LP_EIO, "libcurl cannot be initialised");
    struct curl_slist *headers = headers_make(call->headers);
    curl_easy_setopt(curl, CURLOPT_URL, call->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &ret_reply->body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header_take);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, ret_reply->headers);
    if (headers)
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (call->is_tls_unverified) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (call->body)
        curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, call->body);
    if (call->method && strcmp(call->method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else if (call->method)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME_T, &took_us);
    curl_slist_free_all(headers);
    ret_reply->status = (int)status;
    ret_reply->took_us = took_us;
    if (code != CURLE_OK)
        lp_err_set(err, LP_EIO, "%s: %s", call->url, text[0] ? text : curl_easy_strerror(code));
    curl_easy_cleanup(curl);
    return code == CURLE_OK ? 0 : LP_EIO;
}

void lp_http_reply_release(struct lp_http_reply *reply)
{
    lp_str_release(&reply->body);
    json_decref(reply->headers);
}

// The URL that a check means. A node's is entered from inside the network.
LP_MUST_CHECK static int url_find(struct lp_probe *probe, const struct lp_experiment_check *check,
                                  const char **ret_url, struct lp_err *err)
{
    struct lp_cmd *cmd = probe->cmd;
    const char *path = check->path ? check->path : "/", *address = NULL;
    *ret_url = check->url;
    if (check->url)
        return 0;
    int code = check->service
                   ? lp_probe_service_port(cmd, check->service, check->port, &address, err)
                   : lp_probe_node_address(cmd, check->node, &address, err);
    if (code < 0)
        return code;
    if (check->service) {
        *ret_url = lp_arena_printf(cmd->arena, "http://%s%s", address, path);
        return 0;
    }
    *ret_url = lp_arena_printf(cmd->arena, "http://%s:%u%s", address,
                               check->port ? check->port : 80, path);
    return lp_probe_network_enter(cmd, err);
}

static bool status_is_good(const struct lp_experiment_check *check, int status)
{
    for (size_t i = 0; i < check->status_count; i++)
        if (status >= check->statuses[i].least && status <= check->statuses[i].most)
            return true;
    return false;
}

static bool json_is_good(struct lp_probe *probe, const struct lp_experiment_check *check,
                         const char *body)
{
    json_t *value = json_loads(body, JSON_DECODE_ANY, NULL), *matches = NULL;
    json_t *wanted =
        check->json_equals ? json_loads(check->json_equals, JSON_DECODE_ANY, NULL) : NULL;
    struct lp_err err;
    bool is_good = false;
    if (!value) {
        lp_str_add(&probe->text, "; the body is not JSON");
    } else if (lp_json_path(value, check->json_path, &matches, &err) < 0) {
        lp_str_printf(&probe->text, "; %s", err.text);
    } else if (json_array_size(matches) == 0) {
        lp_str_printf(&probe->text, "; there is no %s in it", check->json_path);
    } else {
        const json_t *found = json_array_get(matches, 0);
        is_good = !wanted || json_equal(found, wanted);
        char *shown = json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT);
        lp_str_printf(&probe->text, "; %s is %.*s", check->json_path, SHOWN_BYTES, shown);
        free(shown);
    }
    json_decref(value);
    json_decref(matches);
    json_decref(wanted);
    return is_good;
}

static bool reply_is_good(struct lp_probe *probe, const struct lp_experiment_check *check,
                          const struct lp_http_reply *reply)
{
    const char *body = lp_str_text(&reply->body);
    if (!status_is_good(check, reply->status))
        return false;
    if (check->contains && !strstr(body, check->contains)) {
        lp_str_printf(&probe->text, "; '%s' is not in the body", check->contains);
        return false;
    }
    if (check->regex && !lp_probe_regex_matches(check->regex, body)) {
        lp_str_printf(&probe->text, "; the body does not match '%s'", check->regex);
        return false;
    }
    if (check->json_path && !json_is_good(probe, check, body))
        return false;
    if (check->latency_ms && reply->took_us > (int64_t)check->latency_ms * 1000) {
        lp_str_printf(&probe->text, "; slower than %u ms", check->latency_ms);
        return false;
    }
    return true;
}

int lp_probe_web(struct lp_probe *probe, const struct lp_experiment_check *check,
                 struct lp_err *err)
{
    struct lp_http_reply reply;
    struct lp_http_call call = {.method = check->method,
                                .body = check->body,
                                .headers = &check->headers,
                                .timeout_ms = check->timeout_ms};
    if (url_find(probe, check, &call.url, err) < 0)
        return err->code;
    int code = lp_probe_http(&call, &reply, err);
    if (code == 0) {
        lp_str_printf(&probe->text, "status %d after %lld.%lld ms", reply.status,
                      (long long)(reply.took_us / 1000), (long long)(reply.took_us % 1000 / 100));
        probe->is_ok = reply_is_good(probe, check, &reply);
    }
    lp_http_reply_release(&reply);
    return code;
}

// A line of the Prometheus text format: NAME{LABELS} VALUE. name may have its labels in it.
static bool exposition_find(const char *page, const char *name, double *ret_value)
{
    size_t bytes = strlen(name);
    bool is_found = false;
    double sum = 0;
    for (const char *line = page; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, bytes) != 0)
            continue;
        const char *rest = line + bytes;
        if (*rest == '{') {
            const char *end = strchr(rest, '}');
            rest = end && !memchr(rest, '\n', (size_t)(end - rest)) ? end + 1 : "";
        }
        if (*rest != ' ')
            continue;
        sum += strtod(rest, NULL);
        is_found = true;
    }
    *ret_value = sum;
    return is_found;
}

LP_MUST_CHECK static int query_read(const struct lp_experiment_check *check,
                                    const struct lp_str *body, double *ret_value,
                                    struct lp_err *err)
{
    json_t *answer = json_loads(lp_str_text(body), 0, NULL), *matches = NULL;
    int code = 0;
    if (!answer || strcmp(lp_json_text(answer, "status"), "success") != 0)
        code = lp_err_set(err, LP_EIO, "the Prometheus answers: %.200s",
                          answer ? lp_json_text(answer, "error") : lp_str_text(body));
    const json_t *data = json_object_get(answer, "data");
    bool is_scalar = strcmp(lp_json_text(data, "resultType"), "scalar") == 0;
    if (code == 0)
        code = lp_json_path(data, is_scalar ? "result[1]" : "result[*].value[1]", &matches, err);
    if (code == 0 && json_array_size(matches) != 1)
        code = lp_err_set(err, LP_EINPUT, "'%s' gives %zu values, not one", check->query,
                          json_array_size(matches));
    if (code == 0)
        *ret_value = strtod(json_string_value(json_array_get(matches, 0)), NULL);
    json_decref(matches);
    json_decref(answer);
    return code;
}

LP_MUST_CHECK static int page_read(struct lp_probe *probe, const struct lp_experiment_check *check,
                                   double *ret_value, struct lp_err *err)
{
    struct lp_http_reply reply;
    struct lp_http_call call = {.url = check->url, .timeout_ms = check->timeout_ms};
    if (check->kind == LP_EXPERIMENT_PROMQL) {
        char *query = curl_easy_escape(NULL, check->query, 0);
        size_t bytes = strlen(check->url);
        bool has_slash = bytes && check->url[bytes - 1] == '/';
        call.url = lp_arena_printf(probe->cmd->arena, "%s%sapi/v1/query?query=%s", check->url,
                                   has_slash ? "" : "/", query);
        curl_free(query);
    }
    int code = lp_probe_http(&call, &reply, err);
    if (code == 0 && check->kind == LP_EXPERIMENT_PROMQL)
        code = query_read(check, &reply.body, ret_value, err);
    else if (code == 0 && reply.status != 200)
        code = lp_err_set(err, LP_EIO, "%s: status %d", check->url, reply.status);
    else if (code == 0 && !exposition_find(lp_str_text(&reply.body), check->metric, ret_value))
        code = lp_err_set(err, LP_ENOTFOUND, "%s has no '%s'", check->url, check->metric);
    lp_http_reply_release(&reply);
    return code;
}

// What the controller counts of a service: healthy, nodes, wanted.
LP_MUST_CHECK static int service_read(struct lp_probe *probe,
                                      const struct lp_experiment_check *check, double *ret_value,
                                      struct lp_err *err)
{
    struct lp_cmd *cmd = probe->cmd;
    struct lp_client *client = NULL;
    json_t *services = NULL;
    const json_t *row;
    size_t i;
    bool is_found = false;
    int code = lp_client_open(cmd->root, &client, err);
    if (code == 0)
        code = lp_client_get(client, &services, err, "/v1/services", "infrastructure", cmd->infra,
                             LP_QUERY_END);
    json_array_foreach (services, i, row) {
        const json_t *value = json_object_get(row, check->metric);
        if (strcmp(lp_json_text(row, "service"), check->service) != 0 || !json_is_integer(value))
            continue;
        *ret_value = (double)json_integer_value(value);
        is_found = true;
    }
    json_decref(services);
    lp_client_close(client);
    if (code == 0 && !is_found)
        code = lp_err_set(err, LP_ENOTFOUND, "no '%s' of a service '%s': healthy, nodes, wanted",
                          check->metric, check->service);
    return code;
}

int lp_probe_metric(struct lp_probe *probe, const struct lp_experiment_check *check,
                    struct lp_err *err)
{
    double value = 0;
    int code =
        check->url ? page_read(probe, check, &value, err) : service_read(probe, check, &value, err);
    if (code < 0)
        return code;
    lp_str_printf(&probe->text, "%s is %g", check->metric ? check->metric : "it", value);
    probe->is_ok =
        (!check->has_least || value >= check->least) && (!check->has_most || value <= check->most);
    return 0;
}
