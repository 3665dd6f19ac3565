// From START_NODE to limpet-init's hello: a queue, since many starts at once only slow each other.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "drivers/crun/crun_parts.h"
#include "drivers/crun/init_socket.h"
#include "drivers/network/network_ns.h"
#include "drivers/crun/node_link.h"

// Tags of children: a node's crun, or the removal of a node's folder.
enum { START_LOG_MAX = 4096, START_COMMAND_MAX = 64 * 1024 };

// Tell again what was told of this very start.
static void start_tell_again(struct lp_crun *crun, const struct lp_crun_node *node)
{
    if (node->phase == LP_CRUN_UP)
        lp_crun_put(crun, node, LP_EVENT_NODE_UP, NULL);
    else if (node->phase == LP_CRUN_DEAD && node->has_failed)
        lp_crun_put(crun, node, LP_EVENT_NODE_FAILED, node->failure);
    else if (node->phase == LP_CRUN_DEAD)
        lp_crun_put(crun, node, LP_EVENT_NODE_DEAD, NULL)->status = node->status;
}

static void mark_set(struct lp_node_mark *mark, const struct lp_order *order)
{
    *mark = (struct lp_node_mark){.node = order->action.node,
                                  .infra = order->action.infra,
                                  .service = order->action.service,
                                  .incarnation = order->action.incarnation,
                                  .is_privileged = order->service->is_privileged};
    snprintf(mark->infra_name, sizeof(mark->infra_name), "%s", order->infra_name);
    snprintf(mark->name, sizeof(mark->name), "%s", order->node_name);
}

static void queue_add(struct lp_crun *crun, uint32_t node)
{
    if (crun->queue_count == crun->queue_capacity) {
        crun->queue_capacity = crun->queue_capacity ? crun->queue_capacity * 2 : 64;
        crun->queue = lp_heap_grow(crun->queue, crun->queue_capacity, sizeof(*crun->queue));
    }
    crun->queue[crun->queue_count++] = node;
}

int lp_crun_start_begin(struct lp_crun *crun, const struct lp_order *order, struct lp_err *err)
{
    if (!order->service || !order->node_name || !order->infra_name)
        return lp_err_set(err, LP_ENOTFOUND, "nothing is known of the node to start");
    struct lp_crun_node *node = lp_crun_find(crun, order->action.node);
    if (node && node->mark.incarnation == order->action.incarnation) {
        start_tell_again(crun, node);
        return 0;
    }
    if (node && node->phase != LP_CRUN_DEAD)
        return lp_err_set(err, LP_ECONFLICT, "life %u of %s is not confirmed dead",
                          node->mark.incarnation, node->mark.name);
    if (node && node->is_removing)
        return lp_err_set(err, LP_ECONFLICT, "%s is still being removed", node->mark.name);
    struct lp_node_mark mark;
    mark_set(&mark, order);
    struct lp_place cgroup = lp_place_cgroup(&crun->env, mark.infra_name, mark.name);
    if (lp_cgroup_has_processes(&crun->cgroups, cgroup.text)) {
        lp_cgroup_kill(&crun->cgroups, cgroup.text); // of no life that anybody knows
        return lp_err_set(err, LP_ECONFLICT, "processes of an earlier %s are still alive",
                          mark.name);
    }
    if (node)
        lp_crun_forget(crun, node);
    node = lp_crun_add(crun, &mark);
    int result = lp_crun_prepare(crun, node, order, err);
    if (result < 0) {
        // Told by an event of our own, so that beginning again tells the same.
        lp_crun_start_fail(crun, node, err->text);
        return 0;
    }
    node->phase = LP_CRUN_QUEUED;
    queue_add(crun, mark.node);
    lp_crun_start_next(crun);
    return 0;
}

static void config_print(const struct lp_crun_node *node)
{
    struct lp_crun_start *start = node->start;
    int owner = (int)getpid();
    if (start->user_fd >= 0)
        start->bundle.user_ns =
            lp_arena_printf(&start->arena, "/proc/%d/fd/%d", owner, start->user_fd);
    start->bundle.network_ns =
        lp_arena_printf(&start->arena, "/proc/%d/fd/%d", owner, start->net_fd);
    LP_OWNS_STR struct lp_str json = {0};
    lp_bundle_print(&start->bundle, &json);
    start->stage.config = lp_arena_text(&start->arena, lp_str_text(&json));
}

static int spaces_make(struct lp_crun *crun, struct lp_crun_node *node, struct lp_err *err)
{
    struct lp_crun_start *start = node->start;
    bool is_host_user = start->stage.user_fd < 0;
    int result = lp_node_space_make(is_host_user, &start->user_fd, &start->net_fd, err);
    if (result < 0)
        return result;
    start->stage.user_fd = start->user_fd;
    LP_OWNS_FD int infra_fd = -1;
    if (start->attachment_count > 0)
        result =
            lp_netns_open(lp_place_netns(&crun->env, node->mark.infra_name).text, &infra_fd, err);
    if (result == 0)
        result = lp_node_link_make(infra_fd, start->net_fd, node->mark.node, start->attachments,
                                   start->attachment_count, err);
    return result < 0 ? lp_err_wrap(err, "network of %s", node->mark.name) : 0;
}

// crun as lp_child_program_open gives it; 0: by its name. Opened anew when another was installed.
static int program_get(struct lp_crun *crun)
{
    struct stat facts;
    struct lp_err err;
    if (crun->program_fd >= 0 && fstat(crun->program_fd, &facts) == 0 && facts.st_nlink == 0)
        close(lp_fd_take(&crun->program_fd));
    if (crun->program_fd < 0 && lp_child_program_open("crun", &crun->program_fd, &err) < 0)
        return 0; // it makes its own copy then, only slower
    return crun->program_fd;
}

static int crun_spawn(struct lp_crun *crun, const struct lp_crun_node *node, struct lp_err *err)
{
    const struct lp_driver_env *env = &crun->env;
    const char *infra = node->mark.infra_name, *name = node->mark.name;
    struct lp_place log = lp_place_node_file(env, infra, name, "crun.log");
    struct lp_place pid = lp_place_node_file(env, infra, name, "pid");
    char id[160], state[64];
    snprintf(state, sizeof(state), "%s/crun", crun->stage_folder);
    snprintf(id, sizeof(id), "%s.%s", infra, name);
    unlink(log.text);
    unlink(pid.text);
    const char *argv[] = {"crun",
                          "--root",
                          state,
                          "--log",
                          log.text,
                          "--cgroup-manager",
                          "cgroupfs",
                          "run",
                          "--detach",
                          "--preserve-fds",
                          "1",
                          "--pid-file",
                          pid.text,
                          "--bundle",
                          crun->stage_folder,
                          id,
                          NULL};
    struct lp_child_spec spec = {.argv = argv,
                                 .program_fd = program_get(crun),
                                 .timeout_ms = LP_CRUN_START_MS,
                                 .kept_fd = node->start->listen_fd,
                                 .has_own_mounts = true,
                                 .prepare = lp_node_stage_mount,
                                 .prepare_context = &node->start->stage,
                                 .is_detached = true};
    return lp_children_spawn(crun->children, &spec, node->mark.node, NULL, err);
}

static int start_one(struct lp_crun *crun, struct lp_crun_node *node, struct lp_err *err)
{
    struct lp_place socket =
        lp_place_init_socket(&crun->env, node->mark.infra_name, node->mark.name);
    int result = spaces_make(crun, node, err);
    if (result == 0)
        result = lp_init_socket_listen(socket.text, &node->start->listen_fd, err);
    if (result < 0)
        return result;
    config_print(node);
    result = lp_crun_layers_start(crun, node, err);
    if (result == 0)
        result = crun_spawn(crun, node, err);
    lp_crun_layers_release(node->start);
    return result;
}

void lp_crun_start_next(struct lp_crun *crun)
{
    size_t taken = 0;
    while (taken < crun->queue_count && crun->starting_count < crun->starting_max) {
        struct lp_crun_node *node = lp_crun_find(crun, crun->queue[taken++]);
        struct lp_err err = {0};
        if (!node || node->phase != LP_CRUN_QUEUED)
            continue; // fenced meanwhile
        if (start_one(crun, node, &err) < 0) {
            lp_crun_start_fail(crun, node, err.text);
            continue;
        }
        node->phase = LP_CRUN_STARTING;
        crun->starting_count++;
    }
    crun->queue_count -= taken;
    if (taken > 0)
        memmove(crun->queue, crun->queue + taken, crun->queue_count * sizeof(*crun->queue));
}

static bool stragglers_seek(const struct lp_crun *crun, const struct lp_node_mark *mark)
{
    bool is_any = false;
    struct lp_place file = lp_place_node_file(&crun->env, mark->infra_name, mark->name, "pid");
    LP_OWNS_DIR DIR *proc = opendir("/proc");
    struct dirent *entry;
    while (proc && (entry = readdir(proc))) {
        char path[300];
        int pid = atoi(entry->d_name);
        LP_OWNS_STR struct lp_str command = {0};
        snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
        if (pid <= 1 || lp_file_read(path, START_COMMAND_MAX, &command, NULL) < 0 ||
            strcmp(lp_str_text(&command), "crun") != 0 ||
            !memmem(command.text, command.bytes, file.text, strlen(file.text) + 1))
            continue;
        kill(pid, SIGKILL);
        is_any = true;
    }
    return is_any;
}

bool lp_crun_stragglers_kill(const struct lp_crun *crun, const struct lp_node_mark *mark)
{
    // Twice: where numbers of processes begin anew, one may come to be behind the first look.
    return stragglers_seek(crun, mark) || stragglers_seek(crun, mark);
}

void lp_crun_failure_note(struct lp_crun_node *node, const char *why)
{
    lp_heap_free(node->failure);
    node->failure = lp_heap_take(strlen(why) + 1);
    memcpy(node->failure, why, strlen(why));
}

// Nothing of it runs, or what does is being killed now; the event follows once that is certain.
void lp_crun_start_fail(struct lp_crun *crun, struct lp_crun_node *node, const char *why)
{
    lp_crun_failure_note(node, why);
    node->has_failed = true;
    lp_crun_fence(crun, node);
}

static void crun_failed(struct lp_crun *crun, struct lp_crun_node *node,
                        const struct lp_child_exit *exit)
{
    LP_OWNS_STR struct lp_str text = {0};
    LP_OWNS_STR struct lp_str log = {0};
    struct lp_place path =
        lp_place_node_file(&crun->env, node->mark.infra_name, node->mark.name, "crun.log");
    if (exit->is_timed_out)
        lp_str_printf(&text, "crun did not end within %d s", LP_CRUN_START_MS / 1000);
    else {
        lp_str_add(&text, "crun ");
        lp_child_status_print(exit->status, &text);
    }
    if (lp_file_read(path.text, START_LOG_MAX, &log, NULL) == 0 && log.bytes > 0) {
        for (size_t i = 0; i < log.bytes; i++) {
            if (log.text[i] == '\n')
                log.text[i] = i + 1 < log.bytes ? ' ' : '\0';
        }
        lp_str_printf(&text, ": %s", lp_str_text(&log));
    }
    lp_crun_start_fail(crun, node, lp_str_text(&text));
}

void lp_crun_start_ended(void *context, const struct lp_child_exit *exit)
{
    struct lp_crun *crun = context;
    struct lp_crun_node *node = lp_crun_find(crun, (uint32_t)exit->tag);
    if (exit->tag >> 32 == LP_CRUN_LAYER_TAG) // with its node, which tells of itself
        return;
    if (exit->tag > UINT32_MAX) { // a node's folder was removed
        lp_crun_folder_removed(crun, (uint32_t)exit->tag, exit->status);
        return;
    }
    crun->starting_count--;
    if (!node || node->phase != LP_CRUN_STARTING)
        return;
    struct lp_err err = {0};
    node->phase = LP_CRUN_WAITING;
    node->has_stragglers = exit->status >= 256;
    if (exit->status != 0 || exit->is_timed_out) {
        if (node->is_fencing) // that is why it ended
            lp_crun_fence(crun, node);
        else
            crun_failed(crun, node, exit);
        return;
    }
    if (lp_crun_attach(crun, node, &err) < 0 || lp_crun_link(crun, node, &err) < 0) {
        lp_crun_start_fail(crun, node, err.text);
        return;
    }
    // crun held these; the node's processes do now.
    close(node->start->listen_fd);
    close(node->start->net_fd);
    node->start->listen_fd = node->start->net_fd = -1;
    if (node->is_fencing) { // ordered while crun worked
        lp_crun_fence(crun, node);
        return;
    }
    node->deadline_ms = lp_monotonic_ms() + LP_CRUN_HELLO_MS;
    lp_crun_wake_at(crun, node->deadline_ms);
}
