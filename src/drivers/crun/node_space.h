// The namespaces and the root of a node, made before crun starts in them: a user and a network
// namespace, and in a mount namespace of crun's own, gone with it, the overlay over the image.
// So a node has no mount and no named namespace on the host: nothing is left when it dies.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { LP_USERNS_BASE = 100000, LP_USERNS_COUNT = 65536 };

// A new network namespace, in a new user namespace (0 -> 100000, 65536 ids) that owns it, or with
// is_host_user in the host's own (*ret_user_fd is then -1). The handles are the caller's.
LP_MUST_CHECK int lp_node_space_make(bool is_host_user, int *ret_user_fd, int *ret_net_fd,
                                     struct lp_err *err);

struct lp_node_mount { // a folder or file of the host that the node sees
    const char *source;
    bool is_id_mapped; // its owners are the host's: shift them (else they are shifted already)
    bool is_file;
    int layer_fd;        // instead of a source: a mount that is attached nowhere yet; 0: none
    const char *content; // instead of a source: a file of this life only, in memory; its owner is
                         // the node's root. NULL: none
};

// What is mounted where; <stage>/crun is an empty folder for crun's state. Lent until the start is
// over; nothing in it is written.
struct lp_node_stage {
    const char *stage; // an empty-able folder every user may reach, see lp_node_stage_folder
    const char *image; // the tree below the overlay
    const char *upper, *work;
    int user_fd;        // -1: no shifting
    const char *config; // what <stage>/config.json says, so that <stage> is crun's bundle
    const struct lp_node_mount *mounts;
    size_t mount_count; // mounts[i] will be at <stage>/m<i>, the root at <stage>/root
};

// For struct lp_child_spec.prepare: context is a struct lp_node_stage. System calls only.
int lp_node_stage_mount(void *context, const char **ret_step);

// A folder that exists, that a mount may cover for the child alone, and that does not contain
// anything of root's: "/mnt", "/media", "/srv". LP_EUNSUPPORTED when none is free.
LP_MUST_CHECK int lp_node_stage_folder(const char *root, const char **ret_folder,
                                       struct lp_err *err);
// Can this kernel shift owners of the file system that path lies on? Tried, not guessed.
LP_MUST_CHECK int lp_node_space_check(const char *path, struct lp_err *err);
