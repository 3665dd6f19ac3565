// Tests of the events' JSON: every kind survives print and parse; what is wrong is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "model/event.h"

static void fill_wants(struct lp_event *event)
{
    if (event->kind == LP_EVENT_SERVICE_SET) {
        event->service_want =
            (struct lp_service_want){.node_hash = UINT64_MAX,
                                     .files_hash = 7,
                                     .memory_bytes = 1 << 30,
                                     .replicas = 3,
                                     .image = 2,
                                     .cpu_permille = 500,
                                     .stop_grace_ms = 10000,
                                     .app_count = 2,
                                     .owns_state = true,
                                     .depend_count = 2,
                                     .observe_count = 1,
                                     .depends = {{5, LP_WHOLE_SERVICE, 1}, {6, 3, 2}},
                                     .observes = {9}};
    }
    if (event->kind == LP_EVENT_APP_SET) {
        event->app_want = (struct lp_app_want){.kind = LP_APP_SETUP,
                                               .restart_condition = LP_RESTART_ALWAYS,
                                               .has_readiness = true,
                                               .reload_kind = LP_RELOAD_SIGNAL,
                                               .depend_count = 1,
                                               .delay_ms = 1,
                                               .max_attempts = 2,
                                               .window_ms = 3,
                                               .stop_grace_ms = 4,
                                               .timeout_ms = 5,
                                               .start_period_ms = 6,
                                               .retries = 7,
                                               .depends = {{1, 2, 0}}};
    }
    if (event->kind == LP_EVENT_HOST_UP)
        event->host_facts = (struct lp_host_facts){UINT64_C(1) << 60, 2000};
}

static void every_kind_survives(void **state)
{
    (void)state;
    for (int kind = 1; kind < LP_EVENT_KINDS; kind++) {
        LP_OWNS_ARENA struct lp_arena arena = {0};
        LP_OWNS_STR struct lp_str first = {0}, second = {0};
        struct lp_event event, again;
        lp_event_init(&event, (enum lp_event_kind)kind);
        event.seq = 77, event.at_ms = 1700000000123;
        event.infra = 0, event.service = 4, event.node = 5, event.app = 6, event.host = 1;
        event.incarnation = 2, event.image = 3, event.run = 9, event.status = 256 + 9;
        event.replicas = 4, event.revision = UINT64_MAX - 1;
        event.is_oom = event.is_ok = event.is_forced = true;
        event.text = "said \"so\"\n";
        fill_wants(&event);
        struct lp_err err = {0};
        lp_event_print(&event, &first);
        assert_null(strchr(first.text, '\n'));
        assert_int_equal(lp_event_parse(first.text, first.bytes, &arena, &again, &err), 0);
        lp_event_print(&again, &second);
        assert_string_equal(lp_str_text(&first), lp_str_text(&second));
        assert_int_equal(again.kind, kind);
        assert_int_equal(again.node, 5);
        assert_string_equal(again.text, event.text);
        if (kind == LP_EVENT_SERVICE_SET)
            assert_memory_equal(&again.service_want, &event.service_want,
                                sizeof(event.service_want));
        if (kind == LP_EVENT_APP_SET)
            assert_memory_equal(&again.app_want, &event.app_want, sizeof(event.app_want));
    }
}

static void the_line_is_short_and_stable(void **state)
{
    (void)state;
    LP_OWNS_STR struct lp_str line = {0};
    struct lp_event event;
    lp_event_init(&event, LP_EVENT_APP_EXITED);
    event.seq = 12, event.at_ms = 5000, event.node = 3, event.app = 0;
    event.incarnation = 1, event.run = 2, event.status = 137;
    lp_event_print(&event, &line);
    assert_string_equal(lp_str_text(&line),
                        "{\"event\":\"app-exited\",\"seq\":12,\"at_ms\":5000,\"node\":3,\"app\":0,"
                        "\"incarnation\":1,\"run\":2,\"status\":137,\"is_oom\":false}");
}

static void what_is_absent_is_the_default(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_event event;
    struct lp_err err = {0};
    const char *line = "{\"event\":\"service-set\",\"want\":{\"replicas\":2}}";
    assert_int_equal(lp_event_parse(line, strlen(line), &arena, &event, &err), 0);
    assert_int_equal(event.infra, LP_NONE);
    assert_int_equal(event.service_want.image, LP_NONE);
    assert_int_equal(event.service_want.replicas, 2);
    assert_null(event.text);
}

static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *text;
    } cases[] = {
        {"", "event: 1:0: '[' or '{' expected near end of file"},
        {"[]", "event: the key \"event\" with a word is missing"},
        {"{\"event\":\"none\"}", "event: unknown event \"none\""},
        {"{\"event\":\"node-pu\"}", "event: unknown event \"node-pu\", did you mean \"node-up\"?"},
        {"{\"event\":\"node-up\",\"status\":1}", "event: unknown key \"status\""},
        {"{\"event\":\"node-up\",\"nod\":1}", "event: unknown key \"nod\", did you mean \"node\"?"},
        {"{\"event\":\"node-up\",\"node\":-1}",
         "event: \"node\" must be a number that is not negative"},
        {"{\"event\":\"node-up\",\"node\":4294967295}",
         "event: \"node\" must be at most 4294967294"},
        {"{\"event\":\"node-up\",\"node\":\"1\"}",
         "event: \"node\" must be a number that is not negative"},
        {"{\"event\":\"node-up\",\"text\":1}", "event: \"text\" must be a text"},
        {"{\"event\":\"reading\",\"is_ok\":1}", "event: \"is_ok\" must be true or false"},
        {"{\"event\":\"node-dead\",\"status\":4294967296}",
         "event: \"status\" must be a number of 32 bits"},
        {"{\"event\":\"app-set\",\"want\":{\"kind\":\"serv\"}}",
         "event: unknown kind \"serv\", did you mean \"serve\"?"},
        {"{\"event\":\"app-set\",\"want\":{\"depends\":[[1,2,3]]}}",
         "event: \"depends\" must be at most 2"},
        {"{\"event\":\"app-set\",\"want\":{\"depends\":[[1,2]]}}",
         "event: \"depends\" must be a list of [service, app, condition]"},
        {"{\"event\":\"service-set\",\"want\":{\"observes\":[1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8]}}",
         "event: \"observes\" must be a list of at most 16"},
        {"{\"event\":\"service-set\",\"want\":{\"node_hash\":\"zz00000000000000\"}}",
         "event: \"node_hash\" must be a number that is not negative"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        LP_OWNS_ARENA struct lp_arena arena = {0};
        struct lp_event event;
        struct lp_err err = {0};
        const char *line = cases[i].line;
        assert_int_equal(lp_event_parse(line, strlen(line), &arena, &event, &err), LP_EINPUT);
        assert_string_equal(err.text, cases[i].text);
    }
}

static void twice_the_same_key_is_refused(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_event event;
    struct lp_err err = {0};
    const char *line = "{\"event\":\"tick\",\"seq\":1,\"seq\":2}";
    assert_int_equal(lp_event_parse(line, strlen(line), &arena, &event, &err), LP_EINPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_survives),
        cmocka_unit_test(the_line_is_short_and_stable),
        cmocka_unit_test(what_is_absent_is_the_default),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(twice_the_same_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
