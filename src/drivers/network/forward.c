// The forwarder's loop: its file, its listening sockets, its answer.
#define _GNU_SOURCE
#include "drivers/network/forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "drivers/network/forward_parts.h"
#include "drivers/network/network_ns.h"

int lp_forward_watch(struct lp_forwarder *forwarder, struct lp_forward_source *source,
                     uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    return epoll_ctl(forwarder->epoll_fd, EPOLL_CTL_ADD, source->fd, &event);
}

struct lp_forward_backend *lp_forward_next_backend(struct lp_forwarder *forwarder,
                                                   struct lp_forward_listener *listener,
                                                   size_t *step, int64_t since_ms)
{
    size_t count = listener->backend_count;
    if (*step == 0 && count)
        listener->next_backend = (listener->next_backend + 1) % count;
    // First round: those not known to be down. Second: those that were left out by the first.
    while (*step < 2 * count) {
        size_t round = *step / count;
        struct lp_forward_backend *backend =
            &listener->backends[(listener->next_backend + *step) % count];
        ++*step;
        bool is_down = backend->down_at_ms != INT64_MIN &&
                       forwarder->now_ms - backend->down_at_ms < LP_FORWARD_DOWN_MS;
        bool is_left_out = is_down && backend->down_at_ms < since_ms;
        if (round == 0 ? !is_down : is_left_out)
            return backend;
    }
    return NULL;
}

// 0, -errno. Runs in the host's namespace.
static int socket_listen(const struct lp_forward_port *port, int *ret_fd)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port->host_port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port->host_port)};
    bool is_v4 = inet_pton(AF_INET, port->host, &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, port->host, &v6.sin6_addr) != 1)
        return -EINVAL;
    int family = is_v4 ? AF_INET : AF_INET6, on = 1;
    LP_OWNS_FD int fd =
        socket(family, (port->is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (!is_v4)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (!port->is_udp) // connections of an earlier forwarder may linger; listeners still collide
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    const struct sockaddr *address = is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    if (bind(fd, address, is_v4 ? sizeof(v4) : sizeof(v6)) < 0)
        return -errno;
    int code = port->is_udp ? lp_forward_udp_prepare(fd, family)
                            : (listen(fd, SOMAXCONN) < 0 ? -errno : 0);
    if (code == 0)
        *ret_fd = lp_fd_take(&fd);
    return code;
}

static void listener_open(struct lp_forwarder *forwarder, struct lp_forward_listener *listener)
{
    int code = lp_netns_enter(forwarder->host_fd, NULL) < 0 ? -EPERM : 0;
    if (code == 0) {
        code = socket_listen(&listener->port, &listener->source.fd);
        lp_netns_leave(forwarder->infra_fd);
    }
    if (code == 0 && lp_forward_watch(forwarder, &listener->source, EPOLLIN) < 0) {
        code = -errno;
        close(lp_fd_take(&listener->source.fd));
    }
    listener->is_paused = false;
    forwarder->is_changed |= listener->trouble != -code;
    listener->trouble = -code;
}

static void listeners_open(struct lp_forwarder *forwarder)
{
    forwarder->retry_at_ms = INT64_MAX;
    for (struct lp_forward_listener *at = forwarder->listeners; at; at = at->next) {
        if (at->source.fd < 0)
            listener_open(forwarder, at);
        if (at->source.fd < 0)
            forwarder->retry_at_ms = forwarder->now_ms + LP_FORWARD_RETRY_MS;
    }
}

static bool port_is_same(const struct lp_forward_port *a, const struct lp_forward_port *b)
{
    return a->is_udp == b->is_udp && a->host_port == b->host_port &&
           lp_text_equal(a->host, b->host);
}

static void listener_aim(struct lp_forwarder *forwarder, struct lp_forward_listener *listener,
                         const struct lp_forward_port *port)
{
    lp_forward_tcp_forget(forwarder, listener); // they point into the list that goes
    lp_heap_free(listener->backends);
    listener->backend_count = port->backend_count;
    listener->backends = lp_heap_take((port->backend_count + 1) * sizeof(*listener->backends));
    for (size_t i = 0; i < port->backend_count; i++)
        listener->backends[i] =
            (struct lp_forward_backend){.address = port->backends[i], .down_at_ms = INT64_MIN};
    bool is_moved = listener->port.node_port != port->node_port;
    listener->port = *port;
    listener->port.backends = NULL; // lived in the file's arena
    listener->next_backend = 0;
    if (is_moved) { // flows lead to the old port
        listener->is_wanted = false;
        lp_forward_udp_forget(forwarder, listener);
    }
    listener->is_wanted = true;
    lp_forward_udp_forget(forwarder, listener);
}

static void listener_add(struct lp_forwarder *forwarder, const struct lp_forward_port *port)
{
    for (struct lp_forward_listener *at = forwarder->listeners; at; at = at->next) {
        if (!at->is_wanted && port_is_same(&at->port, port)) {
            listener_aim(forwarder, at, port);
            return;
        }
    }
    struct lp_forward_listener *listener = lp_heap_take(sizeof(*listener));
    listener->source.fd = -1;
    listener->source.ready = port->is_udp ? lp_forward_udp_receive : lp_forward_tcp_accept;
    listener->next = forwarder->listeners;
    forwarder->listeners = listener;
    listener_aim(forwarder, listener, port);
}

static void listeners_sweep(struct lp_forwarder *forwarder)
{
    for (struct lp_forward_listener **at = &forwarder->listeners; *at;) {
        struct lp_forward_listener *listener = *at;
        if (listener->is_wanted) {
            at = &listener->next;
            continue;
        }
        *at = listener->next;
        lp_forward_tcp_forget(forwarder, listener);
        lp_forward_udp_forget(forwarder, listener);
        if (listener->source.fd >= 0)
            close(listener->source.fd);
        lp_heap_free(listener->backends);
        lp_heap_free(listener);
    }
}

LP_MUST_CHECK static int conf_read(const char *path, struct lp_arena *arena,
                                   struct lp_forward_conf *ret_conf, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    int code = lp_file_read(path, LP_FORWARD_CONF_BYTES_MAX, &text, err);
    if (code == 0)
        code = lp_forward_conf_parse(lp_str_text(&text), text.bytes, arena, ret_conf, err);
    return code < 0 ? lp_err_wrap(err, "%s", path) : 0;
}

static void conf_apply(struct lp_forwarder *forwarder, const struct lp_forward_conf *conf)
{
    for (struct lp_forward_listener *at = forwarder->listeners; at; at = at->next)
        at->is_wanted = false;
    for (size_t i = 0; i < conf->port_count; i++)
        listener_add(forwarder, &conf->ports[i]);
    listeners_sweep(forwarder);
    listeners_open(forwarder);
    forwarder->revision = conf->revision;
    forwarder->is_changed = true;
}

static void reload(struct lp_forwarder *forwarder)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_forward_conf conf = {0};
    struct lp_err err;
    forwarder->is_reload_asked = false;
    if (conf_read(forwarder->conf_path, &arena, &conf, &err) < 0)
        (void)fprintf(stderr, "limpet forward: %s: going on as before\n", err.text);
    else
        conf_apply(forwarder, &conf);
}

static void signals_ready(struct lp_forwarder *forwarder, struct lp_forward_source *source,
                          uint32_t events)
{
    (void)events;
    struct signalfd_siginfo info;
    while (read(source->fd, &info, sizeof(info)) == sizeof(info)) {
        forwarder->is_ended |= info.ssi_signo != SIGHUP;
        forwarder->is_reload_asked |= info.ssi_signo == SIGHUP;
    }
}

static void answer_write(struct lp_forwarder *forwarder)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_forward_status status = {
        .revision = forwarder->revision,
        .troubles = lp_arena_new_array(&arena, struct lp_forward_trouble, LP_FORWARD_PORTS_MAX)};
    for (struct lp_forward_listener *at = forwarder->listeners; at; at = at->next) {
        if (at->source.fd >= 0 || status.trouble_count == LP_FORWARD_PORTS_MAX)
            continue;
        struct lp_forward_trouble *trouble = &status.troubles[status.trouble_count++];
        trouble->is_udp = at->port.is_udp;
        trouble->host_port = at->port.host_port;
        memcpy(trouble->host, at->port.host, sizeof(trouble->host));
        (void)snprintf(trouble->reason, sizeof(trouble->reason), "%s", strerror(at->trouble));
    }
    lp_forward_status_print(&status, &text);
    const char *slash = strrchr(forwarder->conf_path, '/');
    int folder_bytes = slash ? (int)(slash - forwarder->conf_path) + 1 : 0;
    const char *path =
        lp_arena_printf(&arena, "%.*sforward.status", folder_bytes, forwarder->conf_path);
    struct lp_err err;
    if (lp_file_write(path, lp_str_text(&text), text.bytes, 0600, &err) < 0)
        (void)fprintf(stderr, "limpet forward: %s\n", err.text);
    else
        forwarder->is_changed = false;
}

// Give up what is not needed; what is stays also across a mistake in this program: there is no
// way back, and no program that it could start would have more.
LP_MUST_CHECK static int privileges_drop(struct lp_err *err)
{
    const uint32_t kept = 1u << CAP_SYS_ADMIN | 1u << CAP_NET_BIND_SERVICE;
    for (int cap = 0; cap < 64; cap++) {
        if (cap > 31 || !(kept >> cap & 1))
            (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    }
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{.effective = kept, .permitted = kept}};
    if (syscall(SYS_capset, &header, data) < 0)
        return lp_err_set(err, LP_EDENIED, "drop capabilities: %s", strerror(errno));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return lp_err_set(err, LP_EDENIED, "no_new_privs: %s", strerror(errno));
    return 0;
}

LP_MUST_CHECK static int signals_open(struct lp_forwarder *forwarder, struct lp_err *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
    forwarder->signals =
        (struct lp_forward_source){signals_ready, signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)};
    if (forwarder->signals.fd < 0 || lp_forward_watch(forwarder, &forwarder->signals, EPOLLIN) < 0)
        return lp_err_set(err, LP_EIO, "signals: %s", strerror(errno));
    return 0;
}

// As many connections as the handles allow: four each, pipes included, which most do not hold.
static size_t connections_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 64;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    size_t count = limit.rlim_cur > 512 ? (size_t)(limit.rlim_cur - 256) / 4 : 64;
    return count < LP_FORWARD_CONNECTIONS_MAX ? count : LP_FORWARD_CONNECTIONS_MAX;
}

static void loop(struct lp_forwarder *forwarder)
{
    struct epoll_event events[128];
    while (!forwarder->is_ended) {
        forwarder->now_ms = lp_monotonic_ms();
        if (forwarder->is_reload_asked)
            reload(forwarder);
        if (forwarder->retry_at_ms <= forwarder->now_ms)
            listeners_open(forwarder);
        int tcp_ms = lp_forward_tcp_work(forwarder), udp_ms = lp_forward_udp_work(forwarder);
        if (forwarder->is_changed)
            answer_write(forwarder);
        int wait_ms = tcp_ms;
        if (udp_ms >= 0 && (wait_ms < 0 || udp_ms < wait_ms))
            wait_ms = udp_ms;
        bool has_retry = forwarder->retry_at_ms != INT64_MAX || forwarder->is_changed;
        if (has_retry && (wait_ms < 0 || wait_ms > LP_FORWARD_RETRY_MS))
            wait_ms = LP_FORWARD_RETRY_MS;
        int count = epoll_wait(forwarder->epoll_fd, events, 128, wait_ms);
        forwarder->now_ms = lp_monotonic_ms();
        for (int i = 0; i < count; i++) {
            struct lp_forward_source *source = events[i].data.ptr;
            source->ready(forwarder, source, events[i].events);
        }
    }
}

int lp_forward_run(const char *conf_path, struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_forward_conf conf = {0};
    struct lp_forwarder forwarder = {
        .conf_path = conf_path, .host_fd = -1, .infra_fd = -1, .connection_max = connections_max()};
    int code = conf_read(conf_path, &arena, &conf, err);
    if (code == 0)
        code = lp_netns_open_own(&forwarder.host_fd, err);
    if (code == 0)
        code = lp_netns_open(conf.netns, &forwarder.infra_fd, err);
    if (code == 0)
        code = lp_netns_enter(forwarder.infra_fd, err);
    if (code < 0)
        return code;
    forwarder.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (forwarder.epoll_fd < 0)
        return lp_err_set(err, LP_EIO, "epoll: %s", strerror(errno));
    code = signals_open(&forwarder, err);
    if (code == 0)
        code = privileges_drop(err);
    if (code < 0)
        return code;
    forwarder.now_ms = lp_monotonic_ms();
    conf_apply(&forwarder, &conf);
    loop(&forwarder); // the process ends after it: handles and memory go with it
    return 0;
}
