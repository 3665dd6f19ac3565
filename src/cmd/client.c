// The daemon's interface from outside: HTTP+JSON over <root>/limpet.sock, by libcurl.
#define _GNU_SOURCE
#include "cmd/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "base/own.h"
#include "base/str.h"

enum { ANSWER_BYTES_MAX = 256 * 1024 * 1024, ANSWER_WAIT_S = 120 };

struct lp_client {
    CURL *curl;
    char *root;
    int root_fd; // -1: no such folder
    bool is_absent;
    char text[CURL_ERROR_SIZE];
};

int lp_client_open(const char *root, struct lp_client **ret_client, struct lp_err *err)
{
    struct lp_client *client = lp_heap_take(sizeof(*client));
    client->root_fd = -1;
    client->curl = curl_easy_init();
    client->root = strdup(root);
    if (!client->curl || !client->root) {
        lp_client_close(client);
        return lp_err_set(err, LP_EIO, "libcurl cannot be initialised");
    }
    *ret_client = client;
    return 0;
}

void lp_client_close(struct lp_client *client)
{
    if (!client)
        return;
    if (client->curl)
        curl_easy_cleanup(client->curl);
    if (client->root_fd >= 0)
        close(client->root_fd);
    free(client->root);
    lp_heap_free(client);
}

bool lp_client_is_absent(const struct lp_client *client)
{
    return client->is_absent;
}

static size_t answer_take(char *bytes, size_t size, size_t count, void *context)
{
    struct lp_str *answer = context;
    if (answer->bytes + size * count > ANSWER_BYTES_MAX)
        return 0;
    lp_str_add_n(answer, bytes, size * count);
    return size * count;
}

static int absent_tell(struct lp_client *client, struct lp_err *err)
{
    client->is_absent = true;
    return lp_err_set(err, LP_EIO,
                      "no daemon answers at %s/limpet.sock; `limpet up FILE` or `limpet daemon "
                      "--background` starts one",
                      client->root);
}

// The folder's handle: a socket's address has room for 107 bytes only.
LP_MUST_CHECK static int root_open(struct lp_client *client, struct lp_err *err)
{
    if (client->root_fd < 0)
        client->root_fd = open(client->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (client->root_fd >= 0)
        return 0;
    if (errno == ENOENT)
        return absent_tell(client, err);
    return lp_err_set(err, LP_EIO, "open %s: %s", client->root, strerror(errno));
}

static int refusal(const json_t *body, long status, struct lp_err *err)
{
    const char *word = lp_json_text(body, "error"), *text = lp_json_text(body, "text");
    for (int code = LP_EIO; code >= LP_EDENIED; code--)
        if (strcmp(word, lp_code_word(code)) == 0)
            return lp_err_set(err, code, "%s", text);
    return lp_err_set(err, LP_EIO, "the daemon answered with HTTP status %ld", status);
}

LP_MUST_CHECK static int perform(struct lp_client *client, const struct lp_call_spec *spec,
                                 struct lp_str *answer, long *ret_status, struct lp_err *err)
{
    char socket_path[64];
    CURL *curl = client->curl;
    LP_OWNS_STR struct lp_str url = {0};
    if (root_open(client, err) < 0)
        return err->code;
    lp_str_printf(&url, "http://limpet%s", spec->path);
    snprintf(socket_path, sizeof(socket_path), "/proc/self/fd/%d/limpet.sock", client->root_fd);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:"); // no round trip before a body
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
    curl_easy_setopt(curl, CURLOPT_URL, lp_str_text(&url));
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, spec->method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)ANSWER_WAIT_S);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->text);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, answer_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    if (spec->body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, spec->body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(spec->body));
    }
    client->text[0] = '\0';
    client->is_absent = false;
    CURLcode code = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    if (code == CURLE_COULDNT_CONNECT)
        return absent_tell(client, err);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return lp_err_set(err, LP_ETIMEOUT, "the daemon at %s has not answered for %d s",
                          client->root, ANSWER_WAIT_S);
    if (code != CURLE_OK)
        return lp_err_set(err, LP_EIO, "ask the daemon at %s: %s", client->root,
                          client->text[0] ? client->text : curl_easy_strerror(code));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_status);
    return 0;
}

int lp_client_call(struct lp_client *client, const struct lp_call_spec *spec, json_t **ret_body,
                   struct lp_err *err)
{
    LP_OWNS_STR struct lp_str answer = {0};
    long status = 0;
    json_error_t where;
    if (perform(client, spec, &answer, &status, err) < 0)
        return err->code;
    json_t *body = json_loadb(lp_str_text(&answer), answer.bytes, 0, &where);
    if (!body)
        return lp_err_set(err, LP_EIO, "the daemon's answer is not JSON: %s", where.text);
    if (status < 200 || status > 299) {
        refusal(body, status, err);
        json_decref(body);
        return err->code;
    }
    if (ret_body)
        *ret_body = body;
    else
        json_decref(body);
    return 0;
}

int lp_client_get(struct lp_client *client, json_t **ret_body, struct lp_err *err, const char *path,
                  ...)
{
    LP_OWNS_STR struct lp_str whole = {0};
    char mark = '?';
    va_list args;
    lp_str_add(&whole, path);
    va_start(args, path);
    for (const char *key; (key = va_arg(args, const char *));) {
        const char *value = va_arg(args, const char *);
        if (!value)
            continue;
        char *escaped = curl_easy_escape(client->curl, value, 0);
        lp_str_printf(&whole, "%c%s=%s", mark, key, escaped ? escaped : "");
        curl_free(escaped);
        mark = '&';
    }
    va_end(args);
    struct lp_call_spec spec = {.method = "GET", .path = lp_str_text(&whole)};
    return lp_client_call(client, &spec, ret_body, err);
}

const char *lp_json_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

long long lp_json_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

bool lp_json_holds(const json_t *array, const json_t *value)
{
    size_t i;
    const json_t *item;
    json_array_foreach (array, i, item) {
        if (json_equal(item, value))
            return true;
    }
    return false;
}

const char *lp_json_print(struct lp_cmd *cmd, const json_t *value)
{
    LP_OWNS_TEXT char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    return lp_arena_text(cmd->arena, text ? text : "null");
}

void lp_json_show(const json_t *value)
{
    json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
    putchar('\n');
}
