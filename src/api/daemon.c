// The daemon's loop: wait for drivers, requests and signals; turn the engine; answer.
#include "api/daemon.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "api/metrics.h"
#include "api/root.h"
#include "api/server.h"
#include "base/arena.h"
#include "base/own.h"
#include "drivers/registry.h"
#include "drivers/store_sqlite.h"

enum { DRIVER_FDS_MAX = 32, JOURNAL_RETRY_MS = 500, WAIT_MS_MAX = 60 * 1000 };

struct loop {
    struct lp_engine *engine;
    struct lp_server *server;
    struct lp_api api;
    struct lp_metrics metrics;
    int signal_fd;
    bool is_ending;
    char last_trouble[256]; // told once, until it changes
};

static int64_t clock_ms(void *context)
{
    (void)context;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint64_t stopwatch_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int lp_daemon_socket_path(const char *root, char *ret_path, size_t bytes, struct lp_err *err)
{
    int used = snprintf(ret_path, bytes, "%s/limpet.sock", root);
    if (used < 0 || (size_t)used >= bytes || used >= 108)
        return lp_err_set(err, LP_EINPUT, "the root's path is too long for a socket: %s", root);
    return 0;
}

static struct lp_host_facts host_facts(void)
{
    struct sysinfo info;
    struct lp_host_facts facts = {.memory_bytes = 1, .cpu_permille = 1000};
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (sysinfo(&info) == 0)
        facts.memory_bytes = (uint64_t)info.totalram * info.mem_unit;
    if (cores > 0)
        facts.cpu_permille = (uint32_t)cores * 1000;
    return facts;
}

LP_MUST_CHECK static int engine_open(const char *root, const char *root_id,
                                     struct lp_engine **ret_engine, struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_engine_config config = {.root = root,
                                      .root_id = root_id,
                                      .clock = {clock_ms, NULL},
                                      .drivers = lp_drivers,
                                      .driver_count = lp_driver_count,
                                      .seed =
                                          1, // a fixed one: the fold must not differ between starts
                                      .host = host_facts()};
    if (lp_store_sqlite_open(lp_arena_printf(&arena, "%s/journal.db", root), &config.store, err) <
        0)
        return lp_err_wrap(err, "the journal");
    return lp_engine_open(&config, ret_engine, err);
}

static void signals_take(struct loop *loop)
{
    struct signalfd_siginfo info;
    while (read(loop->signal_fd, &info, sizeof(info)) == sizeof(info))
        loop->is_ending |= info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
}

static void trouble_tell(struct loop *loop, const struct lp_err *err)
{
    if (strncmp(loop->last_trouble, err->text, sizeof(loop->last_trouble) - 1) == 0)
        return;
    snprintf(loop->last_trouble, sizeof(loop->last_trouble), "%.255s", err->text);
    fprintf(stderr, "limpet daemon: %s\n", err->text);
}

// One turn of the engine; returns how long to wait before the next one at least (ms).
static int64_t engine_turn(struct loop *loop)
{
    struct lp_err err;
    uint64_t start_us = stopwatch_us(), seq = lp_engine_last_seq(loop->engine);
    if (lp_engine_tick(loop->engine, &err) < 0) {
        trouble_tell(loop, &err);
        return JOURNAL_RETRY_MS;
    }
    if (loop->last_trouble[0]) {
        loop->last_trouble[0] = '\0';
        fprintf(stderr, "limpet daemon: the journal can be written again\n");
    }
    if (lp_engine_last_seq(loop->engine) != seq)
        lp_metrics_add(&loop->metrics, stopwatch_us() - start_us);
    return 0;
}

static int wait_ms(const struct loop *loop, int64_t at_least_ms)
{
    int64_t now_ms = lp_engine_now_ms(loop->engine);
    int64_t due_ms = lp_engine_wake_at_ms(loop->engine);
    int64_t wait = due_ms == INT64_MAX || due_ms > now_ms + WAIT_MS_MAX ? WAIT_MS_MAX
                   : due_ms > now_ms                                    ? due_ms - now_ms
                                                                        : 0;
    wait = wait < at_least_ms ? at_least_ms : wait;
    int server_ms = lp_server_timeout_ms(loop->server, now_ms);
    return server_ms >= 0 && server_ms < wait ? server_ms : (int)wait;
}

static void run(struct loop *loop)
{
    struct pollfd fds[DRIVER_FDS_MAX + 2];
    int driver_fds[DRIVER_FDS_MAX];
    while (!loop->is_ending && !loop->api.is_shutdown_asked) {
        int64_t at_least_ms = engine_turn(loop);
        lp_server_run(loop->server, lp_engine_now_ms(loop->engine));
        nfds_t count = 0;
        fds[count++] = (struct pollfd){.fd = loop->signal_fd, .events = POLLIN};
        fds[count++] = (struct pollfd){.fd = lp_server_fd(loop->server), .events = POLLIN};
        // While the journal cannot be written the drivers keep what they know.
        size_t drivers =
            at_least_ms ? 0 : lp_engine_wait_fds(loop->engine, driver_fds, DRIVER_FDS_MAX);
        for (size_t i = 0; i < drivers; i++)
            fds[count++] = (struct pollfd){.fd = driver_fds[i], .events = POLLIN};
        if (poll(fds, count, wait_ms(loop, at_least_ms)) > 0 && fds[0].revents)
            signals_take(loop);
    }
    lp_server_run(loop->server, lp_engine_now_ms(loop->engine)); // the reply to `shutdown`
}

LP_MUST_CHECK static int signals_open(int *ret_fd, struct lp_err *err)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
        return lp_err_set(err, LP_EIO, "sigprocmask: %s", strerror(errno));
    *ret_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (*ret_fd < 0)
        return lp_err_set(err, LP_EIO, "signalfd: %s", strerror(errno));
    return 0;
}

LP_MUST_CHECK static int serve(const struct lp_daemon_config *config, const struct lp_root *root,
                               struct lp_err *err)
{
    struct loop *loop = lp_heap_take(sizeof(*loop));
    char path[256];
    int result = lp_daemon_socket_path(config->root, path, sizeof(path), err);
    if (result == 0)
        result = signals_open(&loop->signal_fd, err);
    if (result == 0)
        result = engine_open(config->root, root->id, &loop->engine, err);
    if (result < 0) {
        lp_heap_free(loop);
        return result;
    }
    loop->api = (struct lp_api){.engine = loop->engine, .metrics = &loop->metrics};
    result = lp_server_open(path, &loop->api, &loop->server, err);
    if (result == 0) {
        if (config->ready_fd >= 0)
            (void)!write(config->ready_fd, "ok\n", 3);
        run(loop);
        unlink(path);
        lp_server_close(loop->server);
    }
    lp_engine_close(loop->engine);
    close(loop->signal_fd);
    lp_heap_free(loop);
    return result;
}

int lp_daemon_run(const struct lp_daemon_config *config, struct lp_err *err)
{
    struct lp_root root;
    // One thread, few large blocks: give freed memory back instead of keeping it.
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    int result = lp_root_open(config->root, &root, err);
    if (result == 0) {
        result = serve(config, &root, err);
        lp_root_close(&root);
    }
    if (result < 0 && config->ready_fd >= 0)
        (void)!write(config->ready_fd, err->text, strlen(err->text));
    return result;
}
