// Reads image and build of a service.
#include <string.h>

#include "base/str.h"
#include "model/image_hash.h"
#include "model/parse_service.h"

enum { FILE_MODE = 0644 };

static const char *reader_resolve(void *context, const char *path)
{
    return lp_path_resolve(context, path);
}

static void base_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_recipe *recipe = into;
    struct lp_err err;
    struct lp_image base;
    const struct lp_path_resolver paths = {reader_resolve, reader};
    const char *text = lp_parse_text(reader, value);
    if (!text)
        return;
    recipe->base = text;
    if (reader->input->is_canonical)
        return;
    if (lp_image_reference_parse(text, &paths, reader->arena, &base, &err) < 0)
        lp_mistake_at(reader, value, "%s", err.text);
    else if (base.kind == LP_IMAGE_HOST)
        lp_mistake_at(reader, value, "a recipe cannot build upon 'host'; take debian:bookworm");
    else if (base.kind == LP_IMAGE_TAR && !lp_image_is_tar_name(base.reference))
        lp_mistake_at(reader, value,
                      "'%s' is not named as a tar file: .tar, .tar.gz, .tar.xz or "
                      ".tar.zst",
                      text);
    else if (base.kind == LP_IMAGE_OCI)
        recipe->base = lp_arena_printf(reader->arena, "oci:%s", base.reference);
    else if (base.kind != LP_IMAGE_REGISTRY)
        recipe->base = base.reference;
}

static void packages_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyz0123456789+-.:=~";
    struct lp_recipe *recipe = into;
    lp_parse_texts(reader, value, &recipe->packages);
    for (size_t i = 0; i < recipe->packages.count; i++) {
        const char *name = recipe->packages.items[i];
        if (!*name || strspn(name, good) != strlen(name) || strchr("+-.:=~", name[0]))
            lp_mistake_put(&reader->sink, lp_mark_place(reader, name),
                           "'%s' is not the name of a package", name);
    }
}

static void run_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_recipe *recipe = into;
    lp_parse_texts(reader, value, &recipe->run);
}

static void path_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_recipe_file *file = into;
    file->path = lp_parse_inner_path(reader, value);
}

static void content_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_recipe_file *file = into;
    file->content = lp_parse_text(reader, value);
}

static void source_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_recipe_file *file = into;
    const char *text = lp_parse_text(reader, value);
    file->source = text ? lp_path_resolve(reader, text) : NULL;
}

static void mode_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_recipe_file *file = into;
    lp_parse_mode(reader, value, &file->mode);
}

static void files_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    static const struct lp_key keys[] = {{"path", path_read, 0},
                                         {"content", content_read, 0},
                                         {"source", source_read, 0},
                                         {"mode", mode_read, 0}};
    const struct lp_schema schema = {"recipe file", keys, LP_COUNT(keys), NULL, 0};
    struct lp_recipe *recipe = into;
    if (!lp_is_sequence(reader, value, "files"))
        return;
    recipe->files = lp_arena_new_array(reader->arena, struct lp_recipe_file, value->count);
    for (size_t i = 0; i < value->count; i++) {
        struct lp_yaml_node *node = value->items[i];
        struct lp_recipe_file file = {.mode = FILE_MODE};
        lp_schema_read(reader, &schema, node, &file);
        if (node->kind != LP_YAML_MAPPING)
            continue;
        if (!lp_yaml_find(node, "path") ||
            !lp_yaml_find(node, "content") == !lp_yaml_find(node, "source"))
            lp_mistake_at(reader, node, "a recipe file needs a path, and content or source");
        else if (file.path && (file.content || file.source))
            recipe->files[recipe->file_count++] = file;
    }
}

static void recipe_read(struct lp_reader *reader, struct lp_yaml_node *value,
                        struct lp_image *ret_image)
{
    static const struct lp_key keys[] = {{"base", base_read, 0},
                                         {"packages", packages_read, 0},
                                         {"files", files_read, 0},
                                         {"run", run_read, 0}};
    const struct lp_schema schema = {"build", keys, LP_COUNT(keys), lp_compose_build,
                                     lp_compose_build_count};
    if (value->kind == LP_YAML_SCALAR) {
        lp_mistake_at(reader, value,
                      "build with a folder is a key of Compose that Limpet does not support; "
                      "Limpet does not read Dockerfiles: write a recipe of base, packages, run and "
                      "files here, or under x-build");
        return;
    }
    ret_image->kind = LP_IMAGE_RECIPE;
    ret_image->recipe = lp_arena_new(reader->arena, struct lp_recipe);
    lp_schema_read(reader, &schema, value, ret_image->recipe);
    if (value->kind == LP_YAML_MAPPING && !lp_yaml_find(value, "base"))
        lp_mistake_at(reader, value, "'base' is missing, such as base: debian:bookworm");
}

// lp_descriptor_print writes directories and tar files with their kind before the path, so that
// reading it back does not look at the disk.
static bool canonical_read(const char *text, struct lp_image *ret_image)
{
    static const struct {
        const char *prefix;
        enum lp_image_kind kind;
    } kinds[] = {{"directory:", LP_IMAGE_DIRECTORY},
                 {"tar:", LP_IMAGE_TAR},
                 {"oci:", LP_IMAGE_OCI},
                 {"registry:", LP_IMAGE_REGISTRY}};
    for (size_t i = 0; i < LP_COUNT(kinds); i++) {
        if (!lp_text_starts(text, kinds[i].prefix))
            continue;
        ret_image->kind = kinds[i].kind;
        ret_image->reference = text + strlen(kinds[i].prefix);
        return true;
    }
    ret_image->kind = LP_IMAGE_HOST;
    ret_image->reference = text;
    return strcmp(text, "host") == 0;
}

static void reference_read(struct lp_reader *reader, struct lp_yaml_node *value,
                           struct lp_image *ret_image)
{
    struct lp_err err;
    const struct lp_path_resolver paths = {reader_resolve, reader};
    const char *hash = ret_image->hash, *text = lp_parse_text(reader, value);
    if (!text)
        return;
    if (reader->input->is_canonical) {
        if (!canonical_read(text, ret_image))
            lp_mistake_at(reader, value, "not an image of the canonical form");
    } else if (lp_image_reference_parse(text, &paths, reader->arena, ret_image, &err) < 0) {
        lp_mistake_at(reader, value, "%s", err.text);
    }
    ret_image->hash = hash;
}

static void hash_derive(struct lp_reader *reader, const struct lp_yaml_node *at,
                        struct lp_image *image)
{
    struct lp_err err;
    if (reader->input->is_canonical && !image->hash)
        lp_mistake_at(reader, at, "image_hash is missing");
    else if (!reader->input->is_canonical &&
             lp_image_hash(image, reader->arena, &image->hash, &err) < 0)
        lp_mistake_at(reader, at, "%s", err.text);
    if (image->kind == LP_IMAGE_RECIPE && image->hash)
        image->reference = lp_arena_printf(reader->arena, "recipe:%.12s", image->hash);
}

void lp_parse_image(struct lp_reader *reader, const struct lp_yaml_node *key,
                    const struct lp_yaml_node *service, struct lp_image *ret_image)
{
    struct lp_yaml_node *image = lp_yaml_find(service, "x-image");
    struct lp_yaml_node *build = lp_yaml_find(service, "x-build");
    if (!image && !build) {
        image = lp_yaml_find(service, "image");
        build = lp_yaml_find(service, "build");
    }
    struct lp_yaml_node *given = image ? image : build;
    if (!given) {
        lp_mistake_at(reader, key, "service '%s' has neither image nor build", key->text);
        return;
    }
    size_t told = reader->sink.told;
    if (image && build)
        lp_mistake_at(reader, key, "service '%s' has both an image and a build recipe", key->text);
    else if (image)
        reference_read(reader, image, ret_image);
    else
        recipe_read(reader, build, ret_image);
    if (reader->sink.told == told)
        hash_derive(reader, given, ret_image);
}
