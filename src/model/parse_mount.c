// Reads volumes and tmpfs of a service.
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "model/duration.h"
#include "model/limits.h"
#include "model/parse_service.h"

#define LAYER_MISTAKE "'faults' is for named volumes"

static void mount_add(struct lp_reader *reader, const struct lp_yaml_node *node,
                      struct lp_service *service, const struct lp_mount *mount)
{
    size_t count = service->mount_count;
    if (count == LP_MOUNTS_MAX) {
        lp_mistake_at(reader, node, "more than %d volumes in service '%s'", LP_MOUNTS_MAX,
                      service->name);
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (strcmp(service->mounts[i].target, mount->target) == 0)
            lp_mistake_at(reader, node, "two mounts on '%s'", mount->target);
    if (mount->kind == LP_MOUNT_BIND && !reader->input->is_canonical &&
        access(mount->source, F_OK) < 0)
        lp_mistake_at(reader, node, "bind mount of %s: %s", mount->source, strerror(errno));
    if ((count & (count - 1)) == 0) { // capacity is the next power of two
        struct lp_mount *rows =
            lp_arena_new_array(reader->arena, struct lp_mount, count ? 2 * count : 1);
        for (size_t i = 0; i < count; i++)
            rows[i] = service->mounts[i];
        service->mounts = rows;
    }
    service->mounts[service->mount_count++] = *mount;
}

static bool target_check(struct lp_reader *reader, const struct lp_yaml_node *node,
                         const char *target)
{
    bool is_good =
        target[0] == '/' && target[1] && !strstr(target, "/../") && !lp_text_ends(target, "/..");
    if (!is_good)
        lp_mistake_at(reader, node, "'%s' is not an absolute path in the node below '/'", target);
    return is_good;
}

// The options of the short form: comma-separated words.
static bool options_read(struct lp_reader *reader, const struct lp_yaml_node *node, char *options,
                         struct lp_mount *mount)
{
    char *state = NULL;
    for (char *word = strtok_r(options, ",", &state); word; word = strtok_r(NULL, ",", &state)) {
        bool is_ro = strcmp(word, "ro") == 0, is_rw = strcmp(word, "rw") == 0;
        bool is_layered = strcmp(word, "faults") == 0;
        if (!is_ro && !is_rw && !is_layered) {
            lp_mistake_at(reader, node, "volume option '%s' is not ro, rw or faults", word);
            return false;
        }
        mount->is_read_only = is_layered ? mount->is_read_only : is_ro;
        mount->has_layer = mount->has_layer || is_layered;
    }
    return true;
}

static void source_set(struct lp_reader *reader, const struct lp_yaml_node *node,
                       const char *source, struct lp_mount *mount)
{
    if (strchr("./~", source[0])) {
        mount->kind = LP_MOUNT_BIND;
        mount->source = lp_path_resolve(reader, source);
    } else {
        mount->kind = LP_MOUNT_VOLUME;
        mount->source = source;
        lp_mark_add(reader, source, node);
    }
}

static void short_read(struct lp_reader *reader, struct lp_yaml_node *node,
                       struct lp_service *service)
{
    const char *whole = lp_parse_text(reader, node);
    if (!whole)
        return;
    char *source = lp_arena_text(reader->arena, whole);
    char *target = strchr(source, ':');
    struct lp_mount mount = {0};
    if (!target) {
        lp_mistake_at(reader, node,
                      "'%s' has no source; write name:%s and put the name under volumes, or use "
                      "tmpfs",
                      whole, source);
        return;
    }
    *target++ = '\0';
    char *options = strchr(target, ':');
    if (options)
        *options++ = '\0';
    if (!*source) {
        lp_mistake_at(reader, node, "'%s' has an empty source", whole);
        return;
    }
    if (!target_check(reader, node, target) ||
        (options && !options_read(reader, node, options, &mount)))
        return;
    mount.target = lp_arena_text(reader->arena, target);
    source_set(reader, node, lp_arena_text(reader->arena, source), &mount);
    if (mount.has_layer && mount.kind != LP_MOUNT_VOLUME)
        lp_mistake_at(reader, node, LAYER_MISTAKE);
    else
        mount_add(reader, node, service, &mount);
}

struct mount_draft {
    struct lp_mount mount;
    const char *source;
    struct lp_yaml_node *source_node, *tmpfs_node;
    int kind;
    bool is_wrong;
};

static void type_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    static const char *const words[] = {"volume", "bind", "tmpfs"}; // as the enum's order
    struct mount_draft *draft = into;
    draft->kind = lp_parse_word(reader, value, words, LP_COUNT(words));
}

static void source_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct mount_draft *draft = into;
    draft->source_node = value;
    draft->source = lp_parse_text(reader, value);
}

static void target_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct mount_draft *draft = into;
    const char *text = lp_parse_text(reader, value);
    draft->is_wrong = draft->is_wrong || !text || !target_check(reader, value, text);
    draft->mount.target = text;
}

static void read_only_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct mount_draft *draft = into;
    lp_parse_bool(reader, value, &draft->mount.is_read_only);
}

static void faults_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct mount_draft *draft = into;
    lp_parse_bool(reader, value, &draft->mount.has_layer);
}

static void size_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct mount_draft *draft = into;
    lp_parse_size(reader, value, &draft->mount.size_bytes);
}

static void tmpfs_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    static const struct lp_key keys[] = {{"size", size_read, 0}};
    static const struct lp_refused refused[] = {{"mode", NULL}};
    const struct lp_schema schema = {"tmpfs", keys, LP_COUNT(keys), refused, LP_COUNT(refused)};
    struct mount_draft *draft = into;
    draft->tmpfs_node = value;
    lp_schema_read(reader, &schema, value, into);
}

static void draft_finish(struct lp_reader *reader, struct lp_yaml_node *node,
                         struct mount_draft *draft, struct lp_service *service)
{
    if (draft->is_wrong || draft->kind < 0)
        return;
    draft->mount.kind = (enum lp_mount_kind)draft->kind;
    bool is_tmpfs = draft->mount.kind == LP_MOUNT_TMPFS;
    if (!draft->mount.target) {
        lp_mistake_at(reader, node, "a volume needs a target");
    } else if (is_tmpfs && draft->source_node) {
        lp_mistake_at(reader, draft->source_node, "a tmpfs has no source");
    } else if (!is_tmpfs && !draft->source_node) {
        lp_mistake_at(reader, node, "this volume needs a source");
    } else if (!is_tmpfs && draft->tmpfs_node) {
        lp_mistake_at(reader, draft->tmpfs_node, "these options are for type tmpfs");
    } else if (draft->mount.has_layer && draft->mount.kind != LP_MOUNT_VOLUME) {
        lp_mistake_at(reader, node, LAYER_MISTAKE);
    } else if (is_tmpfs || draft->source) {
        if (draft->mount.kind == LP_MOUNT_BIND)
            draft->mount.source = lp_path_resolve(reader, draft->source);
        else
            draft->mount.source = draft->source;
        mount_add(reader, node, service, &draft->mount);
    }
}

void lp_read_volumes(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    static const struct lp_key keys[] = {{"type", type_read, 0},
                                         {"source", source_read, 0},
                                         {"target", target_read, 0},
                                         {"read_only", read_only_read, 0},
                                         {"faults", faults_read, LP_KEY_OWN},
                                         {"tmpfs", tmpfs_read, 0}};
    const struct lp_schema schema = {"volume", keys, LP_COUNT(keys), lp_compose_mount,
                                     lp_compose_mount_count};
    struct lp_service_draft *service = into;
    if (!lp_is_sequence(reader, value, "volumes"))
        return;
    for (size_t i = 0; i < value->count; i++) {
        struct lp_yaml_node *node = value->items[i];
        struct mount_draft draft = {.kind = LP_MOUNT_VOLUME};
        if (node->kind != LP_YAML_MAPPING) {
            short_read(reader, node, service->service);
            continue;
        }
        if (!lp_yaml_find(node, "type")) {
            lp_mistake_at(reader, node, "a volume needs a type: volume, bind or tmpfs");
            continue;
        }
        lp_schema_read(reader, &schema, node, &draft);
        draft_finish(reader, node, &draft, service->service);
    }
}

// "/run" or "/run:size=64m".
static void tmpfs_short_read(struct lp_reader *reader, struct lp_yaml_node *node,
                             struct lp_service *service)
{
    const char *whole = lp_parse_text(reader, node);
    if (!whole)
        return;
    char *target = lp_arena_text(reader->arena, whole);
    char *options = strchr(target, ':');
    struct lp_mount mount = {.kind = LP_MOUNT_TMPFS, .target = target};
    if (options)
        *options++ = '\0';
    if (!target_check(reader, node, target))
        return;
    if (options &&
        (!lp_text_starts(options, "size=") || !lp_size_parse(options + 5, &mount.size_bytes))) {
        lp_mistake_at(reader, node, "tmpfs option '%s' is not size=64m or the like", options);
        return;
    }
    mount_add(reader, node, service, &mount);
}

void lp_read_tmpfs(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    if (value->kind == LP_YAML_SCALAR) {
        tmpfs_short_read(reader, value, draft->service);
        return;
    }
    for (size_t i = 0; lp_is_sequence(reader, value, "tmpfs") && i < value->count; i++)
        tmpfs_short_read(reader, value->items[i], draft->service);
}
