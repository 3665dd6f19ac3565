// What a service answers, asked at fixed times by a program that shares nothing with Limpet's load.
// usage: prober ADDRESS PORT SECONDS [INTERVAL_US]
// Every interval (default 1000 us), whatever became of those before, one GET on a connection of its
// own. One line a probe, in the order in which they were due: when it was due, when it was sent,
// when it ended, and 1 if the answer has the status 200. Microseconds of CLOCK_MONOTONIC. SIGINT
// ends it early.
#define _GNU_SOURCE // epoll_pwait2
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TIMEOUT_US = 500 * 1000, EVENTS = 64, PROBES_MAX = 10 * 1000 * 1000 };

struct probe {
    int64_t due_us, sent_us, ended_us;
    int fd; // -1: ended
    bool is_good, has_asked;
};

static volatile sig_atomic_t is_over;

static void over_note(int number)
{
    (void)number;
    is_over = 1;
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

// Ends with a reset: no port is kept waiting for a minute.
static void probe_end(struct probe *probe, bool is_good)
{
    struct linger at_once = {.l_onoff = 1};
    probe->ended_us = now_us();
    probe->is_good = is_good;
    if (probe->fd >= 0) {
        setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        close(probe->fd);
    }
    probe->fd = -1;
}

static void probe_begin(struct probe *probe, uint32_t number, int epoll_fd,
                        const struct sockaddr_in *to)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP, .data.u32 = number};
    probe->sent_us = now_us();
    probe->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool is_begun =
        probe->fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, probe->fd, &event) == 0 &&
        (connect(probe->fd, (const struct sockaddr *)to, sizeof(*to)) == 0 || errno == EINPROGRESS);
    if (!is_begun)
        probe_end(probe, false);
}

static void probe_answer(struct probe *probe)
{
    char text[64] = "";
    ssize_t bytes = recv(probe->fd, text, sizeof(text) - 1, 0);
    if (bytes < 0 && errno == EAGAIN)
        return;
    probe_end(probe,
              bytes >= 12 && memcmp(text, "HTTP/1.", 7) == 0 && memcmp(text + 8, " 200", 4) == 0);
}

static void probe_event(struct probe *probe, uint32_t number, uint32_t events, int epoll_fd)
{
    static const char ask[] = "GET / HTTP/1.0\r\n\r\n";
    struct epoll_event answer = {.events = EPOLLIN | EPOLLRDHUP, .data.u32 = number};
    if (probe->fd < 0)
        return;
    if (probe->has_asked) {
        probe_answer(probe);
        return;
    }
    probe->has_asked = true;
    if ((events & (EPOLLERR | EPOLLHUP)) ||
        send(probe->fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(ask) - 1 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, probe->fd, &answer) != 0)
        probe_end(probe, false);
}

static void wait_for(struct probe *probes, int epoll_fd, int64_t until_us)
{
    struct epoll_event events[EVENTS];
    int64_t us = until_us - now_us();
    us = us > 0 ? us : 0;
    struct timespec wait = {us / 1000000, us % 1000000 * 1000};
    int count = epoll_pwait2(epoll_fd, events, EVENTS, &wait, NULL);
    for (int i = 0; i < count; i++)
        probe_event(&probes[events[i].data.u32], events[i].data.u32, events[i].events, epoll_fd);
}

// Returns how many were sent.
static uint32_t all_probe(struct probe *probes, uint32_t count, int64_t interval_us, int epoll_fd,
                          const struct sockaddr_in *to)
{
    int64_t start_us = now_us();
    uint32_t begun = 0, ended = 0;
    while (ended < count) {
        count = is_over ? begun : count;
        for (; begun < count && start_us + begun * interval_us <= now_us(); begun++) {
            probes[begun].due_us = start_us + begun * interval_us;
            probe_begin(&probes[begun], begun, epoll_fd, to);
        }
        int64_t next_us = begun < count ? start_us + begun * interval_us : now_us() + 1000;
        wait_for(probes, epoll_fd, next_us);
        for (; ended < begun; ended++) {
            struct probe *oldest = &probes[ended];
            if (oldest->fd >= 0 && now_us() - oldest->due_us < TIMEOUT_US)
                break;
            if (oldest->fd >= 0)
                probe_end(oldest, false);
        }
    }
    return count;
}

int main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    double seconds = argc >= 4 ? strtod(argv[3], NULL) : 0;
    int64_t interval_us = argc == 5 ? strtoll(argv[4], NULL, 10) : 1000;
    double count = interval_us > 0 ? seconds * 1e6 / (double)interval_us : 0;
    if (argc < 4 || argc > 5 || !(count >= 1 && count <= PROBES_MAX) ||
        inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
        fprintf(stderr, "usage: prober ADDRESS PORT SECONDS [INTERVAL_US]\n");
        return 2;
    }
    to.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
    struct probe *probes = calloc((size_t)count, sizeof(*probes));
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!probes || epoll_fd < 0) {
        perror("prober");
        return 1;
    }
    prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
    signal(SIGINT, over_note);
    uint32_t sent = all_probe(probes, (uint32_t)count, interval_us, epoll_fd, &to);
    for (uint32_t i = 0; i < sent; i++)
        printf("%" PRId64 " %" PRId64 " %" PRId64 " %d\n", probes[i].due_us, probes[i].sent_us,
               probes[i].ended_us, probes[i].is_good);
    free(probes);
    close(epoll_fd);
    return 0;
}
