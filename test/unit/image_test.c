// The pure parts of the image driver: what a build is made from, and why it failed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "drivers/image/image_recipe.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void reason_is_found(void **state)
{
    static const struct {
        const char *log, *reason;
    } rows[] = {
        {"", "it was ended without a word"},
        {"progress: step 1/2\n", "it was ended without a word"},
        {"one\n", "one"},
        {"one\ntwo\r\nthree\nprogress: x\nfour\n", "two | three | four"},
        {"progress: a\nE: no such thing\n", "no such thing"},
        {"Reading\nE: Unable to locate package x\nE: step 2/2 failed\nlast\n",
         "step 2/2 failed (before it: E: Unable to locate package x)"},
        {"cheese\nE: step 3/3 ended with code 3\n",
         "step 3/3 ended with code 3 (before it: cheese)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        LP_OWNS_ARENA struct lp_arena arena = {0};
        char *text = lp_arena_text(&arena, rows[i].log);
        assert_string_equal(lp_image_log_reason(text, &arena), rows[i].reason);
    }
}

static void reason_is_bounded(void **state)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    char text[16 * 1024];
    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_in_range(strlen(lp_image_log_reason(text, &arena)), 1, 300);
}

static struct lp_recipe_file files[] = {
    {.path = "/etc/a \"b\".conf", .content = "one\n", .mode = 0640},
    {.path = "/usr/bin/tool", .content = "", .mode = 0755},
};
static const char *packages[] = {"haproxy", "curl"};
static const char *steps[] = {"true", "echo \"quoted\"\nsecond line"};
static struct lp_recipe recipe = {.base = "debian:bookworm",
                                  .packages = {packages, 2},
                                  .files = files,
                                  .file_count = 2,
                                  .run = {steps, 2}};
static const struct lp_image image_built = {
    .kind = LP_IMAGE_RECIPE, .reference = "recipe", .recipe = &recipe, .hash = HASH};

static char folder[] = "/tmp/limpet-image-test-XXXXXX";
static struct lp_driver_env env = {.root = folder, .root_id = "01234567"};

static int folder_make(void **state)
{
    (void)state;
    memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
    return mkdtemp(folder) ? 0 : -1;
}

static int folder_remove(void **state)
{
    (void)state;
    struct lp_err err;
    return lp_dir_remove(folder, &err);
}

static void assert_file(const char *path, const char *content, unsigned mode)
{
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_err err;
    struct stat facts;
    assert_int_equal(lp_file_read(path, 1 << 20, &text, &err), 0);
    assert_string_equal(lp_str_text(&text), content);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, mode);
}

static void recipe_is_staged(void **state)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_err err;
    struct lp_image_build plan;
    (void)state;
    assert_int_equal(lp_image_build_plan(&env, &image_built, &arena, &plan, &err), 0);
    assert_string_equal(plan.kind, "recipe");
    assert_string_equal(plan.reference, "debian:bookworm");
    for (int times = 0; times < 2; times++) { // what an earlier build left is replaced
        LP_OWNS_FD int log_fd = -1;
        assert_int_equal(lp_image_build_stage(&env, &plan, &log_fd, &err), 0);
        assert_true(log_fd >= 0);
        const char *at = plan.recipe;
        assert_file(lp_arena_printf(&arena, "%s/packages", at), "haproxy\ncurl\n", 0644);
        assert_file(lp_arena_printf(&arena, "%s/files/etc/a \"b\".conf", at), "one\n", 0640);
        assert_file(lp_arena_printf(&arena, "%s/files/usr/bin/tool", at), "", 0755);
        assert_file(lp_arena_printf(&arena, "%s/run/000", at), "true", 0644);
        assert_file(lp_arena_printf(&arena, "%s/run/001", at), steps[1], 0644);
        assert_file(lp_arena_printf(&arena, "%s/facts", at), plan.facts, 0644);
        assert_true(lp_path_exists(plan.script));
    }
    json_t *facts = json_loads(lp_arena_printf(&arena, "{%s}", plan.facts), 0, NULL);
    json_t *kept = json_object_get(facts, "recipe");
    assert_string_equal(json_string_value(json_array_get(json_object_get(kept, "run"), 1)),
                        steps[1]);
    assert_string_equal(json_string_value(json_array_get(json_object_get(kept, "files"), 0)),
                        files[0].path);
    json_decref(facts);
}

static void a_missing_source_is_told(void **state)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_err err;
    struct lp_image_build plan;
    struct lp_recipe_file missing = {.path = "/x", .source = "/nowhere/at/all", .mode = 0644};
    struct lp_recipe own = recipe;
    struct lp_image image = image_built;
    int log_fd = -1;
    (void)state;
    own.files = &missing;
    own.file_count = 1;
    image.recipe = &own;
    assert_int_equal(lp_image_build_plan(&env, &image, &arena, &plan, &err), 0);
    assert_int_not_equal(lp_image_build_stage(&env, &plan, &log_fd, &err), 0);
    assert_non_null(strstr(err.text, "file /x of the recipe"));
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
}

static void readiness_is_seen(void **state)
{
    struct lp_err err;
    bool is_ready;
    (void)state;
    struct lp_image image = {.kind = LP_IMAGE_HOST, .hash = HASH};
    assert_int_equal(lp_image_look(&env, &image, &is_ready, &err), 0);
    assert_true(is_ready);
    image = (struct lp_image){.kind = LP_IMAGE_DIRECTORY, .reference = folder, .hash = HASH};
    assert_int_equal(lp_image_look(&env, &image, &is_ready, &err), 0);
    assert_true(is_ready);
    image.reference = "/nowhere/at/all";
    assert_int_equal(lp_image_look(&env, &image, &is_ready, &err), LP_ENOTFOUND);
    image.reference = "/etc/passwd";
    assert_int_equal(lp_image_look(&env, &image, &is_ready, &err), LP_EINPUT);
    // A tree counts only with its mark, and a mark only with its tree.
    LP_OWNS_ARENA struct lp_arena arena = {0};
    const char *tree = lp_arena_printf(&arena, "%s/cache/images/" HASH, folder);
    assert_int_equal(lp_dir_make(tree, 0755, &err), 0);
    assert_int_equal(lp_image_look(&env, &image_built, &is_ready, &err), 0);
    assert_false(is_ready);
    assert_int_equal(lp_file_write(lp_arena_printf(&arena, "%s.json", tree), "{}", 2, 0644, &err),
                     0);
    assert_int_equal(lp_image_look(&env, &image_built, &is_ready, &err), 0);
    assert_true(is_ready);
    assert_int_equal(rmdir(tree), 0);
    assert_int_equal(lp_image_look(&env, &image_built, &is_ready, &err), 0);
    assert_false(is_ready);
}

static void the_way_out_is_passed_on(void **state)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    bool has_proxy = false, has_path = false, has_other = false;
    (void)state;
    setenv("http_proxy", "http://proxy.invalid:3128", 1);
    setenv("LIMPET_TEST_SECRET", "x", 1);
    for (const char *const *at = lp_image_environment(&arena); *at; at++) {
        has_proxy |= strcmp(*at, "http_proxy=http://proxy.invalid:3128") == 0;
        has_path |= lp_text_starts(*at, "PATH=");
        has_other |= lp_text_starts(*at, "LIMPET_TEST_SECRET");
    }
    assert_true(has_proxy && has_path && !has_other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reason_is_found),
        cmocka_unit_test(reason_is_bounded),
        cmocka_unit_test_setup_teardown(recipe_is_staged, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_missing_source_is_told, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(readiness_is_seen, folder_make, folder_remove),
        cmocka_unit_test(the_way_out_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
