// Applications: orders to a node's limpet-init, and what it tells.
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "drivers/crun/crun_parts.h"

enum { APP_KILLED = 256 + 9, APP_READS_MAX = 16 };

static int link_get(struct lp_crun *crun, const struct lp_order *order,
                    struct lp_crun_node **ret_node, struct lp_err *err)
{
    struct lp_crun_node *node = lp_crun_find(crun, order->action.node);
    if (!node || node->mark.incarnation != order->action.incarnation || node->phase != LP_CRUN_UP)
        return lp_err_set(err, LP_ENOTFOUND, "that life of the node does not run");
    if (!node->link)
        return lp_err_set(err, LP_EIO, "%s: limpet-init does not answer", node->mark.name);
    *ret_node = node;
    return 0;
}

static int app_start(struct lp_crun_node *node, const struct lp_order *order, struct lp_err *err)
{
    const struct lp_app *app = order->app;
    if (!app)
        return lp_err_set(err, LP_ENOTFOUND, "nothing is known of the application to start");
    struct lp_init_start start = {.app = order->action.app,
                                  .run = order->action.run,
                                  .name = app->name,
                                  .kind = app->kind,
                                  .argv = order->argv,
                                  .environment = order->environment,
                                  .working_dir = app->working_dir,
                                  .user = app->user,
                                  .creates = app->creates,
                                  .timeout_ms = app->kind == LP_APP_SETUP ? app->timeout_ms : 0,
                                  .stop_signal = app->stop_signal};
    return lp_init_link_start_app(node->link, &start, err);
}

int lp_crun_app_begin(struct lp_crun *crun, const struct lp_order *order, struct lp_err *err)
{
    struct lp_crun_node *node = NULL;
    const struct lp_action *action = &order->action;
    int result = link_get(crun, order, &node, err);
    if (result < 0)
        return result;
    if (action->kind == LP_ACTION_START_APP)
        result = app_start(node, order, err);
    else if (action->kind == LP_ACTION_STOP_APP)
        result = lp_init_link_stop_app(node->link, action->app, action->run, action->grace_ms, err);
    else
        result = lp_init_link_kill_app(node->link, action->app, action->run, err);
    if (result == LP_EIO) // its process tells what became of it
        lp_crun_unlink(crun, node);
    else
        lp_crun_link_ready(crun, node);
    return result;
}

struct news_context {
    struct lp_crun *crun;
    struct lp_crun_node *node;
};

static struct lp_event *app_put(struct news_context *context, enum lp_event_kind kind,
                                const struct lp_init_news *news)
{
    struct lp_event *event = lp_crun_put(context->crun, context->node, kind, news->text);
    event->app = news->app;
    event->run = news->run;
    if (kind == LP_EVENT_APP_STARTED && news->app < LP_APPS_MAX)
        context->node->runs[news->app] = news->run;
    return event;
}

// An application killed with SIGKILL while the cgroup's count of such kills grew.
static bool is_oom(struct news_context *context, int32_t status)
{
    struct lp_crun_node *node = context->node;
    if (status != APP_KILLED)
        return false;
    struct lp_place cgroup =
        lp_place_cgroup(&context->crun->env, node->mark.infra_name, node->mark.name);
    uint64_t kills = lp_cgroup_oom_kills(&context->crun->cgroups, cgroup.text);
    bool has_grown = kills > node->oom_kills;
    node->oom_kills = kills;
    return has_grown;
}

static void exited_put(struct news_context *context, const struct lp_init_news *news)
{
    struct lp_event *event = app_put(context, LP_EVENT_APP_EXITED, news);
    event->status = news->status;
    event->is_oom = is_oom(context, news->status);
}

static void state_take(struct news_context *context, const struct lp_init_news *news)
{
    if (!context->node->is_adopting)
        return; // the answer to a question that only asked whether it answers
    switch (news->phase) {
    case LP_INIT_RUNNING:
    case LP_INIT_ENDING: // EXITED follows
        app_put(context, LP_EVENT_APP_STARTED, news);
        break;
    case LP_INIT_ENDED:
        exited_put(context, news);
        break;
    case LP_INIT_UNSTARTED:
        app_put(context, LP_EVENT_APP_FAILED, news);
        break;
    case LP_INIT_IDLE:
    case LP_INIT_STARTING: // STARTED or FAILED follows
        break;
    }
}

// The limits that are not set before limpet-init runs: starting would be within the processor's.
LP_MUST_CHECK static int limits_set(const struct lp_crun *crun, const struct lp_crun_node *node,
                                    struct lp_err *err)
{
    const struct lp_crun_start *start = node->start;
    struct lp_place cgroup = lp_place_cgroup(&crun->env, node->mark.infra_name, node->mark.name);
    int result = start && start->bundle.memory_bytes
                     ? lp_cgroup_bar_swap(&crun->cgroups, cgroup.text, err)
                     : 0;
    if (result == 0 && start && start->cpu_permille)
        result = lp_cgroup_set_cpu(&crun->cgroups, cgroup.text, start->cpu_permille, err);
    return result;
}

// The start is over, or the link to a node that ran already stands again.
static void hello_take(struct news_context *context)
{
    struct lp_crun *crun = context->crun;
    struct lp_crun_node *node = context->node;
    struct lp_err err = {0};
    LP_OWNS_STR struct lp_str text = {0};
    if (limits_set(crun, node, &err) < 0) {
        lp_crun_start_fail(crun, node, err.text);
        return;
    }
    bool is_new = node->start != NULL;
    bool may_have_layers = is_new ? node->start->layer_count > 0 : node->served_count == 0;
    lp_crun_start_free(node);
    node->phase = LP_CRUN_UP;
    node->deadline_ms = INT64_MAX;
    if (node->mark.is_privileged)
        lp_str_printf(&text, "%s is PRIVILEGED: it can do to this machine whatever root can",
                      node->mark.name);
    if (is_new || node->is_adopting)
        lp_crun_put(crun, node, LP_EVENT_NODE_UP, lp_str_text(&text));
    else if (node->is_mute)
        node->owes_up = true; // once its applications were told of: they are not to be started anew
    node->is_mute = false;
    if (may_have_layers)
        lp_crun_layers_watch(crun, node);
    if (is_new || node->is_fencing)
        return;
    if (!node->is_adopting) { // the link was lost and stands again: tell what was missed
        node->is_adopting = true;
        crun->adopting_count++;
    }
    if (lp_init_link_list(node->link, &err) < 0)
        node->asked_ms = node->heard_ms; // SYNCED is owed; mute if it does not come
}

static void news_take(void *opaque, const struct lp_init_news *news)
{
    struct news_context *context = opaque;
    struct lp_crun_node *node = context->node;
    node->heard_ms = lp_monotonic_ms();
    node->asked_ms = 0;
    if (news->kind == LP_INIT_HELLO) {
        if (!node->is_fencing)
            hello_take(context);
        return;
    }
    if (node->is_mute && node->phase == LP_CRUN_UP && !node->is_fencing) {
        node->is_mute = false; // thawed
        lp_crun_put(context->crun, node, LP_EVENT_NODE_UP, NULL);
    }
    switch (news->kind) {
    case LP_INIT_STATE:
        state_take(context, news);
        break;
    case LP_INIT_SYNCED:
        if (node->owes_up)
            lp_crun_put(context->crun, node, LP_EVENT_NODE_UP, NULL);
        node->owes_up = false;
        if (node->is_adopting) {
            node->is_adopting = false;
            context->crun->adopting_count--;
            lp_crun_synced_check(context->crun);
        }
        break;
    case LP_INIT_STARTED:
        app_put(context, LP_EVENT_APP_STARTED, news);
        break;
    case LP_INIT_EXITED:
        exited_put(context, news);
        break;
    case LP_INIT_FAILED:
        app_put(context, LP_EVENT_APP_FAILED, news);
        break;
    case LP_INIT_HELLO:
        break;
    }
}

void lp_crun_link_ready(struct lp_crun *crun, struct lp_crun_node *node)
{
    struct news_context context = {crun, node};
    struct lp_err err = {0};
    if (!node->link)
        return;
    int result = lp_init_link_read(node->link, news_take, &context, &err);
    if (result == 0 && node->link && lp_init_link_has_unsent(node->link))
        result = lp_init_link_flush(node->link, &err);
    if (result < 0) {
        lp_crun_unlink(crun, node);
        node->asked_ms = lp_monotonic_ms(); // linked again within a second, mute if in vain
        lp_crun_wake_at(crun, node->asked_ms + 1000);
        return;
    }
    if (!node->link)
        return;
    bool has_unsent = lp_init_link_has_unsent(node->link);
    if (has_unsent != node->waits_writable) {
        struct epoll_event event = {.events = EPOLLIN | (has_unsent ? (uint32_t)EPOLLOUT : 0u),
                                    .data.u64 =
                                        (uint64_t)LP_CRUN_WATCH_LINK << 32 | node->mark.node};
        epoll_ctl(crun->epoll_fd, EPOLL_CTL_MOD, lp_init_link_fd(node->link), &event);
        node->waits_writable = has_unsent;
    }
    if (node->phase == LP_CRUN_UP && !node->is_fencing)
        lp_crun_wake_at(crun, (node->heard_ms + LP_CRUN_IDLE_MS) / 1000 * 1000 + 1000);
}
