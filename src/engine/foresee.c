// Foresight: a copy of the engine in a world where every order succeeds at once.
#include "engine/foresee.h"

#include <string.h>

#include "core/open_orders.h"

enum { FORESEE_TICKS_MAX = 20 * 1000, FORESEE_MS_MAX = 10 * 60 * 1000 };

static int64_t clock_now(void *context)
{
    return ((struct lp_foresight *)context)->now_ms;
}

// The store forgets: nothing of this is to last.
static int store_append(void *self, uint64_t expected_seq, const struct lp_record *records,
                        size_t count, struct lp_err *err)
{
    (void)self, (void)expected_seq, (void)records, (void)count, (void)err;
    return 0;
}
static int store_save(void *self, uint64_t seq, const void *bytes, size_t count, struct lp_err *err)
{
    (void)self, (void)seq, (void)bytes, (void)count, (void)err;
    return 0;
}
static void store_close(void *self)
{
    (void)self;
}
static const struct lp_store_ops store_ops = {
    .append = store_append, .save = store_save, .close = store_close};

static void reply_add(struct lp_foresight *world, const struct lp_action *action,
                      enum lp_event_kind kind)
{
    if (world->reply_count == world->reply_capacity) {
        world->reply_capacity = world->reply_capacity ? world->reply_capacity * 2 : 64;
        world->replies =
            lp_heap_grow(world->replies, world->reply_capacity, sizeof(*world->replies));
    }
    struct lp_event *event = &world->replies[world->reply_count++];
    lp_event_reply(event, kind, action);
    event->is_ok = true;
}

static bool is_setup(const struct lp_foresight *world, const struct lp_action *action)
{
    const struct lp_state *state = world->engine->state;
    uint32_t service = lp_state_node(state, action->node)->service;
    return lp_state_app_want(state, service, action->app)->kind == LP_APP_SETUP;
}

// Answer what is to be done as done.
static void answer(void *self, const struct lp_action *action)
{
    struct lp_foresight *world = self;
    enum lp_event_kind reply = lp_event_of_success(action->kind);
    if (reply != LP_EVENT_NONE)
        reply_add(world, action, reply);
    if (action->kind == LP_ACTION_START_APP && is_setup(world, action))
        reply_add(world, action, LP_EVENT_APP_EXITED);
}

static int driver_begin(void *self, const struct lp_order *order, struct lp_err *err)
{
    (void)err;
    answer(self, &order->action);
    return 0;
}

static int driver_collect(void *self, struct lp_inbox *inbox, struct lp_err *err)
{
    (void)err;
    struct lp_foresight *world = self;
    for (size_t i = 0; i < world->reply_count; i++)
        inbox->put(inbox, &world->replies[i]);
    world->reply_count = 0;
    return 0;
}

static void driver_close(void *self)
{
    (void)self;
}

static const struct lp_driver friendly = {.name = "foresight",
                                          .action_kinds = UINT64_MAX,
                                          .begin = driver_begin,
                                          .collect = driver_collect,
                                          .close = driver_close};
static const struct lp_driver *const friendly_list[] = {&friendly};

static void watch(void *context, const struct lp_action *action, const char *subject)
{
    struct lp_foresight *world = context;
    struct lp_foreseen *seen = lp_arena_new(&world->arena, struct lp_foreseen);
    seen->after_ms = world->now_ms - world->start_ms;
    seen->action = *action;
    seen->subject = lp_arena_text(&world->arena, subject);
    *world->end = seen;
    world->end = &seen->next;
    world->count++;
}

static void inbox_put(struct lp_inbox *inbox, const struct lp_event *event)
{
    lp_engine_put((struct lp_engine *)inbox, event);
}

int lp_foresee_begin(const struct lp_engine *engine, struct lp_foresight *foresight,
                     struct lp_err *err)
{
    *foresight = (struct lp_foresight){.start_ms = lp_engine_now_ms(engine)};
    foresight->now_ms = foresight->start_ms;
    foresight->end = &foresight->first;
    struct lp_engine_config config = {.limits = engine->limits,
                                      .store = {&store_ops, foresight},
                                      .clock = {clock_now, clock_now, foresight},
                                      .drivers = friendly_list,
                                      .driver_count = 1};
    foresight->engine = lp_engine_new(&config);
    foresight->engine->inbox.put = inbox_put;
    foresight->engine->driver_selves[0] = foresight;
    foresight->engine->is_synced = true;
    foresight->engine->foreseen_root = engine->config.root;
    foresight->engine->watch = watch;
    foresight->engine->watch_context = foresight;
    LP_OWNS_STR struct lp_str bytes = {0};
    lp_engine_snapshot(engine, &bytes);
    int result = lp_engine_restore(foresight->engine, bytes.text, bytes.bytes, err);
    if (result < 0) {
        lp_foresee_end(foresight);
        return result;
    }
    // The copy's drivers know nothing of the orders that were given before it was made.
    lp_open_orders_visit(foresight->engine->state, answer, foresight);
    return 0;
}

int lp_foresee_run(struct lp_foresight *foresight, uint32_t infra, struct lp_err *err)
{
    struct lp_engine *engine = foresight->engine;
    for (int i = 0; i < FORESEE_TICKS_MAX; i++) {
        if (lp_engine_tick(engine, err) < 0)
            return err->code;
        if (foresight->reply_count || engine->pending_count)
            continue;
        if (lp_state_is_settled(engine->state, infra, true))
            return 0;
        int64_t wake_at_ms = engine->wake_at_ms;
        if (wake_at_ms == INT64_MAX || wake_at_ms > foresight->start_ms + FORESEE_MS_MAX)
            return 0;
        if (wake_at_ms > foresight->now_ms)
            foresight->now_ms = wake_at_ms;
    }
    return 0;
}

void lp_foresee_end(struct lp_foresight *foresight)
{
    lp_engine_free(foresight->engine);
    lp_arena_release(&foresight->arena);
    lp_heap_free(foresight->replies);
}
