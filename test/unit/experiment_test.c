// Tests of the reader of experiments: what is wrong is told with its place, all in one go.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/experiment.h"
#include "model/parse_mistake.h"

static struct lp_mistakes mistakes;

static int parse(const char *text, struct lp_arena *arena, struct lp_experiment *ret_experiment)
{
    struct lp_err err;
    struct lp_pair pairs[] = {{"PORT", "8081"}, {"EMPTY", ""}};
    const struct lp_pairs variables = {pairs, 2};
    const struct lp_experiment_input input = {
        .path = "/a/b/c.yaml", .text = text, .bytes = strlen(text), .variables = &variables};
    return lp_experiment_parse(&input, arena, &mistakes, ret_experiment, &err);
}

#define HEAD  "title: t\nsteady_state: [{tcp: 127.0.0.1, port: 1}]\n"
#define STEP  HEAD "stages:\n- break:\n  - "
#define CHECK HEAD "stages:\n- break: []\n  checks:\n  - "

static const struct {
    const char *text;
    int line, column;
    const char *says;
} cases[] = {
    {"[]", 1, 1, "an experiment must be a mapping"},
    {"titel: x", 1, 1, "did you mean 'title'"},
    {"title: x\nstages: []", 1, 1, "'steady_state' is missing"},
    {HEAD, 1, 1, "'stages' is missing"},
    {HEAD "stages: []\ninfrastructure: a\ncompare: [a, b]", 5, 10, "either 'infrastructure'"},
    {HEAD "stages: []\ncompare: [a]", 4, 10, "at least two"},
    {HEAD "stages: []\nrequires: [{comand: sh}]", 4, 12, "did you mean 'command'"},
    {HEAD "stages: []\nrequires: [{runtime: vmm}]", 4, 22, "is not container or vm"},
    {HEAD "stages: []\nreference: [{what: a, valeu: 1 s}]", 4, 23, "did you mean 'value'"},
    {HEAD "stages: []\nreference: [{what: a, value: 1 s}]", 4, 13, "'source' is missing"},
    {HEAD "stages: []\nreference: [{what: a, value: b, source: c, variant: d}]", 4, 13,
     "'compare' has no 'd'"},
    {HEAD "stages: []\ncompare: [{name: a, descriptor: a, break: perhaps}, b]", 4, 43, "perhaps"},
    {HEAD "stages: []\nrepeat: 0", 4, 9, "not within 1 to 1000"},
    {HEAD "stages: [{heal: []}]", 3, 10, "nothing is broken yet"},
    {HEAD "stages: [{break: []}, {setup: []}]", 3, 23, "'setup' comes before 'break'"},
    {HEAD "stages: [{braek: []}]", 3, 10, "did you mean 'break'"},
    {HEAD "stages: [{break: [], heal: []}]", 3, 28, "either 'break' or 'heal'"},
    {STEP "{break: a}", 5, 5, "'fault' is missing"},
    {STEP "{break: a, fault: kil}", 5, 23, "did you mean 'kill'"},
    {STEP "{break: a, fault: cut, for: ever}", 5, 33, "has an end"},
    {STEP "{break: a, fault: cut, delay: 1s}", 5, 23, "delay"},
    {STEP "{swizzle: a, fault: kill}", 5, 25, "restores what it stops"},
    {STEP "{repeat: 2}", 5, 5, "'do' is missing"},
    {STEP "{random: []}", 5, 14, "random: [{weight"},
    {STEP "{wait: soon}", 5, 12, "is not a duration"},
    {STEP "{scale: web}", 5, 13, "scale: {SERVICE: NUMBER}"},
    {STEP "{wiat: 1s}", 5, 5, "did you mean 'wait'"},
    {CHECK "{http: 'ftp://x'}", 6, 12, "a URL is written"},
    {CHECK "{http: {service: a, node: b}}", 6, 5, "say where"},
    {CHECK "{http: {service: a}, status: 99}", 6, 34, "is not a status"},
    {CHECK "{http: {service: a, regex: '['}}", 6, 32, "["},
    {CHECK "{tcp: 127.0.0.1}", 6, 5, "a 'port'"},
    {CHECK "{tcp: {node: a}}", 6, 5, "a 'port'"},
    {CHECK "{tcp: {nod: a, port: 1}}", 6, 12, "did you mean 'node'"},
    {CHECK "{log: a}", 6, 5, "'contains' or 'regex'"},
    {CHECK "{metric: healthy, service: a}", 6, 5, "'least', 'most' or 'equals'"},
    {CHECK "{promql: up, least: 1}", 6, 5, "'url' of the Prometheus"},
    {CHECK "{ping: a, until: tomorrow}", 6, 22, "faults-end"},
    {CHECK "{ping: a, until: load-end, for: 1s}", 6, 5, "either 'until' or 'for'"},
    {CHECK "{ping: a, every: 1ms}", 6, 22, "at most every 10ms"},
    {CHECK "{ping: a, status: 200}", 6, 15, "unknown key 'status'"},
    {CHECK "{ping: '${NOBODY}'}", 6, 12, "${NOBODY} is not set"},
    {"title: t\nmethod: [{name: a, provider: {type: python}}]", 2, 37, "no Python"},
    {"title: t\nmethod: []\nconfiguration: {a: {type: probe, name: x}}", 3, 20, "knows type: env"},
    {"title: t\nmethod: []\nconfiguration: {a: {type: env, key: NOBODY}}", 3, 20, "NOBODY is not"},
    {"title: t\nmethod: [{ref: a}]", 2, 16, "no activity named 'a'"},
    {"title: t\nsteady-state-hypothesis: {probes: [{name: a, provider: {type: process, path: "
     "x}}]}\nmethod: []",
     2, 36, "'tolerance' is missing"},
};

static void wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        LP_OWNS_ARENA struct lp_arena arena = {0};
        struct lp_experiment experiment;
        bool is_told = false;
        assert_int_equal(parse(cases[i].text, &arena, &experiment), LP_EINPUT);
        for (size_t k = 0; k < mistakes.count; k++)
            is_told = is_told || (mistakes.items[k].line == cases[i].line &&
                                  mistakes.items[k].column == cases[i].column &&
                                  strstr(mistakes.items[k].text, cases[i].says));
        if (!is_told)
            fail_msg("%s\n%d:%d: %s (not %d:%d: %s)", cases[i].text, mistakes.items[0].line,
                     mistakes.items[0].column, mistakes.items[0].text, cases[i].line,
                     cases[i].column, cases[i].says);
    }
}

static void all_at_once(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_experiment experiment;
    assert_int_equal(parse("titel: x\nsteady_state: [{pnig: a}]\nstages: [{break: [{wait: x}]}]\n"
                           "repeat: many\n",
                           &arena, &experiment),
                     LP_EINPUT);
    assert_int_equal(mistakes.count, 5);
    assert_int_equal(mistakes.items[4].line, 4);
}

static void right(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_experiment experiment;
    assert_int_equal(
        parse("title: to ${PORT} $5 $${x}\ninfrastructure: x.yaml\n"
              "steady_state: {for: 3s, checks: [{http: 'http://127.0.0.1:${PORT}/', expect: "
              "fail}]}\n"
              "stages:\n- break:\n  - {break: web, fault: delay, delay: 10ms, select: 50%}\n"
              "  - {swizzle: web, fault: pause, for: 5s, of_nodes: 25%}\n"
              "  checks: [{node: web-1}, {exec: 'sh -c \"a b\"', node: web-1, within: 2s}]\n",
              &arena, &experiment),
        0);
    assert_string_equal(experiment.title, "to 8081 $5 ${x}");
    assert_string_equal(experiment.infrastructure, "/a/b/x.yaml");
    assert_int_equal(experiment.steady_for_ms, 3000);
    assert_string_equal(experiment.steady.items[0].url, "http://127.0.0.1:8081/");
    assert_true(experiment.steady.items[0].is_failure_expected);
    const struct lp_experiment_stage *stage = &experiment.stages[0];
    assert_int_equal(stage->steps.count, 2);
    assert_string_equal(stage->steps.items[0].options.items[0].value, "10ms");
    assert_string_equal(stage->steps.items[0].name, "break web: delay");
    assert_int_equal(stage->steps.items[1].share_permille, 250);
    assert_int_equal(stage->checks.items[0].kind, LP_EXPERIMENT_NODE);
    assert_string_equal(stage->checks.items[0].is, "healthy");
    assert_int_equal(stage->checks.items[1].argv.count, 3);
    assert_string_equal(stage->checks.items[1].argv.items[2], "a b");
    struct lp_experiment_check again;
    struct lp_err err;
    assert_int_equal(
        lp_experiment_check_read(experiment.steady.items[0].source, &arena, &again, &err), 0);
    assert_string_equal(again.url, "http://127.0.0.1:8081/");
}

static void compared(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_experiment experiment;
    assert_int_equal(parse(HEAD
                           "stages: []\ncompare: [{name: a, descriptor: a.yaml, break: false}, "
                           "{name: b, descriptor: b.yaml, set: {X: y}, requires: [{runtime: "
                           "vm}]}]\n"
                           "reference:\n- {what: w, value: 22 s, source: s}\n"
                           "- {what: w, value: 46 %, source: s, differs: d, variant: b, "
                           "figure: to_repair_us}\n",
                           &arena, &experiment),
                     0);
    assert_int_equal(experiment.compare_count, 2);
    assert_true(experiment.compare[0].is_left_whole);
    assert_false(experiment.compare[1].is_left_whole);
    assert_string_equal(experiment.compare[1].infrastructure, "/a/b/b.yaml");
    assert_string_equal(experiment.compare[1].set.items[0].value, "y");
    assert_int_equal(experiment.compare[1].requires.items[0].kind, LP_REQUIRES_RUNTIME);
    assert_int_equal(experiment.reference_count, 2);
    assert_string_equal(experiment.references[0].value, "22 s");
    assert_null(experiment.references[0].variant);
    assert_string_equal(experiment.references[1].differs, "d");
    assert_string_equal(experiment.references[1].variant, "b");
    assert_string_equal(experiment.references[1].figure, "to_repair_us");
}

static void chaos_toolkit(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_experiment experiment;
    assert_int_equal(
        parse("{\"title\": \"t\", \"configuration\": {\"a\": \"b\", \"p\": {\"type\": \"env\", "
              "\"key\": \"PORT\"}}, \"steady-state-hypothesis\": {\"title\": \"h\", \"probes\": "
              "[{\"type\": \"probe\", \"name\": \"n\", \"tolerance\": [200, 299], \"provider\": "
              "{\"type\": \"http\", \"url\": \"http://x:${p}/${a}${zz}\", \"timeout\": [1, "
              "0.5]}}]},\n"
              "\"method\": [{\"ref\": \"n\"}, {\"name\": \"m\", \"background\": true, \"pauses\": "
              "{\"before\": 1, \"after\": 0.5}, \"provider\": {\"type\": \"process\", \"path\": "
              "\"echo\", \"arguments\": {\"-n\": \"x\"}}}], \"rollbacks\": [{\"ref\": \"m\"}]}",
              &arena, &experiment),
        0);
    assert_true(experiment.is_chaos_toolkit);
    const struct lp_experiment_activity *activity = experiment.steady.items[0].activity;
    assert_string_equal(activity->url, "http://x:8081/b${zz}");
    assert_int_equal(activity->timeout_ms, 1500);
    assert_int_equal(activity->tolerance->kind, LP_TOLERANCE_ONE_OF); // two are no range
    assert_string_equal(activity->method, "GET");
    assert_false(experiment.has_controls);
    assert_int_equal(experiment.stage_count, 2);
    assert_int_equal(experiment.stages[0].steps.count, 4);
    assert_int_equal(experiment.stages[0].steps.items[1].wait_ms, 1000);
    assert_true(experiment.stages[0].steps.items[2].is_background);
    assert_int_equal(experiment.stages[0].steps.items[2].activity->argv.count, 3);
    assert_int_equal(experiment.stages[1].kind, LP_EXPERIMENT_CLEANUP);
}

// What its authors read in a file, field by field: chaostoolkit-lib, provider/ and
// configuration.py.
static void chaos_providers(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_experiment experiment;
    assert_int_equal(
        parse(
            "title: t of $word\n"
            "controls: [{name: c, provider: {type: python, module: m}}]\n"
            "configuration: {word: b, port: {type: env, key: PORT, env_var_type: int}, none: "
            "{type: env, key: NOBODY, default: d}}\n"
            "secrets: {group: {token: {type: env, key: PORT}, plain: s}}\n"
            "method:\n"
            "- {name: shell, provider: {type: process, path: echo, arguments: '-n $word | cat'}}\n"
            "- {name: list, provider: {type: process, path: x, arguments: [a, '', ~, '${none}']}}\n"
            "- {name: map, provider: {type: process, path: x, arguments: {-a: '', -b: 2}}}\n"
            "- {name: post, provider: {type: http, url: 'http://h/${port}/$HOME', method: post, "
            "verify_tls: false, headers: {X: '${token}${plain}'}, arguments: {a: 1}}}\n"
            "rollbacks: []\n",
            &arena, &experiment),
        0);
    assert_string_equal(experiment.title, "t of b");
    assert_true(experiment.has_controls);
    const struct lp_experiment_step *steps = experiment.stages[0].steps.items;
    assert_string_equal(steps[0].activity->argv.items[0], "/bin/sh");
    assert_string_equal(steps[0].activity->argv.items[2], "echo -n b | cat");
    assert_int_equal(steps[1].activity->argv.count, 3);
    assert_string_equal(steps[1].activity->argv.items[2], "d");
    assert_int_equal(steps[2].activity->argv.count, 4);
    assert_string_equal(steps[2].activity->argv.items[3], "2");
    assert_string_equal(steps[3].activity->method, "POST");
    assert_string_equal(steps[3].activity->url, "http://h/8081/$HOME");
    assert_string_equal(steps[3].activity->headers.items[0].value, "8081s");
    assert_string_equal(steps[3].activity->body, "{\"a\":1}");
    assert_true(steps[3].activity->is_tls_unverified);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong),         cmocka_unit_test(all_at_once),
        cmocka_unit_test(right),         cmocka_unit_test(compared),
        cmocka_unit_test(chaos_toolkit), cmocka_unit_test(chaos_providers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
