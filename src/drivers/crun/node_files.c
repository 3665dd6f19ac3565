// The files of a node that are not of its image.
#define _GNU_SOURCE
#include "drivers/crun/node_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/own.h"
#include "base/str.h"

struct owner {
    uint32_t uid, gid, mode;
};

struct lp_place lp_node_file_place(const struct lp_driver_env *env, const char *infra,
                                   const char *node, const char *target)
{
    char file[LP_SHA256_TEXT + 8];
    char hash[LP_SHA256_TEXT];
    lp_sha256_text(target, strlen(target), hash);
    snprintf(file, sizeof(file), "files/%.16s", hash);
    return lp_place_node_file(env, infra, node, file);
}

// Into the same inode: it is bound into the node. Contents before length, so that a reader never
// sees the file empty.
static int file_put(const char *path, const struct lp_str *text, const struct owner *owner,
                    bool *ret_is_changed, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str before = {0};
    int result = lp_file_read(path, text->bytes + 1, &before, NULL);
    bool is_same = result == 0 && before.bytes == text->bytes &&
                   (text->bytes == 0 || memcmp(before.text, text->text, text->bytes) == 0);
    LP_OWNS_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "create %s: %s", path, strerror(errno));
    if (fchown(fd, owner->uid, owner->gid) < 0 || fchmod(fd, owner->mode & 07777) < 0)
        return lp_err_set(err, LP_EIO, "own %s: %s", path, strerror(errno));
    if (is_same)
        return 0;
    *ret_is_changed = true;
    result = lp_fd_write(fd, lp_str_text(text), text->bytes, err);
    if (result == 0 && ftruncate(fd, (off_t)text->bytes) < 0)
        result = lp_err_set(err, LP_EIO, "cut %s: %s", path, strerror(errno));
    return result < 0 ? lp_err_wrap(err, "write %s", path) : 0;
}

int lp_node_files_write(const struct lp_driver_env *env, const struct lp_order *order,
                        uint32_t owner_base, bool must_exist, bool *ret_is_changed,
                        struct lp_err *err)
{
    *ret_is_changed = false;
    for (size_t i = 0; i < order->file_count; i++) {
        const struct lp_rendered_file *file = &order->files[i];
        struct lp_place place =
            lp_node_file_place(env, order->infra_name, order->node_name, file->target);
        if (must_exist && !lp_path_exists(place.text))
            return lp_err_set(err, LP_ENOTFOUND,
                              "%s was not there when the node started: it needs a new node",
                              file->target);
        LP_OWNS_STR struct lp_str text = {0};
        lp_str_add_n(&text, file->bytes, file->count);
        // A secret is for its owner and group, whatever the descriptor says of others.
        uint32_t mode = file->is_secret ? file->mode & 0770u : file->mode;
        struct owner owner = {owner_base + file->uid, owner_base + file->gid, mode};
        int result = file_put(place.text, &text, &owner, ret_is_changed, err);
        if (result < 0)
            return lp_err_wrap(err, "%s", file->target);
    }
    return 0;
}

static void address_print(uint32_t address, struct lp_str *text)
{
    lp_str_printf(text, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
                  address & 255);
}

void lp_node_names_print(const struct lp_order *order, struct lp_arena *arena,
                         struct lp_node_name_file ret_files[LP_NODE_NAME_FILES])
{
    LP_OWNS_STR struct lp_str hosts = {0};
    LP_OWNS_STR struct lp_str resolver = {0};
    const char *name = order->service->hostname ? order->service->hostname : order->node_name;
    lp_str_add(&hosts, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    if (order->attachment_count > 0) {
        address_print(order->attachments[0].address, &hosts);
        lp_str_printf(&hosts, "\t%s", name);
        if (strcmp(name, order->node_name) != 0)
            lp_str_printf(&hosts, " %s", order->node_name);
        lp_str_add(&hosts, "\n");
        lp_str_add(&resolver, "nameserver ");
        address_print(order->attachments[0].gateway, &resolver);
        lp_str_printf(&resolver, "\nsearch %s\noptions ndots:0 timeout:2\n", order->infra_name);
    }
    ret_files[0] =
        (struct lp_node_name_file){"/etc/hosts", lp_arena_text(arena, lp_str_text(&hosts))};
    ret_files[1] =
        (struct lp_node_name_file){"/etc/hostname", lp_arena_printf(arena, "%s\n", name)};
    ret_files[2] = (struct lp_node_name_file){"/etc/resolv.conf",
                                              lp_arena_text(arena, lp_str_text(&resolver))};
}
