// Faults that take something away: a hog (drivers/fault/hog.c) in the node's own cgroup, or on the
// host. The undo is its death; a node that dies takes it along.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "drivers/fault/fault_parts.h"
#include "drivers/fault/hog.h"
#include "drivers/place.h"

enum {
    COMM_MAX_BYTES = 64,
    VICTIMS_MAX = 256,
    SCORE_BYTES = 16,
    PLACES_MS = 5000,
    WORKERS_MAX = 128,
    SCORE_VICTIM = 1000
};

// How much memory is there to be filled: the node's limit less what it uses, or the host's.
LP_MUST_CHECK static int memory_room(const struct lp_faults *faults, const struct lp_fault_job *job,
                                     uint64_t *ret_limit, uint64_t *ret_free, struct lp_err *err)
{
    if (!job->mark.name[0]) {
        LP_OWNS_STR struct lp_str text = {0};
        if (lp_file_read("/proc/meminfo", 64 * 1024, &text, err) < 0)
            return err->code;
        const char *total = strstr(lp_str_text(&text), "MemTotal:");
        const char *available = strstr(lp_str_text(&text), "MemAvailable:");
        *ret_limit = total ? strtoull(total + strlen("MemTotal:"), NULL, 10) * 1024 : 0;
        *ret_free = available ? strtoull(available + strlen("MemAvailable:"), NULL, 10) * 1024 : 0;
        return 0;
    }
    uint64_t used = 0;
    if (!lp_cgroup_memory(&faults->cgroups, lp_fault_cgroup(faults, job).text, ret_limit, &used))
        return lp_err_set(err, LP_EUNSUPPORTED,
                          "%s has no memory limit to fill (deploy.resources.limits.memory)",
                          job->mark.name);
    *ret_free = *ret_limit > used ? *ret_limit - used : 0;
    return 0;
}

// Bytes for the hog, so that no more than `leave` or a share stays free.
LP_MUST_CHECK static int memory_amount(const struct lp_faults *faults,
                                       const struct lp_fault_job *job, uint64_t *ret_amount,
                                       struct lp_err *err)
{
    uint64_t limit = 0, room = 0;
    if (memory_room(faults, job, &limit, &room, err) < 0)
        return err->code;
    uint64_t leave = job->spec.bytes ? job->spec.bytes : limit / 1000 * (1000 - job->spec.permille);
    *ret_amount = room > leave ? room - leave : 0;
    return *ret_amount > 0 ? 0 : lp_err_set(err, LP_ECONFLICT, "no more than that is free already");
}

// False: it is gone.
static bool score_read(pid_t pid, int *ret_score)
{
    char path[64];
    LP_OWNS_STR struct lp_str text = {0};
    snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
    if (lp_file_read(path, SCORE_BYTES, &text, NULL) < 0 || text.bytes == 0)
        return false;
    *ret_score = atoi(text.text);
    return true;
}

static void score_write(pid_t pid, int score)
{
    char path[64], text[SCORE_BYTES];
    snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
    int bytes = snprintf(text, sizeof(text), "%d", score);
    LP_OWNS_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        (void)!write(fd, text, (size_t)bytes);
}

// Who is to be killed for lack of memory: the node's applications. What each has is noted before,
// and the highest, for children that they have later: what was only just forked may have less.
static void victims_note(const struct lp_faults *faults, struct lp_fault_job *job)
{
    pid_t pids[VICTIMS_MAX];
    char key[16];
    int score, highest = 0;
    if (!json_object_get(job->undo, "scores"))
        json_object_set_new(job->undo, "scores", json_object());
    json_t *scores = json_object_get(job->undo, "scores");
    size_t count = lp_fault_processes(faults, job, pids, VICTIMS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!score_read(pids[i], &score) || score == SCORE_VICTIM) // noted by an earlier begin
            continue;
        snprintf(key, sizeof(key), "%d", (int)pids[i]);
        json_object_set_new(scores, key, json_integer(score));
        highest = score > highest ? score : highest;
    }
    if (highest >= json_integer_value(json_object_get(job->undo, "score")))
        json_object_set_new(job->undo, "score", json_integer(highest));
}

static void victims_set(const struct lp_faults *faults, const struct lp_fault_job *job, bool is_on)
{
    pid_t pids[VICTIMS_MAX];
    char key[16];
    int score;
    size_t count = lp_fault_processes(faults, job, pids, VICTIMS_MAX);
    for (size_t i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "%d", (int)pids[i]);
        const json_t *noted = json_object_get(json_object_get(job->undo, "scores"), key);
        if (!noted)
            noted = json_object_get(job->undo, "score");
        if (is_on)
            score_write(pids[i], SCORE_VICTIM);
        else if (noted && score_read(pids[i], &score) && score == SCORE_VICTIM)
            score_write(pids[i], (int)json_integer_value(noted));
    }
}

static int load_prepare(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    uint64_t amount = job->spec.count, limit = 0, room = 0, places = 0;
    struct lp_place cgroup = lp_fault_cgroup(faults, job);
    if (job->spec.kind == LP_FAULT_MEMORY && memory_amount(faults, job, &amount, err) < 0)
        return err->code;
    if (job->spec.kind == LP_FAULT_OOM && memory_room(faults, job, &limit, &room, err) < 0)
        return err->code;
    if (job->spec.kind == LP_FAULT_PROCESSES &&
        !lp_cgroup_pids_room(&faults->cgroups, cgroup.text, &places))
        return lp_err_set(err, LP_EUNSUPPORTED,
                          "%s has no limit of processes to fill (deploy.resources.limits.pids)",
                          job->mark.name);
    if (job->spec.kind == LP_FAULT_OOM)
        victims_note(faults, job);
    json_object_set_new(job->undo, "amount", json_integer((json_int_t)amount));
    json_object_set_new(job->undo, "places", json_integer((json_int_t)places));
    json_object_set_new(
        job->undo, "oom_kills",
        json_integer((json_int_t)lp_cgroup_oom_kills(&faults->cgroups, cgroup.text)));
    return 0;
}

// Where it writes: the node's root, or a volume's place in it, seen through its first process.
LP_MUST_CHECK static int folder_of(const struct lp_faults *faults, const struct lp_fault_job *job,
                                   char *ret_folder, size_t bytes, struct lp_err *err)
{
    pid_t pid;
    const char *volume = lp_fault_option(job, "volume");
    if (!job->mark.name[0]) {
        snprintf(ret_folder, bytes, "%s", volume ? volume : faults->env.root);
        return 0;
    }
    if (lp_fault_node_pid(faults, job, &pid, err) < 0)
        return err->code;
    if (volume && volume[0] != '/')
        snprintf(ret_folder, bytes, "%s",
                 lp_place_volume(&faults->env, job->mark.infra_name, volume).text);
    else
        snprintf(ret_folder, bytes, "/proc/%d/root%s", (int)pid, volume ? volume : "/tmp");
    return 0;
}

struct entry { // into the cgroup, between fork and exec
    struct lp_cgroup_procs procs;
};

static int entry_make(void *context, const char **ret_step)
{
    const struct entry *entry = context;
    *ret_step = "enter the node's cgroup";
    for (size_t i = 0; i < entry->procs.count; i++) {
        int fd = open(entry->procs.paths[i], O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) != 1)
            return -errno;
        close(fd);
    }
    // Rather the application is killed for lack of memory than this. Not everybody may say so.
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, "-1000", strlen("-1000"));
        close(fd);
    }
    return 0;
}

static pid_t hog_pid(const struct lp_faults *faults, const struct lp_fault_job *job)
{
    pid_t pid = (pid_t)json_integer_value(json_object_get(job->undo, "hog"));
    return lp_fault_worker_of(faults, job, pid, "hog");
}

// True once no hog of this fault lives; its workers end with it, but look like it.
static bool hog_ends(const struct lp_faults *faults, const struct lp_fault_job *job)
{
    pid_t pids[WORKERS_MAX] = {hog_pid(faults, job)};
    size_t count = pids[0] != 0, living = 0;
    if (count == 0 && job->is_found) // a daemon was killed before it noted which
        count = lp_fault_workers_find(faults, job, "hog", pids, WORKERS_MAX);
    for (size_t i = 0; i < count; i++) {
        char state = lp_fault_process_state(pids[i]);
        if (state == 0 || state == 'Z')
            continue;
        kill(pids[i], SIGKILL);
        living++;
    }
    return living == 0;
}

static int load_inject(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    char program[512], mark[LP_FAULT_MARK_BYTES], amount[32], share[16], folder[LP_PLACE_TEXT_MAX];
    bool is_oom = job->spec.kind == LP_FAULT_OOM;
    if (hog_pid(faults, job)) // of an earlier begin
        return 0;
    for (int tries = 0; !hog_ends(faults, job) && tries < 40; tries++)
        usleep(500);
    lp_program_again(program, sizeof(program));
    lp_fault_worker_mark(faults, job, mark);
    if (folder_of(faults, job, folder, sizeof(folder), err) < 0)
        return err->code;
    json_int_t number = json_integer_value(json_object_get(job->undo, "amount"));
    snprintf(amount, sizeof(amount), "%lld", is_oom ? 0 : (long long)number);
    snprintf(share, sizeof(share), "%u", job->spec.permille);
    const char *argv[] = {program, "hog", mark,   lp_fault_words[job->spec.kind],
                          amount,  share, folder, NULL};
    struct entry entry = {0};
    if (is_oom)
        victims_set(faults, job, true);
    if (job->mark.name[0])
        lp_cgroup_procs_find(&faults->cgroups, lp_fault_cgroup(faults, job).text, &entry.procs);
    struct lp_child_spec spec = {
        .argv = argv, .is_detached = true, .prepare = entry_make, .prepare_context = &entry};
    pid_t pid;
    if (lp_children_spawn(faults->children, &spec, job->number, &pid, err) < 0)
        return err->code;
    json_object_set_new(job->undo, "hog", json_integer(pid));
    return lp_fault_job_save(faults, job, err);
}

static int load_look(struct lp_faults *faults, struct lp_fault_job *job, struct lp_str *ret_seen,
                     struct lp_err *err)
{
    char path[64];
    LP_OWNS_STR struct lp_str name = {0};
    pid_t pid = hog_pid(faults, job);
    uint64_t kills = lp_cgroup_oom_kills(&faults->cgroups, lp_fault_cgroup(faults, job).text);
    uint64_t before = (uint64_t)json_integer_value(json_object_get(job->undo, "oom_kills"));
    if (job->spec.kind == LP_FAULT_OOM && kills > before) {
        if (pid)
            kill(pid, SIGKILL);
        victims_set(faults, job, false);
        lp_str_add(ret_seen, "the kernel has killed for lack of memory");
        return 1;
    }
    if (!pid)
        return lp_err_set(err, LP_EIO, "what was to take it has ended");
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    if (lp_file_read(path, COMM_MAX_BYTES, &name, NULL) < 0 ||
        !lp_text_starts(lp_str_text(&name), LP_HOG_BUSY) || job->spec.kind == LP_FAULT_OOM)
        return 0;
    json_int_t amount = json_integer_value(json_object_get(job->undo, "amount"));
    if (job->spec.kind == LP_FAULT_MEMORY)
        lp_str_printf(ret_seen, "%lld MiB are taken", (long long)amount / (1024 * 1024));
    else
        lp_str_printf(ret_seen, "process %d is at it", (int)pid);
    return 1;
}

// Processes that were killed keep their places until somebody has heard of their end, which the
// first process of the machine may take a while for: half of the room of before is awaited.
static bool has_places(const struct lp_faults *faults, const struct lp_fault_job *job)
{
    uint64_t room, was = (uint64_t)json_integer_value(json_object_get(job->undo, "places"));
    return job->spec.kind != LP_FAULT_PROCESSES || lp_monotonic_ms() - job->since_ms > PLACES_MS ||
           !lp_cgroup_pids_room(&faults->cgroups, lp_fault_cgroup(faults, job).text, &room) ||
           room * 2 >= was;
}

static int load_undo(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    if (job->spec.kind == LP_FAULT_OOM)
        victims_set(faults, job, false);
    return hog_ends(faults, job) && has_places(faults, job)
               ? 0
               : lp_err_set(err, LP_ETIMEOUT, "the hog is ending");
}

const struct lp_fault_hand lp_fault_hand_load = {
    .prepare = load_prepare,
    .inject = load_inject,
    .look = load_look,
    .undo = load_undo,
};
