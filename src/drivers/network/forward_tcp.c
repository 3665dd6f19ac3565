// TCP of the forwarder: accept, connect to a backend, splice both ways without copying.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "drivers/network/forward_parts.h"

enum { TURN_ROUNDS = 32, CHUNK_BYTES = 65536, ACCEPTS_MAX = 64, PIPE_RETRY_MS = 5 };

struct side {
    struct lp_forward_source source; // first
    struct lp_forward_connection *connection;
};

struct direction {
    int pipe[2];   // -1: none at the moment; held only while bytes are in it
    size_t bytes;  // in the pipe
    bool is_ended; // no more comes in
    bool is_done;  // and all has gone out
};

struct lp_forward_connection {
    struct lp_forward_connection *next, *previous; // in `connections` or `connecting`
    struct lp_forward_connection *next_unfinished; // in `unfinished`
    struct lp_forward_listener *listener;          // NULL once the port is gone
    struct lp_forward_backend *backend;            // while connecting
    struct side client, server;
    struct direction up, down;
    size_t step;
    int64_t since_ms, deadline_ms;
    bool is_connecting, is_unfinished, is_dead;
};

static void list_remove(struct lp_forwarder *forwarder, struct lp_forward_connection *connection)
{
    struct lp_forward_connection *next = connection->next, *previous = connection->previous;
    if (next)
        next->previous = previous;
    else if (connection->is_connecting)
        forwarder->connecting_last = previous;
    if (previous)
        previous->next = next;
    else if (connection->is_connecting)
        forwarder->connecting = next;
    else
        forwarder->connections = next;
    connection->next = connection->previous = NULL;
}

// The list of those that connect is in the order of their deadlines, which all lie equally far.
static void list_add(struct lp_forwarder *forwarder, struct lp_forward_connection *connection,
                     bool is_connecting)
{
    connection->is_connecting = is_connecting;
    connection->next = connection->previous = NULL;
    if (is_connecting) {
        connection->previous = forwarder->connecting_last;
        if (connection->previous)
            connection->previous->next = connection;
        else
            forwarder->connecting = connection;
        forwarder->connecting_last = connection;
        return;
    }
    connection->next = forwarder->connections;
    if (connection->next)
        connection->next->previous = connection;
    forwarder->connections = connection;
}

static void pipe_drop(struct lp_forwarder *forwarder, struct direction *direction)
{
    if (direction->pipe[0] < 0)
        return;
    size_t room = sizeof(forwarder->pipes) / sizeof(forwarder->pipes[0]);
    if (direction->bytes == 0 && forwarder->pipe_count < room) {
        memcpy(forwarder->pipes[forwarder->pipe_count++], direction->pipe, sizeof(int[2]));
    } else {
        close(direction->pipe[0]);
        close(direction->pipe[1]);
    }
    direction->pipe[0] = direction->pipe[1] = -1;
    direction->bytes = 0;
}

static bool pipe_get(struct lp_forwarder *forwarder, struct direction *direction)
{
    if (direction->pipe[0] >= 0)
        return true;
    if (forwarder->pipe_count == 0) {
        bool is_made = pipe2(direction->pipe, O_NONBLOCK | O_CLOEXEC) == 0;
        forwarder->is_starved |= !is_made;
        return is_made;
    }
    memcpy(direction->pipe, forwarder->pipes[--forwarder->pipe_count], sizeof(int[2]));
    return true;
}

static void side_close(struct side *side, bool is_reset)
{
    if (side->source.fd < 0)
        return;
    if (is_reset) { // the peer must not take an end by failure for a clean end
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(side->source.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    }
    close(side->source.fd);
    side->source.fd = -1;
}

// Events of this turn may still point to it: the memory is used again after the turn.
static void connection_end(struct lp_forwarder *forwarder, struct lp_forward_connection *connection,
                           bool is_reset)
{
    if (connection->is_dead)
        return;
    list_remove(forwarder, connection);
    side_close(&connection->client, is_reset);
    side_close(&connection->server, is_reset);
    pipe_drop(forwarder, &connection->up);
    pipe_drop(forwarder, &connection->down);
    connection->is_dead = true;
    connection->next = forwarder->dead;
    forwarder->dead = connection;
}

static void connection_defer(struct lp_forwarder *forwarder,
                             struct lp_forward_connection *connection)
{
    if (connection->is_unfinished)
        return;
    connection->is_unfinished = true;
    connection->next_unfinished = forwarder->unfinished;
    forwarder->unfinished = connection;
}

enum flow { FLOW_WAIT, FLOW_MORE, FLOW_FAILED };

// Move bytes until one side must be waited for, the turn is over, or the end is reached.
static enum flow direction_pump(struct lp_forwarder *forwarder, struct direction *direction,
                                int from_fd, int to_fd)
{
    const unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    for (int round = 0; round < TURN_ROUNDS; round++) {
        if (direction->is_done)
            return FLOW_WAIT;
        if (direction->bytes == 0 && !direction->is_ended) {
            if (!pipe_get(forwarder, direction))
                return FLOW_MORE; // no handle free now: again soon
            ssize_t count = splice(from_fd, NULL, direction->pipe[1], NULL, CHUNK_BYTES, flags);
            if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
                pipe_drop(forwarder, direction);
                return errno == EINTR ? FLOW_MORE : FLOW_WAIT;
            }
            if (count < 0)
                return FLOW_FAILED;
            direction->is_ended = count == 0;
            direction->bytes = (size_t)count;
        }
        if (direction->bytes > 0) {
            ssize_t count = splice(direction->pipe[0], NULL, to_fd, NULL, direction->bytes, flags);
            if (count < 0 && errno == EAGAIN)
                return FLOW_WAIT;
            if (count < 0 && errno != EINTR)
                return FLOW_FAILED;
            direction->bytes -= count > 0 ? (size_t)count : 0;
        }
        if (direction->bytes == 0 && direction->is_ended) {
            direction->is_done = true;
            pipe_drop(forwarder, direction);
            // Half-close: this way is over, the other may go on.
            if (shutdown(to_fd, SHUT_WR) < 0 && errno != ENOTCONN)
                return FLOW_FAILED;
        }
    }
    return FLOW_MORE;
}

static void connection_pump(struct lp_forwarder *forwarder,
                            struct lp_forward_connection *connection)
{
    int client = connection->client.source.fd, server = connection->server.source.fd;
    enum flow up = direction_pump(forwarder, &connection->up, client, server);
    enum flow down = up == FLOW_FAILED
                         ? FLOW_FAILED
                         : direction_pump(forwarder, &connection->down, server, client);
    if (down == FLOW_FAILED)
        connection_end(forwarder, connection, true);
    else if (connection->up.is_done && connection->down.is_done)
        connection_end(forwarder, connection, false);
    else if (up == FLOW_MORE || down == FLOW_MORE)
        connection_defer(forwarder, connection);
}

static void side_ready(struct lp_forwarder *forwarder, struct lp_forward_source *source,
                       uint32_t events)
{
    (void)events; // edge-triggered: every event means "look again"
    struct lp_forward_connection *connection = ((struct side *)source)->connection;
    if (!connection->is_dead && !connection->is_connecting)
        connection_pump(forwarder, connection);
}

static void socket_tune(int fd)
{
    // Small answers go out at once; a peer that vanished without a word is noticed in 30 s.
    static const struct {
        int level, name, value;
    } options[] = {{IPPROTO_TCP, TCP_NODELAY, 1},   {SOL_SOCKET, SO_KEEPALIVE, 1},
                   {IPPROTO_TCP, TCP_KEEPIDLE, 15}, {IPPROTO_TCP, TCP_KEEPINTVL, 5},
                   {IPPROTO_TCP, TCP_KEEPCNT, 3},   {IPPROTO_TCP, TCP_USER_TIMEOUT, 30000}};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

static void server_ready(struct lp_forwarder *forwarder, struct lp_forward_source *source,
                         uint32_t events);

// Begin to connect to the next backend. false: none is left.
static bool connection_dial(struct lp_forwarder *forwarder,
                            struct lp_forward_connection *connection)
{
    for (;;) {
        struct lp_forward_backend *backend =
            connection->listener ? lp_forward_next_backend(forwarder, connection->listener,
                                                           &connection->step, connection->since_ms)
                                 : NULL;
        if (!backend)
            return false;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return false;
        connection->backend = backend;
        connection->server.source.fd = fd;
        connection->server.source.ready = server_ready;
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons(connection->listener->port.node_port),
                                 .sin_addr.s_addr = htonl(backend->address)};
        if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS) {
            connection->deadline_ms = forwarder->now_ms + LP_FORWARD_CONNECT_MS;
            // One registration for its life: edge-triggered, so that writable is told once.
            if (lp_forward_watch(forwarder, &connection->server.source,
                                 EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) == 0)
                return true;
        }
        backend->down_at_ms = forwarder->now_ms;
        side_close(&connection->server, false);
    }
}

static void connection_redial(struct lp_forwarder *forwarder,
                              struct lp_forward_connection *connection)
{
    if (connection->backend)
        connection->backend->down_at_ms = forwarder->now_ms;
    side_close(&connection->server, false);
    list_remove(forwarder, connection);
    list_add(forwarder, connection, true); // at the end: its deadline is the latest
    if (!connection_dial(forwarder, connection))
        connection_end(forwarder, connection, true);
}

// Whether to go on waiting for this backend: no other is left, and one whose queue is full answers
// to the kernel's second, third or fourth attempt, after 1, 3 and 7 seconds. Whoever asked it
// without a forwarder would wait as well.
static bool connection_wait_on(struct lp_forwarder *forwarder,
                               struct lp_forward_connection *connection)
{
    size_t step = connection->step; // to look ahead: the connection's own stays
    if (!connection->listener || !connection->backend ||
        forwarder->now_ms - connection->since_ms >= LP_FORWARD_LAST_MS ||
        lp_forward_next_backend(forwarder, connection->listener, &step, connection->since_ms))
        return false;
    connection->backend->down_at_ms = forwarder->now_ms;
    list_remove(forwarder, connection);
    connection->deadline_ms = forwarder->now_ms + LP_FORWARD_CONNECT_MS;
    list_add(forwarder, connection, true);
    return true;
}

static void server_ready(struct lp_forwarder *forwarder, struct lp_forward_source *source,
                         uint32_t events)
{
    struct lp_forward_connection *connection = ((struct side *)source)->connection;
    if (connection->is_dead || source->fd < 0 || !(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
        return;
    // After a redial, an event of the earlier socket may come late: ask, do not trust it.
    struct sockaddr_in peer;
    socklen_t bytes = sizeof(peer);
    int number = 0;
    socklen_t number_bytes = sizeof(number);
    (void)getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &number, &number_bytes);
    if (number == 0 && getpeername(source->fd, (struct sockaddr *)&peer, &bytes) < 0)
        return;
    if (number != 0) {
        connection_redial(forwarder, connection);
        return;
    }
    if (connection->backend)
        connection->backend->down_at_ms = INT64_MIN;
    connection->backend = NULL;
    list_remove(forwarder, connection);
    list_add(forwarder, connection, false);
    source->ready = side_ready;
    socket_tune(source->fd);
    if (lp_forward_watch(forwarder, &connection->client.source,
                         EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) < 0)
        connection_end(forwarder, connection, true);
    else
        connection_pump(forwarder, connection);
}

static struct lp_forward_connection *connection_take(struct lp_forwarder *forwarder)
{
    struct lp_forward_connection *connection = forwarder->spare;
    if (connection)
        forwarder->spare = connection->next;
    else
        connection = lp_heap_take(sizeof(*connection));
    *connection = (struct lp_forward_connection){.up.pipe = {-1, -1}, .down.pipe = {-1, -1}};
    connection->client.connection = connection->server.connection = connection;
    connection->client.source.ready = side_ready;
    connection->server.source.fd = -1;
    forwarder->connection_count++;
    return connection;
}

static void listeners_pause(struct lp_forwarder *forwarder, bool is_paused)
{
    for (struct lp_forward_listener *at = forwarder->listeners; at; at = at->next) {
        if (at->port.is_udp || at->source.fd < 0 || at->is_paused == is_paused)
            continue;
        if (is_paused)
            (void)epoll_ctl(forwarder->epoll_fd, EPOLL_CTL_DEL, at->source.fd, NULL);
        else if (lp_forward_watch(forwarder, &at->source, EPOLLIN) < 0)
            continue;
        at->is_paused = is_paused;
    }
}

void lp_forward_tcp_accept(struct lp_forwarder *forwarder, struct lp_forward_source *source,
                           uint32_t events)
{
    (void)events;
    struct lp_forward_listener *listener = (struct lp_forward_listener *)source;
    for (int i = 0; i < ACCEPTS_MAX && source->fd >= 0; i++) {
        if (forwarder->connection_count >= forwarder->connection_max) {
            listeners_pause(forwarder, true); // who comes now waits in the kernel's queue
            return;
        }
        int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE)) // this is what the machine bears
            forwarder->connection_max =
                forwarder->connection_count ? forwarder->connection_count : 1;
        if (fd < 0)
            return;
        struct lp_forward_connection *connection = connection_take(forwarder);
        connection->listener = listener;
        connection->client.source.fd = fd;
        connection->since_ms = forwarder->now_ms;
        socket_tune(fd);
        list_add(forwarder, connection, true);
        if (!connection_dial(forwarder, connection))
            connection_end(forwarder, connection, true);
    }
}

void lp_forward_tcp_forget(struct lp_forwarder *forwarder,
                           const struct lp_forward_listener *listener)
{
    for (struct lp_forward_connection *at = forwarder->connecting; at; at = at->next) {
        if (at->listener != listener)
            continue;
        at->backend = NULL; // the list of backends is about to change
        if (!listener->is_wanted)
            at->listener = NULL;
    }
    for (struct lp_forward_connection *at = forwarder->connections; at; at = at->next) {
        if (at->listener == listener && !listener->is_wanted)
            at->listener = NULL;
    }
}

int lp_forward_tcp_work(struct lp_forwarder *forwarder)
{
    while (forwarder->connecting && forwarder->connecting->deadline_ms <= forwarder->now_ms)
        if (!connection_wait_on(forwarder, forwarder->connecting))
            connection_redial(forwarder, forwarder->connecting);
    struct lp_forward_connection *unfinished = forwarder->unfinished;
    forwarder->unfinished = NULL;
    forwarder->is_starved = false;
    while (unfinished) {
        struct lp_forward_connection *connection = unfinished;
        unfinished = connection->next_unfinished;
        connection->is_unfinished = false;
        if (!connection->is_dead)
            connection_pump(forwarder, connection);
    }
    while (forwarder->dead) {
        struct lp_forward_connection *connection = forwarder->dead;
        // One that ended while it waited for its next turn is still linked there.
        if (connection->is_unfinished)
            break;
        forwarder->dead = connection->next;
        connection->next = forwarder->spare;
        forwarder->spare = connection;
        forwarder->connection_count--;
    }
    if (forwarder->connection_count < forwarder->connection_max)
        listeners_pause(forwarder, false);
    if (forwarder->unfinished || forwarder->dead)
        return forwarder->is_starved ? PIPE_RETRY_MS : 0;
    if (!forwarder->connecting)
        return -1;
    int64_t left_ms = forwarder->connecting->deadline_ms - forwarder->now_ms;
    return left_ms > 0 ? (int)left_ms : 0;
}
