// HTTP on the Unix socket, by libmicrohttpd.
#define _GNU_SOURCE
#include "api/server.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/api.h"
#include "engine/engine.h"
#include "base/arena.h"
#include "base/own.h"

enum {
    CONNECTIONS_MAX = 128,
    CONNECTION_MEMORY_BYTES = 16 * 1024, // headers and the pieces of a body pass through it
    CONNECTION_IDLE_S = 30,
    BODIES_BYTES_MAX = 2 * LP_API_BODY_MAX, // of all calls that are coming in
    WAITERS_MAX = 64,
    HEAL_LEAVE_MS = 200, // for answers that are on their way when the socket is made anew
    LOOK_AGAIN_MS = 25,  // a waiting call looks at the journal at most so often
    QUERY_MAX = 16,
};

struct exchange { // one call and its answer
    struct exchange *next, *before;
    struct lp_server *server;
    struct MHD_Connection *connection;
    const char *method;
    char path[256];
    struct lp_arena arena;
    struct lp_str body;
    struct lp_api_answer answer;
    size_t body_max;
    unsigned refused; // status of a call whose body is not taken; 0: it is
    bool is_waiting, is_seen;
    int64_t wait_until_ms, looked_at_ms;
    uint64_t looked_seq;
};

struct lp_server {
    struct lp_api *api;
    struct MHD_Daemon *daemon;
    struct exchange *exchanges;
    size_t body_bytes, waiter_count, exchange_count;
    int wait_fd, root_fd;
    int watch_fd; // of the root, whose socket somebody may remove; -1: cannot be watched
    struct stat socket_facts; // of the socket that is ours
    bool is_finishing;
};

static enum MHD_Result pair_add(void *context, enum MHD_ValueKind kind, const char *key,
                                const char *value)
{
    (void)kind;
    struct lp_api_call *call = context;
    if (call->query.count < QUERY_MAX)
        call->query.items[call->query.count++] = (struct lp_pair){key, value ? value : ""};
    return MHD_YES;
}

static enum MHD_Result send_answer(struct exchange *exchange, bool is_last)
{
    struct lp_api_answer *answer = &exchange->answer;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer->body.bytes, answer->body.text, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", "application/json");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (answer->allow[0])
        MHD_add_response_header(response, "Allow", answer->allow);
    if (is_last)
        MHD_add_response_header(response, "Connection", "close");
    enum MHD_Result result = MHD_queue_response(exchange->connection, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct exchange *exchange, unsigned status)
{
    struct lp_err err;
    if (status == 413)
        lp_err_set(&err, LP_EFULL, "the body is longer than the bound of %zu bytes",
                   exchange->body_max);
    else
        lp_err_set(&err, LP_EFULL, "too many calls at a time: ask again later");
    lp_api_refuse(&exchange->answer, &err);
    exchange->answer.status = status;
    return send_answer(exchange, true);
}

static void look(struct exchange *exchange)
{
    struct lp_server *server = exchange->server;
    struct lp_pair pairs[QUERY_MAX];
    struct lp_api_call call = {.method = exchange->method,
                               .path = exchange->path,
                               .query.items = pairs,
                               .body = exchange->body.text,
                               .body_bytes = exchange->body.bytes};
    MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, pair_add, &call);
    lp_api_answer(server->api, &call, &exchange->answer);
    exchange->looked_at_ms = lp_engine_now_ms(server->api->engine);
    exchange->looked_seq = lp_engine_last_seq(server->api->engine);
}

static void waiting_set(struct exchange *exchange, bool is_waiting)
{
    if (exchange->is_waiting != is_waiting)
        exchange->server->waiter_count += is_waiting ? 1 : (size_t)-1;
    exchange->is_waiting = is_waiting;
}

// The call is complete: answer it, or let it wait for the journal to grow.
static enum MHD_Result complete(struct exchange *exchange)
{
    struct lp_server *server = exchange->server;
    if (exchange->refused)
        return refuse(exchange, exchange->refused);
    look(exchange);
    if (exchange->answer.wait_ms > 0 && !exchange->is_seen)
        exchange->wait_until_ms = exchange->looked_at_ms + exchange->answer.wait_ms;
    exchange->is_seen = true;
    bool may_wait = exchange->answer.wait_ms > 0 && !server->is_finishing &&
                    exchange->looked_at_ms < exchange->wait_until_ms;
    if (may_wait && server->waiter_count >= WAITERS_MAX)
        return refuse(exchange, 503);
    if (!may_wait)
        return send_answer(exchange, server->is_finishing || server->api->is_ending);
    waiting_set(exchange, true);
    MHD_suspend_connection(exchange->connection);
    return MHD_YES;
}

static struct exchange *exchange_new(struct lp_server *server, struct MHD_Connection *connection,
                                     const char *path, const char *method)
{
    struct exchange *exchange = lp_heap_take(sizeof(*exchange));
    exchange->server = server;
    exchange->connection = connection;
    // A path that is cut matches no route either: names are at most 63 bytes.
    snprintf(exchange->path, sizeof(exchange->path), "%s", path);
    exchange->method = lp_arena_text(&exchange->arena, method);
    exchange->body_max = lp_api_body_max(method, path);
    exchange->next = server->exchanges;
    if (server->exchanges)
        server->exchanges->before = exchange;
    server->exchanges = exchange;
    server->exchange_count++;
    return exchange;
}

// Of a call without a route the body is passed over, up to the bound of a small one.
static enum MHD_Result begin(struct exchange *exchange)
{
    const char *length =
        MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "Content-Length");
    if (!exchange->body_max)
        exchange->body_max = LP_API_SMALL_BODY_MAX;
    if (length && strtoull(length, NULL, 10) > exchange->body_max)
        return refuse(exchange, 413); // before a byte of it is taken
    return MHD_YES;
}

static void body_add(struct exchange *exchange, const char *bytes, size_t count)
{
    struct lp_server *server = exchange->server;
    if (exchange->refused)
        return;
    if (exchange->body.bytes + count > exchange->body_max)
        exchange->refused = 413;
    else if (server->body_bytes + count > BODIES_BYTES_MAX)
        exchange->refused = 503;
    if (exchange->refused) {
        server->body_bytes -= exchange->body.bytes;
        lp_str_release(&exchange->body);
        return;
    }
    server->body_bytes += count;
    lp_str_add_n(&exchange->body, bytes, count);
}

// libmicrohttpd's signature. NOLINTNEXTLINE(readability-function-size)
static enum MHD_Result take(void *context, struct MHD_Connection *connection, const char *path,
                            const char *method, const char *version, const char *upload,
                            size_t *upload_bytes, void **exchange_slot)
{
    (void)version;
    struct exchange *exchange = *exchange_slot;
    if (!exchange) {
        *exchange_slot = exchange = exchange_new(context, connection, path, method);
        return begin(exchange);
    }
    if (*upload_bytes) {
        body_add(exchange, upload, *upload_bytes);
        *upload_bytes = 0;
        return MHD_YES;
    }
    return complete(exchange);
}

static void completed(void *context, struct MHD_Connection *connection, void **exchange_slot,
                      enum MHD_RequestTerminationCode code)
{
    (void)connection, (void)code;
    struct lp_server *server = context;
    struct exchange *exchange = *exchange_slot;
    if (!exchange)
        return;
    waiting_set(exchange, false);
    if (exchange->before)
        exchange->before->next = exchange->next;
    else
        server->exchanges = exchange->next;
    if (exchange->next)
        exchange->next->before = exchange->before;
    server->body_bytes -= exchange->body.bytes;
    server->exchange_count--;
    lp_str_release(&exchange->body);
    lp_str_release(&exchange->answer.body);
    lp_arena_release(&exchange->arena);
    lp_heap_free(exchange);
    *exchange_slot = NULL;
}

// The address of the socket, however long the root is: by the handle of its folder.
static struct sockaddr_un address_of(int root_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/limpet.sock", root_fd);
    return address;
}

LP_MUST_CHECK static int listen_open(struct lp_server *server, int *ret_fd, struct lp_err *err)
{
    struct sockaddr_un address = address_of(server->root_fd);
    LP_OWNS_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "socket: %s", strerror(errno));
    unlinkat(server->root_fd, "limpet.sock", 0);
    mode_t mask = umask(0177);
    int bound = bind(fd, (struct sockaddr *)&address, sizeof(address));
    umask(mask);
    if (bound < 0 || listen(fd, CONNECTIONS_MAX) < 0 ||
        fstatat(server->root_fd, "limpet.sock", &server->socket_facts, AT_SYMLINK_NOFOLLOW) < 0)
        return lp_err_set(err, LP_EIO, "listen at %s/limpet.sock: %s", server->api->root,
                          strerror(errno));
    *ret_fd = lp_fd_take(&fd);
    return 0;
}

// What clients do wrong is told to them; the log would only repeat it.
LP_PRINTF(2, 0) static void no_log(void *context, const char *fmt, va_list args)
{
    (void)context, (void)fmt, (void)args;
}

LP_MUST_CHECK static int daemon_start(struct lp_server *server, struct lp_err *err)
{
    LP_OWNS_FD int listen_fd = -1;
    if (listen_open(server, &listen_fd, err) < 0)
        return err->code;
    server->wait_fd = -1;
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        take, server, MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL, MHD_OPTION_LISTEN_SOCKET, listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_IDLE_S,
        MHD_OPTION_NOTIFY_COMPLETED, completed, server, MHD_OPTION_END);
    if (!server->daemon)
        return lp_err_set(err, LP_EIO, "the HTTP server cannot be started: %s", strerror(errno));
    (void)lp_fd_take(&listen_fd);
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    server->wait_fd = info ? info->epoll_fd : -1;
    lp_assert(server->wait_fd >= 0);
    return 0;
}

int lp_server_open(struct lp_api *api, struct lp_server **ret_server, struct lp_err *err)
{
    struct lp_server *server = lp_heap_take(sizeof(*server));
    server->api = api;
    server->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (server->watch_fd >= 0)
        (void)inotify_add_watch(server->watch_fd, api->root,
                                IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO);
    server->root_fd = open(api->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int code = server->root_fd < 0
                   ? lp_err_set(err, LP_EIO, "open %s: %s", api->root, strerror(errno))
                   : daemon_start(server, err);
    if (code < 0) {
        if (server->root_fd >= 0)
            close(server->root_fd);
        if (server->watch_fd >= 0)
            close(server->watch_fd);
        lp_heap_free(server);
        return code;
    }
    *ret_server = server;
    return 0;
}

int lp_server_watch_fd(const struct lp_server *server)
{
    return server->watch_fd;
}

static bool is_reachable(const struct lp_server *server)
{
    struct stat facts;
    return fstatat(server->root_fd, "limpet.sock", &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
           facts.st_dev == server->socket_facts.st_dev &&
           facts.st_ino == server->socket_facts.st_ino;
}

int lp_server_heal(struct lp_server *server, struct lp_err *err)
{
    char news[4096];
    while (server->watch_fd >= 0 && read(server->watch_fd, news, sizeof(news)) > 0)
        ; // which name it was does not matter: the socket is looked at
    if (server->daemon && is_reachable(server))
        return 0;
    if (server->daemon) {
        lp_server_finish(server, HEAL_LEAVE_MS);
        MHD_stop_daemon(server->daemon);
        server->daemon = NULL;
        server->is_finishing = false;
    }
    int code = daemon_start(server, err);
    return code < 0 ? code : 1;
}

int lp_server_wait_fd(const struct lp_server *server)
{
    return server->wait_fd;
}

static int64_t due_ms(const struct lp_server *server, const struct exchange *exchange)
{
    if (exchange->looked_seq != lp_engine_last_seq(server->api->engine))
        return exchange->looked_at_ms + LOOK_AGAIN_MS;
    return exchange->wait_until_ms;
}

int lp_server_wait_ms(const struct lp_server *server)
{
    MHD_UNSIGNED_LONG_LONG own_ms;
    int64_t wait_ms = INT32_MAX, now_ms = lp_engine_now_ms(server->api->engine);
    if (!server->daemon)
        return HEAL_LEAVE_MS;
    if (MHD_get_timeout(server->daemon, &own_ms) == MHD_YES && own_ms < INT32_MAX)
        wait_ms = (int64_t)own_ms;
    for (const struct exchange *e = server->exchanges; e; e = e->next)
        if (e->is_waiting && due_ms(server, e) - now_ms < wait_ms)
            wait_ms = due_ms(server, e) - now_ms;
    return wait_ms == INT32_MAX ? -1 : wait_ms < 0 ? 0 : (int)wait_ms;
}

void lp_server_turn(struct lp_server *server)
{
    if (!server->daemon)
        return; // its socket could not be made anew yet
    int64_t now_ms = server->waiter_count ? lp_engine_now_ms(server->api->engine) : 0;
    for (struct exchange *e = server->exchanges; server->waiter_count && e; e = e->next)
        if (e->is_waiting && (server->is_finishing || now_ms >= due_ms(server, e))) {
            waiting_set(e, false);
            MHD_resume_connection(e->connection);
        }
    MHD_run(server->daemon);
}

void lp_server_finish(struct lp_server *server, int limit_ms)
{
    server->is_finishing = true;
    for (int i = 0; i < limit_ms / 10; i++) {
        lp_server_turn(server);
        if (server->exchange_count == 0)
            break;
        struct pollfd wait = {.fd = server->wait_fd, .events = POLLIN};
        poll(&wait, 1, 10);
    }
}

void lp_server_close(struct lp_server *server)
{
    server->is_finishing = true;
    lp_server_turn(server); // none may be suspended when the daemon is stopped
    unlinkat(server->root_fd, "limpet.sock", 0);
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    if (server->watch_fd >= 0)
        close(server->watch_fd);
    close(server->root_fd);
    lp_heap_free(server);
}
