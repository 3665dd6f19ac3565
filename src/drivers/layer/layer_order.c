// Orders to a layer over its socket: one question and one answer a connection, both of a fixed
// form.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "drivers/crun/init_socket.h"
#include "drivers/layer/layer_parts.h"

enum {
    PATH_BYTES = 4096,
    ORDER_FORM = 0x6c617901, // "lay", and the version of what follows
    PATIENCE_MS = 10,        // the daemon's, for an answer: it asks again
    WORD_MS = 50,            // the layer's, for the rest of a question
};

struct question {
    uint32_t form, want;
    struct lp_layer_fault fault;
};
struct reply {
    uint32_t form;
    struct lp_layer_answer answer;
};

// All of it within `patience_ms`, or false.
static bool whole_read(int fd, void *bytes, size_t count, int patience_ms)
{
    size_t done = 0;
    while (done < count) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, patience_ms) <= 0)
            return false;
        ssize_t got = recv(fd, (char *)bytes + done, count - done, 0);
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

int lp_layer_ask(const char *socket, enum lp_layer_want want, const struct lp_layer_fault *fault,
                 struct lp_layer_answer *ret_answer, struct lp_err *err)
{
    LP_OWNS_FD int fd = -1;
    struct reply reply;
    struct question question = {.form = ORDER_FORM, .want = want, .fault = *fault};
    if (lp_init_socket_open(socket, true, &fd, err) < 0)
        return err->code;
    if (send(fd, &question, sizeof(question), MSG_NOSIGNAL) != (ssize_t)sizeof(question) ||
        !whole_read(fd, &reply, sizeof(reply), PATIENCE_MS))
        return lp_err_set(err, LP_ETIMEOUT, "the volume's layer does not answer");
    if (reply.form != ORDER_FORM)
        return lp_err_set(err, LP_EUNSUPPORTED,
                          "the volume's layer is of another version of Limpet: restart the node");
    reply.answer.text[sizeof(reply.answer.text) - 1] = '\0';
    *ret_answer = reply.answer;
    return 0;
}

int lp_layer_process(const char *socket, pid_t *ret_pid, struct lp_err *err)
{
    LP_OWNS_FD int fd = -1;
    struct ucred who = {0};
    socklen_t bytes = sizeof(who);
    if (lp_init_socket_open(socket, true, &fd, err) < 0)
        return err->code;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) < 0 || who.pid <= 1)
        return lp_err_set(err, LP_EIO, "%s: who listens is not known", socket);
    *ret_pid = who.pid;
    return 0;
}

void lp_layer_kill(const char *socket)
{
    pid_t pid = 0;
    struct lp_err ignored;
    if (lp_layer_process(socket, &pid, &ignored) == 0)
        kill(pid, SIGKILL);
}

void lp_layers_kill(const char *node_folder)
{
    char path[PATH_BYTES];
    const struct dirent *entry;
    LP_OWNS_DIR DIR *folder = opendir(node_folder);
    while (folder && (entry = readdir(folder))) {
        if (!lp_text_starts(entry->d_name, "layer-") || !lp_text_ends(entry->d_name, ".sock"))
            continue;
        snprintf(path, sizeof(path), "%s/%s", node_folder, entry->d_name);
        lp_layer_kill(path);
    }
}

// The layer's side.

static void set(struct lp_layer *layer, const struct lp_layer_fault *fault,
                struct lp_layer_answer *ret_answer)
{
    struct lp_layer_rule *rule = &layer->rules.rows[fault->kind];
    if (rule->is_on && rule->fault.number != fault->number) {
        ret_answer->phase = LP_LAYER_REFUSED;
        snprintf(ret_answer->text, sizeof(ret_answer->text),
                 "f%llu, of the same kind, is on this volume already",
                 (unsigned long long)rule->fault.number);
        return;
    }
    if (!rule->is_on) {
        lp_layer_rule_set(rule, fault);
        lp_layer_look_begin(layer, &rule->fault);
    }
    *ret_answer = layer->helpers[fault->kind].answer;
}

static void clear(struct lp_layer *layer, const struct lp_layer_fault *fault,
                  struct lp_layer_answer *ret_answer)
{
    struct lp_layer_rule *rule = &layer->rules.rows[fault->kind];
    if (rule->is_on && rule->fault.number == fault->number) {
        rule->is_on = false;
        lp_layer_replies_hurry(layer);
        lp_layer_helper_end(layer, &layer->helpers[fault->kind]);
        layer->helpers[fault->kind].answer = (struct lp_layer_answer){0};
        if (fault->kind == LP_LAYER_FORGET) {
            lp_layer_shadows_drop(layer);
            lp_layer_drop_begin(layer, fault->kind);
        }
    }
    if (layer->helpers[fault->kind].fd >= 0 && !rule->is_on) {
        ret_answer->phase = LP_LAYER_BUSY;
        return;
    }
    // One that was put over the volume for a fault goes with the last of them.
    struct lp_layer_helper *detach = &layer->helpers[LP_LAYER_KINDS];
    if (!layer->spec->source && lp_layer_rules_are_off(&layer->rules)) {
        if (!layer->is_ending)
            lp_layer_detach_begin(layer, fault->pid);
        layer->is_ending = true;
        *ret_answer = detach->answer;
    }
}

static void order_take(struct lp_layer *layer, int fd)
{
    struct question question;
    struct reply reply = {.form = ORDER_FORM};
    if (!whole_read(fd, &question, sizeof(question), WORD_MS))
        return;
    bool is_known = question.form == ORDER_FORM && question.fault.kind < LP_LAYER_KINDS;
    if (is_known && question.want == LP_LAYER_SET && !layer->is_ending)
        set(layer, &question.fault, &reply.answer);
    else if (is_known && question.want == LP_LAYER_CLEAR)
        clear(layer, &question.fault, &reply.answer);
    else if (is_known)
        reply.answer.phase = LP_LAYER_BUSY; // another one will stand here soon
    (void)!send(fd, &reply, sizeof(reply), MSG_NOSIGNAL);
}

void lp_layer_orders_take(struct lp_layer *layer)
{
    for (;;) {
        LP_OWNS_FD int fd = accept4(layer->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        order_take(layer, fd);
    }
}
