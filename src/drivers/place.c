// Where everything of one Limpet lies: paths and object names.
#define _GNU_SOURCE
#include "drivers/place.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct lp_place lp_place_printf(const char *fmt, ...)
{
    struct lp_place place;
    va_list args;
    va_start(args, fmt);
    int bytes = vsnprintf(place.text, sizeof(place.text), fmt, args);
    va_end(args);
    // A cut path would name something else: bounds are checked where text comes in.
    lp_assert(bytes >= 0 && bytes < (int)sizeof(place.text));
    return place;
}

int lp_place_check(const struct lp_driver_env *env, struct lp_err *err)
{
    if (!env->root || env->root[0] != '/')
        return lp_err_set(err, LP_EINPUT, "root must be an absolute path: %s",
                          env->root ? env->root : "(none)");
    if (strlen(env->root) > LP_PLACE_ROOT_MAX)
        return lp_err_set(err, LP_EINPUT, "root is longer than %d bytes", LP_PLACE_ROOT_MAX);
    if (!env->root_id || strlen(env->root_id) != 8 || strspn(env->root_id, "0123456789abcdef") != 8)
        return lp_err_set(err, LP_EINPUT, "the root's id must be 8 hexadecimal digits");
    return 0;
}

struct lp_place lp_place_netns_prefix(const struct lp_driver_env *env)
{
    return lp_place_printf("limpet-%s-", env->root_id);
}

struct lp_place lp_place_netns_name(const struct lp_driver_env *env, const char *infra)
{
    return lp_place_printf("limpet-%s-%s", env->root_id, infra);
}

struct lp_place lp_place_netns(const struct lp_driver_env *env, const char *infra)
{
    return lp_place_printf("/run/netns/limpet-%s-%s", env->root_id, infra);
}

struct lp_place lp_place_bridge(uint32_t network_index)
{
    return lp_place_printf("br%u", network_index);
}

struct lp_place lp_place_veth(uint32_t node, uint32_t network_index)
{
    return lp_place_printf("v%xn%u", node, network_index);
}

void lp_place_mac(uint32_t address, uint8_t ret_mac[6])
{
    ret_mac[0] = 0x02;
    ret_mac[1] = 0x4c;
    for (int i = 0; i < 4; i++)
        ret_mac[2 + i] = (uint8_t)(address >> (24 - 8 * i));
}

struct lp_place lp_place_nft_table(const struct lp_driver_env *env, const char *infra)
{
    struct lp_place place = lp_place_printf("limpet_%s_%s", env->root_id, infra);
    for (char *c = place.text; *c; c++) {
        if (*c == '-')
            *c = '_';
    }
    return place;
}

struct lp_place lp_place_image(const struct lp_driver_env *env, const char *hash)
{
    return lp_place_printf("%s/cache/images/%s", env->root, hash);
}

struct lp_place lp_place_image_mark(const struct lp_driver_env *env, const char *hash)
{
    return lp_place_printf("%s/cache/images/%s.json", env->root, hash);
}

struct lp_place lp_place_images(const struct lp_driver_env *env)
{
    return lp_place_printf("%s/cache/images", env->root);
}

struct lp_place lp_place_debs(const struct lp_driver_env *env)
{
    return lp_place_printf("%s/cache/debs", env->root);
}

struct lp_place lp_place_run(const struct lp_driver_env *env, const char *infra)
{
    return lp_place_printf("%s/run/%s", env->root, infra);
}

struct lp_place lp_place_runs(const struct lp_driver_env *env)
{
    return lp_place_printf("%s/run", env->root);
}

struct lp_place lp_place_nodes(const struct lp_driver_env *env)
{
    return lp_place_printf("%s/nodes", env->root);
}

struct lp_place lp_place_node(const struct lp_driver_env *env, const char *infra, const char *node)
{
    return lp_place_printf("%s/nodes/%s/%s", env->root, infra, node);
}

struct lp_place lp_place_node_file(const struct lp_driver_env *env, const char *infra,
                                   const char *node, const char *file)
{
    return lp_place_printf("%s/nodes/%s/%s/%s", env->root, infra, node, file);
}

struct lp_place lp_place_init_socket(const struct lp_driver_env *env, const char *infra,
                                     const char *node)
{
    return lp_place_node_file(env, infra, node, "init.sock");
}

struct lp_place lp_place_log_folder(const struct lp_driver_env *env, const char *infra,
                                    const char *node)
{
    return lp_place_node_file(env, infra, node, "log");
}

struct lp_place lp_place_volume(const struct lp_driver_env *env, const char *infra,
                                const char *volume)
{
    return lp_place_printf("%s/volumes/%s/%s", env->root, infra, volume);
}

struct lp_place lp_place_secrets(const struct lp_driver_env *env, const char *infra)
{
    return lp_place_printf("%s/secrets/%s", env->root, infra);
}

struct lp_place lp_place_cgroup_top(const struct lp_driver_env *env)
{
    return lp_place_printf("/limpet-%s", env->root_id);
}

struct lp_place lp_place_cgroup(const struct lp_driver_env *env, const char *infra,
                                const char *node)
{
    return lp_place_printf("/limpet-%s/%s/%s", env->root_id, infra, node);
}
