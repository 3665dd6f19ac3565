// Fuzz the controller: random events, most of them about rows that exist; after each step the
// state's invariants and law 2 (no new life before the old one is confirmed dead) must hold.
// Each event is 4 bytes: kind, and three numbers that choose rows and values.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/step.h"

enum { INFRAS = 2, SERVICES = 4, NODES = 12, APPS = 24, IMAGES = 2, HOSTS = 2, PLAN = 128 };

struct world {
    struct lp_state *state;
    uint32_t alive[NODES]; // the life that is not confirmed dead; 0: none
    uint64_t start_id[NODES];
    bool is_told[NODES]; // since the daemon started
    bool is_synced;
    uint64_t seq;
    int64_t now_ms;
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void fail(const struct world *world, const char *what)
{
    fprintf(stderr, "step_fuzz: after event %llu: %s\n", (unsigned long long)world->seq, what);
    abort();
}

static void fill_service(struct lp_service_want *want, const uint8_t *b)
{
    *want = (struct lp_service_want){.node_hash = 1 + (b[2] & 3),
                                     .files_hash = 1 + (b[2] >> 2 & 3),
                                     .replicas = b[3] % 6,
                                     .image = b[1] % IMAGES,
                                     .app_count = (uint16_t)(b[2] >> 4 & 3),
                                     .owns_state = b[3] & 128,
                                     .stop_grace_ms = 1000};
    uint32_t service = (b[1] >> 2) % SERVICES;
    if (service > 0 && b[3] & 64) { // only on lower ones: no cycle
        want->depends[want->depend_count++] = (struct lp_want_depend){
            .service = b[2] % service, .app = LP_WHOLE_SERVICE, .condition = (b[3] >> 4) % 3};
        want->observes[want->observe_count++] = b[2] % service;
    }
}

static void fill_app(struct lp_app_want *want, const uint8_t *b)
{
    *want = (struct lp_app_want){.kind = (b[2] & 7) == 0 ? LP_APP_SETUP : LP_APP_SERVE,
                                 .restart_condition = (b[2] >> 3) % 3,
                                 .has_readiness = b[2] & 32,
                                 .has_health = b[2] & 64,
                                 .reload_kind = (b[3] & 3),
                                 .delay_ms = (uint32_t)(b[3] >> 2) * 10,
                                 .max_attempts = b[3] >> 5,
                                 .window_ms = 60000,
                                 .retries = b[3] & 3,
                                 .start_period_ms = (uint32_t)(b[2] & 3) * 1000,
                                 .stop_grace_ms = 500};
}

// Any kind, any time, aimed at anything; words about faults are mostly about one that is out.
static void fill_fault(const struct world *world, const uint8_t *b, struct lp_event *event)
{
    event->fault = b[2] % 8;
    event->revision = lp_state_fault(world->state, event->fault)->number + ((b[3] & 63) == 63);
    if (event->kind != LP_EVENT_FAULT_ASKED)
        return;
    event->node = b[1] & 128 ? LP_NONE : event->node;
    event->fault_spec = (struct lp_fault_spec){
        .kind = 1 + b[3] % (LP_FAULT_KINDS - 1),
        .duration_ms = b[3] & 128 ? LP_FAULT_FOREVER : (uint32_t)b[3] * 100,
        .flags = (b[3] >> 3) & 15,
        .peer_service = LP_NONE,
        .peer_node = LP_NONE,
        .network = LP_NONE,
    };
}

static void event_fill(const struct world *world, const uint8_t *b, struct lp_event *event)
{
    lp_event_init(event, (enum lp_event_kind)(b[0] % LP_EVENT_KINDS));
    event->infra = b[1] % INFRAS;
    event->service = (b[1] >> 2) % SERVICES;
    event->node = b[1] % NODES;
    event->app = b[2] % 4 == 3 ? LP_NONE : b[2] % 4;
    event->host = b[1] % HOSTS;
    event->image = b[1] % IMAGES;
    event->incarnation = lp_state_node(world->state, event->node)->incarnation;
    if ((b[3] & 15) == 15)
        event->incarnation += (b[3] >> 4) % 3 - 1u;
    if (event->app != LP_NONE)
        event->run = lp_state_app(world->state, event->node, event->app)->run;
    event->run += (b[2] & 0xf0) == 0xf0;
    event->status = b[3] & 1 ? 0 : b[3];
    event->replicas = b[2] % 8;
    event->revision = b[2] & 3;
    event->is_oom = b[3] & 2;
    event->is_ok = b[3] & 4;
    const struct lp_infra_row *infra = lp_state_infra(world->state, event->infra);
    if (event->kind == LP_EVENT_PUBLISHED && b[3] & 8)
        event->revision = infra->publish_wanted;
    if (event->kind >= LP_EVENT_FAULT_ASKED && event->kind <= LP_EVENT_FAULT_HEALED)
        fill_fault(world, b, event);
    if (event->kind == LP_EVENT_SERVICE_SET)
        fill_service(&event->service_want, b);
    else if (event->kind == LP_EVENT_APP_SET)
        fill_app(&event->app_want, b);
    else if (event->kind == LP_EVENT_HOST_UP)
        event->host_facts = (struct lp_host_facts){.memory_bytes = (uint64_t)(1 + b[2]) << 24};
    if (event->kind == LP_EVENT_APP_SET && event->app == LP_NONE)
        event->app = 0;
}

static bool is_nowhere(const struct world *world, uint32_t node)
{
    const struct lp_node_row *row = lp_state_node(world->state, node);
    return row->is_used && (row->phase == LP_NODE_ABSENT || row->phase == LP_NODE_UNKNOWN);
}

// What an event confirms of lives.
static void learn(struct world *world, const struct lp_event *event)
{
    bool is_known = event->node < NODES;
    switch (event->kind) {
    case LP_EVENT_NODE_DEAD:
    case LP_EVENT_NODE_FAILED:
    case LP_EVENT_NODE_GONE:
        if (is_known && world->alive[event->node] == event->incarnation)
            world->alive[event->node] = 0;
        break;
    case LP_EVENT_NODE_UP:
    case LP_EVENT_NODE_MUTE:
        // A life that is newer than what the journal knows of: the ones before were confirmed.
        if (is_known &&
            event->incarnation > lp_state_node(world->state, event->node)->incarnation &&
            is_nowhere(world, event->node))
            world->alive[event->node] = event->incarnation;
        world->is_told[event->node] |= world->alive[event->node] == event->incarnation;
        break;
    case LP_EVENT_HOST_DEAD:
        for (uint32_t n = 0; n < NODES; n++)
            if (lp_state_node(world->state, n)->host == event->host)
                world->alive[n] = 0;
        break;
    case LP_EVENT_DAEMON_STARTED:
        memset(world->is_told, 0, sizeof(world->is_told));
        world->is_synced = false;
        break;
    case LP_EVENT_DRIVERS_SYNCED:
        for (uint32_t n = 0; n < NODES && !world->is_synced; n++)
            if (!world->is_told[n])
                world->alive[n] = 0;
        world->is_synced = true;
        break;
    default:
        break;
    }
}

static void judge(struct world *world, const struct lp_plan *plan)
{
    struct lp_err err = {0};
    for (size_t i = 0; i < plan->count; i++) {
        const struct lp_action *action = &plan->actions[i];
        if (action->because.reason == LP_REASON_NONE)
            fail(world, "an action without a reason");
        if (action->because.event_seq > world->seq)
            fail(world, "an action because of what did not happen yet");
        if (action->kind != LP_ACTION_START_NODE)
            continue;
        bool is_again = world->start_id[action->node] == action->id;
        if (!world->is_synced)
            fail(world, "a start before the drivers have spoken");
        if (world->alive[action->node] && !is_again)
            fail(world, "a start while an earlier life is not confirmed dead");
        world->alive[action->node] = action->incarnation;
        world->start_id[action->node] = action->id;
    }
    if (lp_state_check(world->state, &err) < 0)
        fail(world, err.text);
    (void)lp_state_is_settled(world->state, LP_NONE, true);
}

static void step(struct world *world, struct lp_event *event)
{
    static struct lp_action actions[PLAN];
    struct lp_plan plan = {.capacity = PLAN, .actions = actions};
    event->seq = ++world->seq;
    event->at_ms = world->now_ms;
    learn(world, event);
    lp_step(world->state, event, &plan);
    judge(world, &plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static const struct lp_limits limits = {INFRAS, SERVICES, NODES, APPS, IMAGES, HOSTS};
    static void *memory;
    size_t size = lp_state_bytes(&limits);
    if (!memory)
        memory = aligned_alloc(16, size);
    memset(memory, 0, size);
    struct world world = {.now_ms = 1000};
    world.state = lp_state_init(memory, &limits, 1);
    static const enum lp_event_kind first[] = {LP_EVENT_DAEMON_STARTED, LP_EVENT_HOST_UP,
                                               LP_EVENT_DRIVERS_SYNCED};
    for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
        struct lp_event event;
        lp_event_init(&event, first[i]);
        event.host = 0;
        event.host_facts.memory_bytes = (uint64_t)4 << 30;
        step(&world, &event);
    }
    for (size_t i = 0; i + 4 <= count && i < 4 * 2048; i += 4) {
        struct lp_event event;
        event_fill(&world, bytes + i, &event);
        world.now_ms += (int64_t)bytes[i + 3] * bytes[i + 3] * (bytes[i] >> 7 ? 8 : 1);
        step(&world, &event);
    }
    return 0;
}
