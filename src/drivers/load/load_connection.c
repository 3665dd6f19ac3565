// One request on one connection of the load generator.
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "drivers/load/load_parts.h"

enum {
    READ_BYTES = 65536,
    READS_AT_A_TIME = 16, // arrivals are looked at in between, however quick a huge reply is
};

static struct lp_load_connection *connection_of(struct lp_load_run *run, int32_t at)
{
    return &run->connections[at];
}

static void connection_close(struct lp_load_run *run, int32_t at)
{
    struct lp_load_connection *connection = connection_of(run, at);
    struct lp_load_endpoint *endpoint = &run->endpoints[connection->endpoint];
    if (connection->state == LP_LOAD_IDLE) { // found by the peer's end: rare, the list is short
        int32_t *link = &endpoint->idle;
        while (*link != at)
            link = &connection_of(run, *link)->next;
        *link = connection->next;
    }
    if (connection->fd >= 0)
        close(connection->fd); // leaves the epoll, too
    connection->fd = -1;
    connection->state = LP_LOAD_CLOSED;
    connection->life++;
    endpoint->open_count--;
    connection->next = run->free_list;
    run->free_list = at;
}

static struct epoll_event event_of(const struct lp_load_connection *connection, int32_t at)
{
    return (struct epoll_event){.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.u64 = ((uint64_t)connection->life << 32) | (uint32_t)at};
}

// Begin to connect; what goes wrong at once is told by lp_load_connection_send.
static int32_t connection_open(struct lp_load_run *run, size_t endpoint)
{
    int32_t at = run->free_list;
    if (at == LP_LOAD_NONE)
        at = (int32_t)run->connection_count++;
    else
        run->free_list = connection_of(run, at)->next;
    struct lp_load_connection *connection = connection_of(run, at);
    connection->endpoint = endpoint;
    connection->state = LP_LOAD_CONNECTING;
    run->endpoints[endpoint].open_count++;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        return at;
    struct epoll_event event = event_of(connection, at);
    const struct sockaddr *address = (const struct sockaddr *)&run->endpoints[endpoint].address;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    bool is_begun =
        epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) == 0 &&
        (connect(connection->fd, address, sizeof(struct sockaddr_in)) == 0 || errno == EINPROGRESS);
    if (!is_begun) {
        close(connection->fd);
        connection->fd = -1;
    }
    return at;
}

int32_t lp_load_connection_take(struct lp_load_run *run, size_t endpoint)
{
    struct lp_load_endpoint *from = &run->endpoints[endpoint];
    int32_t at = from->idle;
    if (at != LP_LOAD_NONE) {
        from->idle = connection_of(run, at)->next;
        connection_of(run, at)->state = LP_LOAD_BUSY;
        return at;
    }
    return from->open_count < run->load->connections ? connection_open(run, endpoint)
                                                     : LP_LOAD_NONE;
}

// false: the peer takes no more.
static bool out_write(struct lp_load_connection *connection)
{
    while (connection->out_sent < connection->out_bytes) {
        ssize_t bytes = send(connection->fd, connection->out + connection->out_sent,
                             connection->out_bytes - connection->out_sent, MSG_NOSIGNAL);
        if (bytes < 0 && errno == EINTR)
            continue;
        if (bytes < 0 && errno == EAGAIN)
            return true; // an event tells when there is room
        if (bytes < 0)
            return false;
        connection->out_sent += (size_t)bytes;
    }
    return true;
}

static bool wants_body(const struct lp_load_judge *judge)
{
    return judge->contains.text.bytes || judge->has_regex;
}

void lp_load_connection_finish(struct lp_load_run *run, int32_t at, enum lp_ending ending)
{
    struct lp_load_connection *connection = connection_of(run, at);
    size_t endpoint = connection->endpoint;
    connection->sample.ending = (uint8_t)ending;
    connection->sample.status = (uint16_t)connection->reply.status;
    bool can_carry_on = connection->fd >= 0 && connection->reply.is_done &&
                        !connection->reply.must_close && !connection->reply.is_bad &&
                        connection->out_sent == connection->out_bytes && run->load->is_keep_alive;
    if (connection->job == LP_LOAD_NONE) {
        run->outstanding--;
        lp_load_sample_add(run, &connection->sample);
    } else {
        lp_load_read_ended(run, connection);
    }
    connection->reply = (struct lp_reply){0};
    if (can_carry_on) {
        connection->state = LP_LOAD_IDLE;
        connection->next = run->endpoints[endpoint].idle;
        run->endpoints[endpoint].idle = at;
    } else {
        connection_close(run, at);
    }
}

static void reply_judge(struct lp_load_run *run, int32_t at)
{
    struct lp_load_connection *connection = connection_of(run, at);
    char id[LP_LOAD_ID_BYTES + 1];
    lp_load_id_print(run, connection->sample.write, id);
    connection->sample.answered_us = lp_load_now_us(run);
    lp_load_connection_finish(
        run, at,
        lp_load_judge(&connection->form->judge, id, &connection->reply, &connection->body));
}

// There is more to read, later: the event comes again.
static void in_postpone(const struct lp_load_run *run, int32_t at)
{
    const struct lp_load_connection *connection = &run->connections[at];
    struct epoll_event event = event_of(connection, at);
    (void)epoll_ctl(run->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
}

// Take what has arrived for the request under way.
static void in_read(struct lp_load_run *run, int32_t at)
{
    static char bytes[READ_BYTES];
    struct lp_load_connection *connection = connection_of(run, at);
    for (int reads = 0; reads < READS_AT_A_TIME; reads++) {
        ssize_t count = recv(connection->fd, bytes, sizeof(bytes), 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return;
        size_t taken = 0;
        if (count > 0)
            taken = lp_reply_feed(&connection->reply, bytes, (size_t)count, &connection->body);
        else
            lp_reply_end(&connection->reply);
        // More than one reply to one request: whose is the next one?
        connection->reply.must_close |= count > 0 && taken < (size_t)count;
        if (connection->reply.is_bad)
            lp_load_connection_finish(run, at, LP_END_PROTOCOL);
        else if (connection->reply.is_done)
            reply_judge(run, at);
        else if (count <= 0)
            lp_load_connection_finish(run, at, LP_END_CLOSED);
        else
            continue;
        return;
    }
    in_postpone(run, at);
}

static void out_begin(struct lp_load_run *run, int32_t at)
{
    struct lp_load_connection *connection = connection_of(run, at);
    connection->sample.sent_us = lp_load_now_us(run);
    if (!out_write(connection))
        in_read(run, at); // it may have said why before it closed; else its end is found there
}

void lp_load_connection_send(struct lp_load_run *run, int32_t at)
{
    struct lp_load_connection *connection = connection_of(run, at);
    const struct lp_load_form *form = connection->form;
    char id[LP_LOAD_ID_BYTES + 1];
    if (connection->fd < 0) { // no socket, or refused at once
        lp_load_connection_finish(run, at, LP_END_CONNECT);
        return;
    }
    lp_load_id_print(run, connection->sample.write ? connection->sample.write : 0, id);
    connection->out = lp_load_text_fill(&form->text, id, &connection->own);
    connection->out_bytes = form->text.text.bytes;
    connection->out_sent = 0;
    connection->reply = (struct lp_reply){.is_head = form->is_head};
    connection->body.count = 0;
    if (wants_body(&form->judge) && !connection->body.bytes) {
        connection->body.bytes = lp_heap_take(LP_LOAD_BODY_BYTES_MAX);
        connection->body.capacity = LP_LOAD_BODY_BYTES_MAX;
    }
    if (connection->state == LP_LOAD_BUSY)
        out_begin(run, at);
}

static bool connect_failed(const struct lp_load_connection *connection, uint32_t events)
{
    int error = 0;
    socklen_t bytes = sizeof(error);
    return (events & (EPOLLERR | EPOLLHUP)) ||
           getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0 || error != 0;
}

static void connected(struct lp_load_run *run, int32_t at, uint32_t events)
{
    struct lp_load_connection *connection = connection_of(run, at);
    if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
        return;
    if (connect_failed(connection, events)) {
        lp_load_connection_finish(run, at, LP_END_CONNECT);
        return;
    }
    connection->state = LP_LOAD_BUSY;
    out_begin(run, at);
}

void lp_load_connection_event(struct lp_load_run *run, int32_t at, uint32_t events)
{
    struct lp_load_connection *connection = connection_of(run, at);
    size_t endpoint = connection->endpoint;
    if (connection->state == LP_LOAD_CONNECTING) {
        connected(run, at, events);
    } else if (connection->state == LP_LOAD_IDLE) {
        if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) // nothing was asked
            connection_close(run, at);
    } else if (connection->state == LP_LOAD_BUSY) {
        bool is_open = !(events & EPOLLOUT) || out_write(connection);
        if (!is_open || (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
            in_read(run, at);
        // A peer that has said that it ends: its connection carries no further request.
        if (connection->state == LP_LOAD_IDLE && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
            connection_close(run, at);
    }
    lp_load_endpoint_serve(run, endpoint);
}

void lp_load_connections_release(struct lp_load_run *run)
{
    for (size_t i = 0; i < run->connection_count; i++) {
        struct lp_load_connection *connection = &run->connections[i];
        if (connection->fd >= 0)
            close(connection->fd);
        lp_str_release(&connection->own);
        lp_heap_free(connection->body.bytes);
    }
    lp_heap_free(run->connections);
}
