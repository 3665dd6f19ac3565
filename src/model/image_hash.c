// What makes two images the same.
#include "model/image_hash.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/own.h"
#include "base/str.h"
#include "model/limits.h"

bool lp_image_is_tar_name(const char *path)
{
    static const char *const suffixes[] = {".tar", ".tar.gz", ".tar.xz", ".tar.zst"};
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++)
        if (lp_text_ends(path, suffixes[i]))
            return true;
    return false;
}

static int oci_parse(const char *rest, const struct lp_path_resolver *paths, struct lp_arena *arena,
                     struct lp_image *ret_image, struct lp_err *err)
{
    const char *colon = strrchr(rest, ':');
    if (!colon || colon == rest || !colon[1] || strchr(colon, '/'))
        return lp_err_set(err, LP_EINPUT, "an OCI layout is written oci:path:tag");
    const char *path = lp_arena_text_n(arena, rest, (size_t)(colon - rest));
    ret_image->kind = LP_IMAGE_OCI;
    ret_image->reference =
        lp_arena_printf(arena, "%s%s", paths->resolve(paths->context, path), colon);
    return 0;
}

static bool is_registry_reference(const char *text)
{
    static const char good[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@+";
    return *text && strspn(text, good) == strlen(text) && !strstr(text, "//") &&
           strchr("./:@+-_", text[0]) == NULL;
}

int lp_image_reference_parse(const char *text, const struct lp_path_resolver *paths,
                             struct lp_arena *arena, struct lp_image *ret_image, struct lp_err *err)
{
    struct stat info;
    *ret_image = (struct lp_image){.kind = LP_IMAGE_HOST, .reference = text};
    if (strcmp(text, "host") == 0)
        return 0;
    if (lp_text_starts(text, "oci:"))
        return oci_parse(text + 4, paths, arena, ret_image, err);
    bool is_path = strchr("/.~", text[0]) != NULL; // also the empty text, which is refused below
    if (*text && (is_path || lp_image_is_tar_name(text))) {
        ret_image->reference = paths->resolve(paths->context, text);
        if (stat(ret_image->reference, &info) < 0)
            return lp_err_set(err, LP_EINPUT, "image %s: %s", ret_image->reference,
                              strerror(errno));
        ret_image->kind = S_ISDIR(info.st_mode) ? LP_IMAGE_DIRECTORY : LP_IMAGE_TAR;
        return 0;
    }
    if (!is_registry_reference(text))
        return lp_err_set(err, LP_EINPUT,
                          "'%s' is not an image: host, a directory, a tar file, oci:path:tag or "
                          "name:tag",
                          text);
    const char *name = strrchr(text, '/');
    bool has_tag = strpbrk(name ? name : text, ":@") != NULL;
    ret_image->kind = LP_IMAGE_REGISTRY;
    ret_image->reference = has_tag ? text : lp_arena_printf(arena, "%s:latest", text);
    return 0;
}

static int stat_add(const char *path, struct lp_str *text, struct lp_err *err)
{
    struct stat info;
    if (stat(path, &info) < 0)
        return lp_err_set(err, LP_EINPUT, "image %s: %s", path, strerror(errno));
    lp_str_printf(text, " %lld %lld.%09ld", S_ISDIR(info.st_mode) ? 0LL : (long long)info.st_size,
                  (long long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
    return 0;
}

// The layout's index.json changes with every push into it.
static int oci_add(const char *reference, struct lp_str *text, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str path = {0};
    const char *colon = strrchr(reference, ':');
    lp_str_add_n(&path, reference, (size_t)(colon - reference));
    lp_str_add(&path, "/index.json");
    return stat_add(lp_str_text(&path), text, err);
}

static int file_add(const struct lp_recipe_file *file, struct lp_str *text, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str bytes = {0};
    char hash[LP_SHA256_TEXT];
    struct stat info;
    if (file->source) {
        if (stat(file->source, &info) < 0)
            return lp_err_set(err, LP_EINPUT, "file %s: %s", file->source, strerror(errno));
        if (!S_ISREG(info.st_mode))
            return lp_err_set(err, LP_EINPUT, "%s is not a regular file", file->source);
        int code = lp_file_read(file->source, LP_RECIPE_FILE_BYTES_MAX, &bytes, err);
        if (code < 0)
            return code;
    } else {
        lp_str_add(&bytes, file->content);
    }
    lp_sha256_text(lp_str_text(&bytes), bytes.bytes, hash);
    lp_str_add(text, "\nfile ");
    lp_str_add_json(text, file->path);
    lp_str_printf(text, " %o %s", file->mode, hash);
    return 0;
}

static const char *self_resolve(void *context, const char *path)
{
    (void)context;
    return path;
}

static int image_add(const struct lp_image *image, struct lp_arena *arena, struct lp_str *text,
                     struct lp_err *err);

static int recipe_add(const struct lp_recipe *recipe, struct lp_arena *arena, struct lp_str *text,
                      struct lp_err *err)
{
    const struct lp_path_resolver paths = {self_resolve, NULL};
    struct lp_image base;
    int code = lp_image_reference_parse(recipe->base, &paths, arena, &base, err);
    lp_str_add(text, "\nbase ");
    if (code == 0)
        code = image_add(&base, arena, text, err);
    for (size_t i = 0; i < recipe->packages.count; i++) {
        lp_str_add(text, "\npackage ");
        lp_str_add_json(text, recipe->packages.items[i]);
    }
    for (size_t i = 0; code == 0 && i < recipe->file_count; i++)
        code = file_add(&recipe->files[i], text, err);
    for (size_t i = 0; i < recipe->run.count; i++) {
        lp_str_add(text, "\nrun ");
        lp_str_add_json(text, recipe->run.items[i]);
    }
    return code;
}

static int image_add(const struct lp_image *image, struct lp_arena *arena, struct lp_str *text,
                     struct lp_err *err)
{
    static const char *const words[] = {"host", "directory", "tar", "oci", "registry", "recipe"};
    lp_str_add(text, words[image->kind]);
    if (image->kind == LP_IMAGE_RECIPE)
        return recipe_add(image->recipe, arena, text, err);
    lp_str_add_char(text, ' ');
    lp_str_add_json(text, image->reference);
    if (image->kind == LP_IMAGE_DIRECTORY || image->kind == LP_IMAGE_TAR)
        return stat_add(image->reference, text, err);
    return image->kind == LP_IMAGE_OCI ? oci_add(image->reference, text, err) : 0;
}

int lp_image_hash(const struct lp_image *image, struct lp_arena *arena, const char **ret_hash,
                  struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    char hash[LP_SHA256_TEXT];
    int code = image_add(image, arena, &text, err);
    if (code < 0)
        return code;
    lp_sha256_text(lp_str_text(&text), text.bytes, hash);
    *ret_hash = lp_arena_text(arena, hash);
    return 0;
}
