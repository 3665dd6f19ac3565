// Links, addresses and routes of one network namespace, by rtnetlink (libnl-route).
#define _GNU_SOURCE
#include "drivers/network/netlink.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "drivers/network/network_ns.h"

static void link_close(struct rtnl_link **link)
{
    rtnl_link_put(*link);
}
#define OWNS_LINK __attribute__((cleanup(link_close)))
static void address_close(struct rtnl_addr **address)
{
    rtnl_addr_put(*address);
}
#define OWNS_ADDRESS __attribute__((cleanup(address_close)))
static void bytes_close(struct nl_addr **bytes)
{
    nl_addr_put(*bytes);
}
#define OWNS_BYTES __attribute__((cleanup(bytes_close)))
static void route_close(struct rtnl_route **route)
{
    rtnl_route_put(*route);
}
#define OWNS_ROUTE __attribute__((cleanup(route_close)))
static void cache_close(struct nl_cache **cache)
{
    nl_cache_free(*cache);
}
#define OWNS_CACHE __attribute__((cleanup(cache_close)))

LP_MUST_CHECK static int refused(struct lp_err *err, int status, const char *what,
                                 const char *which)
{
    return lp_err_set(err, LP_EIO, "%s %s: %s", what, which, nl_geterror(status));
}

int lp_netlink_open(int netns_fd, struct nl_sock **ret_netlink, struct lp_err *err)
{
    LP_OWNS_FD int home_fd = -1;
    int code = netns_fd < 0 ? 0 : lp_netns_open_own(&home_fd, err);
    if (code == 0 && netns_fd >= 0)
        code = lp_netns_enter(netns_fd, err);
    if (code < 0)
        return code;
    struct nl_sock *netlink = nl_socket_alloc();
    int status = netlink ? nl_connect(netlink, NETLINK_ROUTE) : -NLE_NOMEM;
    if (netns_fd >= 0)
        lp_netns_leave(home_fd);
    if (status < 0) {
        nl_socket_free(netlink);
        return refused(err, status, "open", "rtnetlink");
    }
    *ret_netlink = netlink;
    return 0;
}

void lp_netlink_close(struct nl_sock *netlink)
{
    nl_socket_free(netlink);
}

LP_MUST_CHECK static int link_get(struct nl_sock *netlink, const char *name,
                                  struct rtnl_link **ret_link, struct lp_err *err)
{
    int status = rtnl_link_get_kernel(netlink, 0, name, ret_link);
    if (status == -NLE_OBJ_NOTFOUND || status == -NLE_NODEV)
        return lp_err_set(err, LP_ENOTFOUND, "no link %s", name);
    return status < 0 ? refused(err, status, "look for link", name) : 0;
}

bool lp_netlink_link_exists(struct nl_sock *netlink, const char *name)
{
    OWNS_LINK struct rtnl_link *link = NULL;
    return link_get(netlink, name, &link, NULL) == 0;
}

int lp_netlink_link_up(struct nl_sock *netlink, const char *name, struct lp_err *err)
{
    OWNS_LINK struct rtnl_link *link = NULL;
    int code = link_get(netlink, name, &link, err);
    if (code < 0)
        return code;
    OWNS_LINK struct rtnl_link *change = rtnl_link_alloc();
    rtnl_link_set_flags(change, IFF_UP);
    int status = rtnl_link_change(netlink, link, change, 0);
    return status < 0 ? refused(err, status, "set up link", name) : 0;
}

int lp_netlink_link_remove(struct nl_sock *netlink, const char *name, struct lp_err *err)
{
    OWNS_LINK struct rtnl_link *link = NULL;
    int code = link_get(netlink, name, &link, err);
    if (code < 0)
        return code == LP_ENOTFOUND ? 0 : code;
    int status = rtnl_link_delete(netlink, link);
    if (status == -NLE_OBJ_NOTFOUND || status == -NLE_NODEV)
        return 0;
    return status < 0 ? refused(err, status, "remove link", name) : 0;
}

int lp_netlink_bridge_ensure(struct nl_sock *netlink, const char *name, const uint8_t mac[6],
                             struct lp_err *err)
{
    if (!lp_netlink_link_exists(netlink, name)) {
        OWNS_LINK struct rtnl_link *bridge = rtnl_link_bridge_alloc();
        OWNS_BYTES struct nl_addr *bytes = nl_addr_build(AF_LLC, mac, 6);
        if (!bridge || !bytes)
            return refused(err, -NLE_NOMEM, "make bridge", name);
        rtnl_link_set_name(bridge, name);
        // Set by hand: else it would follow its ports, and nodes would hold a stale neighbour.
        rtnl_link_set_addr(bridge, bytes);
        int status = rtnl_link_add(netlink, bridge, NLM_F_CREATE | NLM_F_EXCL);
        if (status < 0)
            return refused(err, status, "make bridge", name);
    }
    return lp_netlink_link_up(netlink, name, err);
}

int lp_netlink_veth_make(struct nl_sock *netlink, const char *name, const char *peer,
                         int peer_netns_fd, struct lp_err *err)
{
    OWNS_LINK struct rtnl_link *link = rtnl_link_veth_alloc();
    if (!link)
        return refused(err, -NLE_NOMEM, "make link", name);
    rtnl_link_set_name(link, name);
    struct rtnl_link *other = rtnl_link_veth_get_peer(link); // takes a reference of its own
    rtnl_link_set_name(other, peer);
    rtnl_link_set_ns_fd(other, peer_netns_fd);
    rtnl_link_put(other);
    int status = rtnl_link_add(netlink, link, NLM_F_CREATE | NLM_F_EXCL);
    return status < 0 ? refused(err, status, "make link", name) : 0;
}

// All IPv4 addresses of the namespace.
LP_MUST_CHECK static int addresses_get(struct nl_sock *netlink, struct nl_cache **ret_cache,
                                       struct lp_err *err)
{
    int status = rtnl_addr_alloc_cache(netlink, ret_cache);
    return status < 0 ? refused(err, status, "list", "addresses") : 0;
}

static bool address_read(struct nl_object *object, uint32_t *ret_address, uint32_t *ret_prefix)
{
    struct nl_addr *local = rtnl_addr_get_local((struct rtnl_addr *)object);
    if (!local || nl_addr_get_family(local) != AF_INET || nl_addr_get_len(local) != 4)
        return false;
    uint32_t bytes;
    memcpy(&bytes, nl_addr_get_binary_addr(local), 4);
    *ret_address = ntohl(bytes);
    *ret_prefix = nl_addr_get_prefixlen(local);
    return true;
}

LP_MUST_CHECK static int address_add(struct nl_sock *netlink, int link, uint32_t address,
                                     uint32_t prefix, struct lp_err *err)
{
    uint32_t bytes = htonl(address);
    uint32_t last = htonl(prefix < 32 ? address | (UINT32_MAX >> prefix) : address);
    OWNS_BYTES struct nl_addr *local = nl_addr_build(AF_INET, &bytes, 4);
    OWNS_BYTES struct nl_addr *broadcast = nl_addr_build(AF_INET, &last, 4);
    OWNS_ADDRESS struct rtnl_addr *row = rtnl_addr_alloc();
    if (!local || !broadcast || !row)
        return refused(err, -NLE_NOMEM, "add", "address");
    nl_addr_set_prefixlen(local, (int)prefix);
    rtnl_addr_set_ifindex(row, link);
    rtnl_addr_set_local(row, local);
    rtnl_addr_set_broadcast(row, broadcast);
    int status = rtnl_addr_add(netlink, row, 0);
    char text[INET_ADDRSTRLEN] = "";
    (void)inet_ntop(AF_INET, &bytes, text, sizeof(text));
    return status < 0 ? refused(err, status, "add address", text) : 0;
}

int lp_netlink_address_set(struct nl_sock *netlink, const char *name, uint32_t address,
                           uint32_t prefix, struct lp_err *err)
{
    OWNS_LINK struct rtnl_link *link = NULL;
    OWNS_CACHE struct nl_cache *cache = NULL;
    int code = link_get(netlink, name, &link, err);
    if (code == 0)
        code = addresses_get(netlink, &cache, err);
    if (code < 0)
        return code;
    bool is_there = false;
    int index = rtnl_link_get_ifindex(link);
    for (struct nl_object *at = nl_cache_get_first(cache); at; at = nl_cache_get_next(at)) {
        uint32_t found, bits;
        if (rtnl_addr_get_ifindex((struct rtnl_addr *)at) != index ||
            !address_read(at, &found, &bits))
            continue;
        if (found == address && bits == prefix) {
            is_there = true;
            continue;
        }
        int status = rtnl_addr_delete(netlink, (struct rtnl_addr *)at, 0);
        if (status < 0)
            return refused(err, status, "remove an address of", name);
    }
    return is_there ? 0 : address_add(netlink, index, address, prefix, err);
}

int lp_netlink_subnet_is_used(struct nl_sock *netlink, uint32_t address, uint32_t prefix,
                              bool *ret_is_used, struct lp_err *err)
{
    OWNS_CACHE struct nl_cache *cache = NULL;
    int code = addresses_get(netlink, &cache, err);
    if (code < 0)
        return code;
    bool is_used = false;
    for (struct nl_object *at = nl_cache_get_first(cache); at; at = nl_cache_get_next(at)) {
        uint32_t found, bits;
        if (!address_read(at, &found, &bits))
            continue;
        uint32_t shared = bits < prefix ? bits : prefix;
        is_used |= shared == 0 || ((found ^ address) >> (32 - shared)) == 0;
    }
    *ret_is_used = is_used;
    return 0;
}

int lp_netlink_prefix_is_used(struct nl_sock *netlink, const char *prefix, bool *ret_is_used,
                              struct lp_err *err)
{
    OWNS_CACHE struct nl_cache *cache = NULL;
    int status = rtnl_link_alloc_cache(netlink, AF_UNSPEC, &cache);
    if (status < 0)
        return refused(err, status, "list", "links");
    bool is_used = false;
    for (struct nl_object *at = nl_cache_get_first(cache); at; at = nl_cache_get_next(at)) {
        const char *name = rtnl_link_get_name((struct rtnl_link *)at);
        is_used |= name && lp_text_starts(name, prefix);
    }
    *ret_is_used = is_used;
    return 0;
}

int lp_netlink_default_route_set(struct nl_sock *netlink, uint32_t gateway, struct lp_err *err)
{
    uint32_t none = 0, bytes = htonl(gateway);
    OWNS_ROUTE struct rtnl_route *route = rtnl_route_alloc();
    OWNS_BYTES struct nl_addr *all = nl_addr_build(AF_INET, &none, 4);
    OWNS_BYTES struct nl_addr *via = nl_addr_build(AF_INET, &bytes, 4);
    struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
    if (!route || !all || !via || !hop)
        return refused(err, -NLE_NOMEM, "set", "default route");
    nl_addr_set_prefixlen(all, 0);
    rtnl_route_set_family(route, AF_INET);
    rtnl_route_set_dst(route, all);
    rtnl_route_nh_set_gateway(hop, via);
    rtnl_route_add_nexthop(route, hop); // owned by the route from here on
    int status = rtnl_route_add(netlink, route, NLM_F_REPLACE);
    return status < 0 ? refused(err, status, "set", "default route") : 0;
}
