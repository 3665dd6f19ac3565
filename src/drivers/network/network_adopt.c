// After a start of the daemon: what an earlier one left running is taken over.
#define _GNU_SOURCE
#include <dirent.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "drivers/network/forward_conf.h"
#include "drivers/network/network_ns.h"
#include "drivers/network/network_parts.h"

enum { MARK_BYTES_MAX = 65536 };

// A network of an earlier daemon, from its mark. What is not whole is only remembered, so that it
// can be made whole or removed.
static void row_adopt(struct lp_network_driver *driver, const char *name)
{
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_network_mark mark;
    LP_OWNS_FD int netns_fd = -1;
    if (lp_file_read(lp_network_file(&driver->env, name, "mark").text, MARK_BYTES_MAX, &text,
                     NULL) < 0 ||
        lp_network_mark_parse(lp_str_text(&text), &mark, NULL) < 0 ||
        !lp_text_equal(mark.name, name))
        return;
    struct lp_infra_net *row = lp_network_row_add(driver, &mark);
    if (!mark.is_complete || mark.row_count == 0 ||
        lp_netns_open(lp_place_netns(&driver->env, name).text, &netns_fd, NULL) < 0)
        return;
    row->phase = LP_NETWORK_READY;
    row->folder_watch = inotify_add_watch(driver->inotify_fd,
                                          lp_network_folder(&driver->env, name).text, IN_MOVED_TO);
    lp_str_clear(&text);
    if (lp_file_read(lp_network_file(&driver->env, name, "names/hosts").text,
                     LP_FORWARD_CONF_BYTES_MAX * 4, &text, NULL) < 0 ||
        !lp_names_find_marker(lp_str_text(&text), row->marker))
        row->phase = LP_NETWORK_BEGUN;
    lp_str_clear(&text);
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_forward_conf conf;
    if (lp_file_read(lp_network_file(&driver->env, name, "forward.conf").text,
                     LP_FORWARD_CONF_BYTES_MAX, &text, NULL) == 0 &&
        lp_forward_conf_parse(lp_str_text(&text), text.bytes, &arena, &conf, NULL) == 0) {
        row->has_ports = true;
        row->revision = conf.revision;
    }
}

// Tell what was found, and start what is missing.
static void row_resume(struct lp_network_driver *driver, struct lp_infra_net *row)
{
    struct lp_helper *ports = &row->helpers[LP_HELPER_PORTS];
    if (row->phase != LP_NETWORK_READY)
        return;
    lp_network_put(driver, row, LP_EVENT_NETWORK_READY, NULL);
    int64_t now_ms = lp_monotonic_ms();
    // Also when dnsmasq runs: names may have been written and not been told.
    row->ask_at_ms = now_ms;
    if (row->helpers[LP_HELPER_NAMES].pidfd < 0)
        row->helpers[LP_HELPER_NAMES].restart_at_ms = now_ms;
    if (!row->has_ports)
        lp_helper_kill(ports);
    else if (ports->pidfd < 0)
        ports->restart_at_ms = now_ms;
    else
        lp_network_ports_read(driver, row);
}

void lp_network_adopt(struct lp_network_driver *driver)
{
    LP_OWNS_DIR DIR *folder = opendir(lp_network_folder(&driver->env, NULL).text);
    for (struct dirent *at; folder && (at = readdir(folder));) {
        if (at->d_name[0] != '.')
            row_adopt(driver, at->d_name);
    }
    lp_helpers_adopt(driver);
    for (size_t i = 0; i < driver->row_capacity; i++) {
        if (driver->rows[i])
            row_resume(driver, driver->rows[i]);
    }
    lp_network_put(driver, NULL, LP_EVENT_DRIVERS_SYNCED, NULL);
}
