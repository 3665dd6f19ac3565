// `limpet images`: what the cache holds, and who uses it; `prune` removes what nobody does.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cmd/client.h"
#include "cmd/table.h"
#include "cmd/verb.h"
#include "base/file.h"
#include "base/own.h"

enum { MARK_BYTES_MAX = 4 * 1024 * 1024, MOUNTS_BYTES_MAX = 16 * 1024 * 1024, HASH_SHOWN = 12 };

// The images of the cache, as an array of objects; "used_by" is filled in later.
static json_t *marks_read(struct lp_cmd *cmd)
{
    json_t *images = json_array();
    LP_OWNS_DIR DIR *folder = opendir(lp_arena_printf(cmd->arena, "%s/cache/images", cmd->root));
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        LP_OWNS_STR struct lp_str text = {0};
        if (!lp_text_ends(entry->d_name, ".json") ||
            lp_file_read(
                lp_arena_printf(cmd->arena, "%s/cache/images/%s", cmd->root, entry->d_name),
                MARK_BYTES_MAX, &text, NULL) < 0)
            continue;
        json_t *mark = json_loadb(lp_str_text(&text), text.bytes, 0, NULL);
        const char *hash = lp_arena_text_n(cmd->arena, entry->d_name, strlen(entry->d_name) - 5);
        json_array_append_new(
            images,
            json_pack("{s:s, s:s, s:s, s:I, s:I, s:[]}", "hash", hash, "kind",
                      lp_json_text(mark, "kind"), "reference", lp_json_text(mark, "reference"),
                      "size_bytes", (json_int_t)lp_json_number(mark, "size_kib") * 1024, "built_at",
                      (json_int_t)lp_json_number(mark, "built_at") * 1000, "used_by"));
        json_decref(mark);
    }
    return images;
}

static void use_note(json_t *images, const char *hash, const char *user)
{
    size_t i;
    json_t *image;
    json_array_foreach (images, i, image) {
        json_t *users = json_object_get(image, "used_by"), *text = json_string(user);
        if (strcmp(lp_json_text(image, "hash"), hash) == 0 && !lp_json_holds(users, text))
            json_array_append(users, text);
        json_decref(text);
    }
}

// What the daemon's services are made from. Without a daemon only what is mounted counts: the next
// daemon looks for every image anew.
LP_MUST_CHECK static int services_ask(struct lp_cmd *cmd, json_t *images)
{
    struct lp_client *client;
    json_t *services = NULL;
    const json_t *service;
    size_t i;
    if (lp_client_open(cmd->root, &client, &cmd->err) < 0)
        return cmd->err.code;
    int code = lp_client_get(client, &services, &cmd->err, "/v1/services", LP_QUERY_END);
    bool is_absent = lp_client_is_absent(client);
    lp_client_close(client);
    if (code < 0)
        return is_absent ? 0 : code;
    json_array_foreach (services, i, service) {
        use_note(images, lp_json_text(service, "image_hash"),
                 lp_arena_printf(cmd->arena, "%s/%s", lp_json_text(service, "infrastructure"),
                                 lp_json_text(service, "service")));
    }
    json_decref(services);
    return 0;
}

// Nodes of an older descriptor may still lie over an image that no service names any more.
static void mounts_look(struct lp_cmd *cmd, json_t *images)
{
    LP_OWNS_DIR DIR *processes = opendir("/proc");
    for (struct dirent *entry; processes && (entry = readdir(processes));) {
        LP_OWNS_STR struct lp_str mounts = {0};
        char path[300];
        size_t i;
        const json_t *image;
        snprintf(path, sizeof(path), "/proc/%s/mountinfo", entry->d_name);
        if (atoi(entry->d_name) <= 0 || lp_file_read(path, MOUNTS_BYTES_MAX, &mounts, NULL) < 0 ||
            !strstr(lp_str_text(&mounts), "/cache/images/"))
            continue;
        json_array_foreach (images, i, image) {
            const char *hash = lp_json_text(image, "hash");
            if (strstr(lp_str_text(&mounts),
                       lp_arena_printf(cmd->arena, "%s/cache/images/%s", cmd->root, hash)) &&
                json_array_size(json_object_get(image, "used_by")) == 0)
                use_note(images, hash, "a node that runs");
        }
    }
}

static const char *size_print(struct lp_cmd *cmd, long long bytes)
{
    return bytes < 10LL * 1024 * 1024
               ? lp_arena_printf(cmd->arena, "%.1f MiB", (double)bytes / 1024 / 1024)
               : lp_arena_printf(cmd->arena, "%lld MiB", bytes / 1024 / 1024);
}

static const char *users_print(struct lp_cmd *cmd, const json_t *image)
{
    size_t i;
    const json_t *user;
    LP_OWNS_STR struct lp_str text = {0};
    json_array_foreach (json_object_get(image, "used_by"), i, user) {
        lp_str_printf(&text, "%s%s", i ? ", " : "", json_string_value(user));
    }
    return lp_arena_text(cmd->arena, text.bytes ? lp_str_text(&text) : "nobody");
}

static void list(struct lp_cmd *cmd, const json_t *images)
{
    struct lp_table table = {.columns = 5};
    size_t i;
    const json_t *image;
    if (cmd->is_json) {
        lp_json_show(images);
        return;
    }
    lp_table_add(cmd, &table,
                 (struct lp_cell[]){{"IMAGE", LP_DIM},
                                    {"MADE FROM", LP_DIM},
                                    {"SIZE", LP_DIM},
                                    {"BUILT", LP_DIM},
                                    {"USED BY", LP_DIM}});
    json_array_foreach (images, i, image) {
        const char *hash = lp_json_text(image, "hash");
        lp_table_add(
            cmd, &table,
            (struct lp_cell[]){{lp_arena_text_n(cmd->arena, hash, HASH_SHOWN), LP_PLAIN},
                               {lp_json_text(image, "reference"), LP_PLAIN},
                               {size_print(cmd, lp_json_number(image, "size_bytes")), LP_PLAIN},
                               {lp_time_ago(cmd, lp_json_number(image, "built_at")), LP_PLAIN},
                               {users_print(cmd, image), LP_PLAIN}});
    }
    lp_table_print(cmd, &table);
    if (json_array_size(images) == 0 && !cmd->is_quiet)
        puts("no images are kept");
}

// Its mark goes first: a tree without one does not count, whatever happens here.
LP_MUST_CHECK static int image_remove(struct lp_cmd *cmd, const char *hash)
{
    const char *tree = lp_arena_printf(cmd->arena, "%s/cache/images/%s", cmd->root, hash);
    if (unlink(lp_arena_printf(cmd->arena, "%s.json", tree)) < 0 && errno != ENOENT)
        return lp_err_set(&cmd->err, LP_EIO, "remove %s.json: %s", tree, strerror(errno));
    unlink(lp_arena_printf(cmd->arena, "%s.log", tree));
    return lp_dir_remove(tree, &cmd->err);
}

static int prune(struct lp_cmd *cmd, const json_t *images)
{
    size_t i, count = 0;
    const json_t *image;
    long long bytes = 0;
    json_array_foreach (images, i, image) {
        if (json_array_size(json_object_get(image, "used_by")) > 0)
            continue;
        if (image_remove(cmd, lp_json_text(image, "hash")) < 0)
            return lp_cmd_fail(cmd, &cmd->err);
        bytes += lp_json_number(image, "size_bytes");
        count++;
    }
    if (cmd->is_json)
        printf("{\"removed\":%zu,\"size_bytes\":%lld}\n", count, bytes);
    else if (!cmd->is_quiet)
        printf("%zu image%s removed, %s\n", count, count == 1 ? "" : "s", size_print(cmd, bytes));
    return LP_EXIT_DONE;
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    bool is_prune = argc > 1 && lp_text_equal(argv[1], "prune");
    if (argc > 1 && !is_prune) {
        lp_err_set(&cmd->err, LP_EINPUT, "'%s': only prune can be said here", argv[1]);
        return lp_cmd_fail(cmd, &cmd->err);
    }
    // Whoever builds holds the lock; who begins to build now waits until this is over.
    const char *path = lp_arena_printf(cmd->arena, "%s/cache/builds.lock", cmd->root);
    LP_OWNS_FD int lock = is_prune ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) < 0) {
        lp_err_set(&cmd->err, LP_ECONFLICT, "images are being built: try again when that is over");
        return lp_cmd_fail(cmd, &cmd->err);
    }
    json_t *images = marks_read(cmd);
    int status = LP_EXIT_DONE;
    if (services_ask(cmd, images) < 0) {
        status = lp_cmd_fail(cmd, &cmd->err);
    } else {
        mounts_look(cmd, images);
        if (is_prune)
            status = prune(cmd, images);
        else
            list(cmd, images);
    }
    json_decref(images);
    return status;
}

const struct lp_verb lp_verb_images = {
    .name = "images",
    .summary = "List the images that are kept, or remove those that nobody uses",
    .usage = "[prune] [-o json]",
    .help = "Package files and bases stay, so that an image that was removed is built again\n"
            "without the network. With -o json: an array of objects with hash, kind, reference,\n"
            "size_bytes, built_at and used_by.",
    .run = run,
    .most = 1,
};
