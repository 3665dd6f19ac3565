// The layers of a node's volumes that are there from its start (`faults: true`): faults of their
// disk reach what the node has open already. Each is a process of its own and ends with the node's
// mounts.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "drivers/crun/crun_parts.h"
#include "drivers/layer/layer.h"

LP_MUST_CHECK static int layer_spawn(struct lp_crun *crun, const struct lp_crun_node *node,
                                     const struct lp_crun_layer *layer, int fuse_fd,
                                     struct lp_err *err)
{
    char program[512], name[LP_LAYER_NAME_BYTES], file[2 * LP_LAYER_NAME_BYTES];
    const char *infra = node->mark.infra_name, *node_name = node->mark.name;
    lp_program_again(program, sizeof(program));
    lp_layer_name(layer->target, name);
    snprintf(file, sizeof(file), "%s.sock", name);
    struct lp_place socket = lp_place_node_file(&crun->env, infra, node_name, file);
    snprintf(file, sizeof(file), "%s.log", name);
    struct lp_place log = lp_place_node_file(&crun->env, infra, node_name, file);
    unlink(socket.text); // of the life before
    LP_OWNS_FD int output = open(log.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (output < 0)
        return lp_err_set(err, LP_EIO, "%s: %s", log.text, strerror(errno));
    const char *argv[] = {program,       "layer",  "node",        socket.text,
                          layer->target, "limpet", layer->source, NULL};
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
        int result = lp_layer_mount("limpet", &fuse_fd, &layer->mount->layer_fd, err);
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
