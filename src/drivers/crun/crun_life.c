// A node's life after its start: alive, mute, dead, gone. Death is only told when it is confirmed:
// limpet-init's pidfd is readable and no process is left in the cgroup.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "drivers/crun/crun_parts.h"
#include "drivers/layer/layer.h"
#include "drivers/network/network_ns.h"
#include "drivers/crun/node_link.h"

enum { LIFE_STOP_MORE_MS = 2000, LIFE_TICK_MS = 1000, LIFE_KILLED = 256 + 9 };

static struct lp_place node_cgroup(const struct lp_crun *crun, const struct lp_crun_node *node)
{
    return lp_place_cgroup(&crun->env, node->mark.infra_name, node->mark.name);
}

int lp_crun_attach(struct lp_crun *crun, struct lp_crun_node *node, struct lp_err *err)
{
    int result = lp_node_mark_process(&crun->env, &node->mark, &node->pid, &node->pidfd, err);
    if (result < 0)
        return result;
    node->oom_kills = lp_cgroup_oom_kills(&crun->cgroups, node_cgroup(crun, node).text);
    return lp_crun_watch(crun, node, LP_CRUN_WATCH_PIDFD, node->pidfd, err);
}

int lp_crun_link(struct lp_crun *crun, struct lp_crun_node *node, struct lp_err *err)
{
    struct lp_place path = lp_place_init_socket(&crun->env, node->mark.infra_name, node->mark.name);
    int result = lp_init_link_open(path.text, &node->link, err);
    if (result < 0)
        return result;
    node->waits_writable = false;
    result = lp_crun_watch(crun, node, LP_CRUN_WATCH_LINK, lp_init_link_fd(node->link), err);
    if (result < 0)
        lp_crun_unlink(crun, node);
    return result;
}

void lp_crun_unlink(struct lp_crun *crun, struct lp_crun_node *node)
{
    if (!node->link)
        return;
    epoll_ctl(crun->epoll_fd, EPOLL_CTL_DEL, lp_init_link_fd(node->link), NULL);
    lp_init_link_close(node->link);
    node->link = NULL;
}

void lp_crun_forget(struct lp_crun *crun, struct lp_crun_node *node)
{
    lp_crun_unlink(crun, node);
    lp_crun_layers_forget(node);
    lp_crun_render_drop(node);
    lp_crun_start_free(node);
    if (node->pidfd >= 0)
        close(node->pidfd);
    crun->nodes[node->mark.node] = NULL;
    lp_heap_free(node->failure);
    lp_heap_free(node);
}

void lp_crun_set_mute(struct lp_crun *crun, struct lp_crun_node *node)
{
    if (node->is_adopting) {
        node->is_adopting = false;
        crun->adopting_count--;
    }
    if (!node->is_mute)
        lp_crun_put(crun, node, LP_EVENT_NODE_MUTE, "limpet-init does not answer");
    node->is_mute = true;
    node->deadline_ms = INT64_MAX;
    lp_crun_synced_check(crun);
}

static void objects_remove(struct lp_crun *crun, struct lp_crun_node *node)
{
    const struct lp_driver_env *env = &crun->env;
    struct lp_err err = {0};
    LP_OWNS_FD int infra_fd = -1;
    if (lp_netns_open(lp_place_netns(env, node->mark.infra_name).text, &infra_fd, NULL) == 0)
        (void)!lp_node_link_remove(infra_fd, node->mark.node, NULL); // they die with the node
    struct lp_place folder = lp_place_node(env, node->mark.infra_name, node->mark.name);
    char aside[LP_PLACE_TEXT_MAX + 64];
    snprintf(aside, sizeof(aside), "%s/.gone-%d-%llu", lp_place_nodes(env).text, (int)getpid(),
             (unsigned long long)++crun->folder_serial);
    int result = rename(folder.text, aside) == 0 ? 0 : -errno;
    // Nothing else may be left in it: the last node takes the infrastructure's folder along.
    *strrchr(folder.text, '/') = '\0';
    rmdir(folder.text);
    if (result == -ENOENT) {
        lp_crun_folder_removed(crun, node->mark.node, 0);
        return;
    }
    if (result < 0 || lp_crun_folder_remove(crun, aside, node->mark.node, &err) < 0)
        node->deadline_ms = lp_monotonic_ms() + LIFE_TICK_MS; // tried again with the next order
}

int lp_crun_folder_remove(struct lp_crun *crun, const char *path, uint32_t node, struct lp_err *err)
{
    const char *argv[] = {"rm", "-rf", "--one-file-system", "--", path, NULL};
    struct lp_child_spec spec = {.argv = argv, .is_detached = true};
    return lp_children_spawn(crun->children, &spec, UINT64_C(1) << 32 | node, NULL, err);
}

// Its volumes, when they are to go too. Moved aside at once, emptied by a child: they may be large.
int lp_crun_infra_remove(struct lp_crun *crun, const struct lp_order *order, struct lp_err *err)
{
    if (!order->infra_name || !order->with_volumes)
        return 0;
    char folder[LP_PLACE_TEXT_MAX + 64], aside[LP_PLACE_TEXT_MAX + 64];
    snprintf(folder, sizeof(folder), "%s/volumes/%s", crun->env.root, order->infra_name);
    snprintf(aside, sizeof(aside), "%s/volumes/.gone-%d-%llu", crun->env.root, (int)getpid(),
             (unsigned long long)++crun->folder_serial);
    if (rename(folder, aside) < 0)
        return errno == ENOENT
                   ? 0
                   : lp_err_set(err, LP_EIO, "remove the volumes %s: %s", folder, strerror(errno));
    return lp_crun_folder_remove(crun, aside, UINT32_MAX, err);
}

void lp_crun_folder_removed(struct lp_crun *crun, uint32_t id, int status)
{
    struct lp_crun_node *node = lp_crun_find(crun, id);
    if (!node || !node->is_removing)
        return;
    lp_crun_put(crun, node, LP_EVENT_NODE_GONE,
                status == 0 ? NULL : "some files of it could not be removed");
    lp_crun_forget(crun, node);
}

static void remains_remove(struct lp_crun *crun, const struct lp_crun_node *node)
{
    const struct lp_driver_env *env = &crun->env;
    const char *infra = node->mark.infra_name, *name = node->mark.name;
    unlink(lp_place_init_socket(env, infra, name).text);
    unlink(lp_place_node_file(env, infra, name, "pid").text);
}

static void dead_tell(struct lp_crun *crun, struct lp_crun_node *node)
{
    node->phase = LP_CRUN_DEAD;
    node->is_fencing = node->is_mute = node->owes_up = false;
    node->deadline_ms = INT64_MAX;
    if (node->is_adopting) {
        node->is_adopting = false;
        crun->adopting_count--;
    }
    if (node->is_removing) {
        objects_remove(crun, node);
    } else if (node->has_failed) {
        lp_crun_put(crun, node, LP_EVENT_NODE_FAILED, node->failure);
    } else {
        struct lp_event *event = lp_crun_put(crun, node, LP_EVENT_NODE_DEAD, node->failure);
        event->status = node->status;
        event->is_oom = node->is_oom;
    }
    lp_crun_synced_check(crun);
}

static void dead_check(struct lp_crun *crun, struct lp_crun_node *node)
{
    struct lp_place cgroup = node_cgroup(crun, node);
    struct lp_place top = lp_place_cgroup_top(&crun->env);
    bool is_alive = node->phase == LP_CRUN_STARTING || node->pidfd >= 0;
    if (!is_alive && node->has_stragglers) // they make the cgroup, too: they go first
        node->has_stragglers = lp_crun_stragglers_kill(crun, &node->mark);
    is_alive = is_alive || lp_cgroup_has_processes(&crun->cgroups, cgroup.text);
    // Processes that are gone may hold the cgroup for a moment longer.
    if (is_alive || node->has_stragglers ||
        lp_cgroup_remove(&crun->cgroups, cgroup.text, top.text, NULL) < 0) {
        node->deadline_ms = lp_monotonic_ms() + (is_alive ? LP_CRUN_FENCE_MS : 5);
        lp_crun_wake_at(crun, node->deadline_ms);
        return;
    }
    lp_crun_unlink(crun, node);
    lp_crun_layers_forget(node);
    lp_crun_render_drop(node);
    lp_crun_start_free(node);
    remains_remove(crun, node);
    dead_tell(crun, node);
}

void lp_crun_fence(struct lp_crun *crun, struct lp_crun_node *node)
{
    if (node->phase == LP_CRUN_STARTING)
        lp_children_signal(crun->children, node->mark.node, SIGKILL);
    if (!node->is_fencing && node->pidfd >= 0)
        node->status = LIFE_KILLED;
    node->is_fencing = true;
    lp_cgroup_kill(&crun->cgroups, node_cgroup(crun, node).text);
    dead_check(crun, node);
}

// The status of a process that nobody has reaped yet is the last field of its stat; once it is
// reaped, new kernels tell it through the pidfd.
static int exit_status_find(const struct lp_crun_node *node)
{
    char path[64];
    LP_OWNS_STR struct lp_str text = {0};
    snprintf(path, sizeof(path), "/proc/%d/stat", node->pid);
    if (lp_file_read(path, 4096, &text, NULL) == 0) {
        const char *state = strrchr(lp_str_text(&text), ')');
        const char *last = strrchr(lp_str_text(&text), ' ');
        if (state && last && strncmp(state, ") Z", 3) == 0)
            return lp_child_status(atoi(last + 1));
    }
    int status = lp_node_exit_status(node->pidfd);
    return status >= 0 ? status : LIFE_KILLED;
}

void lp_crun_process_ended(struct lp_crun *crun, struct lp_crun_node *node)
{
    struct pollfd ended = {.fd = node->pidfd, .events = POLLIN};
    if (node->pidfd < 0 || poll(&ended, 1, 0) <= 0)
        return;
    node->status = exit_status_find(node);
    uint64_t kills = lp_cgroup_oom_kills(&crun->cgroups, node_cgroup(crun, node).text);
    node->is_oom = node->status == LIFE_KILLED && kills > node->oom_kills;
    // What the applications told last is still in the link: their ends come before the node's.
    lp_crun_link_ready(crun, node);
    close(node->pidfd);
    node->pidfd = -1;
    if (node->phase == LP_CRUN_WAITING && node->start && !node->is_fencing) {
        LP_OWNS_STR struct lp_str why = {0};
        lp_str_add(&why, "limpet-init ended before it answered: it ");
        lp_child_status_print(node->status, &why);
        if (node->is_oom)
            lp_str_add(&why, " for lack of memory");
        lp_crun_start_fail(crun, node, lp_str_text(&why));
        return;
    }
    lp_crun_fence(crun, node);
}

static void stop_begin(struct lp_crun *crun, struct lp_crun_node *node, uint32_t grace_ms)
{
    struct lp_err err = {0};
    if (node->phase != LP_CRUN_UP || !node->link || node->is_mute ||
        lp_init_link_stop_all(node->link, grace_ms, &err) < 0) {
        lp_crun_fence(crun, node);
        return;
    }
    int64_t at_ms = lp_monotonic_ms() + grace_ms + LIFE_STOP_MORE_MS;
    if (at_ms < node->deadline_ms)
        node->deadline_ms = at_ms;
    lp_crun_wake_at(crun, node->deadline_ms);
    lp_crun_link_ready(crun, node); // what could not be written waits for writability
}

// Nothing is known of the node: nothing of it exists.
static void unknown_tell(struct lp_crun *crun, const struct lp_action *action)
{
    bool is_removal = action->kind == LP_ACTION_REMOVE_NODE;
    struct lp_event *event =
        lp_crun_put(crun, NULL, is_removal ? LP_EVENT_NODE_GONE : LP_EVENT_NODE_DEAD, NULL);
    lp_event_reply(event, event->kind, action);
    event->status = is_removal ? 0 : LIFE_KILLED;
}

static void remove_begin(struct lp_crun *crun, struct lp_crun_node *node)
{
    bool is_begun = node->is_removing;
    node->is_removing = true;
    if (node->phase != LP_CRUN_DEAD)
        lp_crun_fence(crun, node);
    else if (!is_begun || node->deadline_ms != INT64_MAX) {
        node->deadline_ms = INT64_MAX;
        objects_remove(crun, node);
    }
}

int lp_crun_life_begin(struct lp_crun *crun, const struct lp_order *order, struct lp_err *err)
{
    (void)err;
    const struct lp_action *action = &order->action;
    struct lp_crun_node *node = lp_crun_find(crun, action->node);
    if (!node || action->incarnation < node->mark.incarnation) {
        unknown_tell(crun, action);
        return 0;
    }
    // A later life that never began here is as dead as this one will be.
    node->mark.incarnation = action->incarnation;
    if (action->kind == LP_ACTION_REMOVE_NODE) {
        remove_begin(crun, node);
    } else if (node->phase == LP_CRUN_DEAD) {
        lp_crun_put(crun, node, LP_EVENT_NODE_DEAD, NULL)->status = node->status;
    } else if (action->kind == LP_ACTION_FENCE_NODE) {
        lp_crun_fence(crun, node);
    } else {
        stop_begin(crun, node, action->grace_ms);
    }
    return 0;
}

static void idle_check(struct lp_crun *crun, struct lp_crun_node *node, int64_t now_ms)
{
    struct lp_err err = {0};
    if (!node->link && node->pidfd >= 0 && lp_crun_link(crun, node, &err) == 0)
        node->asked_ms = now_ms; // HELLO is owed
    if (node->asked_ms && now_ms - node->asked_ms >= LP_CRUN_MUTE_MS) {
        lp_crun_set_mute(crun, node);
    } else if (node->link && !node->asked_ms && now_ms - node->heard_ms >= LP_CRUN_IDLE_MS) {
        node->asked_ms = now_ms;
        if (lp_init_link_list(node->link, &err) < 0)
            lp_crun_unlink(crun, node);
    }
    int64_t at_ms =
        node->asked_ms ? node->asked_ms + LP_CRUN_MUTE_MS : node->heard_ms + LP_CRUN_IDLE_MS;
    if (at_ms <= now_ms)
        at_ms = now_ms + LIFE_TICK_MS;
    // Whole seconds: many nodes are asked at one wake-up.
    lp_crun_wake_at(crun, (at_ms / LIFE_TICK_MS + 1) * LIFE_TICK_MS);
}

void lp_crun_tick(struct lp_crun *crun, struct lp_crun_node *node, int64_t now_ms)
{
    if (node->phase == LP_CRUN_DEAD)
        return;
    if (node->deadline_ms > now_ms) {
        if (node->deadline_ms != INT64_MAX)
            lp_crun_wake_at(crun, node->deadline_ms);
        if (node->phase == LP_CRUN_UP && !node->is_fencing)
            idle_check(crun, node, now_ms);
        return;
    }
    if (node->is_fencing) // killed, and not dead: it may wait for a disk that is slow on purpose
        lp_layers_kill(lp_place_node(&crun->env, node->mark.infra_name, node->mark.name).text);
    if (node->is_fencing || node->phase == LP_CRUN_UP) // killed already, or its grace is over
        lp_crun_fence(crun, node);
    else if (node->is_adopting)
        lp_crun_set_mute(crun, node);
    else if (node->phase == LP_CRUN_WAITING && node->start)
        lp_crun_start_fail(crun, node, "limpet-init did not answer in time");
}
