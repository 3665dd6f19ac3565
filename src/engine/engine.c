// The loop's one turn: collect, journal, step, begin. See ARCHITECTURE.md for the picture.
#include "engine/engine.h"

#include <string.h>

#include "engine/self.h"

enum { NOTES_WAIT_MS = 200 }; // records of actions wait so long for company

struct lp_engine *lp_engine_new(const struct lp_engine_config *config)
{
    struct lp_engine *engine = lp_heap_take(sizeof(*engine));
    engine->config = *config;
    struct lp_limits *limits = &engine->config.limits;
    const struct lp_limits defaults = {LP_INFRAS_DEFAULT,       LP_TABLE_SERVICES_DEFAULT,
                                       LP_TABLE_NODES_DEFAULT,  LP_TABLE_APPS_DEFAULT,
                                       LP_TABLE_IMAGES_DEFAULT, LP_TABLE_HOSTS_DEFAULT};
    limits->infras = limits->infras ? limits->infras : defaults.infras;
    limits->services = limits->services ? limits->services : defaults.services;
    limits->nodes = limits->nodes ? limits->nodes : defaults.nodes;
    limits->apps = limits->apps ? limits->apps : defaults.apps;
    limits->images = limits->images ? limits->images : defaults.images;
    limits->hosts = limits->hosts ? limits->hosts : defaults.hosts;
    engine->limits = *limits;
    engine->state_memory = lp_heap_take(lp_state_bytes(limits));
    engine->state = lp_state_init(engine->state_memory, limits, config->seed);
    lp_catalog_init(&engine->catalog, limits);
    engine->plan_actions = lp_heap_take(LP_PLAN_CAPACITY * sizeof(*engine->plan_actions));
    engine->driver_selves = lp_heap_take((config->driver_count + 1) * sizeof(void *));
    engine->wake_at_ms = INT64_MAX;
    return engine;
}

void lp_engine_free(struct lp_engine *engine)
{
    for (size_t i = 0; i < engine->config.driver_count; i++)
        if (engine->driver_selves[i])
            engine->config.drivers[i]->close(engine->driver_selves[i]);
    if (engine->config.store.ops)
        engine->config.store.ops->close(engine->config.store.self);
    lp_catalog_release(&engine->catalog);
    lp_arena_release(&engine->pending_arena);
    lp_arena_release(&engine->note_arena);
    lp_heap_free(engine->pending);
    lp_heap_free(engine->notes);
    lp_heap_free(engine->plan_actions);
    lp_heap_free(engine->driver_selves);
    lp_heap_free(engine->state_memory);
    lp_heap_free(engine);
}

int64_t lp_engine_now_ms(const struct lp_engine *engine)
{
    const struct lp_clock *clock = &engine->config.clock;
    int64_t now_ms = lp_steady_time(&engine->steady, clock->wall_ms(clock->context),
                                    clock->monotonic_ms(clock->context));
    return now_ms > engine->last_at_ms ? now_ms : engine->last_at_ms;
}

int64_t lp_engine_hidden_ms(const struct lp_engine *engine)
{
    return engine->steady.hidden_ms;
}

static void clock_start(struct lp_engine *engine)
{
    const struct lp_clock *clock = &engine->config.clock;
    lp_steady_start(&engine->steady, clock->wall_ms(clock->context),
                    clock->monotonic_ms(clock->context), engine->last_at_ms);
}

void lp_engine_put(struct lp_engine *engine, const struct lp_event *event)
{
    if (engine->pending_count == LP_PENDING_MAX)
        return; // the journal cannot be written: the drivers tell again after a restart
    if (engine->pending_count == engine->pending_capacity) {
        engine->pending_capacity = engine->pending_capacity ? engine->pending_capacity * 2 : 64;
        engine->pending =
            lp_heap_grow(engine->pending, engine->pending_capacity, sizeof(*engine->pending));
    }
    struct lp_event *copy = &engine->pending[engine->pending_count++];
    *copy = *event;
    copy->text = lp_arena_text(&engine->pending_arena, event->text);
}

static void inbox_put(struct lp_inbox *inbox, const struct lp_event *event)
{
    struct lp_engine *engine = (struct lp_engine *)inbox;
    if (event->kind == LP_EVENT_DRIVERS_SYNCED)
        engine->synced_count++; // journaled once, when every driver has said it
    else
        lp_engine_put(engine, event);
}

static void note_add(struct lp_engine *engine, const struct lp_record *record)
{
    if (engine->note_count == engine->note_capacity) {
        engine->note_capacity = engine->note_capacity ? engine->note_capacity * 2 : 64;
        engine->notes = lp_heap_grow(engine->notes, engine->note_capacity, sizeof(*engine->notes));
    }
    engine->notes[engine->note_count++] = *record;
}

static void note_action(struct lp_engine *engine, const struct lp_action *action)
{
    struct lp_subject about = {action->infra, action->service, action->node, action->app};
    LP_OWNS_STR struct lp_str subject = {0};
    LP_OWNS_STR struct lp_str body = {0};
    lp_catalog_add_subject(&engine->catalog, engine->state, &about, &subject);
    lp_action_print(action, &body);
    struct lp_arena *arena = &engine->note_arena;
    note_add(engine, &(struct lp_record){.at_ms = engine->last_at_ms,
                                         .kind = LP_RECORD_ACTION,
                                         .word = lp_action_word(action->kind),
                                         .subject = lp_arena_text(arena, lp_str_text(&subject)),
                                         .body = lp_arena_text(arena, lp_str_text(&body))});
    if (engine->watch)
        engine->watch(engine->watch_context, action, lp_str_text(&subject));
}

// Fold one event that the journal has, and begin what its plan says.
LP_MUST_CHECK static int step(struct lp_engine *engine, const struct lp_event *event,
                              struct lp_err *err)
{
    if (lp_catalog_fold(&engine->catalog, event, err) < 0)
        return err->code;
    struct lp_plan plan = {.capacity = LP_PLAN_CAPACITY, .actions = engine->plan_actions};
    lp_step(engine->state, event, &plan);
    engine->wake_at_ms = plan.wake_at_ms;
    for (size_t i = 0; i < plan.count; i++) {
        note_action(engine, &plan.actions[i]);
        lp_engine_begin(engine, &plan.actions[i]);
    }
    if (event->kind == LP_EVENT_INFRA_APPLIED || event->kind == LP_EVENT_NETWORK_GONE)
        lp_catalog_sweep(&engine->catalog, engine->state);
    return 0;
}

// Fold events in order, with a hint at those to come: their rows are on their way from memory
// while the ones before are looked at.
LP_MUST_CHECK static int step_all(struct lp_engine *engine, const struct lp_event *events,
                                  size_t count, struct lp_err *err)
{
    enum { FAR = 8, NEAR = 4 }; // events ahead
    for (size_t i = 0; i < count; i++) {
        if (i + FAR < count)
            lp_state_prefetch(engine->state, events[i + FAR].node, events[i + FAR].app, false);
        if (i + NEAR < count)
            lp_state_prefetch(engine->state, events[i + NEAR].node, events[i + NEAR].app, true);
        if (step(engine, &events[i], err) < 0)
            return err->code;
    }
    return 0;
}

// An event's record. The subject is named before the fold: afterwards its row may be gone.
static struct lp_record event_record(struct lp_engine *engine, const struct lp_event *event,
                                     struct lp_arena *arena)
{
    struct lp_subject about = {event->infra, event->service, event->node, event->app};
    LP_OWNS_STR struct lp_str subject = {0};
    LP_OWNS_STR struct lp_str body = {0};
    if (engine->applied_name) { // its rows and names are only being made
        lp_str_add(&subject, engine->applied_name);
        if (event->kind == LP_EVENT_SERVICE_SET)
            lp_str_printf(&subject, "/%s", event->text);
    } else {
        lp_catalog_add_subject(&engine->catalog, engine->state, &about, &subject);
    }
    lp_event_print(event, &body);
    return (struct lp_record){.seq = event->seq,
                              .at_ms = event->at_ms,
                              .kind = LP_RECORD_EVENT,
                              .word = lp_event_word(event->kind),
                              .subject = lp_arena_text(arena, lp_str_text(&subject)),
                              .body = lp_arena_text(arena, lp_str_text(&body))};
}

// One append: the notes of earlier actions, then the events.
LP_MUST_CHECK static int journal(struct lp_engine *engine, struct lp_event *events, size_t count,
                                 struct lp_err *err)
{
    size_t total = engine->note_count + count;
    if (total == 0)
        return 0;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_record *records = lp_arena_new_array(&arena, struct lp_record, total);
    uint64_t seq = engine->last_seq;
    for (size_t i = 0; i < engine->note_count; i++) {
        records[i] = engine->notes[i];
        records[i].seq = ++seq;
    }
    int64_t at_ms = lp_engine_now_ms(engine);
    for (size_t i = 0; i < count; i++) {
        events[i].seq = ++seq;
        events[i].at_ms = at_ms;
        records[engine->note_count + i] = event_record(engine, &events[i], &arena);
    }
    const struct lp_store *store = &engine->config.store;
    if (store->ops->append(store->self, engine->last_seq + 1, records, total, err) < 0)
        return lp_err_wrap(err, "write the journal");
    engine->last_seq = seq;
    engine->last_at_ms = at_ms;
    engine->note_count = 0;
    lp_arena_release(&engine->note_arena);
    return 0;
}

int lp_engine_submit(struct lp_engine *engine, struct lp_event *events, size_t count,
                     struct lp_err *err)
{
    if (journal(engine, events, count, err) < 0)
        return err->code;
    return step_all(engine, events, count, err);
}

int lp_engine_flush(struct lp_engine *engine, struct lp_err *err)
{
    return journal(engine, NULL, 0, err);
}

static void collect(struct lp_engine *engine)
{
    struct lp_err err = {0};
    for (size_t i = 0; i < engine->config.driver_count; i++) {
        const struct lp_driver *driver = engine->config.drivers[i];
        // A driver that cannot tell now is asked again at the next turn; it says why by events.
        (void)!driver->collect(engine->driver_selves[i], &engine->inbox, &err);
    }
}

static void put_own_events(struct lp_engine *engine)
{
    struct lp_event event;
    if (!engine->is_synced && engine->synced_count >= engine->config.driver_count) {
        lp_event_init(&event, LP_EVENT_DRIVERS_SYNCED);
        lp_engine_put(engine, &event);
        engine->is_synced = true;
    }
    if (engine->pending_count == 0 && lp_engine_now_ms(engine) >= engine->wake_at_ms) {
        lp_event_init(&event, LP_EVENT_TICK);
        lp_engine_put(engine, &event);
    }
}

int lp_engine_tick(struct lp_engine *engine, struct lp_err *err)
{
    const struct lp_clock *clock = &engine->config.clock;
    lp_steady_note(&engine->steady, clock->wall_ms(clock->context),
                   clock->monotonic_ms(clock->context));
    collect(engine);
    put_own_events(engine);
    if (engine->pending_count == 0)
        return lp_engine_now_ms(engine) < engine->last_at_ms + NOTES_WAIT_MS
                   ? 0
                   : lp_engine_flush(engine, err);
    // The queue is taken whole: begin() may put new events, for the next turn.
    struct lp_event *events = engine->pending;
    size_t count = engine->pending_count, capacity = engine->pending_capacity;
    if (journal(engine, events, count, err) < 0)
        return err->code;
    struct lp_arena arena = engine->pending_arena;
    engine->pending = NULL;
    engine->pending_count = engine->pending_capacity = 0;
    engine->pending_arena = (struct lp_arena){0};
    int result = step_all(engine, events, count, err);
    lp_arena_release(&arena);
    if (engine->pending) {
        lp_heap_free(events);
    } else {
        engine->pending = events;
        engine->pending_capacity = capacity;
    }
    if (result == 0 && engine->last_seq - engine->saved_seq >= LP_SNAPSHOT_EVERY)
        result = lp_engine_save(engine, err);
    return result;
}

int64_t lp_engine_wake_at_ms(const struct lp_engine *engine)
{
    if (engine->pending_count > 0)
        return engine->last_at_ms;
    int64_t notes_at_ms = engine->note_count ? engine->last_at_ms + NOTES_WAIT_MS : INT64_MAX;
    return notes_at_ms < engine->wake_at_ms ? notes_at_ms : engine->wake_at_ms;
}

size_t lp_engine_wait_fds(const struct lp_engine *engine, int *ret_fds, size_t capacity)
{
    size_t count = 0;
    for (size_t i = 0; i < engine->config.driver_count && count < capacity; i++) {
        int fd = engine->config.drivers[i]->wait_fd(engine->driver_selves[i]);
        if (fd >= 0)
            ret_fds[count++] = fd;
    }
    return count;
}

const struct lp_state *lp_engine_state(const struct lp_engine *engine)
{
    return engine->state;
}

void lp_engine_watch(struct lp_engine *engine, lp_engine_watcher watch, void *context)
{
    engine->watch = watch;
    engine->watch_context = context;
}

uint64_t lp_engine_last_seq(const struct lp_engine *engine)
{
    return engine->last_seq;
}

bool lp_engine_is_synced(const struct lp_engine *engine)
{
    return engine->is_synced;
}

// Replay.

struct replay {
    struct lp_engine *engine;
    struct lp_err *err;
};

LP_MUST_CHECK static int replay_event(struct lp_engine *engine, const struct lp_record *record,
                                      struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_event event;
    if (lp_record_event(record, &arena, &event, err) < 0)
        return err->code;
    if (lp_catalog_fold(&engine->catalog, &event, err) < 0)
        return lp_err_wrap(err, "journal record %llu", (unsigned long long)record->seq);
    // The plan is dropped: what it ordered is ordered again after DRIVERS_SYNCED if it is missing.
    struct lp_plan plan = {.capacity = LP_PLAN_CAPACITY, .actions = engine->plan_actions};
    lp_step(engine->state, &event, &plan);
    engine->wake_at_ms = plan.wake_at_ms;
    if (event.kind == LP_EVENT_INFRA_APPLIED || event.kind == LP_EVENT_NETWORK_GONE)
        lp_catalog_sweep(&engine->catalog, engine->state);
    return 0;
}

static int replay_visit(void *context, const struct lp_record *record)
{
    struct replay *replay = context;
    replay->engine->last_seq = record->seq;
    if (record->at_ms > replay->engine->last_at_ms)
        replay->engine->last_at_ms = record->at_ms;
    return record->kind == LP_RECORD_EVENT ? replay_event(replay->engine, record, replay->err) : 0;
}

LP_MUST_CHECK static int load_and_replay(struct lp_engine *engine, struct lp_err *err)
{
    const struct lp_store *store = &engine->config.store;
    LP_OWNS_TEXT char *bytes = NULL;
    uint64_t seq = 0;
    size_t count = 0;
    if (store->ops->load(store->self, &seq, (void **)&bytes, &count, err) < 0)
        return lp_err_wrap(err, "load the snapshot");
    // A snapshot of another layout (an older program) is left alone: the journal is whole.
    if (seq > 0 && lp_engine_restore(engine, bytes, count, err) == 0)
        engine->last_seq = engine->saved_seq = seq;
    struct replay replay = {engine, err};
    if (store->ops->read(store->self, engine->last_seq + 1, replay_visit, &replay, err) < 0)
        return lp_err_wrap(err, "replay the journal");
    return 0;
}

LP_MUST_CHECK static int drivers_open(struct lp_engine *engine, struct lp_err *err)
{
    struct lp_driver_env env = {engine->config.root, engine->config.root_id};
    for (size_t i = 0; i < engine->config.driver_count; i++) {
        const struct lp_driver *driver = engine->config.drivers[i];
        if (driver->open(&env, &engine->driver_selves[i], err) < 0)
            return lp_err_wrap(err, "open driver %s", driver->name);
    }
    return 0;
}

LP_MUST_CHECK static int tell_start(struct lp_engine *engine, struct lp_err *err)
{
    struct lp_event events[2];
    lp_event_init(&events[0], LP_EVENT_DAEMON_STARTED);
    lp_event_init(&events[1], LP_EVENT_HOST_UP);
    events[1].host = 0;
    events[1].host_facts = engine->config.host;
    bool has_host = engine->config.host.memory_bytes > 0;
    return lp_engine_submit(engine, events, has_host ? 2 : 1, err);
}

int lp_engine_open(const struct lp_engine_config *config, struct lp_engine **ret_engine,
                   struct lp_err *err)
{
    struct lp_engine *engine = lp_engine_new(config);
    engine->inbox.put = inbox_put;
    int result = load_and_replay(engine, err);
    clock_start(engine);
    if (result == 0)
        result = drivers_open(engine, err);
    if (result == 0)
        result = tell_start(engine, err);
    if (result < 0) {
        lp_engine_free(engine);
        return result;
    }
    *ret_engine = engine;
    return 0;
}

void lp_engine_close(struct lp_engine *engine)
{
    struct lp_err err;
    // Not written is not lost: the next start replays the journal as far as it got.
    if (lp_engine_flush(engine, &err) == 0)
        (void)!lp_engine_save(engine, &err);
    lp_engine_free(engine);
}

void lp_engine_abandon(struct lp_engine *engine)
{
    lp_engine_free(engine);
}
