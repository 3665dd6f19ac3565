// What a fault is aimed at, seen from outside: the node's processes by their host pids.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "drivers/fault/fault_parts.h"
#include "drivers/place.h"

enum { ENVIRON_MAX = 256 * 1024, STAT_MAX = 4096, PIDS_MAX = 4096, CMDLINE_MAX = 64 * 1024 };

int lp_fault_node_pid(const struct lp_faults *faults, const struct lp_fault_job *job,
                      pid_t *ret_pid, struct lp_err *err)
{
    struct lp_node_mark mark;
    LP_OWNS_FD int pidfd = -1;
    if (lp_node_mark_read(&faults->env, job->mark.infra_name, job->mark.name, &mark, err) < 0 ||
        lp_node_mark_process(&faults->env, &mark, ret_pid, &pidfd, err) < 0)
        return lp_err_set(err, LP_ENOTFOUND, "%s does not run", job->mark.name);
    if (mark.incarnation != job->mark.incarnation)
        return lp_err_set(err, LP_ENOTFOUND, "%s runs in another life already", job->mark.name);
    return 0;
}

int lp_fault_netns(const struct lp_faults *faults, const struct lp_fault_job *job, int *ret_fd,
                   struct lp_err *err)
{
    pid_t pid;
    char path[64];
    if (lp_fault_node_pid(faults, job, &pid, err) < 0)
        return err->code;
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    *ret_fd = open(path, O_RDONLY | O_CLOEXEC);
    return *ret_fd < 0 ? lp_err_set(err, LP_ENOTFOUND, "%s does not run", job->mark.name) : 0;
}

struct lp_place lp_fault_cgroup(const struct lp_faults *faults, const struct lp_fault_job *job)
{
    return lp_place_cgroup(&faults->env, job->mark.infra_name, job->mark.name);
}

struct stat_line {
    char state;
    int parent, session;
};

static bool stat_read(pid_t pid, struct stat_line *ret_line)
{
    char path[64];
    int group;
    LP_OWNS_STR struct lp_str text = {0};
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    if (lp_file_read(path, STAT_MAX, &text, NULL) < 0)
        return false;
    const char *end = strrchr(lp_str_text(&text), ')'); // the name may contain anything
    return end && sscanf(end + 1, " %c %d %d %d", &ret_line->state, &ret_line->parent, &group,
                         &ret_line->session) == 4;
}

char lp_fault_process_state(pid_t pid)
{
    struct stat_line line;
    return stat_read(pid, &line) ? line.state : 0;
}

// "limpet\0hog\0f7@1234abcd\0...": is it of that verb, and of that mark?
static bool is_worker(pid_t pid, const char *verb, const char *mark)
{
    char path[64];
    LP_OWNS_STR struct lp_str text = {0};
    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    if (pid <= 1 || lp_file_read(path, CMDLINE_MAX, &text, NULL) < 0 || text.bytes == 0)
        return false;
    size_t at = strlen(text.text) + 1;
    if (at >= text.bytes || strcmp(text.text + at, verb) != 0)
        return false;
    at += strlen(text.text + at) + 1;
    return at < text.bytes && strcmp(text.text + at, mark) == 0;
}

bool lp_fault_has_twin(const struct lp_faults *faults, const struct lp_fault_job *job)
{
    for (const struct lp_fault_job *other = faults->jobs; other; other = other->next)
        if (other != job && other->phase != LP_FAULT_JOB_HEALING &&
            other->spec.kind == job->spec.kind && other->mark.node == job->mark.node &&
            other->mark.incarnation == job->mark.incarnation && other->app == job->app)
            return true;
    return false;
}

void lp_fault_worker_mark(const struct lp_faults *faults, const struct lp_fault_job *job,
                          char ret_mark[LP_FAULT_MARK_BYTES])
{
    snprintf(ret_mark, LP_FAULT_MARK_BYTES, "f%llu@%s", (unsigned long long)job->number,
             faults->env.root_id);
}

LP_MUST_CHECK static bool command_read(const char *process, struct lp_str *ret_line)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%s/cmdline", process);
    return lp_file_read(path, CMDLINE_MAX, ret_line, NULL) == 0;
}

// A child of ours that executes its program lets us go on a moment before it has a command line of
// its own: it shows ours until it has given up our memory, then none. On a busy machine, or one of
// a single processor, the moment is long.
static bool is_being_executed(pid_t pid)
{
    char number[16];
    struct stat_line line;
    LP_OWNS_STR struct lp_str its = {0};
    LP_OWNS_STR struct lp_str ours = {0};
    snprintf(number, sizeof(number), "%d", (int)pid);
    return pid > 1 && stat_read(pid, &line) && line.parent == getpid() && line.state != 'Z' &&
           line.state != 'X' && command_read(number, &its) && command_read("self", &ours) &&
           (its.bytes == 0 ||
            (its.bytes == ours.bytes && memcmp(its.text, ours.text, its.bytes) == 0));
}

pid_t lp_fault_worker_pid(pid_t pid, const char *verb, const char *mark)
{
    // The moment may end between the two looks.
    return is_worker(pid, verb, mark) || is_being_executed(pid) || is_worker(pid, verb, mark) ? pid
                                                                                              : 0;
}

pid_t lp_fault_worker_of(const struct lp_faults *faults, const struct lp_fault_job *job, pid_t pid,
                         const char *verb)
{
    char mark[LP_FAULT_MARK_BYTES];
    lp_fault_worker_mark(faults, job, mark);
    return lp_fault_worker_pid(pid, verb, mark);
}

size_t lp_fault_workers_find(const struct lp_faults *faults, const struct lp_fault_job *job,
                             const char *verb, pid_t *ret_pids, size_t most)
{
    char mark[LP_FAULT_MARK_BYTES];
    LP_OWNS_DIR DIR *processes = opendir("/proc");
    const struct dirent *entry;
    size_t count = 0;
    lp_fault_worker_mark(faults, job, mark);
    while (processes && count < most && (entry = readdir(processes)))
        if (is_worker((pid_t)strtol(entry->d_name, NULL, 10), verb, mark))
            ret_pids[count++] = (pid_t)strtol(entry->d_name, NULL, 10);
    return count;
}

// limpet-init writes LIMPET_APP=<name> into the environment of what it starts.
static bool has_mark(pid_t pid, const char *app)
{
    char path[64], mark[96];
    LP_OWNS_STR struct lp_str text = {0};
    snprintf(path, sizeof(path), "/proc/%d/environ", pid);
    snprintf(mark, sizeof(mark), "LIMPET_APP=%s", app);
    if (lp_file_read(path, ENVIRON_MAX, &text, NULL) < 0)
        return false;
    for (size_t at = 0; at < text.bytes; at += strlen(text.text + at) + 1)
        if (strcmp(text.text + at, mark) == 0)
            return true;
    return false;
}

struct member {
    pid_t pid, parent;
    int session;
    bool is_in, is_first;
};

static void member_read(pid_t pid, pid_t init, const char *app, struct member *ret_member)
{
    struct stat_line line;
    *ret_member = (struct member){.pid = pid};
    if (pid == init || !stat_read(pid, &line) || line.state == 'Z' || line.state == 'X')
        return;
    ret_member->session = line.session;
    ret_member->parent = line.parent;
    ret_member->is_in = !app[0] || has_mark(pid, app);
    ret_member->is_first = ret_member->is_in && line.parent == init;
}

// A process that cleared its environment, or wrote its title over it, is known by its session or by
// its parent.
static bool is_related(const struct member *one, const struct member *other)
{
    return other->is_in && other->pid != one->pid &&
           (one->parent == other->pid || (other->is_first && one->session == other->session));
}

static void family_find(struct member *members, size_t count)
{
    for (bool is_new = true; is_new;) {
        is_new = false;
        for (size_t i = 0; i < count; i++) {
            bool was_in = members[i].is_in;
            for (size_t k = 0; k < count && members[i].session && !members[i].is_in; k++)
                members[i].is_in = is_related(&members[i], &members[k]);
            is_new = is_new || members[i].is_in != was_in;
        }
    }
}

size_t lp_fault_processes(const struct lp_faults *faults, const struct lp_fault_job *job,
                          pid_t *ret_pids, size_t most)
{
    pid_t init, *pids;
    struct lp_err err;
    if (lp_fault_node_pid(faults, job, &init, &err) < 0)
        return 0;
    pids = lp_heap_take(PIDS_MAX * sizeof(*pids));
    size_t all =
        lp_cgroup_pids(&faults->cgroups, lp_fault_cgroup(faults, job).text, pids, PIDS_MAX);
    struct member *members = lp_heap_take((all + 1) * sizeof(*members));
    for (size_t i = 0; i < all; i++)
        member_read(pids[i], init, job->app_name, &members[i]);
    family_find(members, all);
    size_t count = 0;
    for (int is_first = 1; is_first >= 0; is_first--)
        for (size_t i = 0; i < all && count < most; i++)
            if (members[i].is_in && members[i].is_first == (bool)is_first)
                ret_pids[count++] = members[i].pid;
    lp_heap_free(members);
    lp_heap_free(pids);
    return count;
}
