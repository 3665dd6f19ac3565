// What the image driver builds from: an lp_image turned into the arguments of the build script.
#include "drivers/image/image_recipe.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "drivers/child.h"
#include "drivers/place.h"
#include "model/limits.h"

static const char script_text[] =
#include "image_build_sh.h"
    ;

int lp_image_look(const struct lp_driver_env *env, const struct lp_image *image, bool *ret_is_ready,
                  struct lp_err *err)
{
    struct stat facts;
    *ret_is_ready = true;
    if (image->kind == LP_IMAGE_HOST)
        return 0;
    if (image->kind == LP_IMAGE_DIRECTORY) {
        if (stat(image->reference, &facts) < 0)
            return lp_err_set(err, LP_ENOTFOUND, "image %s: %s", image->reference, strerror(errno));
        if (!S_ISDIR(facts.st_mode))
            return lp_err_set(err, LP_EINPUT, "image %s is not a folder", image->reference);
        return 0;
    }
    *ret_is_ready = lp_path_exists(lp_place_image_mark(env, image->hash).text) &&
                    lp_path_exists(lp_place_image(env, image->hash).text);
    return 0;
}

static struct lp_texts texts_copy(const struct lp_texts *texts, struct lp_arena *arena)
{
    struct lp_texts copy = {lp_arena_new_array(arena, const char *, texts->count + 1),
                            texts->count};
    for (size_t i = 0; i < texts->count; i++)
        copy.items[i] = lp_arena_text(arena, texts->items[i]);
    return copy;
}

static const struct lp_recipe *recipe_copy(const struct lp_recipe *recipe, struct lp_arena *arena)
{
    struct lp_recipe *copy = lp_arena_new(arena, struct lp_recipe);
    copy->base = lp_arena_text(arena, recipe->base);
    copy->packages = texts_copy(&recipe->packages, arena);
    copy->run = texts_copy(&recipe->run, arena);
    copy->file_count = recipe->file_count;
    copy->files = lp_arena_new_array(arena, struct lp_recipe_file, recipe->file_count + 1);
    for (size_t i = 0; i < recipe->file_count; i++) {
        copy->files[i] = recipe->files[i];
        copy->files[i].path = lp_arena_text(arena, recipe->files[i].path);
        copy->files[i].content = lp_arena_text(arena, recipe->files[i].content);
        copy->files[i].source = lp_arena_text(arena, recipe->files[i].source);
    }
    return copy;
}

static void texts_print(const char *key, const struct lp_texts *texts, struct lp_str *ret_json)
{
    lp_str_printf(ret_json, ",\"%s\":[", key);
    for (size_t i = 0; i < texts->count; i++) {
        lp_str_add(ret_json, i ? "," : "");
        lp_str_add_json(ret_json, texts->items[i]);
    }
    lp_str_add(ret_json, "]");
}

static const char *facts_print(const char *kind, const struct lp_image *image,
                               struct lp_arena *arena)
{
    LP_OWNS_STR struct lp_str json = {0};
    lp_str_printf(&json, "\"kind\":\"%s\",\"reference\":", kind);
    lp_str_add_json(&json, image->reference ? image->reference : "");
    if (image->recipe) {
        const struct lp_recipe *recipe = image->recipe;
        lp_str_add(&json, ",\"recipe\":{\"base\":");
        lp_str_add_json(&json, recipe->base);
        texts_print("packages", &recipe->packages, &json);
        texts_print("run", &recipe->run, &json);
        lp_str_add(&json, ",\"files\":[");
        for (size_t i = 0; i < recipe->file_count; i++) {
            lp_str_add(&json, i ? "," : "");
            lp_str_add_json(&json, recipe->files[i].path);
        }
        lp_str_add(&json, "]}");
    }
    return lp_arena_text(arena, lp_str_text(&json));
}

int lp_image_build_plan(const struct lp_driver_env *env, const struct lp_image *image,
                        struct lp_arena *arena, struct lp_image_build *ret_plan, struct lp_err *err)
{
    static const char *const kinds[] = {[LP_IMAGE_TAR] = "tar",
                                        [LP_IMAGE_OCI] = "oci",
                                        [LP_IMAGE_REGISTRY] = "registry",
                                        [LP_IMAGE_RECIPE] = "recipe"};
    if ((size_t)image->kind >= sizeof(kinds) / sizeof(kinds[0]) || !kinds[image->kind])
        return lp_err_set(err, LP_EUNSUPPORTED, "image %s cannot be built", image->reference);
    bool is_recipe = image->kind == LP_IMAGE_RECIPE;
    const char *reference = is_recipe ? image->recipe->base : image->reference;
    if (image->kind == LP_IMAGE_OCI && lp_text_starts(reference, "oci:"))
        reference += strlen("oci:");
    char *cache = lp_arena_printf(arena, "%s/cache", env->root);
    *ret_plan = (struct lp_image_build){
        .kind = kinds[image->kind],
        .reference = lp_arena_text(arena, reference),
        .cache = cache,
        .hash = lp_arena_text(arena, image->hash),
        .recipe = lp_arena_printf(arena, "%s/tmp/%s.recipe", cache, image->hash),
        .script = lp_arena_printf(arena, "%s/tmp/%s.recipe/build.sh", cache, image->hash),
        .facts = facts_print(kinds[image->kind], image, arena),
        .log_path = lp_arena_printf(arena, "%s/images/%s.log", cache, image->hash),
        .source = is_recipe ? recipe_copy(image->recipe, arena) : NULL,
    };
    return 0;
}

LP_MUST_CHECK static int file_stage(const struct lp_recipe_file *file, const char *folder,
                                    struct lp_arena *arena, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str bytes = {0};
    char *path = lp_arena_printf(arena, "%s/files%s", folder, file->path);
    char *parent = dirname(lp_arena_text(arena, path));
    if (file->source && lp_file_read(file->source, LP_RECIPE_FILE_BYTES_MAX, &bytes, err) < 0)
        return lp_err_wrap(err, "file %s of the recipe", file->path);
    if (!file->source)
        lp_str_add(&bytes, file->content);
    if (lp_dir_make(parent, 0755, err) < 0)
        return err->code;
    return lp_file_write(path, lp_str_text(&bytes), bytes.bytes, file->mode, err);
}

LP_MUST_CHECK static int recipe_stage(const struct lp_recipe *recipe, const char *folder,
                                      struct lp_arena *arena, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str packages = {0};
    for (size_t i = 0; i < recipe->packages.count; i++)
        lp_str_printf(&packages, "%s\n", recipe->packages.items[i]);
    if (lp_file_write(lp_arena_printf(arena, "%s/packages", folder), lp_str_text(&packages),
                      packages.bytes, 0644, err) < 0)
        return err->code;
    for (size_t i = 0; i < recipe->file_count; i++)
        if (file_stage(&recipe->files[i], folder, arena, err) < 0)
            return err->code;
    for (size_t i = 0; i < recipe->run.count; i++) {
        const char *step = recipe->run.items[i];
        if (lp_file_write(lp_arena_printf(arena, "%s/run/%03zu", folder, i), step, strlen(step),
                          0644, err) < 0)
            return err->code;
    }
    return 0;
}

int lp_image_build_stage(const struct lp_driver_env *env, const struct lp_image_build *plan,
                         int *ret_log_fd, struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    if (lp_dir_remove(plan->recipe, err) < 0 ||
        lp_dir_make(lp_arena_printf(&arena, "%s/run", plan->recipe), 0755, err) < 0 ||
        lp_dir_make(lp_place_images(env).text, 0755, err) < 0)
        return err->code;
    if (lp_file_write(plan->script, script_text, strlen(script_text), 0644, err) < 0 ||
        lp_file_write(lp_arena_printf(&arena, "%s/facts", plan->recipe), plan->facts,
                      strlen(plan->facts), 0644, err) < 0)
        return err->code;
    if (plan->source && recipe_stage(plan->source, plan->recipe, &arena, err) < 0)
        return err->code;
    *ret_log_fd = open(plan->log_path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    if (*ret_log_fd < 0)
        return lp_err_set(err, LP_EIO, "open %s: %s", plan->log_path, strerror(errno));
    return 0;
}

const char *const *lp_image_environment(struct lp_arena *arena)
{
    static const char *const passed[] = {"http_proxy", "https_proxy", "no_proxy",
                                         "REGISTRY_AUTH_FILE"};
    enum { PASSED = sizeof(passed) / sizeof(passed[0]) };
    size_t count = 0;
    while (lp_child_environment[count])
        count++;
    const char **environment = lp_arena_new_array(arena, const char *, count + PASSED + 1);
    memcpy(environment, lp_child_environment, count * sizeof(*environment));
    for (size_t i = 0; i < PASSED; i++) {
        const char *value = getenv(passed[i]);
        if (value)
            environment[count++] = lp_arena_printf(arena, "%s=%s", passed[i], value);
    }
    return environment;
}

const char *lp_image_log_reason(char *text, struct lp_arena *arena)
{
    enum { LAST = 3, LINE_BYTES_MAX = 250 };
    const char *last[LAST] = {0}, *error = NULL, *before_error = NULL;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
        if (lp_text_starts(line, "progress: "))
            continue;
        if (strlen(line) > LINE_BYTES_MAX)
            line[LINE_BYTES_MAX] = '\0';
        if (lp_text_starts(line, "E: ")) {
            error = line + strlen("E: ");
            before_error = last[LAST - 1];
        }
        memmove(last, last + 1, (LAST - 1) * sizeof(last[0]));
        last[LAST - 1] = line;
    }
    if (error)
        return before_error ? lp_arena_printf(arena, "%s (before it: %s)", error, before_error)
                            : error;
    if (!last[LAST - 1])
        return "it was ended without a word";
    const char *reason = "";
    for (size_t i = 0; i < LAST; i++)
        if (last[i])
            reason = lp_arena_printf(arena, "%s%s%s", reason, *reason ? " | " : "", last[i]);
    return reason;
}
