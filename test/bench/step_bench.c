// How many events a second lp_step takes in, on one core: a table, or a line of JSON for each size.
// 1,000 hosts; 1,000, 10,000 and 100,000 nodes in services of 100; first they are brought up,
// then a mixed stream: readings good and bad, exits of applications, deaths and silences of nodes,
// with every order obeyed. Each node has about one event a second of simulated time, whatever
// their number. usage: step_bench [--json]
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/rng.h"
#include "core/check.h"
#include "core/step.h"

enum { HOSTS = 1000, INFRAS = 20, A_SERVICE = 100, PLAN = 4096, QUEUE = 1 << 20 };
enum { EVENTS = 1000 * 1000, BATCH = 1000 };

struct world {
    struct lp_state *state;
    struct lp_rng rng;
    struct lp_event *queue; // replies on their way
    uint32_t first, count, nodes, images;
    uint64_t seq, actions;
    int64_t now_ms, wake_at_ms;
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void put(struct world *world, const struct lp_event *event)
{
    if (world->count == QUEUE) {
        fprintf(stderr, "step_bench: too many replies\n");
        exit(1);
    }
    world->queue[(world->first + world->count++) % QUEUE] = *event;
}

static void obey(struct world *world, const struct lp_action *action)
{
    struct lp_event event;
    if (lp_event_of_success(action->kind) == LP_EVENT_NONE)
        return;
    lp_event_init(&event, lp_event_of_success(action->kind));
    event.infra = action->infra;
    event.node = action->node;
    event.app = action->app;
    event.image = action->image;
    event.incarnation = action->incarnation;
    event.run = action->run;
    event.revision = action->revision;
    event.is_ok = true;
    put(world, &event);
}

static void step(struct world *world, struct lp_event *event)
{
    static struct lp_action actions[PLAN];
    struct lp_plan plan = {.capacity = PLAN, .actions = actions};
    event->seq = ++world->seq;
    event->at_ms = world->now_ms;
    lp_step(world->state, event, &plan);
    world->wake_at_ms = plan.wake_at_ms;
    world->actions += plan.count;
    for (size_t i = 0; i < plan.count; i++)
        obey(world, &actions[i]);
}

static void describe(struct world *world)
{
    struct lp_event event;
    uint32_t services = world->nodes / A_SERVICE;
    for (uint32_t infra = 0; infra < INFRAS; infra++) {
        lp_event_init(&event, LP_EVENT_INFRA_SET);
        event.infra = infra;
        step(world, &event);
        for (uint32_t s = infra; s < services; s += INFRAS) {
            lp_event_init(&event, LP_EVENT_IMAGE_SET);
            event.image = 0;
            step(world, &event);
            lp_event_init(&event, LP_EVENT_SERVICE_SET);
            event.infra = infra;
            event.service = s;
            event.service_want = (struct lp_service_want){
                .replicas = A_SERVICE, .app_count = 1, .node_hash = 1, .stop_grace_ms = 1000};
            step(world, &event);
            lp_event_init(&event, LP_EVENT_APP_SET);
            event.infra = infra;
            event.service = s;
            event.app = 0;
            event.app_want = (struct lp_app_want){.restart_condition = LP_RESTART_ALWAYS,
                                                  .has_health = true,
                                                  .delay_ms = 100,
                                                  .window_ms = 60000,
                                                  .retries = 2};
            step(world, &event);
        }
        lp_event_init(&event, LP_EVENT_INFRA_APPLIED);
        event.infra = infra;
        step(world, &event);
    }
}

// A random thing that happens to a random node.
static void happen(struct world *world, struct lp_event *event)
{
    uint32_t node = (uint32_t)lp_rng_below(&world->rng, world->nodes);
    uint32_t dice = (uint32_t)lp_rng_below(&world->rng, 1000);
    enum lp_event_kind kind = dice < 980   ? LP_EVENT_READING
                              : dice < 992 ? LP_EVENT_APP_EXITED
                              : dice < 995 ? LP_EVENT_NODE_DEAD
                              : dice < 997 ? LP_EVENT_NODE_MUTE
                                           : LP_EVENT_NODE_UP;
    lp_event_init(event, kind);
    event->node = node;
    event->incarnation = lp_state_node(world->state, node)->incarnation;
    event->app = kind == LP_EVENT_READING || kind == LP_EVENT_APP_EXITED ? 0 : LP_NONE;
    event->run = event->app == 0 ? lp_state_app(world->state, node, 0)->run : 0;
    event->is_ok = dice < 900;
    event->status = 1;
}

static void next(struct world *world, bool is_bringing_up)
{
    struct lp_event event;
    if (world->seq % (world->nodes / 1000) == 0)
        world->now_ms++;
    bool is_reply = world->count && (is_bringing_up || lp_rng_below(&world->rng, 2));
    if (is_reply) {
        event = world->queue[world->first];
        world->first = (world->first + 1) % QUEUE;
        world->count--;
    } else if (world->wake_at_ms <= world->now_ms || is_bringing_up) {
        if (world->wake_at_ms > world->now_ms)
            world->now_ms = world->wake_at_ms;
        lp_event_init(&event, LP_EVENT_TICK);
    } else {
        happen(world, &event);
    }
    step(world, &event);
}

struct result {
    uint32_t nodes;
    double up_rate, rate, p50_us, p99_us, healthy;
    size_t bytes;
};

static uint32_t healthy(const struct world *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < INFRAS; i++)
        count += lp_state_infra(world->state, i)->healthy_count;
    return count;
}

static void begin(struct world *world)
{
    struct lp_event event;
    lp_event_init(&event, LP_EVENT_DAEMON_STARTED);
    step(world, &event);
    for (uint32_t host = 0; host < HOSTS; host++) {
        lp_event_init(&event, LP_EVENT_HOST_UP);
        event.host = host;
        event.host_facts.memory_bytes = (uint64_t)64 << 30;
        step(world, &event);
    }
    lp_event_init(&event, LP_EVENT_DRIVERS_SYNCED);
    step(world, &event);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Batches are timed, so that the clock does not cost more than the step.
static void stream(struct world *world, struct result *result)
{
    static double spans[EVENTS / BATCH];
    size_t batches = 0;
    double start = seconds();
    while (batches < EVENTS / BATCH) {
        double before = seconds();
        for (int i = 0; i < BATCH; i++)
            next(world, false);
        spans[batches++] = (seconds() - before) / BATCH * 1e6;
    }
    result->rate = (double)(batches * BATCH) / (seconds() - start);
    qsort(spans, batches, sizeof(spans[0]), by_value);
    result->p50_us = spans[batches / 2];
    result->p99_us = spans[batches * 99 / 100];
}

static struct result measure(uint32_t nodes)
{
    struct lp_limits limits = {INFRAS, nodes / A_SERVICE, nodes, nodes, 1, HOSTS};
    struct result result = {.nodes = nodes, .bytes = lp_state_bytes(&limits)};
    struct world world = {.nodes = nodes, .now_ms = 1000, .wake_at_ms = INT64_MAX};
    struct lp_err err = {0};
    void *memory = aligned_alloc(16, result.bytes);
    world.queue = calloc(QUEUE, sizeof(*world.queue));
    if (!memory || !world.queue)
        exit(1);
    memset(memory, 0, result.bytes);
    world.state = lp_state_init(memory, &limits, 1);
    lp_rng_init(&world.rng, 1);
    begin(&world);
    double start = seconds();
    uint64_t before = world.seq;
    describe(&world);
    while (healthy(&world) < nodes)
        next(&world, true);
    result.up_rate = (double)(world.seq - before) / (seconds() - start);
    stream(&world, &result);
    result.healthy = (double)healthy(&world) / nodes;
    if (lp_state_check(world.state, &err) < 0) {
        fprintf(stderr, "step_bench: %s\n", err.text);
        exit(1);
    }
    free(world.queue);
    free(memory);
    return result;
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {1000, 10000, 100000};
    bool is_json = argc > 1 && strcmp(argv[1], "--json") == 0;
    if (!is_json)
        printf("%8s %8s %16s %16s %8s %8s %9s %9s\n", "hosts", "nodes", "bring-up ev/s",
               "mixed ev/s", "p50 us", "p99 us", "healthy", "MiB");
    for (int i = 0; i < 3; i++) {
        struct result r = measure(sizes[i]);
        if (is_json)
            printf("{\"hosts\":%d,\"nodes\":%u,\"bringup_events_per_s\":%.0f,"
                   "\"events_per_s\":%.0f,\"p50_us\":%.3f,\"p99_us\":%.3f,\"healthy\":%.3f,"
                   "\"state_bytes\":%zu}\n",
                   HOSTS, r.nodes, r.up_rate, r.rate, r.p50_us, r.p99_us, r.healthy, r.bytes);
        else
            printf("%8d %8u %16.0f %16.0f %8.2f %8.2f %8.1f%% %9.1f\n", HOSTS, r.nodes, r.up_rate,
                   r.rate, r.p50_us, r.p99_us, r.healthy * 100, (double)r.bytes / (1024 * 1024));
        fflush(stdout);
    }
    return 0;
}
