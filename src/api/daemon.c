// The daemon: the engine's loop, the drivers and the HTTP server in one process and thread.
#define _GNU_SOURCE
#include "api/daemon.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "api/daemon_log.h"
#include "api/home.h"
#include "api/metrics.h"
#include "api/notify.h"
#include "api/server.h"
#include "drivers/registry.h"
#include "drivers/store_sqlite.h"
#include "engine/engine.h"
#include "engine/steady.h"
#include "model/action.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/own.h"
#include "base/str.h"

enum {
    WAITS_MAX = 64,
    JOURNAL_RETRY_MS = 500, // after a write that failed
    ANSWERS_LEAVE_MS = 1000,
    HOUSEKEEPING_MS = 60 * 1000,
    CLOCK_TOLD_MS = 1000,
};

struct daemon {
    const struct lp_daemon_config *config;
    struct lp_arena arena;
    struct lp_home home;
    struct lp_engine *engine;
    struct lp_server *server;
    struct lp_api api;
    struct lp_metrics metrics;
    uint64_t turn_seq;  // the journal's last record when this turn began
    bool has_restarted; // in this turn: what ended was ordered to start
    int signal_fd;
    const char *log_path;
    int64_t housekept_ms, hidden_ms; // hidden_ms: of a step of the machine's clock
    bool is_journal_failing, is_socket_doubted, is_socket_failing;
};

static int64_t wall_ms(void *context)
{
    (void)context;
    return lp_wall_ms();
}

static int64_t monotonic_ms(void *context)
{
    (void)context;
    return lp_monotonic_ms();
}

// Few threads are made by libraries, none by us: one arena, and what is freed goes back.
static void memory_tune(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 128 * 1024);
    mallopt(M_MMAP_THRESHOLD, 64 * 1024);
}

static void process_tune(void)
{
    struct rlimit files;
    memory_tune();
    umask(022);
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

LP_MUST_CHECK static int signals_open(int *ret_fd, struct lp_err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    *ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (*ret_fd < 0)
        return lp_err_set(err, LP_EIO, "signalfd: %s", strerror(errno));
    return 0;
}

LP_MUST_CHECK static int engine_open(struct daemon *daemon, struct lp_err *err)
{
    const char *root = daemon->config->root;
    struct lp_engine_config config = {
        .root = root,
        .root_id = daemon->home.id,
        .clock = {wall_ms, monotonic_ms, NULL},
        .drivers = lp_drivers,
        .driver_count = lp_driver_count,
        // The same in every life of this Limpet: the journal is replayed with it.
        .seed = lp_hash64(daemon->home.id, strlen(daemon->home.id)),
        .host.memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE),
        .host.cpu_permille = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN) * 1000,
    };
    const char *path = lp_arena_printf(&daemon->arena, "%s/journal.db", root);
    if (lp_store_sqlite_open(path, &config.store, err) < 0)
        return lp_err_wrap(err, "journal");
    return lp_engine_open(&config, &daemon->engine, err);
}

static void action_note(void *context, const struct lp_action *action, const char *subject)
{
    (void)subject;
    struct daemon *daemon = context;
    bool is_end =
        action->because.reason == LP_REASON_APP_EXITED || action->because.reason == LP_REASON_OOM;
    daemon->has_restarted |= action->kind == LP_ACTION_START_APP && is_end &&
                             action->because.event_seq > daemon->turn_seq;
}

LP_MUST_CHECK static int open_all(struct daemon *daemon, struct lp_err *err)
{
    const char *root = daemon->config->root;
    if (lp_home_open(root, &daemon->home, err) < 0)
        return err->code;
    daemon->log_path = lp_arena_printf(&daemon->arena, "%s/daemon.log", root);
    if (daemon->config->has_log_file && lp_daemon_log_open(daemon->log_path, err) < 0)
        return err->code;
    if (signals_open(&daemon->signal_fd, err) < 0 || engine_open(daemon, err) < 0)
        return err->code;
    daemon->api = (struct lp_api){.engine = daemon->engine,
                                  .metrics = &daemon->metrics,
                                  .root = root,
                                  .since_ms = lp_wall_ms()};
    lp_engine_watch(daemon->engine, action_note, daemon);
    return lp_server_open(&daemon->api, &daemon->server, err);
}

static void close_all(struct daemon *daemon)
{
    if (daemon->server)
        lp_server_close(daemon->server);
    if (daemon->engine)
        lp_engine_close(daemon->engine);
    if (daemon->signal_fd >= 0)
        close(daemon->signal_fd);
    if (daemon->home.lock_fd >= 0)
        lp_home_close(&daemon->home);
    lp_arena_release(&daemon->arena);
}

static void ready_tell(int fd, const char *text)
{
    struct lp_err err;
    if (fd < 0)
        return;
    // Whoever asked may have gone: that is their affair.
    (void)!lp_fd_write(fd, text, strlen(text), &err);
    close(fd);
}

// Somebody set the machine's clock: said once, when it happens.
static void clock_tell(struct daemon *daemon)
{
    int64_t hidden_ms = lp_engine_hidden_ms(daemon->engine);
    if (llabs(hidden_ms) > llabs(daemon->hidden_ms) + CLOCK_TOLD_MS)
        lp_daemon_log("the machine's clock is %.1f s %s the journal's: deadlines are kept, and the "
                      "journal's times come to it within %.1f h",
                      (double)llabs(hidden_ms) / 1000, hidden_ms > 0 ? "ahead of" : "behind",
                      (double)llabs(hidden_ms) * LP_STEADY_WORKED_OFF / 3600000);
    daemon->hidden_ms = hidden_ms;
}

static void tick(struct daemon *daemon)
{
    struct lp_err err;
    int64_t start_us = lp_monotonic_us();
    clock_tell(daemon);
    uint64_t seq = lp_engine_last_seq(daemon->engine);
    daemon->turn_seq = seq;
    daemon->has_restarted = false;
    bool has_failed = lp_engine_tick(daemon->engine, &err) < 0;
    if (has_failed && !daemon->is_journal_failing)
        lp_daemon_log("%s; it is tried again, requests are refused meanwhile", err.text);
    if (!has_failed && daemon->is_journal_failing)
        lp_daemon_log("the journal can be written again");
    daemon->is_journal_failing = has_failed;
    if (lp_engine_last_seq(daemon->engine) != seq)
        lp_metrics_add(&daemon->metrics, (uint64_t)(lp_monotonic_us() - start_us),
                       daemon->has_restarted);
}

static int wait_ms(const struct daemon *daemon)
{
    int64_t wake_at_ms = lp_engine_wake_at_ms(daemon->engine);
    int64_t wait =
        wake_at_ms == INT64_MAX ? HOUSEKEEPING_MS : wake_at_ms - lp_engine_now_ms(daemon->engine);
    if (daemon->is_journal_failing && wait < JOURNAL_RETRY_MS)
        wait = JOURNAL_RETRY_MS;
    if (wait > HOUSEKEEPING_MS)
        wait = HOUSEKEEPING_MS;
    int server_ms = lp_server_wait_ms(daemon->server);
    if (server_ms >= 0 && server_ms < wait)
        wait = server_ms;
    return wait < 0 ? 0 : (int)wait;
}

static void signals_take(struct daemon *daemon)
{
    struct signalfd_siginfo info;
    while (read(daemon->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo != SIGHUP) // a terminal that closed is no reason to end
            daemon->api.is_ending = true;
        daemon->is_socket_doubted = true;
    }
}

static void socket_heal(struct daemon *daemon)
{
    struct lp_err err;
    int result = lp_server_heal(daemon->server, &err);
    bool was_failing = daemon->is_socket_failing;
    daemon->is_socket_doubted = daemon->is_socket_failing = result < 0;
    if (result < 0 && !was_failing)
        lp_daemon_log("%s; it is tried again", err.text);
    else if (result > 0)
        lp_daemon_log("somebody removed limpet.sock: it was made anew");
}

static void housekeep(struct daemon *daemon)
{
    int64_t now_ms = lp_monotonic_ms();
    if (now_ms - daemon->housekept_ms < HOUSEKEEPING_MS)
        return;
    daemon->housekept_ms = now_ms;
    daemon->is_socket_doubted = true; // where the root cannot be watched
    if (daemon->config->has_log_file)
        lp_daemon_log_rotate(daemon->log_path);
    malloc_trim(0);
}

static void loop(struct daemon *daemon)
{
    while (!daemon->api.is_ending) {
        struct pollfd waits[WAITS_MAX];
        int fds[WAITS_MAX - 3];
        // A failing journal makes the drivers' news wait; their handles would not let us rest.
        size_t count =
            daemon->is_journal_failing ? 0 : lp_engine_wait_fds(daemon->engine, fds, WAITS_MAX - 3);
        for (size_t i = 0; i < count; i++)
            waits[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
        waits[count] = (struct pollfd){.fd = daemon->signal_fd, .events = POLLIN};
        waits[count + 1] =
            (struct pollfd){.fd = lp_server_wait_fd(daemon->server), .events = POLLIN};
        waits[count + 2] =
            (struct pollfd){.fd = lp_server_watch_fd(daemon->server), .events = POLLIN};
        poll(waits, count + 3, wait_ms(daemon));
        if (waits[count].revents)
            signals_take(daemon);
        if (waits[count + 2].revents || daemon->is_socket_doubted)
            socket_heal(daemon);
        tick(daemon);
        lp_server_turn(daemon->server);
        housekeep(daemon);
    }
}

int lp_daemon_run(const struct lp_daemon_config *config, struct lp_err *err)
{
    struct daemon daemon = {.config = config, .home.lock_fd = -1, .signal_fd = -1};
    process_tune();
    int code = open_all(&daemon, err);
    if (code < 0) {
        if (daemon.log_path && config->has_log_file)
            lp_daemon_log("%s", err->text);
        ready_tell(config->ready_fd, err->text);
        close_all(&daemon);
        return code;
    }
    lp_daemon_log("limpet " LP_VERSION " runs for %s", config->root);
    ready_tell(config->ready_fd, "ready\n");
    // In the background we are nobody's service: the variable is another's then.
    if (config->ready_fd < 0 && lp_notify_send("READY=1", err) < 0)
        lp_daemon_log("%s", err->text);
    daemon.housekept_ms = lp_monotonic_ms();
    loop(&daemon);
    lp_server_finish(daemon.server, ANSWERS_LEAVE_MS);
    lp_daemon_log("ends; the nodes keep running");
    close_all(&daemon);
    return 0;
}

static int last_note(void *context, const struct lp_record *record)
{
    *(uint64_t *)context = record->seq;
    return lp_record_is_readable(record) ? 0 : LP_EUNSUPPORTED;
}

// Is every record sound and known, so that nothing need be salvaged?
static bool journal_is_sound(const char *path, uint64_t *ret_last_seq)
{
    struct lp_err err;
    struct lp_store store;
    *ret_last_seq = 0;
    if (lp_store_sqlite_open(path, &store, &err) < 0)
        return false;
    bool is_sound = store.ops->read(store.self, 1, last_note, ret_last_seq, &err) == 0;
    store.ops->close(store.self);
    return is_sound;
}

int lp_daemon_salvage(const char *root, struct lp_salvage *ret_kept, struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    const char *path = lp_arena_printf(&arena, "%s/journal.db", root);
    struct lp_home home;
    struct lp_salvage kept = {0};
    if (!lp_path_exists(path))
        return lp_err_set(err, LP_ENOTFOUND, "there is no journal %s", path);
    if (lp_home_open(root, &home, err) < 0)
        return err->code;
    kept.is_sound = journal_is_sound(path, &kept.last_seq);
    int code = kept.is_sound ? 0 : lp_store_sqlite_salvage(path, &kept.last_seq, err);
    lp_home_close(&home);
    if (code == 0)
        *ret_kept = kept;
    return code;
}
