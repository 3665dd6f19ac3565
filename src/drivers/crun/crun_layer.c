// The layers of a node's volumes that are there from its start (`faults: true`): faults of their
// disk reach what the node has open already. Each is a process of its own and ends with the node's
// mounts.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "drivers/crun/crun_parts.h"
#include "drivers/layer/layer.h"

LP_MUST_CHECK static int layer_spawn(struct lp_crun *crun, const struct lp_crun_node *node,
                                     const struct lp_crun_layer *layer, int fuse_fd,
                                     struct lp_err *err)
{
    char program[512], name[LP_LAYER_NAME_BYTES], file[2 * LP_LAYER_NAME_BYTES], connection[16];
    const char *infra = node->mark.infra_name, *node_name = node->mark.name;
    lp_program_again(program, sizeof(program));
    lp_layer_name(layer->target, name);
    snprintf(file, sizeof(file), "%s.sock", name);
    struct lp_place socket = lp_place_node_file(&crun->env, infra, node_name, file);
    snprintf(file, sizeof(file), "%s.log", name);
    struct lp_place log = lp_place_node_file(&crun->env, infra, node_name, file);
    unlink(socket.text); // of the life before
    snprintf(connection, sizeof(connection), "%u",
             (unsigned)lp_layer_connection(layer->mount->layer_fd));
    LP_OWNS_FD int output = open(log.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (output < 0)
        return lp_err_set(err, LP_EIO, "%s: %s", log.text, strerror(errno));
    const char *argv[] = {program,          "layer",       "node",     socket.text, layer->target,
                          LP_LAYER_OF_NODE, layer->source, connection, NULL};
    struct lp_child_spec spec = {.argv = argv,
                                 .kept_fd = fuse_fd,
                                 .is_detached = true,
                                 .has_output_fd = true,
                                 .output_fd = output};
    return lp_children_spawn(crun->children, &spec,
                             (uint64_t)LP_CRUN_LAYER_TAG << 32 | node->mark.node, NULL, err);
}

int lp_crun_layers_start(struct lp_crun *crun, struct lp_crun_node *node, struct lp_err *err)
{
    struct lp_crun_start *start = node->start;
    for (size_t i = 0; i < start->layer_count; i++) {
        const struct lp_crun_layer *layer = &start->layers[i];
        LP_OWNS_FD int fuse_fd = -1;
        // Not by the name of those that faults put over a volume: there is nothing below this one.
        int result = lp_layer_mount(LP_LAYER_OF_NODE, &fuse_fd, &layer->mount->layer_fd, err);
        if (result == 0)
            result = layer_spawn(crun, node, layer, fuse_fd, err);
        if (result < 0)
            return lp_err_wrap(err, "the layer of %s", layer->target);
    }
    return 0;
}

void lp_crun_layers_release(struct lp_crun_start *start)
{
    for (size_t i = 0; i < start->layer_count; i++) {
        struct lp_node_mount *mount = start->layers[i].mount;
        if (mount->layer_fd > 0)
            close(mount->layer_fd);
        mount->layer_fd = 0;
    }
}

void lp_crun_layers_forget(struct lp_crun_node *node)
{
    for (size_t i = 0; i < node->served_count; i++) {
        close(node->served[i].pidfd);
        lp_heap_free(node->served[i].target);
    }
    lp_heap_free(node->served);
    node->served = NULL;
    node->served_count = 0;
}

// What the node has of it open fails from now on, and nothing below it may be seen: another life.
static void volume_fail(struct lp_crun *crun, struct lp_crun_node *node, const char *target)
{
    LP_OWNS_STR struct lp_str why = {0};
    lp_str_printf(&why, "the layer of its volume %s has ended", target);
    lp_crun_failure_note(node, lp_str_text(&why));
    lp_crun_fence(crun, node);
}

struct seeking {
    struct lp_crun *crun;
    struct lp_crun_node *node;
    char dead[LP_PLACE_TEXT_MAX]; // "": none
};

static void served_add(void *context, const char *target)
{
    struct seeking *seeking = context;
    struct lp_crun_node *node = seeking->node;
    char name[LP_LAYER_NAME_BYTES], file[2 * LP_LAYER_NAME_BYTES];
    pid_t pid = 0;
    struct lp_err err;
    lp_layer_name(target, name);
    snprintf(file, sizeof(file), "%s.sock", name);
    struct lp_place socket =
        lp_place_node_file(&seeking->crun->env, node->mark.infra_name, node->mark.name, file);
    if (access(socket.text, F_OK) < 0)
        return;
    int result = lp_layer_process(socket.text, &pid, &err);
    int pidfd = result == 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (pidfd < 0) {
        if (result == LP_ENOTFOUND || (result == 0 && errno == ESRCH))
            snprintf(seeking->dead, sizeof(seeking->dead), "%s", target);
        return;
    }
    if (lp_crun_watch(seeking->crun, node, LP_CRUN_WATCH_LAYER, pidfd, &err) < 0) {
        close(pidfd);
        return;
    }
    size_t bytes = strlen(target) + 1;
    node->served = lp_heap_grow(node->served, node->served_count + 1, sizeof(*node->served));
    struct lp_crun_served *served = &node->served[node->served_count++];
    *served = (struct lp_crun_served){pidfd, lp_heap_take(bytes)};
    memcpy(served->target, target, bytes);
}

void lp_crun_layers_watch(struct lp_crun *crun, struct lp_crun_node *node)
{
    struct seeking seeking = {.crun = crun, .node = node};
    lp_crun_layers_forget(node);
    (void)lp_layer_each_mount(node->pid, LP_LAYER_OF_NODE, served_add, &seeking);
    if (seeking.dead[0])
        volume_fail(crun, node, seeking.dead);
}

void lp_crun_layers_check(struct lp_crun *crun, struct lp_crun_node *node)
{
    char target[LP_PLACE_TEXT_MAX];
    for (size_t i = 0; i < node->served_count; i++) {
        struct pollfd ended = {.fd = node->served[i].pidfd, .events = POLLIN};
        if (poll(&ended, 1, 0) <= 0)
            continue;
        snprintf(target, sizeof(target), "%s", node->served[i].target);
        close(node->served[i].pidfd);
        lp_heap_free(node->served[i].target);
        node->served[i--] = node->served[--node->served_count];
        // A node that ends has no mounts any more: that is why its layers ended.
        if (!node->is_fencing &&
            lp_layer_find_mount(node->pid, LP_LAYER_OF_NODE, (char[LP_PLACE_TEXT_MAX]){0},
                                LP_PLACE_TEXT_MAX)) {
            volume_fail(crun, node, target);
            return;
        }
    }
}
