// Faults of a volume of a node: disk-full, read-only, disk-slow, io-error, lose-writes. A layer
// (drivers/layer/layer.c) stands over the volume in the node, and does to what passes what it is
// told. The undo: it is told to let all pass again; one that was put there for a fault goes away.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "drivers/fault/fault_parts.h"
#include "drivers/layer/layer.h"
#include "drivers/place.h"

enum { LOG_BYTES_MAX = 4096, TARGET_BYTES = 4096 };

static const char *target_of(const struct lp_fault_job *job)
{
    const char *target = json_string_value(json_object_get(job->undo, "target"));
    return target ? target : "";
}

static struct lp_place file_of(const struct lp_faults *faults, const struct lp_fault_job *job,
                               const char *ending)
{
    char name[LP_LAYER_NAME_BYTES], file[2 * LP_LAYER_NAME_BYTES];
    lp_layer_name(target_of(job), name);
    snprintf(file, sizeof(file), "%s.%s", name, ending);
    return lp_place_node_file(&faults->env, job->mark.infra_name, job->mark.name, file);
}

static int disk_prepare(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    (void)faults;
    const char *target = lp_fault_option(job, "volume");
    if (!target || target[0] != '/')
        return lp_err_set(err, LP_EINPUT, "which volume of %s?", job->mark.name);
    if (strlen(target) >= TARGET_BYTES)
        return lp_err_set(err, LP_EINPUT, "the path of the volume is too long");
    json_object_set_new(job->undo, "target", json_string(target));
    return 0;
}

static void fault_fill(const struct lp_fault_job *job, pid_t pid, struct lp_layer_fault *ret_fault)
{
    static const uint32_t kinds[LP_FAULT_KINDS] = {[LP_FAULT_DISK_FULL] = LP_LAYER_FULL,
                                                   [LP_FAULT_READ_ONLY] = LP_LAYER_READ_ONLY,
                                                   [LP_FAULT_DISK_SLOW] = LP_LAYER_SLOW,
                                                   [LP_FAULT_IO_ERROR] = LP_LAYER_ERROR,
                                                   [LP_FAULT_LOSE_WRITES] = LP_LAYER_FORGET};
    const char *on = lp_fault_option(job, "on");
    *ret_fault = (struct lp_layer_fault){.number = job->number,
                                         .leave_bytes = job->spec.bytes,
                                         .kind = kinds[job->spec.kind],
                                         .permille = job->spec.permille,
                                         .operations = lp_layer_operations(on ? on : "all"),
                                         .delay_us = job->spec.delay_us,
                                         .jitter_us = job->spec.jitter_us,
                                         .distribution = job->spec.distribution,
                                         .seed = job->spec.seed,
                                         .pid = (int32_t)pid};
}

// The process that was started for this fault, while it lives.
static pid_t child_pid(const struct lp_faults *faults, const struct lp_fault_job *job,
                       const char *key)
{
    pid_t pid = (pid_t)json_integer_value(json_object_get(job->undo, key));
    bool is_remover = strcmp(key, "remover") == 0;
    pid = is_remover ? lp_fault_worker_pid(pid, "layer", "remove")
                     : lp_fault_worker_of(faults, job, pid, "layer");
    char state = pid ? lp_fault_process_state(pid) : 0;
    return state == 0 || state == 'Z' ? 0 : pid;
}

// The layer that was started for this fault, while it lives.
static pid_t layer_pid(const struct lp_faults *faults, const struct lp_fault_job *job)
{
    pid_t pid = child_pid(faults, job, "layer");
    if (pid == 0 && job->is_found) // a daemon was killed before it noted which
        (void)lp_fault_workers_find(faults, job, "layer", &pid, 1);
    char state = pid ? lp_fault_process_state(pid) : 0;
    return state == 0 || state == 'Z' ? 0 : pid;
}

LP_MUST_CHECK static int layer_spawn(struct lp_faults *faults, struct lp_fault_job *job,
                                     const struct lp_child_spec *spec, const char *key,
                                     struct lp_err *err)
{
    pid_t pid;
    if (lp_children_spawn(faults->children, spec, job->number, &pid, err) < 0)
        return err->code;
    json_object_set_new(job->undo, key, json_integer(pid));
    return lp_fault_job_save(faults, job, err);
}

LP_MUST_CHECK static int layer_start(struct lp_faults *faults, struct lp_fault_job *job, pid_t node,
                                     struct lp_err *err)
{
    char program[512], mark[LP_FAULT_MARK_BYTES], name[LP_LAYER_NAME_BYTES], path[64];
    struct lp_place socket = file_of(faults, job, "sock"), log = file_of(faults, job, "log");
    lp_layer_name(target_of(job), name);
    snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)node);
    lp_program_again(program, sizeof(program));
    lp_fault_worker_mark(faults, job, mark);
    LP_OWNS_FD int space = open(path, O_RDONLY | O_CLOEXEC);
    LP_OWNS_FD int output = open(log.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (space < 0 || output < 0)
        return lp_err_set(err, LP_EIO, "%s: %s", space < 0 ? path : log.text, strerror(errno));
    const char *argv[] = {program, "layer", mark, socket.text, target_of(job), name, NULL};
    struct lp_child_spec spec = {.argv = argv,
                                 .kept_fd = space,
                                 .is_detached = true,
                                 .has_output_fd = true,
                                 .output_fd = output};
    unlink(socket.text); // of one that died
    return layer_spawn(faults, job, &spec, "layer", err);
}

// Is one there that was put over the volume for a fault? One that is there from the node's start
// bears another name: there is nothing below it.
static bool is_over_volume(const struct lp_fault_job *job, pid_t node)
{
    char name[LP_LAYER_NAME_BYTES], target[TARGET_BYTES];
    lp_layer_name(target_of(job), name);
    return node && lp_layer_find_mount(node, name, target, sizeof(target));
}

static int disk_inject(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    pid_t node;
    struct lp_layer_fault fault;
    struct lp_layer_answer answer;
    if (lp_fault_node_pid(faults, job, &node, err) < 0)
        return err->code;
    fault_fill(job, node, &fault);
    int result =
        lp_layer_ask(file_of(faults, job, "sock").text, LP_LAYER_SET, &fault, &answer, err);
    if (result != LP_ENOTFOUND || layer_pid(faults, job))
        return 0; // one stands there: look tells what it answers
    if (is_over_volume(job, node))
        return lp_err_set(err, LP_ECONFLICT,
                          "the layer over %s has ended: the volume is dead until %s restarts",
                          target_of(job), job->mark.name);
    return layer_start(faults, job, node, err);
}

// Why it has ended is the last line of its log.
LP_MUST_CHECK static int ended_tell(const struct lp_faults *faults, const struct lp_fault_job *job,
                                    struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    (void)!lp_file_read(file_of(faults, job, "log").text, LOG_BYTES_MAX, &text, NULL);
    while (text.bytes && text.text[text.bytes - 1] == '\n')
        text.text[--text.bytes] = '\0';
    return lp_err_set(err, LP_EIO, "the layer over %s has ended%s%s", target_of(job),
                      text.bytes ? ": " : "", lp_str_text(&text));
}

static int disk_look(struct lp_faults *faults, struct lp_fault_job *job, struct lp_str *ret_seen,
                     struct lp_err *err)
{
    pid_t node;
    struct lp_layer_fault fault;
    struct lp_layer_answer answer = {0};
    if (lp_fault_node_pid(faults, job, &node, err) < 0)
        return err->code;
    fault_fill(job, node, &fault);
    int result =
        lp_layer_ask(file_of(faults, job, "sock").text, LP_LAYER_SET, &fault, &answer, err);
    if (result == LP_ETIMEOUT)
        return 0;
    if (result == LP_ENOTFOUND)
        return layer_pid(faults, job) ? 0 : ended_tell(faults, job, err);
    if (result < 0)
        return result;
    if (answer.phase == LP_LAYER_REFUSED)
        return lp_err_set(err, LP_ECONFLICT, "%s: %s", target_of(job), answer.text);
    if (answer.phase != LP_LAYER_SEEN)
        return 0;
    lp_str_printf(ret_seen, "%s: %s", target_of(job), answer.text);
    return 1;
}

// A layer that died left its mount: taken away by a child that enters the node.
LP_MUST_CHECK static int mount_remove(struct lp_faults *faults, struct lp_fault_job *job,
                                      pid_t node, struct lp_err *err)
{
    char program[512], pid[16], name[LP_LAYER_NAME_BYTES];
    lp_layer_name(target_of(job), name);
    if (!is_over_volume(job, node))
        return 0;
    if (!child_pid(faults, job, "remover")) {
        snprintf(pid, sizeof(pid), "%d", (int)node);
        const char *argv[] = {program, "layer", "remove", pid, name, NULL};
        struct lp_child_spec spec = {.argv = argv, .is_detached = true};
        lp_program_again(program, sizeof(program));
        if (layer_spawn(faults, job, &spec, "remover", err) < 0)
            return err->code;
    }
    return lp_err_set(err, LP_ETIMEOUT, "the layer's mount is going");
}

// Only those who opened a file through it still need it.
static bool is_ending(pid_t pid)
{
    char path[64];
    LP_OWNS_STR struct lp_str name = {0};
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    return lp_file_read(path, 64, &name, NULL) == 0 &&
           lp_text_starts(lp_str_text(&name), LP_LAYER_ENDING);
}

static int disk_undo(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    pid_t node = 0;
    struct lp_layer_fault fault;
    struct lp_layer_answer answer = {0};
    struct lp_place socket = file_of(faults, job, "sock");
    if (!target_of(job)[0]) // nothing was done
        return 0;
    if (lp_fault_node_pid(faults, job, &node, err) < 0)
        node = 0;
    fault_fill(job, node, &fault);
    int result = lp_layer_ask(socket.text, LP_LAYER_CLEAR, &fault, &answer, err);
    if (result == 0 && answer.phase == LP_LAYER_NONE)
        return 0;
    if (result == 0)
        return answer.phase == LP_LAYER_REFUSED && node
                   ? lp_err_set(err, LP_EIO, "%s", answer.text)
                   : lp_err_set(err, LP_ETIMEOUT, "the layer is ending");
    // One that hangs and stands over the volume for our sake only is taken away by force.
    if (result == LP_ETIMEOUT && lp_monotonic_ms() >= job->given_up_at_ms &&
        is_over_volume(job, node))
        lp_layer_kill(socket.text);
    if (result != LP_ENOTFOUND)
        return result;
    // It died, it has not come to take orders yet, or it stands in no tree any more.
    pid_t layer = layer_pid(faults, job);
    if (layer && !is_ending(layer)) {
        kill(layer, SIGKILL);
        return lp_err_set(err, LP_ETIMEOUT, "the layer is ending");
    }
    unlink(socket.text);
    unlink(file_of(faults, job, "log").text);
    return mount_remove(faults, job, node, err);
}

const struct lp_fault_hand lp_fault_hand_disk = {
    .prepare = disk_prepare,
    .inject = disk_inject,
    .look = disk_look,
    .undo = disk_undo,
};
