// One check of one application: begun, gone on with, ended; never waits.
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "drivers/check/check_parts.h"
#include "drivers/crun/init_exec.h"
#include "drivers/network/network_ns.h"
#include "drivers/check/ping.h"

enum { DRAIN_BYTES_MAX = 256 * 1024, PINGS_MAX = 256 };

static int64_t spent_ms(const struct lp_watch *watch)
{
    return (lp_monotonic_us() - watch->begun_us + 500) / 1000;
}

LP_PRINTF(3, 4)
static void decide(struct lp_check_outcome *outcome, bool is_ok, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(outcome->text, sizeof(outcome->text), fmt, args);
    va_end(args);
    outcome->is_over = true;
    outcome->is_ok = is_ok;
}

// Whom was asked: "http://10.1.0.2:80/" or "10.1.0.2:3306" or "10.1.0.2".
static const char *target_print(const struct lp_watch *watch, char *text, size_t bytes)
{
    uint32_t a = watch->address;
    struct lp_http_url url;
    const char *path = "";
    if (watch->url && lp_http_url_parse(watch->url, &url, NULL) == 0)
        path = url.path[0] ? url.path : "/";
    char port[8] = "";
    if (watch->kind != LP_CHECK_PING)
        (void)snprintf(port, sizeof(port), ":%u", watch->port);
    (void)snprintf(text, bytes, "%s%u.%u.%u.%u%s%.120s", watch->url ? "http://" : "", a >> 24,
                   a >> 16 & 255, a >> 8 & 255, a & 255, port, path);
    return text;
}

static void refuse(const struct lp_watch *watch, int number, struct lp_check_outcome *outcome)
{
    char target[LP_CHECK_TEXT_BYTES];
    (void)target_print(watch, target, sizeof(target));
    if (number == ECONNREFUSED)
        decide(outcome, false, "connection refused by %s", target);
    else
        decide(outcome, false, "%s: %s", target, strerror(number));
}

static void connect_begin(struct lp_watch *watch, int netns_fd, struct lp_check_outcome *outcome)
{
    struct lp_err err;
    if (lp_netns_socket(netns_fd, (const int[]){AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0},
                        &watch->fd, &err) < 0) {
        decide(outcome, false, "%s", err.text);
        return;
    }
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(watch->port),
                             .sin_addr.s_addr = htonl(watch->address)};
    if (connect(watch->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
        refuse(watch, errno, outcome);
}

static void ping_begin(struct lp_watch *watch, int netns_fd, struct lp_check_outcome *outcome)
{
    struct lp_err err;
    uint8_t bytes[LP_PING_BYTES];
    if (lp_ping_open(netns_fd, watch->address, &watch->fd, &watch->is_raw_ping, &err) < 0) {
        decide(outcome, false, "ping: %s", err.text);
        return;
    }
    lp_ping_print((uint16_t)watch->node, ++watch->sequence, bytes);
    if (send(watch->fd, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0)
        refuse(watch, errno, outcome);
}

static void command_begin(struct lp_watch *watch, struct lp_check_outcome *outcome)
{
    struct lp_exec_request request = {.argv = watch->argv,
                                      .environment = watch->environment,
                                      .working_dir = watch->working_dir,
                                      .user = watch->user,
                                      .timeout_ms = watch->timeout_ms};
    struct lp_err err;
    if (lp_init_exec_open(watch->init_socket, &request, &watch->exec, &err) < 0)
        decide(outcome, false, "the check's command: %s", err.text);
}

void lp_check_begin(struct lp_watch *watch, struct lp_check_outcome *ret_outcome)
{
    *ret_outcome = (struct lp_check_outcome){0};
    watch->begun_us = lp_monotonic_us();
    watch->is_running = true;
    watch->is_connected = watch->has_line = false;
    watch->request_sent = watch->drained_bytes = watch->line_bytes = 0;
    watch->answer = (struct lp_http_answer){0};
    if (watch->mistake) {
        decide(ret_outcome, false, "%s", watch->mistake);
        return;
    }
    if (watch->kind == LP_CHECK_COMMAND) {
        command_begin(watch, ret_outcome);
        return;
    }
    LP_OWNS_FD int netns_fd = -1;
    struct lp_err err;
    if (lp_netns_open(watch->netns, &netns_fd, &err) < 0)
        decide(ret_outcome, false, "no network: %s", err.text);
    else if (watch->kind == LP_CHECK_PING)
        ping_begin(watch, netns_fd, ret_outcome);
    else
        connect_begin(watch, netns_fd, ret_outcome);
}

static void ping_read(struct lp_watch *watch, struct lp_check_outcome *outcome)
{
    uint8_t bytes[512];
    for (int i = 0; i < PINGS_MAX; i++) {
        ssize_t count = recv(watch->fd, bytes, sizeof(bytes), 0);
        if (count < 0 && errno == EAGAIN)
            return;
        if (count < 0) {
            refuse(watch, errno, outcome);
            return;
        }
        if (!lp_ping_is_answer(bytes, (size_t)count, watch->is_raw_ping, (uint16_t)watch->node,
                               watch->sequence))
            continue;
        char target[LP_CHECK_TEXT_BYTES];
        decide(outcome, true, "ping answered by %s in %" PRId64 " ms",
               target_print(watch, target, sizeof(target)), spent_ms(watch));
        return;
    }
}

static void http_decide(struct lp_watch *watch, struct lp_check_outcome *outcome)
{
    char target[LP_CHECK_TEXT_BYTES];
    int status = watch->answer.status;
    if (status)
        decide(outcome, status < 400, "HTTP %d from %s in %" PRId64 " ms", status,
               target_print(watch, target, sizeof(target)), spent_ms(watch));
    else
        decide(outcome, false, "%s %s", target_print(watch, target, sizeof(target)),
               watch->answer.is_bad ? "did not answer in HTTP" : "closed without an answer");
}

// The answer is read to its end (within a bound), so that the server is not cut off while it
// writes: some count or log that as an error of theirs.
static void http_read(struct lp_watch *watch, struct lp_check_outcome *outcome)
{
    static char bytes[16 * 1024]; // one thread; contents do not outlive the call
    while (!outcome->is_over) {   // until nothing is left: it is told of new bytes only once
        ssize_t count = recv(watch->fd, bytes, sizeof(bytes), 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return;
        if (count < 0 && !watch->answer.status) {
            refuse(watch, errno, outcome);
            return;
        }
        if (count > 0) {
            lp_http_answer_feed(&watch->answer, bytes, (size_t)count);
            watch->drained_bytes += (size_t)count;
        }
        if (count <= 0 || watch->answer.is_bad || watch->drained_bytes > DRAIN_BYTES_MAX)
            http_decide(watch, outcome);
    }
}

static void connect_go_on(struct lp_watch *watch, struct lp_check_outcome *outcome)
{
    int number = 0;
    socklen_t bytes = sizeof(number);
    if (!watch->is_connected) {
        struct sockaddr_in peer;
        socklen_t peer_bytes = sizeof(peer);
        (void)getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &number, &bytes);
        if (number) {
            refuse(watch, number, outcome);
            return;
        }
        if (getpeername(watch->fd, (struct sockaddr *)&peer, &peer_bytes) < 0)
            return; // not yet
        watch->is_connected = true;
    }
    char target[LP_CHECK_TEXT_BYTES];
    if (watch->kind == LP_CHECK_TCP) {
        decide(outcome, true, "%s accepts connections, in %" PRId64 " ms",
               target_print(watch, target, sizeof(target)), spent_ms(watch));
        return;
    }
    size_t length = strlen(watch->request);
    if (watch->request_sent < length) {
        ssize_t count = send(watch->fd, watch->request + watch->request_sent,
                             length - watch->request_sent, MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN && errno != EINTR)
            refuse(watch, errno, outcome);
        watch->request_sent += count > 0 ? (size_t)count : 0;
    }
    if (!outcome->is_over)
        http_read(watch, outcome);
}

struct command_visit {
    struct lp_watch *watch;
    struct lp_check_outcome *outcome;
};

// The first line that the command says, printable characters only.
static void line_keep(struct lp_watch *watch, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count && !watch->has_line; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '\n')
            watch->has_line = watch->line_bytes > 0;
        else if (watch->line_bytes < sizeof(watch->line) - 1)
            watch->line[watch->line_bytes++] = c < ' ' || c == 0x7f ? ' ' : (char)c;
    }
}

static void command_visit(void *context, const struct lp_exec_news *news)
{
    struct command_visit *visit = context;
    struct lp_watch *watch = visit->watch;
    switch (news->kind) {
    case LP_EXEC_STDOUT:
    case LP_EXEC_STDERR:
        line_keep(watch, news->bytes, news->count);
        break;
    case LP_EXEC_EXIT:
        watch->line[watch->line_bytes] = '\0';
        decide(visit->outcome, news->status == 0, "%s %d in %" PRId64 " ms%s%.*s",
               news->status < 256 ? "exit code" : "killed by signal",
               news->status < 256 ? news->status : news->status - 256, spent_ms(watch),
               watch->line_bytes ? ": " : "", (int)lp_utf8_valid(watch->line, watch->line_bytes),
               watch->line);
        break;
    case LP_EXEC_FAILED:
        decide(visit->outcome, false, "the check's command: %s", news->text);
        break;
    }
}

static void command_go_on(struct lp_watch *watch, struct lp_check_outcome *outcome)
{
    struct lp_err err;
    struct command_visit visit = {watch, outcome};
    int code = lp_init_exec_has_unsent(watch->exec) ? lp_init_exec_flush(watch->exec, &err) : 0;
    if (code == 0)
        code = lp_init_exec_read(watch->exec, command_visit, &visit, &err);
    if (code < 0 && !outcome->is_over)
        decide(outcome, false, "the check's command: %s", err.text);
}

void lp_check_go_on(struct lp_watch *watch, struct lp_check_outcome *ret_outcome)
{
    *ret_outcome = (struct lp_check_outcome){0};
    if (watch->exec)
        command_go_on(watch, ret_outcome);
    else if (watch->fd >= 0 && watch->kind == LP_CHECK_PING)
        ping_read(watch, ret_outcome);
    else if (watch->fd >= 0)
        connect_go_on(watch, ret_outcome);
}

void lp_check_give_up(struct lp_watch *watch, struct lp_check_outcome *ret_outcome)
{
    char target[LP_CHECK_TEXT_BYTES];
    *ret_outcome = (struct lp_check_outcome){0};
    if (watch->answer.status) // it answered, and only does not come to an end
        http_decide(watch, ret_outcome);
    else if (watch->kind == LP_CHECK_COMMAND)
        decide(ret_outcome, false, "the check's command did not end within %u ms",
               watch->timeout_ms);
    else
        decide(ret_outcome, false, "no answer from %s within %u ms",
               target_print(watch, target, sizeof(target)), watch->timeout_ms);
}

void lp_check_end(struct lp_watch *watch)
{
    watch->is_running = false;
    if (watch->fd >= 0)
        close(lp_fd_take(&watch->fd));
    lp_init_exec_close(watch->exec);
    watch->exec = NULL;
}

int lp_check_fd(const struct lp_watch *watch)
{
    return watch->exec ? lp_init_exec_fd(watch->exec) : watch->fd;
}

uint32_t lp_check_epoll_events(const struct lp_watch *watch)
{
    if (!watch->exec)
        return EPOLLIN | EPOLLOUT | EPOLLET;
    return EPOLLIN | (lp_init_exec_has_unsent(watch->exec) ? EPOLLOUT : 0u);
}
