// Golden tests of the descriptor: test/golden/descriptor/NAME.yaml and what it comes to, as
// NAME.json (the canonical text, indented) or NAME.mistakes. LP_GOLDEN_WRITE=1 writes them anew.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "model/descriptor.h"

static struct lp_mistakes mistakes;

// Replace the source folder, which differs from machine to machine, by "/GOLDEN".
static void add_portable(struct lp_str *out, const char *text)
{
    char *folder = realpath(LP_GOLDEN, NULL);
    assert_non_null(folder);
    for (const char *at; (at = strstr(text, folder)); text = at + strlen(folder)) {
        lp_str_add_n(out, text, (size_t)(at - text));
        lp_str_add(out, "/GOLDEN");
    }
    lp_str_add(out, text);
    free(folder);
}

static int parse(const char *path, const struct lp_str *text, struct lp_arena *arena,
                 const struct lp_descriptor **ret_descriptor)
{
    static struct lp_pair pairs[] = {
        {"HOME", "/home/user"}, {"NAME", "world"}, {"EMPTY", ""}, {"PASSWORD", "never-print-this"}};
    static const char *profiles[] = {"on"};
    const struct lp_pairs environment = {pairs, sizeof(pairs) / sizeof(*pairs)};
    const struct lp_texts enabled = {profiles, 1};
    const struct lp_parse_input input = {.path = path,
                                         .text = lp_str_text(text),
                                         .bytes = text->bytes,
                                         .environment = &environment,
                                         .profiles = &enabled};
    struct lp_err err;
    int code = lp_descriptor_parse(&input, arena, &mistakes, ret_descriptor, &err);
    assert_true(code == 0 || code == LP_EINPUT);
    assert_true((code == 0) == (mistakes.count == 0));
    if (code < 0)
        assert_non_null(strstr(err.text, mistakes.items[0].text));
    return code;
}

static void mistakes_print(struct lp_str *out)
{
    LP_OWNS_STR struct lp_str all = {0};
    for (size_t i = 0; i < mistakes.count; i++)
        lp_str_printf(&all, "%s:%d:%d: %s\n", mistakes.items[i].file, mistakes.items[i].line,
                      mistakes.items[i].column, mistakes.items[i].text);
    // Both the path as given and the resolved one may occur.
    LP_OWNS_STR struct lp_str once = {0};
    const char *text = lp_str_text(&all);
    for (const char *at; (at = strstr(text, LP_GOLDEN)); text = at + strlen(LP_GOLDEN)) {
        lp_str_add_n(&once, text, (size_t)(at - text));
        lp_str_add(&once, "/GOLDEN");
    }
    lp_str_add(&once, text);
    add_portable(out, lp_str_text(&once));
}

static void canonical_print(const struct lp_descriptor *descriptor, struct lp_str *out)
{
    LP_OWNS_STR struct lp_str text = {0}, portable = {0};
    lp_descriptor_print(descriptor, &text);
    assert_null(strstr(lp_str_text(&text), "never-print-this"));
    add_portable(&portable, lp_str_text(&text));
    json_error_t error;
    json_t *json = json_loads(lp_str_text(&portable), 0, &error);
    if (!json)
        fail_msg("the canonical text is not JSON: %s", error.text);
    char *pretty = json_dumps(json, JSON_INDENT(1));
    lp_str_printf(out, "%s\n", pretty);
    free(pretty);
    json_decref(json);
}

// Whatever was printed is read back as the same.
static void check_round_trip(const struct lp_descriptor *descriptor)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0}, again = {0};
    const struct lp_descriptor *copy = NULL;
    struct lp_err err;
    lp_descriptor_print(descriptor, &text);
    const struct lp_parse_input input = {
        .path = "canonical", .text = text.text, .bytes = text.bytes, .is_canonical = true};
    if (lp_descriptor_parse(&input, &arena, &mistakes, &copy, &err) < 0)
        fail_msg("the canonical text is refused: %s", err.text);
    lp_descriptor_print(copy, &again);
    assert_string_equal(lp_str_text(&again), lp_str_text(&text));
    for (size_t i = 0; i < copy->service_count; i++) {
        const struct lp_service *a = &descriptor->services[i], *b = &copy->services[i];
        assert_true(a->node_hash == b->node_hash);
        assert_true(a->files_hash == b->files_hash);
        assert_int_equal(a->owns_state, b->owns_state);
        assert_int_equal(a->observes.count, b->observes.count);
        for (size_t k = 0; k < a->observes.count; k++)
            assert_string_equal(a->observes.items[k], b->observes.items[k]);
    }
}

static void check_file(const char *path, const char *what, const struct lp_str *got)
{
    struct lp_err err;
    LP_OWNS_STR struct lp_str wanted = {0};
    if (getenv("LP_GOLDEN_WRITE")) {
        assert_int_equal(lp_file_write(path, lp_str_text(got), got->bytes, 0644, &err), 0);
        return;
    }
    if (lp_file_read(path, 1 << 20, &wanted, &err) < 0)
        fail_msg("%s: %s (LP_GOLDEN_WRITE=1 writes it)", what, err.text);
    if (strcmp(lp_str_text(&wanted), lp_str_text(got)) != 0)
        fail_msg("%s differs from %s; got:\n%s", what, path, lp_str_text(got));
}

static void check_case(void **state)
{
    const char *name = *state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0}, got = {0};
    const struct lp_descriptor *descriptor = NULL;
    struct lp_err err;
    const char *path = lp_arena_printf(&arena, LP_GOLDEN "/%s.yaml", name);
    assert_int_equal(lp_file_read(path, 1 << 20, &text, &err), 0);
    int code = parse(path, &text, &arena, &descriptor);
    assert_int_equal(code == 0, !lp_text_starts(name, "wrong_"));
    if (code == 0)
        canonical_print(descriptor, &got);
    else
        mistakes_print(&got);
    check_file(lp_arena_printf(&arena, LP_GOLDEN "/%s.%s", name, code ? "mistakes" : "json"), name,
               &got);
    if (code == 0)
        check_round_trip(descriptor);
}

static int is_case(const struct dirent *entry)
{
    return lp_text_ends(entry->d_name, ".yaml");
}

int main(void)
{
    struct dirent **entries;
    int count = scandir(LP_GOLDEN, &entries, is_case, alphasort);
    if (count < 40) {
        fprintf(stderr, "%d cases in " LP_GOLDEN ", too few\n", count);
        return 1;
    }
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct CMUnitTest *tests = lp_arena_new_array(&arena, struct CMUnitTest, (size_t)count);
    for (int i = 0; i < count; i++) {
        const char *name =
            lp_arena_text_n(&arena, entries[i]->d_name, strlen(entries[i]->d_name) - 5);
        tests[i] = (struct CMUnitTest){name, check_case, NULL, NULL, (void *)(uintptr_t)name};
        free(entries[i]);
    }
    free(entries);
    return _cmocka_run_group_tests("descriptor", tests, (size_t)count, NULL, NULL);
}
