// What runs already when the daemon starts: found by the marks beside the nodes, linked again,
// told. What is only half started is ended: the controller orders it anew.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "drivers/crun/crun_parts.h"

static void node_adopt(struct lp_crun *crun, const struct lp_node_mark *mark)
{
    struct lp_crun_node *node = lp_crun_find(crun, mark->node);
    struct lp_err err = {0};
    if (node) { // two folders claim one id: a life that was never removed; it must not run
        struct lp_place cgroup = lp_place_cgroup(&crun->env, mark->infra_name, mark->name);
        lp_cgroup_kill(&crun->cgroups, cgroup.text);
        return;
    }
    node = lp_crun_add(crun, mark);
    node->is_adopting = true;
    node->phase = LP_CRUN_WAITING; // until it is looked at again, should its end take a moment
    crun->adopting_count++;
    int result = lp_crun_attach(crun, node, &err);
    if (result < 0) {
        node->has_stragglers = true; // the crun of an earlier daemon may still work on it
        node->status = LP_STATUS_UNKNOWN;
        lp_crun_fence(crun, node);
        return;
    }
    node->heard_ms = lp_monotonic_ms();
    if (lp_crun_link(crun, node, &err) < 0) {
        lp_crun_set_mute(crun, node);
        return;
    }
    node->deadline_ms = node->heard_ms + LP_CRUN_ADOPT_MS;
    lp_crun_wake_at(crun, node->deadline_ms);
}

static void infra_adopt(struct lp_crun *crun, const char *infra)
{
    struct lp_place folder = lp_place_node(&crun->env, infra, ".");
    LP_OWNS_DIR DIR *nodes = opendir(folder.text);
    struct dirent *entry;
    while (nodes && (entry = readdir(nodes))) {
        struct lp_node_mark mark;
        if (entry->d_name[0] != '.' && strlen(entry->d_name) < sizeof(mark.name) &&
            lp_node_mark_read(&crun->env, infra, entry->d_name, &mark, NULL) == 0)
            node_adopt(crun, &mark);
    }
}

int lp_crun_adopt(struct lp_crun *crun, struct lp_err *err)
{
    struct lp_place folder = lp_place_nodes(&crun->env);
    LP_OWNS_DIR DIR *infras = opendir(folder.text);
    struct dirent *entry;
    if (!infras)
        return lp_err_set(err, LP_EIO, "open %s: %s", folder.text, strerror(errno));
    while ((entry = readdir(infras))) {
        if (lp_text_starts(entry->d_name, ".gone-")) { // a removal that the daemon did not see end
            char path[LP_PLACE_TEXT_MAX + 300];
            snprintf(path, sizeof(path), "%s/%s", folder.text, entry->d_name);
            (void)!lp_crun_folder_remove(crun, path, LP_NONE, err);
        } else if (entry->d_name[0] != '.' && strlen(entry->d_name) <= LP_NAME_BYTES_MAX) {
            infra_adopt(crun, entry->d_name);
        }
    }
    return 0;
}
