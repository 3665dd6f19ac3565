// An infrastructure's namespace, bridges, settings and files: made, made again, removed.
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <netlink/netlink.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "drivers/network/nat.h"
#include "drivers/network/netlink.h"
#include "drivers/network/network_ns.h"
#include "drivers/network/network_parts.h"

enum { FILE_BYTES_MAX = 16 * 1024 * 1024 };

static void netlink_close(struct nl_sock **netlink)
{
    lp_netlink_close(*netlink);
}
#define OWNS_NETLINK __attribute__((cleanup(netlink_close)))

int lp_network_mark_save(struct lp_network_driver *driver, const struct lp_infra_net *row,
                         struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    lp_network_mark_print(&row->mark, &text);
    return lp_file_write(lp_network_file(&driver->env, row->mark.name, "mark").text,
                         lp_str_text(&text), text.bytes, 0600, err);
}

// dnsmasq's own user where its package made one; the fallback is everybody's nobody.
static const struct passwd *names_user(void)
{
    const struct passwd *user = getpwnam("dnsmasq");
    return user ? user : getpwnam("nobody");
}

LP_MUST_CHECK static int folders_make(const struct lp_network_driver *driver, const char *infra,
                                      struct lp_err *err)
{
    struct lp_place names = lp_network_file(&driver->env, infra, "names");
    // Only what dnsmasq reads after it gave root up may be seen by its group.
    int code = lp_dir_make(lp_network_folder(&driver->env, infra).text, 0711, err);
    if (code == 0)
        code = lp_dir_make(names.text, 0750, err);
    const struct passwd *user = names_user();
    if (code == 0 && user &&
        (chown(names.text, 0, user->pw_gid) < 0 || chmod(names.text, 0750) < 0))
        return lp_err_set(err, LP_EIO, "give %s to %s: %s", names.text, user->pw_name,
                          strerror(errno));
    return code;
}

// In the namespace: what its kernel settings have to be.
LP_MUST_CHECK static int settings_write(const struct lp_network_mark *mark, struct lp_err *err)
{
    static const struct {
        const char *path, *value;
        bool is_optional;
    } settings[] = {
        // Frames between nodes of one bridge are nobody else's business.
        {"/proc/sys/net/bridge/bridge-nf-call-iptables", "0", true},
        {"/proc/sys/net/bridge/bridge-nf-call-ip6tables", "0", true},
        {"/proc/sys/net/bridge/bridge-nf-call-arptables", "0", true},
        {"/proc/sys/net/ipv6/conf/all/disable_ipv6", "1", true},
        {"/proc/sys/net/ipv6/conf/default/disable_ipv6", "1", true},
    };
    int code = 0;
    for (size_t i = 0; code == 0 && i < sizeof(settings) / sizeof(settings[0]); i++)
        code = lp_netns_set(settings[i].path, settings[i].value, settings[i].is_optional, err);
    if (code == 0)
        code = lp_netns_set("/proc/sys/net/ipv4/ip_forward",
                            lp_network_mark_has_nat(mark) ? "1" : "0", false, err);
    // A node that is asked for before it is there would else be asked again only a second later;
    // one that is dead is known to be so after 150 ms.
    for (size_t i = 0; code == 0 && i < mark->row_count; i++) {
        char path[96];
        (void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/neigh/br%u/retrans_time_ms",
                       mark->rows[i].index);
        code = lp_netns_set(path, "50", true, err);
    }
    return code;
}

static bool mark_has_bridge(const struct lp_network_mark *mark, uint32_t index)
{
    for (size_t i = 0; i < mark->row_count; i++) {
        if (mark->rows[i].index == index)
            return true;
    }
    return false;
}

LP_MUST_CHECK static int links_make(int netns_fd, const struct lp_network_mark *old,
                                    const struct lp_network_mark *mark, struct lp_err *err)
{
    OWNS_NETLINK struct nl_sock *netlink = NULL;
    int code = lp_netlink_open(netns_fd, &netlink, err);
    if (code == 0)
        code = lp_netlink_link_up(netlink, "lo", err);
    for (size_t i = 0; code == 0 && i < old->row_count; i++) {
        if (!mark_has_bridge(mark, old->rows[i].index))
            code = lp_netlink_link_remove(netlink, lp_place_bridge(old->rows[i].index).text, err);
    }
    for (size_t i = 0; code == 0 && i < mark->row_count; i++) {
        const struct lp_network_row *row = &mark->rows[i];
        struct lp_place bridge = lp_place_bridge(row->index);
        uint8_t mac[6];
        lp_place_mac(row->gateway, mac);
        code = lp_netlink_bridge_ensure(netlink, bridge.text, mac, err);
        if (code == 0)
            code = lp_netlink_address_set(netlink, bridge.text, row->gateway, row->prefix, err);
    }
    if (code == 0 && lp_network_mark_has_nat(old) && !lp_network_mark_has_nat(mark))
        code = lp_netlink_link_remove(netlink, "uplink", err);
    return code;
}

// Write the file if its text is another. *ret_is_changed is set, never cleared.
LP_MUST_CHECK static int file_update(const char *path, const struct lp_str *text, mode_t mode,
                                     bool *ret_is_changed, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str old = {0};
    if (lp_file_read(path, FILE_BYTES_MAX, &old, NULL) == 0 && old.bytes == text->bytes &&
        memcmp(lp_str_text(&old), lp_str_text(text), old.bytes) == 0)
        return 0;
    *ret_is_changed = true;
    return lp_file_write(path, lp_str_text(text), text->bytes, mode, err);
}

LP_MUST_CHECK static int names_prepare(struct lp_network_driver *driver, struct lp_infra_net *row,
                                       bool *ret_is_changed, struct lp_err *err)
{
    struct lp_place hosts = lp_network_file(&driver->env, row->mark.name, "names/hosts");
    struct lp_place pid = lp_network_file(&driver->env, row->mark.name, "dnsmasq.pid");
    const struct passwd *user = names_user();
    const struct group *group = user ? getgrgid(user->pw_gid) : NULL;
    struct lp_dnsmasq_conf conf = {
        .mark = &row->mark,
        .hosts_path = hosts.text,
        .pid_path = pid.text,
        .upstream_path = lp_network_mark_has_nat(&row->mark) ? lp_dnsmasq_upstream_path() : NULL,
        .user = user ? user->pw_name : NULL,
        .group = group ? group->gr_name : NULL};
    LP_OWNS_STR struct lp_str text = {0};
    lp_dnsmasq_conf_print(&conf, &text);
    int code = file_update(lp_network_file(&driver->env, row->mark.name, "dnsmasq.conf").text,
                           &text, 0600, ret_is_changed, err);
    lp_str_clear(&text);
    if (code < 0)
        return code;
    if (lp_file_read(hosts.text, FILE_BYTES_MAX, &text, NULL) == 0 &&
        lp_names_find_marker(lp_str_text(&text), row->marker))
        return 0;
    lp_str_clear(&text);
    lp_names_print(NULL, 0, &text, row->marker);
    return lp_file_write(hosts.text, lp_str_text(&text), text.bytes, 0644, err);
}

LP_MUST_CHECK static int nat_update(struct lp_network_driver *driver, struct lp_infra_net *row,
                                    const struct lp_network_mark *old, int netns_fd,
                                    struct lp_err *err)
{
    struct lp_nat nat = {&driver->env, &row->mark, netns_fd, driver->host_fd};
    if (lp_network_mark_has_nat(&row->mark)) {
        int code = lp_nat_choose(&nat, err);
        if (code == 0)
            code = lp_network_mark_save(driver, row, err); // before anything of it exists
        return code < 0 ? code : lp_nat_ensure(&nat, err);
    }
    if (!old->uplink)
        return 0;
    int code = lp_nat_remove(&nat, err);
    if (code == 0)
        row->mark.uplink = 0;
    return code;
}

static void folder_watch(struct lp_network_driver *driver, struct lp_infra_net *row)
{
    row->folder_watch = inotify_add_watch(
        driver->inotify_fd, lp_network_folder(&driver->env, row->mark.name).text, IN_MOVED_TO);
}

LP_MUST_CHECK static int inside_make(struct lp_network_driver *driver, struct lp_infra_net *row,
                                     const struct lp_network_mark *old, struct lp_err *err)
{
    LP_OWNS_FD int netns_fd = -1;
    LP_OWNS_FD int home_fd = -1;
    int code = lp_netns_open(lp_place_netns(&driver->env, row->mark.name).text, &netns_fd, err);
    if (code == 0)
        code = links_make(netns_fd, old, &row->mark, err);
    if (code == 0)
        code = nat_update(driver, row, old, netns_fd, err);
    if (code == 0)
        code = lp_netns_visit(netns_fd, &home_fd, err);
    if (code < 0)
        return code;
    code = settings_write(&row->mark, err);
    lp_netns_leave(home_fd);
    return code;
}

int lp_network_build(struct lp_network_driver *driver, struct lp_infra_net *row,
                     const struct lp_network_mark *wanted, bool *ret_is_changed, struct lp_err *err)
{
    struct lp_network_mark old = row->mark;
    row->mark = *wanted;
    row->mark.uplink = old.uplink;
    row->mark.is_complete = false;
    bool is_new = false, is_changed = false;
    int code = folders_make(driver, wanted->name, err);
    if (code == 0)
        code = lp_network_mark_save(driver, row, err);
    if (code == 0)
        code = lp_netns_make(lp_place_netns(&driver->env, wanted->name).text, &is_new, err);
    if (code == 0)
        code = inside_make(driver, row, &old, err);
    if (code == 0)
        code = names_prepare(driver, row, &is_changed, err);
    if (code < 0)
        return code;
    folder_watch(driver, row);
    row->mark.is_complete = true;
    *ret_is_changed = is_changed || is_new;
    return lp_network_mark_save(driver, row, err);
}

int lp_network_clear(struct lp_network_driver *driver, struct lp_infra_net *row, struct lp_err *err)
{
    if (row->names_fd >= 0)
        close(lp_fd_take(&row->names_fd));
    if (row->folder_watch >= 0)
        (void)inotify_rm_watch(driver->inotify_fd, row->folder_watch);
    row->folder_watch = -1;
    int code = 0;
    if (row->mark.uplink) {
        struct lp_nat nat = {&driver->env, &row->mark, -1, driver->host_fd};
        code = lp_nat_remove(&nat, err);
    }
    if (code == 0)
        code = lp_netns_remove(lp_place_netns(&driver->env, row->mark.name).text, err);
    // The mark goes last: until then the next daemon knows that something may be left.
    if (code == 0)
        code = lp_dir_remove(lp_network_folder(&driver->env, row->mark.name).text, err);
    if (code == 0)
        (void)rmdir(lp_network_folder(&driver->env, NULL).text); // stays while others are in it
    return code;
}
