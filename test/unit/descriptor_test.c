// Tests of the descriptor that files cannot show: bounds, fingerprints, positions, secrets, words.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "model/descriptor.h"
#include "model/duration.h"
#include "model/interpolate.h"
#include "model/limits.h"
#include "model/parse.h"
#include "model/parse_env_file.h"

static struct lp_mistakes mistakes;

static int parse_n(const char *text, size_t bytes, struct lp_arena *arena,
                   const struct lp_descriptor **ret_descriptor)
{
    static struct lp_pair pairs[] = {{"SECRET", "hush"}, {"NAME", "world"}};
    const struct lp_pairs environment = {pairs, 2};
    const struct lp_parse_input input = {
        .path = "/tmp/x.yaml", .text = text, .bytes = bytes, .environment = &environment};
    struct lp_err err;
    return lp_descriptor_parse(&input, arena, &mistakes, ret_descriptor, &err);
}

static const struct lp_descriptor *parse(const char *text, struct lp_arena *arena)
{
    const struct lp_descriptor *descriptor = NULL;
    if (parse_n(text, strlen(text), arena, &descriptor) < 0)
        fail_msg("%d:%d: %s\nin:\n%s", mistakes.items[0].line, mistakes.items[0].column,
                 mistakes.items[0].text, text);
    return descriptor;
}

#define MAKE(keys) "name: t\nservices:\n  web: {image: host, command: x" keys "}\n"

// What changes the node, what only the files, and what neither.
static void test_fingerprints(void **state)
{
    (void)state;
    static const char *const base =
        "configs: {c: {content: one}}\nvolumes: {v: }\nsecrets: {s: {environment: NAME}}\n"
        "name: t\nservices:\n  db: {image: host, command: y}\n"
        "  web: {image: host, command: x, configs: [c]";
    static const struct {
        const char *added, *tail;
        bool is_new_node;
    } cases[] = {
        {", scale: 3", "", false},
        {", ports: [\"1:1\"]", "", false},
        {", depends_on: [db]", "", false},
        {", labels: {a: b}", "", false},
        {", restart: no", "", false},
        {", reload: nothing", "", false},
        {", stop_grace_period: 3s", "", false},
        {", networks: {default: {aliases: [a]}}", "", false},
        {", environment: {A: b}", "", true},
        {", user: me", "", true},
        {", working_dir: /a", "", true},
        {", hostname: h", "", true},
        {", entrypoint: e", "", true},
        {", volumes: [\"v:/v\"]", "", true},
        {", secrets: [s]", "", true},
        {", read_only: true", "", true},
        {", privileged: true", "", true},
        {", cap_add: [KILL]", "", true},
        {", healthcheck: {test: [PING]}", "", true},
        {", stop_signal: INT", "", true},
        {", setup: [{name: s, command: x}]", "", true},
        {", deploy: {resources: {limits: {pids: 9}}}", "", true},
        {"", "networks: {default: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}\n", true},
        {"", "networks: {default: {nat: true}}\n", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        LP_OWNS_ARENA struct lp_arena arena = {0};
        const struct lp_descriptor *before = parse(lp_arena_printf(&arena, "%s}\n", base), &arena);
        const struct lp_descriptor *after = parse(
            lp_arena_printf(&arena, "%s%s}\n%s", base, cases[i].added, cases[i].tail), &arena);
        const struct lp_service *a = lp_descriptor_find_service(before, "web");
        const struct lp_service *b = lp_descriptor_find_service(after, "web");
        if ((a->node_hash != b->node_hash) != cases[i].is_new_node)
            fail_msg("%s%s: node_hash", cases[i].added, cases[i].tail);
        assert_true(a->files_hash == b->files_hash);
    }
}

static void test_config_changes_files_only(void **state)
{
    (void)state;
    static const char *const texts[] = {"{content: one}", "{content: two}", "{environment: NAME}",
                                        "{content: world}"};
    uint64_t node[4], files[4];
    for (size_t i = 0; i < 4; i++) {
        LP_OWNS_ARENA struct lp_arena arena = {0};
        const struct lp_descriptor *d = parse(
            lp_arena_printf(&arena, "configs: {c: %s}\n" MAKE(", configs: [c]"), texts[i]), &arena);
        node[i] = d->services[0].node_hash;
        files[i] = d->services[0].files_hash;
        for (size_t k = 0; k < i; k++) {
            assert_true(node[k] == node[i]);
            assert_true(files[k] != files[i]); // "world" verbatim and as a template differ, too
        }
    }
}

static void test_derived(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    const struct lp_descriptor *d = parse(
        "name: t\nvolumes: {v: }\nconfigs: {c: {content: '{{ address b }}{{ addresses d }}'}}\n"
        "services:\n"
        "  a: {image: host, command: 'x {{ address d }}', configs: [c], volumes: ['v:/v:ro']}\n"
        "  b: {image: host, command: x, volumes: ['v:/v']}\n"
        "  d: {image: host, command: x, volumes: ['/tmp:/v'], tmpfs: /t,\n"
        "      environment: {E: '{{ each a }}{{ end }}'}}\n"
        "  e: {image: host, command: x, tmpfs: /t}\n",
        &arena);
    static const struct {
        bool owns_state;
        size_t observed;
    } wanted[] = {{false, 2}, {true, 0}, {true, 1}, {false, 0}};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(d->services[i].owns_state, wanted[i].owns_state);
        assert_int_equal(d->services[i].observes.count, wanted[i].observed);
    }
    assert_string_equal(d->services[0].observes.items[0], "d");
    assert_string_equal(d->services[0].observes.items[1], "b");
    assert_string_equal(d->services[0].apps[0].argv.items[1], "{{ address d }}");
    assert_null(lp_descriptor_find_service(d, "c"));
    assert_ptr_equal(lp_descriptor_find_service(d, "b"), &d->services[1]);
    assert_ptr_equal(lp_service_find_app(&d->services[1], "b"), &d->services[1].apps[0]);
    assert_null(lp_service_find_app(&d->services[1], "x"));
}

static void test_defaults(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    const struct lp_descriptor *d =
        parse(MAKE(", healthcheck: {test: [PING]}, setup: [{name: s, command: y}]"), &arena);
    const struct lp_service *web = &d->services[0];
    assert_int_equal(web->app_count, 2);
    assert_int_equal(web->apps[0].kind, LP_APP_SETUP);
    assert_int_equal(web->apps[0].timeout_ms, 300000);
    const struct lp_app *app = &web->apps[1];
    assert_int_equal(app->health.interval_ms, 30000);
    assert_int_equal(app->health.timeout_ms, 30000);
    assert_int_equal(app->health.start_interval_ms, 5000);
    assert_int_equal(app->health.start_period_ms, 0);
    assert_int_equal(app->health.retries, 3);
    assert_int_equal(app->restart.condition, LP_RESTART_ALWAYS);
    assert_int_equal(app->restart.delay_ms, 100);
    assert_int_equal(app->restart.window_ms, 60000);
    assert_int_equal(app->restart.max_attempts, 0);
    assert_int_equal(app->reload.kind, LP_RELOAD_RESTART);
    assert_int_equal(app->stop_signal, 15);
    assert_int_equal(app->stop_grace_ms, 10000);
    assert_int_equal(web->stop_grace_ms, 10000);
    assert_int_equal(web->replicas, 1);
    assert_int_equal(d->network_count, 1);
    assert_string_equal(d->networks[0].name, "default");
    assert_false(d->networks[0].has_nat);
}

static void test_secret_is_kept_out(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0};
    const struct lp_descriptor *d =
        parse("secrets: {s: {environment: SECRET}}\n" MAKE(", secrets: [s]"), &arena);
    assert_string_equal(d->secrets[0].content, "hush");
    assert_int_equal(d->services[0].secrets[0].mode, 0400);
    lp_descriptor_print(d, &text);
    assert_null(strstr(lp_str_text(&text), "hush"));
}

static void test_name_of_the_folder(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    const struct lp_descriptor *d = parse("services: {a: {image: host, command: x}}", &arena);
    assert_string_equal(d->name, "tmp");
}

static void expect_mistake(const char *text, size_t bytes, const char *part)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    const struct lp_descriptor *d = NULL;
    assert_int_equal(parse_n(text, bytes, &arena, &d), LP_EINPUT);
    assert_true(mistakes.count >= 1);
    if (!strstr(mistakes.items[0].text, part))
        fail_msg("'%s' instead of '%s'", mistakes.items[0].text, part);
}

static void test_bounds(void **state)
{
    (void)state;
    LP_OWNS_STR struct lp_str text = {0};
    // Size of the file.
    while (text.bytes <= LP_DESCRIPTOR_BYTES_MAX)
        lp_str_add(&text, "# nothing but comments, line after line after line after line\n");
    expect_mistake(lp_str_text(&text), text.bytes, "at most 1048576");
    // Nodes without aliases.
    lp_str_clear(&text);
    lp_str_add(&text, "x-a: [");
    for (int i = 0; i < LP_YAML_NODES_MAX; i++)
        lp_str_add(&text, "1,");
    lp_str_add(&text, "]");
    expect_mistake(lp_str_text(&text), text.bytes, "more than 100000 YAML nodes");
    // Text by aliases of one large scalar.
    lp_str_clear(&text);
    lp_str_add(&text, "x-a: &a \"");
    for (int i = 0; i < 100 * 1000; i++)
        lp_str_add_char(&text, 'x');
    lp_str_add(&text, "\"\nx-b: [");
    for (int i = 0; i < 100; i++)
        lp_str_add(&text, "*a, ");
    lp_str_add(&text, "]");
    expect_mistake(lp_str_text(&text), text.bytes, "bytes once aliases are expanded");
    // Depth by aliases.
    lp_str_clear(&text);
    lp_str_add(&text, "x-0: &a0 [x]\n");
    for (int i = 1; i < 40; i++)
        lp_str_printf(&text, "x-%d: &a%d [*a%d]\n", i, i, i - 1);
    expect_mistake(lp_str_text(&text), text.bytes, "nested deeper than 32");
    // Services, replicas, and the hundred mistakes that are told at most.
    lp_str_clear(&text);
    lp_str_add(&text, "name: t\nservices:\n");
    for (int i = 0; i <= LP_SERVICES_MAX; i++)
        lp_str_printf(&text, "  s%d: {image: host}\n", i);
    expect_mistake(lp_str_text(&text), text.bytes, "513 services; at most 512");
    lp_str_clear(&text);
    lp_str_add(&text, "name: t\nservices:\n");
    for (int i = 0; i < 150; i++)
        lp_str_printf(&text, "  s%d: {image: host}\n", i);
    expect_mistake(lp_str_text(&text), text.bytes, "has no command");
    assert_int_equal(mistakes.count, LP_DESCRIPTOR_MISTAKES_MAX);
}

static void test_large_is_fine(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0};
    lp_str_add(&text, "name: t\nservices:\n");
    for (int i = 0; i < LP_SERVICES_MAX; i++)
        lp_str_printf(&text, "  s%d: {image: host, command: x, ports: ['%d:80']%s%d%s}\n", i,
                      1000 + i, i ? ", depends_on: [s" : ", hostname: h", i ? i - 1 : 0,
                      i ? "]" : "");
    const struct lp_descriptor *d = parse(lp_str_text(&text), &arena);
    assert_int_equal(d->service_count, LP_SERVICES_MAX);
}

static void test_image_hashes(void **state)
{
    (void)state;
    char folder[] = "/tmp/limpet-descriptor-XXXXXX";
    struct lp_err err;
    assert_non_null(mkdtemp(folder));
    LP_OWNS_ARENA struct lp_arena arena = {0};
    const char *source = lp_arena_printf(&arena, "%s/f", folder);
    const char *text = lp_arena_printf(
        &arena,
        "name: t\nservices:\n  a: {image: %s, command: x}\n"
        "  b: {command: x, build: {base: debian:bookworm, files: [{path: /f, source: %s}]}}\n"
        "  c: {command: x, build: {base: debian:bookworm, files: [{path: /f, content: one}]}}\n"
        "  d: {command: x, build: {base: %s, files: [{path: /f, content: one}]}}\n",
        folder, source, folder);
    assert_int_equal(lp_file_write(source, "one", 3, 0644, &err), 0);
    const struct lp_descriptor *first = parse(text, &arena);
    assert_int_equal(first->services[0].image.kind, LP_IMAGE_DIRECTORY);
    assert_string_equal(first->services[0].image.reference, folder);
    // Where the bytes come from does not matter.
    assert_string_equal(first->services[1].image.hash, first->services[2].image.hash);
    assert_int_equal(lp_file_write(source, "two", 3, 0644, &err), 0);
    const struct timespec times[2] = {{1, 0}, {1, 0}};
    assert_int_equal(utimensat(AT_FDCWD, folder, times, 0), 0);
    const struct lp_descriptor *second = parse(text, &arena);
    static const bool changes[] = {true, true, false, true};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(strlen(second->services[i].image.hash), 64);
        assert_int_equal(strcmp(first->services[i].image.hash, second->services[i].image.hash) != 0,
                         changes[i]);
        assert_int_equal(first->services[i].node_hash != second->services[i].node_hash, changes[i]);
    }
    assert_int_equal(lp_dir_remove(folder, &err), 0);
}

static void test_durations_and_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; // -1: refused
    } times[] = {{"0", 0},           {"1s", 1000},
                 {"1m30s", 90000},   {"1.5s", 1500},
                 {"500us", 1},       {"1h", 3600000},
                 {"0.5ms", 1},       {"1h1m1s1ms", 3661001},
                 {"", -1},           {"10", -1},
                 {"s", -1},          {"1 s", -1},
                 {"-1s", -1},        {"1.s", -1},
                 {"9999999h", -1},   {"1d", -1},
                 {"1.0000001s", -1}, {"1193h", 4294800000},
                 {"1194h", -1}};
    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
        uint32_t ms = 0;
        bool is_good = lp_duration_parse(times[i].text, &ms);
        if (is_good != (times[i].ms >= 0) || (is_good && ms != times[i].ms))
            fail_msg("'%s' gave %u", times[i].text, ms);
    }
    static const struct {
        const char *text;
        int64_t bytes;
    } sizes[] = {{"64", 64},
                 {"64b", 64},
                 {"512k", 524288},
                 {"512KB", 524288},
                 {"1.5g", 1610612736},
                 {"2GiB", 2147483648},
                 {"0.5m", 524288},
                 {"", -1},
                 {"m", -1},
                 {"1x", -1},
                 {"-1", -1},
                 {"99999999999999t", -1},
                 {"1 m", -1}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        uint64_t bytes = 0;
        bool is_good = lp_size_parse(sizes[i].text, &bytes);
        if (is_good != (sizes[i].bytes >= 0) || (is_good && bytes != (uint64_t)sizes[i].bytes))
            fail_msg("'%s' gave %llu", sizes[i].text, (unsigned long long)bytes);
    }
    uint32_t permille = 0;
    assert_true(lp_permille_parse("0.25", &permille) && permille == 250);
    assert_true(lp_permille_parse("2", &permille) && permille == 2000);
    assert_false(lp_permille_parse("0.0001", &permille));
}

static void test_env_file(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_pairs pairs;
    struct lp_err err;
    int line = 0;
    static const char text[] = "# head\n\nA=1\n export B = two words  # tail\nC='a #b\\n'\n"
                               "D=\"x\\ny\\\"z\"# c\nE=\nF=a#b\r\nA=again\nG=\"l1\nl2\"\nH=$A";
    static const struct lp_pair wanted[] = {{"A", "again"},   {"B", "two words"}, {"C", "a #b\\n"},
                                            {"D", "x\ny\"z"}, {"E", ""},          {"F", "a#b"},
                                            {"G", "l1\nl2"},  {"H", "$A"}};
    assert_int_equal(lp_env_file_parse(text, &arena, &pairs, &line, &err), 0);
    assert_int_equal(pairs.count, sizeof(wanted) / sizeof(*wanted));
    for (size_t i = 0; i < pairs.count; i++) {
        assert_string_equal(pairs.items[i].key, wanted[i].key);
        assert_string_equal(pairs.items[i].value, wanted[i].value);
    }
    static const struct {
        const char *text;
        int line;
    } wrong[] = {{"A=1\nB\n", 2}, {"=x", 1}, {"A=\"open\nB=1\n", 1}, {"A='x' y", 1}, {"1A=x", 1}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_int_equal(lp_env_file_parse(wrong[i].text, &arena, &pairs, &line, &err), LP_EINPUT);
        assert_int_equal(line, wrong[i].line);
    }
}

static void test_interpolation_is_bounded(void **state)
{
    (void)state;
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_err err;
    struct lp_pair pair = {"V", "0123456789"};
    const struct lp_pairs environment = {&pair, 1};
    struct lp_interpolation how = {.environment = &environment, .max_bytes = 25};
    assert_int_equal(lp_interpolate(&how, "${V}${V}", &text, &err), 0);
    assert_string_equal(lp_str_text(&text), "01234567890123456789");
    lp_str_clear(&text);
    assert_int_equal(lp_interpolate(&how, "$V$V$V", &text, &err), LP_EFULL);
    assert_int_equal(how.dollar, 2);
    lp_str_clear(&text);
    assert_int_equal(lp_interpolate(&how, "${A:-${B:-${C:-${D:-${E:-${F:-${G:-${H:-${I:-x}}}}}}}}}",
                                    &text, &err),
                     LP_EINPUT);
    assert_non_null(strstr(err.text, "nested deeper"));
}

// Reading the canonical form must not look at the disk, and takes nothing else for granted.
static void test_canonical_is_closed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"configs: {c: {file: /etc/hostname}}\nname: t\nservices: {}\n", "holds contents"},
        {"name: t\nservices: {a: {image: host, command: x}}\n", "image_hash is missing"},
        {"name: t\nservices: {a: {image: host, image_hash: x, command: x}}\n", "64 hexa"},
        {"name: t\nservices: {a: {image: /tmp, image_hash: "
         "0000000000000000000000000000000000000000000000000000000000000000, command: x}}\n",
         "not an image of the canonical form"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        LP_OWNS_ARENA struct lp_arena arena = {0};
        const struct lp_descriptor *d = NULL;
        struct lp_err err;
        const struct lp_parse_input input = {.path = "canonical",
                                             .text = cases[i].text,
                                             .bytes = strlen(cases[i].text),
                                             .is_canonical = true};
        assert_int_equal(lp_descriptor_parse(&input, &arena, &mistakes, &d, &err), LP_EINPUT);
        assert_non_null(strstr(err.text, cases[i].part));
    }
    // And the keys of the canonical form mean nothing in a file of people.
    static const char text[] = "name: t\nsecrets: {s: {has_content: true}}\n"
                               "services: {a: {image: host, image_hash: x, command: x}}\n";
    expect_mistake(text, sizeof(text) - 1, "unknown key 'has_content'");
}

// A profile that is enabled by "*" or by name; without profiles only services without any.
static void test_profiles(void **state)
{
    (void)state;
    static const char text[] = "name: t\nservices:\n  a: {image: host, command: x}\n"
                               "  b: {image: host, command: x, profiles: [p]}\n";
    static const char *star[] = {"*"}, *other[] = {"q"}, *own[] = {"q", "p"};
    const struct lp_texts profiles[] = {{star, 1}, {other, 1}, {own, 2}, {NULL, 0}};
    static const size_t wanted[] = {2, 1, 2, 1};
    for (size_t i = 0; i < 4; i++) {
        LP_OWNS_ARENA struct lp_arena arena = {0};
        const struct lp_descriptor *d = NULL;
        struct lp_err err;
        const struct lp_parse_input input = {
            .path = "x", .text = text, .bytes = sizeof(text) - 1, .profiles = &profiles[i]};
        assert_int_equal(lp_descriptor_parse(&input, &arena, &mistakes, &d, &err), 0);
        assert_int_equal(d->service_count, wanted[i]);
    }
}

static void check_example(const char *file, const struct lp_pairs *environment)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_err err;
    const struct lp_descriptor *d = NULL;
    const char *path = lp_arena_printf(&arena, LP_EXAMPLES "/%s", file);
    assert_int_equal(lp_file_read(path, 1 << 20, &text, &err), 0);
    const struct lp_parse_input input = {
        .path = path, .text = lp_str_text(&text), .bytes = text.bytes, .environment = environment};
    if (lp_descriptor_parse(&input, &arena, &mistakes, &d, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(lp_text_starts(file, d->name));
}

// The examples that people copy from must hold, with the .env beside them.
static void test_examples(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_pairs environment = {0};
    struct lp_err err;
    int line = 0, count = 0;
    if (lp_file_read(LP_EXAMPLES "/.env", 1 << 20, &text, &err) == 0)
        assert_int_equal(lp_env_file_parse(lp_str_text(&text), &arena, &environment, &line, &err),
                         0);
    LP_OWNS_DIR DIR *folder = opendir(LP_EXAMPLES);
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        if (!lp_text_ends(entry->d_name, ".yaml"))
            continue;
        check_example(entry->d_name, &environment);
        count++;
    }
    assert_true(count >= 2);
}

// docs/descriptor.md lists every key of Compose that is refused.
static void test_refused_keys_are_documented(void **state)
{
    (void)state;
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_err err;
    assert_int_equal(lp_file_read(LP_EXAMPLES "/../docs/descriptor.md", 1 << 20, &text, &err), 0);
    const char *list = strstr(lp_str_text(&text), "\n## Keys that are refused");
    assert_non_null(list);
    const struct {
        const struct lp_refused *keys;
        size_t count;
    } tables[] = {
        {lp_compose_top, lp_compose_top_count},
        {lp_compose_service, lp_compose_service_count},
        {lp_compose_deploy, lp_compose_deploy_count},
        {lp_compose_build, lp_compose_build_count},
        {lp_compose_network, lp_compose_network_count},
        {lp_compose_volume, lp_compose_volume_count},
        {lp_compose_file, lp_compose_file_count},
        {lp_compose_network_use, lp_compose_network_use_count},
        {lp_compose_port, lp_compose_port_count},
        {lp_compose_mount, lp_compose_mount_count},
    };
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
        for (size_t k = 0; k < tables[i].count; k++) {
            char quoted[64];
            snprintf(quoted, sizeof(quoted), "`%s`", tables[i].keys[k].name);
            if (!strstr(list, quoted))
                fail_msg("%s is not in docs/descriptor.md", quoted);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fingerprints),
        cmocka_unit_test(test_config_changes_files_only),
        cmocka_unit_test(test_derived),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_secret_is_kept_out),
        cmocka_unit_test(test_name_of_the_folder),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_large_is_fine),
        cmocka_unit_test(test_image_hashes),
        cmocka_unit_test(test_durations_and_sizes),
        cmocka_unit_test(test_env_file),
        cmocka_unit_test(test_interpolation_is_bounded),
        cmocka_unit_test(test_canonical_is_closed),
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_refused_keys_are_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
