// The relay: one packet socket on the node's link, one tap at the bridge, and a queue between them.
// Both ends carry the kernel's own large frames (virtio headers), so that a fast link stays fast.
#define _GNU_SOURCE
#include "drivers/fault/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "drivers/network/network_ns.h"
#include "drivers/fault/relay_parts.h"

enum { BURST = 64 }; // frames of one side before the other side's turn

struct relay {
    const struct lp_relay_spec *spec;
    struct lp_relay_queue queue;
    struct lp_relay_dice dice;
    int link_fd, tap_fd, timer_fd, signal_fd, epoll_fd;
    uint8_t *buffer;
};

static void ifreq_name(struct ifreq *request, const char *name)
{
    memset(request, 0, sizeof(*request));
    memcpy(request->ifr_name, name, strnlen(name, IFNAMSIZ - 1));
}

LP_MUST_CHECK static int bridge_change(int fd, unsigned long what, const char *bridge,
                                       const char *link)
{
    struct ifreq request;
    ifreq_name(&request, bridge);
    request.ifr_ifindex = (int)if_nametoindex(link);
    if (request.ifr_ifindex == 0)
        return -ENODEV;
    return ioctl(fd, what, &request) < 0 ? -errno : 0;
}

LP_MUST_CHECK static int link_open(struct relay *relay, struct lp_err *err)
{
    const char *link = relay->spec->link;
    int on = 1;
    relay->link_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ALL),
                                  .sll_ifindex = (int)if_nametoindex(link)};
    struct packet_mreq promiscuous = {.mr_ifindex = address.sll_ifindex,
                                      .mr_type = PACKET_MR_PROMISC};
    int room = 8 * 1024 * 1024;
    int fd = relay->link_fd;
    if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) < 0)
        return lp_err_set(err, LP_EIO, "listen on the link %s: %s", link, strerror(errno));
    return 0;
}

LP_MUST_CHECK static int tap_open(struct relay *relay, struct lp_err *err)
{
    struct ifreq request;
    const char *tap = relay->spec->tap;
    relay->tap_fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    ifreq_name(&request, tap);
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    // What is to be damaged must come as it goes over a wire: not in one piece of 64 KiB.
    unsigned offload =
        relay->spec->fault.kind == LP_FAULT_CORRUPT ? 0 : TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
    if (relay->tap_fd < 0 || ioctl(relay->tap_fd, TUNSETIFF, &request) < 0 ||
        ioctl(relay->tap_fd, TUNSETOFFLOAD, offload) < 0)
        return lp_err_set(err, LP_EIO, "make the tap %s: %s", tap, strerror(errno));
    ifreq_name(&request, tap);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(relay->link_fd, SIOCSIFFLAGS, &request) < 0)
        return lp_err_set(err, LP_EIO, "raise the tap %s: %s", tap, strerror(errno));
    return 0;
}

// From here on frames pass through the relay.
LP_MUST_CHECK static int insert(struct relay *relay, struct lp_err *err)
{
    const struct lp_relay_spec *spec = relay->spec;
    int result = bridge_change(relay->link_fd, SIOCBRDELIF, spec->bridge, spec->link);
    if (result == -EINVAL)
        return lp_err_set(err, LP_ECONFLICT,
                          "another fault of this kind is on the link already: heal it first");
    if (result == 0)
        result = bridge_change(relay->link_fd, SIOCBRADDIF, spec->bridge, spec->tap);
    return result < 0 ? lp_err_set(err, LP_EIO, "stand between %s and %s: %s", spec->link,
                                   spec->bridge, strerror(-result))
                      : 0;
}

static void timer_set(const struct relay *relay)
{
    int64_t due_us = lp_relay_queue_next_us(&relay->queue);
    struct itimerspec at = {0};
    if (due_us != INT64_MAX) {
        at.it_value.tv_sec = due_us / 1000000;
        at.it_value.tv_nsec = due_us % 1000000 * 1000 + 1;
    }
    (void)timerfd_settime(relay->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

// A full buffer of the other side loses the frame, as a full queue of a switch does.
static void send_now(const struct relay *relay, const uint8_t *bytes, size_t count, bool is_out)
{
    (void)!write(is_out ? relay->tap_fd : relay->link_fd, bytes, count);
}

static void send_later(struct relay *relay, const uint8_t *bytes, size_t count, bool is_out,
                       int64_t delay_us)
{
    struct lp_relay_frame frame = {
        .due_us = lp_monotonic_us() + delay_us, .count = count, .is_out = is_out};
    int64_t *last_us = &relay->dice.last_due_us[is_out];
    if (relay->spec->fault.kind == LP_FAULT_DELAY) {
        frame.due_us = frame.due_us > *last_us ? frame.due_us : *last_us;
        *last_us = frame.due_us;
    }
    frame.bytes = lp_heap_take(count);
    memcpy(frame.bytes, bytes, count);
    (void)lp_relay_queue_add(&relay->queue, &frame);
}

static void frame_pass(struct relay *relay, size_t count, bool is_out)
{
    uint8_t *bytes = relay->buffer;
    const uint8_t *frame = bytes + LP_RELAY_HEADER_BYTES;
    if (!lp_relay_is_meant(relay->spec, frame, count - LP_RELAY_HEADER_BYTES, is_out)) {
        send_now(relay, bytes, count, is_out);
        return;
    }
    struct lp_relay_fate fate = lp_relay_fate_of(relay->spec, &relay->dice);
    if (fate.is_damaged)
        lp_relay_damage(&relay->dice, bytes, count);
    if (fate.delay_us > 0) {
        send_later(relay, bytes, count, is_out, fate.delay_us);
        return;
    }
    send_now(relay, bytes, count, is_out);
    if (fate.is_twice)
        send_now(relay, bytes, count, is_out);
}

// False: the link or the tap is gone.
static bool side_read(struct relay *relay, bool is_out)
{
    int fd = is_out ? relay->link_fd : relay->tap_fd;
    for (int i = 0; i < BURST; i++) {
        ssize_t count = read(fd, relay->buffer, LP_RELAY_FRAME_BYTES);
        if (count < 0)
            return errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENETDOWN;
        if (count > LP_RELAY_HEADER_BYTES)
            frame_pass(relay, (size_t)count, is_out);
    }
    return true;
}

static void due_send(struct relay *relay)
{
    int64_t time_us = lp_monotonic_us();
    while (lp_relay_queue_next_us(&relay->queue) <= time_us) {
        struct lp_relay_frame frame = lp_relay_queue_take(&relay->queue);
        send_now(relay, frame.bytes, frame.count, frame.is_out);
        lp_heap_free(frame.bytes);
    }
}

static bool link_is_there(const struct relay *relay)
{
    return if_nametoindex(relay->spec->link) != 0;
}

LP_MUST_CHECK static int handles_open(struct relay *relay, struct lp_err *err)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    relay->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    relay->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    relay->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    const int fds[] = {relay->link_fd, relay->tap_fd, relay->timer_fd, relay->signal_fd};
    for (size_t i = 0; i < 4; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};
        if (epoll_ctl(relay->epoll_fd, EPOLL_CTL_ADD, fds[i], &event) < 0)
            return lp_err_set(err, LP_EIO, "watch the relay's handles: %s", strerror(errno));
    }
    return 0;
}

static void carry(struct relay *relay)
{
    struct epoll_event events[4];
    for (bool is_on = true; is_on;) {
        timer_set(relay);
        int count = epoll_wait(relay->epoll_fd, events, 4, 1000);
        if (count == 0)
            is_on = link_is_there(relay);
        for (int i = 0; i < count; i++) {
            uint64_t ticks;
            if (events[i].data.fd == relay->timer_fd)
                (void)!read(relay->timer_fd, &ticks, sizeof(ticks));
            else if (events[i].data.fd == relay->signal_fd)
                return;
            else
                is_on = side_read(relay, events[i].data.fd == relay->link_fd) &&
                        !(events[i].events & EPOLLHUP) && is_on;
        }
        due_send(relay);
    }
}

int lp_relay_run(const struct lp_relay_spec *spec, struct lp_err *err)
{
    struct relay relay = {
        .spec = spec, .link_fd = -1, .tap_fd = -1, .timer_fd = -1, .signal_fd = -1};
    LP_OWNS_FD int netns_fd = -1;
    if (lp_netns_open(spec->netns, &netns_fd, err) < 0 || lp_netns_enter(netns_fd, err) < 0)
        return err->code;
    lp_rng_init(&relay.dice.rng, spec->fault.seed);
    relay.buffer = lp_heap_take(LP_RELAY_FRAME_BYTES);
    // The kernel gathers timers that are near each other; a delay is to be what was asked for.
    prctl(PR_SET_TIMERSLACK, 1);
    if (link_open(&relay, err) < 0 || tap_open(&relay, err) < 0 || handles_open(&relay, err) < 0 ||
        insert(&relay, err) < 0)
        return err->code;
    prctl(PR_SET_NAME, LP_RELAY_ON);
    carry(&relay);
    return 0;
}

int lp_relay_reattach(int netns_fd, const char *link, const char *bridge, struct lp_err *err)
{
    const int kind[3] = {AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0};
    LP_OWNS_FD int fd = -1;
    LP_OWNS_FD int home_fd = -1;
    int result = lp_netns_socket(netns_fd, kind, &fd, err);
    if (result == 0)
        result = lp_netns_open_own(&home_fd, err);
    if (result == 0)
        result = lp_netns_enter(netns_fd, err); // the link's number is the namespace's own
    if (result < 0)
        return result;
    result = bridge_change(fd, SIOCBRADDIF, bridge, link);
    lp_netns_leave(home_fd);
    return result == 0 || result == -EBUSY || result == -ENODEV
               ? 0
               : lp_err_set(err, LP_EIO, "put %s back under %s: %s", link, bridge,
                            strerror(-result));
}
