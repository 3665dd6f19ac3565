// Tests of the daemon's interface as a function: a real engine and journal, no driver, no socket.
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "api/api.h"
#include "api/home.h"
#include "api/metrics.h"
#include "base/file.h"
#include "base/own.h"
#include "drivers/store_sqlite.h"
#include "engine/engine.h"

static const char written[] = "name: demo\n"
                              "services:\n"
                              "  web: {image: host, command: [sleep, '1'], scale: 2}\n";

struct world {
    char folder[64];
    struct lp_metrics metrics;
    struct lp_api api;
    struct lp_str descriptor; // canonical
};

static int64_t now_ms(void *context)
{
    (void)context;
    return (int64_t)time(NULL) * 1000;
}

static int descriptor_make(struct lp_str *ret_text, struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    const struct lp_descriptor *descriptor;
    struct lp_pairs environment = {0};
    struct lp_texts profiles = {0};
    struct lp_mistakes *mistakes = lp_arena_new(&arena, struct lp_mistakes);
    struct lp_parse_input input = {.path = "/demo.yaml",
                                   .text = written,
                                   .bytes = strlen(written),
                                   .environment = &environment,
                                   .profiles = &profiles};
    if (lp_descriptor_parse(&input, &arena, mistakes, &descriptor, err) < 0)
        return err->code;
    lp_descriptor_print(descriptor, ret_text);
    return 0;
}

static int world_make(void **state)
{
    struct lp_err err;
    struct world *world = calloc(1, sizeof(*world));
    strcpy(world->folder, "/tmp/limpet-api-XXXXXX");
    if (!mkdtemp(world->folder))
        return -1;
    char path[96];
    snprintf(path, sizeof(path), "%s/journal.db", world->folder);
    struct lp_engine_config config = {.root = world->folder,
                                      .root_id = "0badcafe",
                                      .clock = {now_ms, now_ms, NULL},
                                      .seed = 1,
                                      .host = {UINT64_MAX / 4, 1000}};
    if (descriptor_make(&world->descriptor, &err) < 0 ||
        lp_store_sqlite_open(path, &config.store, &err) < 0 ||
        lp_engine_open(&config, &world->api.engine, &err) < 0 ||
        lp_engine_tick(world->api.engine, &err) < 0)
        return -1;
    world->api.root = world->folder;
    world->api.metrics = &world->metrics;
    *state = world;
    return 0;
}

static int world_remove(void **state)
{
    struct world *world = *state;
    struct lp_err err;
    lp_engine_close(world->api.engine);
    lp_str_release(&world->descriptor);
    int code = lp_dir_remove(world->folder, &err);
    free(world);
    return code;
}

// The answer's status; its body, parsed, in *ret_body when that is not NULL.
static unsigned ask(struct world *world, const char *method, const char *path, const char *body,
                    json_t **ret_body)
{
    char route[256];
    struct lp_pair pairs[8];
    struct lp_api_answer answer = {0};
    struct lp_api_call call = {.method = method,
                               .path = route,
                               .query = {pairs, 0},
                               .body = body,
                               .body_bytes = body ? strlen(body) : 0};
    snprintf(route, sizeof(route), "%s", path);
    char *query = strchr(route, '?');
    if (query)
        *query++ = '\0';
    for (char *key = query ? strtok(query, "&") : NULL; key; key = strtok(NULL, "&")) {
        char *equals = strchr(key, '=');
        *equals = '\0';
        pairs[call.query.count++] = (struct lp_pair){key, equals + 1};
    }
    lp_api_answer(&world->api, &call, &answer);
    json_t *parsed = json_loads(lp_str_text(&answer.body), 0, NULL);
    assert_non_null(parsed);
    assert_int_equal(answer.wait_ms > 0, answer.status == 200 && strstr(path, "wait_ms=") != NULL);
    lp_str_release(&answer.body);
    if (ret_body)
        *ret_body = parsed;
    else
        json_decref(parsed);
    return answer.status;
}

static void apply(struct world *world)
{
    json_t *body = json_pack("{s:s}", "descriptor", lp_str_text(&world->descriptor));
    char *text = json_dumps(body, 0);
    assert_int_equal(ask(world, "PUT", "/v1/infrastructures/demo", text, NULL), 200);
    free(text);
    json_decref(body);
}

// Each route of the table stands in docs/openapi.yaml, and nothing else does.
static void routes_are_documented(void **state)
{
    (void)state;
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_err err;
    assert_int_equal(lp_file_read(LP_OPENAPI, 1 << 20, &text, &err), 0);
    size_t documented = 0, routed = 0;
    char path[128] = "";
    for (const char *line = strtok(text.text, "\n"); line; line = strtok(NULL, "\n")) {
        static const char *const methods[] = {"GET", "PUT", "POST", "DELETE"};
        if (strncmp(line, "  /v1/", 6) == 0)
            snprintf(path, sizeof(path), "%.*s", (int)strcspn(line + 2, ":"), line + 2);
        for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
            size_t bytes = strlen(methods[i]);
            if (strncmp(line, "    ", 4) != 0 || strncasecmp(line + 4, methods[i], bytes) != 0 ||
                line[4 + bytes] != ':')
                continue;
            const char *method, *route;
            size_t index = 0;
            while (lp_api_route(index, &method, &route) &&
                   (strcmp(method, methods[i]) != 0 || strcmp(route, path) != 0))
                index++;
            if (!lp_api_route(index, &method, &route))
                fail_msg("%s %s is documented and not routed", methods[i], path);
            documented++;
        }
    }
    for (const char *method, *route; lp_api_route(routed, &method, &route); routed++)
        continue;
    assert_int_equal(documented, routed);
}

static void errors_have_their_status(void **state)
{
    static const struct {
        const char *method, *path, *body;
        unsigned status;
        const char *text; // a part of it
    } cases[] = {
        {"GET", "/v1/nothing", NULL, 404, "/v1/nothing"},
        {"GET", "/v1/nodes/", NULL, 404, "no"},
        {"GET", "", NULL, 404, "no"},
        {"POST", "/v1/nodes", NULL, 405, "GET"},
        {"GET", "/v1/infrastructures/demo", NULL, 405, "PUT, DELETE"},
        {"GET", "/v1/nodes?infrastructur=demo", NULL, 400, "did you mean 'infrastructure'?"},
        {"GET", "/v1/nodes?infrastructure=other", NULL, 404, "other"},
        {"GET", "/v1/why", NULL, 400, "'node' is missing"},
        {"GET", "/v1/why?node=web-9", NULL, 404, "web-9"},
        {"GET", "/v1/events?limit=x", NULL, 400, "not a number"},
        {"GET", "/v1/events?limit=-1", NULL, 400, "not a number"},
        {"GET", "/v1/events?limit=99999999999999999999", NULL, 400, "not a number"},
        {"DELETE", "/v1/infrastructures/demo?volumes=maybe", NULL, 400, "neither true nor false"},
        {"DELETE", "/v1/infrastructures/other", NULL, 404, "other"},
        {"POST", "/v1/restart", NULL, 400, "body"},
        {"POST", "/v1/restart", "{\"target\":\"web-1\"}", 400, "'infrastructure' is missing"},
        {"POST", "/v1/restart", "{\"infrastructure\":\"demo\",\"target\":7}", 400, "a text"},
        {"POST", "/v1/restart", "{\"infrastructure\":\"demo\",\"target\":\"\"}", 400, "a text"},
        {"POST", "/v1/restart", "{\"infrastructure\":\"demo\",\"target\":\"x\\u0000\"}", 400,
         "u0000"},
        {"POST", "/v1/restart", "{\"infrastructure\":\"demo\",\"target\":\"web-1\",\"taget\":\"\"}",
         400, "did you mean 'target'?"},
        {"POST", "/v1/services/scale",
         "{\"infrastructure\":\"demo\",\"service\":\"web\",\"replicas\":10001}", 400, "10000"},
        {"POST", "/v1/services/scale",
         "{\"infrastructure\":\"demo\",\"service\":\"web\",\"replicas\":2.5}", 400, "number"},
        {"POST", "/v1/faults", "{\"infrastructure\":\"demo\",\"target\":\"web\",\"fault\":\"kil\"}",
         400, "'kill'"},
        {"POST", "/v1/faults",
         "{\"infrastructure\":\"demo\",\"target\":\"wed\",\"fault\":\"kill\"}", 404, "wed"},
        {"POST", "/v1/faults",
         "{\"infrastructure\":\"demo\",\"target\":\"web\",\"fault\":\"delay\"}", 400, "delay"},
        {"POST", "/v1/faults", "{\"target\":\"web\",\"fault\":\"daemon-kill\"}", 400, "limpet"},
        {"POST", "/v1/faults/heal", "{\"target\":\"f99\"}", 404, "f99"},
        {"PUT", "/v1/infrastructures/other", "{\"descriptor\":\"name: other\"}", 400, "descriptor"},
        {"PUT", "/v1/infrastructures/demo", "{\"descriptor\":[]}", 400, "an object"},
        {"PUT", "/v1/infrastructures/demo", "{\"secrets\":{}}", 400, "'descriptor' is missing"},
        {"POST", "/v1/plan", "{\"descriptor\":{}}", 400, "descriptor"},
        {"POST", "/v1/plan-if", "{\"if\":\"it rains\"}", 400, "it rains"},
        {"POST", "/v1/plan-if", "{\"if\":\"node web-9 lost\"}", 404, "web-9"},
        {"POST", "/v1/shutdown", "{\"now\":true}", 400, "now"},
    };
    apply(*state);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        json_t *body;
        unsigned status = ask(*state, cases[i].method, cases[i].path, cases[i].body, &body);
        const char *text = json_string_value(json_object_get(body, "text"));
        if (status != cases[i].status || !text || !strstr(text, cases[i].text))
            fail_msg("%s %s %s: %u %s", cases[i].method, cases[i].path,
                     cases[i].body ? cases[i].body : "", status, text ? text : "(no text)");
        json_decref(body);
    }
    struct world *world = *state;
    assert_false(world->api.is_ending);
}

static void requests_reach_the_engine(void **state)
{
    json_t *body;
    struct world *world = *state;
    apply(world);
    assert_int_equal(ask(world, "GET", "/v1/nodes?infrastructure=demo", NULL, &body), 200);
    assert_int_equal(json_array_size(body), 2);
    json_decref(body);
    assert_int_equal(ask(world, "POST", "/v1/services/scale",
                         "{\"infrastructure\":\"demo\",\"service\":\"web\",\"replicas\":3}", NULL),
                     200);
    assert_int_equal(ask(world, "GET", "/v1/services", NULL, &body), 200);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(body, 0), "wanted")), 3);
    json_decref(body);
    assert_int_equal(ask(world, "POST", "/v1/shutdown", NULL, NULL), 200);
    assert_true(world->api.is_ending);
}

static void secrets_stay_out_of_the_journal(void **state)
{
    LP_OWNS_STR struct lp_str journal = {0};
    struct lp_err err;
    struct world *world = *state;
    json_t *body = json_pack("{s:s, s:{s:s}}", "descriptor", lp_str_text(&world->descriptor),
                             "secrets", "key", "hunter2-in-the-dark");
    char *text = json_dumps(body, 0), path[128];
    assert_int_equal(ask(world, "PUT", "/v1/infrastructures/demo", text, NULL), 200);
    free(text);
    json_decref(body);
    snprintf(path, sizeof(path), "%s/journal.db-wal", world->folder);
    assert_int_equal(lp_file_read(path, 1 << 28, &journal, &err), 0);
    assert_null(memmem(journal.text, journal.bytes, "hunter2", 7));
    assert_non_null(memmem(journal.text, journal.bytes, "demo", 4));
}

static void waiting_is_for_what_is_not_there_yet(void **state)
{
    char path[96];
    struct world *world = *state;
    json_t *body;
    apply(world);
    unsigned long long last = lp_engine_last_seq(world->api.engine);
    snprintf(path, sizeof(path), "/v1/events?after=%llu&wait_ms=5000", last + 1000);
    assert_int_equal(ask(world, "GET", path, NULL, &body), 200);
    assert_int_equal(json_array_size(json_object_get(body, "events")), 0);
    json_decref(body);
    assert_int_equal(ask(world, "GET", "/v1/events?after=1&limit=2", NULL, &body), 200);
    assert_int_equal(json_array_size(json_object_get(body, "events")), 2);
    json_decref(body);
}

// A page of events holds as many as were asked for, however many between them tell nothing.
static void events_that_tell_nothing_are_not_counted(void **state)
{
    struct world *world = *state;
    json_t *body, *event;
    size_t i, silent = 0;
    apply(world);
    apply(world);
    assert_int_equal(ask(world, "GET", "/v1/events?limit=1000", NULL, &body), 200);
    json_array_foreach (json_object_get(body, "events"), i, event) {
        silent += json_string_length(json_object_get(event, "sentence")) == 0;
    }
    assert_true(silent > 0);
    json_decref(body);
    assert_int_equal(ask(world, "GET", "/v1/events?limit=4&told=true", NULL, &body), 200);
    assert_int_equal(json_array_size(json_object_get(body, "events")), 4);
    json_array_foreach (json_object_get(body, "events"), i, event) {
        assert_true(json_string_length(json_object_get(event, "sentence")) > 0);
    }
    json_decref(body);
    assert_int_equal(ask(world, "GET", "/v1/events?after=1&limit=1&told=true", NULL, &body), 200);
    assert_int_equal(json_array_size(json_object_get(body, "events")), 1);
    json_decref(body);
}

static void bodies_are_bounded_by_route(void **state)
{
    (void)state;
    assert_int_equal(lp_api_body_max("PUT", "/v1/infrastructures/demo"), LP_API_BODY_MAX);
    assert_int_equal(lp_api_body_max("POST", "/v1/restart"), LP_API_SMALL_BODY_MAX);
    assert_int_equal(lp_api_body_max("POST", "/v1/nothing"), 0);
    assert_int_equal(lp_api_body_max("PUT", "/v1/infrastructures/"), 0);
    assert_int_equal(lp_api_body_max("PUT", "/v1/infrastructures/a/b"), 0);
}

// The root.

static int folder_make(void **state)
{
    char *folder = strdup("/tmp/limpet-home-XXXXXX");
    *state = folder;
    return folder && mkdtemp(folder) ? 0 : -1;
}

static int folder_remove(void **state)
{
    struct lp_err err;
    int code = lp_dir_remove(*state, &err);
    free(*state);
    return code;
}

static void one_daemon_a_root(void **state)
{
    struct lp_home home, again;
    struct lp_err err;
    struct stat status;
    char id[9];
    assert_int_equal(lp_home_open(*state, &home, &err), 0);
    assert_int_equal(strspn(home.id, "0123456789abcdef"), 8);
    assert_int_equal(stat(*state, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(lp_home_open(*state, &again, &err), LP_ECONFLICT);
    char pid[24];
    snprintf(pid, sizeof(pid), "(process %d)", (int)getpid());
    assert_non_null(strstr(err.text, pid));
    memcpy(id, home.id, sizeof(id));
    lp_home_close(&home);
    assert_int_equal(lp_home_open(*state, &again, &err), 0);
    assert_string_equal(again.id, id);
    lp_home_close(&again);
}

static void a_folder_of_others_is_left_alone(void **state)
{
    struct lp_home home;
    struct lp_err err;
    struct stat status;
    char path[96];
    snprintf(path, sizeof(path), "%s/letter.txt", (char *)*state);
    assert_int_equal(lp_file_write(path, "mine", 4, 0644, &err), 0);
    assert_int_equal(chmod(*state, 0755), 0);
    assert_int_equal(lp_home_open(*state, &home, &err), LP_ECONFLICT);
    assert_non_null(strstr(err.text, "letter.txt"));
    assert_int_equal(stat(*state, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0755);
}

static void a_damaged_id_is_told(void **state)
{
    struct lp_home home;
    struct lp_err err;
    char path[96];
    snprintf(path, sizeof(path), "%s/id", (char *)*state);
    assert_int_equal(lp_file_write(path, "12", 2, 0600, &err), 0);
    assert_int_equal(lp_home_open(*state, &home, &err), LP_ECORRUPT);
    assert_int_equal(lp_file_write(path, "../../xx", 8, 0600, &err), 0);
    assert_int_equal(lp_home_open(*state, &home, &err), LP_EINPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_are_documented),
        cmocka_unit_test_setup_teardown(errors_have_their_status, world_make, world_remove),
        cmocka_unit_test_setup_teardown(requests_reach_the_engine, world_make, world_remove),
        cmocka_unit_test_setup_teardown(secrets_stay_out_of_the_journal, world_make, world_remove),
        cmocka_unit_test_setup_teardown(waiting_is_for_what_is_not_there_yet, world_make,
                                        world_remove),
        cmocka_unit_test_setup_teardown(events_that_tell_nothing_are_not_counted, world_make,
                                        world_remove),
        cmocka_unit_test(bodies_are_bounded_by_route),
        cmocka_unit_test_setup_teardown(one_daemon_a_root, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_folder_of_others_is_left_alone, folder_make,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(a_damaged_id_is_told, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
