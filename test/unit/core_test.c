// Tests of the controller's state: bytes, bounds, full plans, requests, order in heaps and tables.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/step.h"

enum { PLAN = 256, REPLIES = 4096 };

struct world {
    struct lp_limits limits;
    void *memory;
    struct lp_state *state;
    struct lp_action actions[PLAN];
    struct lp_plan plan;
    struct lp_event replies[REPLIES];
    size_t first, count;
    uint64_t seq, fingerprint; // of all actions so far
    int64_t now_ms;
};

static void check(const struct world *world)
{
    struct lp_err err = {0};
    if (lp_state_check(world->state, &err) < 0)
        fail_msg("%s", err.text);
}

static void put(struct world *world, enum lp_event_kind kind, const struct lp_action *action)
{
    assert_true(world->count < REPLIES);
    struct lp_event *event = &world->replies[world->count++];
    lp_event_reply(event, kind, action);
    event->is_ok = true;
}

static void step(struct world *world, struct lp_event *event)
{
    event->seq = ++world->seq;
    event->at_ms = world->now_ms;
    lp_step(world->state, event, &world->plan);
    for (size_t i = 0; i < world->plan.count; i++) {
        const struct lp_action *action = &world->actions[i];
        world->fingerprint = (world->fingerprint ^ action->id) * 0x100000001b3u + action->kind;
        world->fingerprint = (world->fingerprint ^ action->node) * 0x100000001b3u + action->run;
    }
    check(world);
}

static void say(struct world *world, enum lp_event_kind kind, uint32_t infra, uint32_t node)
{
    struct lp_event event;
    lp_event_init(&event, kind);
    event.infra = infra;
    event.node = node;
    event.host = event.image = 0;
    event.host_facts.memory_bytes = (uint64_t)1 << 40;
    if (node != LP_NONE)
        event.incarnation = lp_state_node(world->state, node)->incarnation;
    if (kind != LP_EVENT_HOST_UP && kind != LP_EVENT_HOST_DEAD)
        event.host = LP_NONE;
    step(world, &event);
}

static void begin(struct world *world, struct lp_limits limits, size_t plan_capacity)
{
    memset(world, 0, sizeof(*world));
    world->limits = limits;
    world->memory = calloc(1, lp_state_bytes(&limits));
    assert_non_null(world->memory);
    world->state = lp_state_init(world->memory, &limits, 42);
    world->now_ms = 1000;
    world->plan = (struct lp_plan){.capacity = plan_capacity, .actions = world->actions};
    say(world, LP_EVENT_DAEMON_STARTED, LP_NONE, LP_NONE);
    struct lp_event event;
    lp_event_init(&event, LP_EVENT_HOST_UP);
    event.host = 0;
    event.host_facts.memory_bytes = (uint64_t)1 << 40;
    step(world, &event);
    say(world, LP_EVENT_DRIVERS_SYNCED, LP_NONE, LP_NONE);
}

static void want(struct world *world, uint32_t replicas, uint16_t apps)
{
    struct lp_event event;
    say(world, LP_EVENT_INFRA_SET, 0, LP_NONE);
    lp_event_init(&event, LP_EVENT_IMAGE_SET);
    event.image = 0;
    step(world, &event);
    lp_event_init(&event, LP_EVENT_SERVICE_SET);
    event.infra = event.service = 0;
    event.service_want = (struct lp_service_want){.replicas = replicas, .app_count = apps};
    step(world, &event);
    for (uint32_t i = 0; i < apps; i++) {
        lp_event_init(&event, LP_EVENT_APP_SET);
        event.service = 0;
        event.app = i;
        event.app_want = (struct lp_app_want){.restart_condition = LP_RESTART_ALWAYS};
        step(world, &event);
    }
    say(world, LP_EVENT_INFRA_APPLIED, 0, LP_NONE);
}

static void replies_put(struct world *world)
{
    for (size_t i = 0; i < world->plan.count; i++) {
        const struct lp_action *action = &world->actions[i];
        if (lp_event_of_success(action->kind) != LP_EVENT_NONE)
            put(world, lp_event_of_success(action->kind), action);
    }
}

// Obey every order until the controller rests for longer than a second.
static void obey(struct world *world)
{
    replies_put(world);
    for (int i = 0; i < 100000; i++) {
        if (world->first < world->count) {
            struct lp_event event = world->replies[world->first++];
            step(world, &event);
        } else if (world->plan.wake_at_ms <= world->now_ms + 1000) {
            world->now_ms =
                world->plan.wake_at_ms > world->now_ms ? world->plan.wake_at_ms : world->now_ms;
            say(world, LP_EVENT_TICK, LP_NONE, LP_NONE);
        } else {
            world->first = world->count = 0;
            return;
        }
        replies_put(world);
    }
    fail_msg("it never rests");
}

static void end(struct world *world)
{
    free(world->memory);
}

static const struct lp_limits small = {2, 4, 16, 32, 2, 2};
static struct world world, other; // too large for a stack

static void bytes_are_the_state(void **unused)
{
    (void)unused;
    begin(&world, small, PLAN);
    want(&world, 3, 2);
    obey(&world);
    size_t bytes = lp_state_bytes(&small);
    other = world;
    other.memory = malloc(bytes);
    memcpy(other.memory, world.memory, bytes);
    other.plan.actions = other.actions;
    other.state = lp_state_from_bytes(other.memory, bytes, &small);
    assert_non_null(other.state);
    for (uint32_t node = 0; node < 3; node++) {
        say(&world, LP_EVENT_NODE_DEAD, LP_NONE, node);
        say(&other, LP_EVENT_NODE_DEAD, LP_NONE, node);
    }
    obey(&world);
    obey(&other);
    assert_true(world.fingerprint == other.fingerprint);
    assert_memory_equal(world.memory, other.memory, bytes);
    end(&world);
    end(&other);
}

static void other_layouts_are_refused(void **unused)
{
    (void)unused;
    begin(&world, small, PLAN);
    size_t bytes = lp_state_bytes(&small);
    struct lp_limits larger = small;
    larger.hosts++;
    assert_null(lp_state_from_bytes(world.memory, bytes - 1, &small));
    assert_null(lp_state_from_bytes(world.memory, bytes, &larger));
    ((char *)world.memory)[0] ^= 1;
    assert_null(lp_state_from_bytes(world.memory, bytes, &small));
    end(&world);
}

static void a_full_plan_goes_on_in_the_next_step(void **unused)
{
    (void)unused;
    static const struct lp_limits many = {1, 1, 300, 300, 1, 1};
    begin(&world, many, 80);
    want(&world, 300, 1);
    obey(&world);
    assert_int_equal(lp_state_infra(world.state, 0)->healthy_count, 300);
    say(&world, LP_EVENT_INFRA_UNSET, 0, LP_NONE);
    assert_in_range(world.plan.count, 1, 80);
    assert_int_equal(world.plan.wake_at_ms, world.now_ms);
    obey(&world);
    assert_false(lp_state_infra(world.state, 0)->is_used);
    end(&world);
}

static void what_finds_no_row_is_added_when_one_is_free(void **unused)
{
    (void)unused;
    begin(&world, small, PLAN);
    want(&world, 40, 1);
    obey(&world);
    assert_int_equal(lp_state_service(world.state, 0)->node_count, 16);
    assert_false(lp_state_is_settled(world.state, 0, false));
    want(&world, 5, 1);
    obey(&world);
    assert_int_equal(lp_state_service(world.state, 0)->node_count, 5);
    assert_true(lp_state_is_settled(world.state, LP_NONE, false));
    end(&world);
}

// A list of applications that changes while its nodes run: counts stay right (lp_state_check).
static void lists_of_applications_may_change(void **unused)
{
    (void)unused;
    begin(&world, small, PLAN);
    static const uint16_t counts[] = {1, 4, 2, 0, 3};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        want(&world, 4, counts[i]);
        obey(&world);
        for (uint32_t node = 0; node < 4; node++)
            say(&world, LP_EVENT_NODE_DEAD, LP_NONE, node);
        obey(&world);
    }
    end(&world);
}

static void requests_are_checked(void **unused)
{
    (void)unused;
    begin(&world, small, PLAN);
    want(&world, 2, 1);
    static const struct {
        enum lp_event_kind kind;
        uint32_t service, node, app, replicas;
        int expected;
    } cases[] = {
        {LP_EVENT_SCALE_SET, 0, LP_NONE, LP_NONE, 16, 0},
        {LP_EVENT_SCALE_SET, 0, LP_NONE, LP_NONE, 17, LP_EFULL},
        {LP_EVENT_SCALE_SET, 1, LP_NONE, LP_NONE, 1, LP_ENOTFOUND},
        {LP_EVENT_SCALE_SET, LP_NONE, LP_NONE, LP_NONE, 1, LP_ENOTFOUND},
        {LP_EVENT_RESTART_ASKED, LP_NONE, 0, LP_NONE, 0, 0},
        {LP_EVENT_RESTART_ASKED, LP_NONE, 0, 0, 0, 0},
        {LP_EVENT_RESTART_ASKED, LP_NONE, 0, 1, 0, LP_ENOTFOUND},
        {LP_EVENT_RESTART_ASKED, LP_NONE, 9, LP_NONE, 0, LP_ENOTFOUND},
        {LP_EVENT_TICK, LP_NONE, LP_NONE, LP_NONE, 0, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lp_event event;
        struct lp_err err = {0};
        lp_event_init(&event, cases[i].kind);
        event.service = cases[i].service;
        event.node = cases[i].node;
        event.app = cases[i].app;
        event.replicas = cases[i].replicas;
        assert_int_equal(lp_step_check(world.state, &event, &err), cases[i].expected);
        assert_true(cases[i].expected == 0 || err.text[0]);
    }
    end(&world);
}

static void events_about_no_row_change_nothing(void **unused)
{
    (void)unused;
    begin(&world, small, PLAN);
    want(&world, 2, 1);
    obey(&world);
    uint64_t before = world.fingerprint;
    for (int kind = LP_EVENT_NONE; kind < LP_EVENT_KINDS; kind++) {
        struct lp_event event;
        lp_event_init(&event, (enum lp_event_kind)kind);
        bool is_about_all = kind == LP_EVENT_DAEMON_STARTED || kind == LP_EVENT_DRIVERS_SYNCED;
        bool is_orphan = kind == LP_EVENT_NODE_UP || kind == LP_EVENT_NODE_MUTE ||
                         kind == LP_EVENT_NETWORK_READY;
        if (!is_about_all && !is_orphan)
            step(&world, &event);
    }
    assert_true(world.fingerprint == before);
    assert_true(lp_state_is_settled(world.state, LP_NONE, false));
    end(&world);
}

static void a_broken_state_is_found(void **unused)
{
    (void)unused;
    struct lp_err err = {0};
    begin(&world, small, PLAN);
    want(&world, 2, 1);
    obey(&world);
    struct lp_service_row *row =
        (struct lp_service_row *)(uintptr_t)lp_state_service(world.state, 0);
    row->healthy_count++;
    assert_int_equal(lp_state_check(world.state, &err), LP_ECORRUPT);
    row->healthy_count--;
    struct lp_node_row *node = (struct lp_node_row *)(uintptr_t)lp_state_node(world.state, 1);
    node->address_index = 9;
    assert_int_equal(lp_state_check(world.state, &err), LP_ECORRUPT);
    node->address_index = 1;
    node->phase = LP_NODE_STOPPING; // without an order it would stay there for ever
    assert_int_equal(lp_state_check(world.state, &err), LP_ECORRUPT);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_the_state),
        cmocka_unit_test(other_layouts_are_refused),
        cmocka_unit_test(a_full_plan_goes_on_in_the_next_step),
        cmocka_unit_test(what_finds_no_row_is_added_when_one_is_free),
        cmocka_unit_test(lists_of_applications_may_change),
        cmocka_unit_test(requests_are_checked),
        cmocka_unit_test(events_about_no_row_change_nothing),
        cmocka_unit_test(a_broken_state_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
