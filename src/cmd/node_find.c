// Finding nodes by their folders.
#define _GNU_SOURCE
#include "cmd/node_find.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/place.h"
#include "base/arena.h"
#include "base/own.h"
#include "base/spelling.h"
#include "base/str.h"

struct search {
    struct lp_driver_env env;
    const char *infra, *target; // NULL: any
    struct lp_arena *arena;
    struct lp_found_nodes found;
    const char **names; // of all nodes that were looked at, for the nearest spelling
    size_t name_count, capacity;
};

static bool is_node_of(const char *name, const char *service)
{
    size_t bytes = strlen(service);
    const char *ordinal = name + bytes + 1;
    return strncmp(name, service, bytes) == 0 && name[bytes] == '-' && ordinal[0] != '\0' &&
           strspn(ordinal, "0123456789") == strlen(ordinal);
}

static void node_add(struct search *search, const char *infra, const char *name)
{
    if (search->name_count == search->capacity) {
        size_t capacity = search->capacity ? 2 * search->capacity : 64;
        const char **names = lp_arena_new_array(search->arena, const char *, capacity);
        struct lp_found_node *items =
            lp_arena_new_array(search->arena, struct lp_found_node, capacity);
        for (size_t i = 0; i < search->name_count; i++)
            names[i] = search->names[i];
        for (size_t i = 0; i < search->found.count; i++)
            items[i] = search->found.items[i];
        search->names = names;
        search->found.items = items;
        search->capacity = capacity;
    }
    name = lp_arena_text(search->arena, name);
    search->names[search->name_count++] = name;
    if (search->target && strcmp(name, search->target) != 0 && !is_node_of(name, search->target))
        return;
    struct lp_place socket = lp_place_init_socket(&search->env, infra, name);
    struct lp_place folder = lp_place_log_folder(&search->env, infra, name);
    search->found.items[search->found.count++] = (struct lp_found_node){
        .infra = lp_arena_text(search->arena, infra),
        .name = name,
        .socket = lp_arena_text(search->arena, socket.text),
        .log_folder = lp_arena_text(search->arena, folder.text),
    };
}

// Call visit for each name in the folder; an absent folder has none.
static int folder_walk(const char *path, void (*visit)(void *context, const char *name),
                       void *context, struct lp_err *err)
{
    LP_OWNS_DIR DIR *folder = opendir(path);
    if (!folder && errno == ENOENT)
        return 0;
    if (!folder)
        return lp_err_set(err, errno == EACCES ? LP_EDENIED : LP_EIO, "open %s: %s", path,
                          strerror(errno));
    struct dirent *entry = NULL;
    while ((entry = readdir(folder)))
        if (entry->d_name[0] != '.' && strlen(entry->d_name) < 64)
            visit(context, entry->d_name);
    return 0;
}

struct infra_walk {
    struct search *search;
    const char *infra;
    struct lp_err *err;
    int code;
};

static void node_visit(void *context, const char *name)
{
    const struct infra_walk *walk = context;
    node_add(walk->search, walk->infra, name);
}

static void infra_visit(void *context, const char *name)
{
    struct infra_walk *walk = context;
    const struct search *search = walk->search;
    if (walk->code < 0 || (search->infra && strcmp(search->infra, name) != 0))
        return;
    struct lp_place nodes = lp_place_nodes(&search->env);
    LP_OWNS_STR struct lp_str path = {0};
    lp_str_printf(&path, "%s/%s", nodes.text, name);
    walk->infra = name;
    walk->code = folder_walk(lp_str_text(&path), node_visit, walk, walk->err);
}

// "web-2" before "web-10".
static int node_compare(const void *a, const void *b)
{
    const struct lp_found_node *left = a, *right = b;
    int order = strcmp(left->infra, right->infra);
    return order ? order : strverscmp(left->name, right->name);
}

int lp_nodes_find(const char *root, const char *infra, const char *target, struct lp_arena *arena,
                  struct lp_found_nodes *ret_nodes, struct lp_err *err)
{
    const char *slash = target ? strchr(target, '/') : NULL;
    struct search search = {.env = {.root = root, .root_id = "00000000"}, // no path has it
                            .infra = infra,
                            .target = target,
                            .arena = arena};
    if (slash) {
        search.infra = lp_arena_text_n(arena, target, (size_t)(slash - target));
        search.target = slash + 1;
    }
    int code = lp_place_check(&search.env, err);
    if (code < 0)
        return code;
    struct infra_walk walk = {.search = &search, .err = err};
    struct lp_place nodes = lp_place_nodes(&search.env);
    code = folder_walk(nodes.text, infra_visit, &walk, err);
    if (code < 0 || walk.code < 0)
        return code < 0 ? code : walk.code;
    if (search.found.count == 0 && target) {
        const char *nearest = lp_spelling_nearest(search.target, search.names, search.name_count);
        return lp_err_set(err, LP_ENOTFOUND, "no node %s%s%s%s", target, nearest ? "; is it " : "",
                          nearest ? nearest : "", nearest ? "?" : "");
    }
    if (search.found.count > 1)
        qsort(search.found.items, search.found.count, sizeof(struct lp_found_node), node_compare);
    *ret_nodes = search.found;
    return 0;
}

int lp_node_find(const char *root, const char *infra, const char *target, struct lp_arena *arena,
                 struct lp_found_node *ret_node, struct lp_err *err)
{
    struct lp_found_nodes nodes = {0};
    int code = lp_nodes_find(root, infra, target, arena, &nodes, err);
    if (code < 0)
        return code;
    if (nodes.count == 0)
        return lp_err_set(err, LP_ENOTFOUND, "no node %s", target);
    if (nodes.count > 1)
        return lp_err_set(err, LP_ECONFLICT, "%s is several nodes: %s/%s, %s/%s%s", target,
                          nodes.items[0].infra, nodes.items[0].name, nodes.items[1].infra,
                          nodes.items[1].name, nodes.count > 2 ? ", ..." : "");
    *ret_node = nodes.items[0];
    return 0;
}
