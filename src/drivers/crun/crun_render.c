// RENDER: the files of a node anew, then the reload that its applications ask for.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "drivers/crun/crun_parts.h"
#include "drivers/crun/init_exec.h"
#include "drivers/crun/node_files.h"

void lp_crun_render_drop(struct lp_crun_node *node)
{
    struct lp_crun_render *render = node->render;
    if (!render)
        return;
    for (size_t i = 0; i < render->count; i++)
        lp_init_exec_close(render->reloads[i].exec); // closing takes it out of the epoll set
    lp_str_release(&render->trouble);
    lp_arena_release(&render->arena);
    lp_heap_free(render);
    node->render = NULL;
}

// Beside the node while its files are newer than what its applications have read.
static struct lp_place owed_mark(const struct lp_crun *crun, const struct lp_crun_node *node)
{
    return lp_place_node_file(&crun->env, node->mark.infra_name, node->mark.name, "reload-owed");
}

static void render_end(struct lp_crun *crun, struct lp_crun_node *node)
{
    struct lp_crun_render *render = node->render;
    lp_crun_put(crun, node, LP_EVENT_RENDERED, lp_str_text(&render->trouble))->revision =
        render->revision;
    unlink(owed_mark(crun, node).text);
    lp_crun_render_drop(node);
}

static void trouble_add(struct lp_crun_render *render, const char *app, const char *why)
{
    lp_str_printf(&render->trouble, "%sreload of %s: %s", render->trouble.bytes ? "; " : "", app,
                  why);
}

static void command_begin(struct lp_crun *crun, struct lp_crun_node *node, const struct lp_app *app,
                          const struct lp_order *order)
{
    struct lp_crun_render *render = node->render;
    struct lp_err err = {0};
    struct lp_place socket =
        lp_place_init_socket(&crun->env, node->mark.infra_name, node->mark.name);
    struct lp_exec_request request = {.argv = app->reload.argv,
                                      .environment = app->environment,
                                      .working_dir = app->working_dir,
                                      .timeout_ms = LP_CRUN_RELOAD_MS};
    struct lp_crun_reload *reload = &render->reloads[render->count];
    (void)order;
    reload->app = lp_arena_text(&render->arena, app->name);
    int result = lp_init_exec_open(socket.text, &request, &reload->exec, &err);
    if (result == 0) {
        render->count++;
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT,
                                    .data.u64 =
                                        (uint64_t)LP_CRUN_WATCH_EXEC << 32 | node->mark.node};
        if (!lp_init_exec_has_unsent(reload->exec))
            event.events = EPOLLIN;
        epoll_ctl(crun->epoll_fd, EPOLL_CTL_ADD, lp_init_exec_fd(reload->exec), &event);
        render->left++;
        return;
    }
    trouble_add(render, app->name, err.text);
}

static void reloads_begin(struct lp_crun *crun, struct lp_crun_node *node,
                          const struct lp_order *order)
{
    const struct lp_service *service = order->service;
    struct lp_crun_render *render = node->render;
    render->reloads =
        lp_arena_new_array(&render->arena, struct lp_crun_reload, service->app_count + 1);
    for (uint32_t i = 0; i < service->app_count; i++) {
        const struct lp_app *app = &service->apps[i];
        struct lp_err err = {0};
        if (app->kind != LP_APP_SERVE)
            continue;
        if (app->reload.kind == LP_RELOAD_COMMAND)
            command_begin(crun, node, app, order);
        else if (app->reload.kind == LP_RELOAD_SIGNAL &&
                 lp_init_link_signal_app(node->link, i, node->runs[i], app->reload.signal, &err) <
                     0)
            trouble_add(render, app->name, err.text);
    }
    render->deadline_ms = lp_monotonic_ms() + LP_CRUN_RELOAD_MS + 5000;
    if (render->left > 0)
        lp_crun_wake_at(crun, render->deadline_ms);
}

static int files_renew(const struct lp_crun *crun, const struct lp_crun_node *node,
                       const struct lp_order *order, bool *ret_is_changed, struct lp_err *err)
{
    bool is_host_user = order->service->image.kind == LP_IMAGE_HOST || node->mark.is_privileged;
    struct lp_place owed = owed_mark(crun, node);
    bool was_owed = lp_path_exists(owed.text);
    // Set before the first byte changes, so that a crash cannot lose the reload.
    LP_OWNS_FD int fd = open(owed.text, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "create %s: %s", owed.text, strerror(errno));
    int result = lp_node_files_write(&crun->env, order, is_host_user ? 0 : LP_USERNS_BASE, true,
                                     ret_is_changed, err);
    *ret_is_changed |= was_owed;
    return result;
}

int lp_crun_render_begin(struct lp_crun *crun, const struct lp_order *order, struct lp_err *err)
{
    struct lp_crun_node *node = lp_crun_find(crun, order->action.node);
    if (!node || node->mark.incarnation != order->action.incarnation || node->phase != LP_CRUN_UP ||
        !order->service)
        return lp_err_set(err, LP_ENOTFOUND, "that life of the node does not run");
    if (node->render && node->render->revision == order->action.revision)
        return 0; // under way
    if (!node->link)
        return lp_err_set(err, LP_EIO, "%s: limpet-init does not answer", node->mark.name);
    bool is_changed = false;
    int result = files_renew(crun, node, order, &is_changed, err);
    if (result < 0)
        return lp_err_wrap(err, "render %s", node->mark.name);
    lp_crun_render_drop(node);
    node->render = lp_heap_take(sizeof(*node->render));
    node->render->revision = order->action.revision;
    if (is_changed)
        reloads_begin(crun, node, order);
    if (node->render->left == 0)
        render_end(crun, node);
    lp_crun_link_ready(crun, node);
    return 0;
}

struct reload_context {
    struct lp_crun_render *render;
    struct lp_crun_reload *reload;
};

static void reload_take(void *opaque, const struct lp_exec_news *news)
{
    struct reload_context *context = opaque;
    LP_OWNS_STR struct lp_str why = {0};
    if (news->kind != LP_EXEC_EXIT && news->kind != LP_EXEC_FAILED)
        return;
    context->reload->is_over = true;
    if (news->kind == LP_EXEC_FAILED) {
        trouble_add(context->render, context->reload->app, news->text);
    } else if (news->status != 0) {
        lp_child_status_print(news->status, &why);
        trouble_add(context->render, context->reload->app, lp_str_text(&why));
    }
}

static bool reload_read(struct lp_crun *crun, struct lp_crun_node *node,
                        struct lp_crun_reload *reload)
{
    struct reload_context context = {node->render, reload};
    struct lp_err err = {0};
    int result = lp_init_exec_read(reload->exec, reload_take, &context, &err);
    if (result == 0 && !reload->is_over && lp_init_exec_has_unsent(reload->exec)) {
        result = lp_init_exec_flush(reload->exec, &err);
    } else if (result == 0 && !reload->is_over) {
        struct epoll_event event = {
            .events = EPOLLIN, .data.u64 = (uint64_t)LP_CRUN_WATCH_EXEC << 32 | node->mark.node};
        epoll_ctl(crun->epoll_fd, EPOLL_CTL_MOD, lp_init_exec_fd(reload->exec), &event);
    }
    if (result < 0 && !reload->is_over) {
        reload->is_over = true;
        trouble_add(node->render, reload->app, err.text);
    }
    return reload->is_over;
}

void lp_crun_render_ready(struct lp_crun *crun, struct lp_crun_node *node)
{
    struct lp_crun_render *render = node->render;
    if (!render)
        return;
    for (size_t i = 0; i < render->count; i++) {
        struct lp_crun_reload *reload = &render->reloads[i];
        if (!reload->exec || !reload_read(crun, node, reload))
            continue;
        lp_init_exec_close(reload->exec);
        reload->exec = NULL;
        render->left--;
    }
    if (render->left == 0)
        render_end(crun, node);
}

void lp_crun_render_tick(struct lp_crun *crun, struct lp_crun_node *node, int64_t now_ms)
{
    struct lp_crun_render *render = node->render;
    if (!render)
        return;
    if (now_ms < render->deadline_ms) {
        lp_crun_wake_at(crun, render->deadline_ms);
        return;
    }
    for (size_t i = 0; i < render->count; i++) {
        if (render->reloads[i].exec)
            trouble_add(render, render->reloads[i].app, "no answer");
    }
    render_end(crun, node);
}
