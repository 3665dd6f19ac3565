// Finding an application's processes in /proc.
#include "init/family.h"

#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

enum { ENVIRON_MAX = 256 * 1024, STAT_MAX = 4096 };

struct process {
    pid_t pid, parent, session;
    uid_t uid;
    bool is_member;
};

struct processes {
    struct process *items;
    size_t count, capacity;
};

// "pid (name) state ppid pgrp session ...": the name may contain anything, so look for its end
// from behind.
static bool stat_read(pid_t pid, struct process *ret_process)
{
    char path[64];
    struct stat owner;
    LP_OWNS_STR struct lp_str text = {0};
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    if (stat(path, &owner) < 0 || lp_file_read(path, STAT_MAX, &text, NULL) < 0)
        return false;
    const char *name_end = strrchr(lp_str_text(&text), ')');
    char state = 0;
    int parent = 0, group = 0, session = 0;
    if (!name_end || sscanf(name_end + 1, " %c %d %d %d", &state, &parent, &group, &session) != 4 ||
        state == 'Z' || state == 'X') // dead already; somebody has yet to notice
        return false;
    *ret_process =
        (struct process){.pid = pid, .parent = parent, .session = session, .uid = owner.st_uid};
    return true;
}

static void processes_read(struct processes *processes)
{
    LP_OWNS_DIR DIR *proc = opendir("/proc");
    if (!proc)
        return;
    struct dirent *entry = NULL;
    while ((entry = readdir(proc))) {
        struct process process;
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid <= 0 || pid == getpid() || !stat_read(pid, &process))
            continue;
        if (processes->count == processes->capacity) {
            processes->capacity = processes->capacity ? 2 * processes->capacity : 64;
            processes->items =
                lp_heap_grow(processes->items, processes->capacity, sizeof(struct process));
        }
        processes->items[processes->count++] = process;
    }
}

// Is the mark one of the texts in its environment? -1: it may not be read.
static int mark_find(pid_t pid, const char *mark)
{
    char path[64];
    LP_OWNS_STR struct lp_str text = {0};
    snprintf(path, sizeof(path), "/proc/%d/environ", pid);
    if (lp_file_read(path, ENVIRON_MAX, &text, NULL) < 0 && text.bytes == 0)
        return -1;
    const char *at = lp_str_text(&text), *end = at + text.bytes;
    for (; at < end; at += strlen(at) + 1)
        if (strcmp(at, mark) == 0)
            return 1;
    return 0;
}

static bool is_own(const struct lp_family *family, const struct process *process)
{
    if (process->session == family->leader || process->pid == family->leader)
        return true;
    for (size_t i = 0; i < family->other_count; i++)
        if (process->session == family->others[i])
            return false;
    if (!family->mark)
        return false;
    int found = mark_find(process->pid, family->mark);
    if (found >= 0)
        return found > 0;
    return family->is_of_user && process->uid == family->uid && process->parent == getpid();
}

static int process_compare(const void *a, const void *b)
{
    const struct process *left = a, *right = b;
    return left->pid < right->pid ? -1 : left->pid > right->pid;
}

static const struct process *process_find(const struct processes *processes, pid_t pid)
{
    return bsearch(&(struct process){.pid = pid}, processes->items, processes->count,
                   sizeof(struct process), process_compare);
}

static bool has_member(const struct processes *processes, pid_t pid)
{
    const struct process *found = process_find(processes, pid);
    return found && found->is_member;
}

// Not below limpet-init, which adopts the orphans of its applications. As PID 1 it sees only its
// own; started in the machine's namespace it sees also those of another limpet-init, with the same
// mark. A parent that died meanwhile leaves the question open: not foreign.
static bool is_foreign(const struct processes *processes, const struct process *process)
{
    if (getpid() == 1)
        return false;
    for (size_t i = 0; process && i <= processes->count; i++) {
        if (process->parent == getpid())
            return false;
        if (process->parent <= 1)
            return true;
        process = process_find(processes, process->parent);
    }
    return false;
}

size_t lp_family_signal(const struct lp_family *family, int signal)
{
    struct processes processes = {0};
    size_t members = 0, before = 0;
    processes_read(&processes);
    if (processes.count == 0)
        return 0;
    qsort(processes.items, processes.count, sizeof(struct process), process_compare);
    for (size_t i = 0; i < processes.count; i++) {
        const struct process *process = &processes.items[i];
        processes.items[i].is_member = is_own(family, process) && !is_foreign(&processes, process);
        members += processes.items[i].is_member;
    }
    while (members > before) { // children of members, until none is new
        before = members;
        for (size_t i = 0; i < processes.count; i++) {
            struct process *process = &processes.items[i];
            if (!process->is_member && has_member(&processes, process->parent)) {
                process->is_member = true;
                members++;
            }
        }
    }
    for (size_t i = 0; i < processes.count; i++)
        if (processes.items[i].is_member)
            kill(processes.items[i].pid, signal);
    lp_heap_free(processes.items);
    return members;
}
