// How many events a second lp_step takes in, on one core: a table, or a line of JSON for each size.
// 1,000 hosts; 1,000, 10,000 and 100,000 nodes in services of 100; first they are brought up,
// then a mixed stream: readings good and bad, exits of applications, deaths and silences of nodes,
// with every order obeyed. Each node has about one event a second of simulated time, whatever
// their number, and the nodes come in random order: no event finds its rows in the cache by luck.
// As in the engine, events come in turns; only the turns are timed, with the hint of
// lp_state_prefetch and without. Beside it: what one access to a random line of a block as large
// as the state costs on this machine. usage: step_bench [--json] [NODES [EVENTS]]
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/rng.h"
#include "core/check.h"
#include "core/step.h"

enum { HOSTS = 1000, INFRAS = 20, A_SERVICE = 100, PLAN = 4096, QUEUE = 1 << 20 };
enum { TURN = 64, FAR = 8, NEAR = 4, LINE = 64 };

struct reply { // on its way; small, so that the bench's own queue stays out of the caches
    enum lp_event_kind kind;
    uint32_t infra, node, app, image, incarnation, run;
    uint64_t revision;
};

struct life { // of a node, as its driver knows it
    uint32_t incarnation, run;
};

struct world {
    struct lp_state *state;
    struct lp_rng rng;
    struct reply *queue;
    struct life *lives;
    struct lp_event *turn; // the events of this turn
    uint32_t first, count, nodes, turn_count;
    uint64_t seq, actions;
    int64_t now_ms, wake_at_ms;
    bool is_hinted;
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void obey(struct world *world, const struct lp_action *action)
{
    if (action->kind == LP_ACTION_START_NODE)
        world->lives[action->node] = (struct life){action->incarnation, 0};
    if (action->kind == LP_ACTION_START_APP)
        world->lives[action->node].run = action->run;
    enum lp_event_kind kind = lp_event_of_success(action->kind);
    if (kind == LP_EVENT_NONE)
        return;
    if (world->count == QUEUE) {
        fprintf(stderr, "step_bench: too many replies\n");
        exit(1);
    }
    world->queue[(world->first + world->count++) % QUEUE] =
        (struct reply){.kind = kind,
                       .infra = action->infra,
                       .node = action->node,
                       .app = action->app,
                       .image = action->image,
                       .incarnation = action->incarnation,
                       .run = action->run,
                       .revision = action->revision};
}

static void reply_take(struct world *world, struct lp_event *event)
{
    const struct reply *reply = &world->queue[world->first];
    lp_event_init(event, reply->kind);
    event->infra = reply->infra;
    event->node = reply->node;
    event->app = reply->app;
    event->image = reply->image;
    event->incarnation = reply->incarnation;
    event->run = reply->run;
    event->revision = reply->revision;
    event->is_ok = true;
    world->first = (world->first + 1) % QUEUE;
    if (--world->count == 0)
        world->first = 0;
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
    event->incarnation = world->lives[node].incarnation;
    event->app = kind == LP_EVENT_READING || kind == LP_EVENT_APP_EXITED ? 0 : LP_NONE;
    event->run = event->app == 0 ? world->lives[node].run : 0;
    event->is_ok = dice < 900;
    event->status = 1;
}

static void bring_up_one(struct world *world)
{
    struct lp_event event;
    if (world->count) {
        reply_take(world, &event);
    } else {
        if (world->wake_at_ms > world->now_ms)
            world->now_ms = world->wake_at_ms;
        lp_event_init(&event, LP_EVENT_TICK);
    }
    step(world, &event);
}

// Half replies, half news, until a turn is full.
static void turn_gather(struct world *world)
{
    for (world->turn_count = 0; world->turn_count < TURN; world->turn_count++) {
        struct lp_event *event = &world->turn[world->turn_count];
        if (world->count && lp_rng_below(&world->rng, 2))
            reply_take(world, event);
        else
            happen(world, event);
    }
}

// Counted by callgrind (--toggle-collect), so it must stay a function.
__attribute__((noinline)) static void turn_step(struct world *world)
{
    const struct lp_event *turn = world->turn;
    for (uint32_t i = 0; i < world->turn_count; i++) {
        if (world->is_hinted && i + FAR < world->turn_count)
            lp_state_prefetch(world->state, turn[i + FAR].node, turn[i + FAR].app, false);
        if (world->is_hinted && i + NEAR < world->turn_count)
            lp_state_prefetch(world->state, turn[i + NEAR].node, turn[i + NEAR].app, true);
        step(world, &world->turn[i]);
    }
}

struct result {
    uint32_t nodes;
    uint64_t events;
    double up_rate, rate, bare_rate, p50_us, p99_us, healthy, access_ns;
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

// Events a second of the turns; a turn is timed as a whole, so that the clock costs nothing.
static double stream(struct world *world, struct result *result, bool is_hinted)
{
    size_t turns = (size_t)(result->events / TURN), count = 0;
    double *spans = calloc(turns, sizeof(*spans)), total = 0, due_ms = 0;
    if (!spans)
        exit(1);
    world->is_hinted = is_hinted;
    while (count < turns) {
        turn_gather(world);
        due_ms += TURN / (world->nodes / 1000.0);
        world->now_ms += (int64_t)due_ms;
        due_ms -= (double)(int64_t)due_ms;
        double before = seconds();
        turn_step(world);
        spans[count] = seconds() - before;
        total += spans[count++];
    }
    qsort(spans, count, sizeof(spans[0]), by_value);
    if (is_hinted) {
        result->p50_us = spans[count / 2] / TURN * 1e6;
        result->p99_us = spans[count * 99 / 100] / TURN * 1e6;
    }
    free(spans);
    return (double)(turns * TURN) / total;
}

static void *take(size_t bytes)
{
    size_t rounded = (bytes + LINE - 1) / LINE * LINE;
    void *memory = aligned_alloc(LINE, rounded);
    if (!memory)
        exit(1);
    memset(memory, 0, rounded);
    return memory;
}

// Nanoseconds of one access to a random line of a block of that size: a chase through one cycle.
static double access_ns(size_t bytes, struct lp_rng *rng)
{
    enum { HOPS = 1000 * 1000 };
    size_t lines = bytes / LINE, at = 0;
    char *block = take(bytes);
    size_t *order = calloc(lines, sizeof(*order));
    if (!order)
        exit(1);
    for (size_t i = 0; i < lines; i++)
        order[i] = i;
    for (size_t i = lines - 1; i > 0; i--) { // Sattolo: one cycle through all
        size_t other = lp_rng_below(rng, i), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    for (size_t i = 0; i < lines; i++)
        memcpy(block + i * LINE, &order[i], sizeof(*order));
    double start = seconds();
    for (int hop = 0; hop < HOPS; hop++)
        memcpy(&at, block + at * LINE, sizeof(at));
    double spent = seconds() - start;
    fprintf(stderr, at == lines ? "." : ""); // the chase must not be thought away
    free(order);
    free(block);
    return spent / HOPS * 1e9;
}

static struct result measure(uint32_t nodes, uint64_t events)
{
    struct lp_limits limits = {INFRAS, nodes / A_SERVICE, nodes, nodes, 1, HOSTS};
    struct result result = {.nodes = nodes, .events = events, .bytes = lp_state_bytes(&limits)};
    struct world world = {.nodes = nodes, .now_ms = 1000, .wake_at_ms = INT64_MAX};
    struct lp_err err = {0};
    void *memory = take(result.bytes);
    world.queue = calloc(QUEUE, sizeof(*world.queue));
    world.lives = calloc(nodes, sizeof(*world.lives));
    world.turn = calloc(TURN, sizeof(*world.turn));
    if (!world.queue || !world.lives || !world.turn)
        exit(1);
    world.state = lp_state_init(memory, &limits, 1);
    lp_rng_init(&world.rng, 1);
    begin(&world);
    double start = seconds();
    uint64_t before = world.seq;
    describe(&world);
    while (healthy(&world) < nodes)
        bring_up_one(&world);
    result.up_rate = (double)(world.seq - before) / (seconds() - start);
    result.rate = stream(&world, &result, true);
    result.bare_rate = stream(&world, &result, false);
    result.healthy = (double)healthy(&world) / nodes;
    if (lp_state_check(world.state, &err) < 0) {
        fprintf(stderr, "step_bench: %s\n", err.text);
        exit(1);
    }
    result.access_ns = access_ns(result.bytes, &world.rng);
    free(world.turn);
    free(world.lives);
    free(world.queue);
    free(memory);
    return result;
}

static void show(const struct result *r, bool is_json)
{
    if (is_json)
        printf("{\"hosts\":%d,\"nodes\":%u,\"events\":%" PRIu64 ",\"bringup_events_per_s\":%.0f,"
               "\"events_per_s\":%.0f,\"bare_events_per_s\":%.0f,\"p50_us\":%.3f,"
               "\"p99_us\":%.3f,\"healthy\":%.3f,\"state_bytes\":%zu,\"access_ns\":%.1f}\n",
               HOSTS, r->nodes, r->events / TURN * TURN, r->up_rate, r->rate, r->bare_rate,
               r->p50_us, r->p99_us, r->healthy, r->bytes, r->access_ns);
    else
        printf("%8d %8u %14.0f %14.0f %14.0f %8.2f %8.2f %8.1f%% %7.1f %10.1f\n", HOSTS, r->nodes,
               r->up_rate, r->rate, r->bare_rate, r->p50_us, r->p99_us, r->healthy * 100,
               (double)r->bytes / (1024 * 1024), r->access_ns);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {1000, 10000, 100000};
    int at = 1;
    bool is_json = argc > at && strcmp(argv[at], "--json") == 0;
    at += is_json;
    uint32_t only = argc > at ? (uint32_t)strtoul(argv[at], NULL, 10) : 0;
    uint64_t events = argc > at + 1 ? strtoull(argv[at + 1], NULL, 10) : 2 * 1000 * 1000;
    if (!is_json)
        printf("%8s %8s %14s %14s %14s %8s %8s %9s %7s %10s\n", "hosts", "nodes", "bring-up ev/s",
               "mixed ev/s", "without hint", "p50 us", "p99 us", "healthy", "MiB", "access ns");
    for (int i = 0; i < 3; i++) {
        if (only && only != sizes[i])
            continue;
        struct result result = measure(sizes[i], events);
        show(&result, is_json);
    }
    return 0;
}
