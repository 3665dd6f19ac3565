// The load generator: when what is sent, and when it is too late.
#define _GNU_SOURCE // epoll_pwait2
#include "drivers/load/load.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/own.h"
#include "drivers/load/load_parts.h"

enum {
    EVENTS_AT_A_TIME = 64, // arrivals are looked at in between
    LOOK_US = 5 * 1000,    // how often deadlines are looked at
    FLUSH_US = 200 * 1000,
};

int64_t lp_load_now_us(const struct lp_load_run *run)
{
    return lp_monotonic_us() - run->start_us;
}

void lp_load_sample_add(struct lp_load_run *run, const struct lp_sample *sample)
{
    if (run->sample_count == run->sample_capacity) {
        run->sample_capacity = run->sample_capacity ? 2 * run->sample_capacity : 65536;
        run->samples = lp_heap_grow(run->samples, run->sample_capacity, sizeof(*run->samples));
    }
    run->samples[run->sample_count++] = *sample;
    run->good += sample->ending == LP_END_GOOD;
    run->failed += lp_ending_is_failure(sample->ending);
    // A file that cannot be written must not disturb the load: the end tells.
    if (run->file.fd >= 0 && run->file_err.code == 0)
        (void)!lp_load_file_add(&run->file, sample, &run->file_err);
}

// The descriptors that the connections need; the bound of this process is raised as far as it goes.
static void descriptors_allow(const struct lp_load_run *run)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)run->connection_capacity + 64;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

LP_MUST_CHECK static int run_begin(struct lp_load_run *run, const char *out_path,
                                   struct lp_err *err)
{
    if (lp_load_forms_make(run, err) < 0)
        return err->code;
    run->connection_capacity = run->endpoint_count * run->load->connections;
    run->connections = lp_heap_take(run->connection_capacity * sizeof(*run->connections));
    descriptors_allow(run);
    run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (run->epoll_fd < 0)
        return lp_err_set(err, LP_EIO, "epoll: %s", strerror(errno));
    if (getrandom(&run->header.run, sizeof(run->header.run), 0) < 0)
        return lp_err_set(err, LP_EIO, "random numbers: %s", strerror(errno));
    run->round_length = lp_load_round(run->load, run->round);
    run->arrivals = (struct lp_load_arrivals){.load = run->load};
    run->has_next = lp_load_next(&run->arrivals, &run->next_us);
    run->header.start_wall_us = lp_clock_ns(CLOCK_REALTIME) / 1000;
    run->start_us = run->header.start_monotonic_us = lp_monotonic_us();
    return out_path ? lp_load_file_create(out_path, run->load, &run->header, &run->file, err) : 0;
}

static void run_release(struct lp_load_run *run)
{
    lp_load_connections_release(run);
    lp_load_forms_release(run);
    lp_load_file_close(&run->file);
    if (run->epoll_fd >= 0)
        close(run->epoll_fd);
    lp_heap_free(run->samples);
    lp_heap_free(run->jobs);
    lp_heap_free(run);
}

int lp_load_open(const struct lp_load *load, const char *out_path, struct lp_load_run **ret_run,
                 struct lp_err *err)
{
    struct lp_load_run *run = lp_heap_take(sizeof(*run));
    run->load = load;
    run->epoll_fd = run->file.fd = -1;
    run->free_list = LP_LOAD_NONE;
    if (run_begin(run, out_path, err) < 0) {
        run_release(run);
        return err->code;
    }
    *ret_run = run;
    return 0;
}

// Give a request to a connection that was taken for it.
static void waiting_send(struct lp_load_run *run, int32_t at, const struct lp_load_waiting *waiting,
                         bool had_connection)
{
    struct lp_load_connection *connection = &run->connections[at];
    uint8_t request = run->round[waiting->number % run->round_length];
    connection->sample = (struct lp_sample){
        .scheduled_us = waiting->scheduled_us,
        .sent_us = -1,
        .answered_us = -1,
        .flags = request | (had_connection ? LP_SAMPLE_HAD_CONNECTION : 0),
        .write = run->load->requests[request].is_read_back ? (uint32_t)waiting->number + 1 : 0,
    };
    connection->form = &run->forms[request];
    connection->job = LP_LOAD_NONE;
    connection->deadline_us = waiting->scheduled_us + (int64_t)run->load->timeout_ms * 1000;
    lp_load_connection_send(run, at);
}

static void waiting_end(struct lp_load_run *run, const struct lp_load_waiting *waiting,
                        enum lp_ending ending)
{
    uint8_t request = run->round[waiting->number % run->round_length];
    struct lp_sample sample = {
        .scheduled_us = waiting->scheduled_us,
        .sent_us = -1,
        .answered_us = -1,
        .ending = (uint8_t)ending,
        .flags = request,
        .write = run->load->requests[request].is_read_back ? (uint32_t)waiting->number + 1 : 0,
    };
    lp_load_sample_add(run, &sample);
}

static struct lp_load_waiting waiting_take(struct lp_load_run *run, struct lp_load_endpoint *from)
{
    struct lp_load_waiting first = from->ring[from->ring_start];
    from->ring_start = (from->ring_start + 1) % run->load->outstanding;
    from->ring_count--;
    return first;
}

void lp_load_endpoint_serve(struct lp_load_run *run, size_t endpoint)
{
    struct lp_load_endpoint *from = &run->endpoints[endpoint];
    while (from->ring_count > 0) {
        int32_t at = lp_load_connection_take(run, endpoint);
        if (at == LP_LOAD_NONE)
            return;
        struct lp_load_waiting first = waiting_take(run, from);
        waiting_send(run, at, &first, false);
    }
}

static void arrival_take(struct lp_load_run *run)
{
    struct lp_load_waiting arrival = {run->next_us, run->due++};
    uint8_t request = run->round[arrival.number % run->round_length];
    size_t at = run->forms[request].endpoint;
    struct lp_load_endpoint *endpoint = &run->endpoints[at];
    run->has_next = lp_load_next(&run->arrivals, &run->next_us);
    if (run->outstanding >= run->load->outstanding) {
        waiting_end(run, &arrival, LP_END_NOT_SENT);
        return;
    }
    run->outstanding++;
    bool had_connection = endpoint->idle != LP_LOAD_NONE;
    int32_t connection = endpoint->ring_count ? LP_LOAD_NONE : lp_load_connection_take(run, at);
    if (connection != LP_LOAD_NONE) {
        waiting_send(run, connection, &arrival, had_connection);
        return;
    }
    size_t last = (endpoint->ring_start + endpoint->ring_count++) % run->load->outstanding;
    endpoint->ring[last] = arrival;
}

static void arrivals_take(struct lp_load_run *run)
{
    while (run->phase == LP_LOAD_ARRIVING && run->has_next && run->next_us <= lp_load_now_us(run))
        arrival_take(run);
    if (run->phase == LP_LOAD_ARRIVING && !run->has_next)
        run->phase = LP_LOAD_DRAINING;
}

// Those that wait for a connection, the longest waiting first, up to one that has time left.
static void waiting_expire(struct lp_load_run *run, int64_t now_us, enum lp_ending ending)
{
    int64_t timeout_us = (int64_t)run->load->timeout_ms * 1000;
    for (size_t i = 0; i < run->endpoint_count; i++) {
        struct lp_load_endpoint *endpoint = &run->endpoints[i];
        while (endpoint->ring_count > 0 &&
               endpoint->ring[endpoint->ring_start].scheduled_us + timeout_us <= now_us) {
            struct lp_load_waiting first = waiting_take(run, endpoint);
            run->outstanding--;
            waiting_end(run, &first, ending);
        }
    }
}

static void deadlines_look(struct lp_load_run *run)
{
    int64_t now_us = lp_load_now_us(run);
    if (now_us - run->looked_us < LOOK_US)
        return;
    run->looked_us = now_us;
    waiting_expire(run, now_us, LP_END_NOT_SENT);
    for (size_t i = 0; i < run->connection_count; i++) {
        const struct lp_load_connection *connection = &run->connections[i];
        bool is_busy = connection->state == LP_LOAD_BUSY || connection->state == LP_LOAD_CONNECTING;
        if (is_busy && connection->deadline_us <= now_us) {
            lp_load_connection_finish(run, (int32_t)i, LP_END_TIMEOUT);
            lp_load_endpoint_serve(run, connection->endpoint);
        }
    }
    if (run->file.fd >= 0 && run->file_err.code == 0 && now_us - run->flushed_us >= FLUSH_US) {
        run->flushed_us = now_us;
        (void)!lp_load_file_flush(&run->file, &run->file_err);
    }
}

// Nanoseconds until something is due, at most until_us.
static int64_t wait_ns(const struct lp_load_run *run, int64_t until_us)
{
    int64_t now_us = lp_load_now_us(run), next_us = run->looked_us + LOOK_US;
    if (run->phase == LP_LOAD_ARRIVING && run->has_next && run->next_us < next_us)
        next_us = run->next_us;
    if (until_us < next_us)
        next_us = until_us;
    return next_us > now_us ? (next_us - now_us) * 1000 : 0;
}

LP_MUST_CHECK static int events_take(struct lp_load_run *run, int64_t until_us, struct lp_err *err)
{
    struct epoll_event events[EVENTS_AT_A_TIME];
    int64_t ns = wait_ns(run, until_us);
    struct timespec wait = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    int count = epoll_pwait2(run->epoll_fd, events, EVENTS_AT_A_TIME, &wait, NULL);
    if (count < 0 && errno == ENOSYS) // before Linux 5.11: whole milliseconds, rounded down
        count = epoll_wait(run->epoll_fd, events, EVENTS_AT_A_TIME, (int)(ns / 1000000));
    if (count < 0 && errno != EINTR)
        return lp_err_set(err, LP_EIO, "epoll: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        uint32_t at = (uint32_t)events[i].data.u64, life = (uint32_t)(events[i].data.u64 >> 32);
        if (run->connections[at].life == life)
            lp_load_connection_event(run, (int32_t)at, events[i].events);
    }
    return 0;
}

static void phase_go_on(struct lp_load_run *run)
{
    if (run->phase == LP_LOAD_DRAINING && run->outstanding == 0) {
        run->phase = LP_LOAD_READING;
        lp_load_read_begin(run);
    }
    if (run->phase == LP_LOAD_READING)
        lp_load_read_turn(run);
}

int lp_load_turn(struct lp_load_run *run, uint32_t max_ms, struct lp_err *err)
{
    int64_t until_us = lp_load_now_us(run) + (int64_t)max_ms * 1000;
    do {
        arrivals_take(run);
        if (events_take(run, until_us, err) < 0)
            return err->code;
        arrivals_take(run);
        deadlines_look(run);
        phase_go_on(run);
    } while (run->phase != LP_LOAD_DONE && lp_load_now_us(run) < until_us);
    return run->phase != LP_LOAD_DONE;
}

void lp_load_stop(struct lp_load_run *run)
{
    bool is_second = run->phase != LP_LOAD_ARRIVING;
    if (run->phase == LP_LOAD_ARRIVING)
        run->phase = LP_LOAD_DRAINING;
    if (!is_second)
        return;
    run->is_cut = true;
    waiting_expire(run, INT64_MAX / 2, LP_END_ABORTED);
    for (size_t i = 0; i < run->connection_count; i++)
        if (run->connections[i].state == LP_LOAD_BUSY ||
            run->connections[i].state == LP_LOAD_CONNECTING)
            lp_load_connection_finish(run, (int32_t)i, LP_END_ABORTED);
}

const struct lp_sample *lp_load_samples(const struct lp_load_run *run, size_t *ret_count)
{
    *ret_count = run->sample_count;
    return run->samples;
}

void lp_load_count(const struct lp_load_run *run, struct lp_load_counts *ret_counts)
{
    *ret_counts = (struct lp_load_counts){
        .due = run->due,
        .good = run->good,
        .failed = run->failed,
        .outstanding = run->outstanding,
        .acknowledged = run->job_count,
        .read_back = run->job_settled,
        .is_reading_back = run->phase == LP_LOAD_READING,
    };
}

const struct lp_load_header *lp_load_started(const struct lp_load_run *run)
{
    return &run->header;
}

int lp_load_close(struct lp_load_run *run, struct lp_err *err)
{
    int code = run->file_err.code;
    if (code == 0 && run->file.fd >= 0)
        code = lp_load_file_end(&run->file, lp_load_now_us(run), &run->file_err);
    if (code < 0)
        lp_err_set(err, code, "%s", run->file_err.text);
    run_release(run);
    return code;
}
