// The engine with a store in memory and drivers that succeed at once: requests, views, foresight,
// a journal that cannot be written, restarts from journal and snapshot.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/foresee.h"
#include "engine/story.h"

// The store: records in an array that outlives engines.

struct memory {
    struct lp_arena arena;
    struct lp_record records[4096];
    size_t count;
    uint64_t saved_seq;
    struct lp_str saved;
    bool is_full; // as a disk may be
};

static int memory_append(void *self, uint64_t expected_seq, const struct lp_record *records,
                         size_t count, struct lp_err *err)
{
    struct memory *memory = self;
    if (memory->is_full)
        return lp_err_set(err, LP_EIO, "no space left on device");
    assert_int_equal(expected_seq, memory->count + 1);
    for (size_t i = 0; i < count; i++) {
        struct lp_record *copy = &memory->records[memory->count++];
        assert_true(memory->count < 4096);
        *copy = records[i];
        copy->subject = lp_arena_text(&memory->arena, records[i].subject);
        copy->body = lp_arena_text(&memory->arena, records[i].body);
    }
    return 0;
}

static int memory_read(void *self, uint64_t from,
                       int (*visit)(void *context, const struct lp_record *), void *context,
                       struct lp_err *err)
{
    (void)err;
    struct memory *memory = self;
    int result = 0;
    for (size_t i = from - 1; i < memory->count && result == 0; i++)
        result = visit(context, &memory->records[i]);
    return result;
}

static int memory_find(void *self, const struct lp_store_query *query,
                       int (*visit)(void *context, const struct lp_record *), void *context,
                       struct lp_err *err)
{
    (void)err;
    struct memory *memory = self;
    size_t bytes = strlen(query->subject);
    for (size_t i = query->after; i < memory->count; i++) {
        const char *subject = memory->records[i].subject;
        bool is_below = strncmp(subject, query->subject, bytes) == 0 &&
                        (bytes == 0 || !subject[bytes] || subject[bytes] == '/');
        if (is_below)
            visit(context, &memory->records[i]);
    }
    return 0;
}

static int memory_save(void *self, uint64_t seq, const void *bytes, size_t count,
                       struct lp_err *err)
{
    (void)err;
    struct memory *memory = self;
    memory->saved_seq = seq;
    lp_str_clear(&memory->saved);
    lp_str_add_n(&memory->saved, bytes, count);
    return 0;
}

static int memory_load(void *self, uint64_t *ret_seq, void **ret_bytes, size_t *ret_count,
                       struct lp_err *err)
{
    (void)err;
    struct memory *memory = self;
    *ret_seq = memory->saved_seq;
    *ret_count = memory->saved.bytes;
    *ret_bytes = memory->saved_seq ? malloc(memory->saved.bytes) : NULL;
    if (*ret_bytes)
        memcpy(*ret_bytes, memory->saved.text, memory->saved.bytes);
    return 0;
}

static void memory_close(void *self)
{
    (void)self;
}

static const struct lp_store_ops memory_ops = {.append = memory_append,
                                               .read = memory_read,
                                               .find = memory_find,
                                               .save = memory_save,
                                               .load = memory_load,
                                               .close = memory_close};

// The driver: keeps orders, replies well at once. What runs outlives engines, as nodes do.

struct hand {
    struct lp_event replies[256];
    size_t reply_count, starts, renders;
    char last_file[256], last_argv[256], last_names[2048];
    bool has_synced;
} hand;

static int hand_open(const struct lp_driver_env *env, void **ret_self, struct lp_err *err)
{
    (void)env, (void)err;
    hand.reply_count = 0;
    hand.has_synced = false;
    *ret_self = &hand;
    return 0;
}

static void remember(const struct lp_order *order)
{
    if (order->file_count)
        snprintf(hand.last_file, sizeof(hand.last_file), "%s", order->files[0].bytes);
    if (order->action.kind == LP_ACTION_START_APP)
        snprintf(hand.last_argv, sizeof(hand.last_argv), "%s", order->argv.items[0]);
    if (order->action.kind == LP_ACTION_PUBLISH) {
        hand.last_names[0] = '\0';
        for (size_t i = 0; i < order->name_count; i++) {
            strncat(hand.last_names, order->names[i].name, 200);
            strncat(hand.last_names, " ", 2);
        }
    }
    hand.starts += order->action.kind == LP_ACTION_START_NODE;
    hand.renders += order->action.kind == LP_ACTION_RENDER;
}

static int hand_begin(void *self, const struct lp_order *order, struct lp_err *err)
{
    (void)self, (void)err;
    const struct lp_action *action = &order->action;
    remember(order);
    enum lp_event_kind reply = lp_event_of_success(action->kind);
    if (reply == LP_EVENT_NONE || reply == LP_EVENT_READING)
        return 0;
    assert_true(hand.reply_count < 256);
    struct lp_event *event = &hand.replies[hand.reply_count++];
    lp_event_reply(event, reply, action);
    event->status = action->kind == LP_ACTION_KILL_APP ? 256 + 9 : 0;
    if (action->kind == LP_ACTION_INJECT_FAULT) { // kill: and so it ended
        struct lp_event *end = &hand.replies[hand.reply_count++];
        *end = *event;
        end->kind = LP_EVENT_APP_EXITED;
        end->status = 256 + 9;
    }
    return 0;
}

static int hand_collect(void *self, struct lp_inbox *inbox, struct lp_err *err)
{
    (void)self, (void)err;
    struct lp_event synced;
    lp_event_init(&synced, LP_EVENT_DRIVERS_SYNCED);
    if (!hand.has_synced)
        inbox->put(inbox, &synced);
    hand.has_synced = true;
    size_t count = hand.reply_count;
    hand.reply_count = 0;
    for (size_t i = 0; i < count; i++)
        inbox->put(inbox, &hand.replies[i]);
    return 0;
}

static int hand_wait_fd(void *self)
{
    (void)self;
    return -1;
}

static void hand_close(void *self)
{
    (void)self;
}

static const struct lp_driver driver = {.name = "hand",
                                        .action_kinds = UINT64_MAX,
                                        .open = hand_open,
                                        .begin = hand_begin,
                                        .collect = hand_collect,
                                        .wait_fd = hand_wait_fd,
                                        .close = hand_close};
static const struct lp_driver *const drivers[] = {&driver};

static int64_t now_ms = 1000000;

static int64_t clock_now(void *context)
{
    (void)context;
    return now_ms;
}

static struct lp_engine *engine_new(struct memory *memory)
{
    struct lp_engine *engine = NULL;
    struct lp_err err = {0};
    struct lp_engine_config config = {.root_id = "00000000",
                                      .store = {&memory_ops, memory},
                                      .clock = {clock_now, clock_now, NULL},
                                      .drivers = drivers,
                                      .driver_count = 1,
                                      .host = {.memory_bytes = 1ull << 33}};
    if (lp_engine_open(&config, &engine, &err) < 0)
        fail_msg("%s", err.text);
    return engine;
}

// Turn until nothing happens any more.
static void settle(struct lp_engine *engine)
{
    struct lp_err err;
    for (int i = 0; i < 500; i++) {
        assert_int_equal(lp_engine_tick(engine, &err), 0);
        if (lp_engine_wake_at_ms(engine) > now_ms && hand.reply_count == 0 &&
            lp_state_is_settled(lp_engine_state(engine), LP_NONE, false))
            return;
        now_ms += 10;
    }
    fail_msg("does not settle");
}

static const char canonical_form[] =
    "{\"name\":\"demo\",\"services\":{"
    "\"db\":{\"image\":\"host\",\"command\":[\"db\"]},"
    "\"web\":{\"image\":\"host\",\"command\":[\"{{ node }}\"],\"deploy\":{\"replicas\":%d},"
    "\"configs\":[{\"source\":\"c\",\"target\":\"/c\"}],"
    "\"depends_on\":{\"db\":{\"condition\":\"service_started\"}}}},"
    "\"configs\":{\"c\":{\"content\":\"%s {{ address db }}\"}}}";

// What `up` hands in: a person's file, parsed and printed.
static void descriptor(struct lp_str *text, int replicas, const char *word)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_err err = {0};
    const struct lp_descriptor *parsed = NULL;
    struct lp_pairs none = {0};
    struct lp_mistakes *mistakes = lp_arena_new(&arena, struct lp_mistakes);
    LP_OWNS_STR struct lp_str file = {0};
    char form[1024];
    snprintf(form, sizeof(form), canonical_form, replicas, word);
    lp_str_add(&file, form);
    struct lp_parse_input input = {.path = "/tmp/x.yaml",
                                   .text = lp_str_text(&file),
                                   .bytes = file.bytes,
                                   .environment = &none};
    if (lp_descriptor_parse(&input, &arena, mistakes, &parsed, &err) < 0)
        fail_msg("%s", err.text);
    lp_str_clear(text);
    lp_descriptor_print(parsed, text);
}

static int apply(struct lp_engine *engine, int replicas, const char *word, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    descriptor(&text, replicas, word);
    return lp_request_apply(engine, lp_str_text(&text), text.bytes, NULL, err);
}

struct world {
    struct memory *memory;
    struct lp_engine *engine;
};

static int set_up(void **state)
{
    static struct world world;
    memset(&hand, 0, sizeof(hand));
    world.memory = lp_heap_take(sizeof(*world.memory));
    world.engine = engine_new(world.memory);
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    lp_engine_close(world->engine);
    lp_arena_release(&world->memory->arena);
    lp_str_release(&world->memory->saved);
    lp_heap_free(world->memory);
    return 0;
}

static void assert_has(const struct lp_str *text, const char *part)
{
    if (!strstr(lp_str_text(text), part))
        fail_msg("no '%s' in: %s", part, lp_str_text(text));
}

static void up_renders_starts_and_publishes(void **state)
{
    struct world *world = *state;
    struct lp_err err;
    assert_int_equal(apply(world->engine, 2, "see", &err), 0);
    settle(world->engine);
    assert_int_equal(hand.starts, 3);
    assert_string_equal(hand.last_file, "see 10.64.0.2");
    assert_string_equal(hand.last_argv, "web-2");
    assert_non_null(strstr(hand.last_names, "web-1 "));
    LP_OWNS_STR struct lp_str json = {0};
    assert_int_equal(lp_view_nodes(world->engine, "demo", &json, &err), 0);
    assert_has(&json, "\"node\":\"web-2\",\"runtime\":\"crun\",\"state\":\"up\"");
    assert_has(&json, "\"health\":\"healthy\",\"address\":\"10.64.0.4\"");
    assert_int_equal(lp_view_nodes(world->engine, "other", &json, &err), LP_ENOTFOUND);
}

static void up_again_touches_only_what_changed(void **state)
{
    struct world *world = *state;
    struct lp_err err;
    LP_OWNS_STR struct lp_str text = {0};
    LP_OWNS_STR struct lp_str plan = {0};
    assert_int_equal(apply(world->engine, 2, "see", &err), 0);
    settle(world->engine);
    descriptor(&text, 2, "see");
    assert_int_equal(lp_view_plan(world->engine, text.text, text.bytes, &plan, &err), 0);
    assert_string_equal(lp_str_text(&plan), "{\"infrastructure\":\"demo\",\"steps\":[]}");
    descriptor(&text, 3, "look");
    lp_str_clear(&plan);
    assert_int_equal(lp_view_plan(world->engine, text.text, text.bytes, &plan, &err), 0);
    assert_has(&plan, "\"action\":\"render\",\"subject\":\"demo/web-1\"");
    assert_has(&plan, "\"action\":\"start-node\",\"subject\":\"demo/web-3\"");
    assert_null(strstr(lp_str_text(&plan), "db-1"));
    assert_int_equal(hand.starts, 3); // a plan starts nothing
    assert_int_equal(apply(world->engine, 3, "look", &err), 0);
    settle(world->engine);
    assert_int_equal(hand.starts, 4);
    assert_int_equal(hand.renders, 2);
}

static void foresight_leaves_the_world_alone(void **state)
{
    struct world *world = *state;
    struct lp_err err;
    LP_OWNS_STR struct lp_str plan = {0};
    assert_int_equal(apply(world->engine, 1, "see", &err), 0);
    settle(world->engine);
    uint64_t seq = lp_engine_last_seq(world->engine);
    assert_int_equal(lp_view_plan_if(world->engine, NULL, "node db-1 lost", &plan, &err), 0);
    assert_has(&plan, "\"action\":\"start-node\",\"subject\":\"demo/db-1\"");
    assert_int_equal(lp_engine_last_seq(world->engine), seq);
    assert_int_equal(hand.starts, 2);
    assert_int_equal(lp_view_plan_if(world->engine, NULL, "node nine lost", &plan, &err),
                     LP_ENOTFOUND);
    assert_int_equal(lp_view_plan_if(world->engine, NULL, "db-1 falls", &plan, &err), LP_EINPUT);
}

// A plan while orders are out foresees that they are answered, not that nothing is heard of them.
static void foresight_answers_what_is_out(void **state)
{
    struct world *world = *state;
    struct lp_err err;
    LP_OWNS_STR struct lp_str answer = {0};
    assert_int_equal(apply(world->engine, 2, "see", &err), 0);
    for (int i = 0; i < 60; i++) { // at each moment of coming up
        LP_OWNS_STR struct lp_str text = {0};
        LP_OWNS_STR struct lp_str plan = {0};
        descriptor(&text, 2, "see");
        assert_int_equal(lp_view_plan(world->engine, text.text, text.bytes, &plan, &err), 0);
        if (strstr(lp_str_text(&plan), "nothing was heard"))
            fail_msg("turn %d: %s", i, lp_str_text(&plan));
        assert_int_equal(lp_engine_tick(world->engine, &err), 0);
        now_ms += 10;
    }
    settle(world->engine);
    struct lp_fault_ask ask = {.infra = "demo", .target = "db-1", .fault = "kill"};
    assert_int_equal(lp_request_fault(world->engine, &ask, &answer, &err), 0);
    struct lp_foresight foresight;
    assert_int_equal(lp_foresee_begin(world->engine, &foresight, &err), 0);
    assert_true(lp_state_fault(lp_engine_state(foresight.engine), 0)->is_used);
    assert_int_equal(lp_engine_tick(foresight.engine, &err), 0);
    assert_false(lp_state_fault(lp_engine_state(foresight.engine), 0)->is_used);
    lp_foresee_end(&foresight);
    settle(world->engine);
}

static void a_full_disk_refuses_and_loses_nothing(void **state)
{
    struct world *world = *state;
    struct lp_err err;
    assert_int_equal(apply(world->engine, 1, "see", &err), 0);
    settle(world->engine);
    world->memory->is_full = true;
    assert_int_equal(lp_request_scale(world->engine, "demo", "web", 3, &err), LP_EIO);
    assert_string_equal(err.text, "write the journal: no space left on device");
    struct lp_event died;
    lp_event_init(&died, LP_EVENT_NODE_DEAD);
    died.node = 1;
    died.incarnation = 1;
    died.status = 256 + 9;
    hand.replies[hand.reply_count++] = died;
    assert_int_equal(lp_engine_tick(world->engine, &err), LP_EIO);
    assert_int_equal(hand.starts, 2); // law 1: not acted on before the journal has it
    world->memory->is_full = false;
    settle(world->engine);
    assert_int_equal(hand.starts, 3);
}

static void a_restart_knows_what_was_wanted(void **state)
{
    struct world *world = *state;
    struct lp_err err;
    assert_int_equal(apply(world->engine, 2, "see", &err), 0);
    settle(world->engine);
    for (int from_snapshot = 0; from_snapshot < 2; from_snapshot++) {
        if (from_snapshot)
            lp_engine_close(world->engine);
        else
            lp_engine_abandon(world->engine);
        assert_int_equal(world->memory->saved_seq > 0, from_snapshot);
        world->engine = engine_new(world->memory);
        settle(world->engine); // nothing runs any more: started anew, once
        LP_OWNS_STR struct lp_str json = {0};
        assert_int_equal(lp_view_infras(world->engine, NULL, &json, &err), 0);
        assert_has(&json, "\"infrastructure\":\"demo\",\"state\":\"healthy\"");
        assert_has(&json, "\"healthy\":3,\"wanted\":3");
    }
    assert_int_equal(hand.starts, 9);
}

static void why_tells_the_story(void **state)
{
    struct world *world = *state;
    struct lp_err err;
    LP_OWNS_STR struct lp_str why = {0};
    LP_OWNS_STR struct lp_str answer = {0};
    assert_int_equal(apply(world->engine, 1, "see", &err), 0);
    settle(world->engine);
    now_ms += 5000;
    struct lp_fault_ask ask = {.infra = "demo", .target = "db-1", .fault = "kill"};
    assert_int_equal(lp_request_fault(world->engine, &ask, &answer, &err), 0);
    assert_has(&answer, "[\"f1\"]");
    settle(world->engine);
    assert_int_equal(lp_view_why(world->engine, NULL, "db-1", &why, &err), 0);
    assert_has(&why, "Somebody asked to break db in db-1: kill (f1).");
    assert_has(&why, "db in db-1 was killed by signal 9.");
    assert_has(&why, "Limpet starts db in db-1, because it was killed by signal 9");
    assert_has(&why, "repaired 1 time so far");
    ask.target = "db-1/ledger";
    assert_int_equal(lp_request_fault(world->engine, &ask, &answer, &err), LP_ENOTFOUND);
    assert_int_equal(lp_request_restart(world->engine, "demo", "db-7", &err), LP_ENOTFOUND);
}

static void a_suspicion_is_told_once_a_second(void **state)
{
    struct world *world = *state;
    struct lp_engine *engine = world->engine;
    struct lp_err err;
    LP_OWNS_STR struct lp_str why = {0};
    assert_int_equal(apply(engine, 1, "see", &err), 0);
    settle(engine);
    now_ms += 5000;
    uint64_t seq = lp_engine_last_seq(engine);
    assert_int_equal(lp_request_suspicion(engine, "demo", "db-1/db", "a fire", &err), 0);
    assert_int_equal(lp_engine_last_seq(engine), seq + 1);
    assert_int_equal(lp_request_suspicion(engine, "demo", "db-1/db", "a flood", &err), 0);
    assert_int_equal(lp_engine_last_seq(engine), seq + 1);
    now_ms += 1000;
    assert_int_equal(lp_request_suspicion(engine, "demo", "db-1/db", "a frost", &err), 0);
    settle(engine);
    assert_int_equal(lp_view_why(engine, NULL, "db-1", &why, &err), 0);
    assert_has(&why, "A sensor beside its check doubts db in db-1: a fire.");
    assert_has(&why, "doubts db in db-1: a frost.");
    assert_null(strstr(lp_str_text(&why), "a flood"));
    assert_null(strstr(lp_str_text(&why), "Limpet kills"));
    assert_int_equal(lp_request_suspicion(engine, "demo", "db-1", "x", &err), LP_EINPUT);
    assert_int_equal(lp_request_suspicion(engine, "demo", "db/db", "x", &err), LP_EINPUT);
    assert_int_equal(lp_request_suspicion(engine, "demo", "db-7/db", "x", &err), LP_ENOTFOUND);
    LP_OWNS_STR struct lp_str endless = {0};
    for (int i = 0; i < LP_SUSPICION_TEXT_MAX; i++)
        lp_str_add(&endless, "ü"); // characters count, as in openapi.yaml, not bytes
    now_ms += 1000;
    assert_int_equal(lp_request_suspicion(engine, "demo", "db-1/db", lp_str_text(&endless), &err),
                     0);
    lp_str_add_char(&endless, 'x');
    assert_int_equal(lp_request_suspicion(engine, "demo", "db-1/db", lp_str_text(&endless), &err),
                     LP_EINPUT);
}

static void down_leaves_nothing(void **state)
{
    struct world *world = *state;
    struct lp_err err;
    LP_OWNS_STR struct lp_str json = {0};
    assert_int_equal(apply(world->engine, 2, "see", &err), 0);
    settle(world->engine);
    assert_int_equal(lp_request_down(world->engine, "demo", false, &err), 0);
    settle(world->engine);
    assert_int_equal(lp_view_infras(world->engine, NULL, &json, &err), 0);
    assert_string_equal(lp_str_text(&json), "[]");
    assert_int_equal(lp_request_down(world->engine, "demo", false, &err), LP_ENOTFOUND);
    assert_int_equal(apply(world->engine, 1, "again", &err), 0); // and up again
    settle(world->engine);
    assert_string_equal(hand.last_file, "again 10.64.0.2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(up_renders_starts_and_publishes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(up_again_touches_only_what_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(foresight_leaves_the_world_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(foresight_answers_what_is_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_refuses_and_loses_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_restart_knows_what_was_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(why_tells_the_story, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_suspicion_is_told_once_a_second, set_up, tear_down),
        cmocka_unit_test_setup_teardown(down_leaves_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
