// Where everything of one Limpet lies: every path and every object name, made from the root, its
// mark and the names of things. The layout of the root is decided here and nowhere else.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/driver.h"

enum {
    LP_PLACE_ROOT_MAX = 256, // bytes of env->root; see lp_place_check
    LP_PLACE_TEXT_MAX = 768, // a root, the longest names and the folders between them fit
};

// A path or name by value, to be used as lp_place_node(env, infra, node).text.
struct lp_place {
    char text[LP_PLACE_TEXT_MAX];
};

struct lp_place lp_place_printf(const char *fmt, ...)
    LP_PRINTF(1, 2); // never longer than it may be

// LP_EINPUT when the root is not absolute or is longer than LP_PLACE_ROOT_MAX, or the mark is not
// 8 hex digits. After that the functions below cannot fail: names are DNS labels already.
LP_MUST_CHECK int lp_place_check(const struct lp_driver_env *env, struct lp_err *err);

// The infrastructure's network namespace: its name and /run/netns/<name>.
struct lp_place lp_place_netns_name(const struct lp_driver_env *env, const char *infra);
struct lp_place lp_place_netns(const struct lp_driver_env *env, const char *infra);
// "limpet-<root_id>-": what the names of all namespaces of this Limpet start with.
struct lp_place lp_place_netns_prefix(const struct lp_driver_env *env);
// "br<index>" and the infrastructure's end of a node's link, "v<node id in hex>n<index>".
struct lp_place lp_place_bridge(uint32_t network_index);
struct lp_place lp_place_veth(uint32_t node, uint32_t network_index);
// 02:4c and the four bytes of the address.
void lp_place_mac(uint32_t address, uint8_t ret_mac[6]);
// "limpet_<root_id>_<infra>" with '-' as '_': the firewall table of a network with nat.
struct lp_place lp_place_nft_table(const struct lp_driver_env *env, const char *infra);

// <root>/cache/images/<hash>, and the same with .json: present when the tree is complete.
struct lp_place lp_place_image(const struct lp_driver_env *env, const char *hash);
struct lp_place lp_place_image_mark(const struct lp_driver_env *env, const char *hash);
struct lp_place lp_place_images(const struct lp_driver_env *env); // <root>/cache/images
struct lp_place lp_place_debs(const struct lp_driver_env *env);   // <root>/cache/debs

struct lp_place lp_place_run(const struct lp_driver_env *env, const char *infra); // <root>/run/...
struct lp_place lp_place_runs(const struct lp_driver_env *env);                   // <root>/run
struct lp_place lp_place_nodes(const struct lp_driver_env *env);                  // <root>/nodes
// <root>/nodes/<infra>/<node>, and a file or folder in it ("upper", "mark.json", ...).
struct lp_place lp_place_node(const struct lp_driver_env *env, const char *infra, const char *node);
struct lp_place lp_place_node_file(const struct lp_driver_env *env, const char *infra,
                                   const char *node, const char *file);
struct lp_place lp_place_init_socket(const struct lp_driver_env *env, const char *infra,
                                     const char *node); // .../init.sock
struct lp_place lp_place_log_folder(const struct lp_driver_env *env, const char *infra,
                                    const char *node); // .../log
struct lp_place lp_place_volume(const struct lp_driver_env *env, const char *infra,
                                const char *volume); // <root>/volumes/<infra>/<volume>
struct lp_place lp_place_secrets(const struct lp_driver_env *env,
                                 const char *infra); // <root>/secrets/<infra>

// "/limpet-<root_id>" and "/limpet-<root_id>/<infra>/<node>": below each hierarchy's mount.
struct lp_place lp_place_cgroup_top(const struct lp_driver_env *env);
struct lp_place lp_place_cgroup(const struct lp_driver_env *env, const char *infra,
                                const char *node);
