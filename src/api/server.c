// The HTTP server: libmicrohttpd on a Unix socket, driven by the daemon's own loop.
#include "api/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/own.h"

enum {
    BODY_BYTES_MAX = 8 * 1024 * 1024, // a descriptor is at most 1 MiB; as a JSON string more
    CONNECTIONS_MAX = 64,
    CONNECTION_MEMORY_BYTES = 16 * 1024,
    IDLE_S = 60,
    WAIT_MS_MAX = 60 * 1000,
};

struct request { // lives as long as its connection's request
    struct lp_str body;
    bool is_too_large, is_held;
    uint64_t held_seq; // answer when the journal is beyond this
    int64_t held_until_ms;
    struct MHD_Connection *connection;
    struct request *next; // of the held ones
};

struct lp_server {
    struct MHD_Daemon *daemon;
    struct lp_api *api;
    int epoll_fd;
    int64_t now_ms;
    struct request *held;
};

static enum MHD_Result reply_send(struct MHD_Connection *connection, unsigned status,
                                  const struct lp_str *reply)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        reply->bytes, (void *)(uintptr_t)lp_str_text(reply), MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", "application/json");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result error_send(struct MHD_Connection *connection, unsigned status, int code,
                                  const char *text)
{
    struct lp_err err;
    LP_OWNS_STR struct lp_str reply = {0};
    lp_err_set(&err, code, "%s", text);
    lp_route_error(&err, &reply);
    return reply_send(connection, status, &reply);
}

static const char *query(const struct lp_call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_GET_ARGUMENT_KIND, name);
}

static void held_remove(struct lp_server *server, struct request *request)
{
    for (struct request **at = &server->held; *at; at = &(*at)->next) {
        if (*at == request) {
            *at = request->next;
            break;
        }
    }
    request->is_held = false;
}

// Hold a request back that asks for what is not there yet. true: it is held.
static bool hold(struct lp_server *server, struct request *request, const struct lp_call *call)
{
    const char *wait = query(call, "wait_ms"), *after = query(call, "after");
    int64_t wait_ms = wait ? strtoll(wait, NULL, 10) : 0;
    uint64_t after_seq = after ? strtoull(after, NULL, 10) : 0;
    if (wait_ms <= 0 || lp_engine_last_seq(server->api->engine) > after_seq)
        return false;
    if (!request->held_until_ms)
        request->held_until_ms = server->now_ms + (wait_ms < WAIT_MS_MAX ? wait_ms : WAIT_MS_MAX);
    if (server->now_ms >= request->held_until_ms)
        return false;
    request->held_seq = after_seq;
    request->is_held = true;
    request->next = server->held;
    server->held = request;
    MHD_suspend_connection(request->connection);
    return true;
}

LP_MUST_CHECK static int body_parse(const struct request *request, json_t **ret_body,
                                    struct lp_err *err)
{
    json_error_t why;
    *ret_body = json_loadb(lp_str_text(&request->body), request->body.bytes, 0, &why);
    if (!*ret_body)
        return lp_err_set(err, LP_EINPUT, "the body is not JSON: %s (line %d, column %d)", why.text,
                          why.line, why.column);
    if (!json_is_object(*ret_body)) {
        json_decref(*ret_body);
        *ret_body = NULL;
        return lp_err_set(err, LP_EINPUT, "the body is not a JSON object");
    }
    return 0;
}

static enum MHD_Result answer(struct lp_server *server, struct request *request,
                              const struct lp_route *route, const char *name)
{
    struct lp_err err = {0};
    LP_OWNS_STR struct lp_str reply = {0};
    json_t *body = NULL;
    struct lp_call call = {.path_name = name, .query = query, .connection = request->connection};
    if (route->may_wait && hold(server, request, &call))
        return MHD_YES;
    int result = route->has_body ? body_parse(request, &body, &err) : 0;
    call.body = body;
    if (result == 0)
        result = route->run(server->api, &call, &reply, &err);
    json_decref(body);
    if (result < 0)
        lp_route_error(&err, &reply);
    return reply_send(request->connection, lp_route_status(result), &reply);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *bytes, void **state)
{
    (void)version;
    struct lp_server *server = context;
    struct request *request = *state;
    if (!request) {
        request = lp_heap_take(sizeof(*request));
        request->connection = connection;
        *state = request;
        return MHD_YES;
    }
    if (*bytes > 0) {
        request->is_too_large |= request->body.bytes + *bytes > BODY_BYTES_MAX;
        if (!request->is_too_large)
            lp_str_add_n(&request->body, data, *bytes);
        *bytes = 0;
        return MHD_YES;
    }
    bool is_other_method;
    const char *name;
    const struct lp_route *route = lp_route_find(method, url, &name, &is_other_method);
    if (!route && is_other_method)
        return error_send(connection, 405, LP_EINPUT, "this path has other methods");
    if (!route)
        return error_send(connection, 404, LP_ENOTFOUND, "there is no such path; see openapi.yaml");
    if (request->is_too_large)
        return error_send(connection, 413, LP_EFULL, "the body is larger than 8 MiB");
    return answer(server, request, route, name);
}

static void on_done(void *context, struct MHD_Connection *connection, void **state,
                    enum MHD_RequestTerminationCode code)
{
    (void)connection, (void)code;
    struct request *request = *state;
    if (!request)
        return;
    held_remove(context, request);
    lp_str_release(&request->body);
    lp_heap_free(request);
    *state = NULL;
}

LP_MUST_CHECK static int socket_listen(const char *path, int *ret_fd, struct lp_err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return lp_err_set(err, LP_EINPUT, "the socket's path is too long: %s", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    LP_OWNS_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "socket: %s", strerror(errno));
    unlink(path); // the lock is ours: whoever made it is gone
    mode_t before = umask(0177);
    int result = bind(fd, (const struct sockaddr *)&address, sizeof(address));
    umask(before);
    if (result < 0 || listen(fd, 64) < 0)
        return lp_err_set(err, LP_EIO, "listen on %s: %s", path, strerror(errno));
    *ret_fd = lp_fd_take(&fd);
    return 0;
}

int lp_server_open(const char *socket_path, struct lp_api *api, struct lp_server **ret_server,
                   struct lp_err *err)
{
    int fd;
    if (socket_listen(socket_path, &fd, err) < 0)
        return err->code;
    struct lp_server *server = lp_heap_take(sizeof(*server));
    server->api = api;
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, server,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_NOTIFY_COMPLETED, on_done,
        server, MHD_OPTION_END);
    if (!server->daemon) {
        close(fd);
        lp_heap_free(server);
        return lp_err_set(err, LP_EIO, "the HTTP server does not start");
    }
    server->epoll_fd = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    *ret_server = server;
    return 0;
}

static void held_resume(struct lp_server *server, bool is_all)
{
    uint64_t seq = lp_engine_last_seq(server->api->engine);
    struct request *next;
    for (struct request *request = server->held; request; request = next) {
        next = request->next;
        if (!is_all && seq <= request->held_seq && server->now_ms < request->held_until_ms)
            continue;
        held_remove(server, request);
        if (is_all)
            request->held_until_ms = server->now_ms; // answered with what there is
        MHD_resume_connection(request->connection);
    }
}

void lp_server_close(struct lp_server *server)
{
    held_resume(server, true);
    MHD_run(server->daemon);
    MHD_stop_daemon(server->daemon);
    lp_heap_free(server);
}

int lp_server_fd(const struct lp_server *server)
{
    return server->epoll_fd;
}

void lp_server_run(struct lp_server *server, int64_t now_ms)
{
    server->now_ms = now_ms;
    held_resume(server, false);
    MHD_run(server->daemon);
}

int lp_server_timeout_ms(const struct lp_server *server, int64_t now_ms)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    int64_t least_ms = -1;
    if (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES)
        least_ms = wait_ms < IDLE_S * 1000 ? (int64_t)wait_ms : IDLE_S * 1000;
    for (const struct request *request = server->held; request; request = request->next) {
        int64_t left_ms = request->held_until_ms - now_ms;
        left_ms = left_ms > 0 ? left_ms : 0;
        least_ms = least_ms < 0 || left_ms < least_ms ? left_ms : least_ms;
    }
    return (int)least_ms;
}
