// Accepting, reading, writing and closing connections.
#define _GNU_SOURCE
#include "init/peer.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init/news.h"
#include "init/orders.h"
#include "init/session.h"
#include "model/wire.h"
#include "base/err.h"

enum {
    PEERS_MAX = 48,
    READ_BYTES = 16 * 1024,
    UNSENT_MAX = 1024 * 1024, // a daemon that does not read is as good as gone: it will come again
    KEPT_BYTES = 4096,        // of a buffer that became empty
};

static struct lp_peer peers[PEERS_MAX];
static struct lp_watch listener;
static struct lp_peer *control;
static char received[READ_BYTES];

static void listener_ready(void *self, uint32_t events);
static void peer_ready(void *self, uint32_t events);

void lp_peers_open(int listen_fd)
{
    listener = (struct lp_watch){listener_ready, NULL, -1};
    int code = lp_loop_add(&listener, listen_fd, EPOLLIN);
    lp_assert(code == 0);
}

static void peer_close(struct lp_peer *peer)
{
    int fd = peer->watch.fd;
    struct lp_session *session = peer->session;
    if (peer == control)
        control = NULL;
    if (session)
        lp_session_hang_up(peer);
    lp_loop_remove(&peer->watch);
    close(fd);
    lp_str_release(&peer->in);
    lp_str_release(&peer->out);
    *peer = (struct lp_peer){0};
}

static void events_set(struct lp_peer *peer)
{
    uint32_t events = peer->is_paused || peer->is_closing ? 0 : EPOLLIN;
    lp_loop_change(&peer->watch,
                   events | EPOLLRDHUP | (peer->out.bytes > 0 ? (uint32_t)EPOLLOUT : 0));
}

static void listener_ready(void *self, uint32_t events)
{
    (void)self, (void)events;
    int fd = accept4(listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct lp_peer *peer = NULL;
    for (int i = 0; i < PEERS_MAX && !peer; i++)
        if (peers[i].role == LP_PEER_FREE)
            peer = &peers[i];
    if (!peer) { // its client sees the end of the stream and may try again
        close(fd);
        return;
    }
    *peer = (struct lp_peer){.role = LP_PEER_NEW, .watch = {peer_ready, peer, -1}};
    if (lp_loop_add(&peer->watch, fd, EPOLLIN | EPOLLRDHUP) < 0) {
        close(fd);
        *peer = (struct lp_peer){0};
    }
}

static void front_drop(struct lp_str *str, size_t count)
{
    str->bytes -= count;
    if (str->bytes > 0)
        memmove(str->text, str->text + count, str->bytes + 1);
    else if (str->capacity > KEPT_BYTES)
        lp_str_release(str);
}

// False: the peer is gone.
static bool out_send(struct lp_peer *peer)
{
    size_t sent = 0;
    while (sent < peer->out.bytes) {
        ssize_t count =
            send(peer->watch.fd, peer->out.text + sent, peer->out.bytes - sent, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno != EAGAIN)
            return false;
        if (count < 0)
            break;
        sent += (size_t)count;
    }
    front_drop(&peer->out, sent);
    return true;
}

// A peer is closed by its own event only: whoever calls from further down may hold it. After
// shutdown that event comes at once.
static void peer_doom(struct lp_peer *peer)
{
    peer->is_closing = true;
    lp_str_clear(&peer->out);
    shutdown(peer->watch.fd, SHUT_RDWR);
}

void lp_peer_flush(struct lp_peer *peer)
{
    if (!out_send(peer) || (peer->is_closing && peer->out.bytes == 0))
        peer_doom(peer);
    events_set(peer);
}

void lp_peer_finish(struct lp_peer *peer)
{
    peer->is_closing = true;
    lp_peer_flush(peer);
}

void lp_peer_pause(struct lp_peer *peer, bool is_paused)
{
    if (peer->is_paused == is_paused)
        return;
    peer->is_paused = is_paused;
    events_set(peer);
}

struct lp_str *lp_control_out(void)
{
    return control ? &control->out : NULL;
}

void lp_control_flush(void)
{
    if (!control)
        return;
    if (!out_send(control) || control->out.bytes > UNSENT_MAX)
        peer_doom(control);
    events_set(control);
}

// CONTROL: take over from whoever had it.
static int control_take(struct lp_peer *peer)
{
    struct lp_peer *older = control;
    control = NULL;
    if (older)
        peer_close(older);
    control = peer;
    peer->role = LP_PEER_CONTROL;
    lp_news_hello(&peer->out);
    lp_control_flush();
    return 0;
}

static int frame_take(struct lp_peer *peer, const struct lp_wire_frame *frame)
{
    switch (peer->role) {
    case LP_PEER_NEW:
        if (frame->type == LP_WIRE_CONTROL)
            return control_take(peer);
        return frame->type == LP_WIRE_EXEC ? lp_session_start(peer, frame) : LP_ECORRUPT;
    case LP_PEER_CONTROL:
        return lp_orders_take(frame);
    case LP_PEER_EXEC:
        return lp_session_take(peer, frame);
    case LP_PEER_FREE:
        break;
    }
    return LP_ECORRUPT;
}

// Take all whole frames; returns how many bytes they had, or LP_ECORRUPT.
static long frames_take(struct lp_peer *peer, const char *bytes, size_t count)
{
    size_t at = 0;
    struct lp_wire_frame frame;
    long taken = 0;
    while (!peer->is_closing && (taken = lp_wire_parse(bytes + at, count - at, &frame)) > 0) {
        at += (size_t)taken;
        if (frame_take(peer, &frame) < 0)
            return LP_ECORRUPT;
    }
    return taken < 0 ? taken : (long)at;
}

// Most orders arrive whole and alone: they are taken where they were received, without a copy.
static int received_take(struct lp_peer *peer, size_t count)
{
    bool is_joined = peer->in.bytes > 0;
    if (is_joined)
        lp_str_add_n(&peer->in, received, count);
    long taken = is_joined ? frames_take(peer, peer->in.text, peer->in.bytes)
                           : frames_take(peer, received, count);
    if (taken < 0)
        return (int)taken;
    if (is_joined && taken > 0)
        front_drop(&peer->in, (size_t)taken);
    else if (!is_joined && (size_t)taken < count)
        lp_str_add_n(&peer->in, received + taken, count - (size_t)taken);
    return 0;
}

static void peer_read(struct lp_peer *peer)
{
    ssize_t count = recv(peer->watch.fd, received, sizeof(received), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0 || received_take(peer, (size_t)count) < 0)
        peer_close(peer);
}

static void peer_write(struct lp_peer *peer)
{
    lp_peer_flush(peer);
    if (peer->session && !peer->is_closing)
        lp_session_resume(peer);
}

static void peer_ready(void *self, uint32_t events)
{
    struct lp_peer *peer = self;
    if (peer->is_closing && peer->out.bytes == 0)
        peer_close(peer);
    else if (events & EPOLLOUT)
        peer_write(peer);
    else if (events & EPOLLIN)
        peer_read(peer);
    else
        peer_close(peer);
}
