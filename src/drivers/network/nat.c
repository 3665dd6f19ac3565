// The way out of an infrastructure whose networks say `nat: true`.
#define _GNU_SOURCE
#include "drivers/network/nat.h"

#include <errno.h>
#include <fcntl.h>
#include <netlink/netlink.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/own.h"
#include "base/str.h"
#include "drivers/network/firewall.h"
#include "drivers/network/netlink.h"
#include "drivers/network/network_ns.h"

static const char inner_link[] = "uplink";
static const char forward_path[] = "/proc/sys/net/ipv4/ip_forward";
// Shared by every Limpet of the machine: its lock makes them take turns, its text says what was.
static const char memory_path[] = "/run/limpet-ip_forward";

enum { LINK_PREFIX = 30, LINKS = 1 << 20, LINK_FIRST = 0x64400000 }; // 100.64.0.0/10, RFC 6598

static void netlink_close(struct nl_sock **netlink)
{
    lp_netlink_close(*netlink);
}
#define OWNS_NETLINK __attribute__((cleanup(netlink_close)))

static void address_print(uint32_t address, struct lp_str *ret_text)
{
    lp_str_printf(ret_text, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
                  address & 255);
}

void lp_nat_inner_print(const struct lp_network_mark *mark, struct lp_str *ret_text)
{
    lp_str_add(ret_text, "table ip limpet\ndelete table ip limpet\ntable ip limpet {\n"
                         " chain forward {\n  type filter hook forward priority 0; policy drop;\n"
                         "  iifname \"uplink\" ct state established,related accept\n");
    for (size_t i = 0; i < mark->row_count; i++) {
        if (mark->rows[i].has_nat)
            lp_str_printf(ret_text, "  iifname \"%s\" oifname \"uplink\" accept\n",
                          lp_place_bridge(mark->rows[i].index).text);
    }
    lp_str_add(ret_text, " }\n chain postrouting {\n"
                         "  type nat hook postrouting priority 100; policy accept;\n"
                         "  oifname \"uplink\" masquerade\n }\n}\n");
}

void lp_nat_outer_print(const struct lp_network_mark *mark, const char *table, const char *link,
                        struct lp_str *ret_text)
{
    lp_str_printf(ret_text, "table ip %s\ndelete table ip %s\ntable ip %s {\n", table, table,
                  table);
    lp_str_printf(ret_text,
                  " chain forward {\n  type filter hook forward priority 0; policy accept;\n"
                  "  oifname \"%s\" ct state established,related accept\n"
                  "  oifname \"%s\" drop\n }\n",
                  link, link);
    lp_str_add(ret_text, " chain postrouting {\n"
                         "  type nat hook postrouting priority 100; policy accept;\n  ip saddr ");
    address_print(mark->uplink + 1, ret_text);
    lp_str_printf(ret_text, " oifname != \"%s\" masquerade\n }\n}\n", link);
}

int lp_nat_choose(const struct lp_nat *nat, struct lp_err *err)
{
    if (nat->mark->uplink)
        return 0;
    OWNS_NETLINK struct nl_sock *host = NULL;
    int code = lp_netlink_open(nat->host_fd, &host, err);
    if (code < 0)
        return code;
    struct lp_place link = lp_network_uplink(nat->env, nat->mark->infra);
    uint64_t start = lp_fnv(LP_FNV_START, link.text, strlen(link.text));
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t base = (uint32_t)LINK_FIRST + (uint32_t)((start + i) % LINKS) * 4;
        bool is_used = true;
        code = lp_netlink_subnet_is_used(host, base, LINK_PREFIX, &is_used, err);
        if (code < 0)
            return code;
        if (!is_used) {
            nat->mark->uplink = base + 1;
            return 0;
        }
    }
    return lp_err_set(err, LP_EFULL, "no free pair of addresses in 100.64.0.0/10 for the way out");
}

LP_MUST_CHECK static int link_ensure(const struct lp_nat *nat, struct lp_err *err)
{
    struct lp_place link = lp_network_uplink(nat->env, nat->mark->infra);
    OWNS_NETLINK struct nl_sock *host = NULL;
    OWNS_NETLINK struct nl_sock *infra = NULL;
    int code = lp_netlink_open(nat->host_fd, &host, err);
    if (code == 0)
        code = lp_netlink_open(nat->infra_fd, &infra, err);
    if (code < 0)
        return code;
    if (!lp_netlink_link_exists(infra, inner_link)) {
        // What is left of an earlier namespace: its other end is in no living one.
        code = lp_netlink_link_remove(host, link.text, err);
        if (code == 0)
            code = lp_netlink_veth_make(host, link.text, inner_link, nat->infra_fd, err);
    }
    if (code == 0)
        code = lp_netlink_address_set(host, link.text, nat->mark->uplink, LINK_PREFIX, err);
    if (code == 0)
        code = lp_netlink_link_up(host, link.text, err);
    if (code == 0)
        code = lp_netlink_address_set(infra, inner_link, nat->mark->uplink + 1, LINK_PREFIX, err);
    if (code == 0)
        code = lp_netlink_link_up(infra, inner_link, err);
    if (code == 0)
        code = lp_netlink_default_route_set(infra, nat->mark->uplink, err);
    return code;
}

// Open and lock the memory of what ip_forward was.
LP_MUST_CHECK static int memory_lock(int *ret_fd, struct lp_err *err)
{
    for (;;) {
        LP_OWNS_FD int fd = open(memory_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 || flock(fd, LOCK_EX) < 0)
            return lp_err_set(err, LP_EIO, "%s: %s", memory_path, strerror(errno));
        struct stat here, there;
        bool is_same = fstat(fd, &here) == 0 && stat(memory_path, &there) == 0 &&
                       here.st_ino == there.st_ino && here.st_dev == there.st_dev;
        if (is_same) { // not one that was removed while we waited
            *ret_fd = lp_fd_take(&fd);
            return 0;
        }
    }
}

// In the host's namespace: read (value NULL) or write ip_forward.
LP_MUST_CHECK static int forward_access(int host_fd, const char *value, char *ret_value,
                                        struct lp_err *err)
{
    LP_OWNS_FD int home_fd = -1;
    int code = lp_netns_visit(host_fd, &home_fd, err);
    if (code < 0)
        return code;
    LP_OWNS_STR struct lp_str text = {0};
    code = value ? lp_netns_set(forward_path, value, false, err)
                 : lp_file_read(forward_path, 16, &text, err);
    lp_netns_leave(home_fd);
    if (code == 0 && ret_value)
        *ret_value = lp_str_text(&text)[0];
    return code;
}

LP_MUST_CHECK static int forward_enable(int host_fd, struct lp_err *err)
{
    LP_OWNS_FD int memory_fd = -1;
    char value = '0';
    int code = memory_lock(&memory_fd, err);
    if (code == 0)
        code = forward_access(host_fd, NULL, &value, err);
    if (code < 0 || value == '1')
        return code;
    // The memory first: an interruption here leaves at most a note that changes nothing.
    if (pwrite(memory_fd, "0\n", 2, 0) != 2)
        return lp_err_set(err, LP_EIO, "write %s: %s", memory_path, strerror(errno));
    return forward_access(host_fd, "1", NULL, err);
}

LP_MUST_CHECK static int forward_restore(int host_fd, struct lp_err *err)
{
    LP_OWNS_FD int memory_fd = -1;
    OWNS_NETLINK struct nl_sock *host = NULL;
    bool is_used = true;
    int code = memory_lock(&memory_fd, err);
    if (code == 0)
        code = lp_netlink_open(host_fd, &host, err);
    if (code == 0)
        code = lp_netlink_prefix_is_used(host, LP_NETWORK_UPLINK_PREFIX, &is_used, err);
    if (code < 0 || is_used)
        return code;
    char value = '1';
    if (pread(memory_fd, &value, 1, 0) == 1 && value == '0')
        code = forward_access(host_fd, "0", NULL, err);
    if (code == 0 && unlink(memory_path) < 0)
        return lp_err_set(err, LP_EIO, "remove %s: %s", memory_path, strerror(errno));
    return code;
}

int lp_nat_ensure(const struct lp_nat *nat, struct lp_err *err)
{
    int code = lp_nat_choose(nat, err);
    if (code == 0)
        code = link_ensure(nat, err);
    LP_OWNS_STR struct lp_str inner = {0};
    LP_OWNS_STR struct lp_str outer = {0};
    lp_nat_inner_print(nat->mark, &inner);
    lp_nat_outer_print(nat->mark, lp_place_nft_table(nat->env, nat->mark->name).text,
                       lp_network_uplink(nat->env, nat->mark->infra).text, &outer);
    if (code == 0)
        code = lp_firewall_run(nat->infra_fd, lp_str_text(&inner), err);
    if (code == 0)
        code = lp_firewall_run(nat->host_fd, lp_str_text(&outer), err);
    if (code == 0)
        code = forward_enable(nat->host_fd, err);
    return code < 0 ? lp_err_wrap(err, "the way out (nat)") : 0;
}

int lp_nat_remove(const struct lp_nat *nat, struct lp_err *err)
{
    struct lp_place table = lp_place_nft_table(nat->env, nat->mark->name);
    struct lp_place link = lp_network_uplink(nat->env, nat->mark->infra);
    OWNS_NETLINK struct nl_sock *host = NULL;
    LP_OWNS_STR struct lp_str commands = {0};
    int code = lp_netlink_open(nat->host_fd, &host, err);
    if (code == 0)
        code = lp_netlink_link_remove(host, link.text, err);
    // Declared first, so that the removal of an absent one is no mistake.
    lp_str_printf(&commands, "table ip %s\ndelete table ip %s\n", table.text, table.text);
    if (code == 0)
        code = lp_firewall_run(nat->host_fd, lp_str_text(&commands), err);
    if (code == 0)
        code = forward_restore(nat->host_fd, err);
    return code < 0 ? lp_err_wrap(err, "remove the way out (nat)") : 0;
}

int lp_nat_try(struct lp_err *err)
{
    LP_OWNS_FD int netns_fd = -1;
    LP_OWNS_STR struct lp_str rules = {0};
    const struct lp_network_mark mark = {.row_count = 1, .rows = {{.has_nat = true}}};
    lp_nat_inner_print(&mark, &rules);
    int code = lp_netns_open_own(&netns_fd, err);
    return code < 0 ? code : lp_firewall_run(netns_fd, lp_str_text(&rules), err);
}
