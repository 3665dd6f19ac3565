// UDP of the forwarder: one flow a client and port, relayed to one backend until it is idle.
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/hash.h"
#include "drivers/network/forward_parts.h"

enum { DATAGRAM_BYTES = 65536, DATAGRAMS_MAX = 64, CONTROL_BYTES = 128 };

struct lp_forward_flow {
    struct lp_forward_source source;        // first; the socket towards the backend
    struct lp_forward_flow *next_in_bucket; // in flow_table
    struct lp_forward_flow *older, *newer;  // by last use
    struct lp_forward_listener *listener;
    struct sockaddr_storage client;
    socklen_t client_bytes;
    uint8_t control[CONTROL_BYTES]; // IP_PKTINFO: answers leave from the address that was asked
    size_t control_bytes;
    uint32_t backend;
    int64_t used_at_ms;
    bool is_dead;
};

// One thread, one datagram at a time.
static uint8_t datagram[DATAGRAM_BYTES];

int lp_forward_udp_prepare(int fd, int family)
{
    int on = 1;
    int status = family == AF_INET
                     ? setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on))
                     : setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
    return status < 0 ? -errno : 0;
}

static struct lp_forward_flow **bucket_get(struct lp_forwarder *forwarder,
                                           const struct lp_forward_listener *listener,
                                           const struct sockaddr_storage *client, socklen_t bytes)
{
    uint64_t hash = lp_fnv(LP_FNV_START, client, bytes);
    hash = lp_fnv(hash, &listener, sizeof(const void *));
    size_t count = sizeof(forwarder->flow_table) / sizeof(forwarder->flow_table[0]);
    return &forwarder->flow_table[hash % count];
}

static void order_remove(struct lp_forwarder *forwarder, struct lp_forward_flow *flow)
{
    *(flow->older ? &flow->older->newer : &forwarder->flow_oldest) = flow->newer;
    *(flow->newer ? &flow->newer->older : &forwarder->flow_newest) = flow->older;
}

static void order_add(struct lp_forwarder *forwarder, struct lp_forward_flow *flow)
{
    flow->used_at_ms = forwarder->now_ms;
    flow->newer = NULL;
    flow->older = forwarder->flow_newest;
    *(flow->older ? &flow->older->newer : &forwarder->flow_oldest) = flow;
    forwarder->flow_newest = flow;
}

static void flow_end(struct lp_forwarder *forwarder, struct lp_forward_flow *flow)
{
    struct lp_forward_flow **at =
        bucket_get(forwarder, flow->listener, &flow->client, flow->client_bytes);
    while (*at != flow)
        at = &(*at)->next_in_bucket;
    *at = flow->next_in_bucket;
    order_remove(forwarder, flow);
    close(flow->source.fd);
    flow->source.fd = -1;
    flow->is_dead = true;
    flow->older = forwarder->flow_dead; // used again after the turn: events may point to it
    forwarder->flow_dead = flow;
}

// The backend does not want it (nobody listens there): the client's next datagram tries another.
static void flow_fail(struct lp_forwarder *forwarder, struct lp_forward_flow *flow)
{
    struct lp_forward_listener *listener = flow->listener;
    for (size_t i = 0; i < listener->backend_count; i++) {
        if (listener->backends[i].address == flow->backend)
            listener->backends[i].down_at_ms = forwarder->now_ms;
    }
    flow_end(forwarder, flow);
}

static void flow_ready(struct lp_forwarder *forwarder, struct lp_forward_source *source,
                       uint32_t events)
{
    (void)events;
    struct lp_forward_flow *flow = (struct lp_forward_flow *)source;
    for (int i = 0; i < DATAGRAMS_MAX && !flow->is_dead; i++) {
        ssize_t count = recv(source->fd, datagram, sizeof(datagram), 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (count < 0) {
            flow_fail(forwarder, flow);
            return;
        }
        struct iovec part = {.iov_base = datagram, .iov_len = (size_t)count};
        struct msghdr message = {.msg_name = &flow->client,
                                 .msg_namelen = flow->client_bytes,
                                 .msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = flow->control_bytes ? flow->control : NULL,
                                 .msg_controllen = flow->control_bytes};
        (void)sendmsg(flow->listener->source.fd, &message, MSG_NOSIGNAL); // UDP may lose
        order_remove(forwarder, flow);
        order_add(forwarder, flow);
    }
}

// What came with a datagram says to which address it was sent; the same, in the form that
// sendmsg(2) takes it, makes the answer leave from there.
static void control_copy(struct msghdr *message, struct lp_forward_flow *flow)
{
    flow->control_bytes = 0;
    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
        if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo *info = (struct in_pktinfo *)(void *)CMSG_DATA(at);
            info->ipi_ifindex = 0; // the route decides
            info->ipi_spec_dst = info->ipi_addr;
        } else if (at->cmsg_level != IPPROTO_IPV6 || at->cmsg_type != IPV6_PKTINFO) {
            continue;
        }
        size_t bytes = CMSG_SPACE(at->cmsg_len - CMSG_LEN(0));
        if (bytes > sizeof(flow->control))
            continue;
        memset(flow->control, 0, bytes);
        memcpy(flow->control, at, at->cmsg_len);
        flow->control_bytes = bytes;
    }
}

static struct lp_forward_flow *flow_take(struct lp_forwarder *forwarder)
{
    if (forwarder->flow_count >= LP_FORWARD_CONNECTIONS_MAX && forwarder->flow_oldest)
        flow_end(forwarder, forwarder->flow_oldest); // the one longest unused gives way
    struct lp_forward_flow *flow = forwarder->flow_spare;
    if (flow)
        forwarder->flow_spare = flow->older;
    else
        flow = lp_heap_take(sizeof(*flow));
    *flow = (struct lp_forward_flow){.source = {flow_ready, -1}};
    forwarder->flow_count++;
    return flow;
}

static void flow_give_back(struct lp_forwarder *forwarder, struct lp_forward_flow *flow)
{
    flow->older = forwarder->flow_spare;
    forwarder->flow_spare = flow;
    forwarder->flow_count--;
}

static struct lp_forward_flow *flow_open(struct lp_forwarder *forwarder,
                                         struct lp_forward_listener *listener,
                                         const struct msghdr *message)
{
    size_t step = 0;
    struct lp_forward_backend *backend =
        lp_forward_next_backend(forwarder, listener, &step, forwarder->now_ms);
    if (!backend)
        return NULL;
    struct lp_forward_flow *flow = flow_take(forwarder);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(listener->port.node_port),
                             .sin_addr.s_addr = htonl(backend->address)};
    flow->source.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (flow->source.fd < 0 || connect(flow->source.fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
        lp_forward_watch(forwarder, &flow->source, EPOLLIN) < 0) {
        if (flow->source.fd >= 0)
            close(flow->source.fd);
        flow_give_back(forwarder, flow);
        return NULL;
    }
    flow->listener = listener;
    flow->backend = backend->address;
    memcpy(&flow->client, message->msg_name, message->msg_namelen);
    flow->client_bytes = message->msg_namelen;
    struct lp_forward_flow **bucket =
        bucket_get(forwarder, listener, &flow->client, flow->client_bytes);
    flow->next_in_bucket = *bucket;
    *bucket = flow;
    order_add(forwarder, flow);
    return flow;
}

static struct lp_forward_flow *flow_find(struct lp_forwarder *forwarder,
                                         const struct lp_forward_listener *listener,
                                         const struct sockaddr_storage *client, socklen_t bytes)
{
    struct lp_forward_flow *at = *bucket_get(forwarder, listener, client, bytes);
    while (at && (at->listener != listener || at->client_bytes != bytes ||
                  memcmp(&at->client, client, bytes) != 0))
        at = at->next_in_bucket;
    return at;
}

void lp_forward_udp_receive(struct lp_forwarder *forwarder, struct lp_forward_source *source,
                            uint32_t events)
{
    (void)events;
    struct lp_forward_listener *listener = (struct lp_forward_listener *)source;
    for (int i = 0; i < DATAGRAMS_MAX && source->fd >= 0; i++) {
        struct sockaddr_storage client = {0};
        _Alignas(struct cmsghdr) uint8_t control[CONTROL_BYTES];
        struct iovec part = {.iov_base = datagram, .iov_len = sizeof(datagram)};
        struct msghdr message = {.msg_name = &client,
                                 .msg_namelen = sizeof(client),
                                 .msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof(control)};
        ssize_t count = recvmsg(source->fd, &message, 0);
        if (count < 0)
            return;
        struct lp_forward_flow *flow = flow_find(forwarder, listener, &client, message.msg_namelen);
        if (!flow)
            flow = flow_open(forwarder, listener, &message);
        if (!flow)
            continue;
        control_copy(&message, flow);
        order_remove(forwarder, flow);
        order_add(forwarder, flow);
        if (send(flow->source.fd, datagram, (size_t)count, MSG_NOSIGNAL) < 0 && errno != EAGAIN &&
            errno != EMSGSIZE)
            flow_fail(forwarder, flow);
    }
}

static bool backend_is_gone(const struct lp_forward_listener *listener, uint32_t address)
{
    for (size_t i = 0; i < listener->backend_count; i++) {
        if (listener->backends[i].address == address)
            return false;
    }
    return true;
}

void lp_forward_udp_forget(struct lp_forwarder *forwarder,
                           const struct lp_forward_listener *listener)
{
    struct lp_forward_flow *newer;
    for (struct lp_forward_flow *at = forwarder->flow_oldest; at; at = newer) {
        newer = at->newer;
        if (at->listener == listener &&
            (!listener->is_wanted || backend_is_gone(listener, at->backend)))
            flow_end(forwarder, at);
    }
}

int lp_forward_udp_work(struct lp_forwarder *forwarder)
{
    struct lp_forward_flow *oldest;
    while ((oldest = forwarder->flow_oldest) &&
           oldest->used_at_ms + LP_FORWARD_FLOW_IDLE_MS <= forwarder->now_ms)
        flow_end(forwarder, oldest);
    while (forwarder->flow_dead) {
        struct lp_forward_flow *flow = forwarder->flow_dead;
        forwarder->flow_dead = flow->older;
        flow_give_back(forwarder, flow);
    }
    if (!oldest)
        return -1;
    return (int)(oldest->used_at_ms + LP_FORWARD_FLOW_IDLE_MS - forwarder->now_ms);
}
