// The files of a node that are not of its image: hosts, hostname, resolv.conf; configs and
// secrets. The latter lie beside the root, out of its reach, and each is bound to its place in it;
// a new version is written into the same inode, so that the node sees it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "drivers/place.h"
#include "model/order.h"

// <node folder>/files/<16 hex digits of the target>: where a rendered file lies.
struct lp_place lp_node_file_place(const struct lp_driver_env *env, const char *infra,
                                   const char *node, const char *target);
// Write all rendered files. owner_base: added to uid and gid. *ret_is_changed: some differ from
// what was there. must_exist: a file that was not there at the start cannot be seen by the node,
// LP_ENOTFOUND.
LP_MUST_CHECK int lp_node_files_write(const struct lp_driver_env *env, const struct lp_order *order,
                                      uint32_t owner_base, bool must_exist, bool *ret_is_changed,
                                      struct lp_err *err);

// hosts, hostname and resolv.conf of a new life. Texts live in arena.
enum { LP_NODE_NAME_FILES = 3 };
struct lp_node_name_file {
    const char *target, *text;
};
void lp_node_names_print(const struct lp_order *order, struct lp_arena *arena,
                         struct lp_node_name_file ret_files[LP_NODE_NAME_FILES]);
