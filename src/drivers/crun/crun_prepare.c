// START_NODE up to the queue: the node's folder, its files, and what config.json will say. All that
// the order lends is copied here; nothing runs yet.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "drivers/crun/bundle_caps.h"
#include "drivers/fault/clock_page.h"
#include "drivers/companion.h"
#include "drivers/crun/crun_parts.h"
#include "drivers/crun/node_files.h"

// limpet-init, log, done, three files, three of the host image, three of the clock.
enum { PREPARE_OWN_MOUNTS = 12, ARGUMENTS_MAX = 10 };

struct mount_list { // bundle and stage are filled in step: sources get their place on the stage
    struct lp_crun_start *start;
    struct lp_bundle_mount *bundle;
    struct lp_node_mount *stage;
    size_t bundle_count, stage_count;
    const char *stage_folder;
};

static void bind_add(struct mount_list *list, const char *source, const char *target,
                     const struct lp_bundle_mount *how, struct lp_node_mount kind)
{
    struct lp_arena *arena = &list->start->arena;
    size_t at = list->stage_count++;
    kind.source = source ? lp_arena_text(arena, source) : NULL;
    list->stage[at] = kind;
    struct lp_bundle_mount *mount = &list->bundle[list->bundle_count++];
    *mount = *how;
    mount->source = lp_arena_printf(arena, "%s/m%zu", list->stage_folder, at);
    mount->target = lp_arena_text(arena, target);
}

static void layer_add(struct mount_list *list, const char *source, const char *target)
{
    struct lp_crun_start *start = list->start;
    start->layers[start->layer_count++] =
        (struct lp_crun_layer){.mount = &list->stage[list->stage_count - 1],
                               .source = lp_arena_text(&start->arena, source),
                               .target = lp_arena_text(&start->arena, target)};
}

static void tmpfs_add(struct mount_list *list, const char *target, uint32_t mode,
                      uint64_t size_bytes)
{
    list->bundle[list->bundle_count++] =
        (struct lp_bundle_mount){.target = lp_arena_text(&list->start->arena, target),
                                 .mode = mode,
                                 .is_executable = true,
                                 .size_bytes = size_bytes};
}

static int folder_make(const char *path, uint32_t owner, mode_t mode, struct lp_err *err)
{
    if (mkdir(path, mode) < 0) {
        if (errno == EEXIST)
            return 0;
        return lp_err_set(err, LP_EIO, "make %s: %s", path, strerror(errno));
    }
    if (chown(path, owner, owner) < 0 || chmod(path, mode) < 0)
        return lp_err_set(err, LP_EIO, "own %s: %s", path, strerror(errno));
    return 0;
}

static int folders_make(const struct lp_crun *crun, const struct lp_crun_node *node,
                        const struct lp_order *order, uint32_t owner, struct lp_err *err)
{
    static const struct {
        const char *name;
        mode_t mode;
        bool is_root_owned;
    } folders[] = {{"upper", 0755, false},
                   {"work", 0700, false},
                   {"log", 0755, false},
                   {"done", 0755, false},
                   {"files", 0700, true}};
    const char *infra = node->mark.infra_name, *name = node->mark.name;
    int result = lp_dir_make(lp_place_node(&crun->env, infra, name).text, 0700, err);
    // An inode costs up to a millisecond where many were removed lately (ext4): none is made in
    // vain.
    size_t count = sizeof(folders) / sizeof(folders[0]) - (order->file_count == 0);
    for (size_t i = 0; result == 0 && i < count; i++)
        result = folder_make(lp_place_node_file(&crun->env, infra, name, folders[i].name).text,
                             folders[i].is_root_owned ? 0 : owner, folders[i].mode, err);
    return result;
}

// A new volume belongs to whom the image's folder at that place belongs: so a database finds its
// data folder writable. The image's links are followed inside the image only.
static int volume_make(const struct lp_crun *crun, const struct lp_crun_start *start,
                       const char *path, const char *target, uint32_t owner, struct lp_err *err)
{
    (void)crun;
    struct stat facts = {.st_mode = 0755};
    if (lp_path_exists(path))
        return 0;
    LP_OWNS_FD int image = open(start->stage.image, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    LP_OWNS_FD int place =
        image < 0 ? -1 : (int)syscall(SYS_openat2, image, target, &how, sizeof(how));
    if (place >= 0)
        (void)!fstat(place, &facts);
    char parent[LP_PLACE_TEXT_MAX];
    snprintf(parent, sizeof(parent), "%s", path);
    *strrchr(parent, '/') = '\0';
    int result = lp_dir_make(parent, 0700, err);
    if (result < 0)
        return result;
    uint32_t uid = facts.st_uid < LP_USERNS_COUNT ? facts.st_uid : 0;
    uint32_t gid = facts.st_gid < LP_USERNS_COUNT ? facts.st_gid : 0;
    if (mkdir(path, 0700) < 0 || chown(path, owner + uid, owner + gid) < 0 ||
        chmod(path, facts.st_mode & 07777) < 0)
        return lp_err_set(err, LP_EIO, "make volume %s: %s", path, strerror(errno));
    return 0;
}

static int mount_add(const struct lp_crun *crun, const struct lp_crun_node *node,
                     const struct lp_mount *mount, struct mount_list *list, uint32_t owner,
                     struct lp_err *err)
{
    struct lp_bundle_mount how = {.is_read_only = mount->is_read_only, .is_executable = true};
    if (mount->kind == LP_MOUNT_TMPFS) {
        tmpfs_add(list, mount->target, 0, mount->size_bytes);
        return 0;
    }
    if (mount->kind == LP_MOUNT_VOLUME) {
        struct lp_place path = lp_place_volume(&crun->env, node->mark.infra_name, mount->source);
        int result = volume_make(crun, list->start, path.text, mount->target, owner, err);
        if (result == 0)
            bind_add(list, path.text, mount->target, &how, (struct lp_node_mount){0});
        if (result == 0 && mount->has_layer)
            layer_add(list, path.text, mount->target);
        return result;
    }
    struct stat facts;
    if (stat(mount->source, &facts) < 0)
        return lp_err_set(err, LP_EINPUT, "bind mount %s: %s", mount->source, strerror(errno));
    bind_add(list, mount->source, mount->target, &how,
             (struct lp_node_mount){.is_id_mapped = true, .is_file = !S_ISDIR(facts.st_mode)});
    return 0;
}

// What every node has: limpet-init, its logs and done-marks, the files about names.
static void own_mounts_add(const struct lp_crun *crun, const struct lp_crun_node *node,
                           struct mount_list *list, const struct lp_order *order)
{
    static const struct lp_bundle_mount plain = {0};
    static const struct lp_bundle_mount program = {.is_read_only = true, .is_executable = true};
    static const struct lp_node_mount folder = {0}, file = {.is_file = true};
    const struct lp_driver_env *env = &crun->env;
    const char *infra = node->mark.infra_name, *name = node->mark.name;
    if (order->image->kind ==
        LP_IMAGE_HOST) { // what lies there on the host is other programs' sockets and secrets
        tmpfs_add(list, "/run", 0755, 0);
        tmpfs_add(list, "/tmp", 01777, 0);
        tmpfs_add(list, "/var/tmp", 01777, 0);
    }
    bind_add(list, crun->init_path, "/.limpet/init", &program, file);
    bind_add(list, lp_place_log_folder(env, infra, name).text, "/.limpet/log", &plain, folder);
    bind_add(list, lp_place_node_file(env, infra, name, "done").text, "/.limpet/done", &plain,
             folder);
    struct lp_node_name_file names[LP_NODE_NAME_FILES];
    lp_node_names_print(order, &list->start->arena, names);
    for (size_t i = 0; i < LP_NODE_NAME_FILES; i++)
        bind_add(list, NULL, names[i].target, &plain,
                 (struct lp_node_mount){.is_file = true, .content = names[i].text});
}

// The clock library, its probe and the page that sets it.
static int clock_add(const struct lp_crun *crun, const struct lp_crun_node *node,
                     struct mount_list *list, struct lp_err *err)
{
    static const struct lp_bundle_mount program = {.is_read_only = true, .is_executable = true};
    static const struct lp_bundle_mount data = {.is_read_only = true};
    static const struct lp_node_mount file = {.is_file = true};
    char library[LP_COMPANION_PATH_MAX], probe[LP_COMPANION_PATH_MAX];
    struct lp_place page =
        lp_place_node_file(&crun->env, node->mark.infra_name, node->mark.name, "clock");
    if (lp_companion_find("clock", "limpet-clock.so", library, err) < 0 ||
        lp_companion_find("clock", "limpet-clock-probe.so", probe, err) < 0)
        return lp_err_wrap(err, "clock: adjustable");
    bind_add(list, library, LP_CLOCK_LIBRARY_IN_NODE, &program, file);
    bind_add(list, probe, LP_CLOCK_PROBE_IN_NODE, &program, file);
    bind_add(list, page.text, LP_CLOCK_PAGE_IN_NODE, &data, file);
    return lp_clock_page_make(page.text, err);
}

// Outer mounts before those inside them; files last, so that they show inside volumes.
static int mounts_fill(const struct lp_crun *crun, const struct lp_crun_node *node,
                       const struct lp_order *order, struct lp_crun_start *start,
                       struct lp_err *err)
{
    const struct lp_service *service = order->service;
    size_t max = PREPARE_OWN_MOUNTS + service->mount_count + order->file_count;
    uint32_t owner = start->stage.user_fd == 0 ? LP_USERNS_BASE : 0;
    struct mount_list list = {.start = start, .stage_folder = crun->stage_folder};
    list.bundle = lp_arena_new_array(&start->arena, struct lp_bundle_mount, max);
    list.stage = lp_arena_new_array(&start->arena, struct lp_node_mount, max);
    start->layers =
        lp_arena_new_array(&start->arena, struct lp_crun_layer, service->mount_count + 1);
    own_mounts_add(crun, node, &list, order);
    int result = service->is_clock_adjustable ? clock_add(crun, node, &list, err) : 0;
    for (size_t bytes = 1, next = 0; result == 0 && bytes != SIZE_MAX; bytes = next) {
        next = SIZE_MAX;
        for (size_t i = 0; result == 0 && i < service->mount_count; i++) {
            size_t length = strlen(service->mounts[i].target);
            if (length == bytes)
                result = mount_add(crun, node, &service->mounts[i], &list, owner, err);
            else if (length > bytes && length < next)
                next = length;
        }
    }
    for (size_t i = 0; result == 0 && i < order->file_count; i++) {
        struct lp_place path = lp_node_file_place(&crun->env, node->mark.infra_name,
                                                  node->mark.name, order->files[i].target);
        bind_add(&list, path.text, order->files[i].target, &(struct lp_bundle_mount){0},
                 (struct lp_node_mount){.is_file = true});
    }
    start->bundle.mounts = list.bundle;
    start->bundle.mount_count = list.bundle_count;
    start->stage.mounts = list.stage;
    start->stage.mount_count = list.stage_count;
    return result;
}

static int image_find(const struct lp_crun *crun, const struct lp_order *order,
                      struct lp_crun_start *start, struct lp_err *err)
{
    const struct lp_image *image = order->image;
    if (image->kind == LP_IMAGE_HOST) {
        start->stage.image = "/";
        return 0;
    }
    struct lp_place tree = lp_place_image(&crun->env, image->hash ? image->hash : "");
    struct stat facts;
    if (image->hash && image->hash[0] && stat(tree.text, &facts) == 0 && S_ISDIR(facts.st_mode))
        start->stage.image = lp_arena_text(&start->arena, tree.text);
    else if (image->kind == LP_IMAGE_DIRECTORY && stat(image->reference, &facts) == 0)
        start->stage.image = lp_arena_text(&start->arena, image->reference);
    else
        return lp_err_set(err, LP_ENOTFOUND, "image %s is not in the cache (%s)",
                          image->reference ? image->reference : "?", tree.text);
    return 0;
}

// What the node's processes may do goes to limpet-init, which gives it to them; it has a few more
// capabilities itself: to become a user, and to find and end what another user runs.
static int capabilities_fill(struct lp_bundle *bundle, const struct lp_service *service,
                             struct lp_arena *arena, const char **ret_argv, struct lp_err *err)
{
    static const char *own[] = {"KILL", "SETUID", "SETGID", "SETPCAP", "CHOWN", "SYS_PTRACE"};
    const struct lp_texts more = {own, sizeof(own) / sizeof(own[0])}, none = {0};
    uint64_t caps = service->is_privileged ? lp_caps_all() : lp_caps_default();
    int result = lp_caps_change(&caps, &service->cap_add, &service->cap_drop, err);
    if (result < 0)
        return result;
    ret_argv[0] = "--capabilities";
    ret_argv[1] = lp_arena_printf(arena, "%llx", (unsigned long long)caps);
    bundle->capabilities = bundle->process_capabilities = caps;
    return lp_caps_change(&bundle->capabilities, &more, &none, err);
}

static int bundle_fill(const struct lp_crun *crun, const struct lp_crun_node *node,
                       const struct lp_order *order, struct lp_crun_start *start,
                       struct lp_err *err)
{
    const struct lp_service *service = order->service;
    struct lp_bundle *bundle = &start->bundle;
    struct lp_arena *arena = &start->arena;
    const char **argv = lp_arena_new_array(arena, const char *, ARGUMENTS_MAX);
    argv[0] = "/.limpet/init";
    argv[1] = "--node";
    argv[2] = lp_arena_text(arena, node->mark.name);
    argv[3] = "--incarnation";
    argv[4] = lp_arena_printf(arena, "%u", node->mark.incarnation);
    bundle->argv = argv;
    bundle->root_path = lp_arena_printf(arena, "%s/root", crun->stage_folder);
    bundle->hostname =
        lp_arena_text(arena, service->hostname ? service->hostname : node->mark.name);
    bundle->cgroup_path = lp_arena_text(
        arena, lp_place_cgroup(&crun->env, node->mark.infra_name, node->mark.name).text);
    bundle->is_privileged = service->is_privileged;
    bundle->is_read_only = service->is_read_only;
    bundle->masks_host = order->image->kind == LP_IMAGE_HOST && !service->is_privileged;
    bundle->limpet_root = crun->env.root;
    bundle->memory_bytes = crun->cgroups.has_memory ? service->memory_bytes : 0;
    bundle->pids = crun->cgroups.has_pids ? service->pids : 0;
    if ((service->memory_bytes && !bundle->memory_bytes) || (service->pids && !bundle->pids))
        return lp_err_set(err, LP_EUNSUPPORTED,
                          "this machine's cgroups (%s) cannot limit memory or processes",
                          lp_cgroup_kind_word(crun->cgroups.kind));
    if (service->is_clock_adjustable) {
        argv[7] = "--preload";
        argv[8] = LP_CLOCK_LIBRARY_IN_NODE;
    }
    return capabilities_fill(bundle, service, arena, argv + 5, err);
}

static int start_fill(const struct lp_crun *crun, const struct lp_crun_node *node,
                      const struct lp_order *order, struct lp_crun_start *start, struct lp_err *err)
{
    bool is_host_user = order->image->kind == LP_IMAGE_HOST || order->service->is_privileged;
    uint32_t owner = is_host_user ? 0 : LP_USERNS_BASE;
    const char *infra = node->mark.infra_name, *name = node->mark.name;
    start->stage.user_fd = is_host_user ? -1 : 0; // 0: one is to be made
    start->stage.stage = crun->stage_folder;
    start->stage.upper =
        lp_arena_text(&start->arena, lp_place_node_file(&crun->env, infra, name, "upper").text);
    start->stage.work =
        lp_arena_text(&start->arena, lp_place_node_file(&crun->env, infra, name, "work").text);
    start->cpu_permille = order->service->cpu_permille;
    start->attachment_count = order->attachment_count;
    start->attachments =
        lp_arena_new_array(&start->arena, struct lp_attachment, order->attachment_count);
    for (size_t i = 0; i < order->attachment_count; i++) {
        start->attachments[i] = order->attachments[i];
        start->attachments[i].network = NULL; // lent for the call only
    }
    bool is_changed;
    int result = image_find(crun, order, start, err);
    if (result == 0)
        result = folders_make(crun, node, order, owner, err);
    if (result == 0)
        result = lp_node_files_write(&crun->env, order, owner, false, &is_changed, err);
    if (result == 0)
        result = mounts_fill(crun, node, order, start, err);
    return result < 0 ? result : bundle_fill(crun, node, order, start, err);
}

int lp_crun_prepare(struct lp_crun *crun, struct lp_crun_node *node, const struct lp_order *order,
                    struct lp_err *err)
{
    if (!order->service || !order->image || !order->node_name || !order->infra_name)
        return lp_err_set(err, LP_ENOTFOUND, "nothing is known of the node to start");
    if (crun->cgroups.kind == LP_CGROUP_NONE)
        return lp_err_set(err, LP_EUNSUPPORTED, "no cgroups are mounted below /sys/fs/cgroup");
    lp_crun_start_free(node);
    struct lp_crun_start *start = lp_heap_take(sizeof(*start));
    start->user_fd = start->net_fd = start->listen_fd = -1;
    start->action_id = order->action.id;
    node->start = start;
    int result = start_fill(crun, node, order, start, err);
    if (result == 0)
        result = lp_node_mark_write(&crun->env, &node->mark, err);
    if (result < 0)
        lp_crun_start_free(node);
    return result;
}

void lp_crun_start_free(struct lp_crun_node *node)
{
    struct lp_crun_start *start = node->start;
    if (!start)
        return;
    lp_crun_layers_release(start);
    const int fds[] = {start->user_fd, start->net_fd, start->listen_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    lp_arena_release(&start->arena);
    lp_heap_free(start);
    node->start = NULL;
}
