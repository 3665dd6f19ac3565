// Control groups of nodes: version 1, hybrid, version 2.
#define _GNU_SOURCE
#include "drivers/crun/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

enum { CGROUP2_MAGIC = 0x63677270, CGROUP1_MAGIC = 0x27e0eb, CGROUP_FILE_MAX = 256 * 1024 };
enum { CGROUP_PERIOD_US = 100000, CGROUP_DEPTH = 8 };

static bool is_hierarchy(const char *path, bool is_real, long magic)
{
    struct stat facts;
    struct statfs fs;
    if (lstat(path, &facts) < 0 || !S_ISDIR(facts.st_mode)) // cpu,cpuacct has links to it
        return false;
    return !is_real || (statfs(path, &fs) == 0 && fs.f_type == magic);
}

static void controllers_find(struct lp_cgroup_layout *layout, bool is_real)
{
    LP_OWNS_DIR DIR *folder = opendir(layout->mount);
    struct dirent *entry;
    size_t max = sizeof(layout->controllers) / sizeof(layout->controllers[0]);
    while (folder && (entry = readdir(folder))) {
        char path[PATH_MAX];
        if (entry->d_name[0] == '.' || strlen(entry->d_name) >= sizeof(layout->controllers[0]))
            continue;
        snprintf(path, sizeof(path), "%s/%s", layout->mount, entry->d_name);
        if (strcmp(entry->d_name, "unified") == 0) {
            if (is_hierarchy(path, is_real, CGROUP2_MAGIC))
                layout->kind = LP_CGROUP_HYBRID;
            continue;
        }
        if (!is_hierarchy(path, is_real, CGROUP1_MAGIC) || layout->controller_count == max)
            continue;
        const char *name = entry->d_name;
        layout->has_memory |= strcmp(name, "memory") == 0;
        layout->has_pids |= strcmp(name, "pids") == 0;
        layout->has_freezer |= strcmp(name, "freezer") == 0;
        layout->has_cpu |= strcmp(name, "cpu") == 0 || lp_text_starts(name, "cpu,");
        snprintf(layout->controllers[layout->controller_count++], sizeof(layout->controllers[0]),
                 "%s", name);
    }
}

void lp_cgroup_detect(const char *mount, bool is_real, struct lp_cgroup_layout *ret_layout)
{
    memset(ret_layout, 0, sizeof(*ret_layout));
    snprintf(ret_layout->mount, sizeof(ret_layout->mount), "%s", mount);
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/cgroup.controllers", mount);
    LP_OWNS_STR struct lp_str text = {0};
    if (lp_file_read(path, CGROUP_FILE_MAX, &text, NULL) == 0 &&
        is_hierarchy(mount, is_real, CGROUP2_MAGIC)) {
        ret_layout->kind = LP_CGROUP_V2;
        ret_layout->has_freezer = true;
        ret_layout->has_memory = strstr(lp_str_text(&text), "memory") != NULL;
        ret_layout->has_pids = strstr(lp_str_text(&text), "pids") != NULL;
        LP_OWNS_STR struct lp_str words = {0};
        lp_str_printf(&words, " %s", lp_str_text(&text));
        ret_layout->has_cpu = strstr(lp_str_text(&words), " cpu ") != NULL ||
                              strstr(lp_str_text(&words), " cpu\n") != NULL;
        return;
    }
    controllers_find(ret_layout, is_real);
    if (ret_layout->controller_count == 0)
        ret_layout->kind = LP_CGROUP_NONE;
    else if (ret_layout->kind != LP_CGROUP_HYBRID)
        ret_layout->kind = LP_CGROUP_V1;
}

const char *lp_cgroup_kind_word(enum lp_cgroup_kind kind)
{
    static const char *const words[] = {"none", "v1", "hybrid", "v2"};
    return words[kind];
}

// The folder of the group in hierarchy `at`; false past the last. Version 2 has one, nameless.
static bool folder_next(const struct lp_cgroup_layout *layout, const char *path, size_t at,
                        char ret_folder[PATH_MAX])
{
    if (layout->kind == LP_CGROUP_V2) {
        snprintf(ret_folder, PATH_MAX, "%s%s", layout->mount, path);
        return at == 0;
    }
    if (at >= layout->controller_count)
        return false;
    snprintf(ret_folder, PATH_MAX, "%s/%s%s", layout->mount, layout->controllers[at], path);
    return true;
}

// The group's folder in the hierarchy that has this controller ("freezer", "memory", ...).
static bool folder_of(const struct lp_cgroup_layout *layout, const char *controller,
                      const char *path, char ret_folder[PATH_MAX])
{
    if (layout->kind == LP_CGROUP_V2)
        return folder_next(layout, path, 0, ret_folder);
    for (size_t i = 0; i < layout->controller_count; i++) {
        const char *found = strstr(layout->controllers[i], controller);
        size_t bytes = strlen(controller);
        if (!found || (found != layout->controllers[i] && found[-1] != ',') ||
            (found[bytes] != '\0' && found[bytes] != ','))
            continue;
        return folder_next(layout, path, i, ret_folder);
    }
    return false;
}

static int value_write(const char *folder, const char *file, const char *value)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", folder, file) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    LP_OWNS_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

static bool value_read(const char *folder, const char *file, struct lp_str *ret_text)
{
    char path[PATH_MAX];
    lp_str_clear(ret_text);
    return snprintf(path, sizeof(path), "%s/%s", folder, file) < (int)sizeof(path) &&
           lp_file_read(path, CGROUP_FILE_MAX, ret_text, NULL) == 0;
}

// Call visit for folder and every group below it, children first.
static void groups_walk(const char *folder, int depth,
                        void (*visit)(const char *folder, void *context), void *context)
{
    LP_OWNS_DIR DIR *handle = depth > 0 ? opendir(folder) : NULL;
    struct dirent *entry;
    while (handle && (entry = readdir(handle))) {
        char path[PATH_MAX];
        if (entry->d_name[0] == '.' || entry->d_type != DT_DIR ||
            snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >= (int)sizeof(path))
            continue;
        groups_walk(path, depth - 1, visit, context);
    }
    visit(folder, context);
}

static void processes_see(const char *folder, void *context)
{
    LP_OWNS_STR struct lp_str text = {0};
    if (value_read(folder, "cgroup.procs", &text) && text.bytes > 0)
        *(bool *)context = true;
}

bool lp_cgroup_has_processes(const struct lp_cgroup_layout *layout, const char *path)
{
    char folder[PATH_MAX];
    bool has_any = false;
    // A process is in every hierarchy at once; freezer or memory stands for all.
    for (size_t i = 0; !has_any && folder_next(layout, path, i, folder); i++)
        groups_walk(folder, CGROUP_DEPTH, processes_see, &has_any);
    return has_any;
}

// The next process of a cgroup.procs; 0: the end. Its zeros are processes outside our pid
// namespace and are passed over: kill(2) takes 0 for our own group.
static pid_t pid_next(const char **rest)
{
    while (*rest && **rest) {
        char *end;
        long pid = strtol(*rest, &end, 10);
        if (end == *rest)
            return 0;
        *rest = end + (*end == '\n');
        if (pid > 1)
            return (pid_t)pid;
    }
    return 0;
}

static void processes_kill(const char *folder, void *context)
{
    (void)context;
    LP_OWNS_STR struct lp_str text = {0};
    const char *rest = value_read(folder, "cgroup.procs", &text) ? text.text : NULL;
    for (pid_t pid = pid_next(&rest); pid; pid = pid_next(&rest))
        kill(pid, SIGKILL);
}

void lp_cgroup_freeze(const struct lp_cgroup_layout *layout, const char *path, bool is_frozen)
{
    char folder[PATH_MAX];
    if (!folder_of(layout, "freezer", path, folder))
        return;
    if (layout->kind == LP_CGROUP_V2)
        value_write(folder, "cgroup.freeze", is_frozen ? "1" : "0");
    else
        value_write(folder, "freezer.state", is_frozen ? "FROZEN" : "THAWED");
}

bool lp_cgroup_is_frozen(const struct lp_cgroup_layout *layout, const char *path)
{
    char folder[PATH_MAX];
    LP_OWNS_STR struct lp_str text = {0};
    bool is_v2 = layout->kind == LP_CGROUP_V2;
    if (!folder_of(layout, "freezer", path, folder) ||
        !value_read(folder, is_v2 ? "cgroup.events" : "freezer.state", &text))
        return false;
    return is_v2 ? strstr(lp_str_text(&text), "frozen 1") != NULL
                 : lp_text_starts(lp_str_text(&text), "FROZEN");
}

struct pids {
    pid_t *items;
    size_t count, most;
};

static void pids_add(const char *folder, void *context)
{
    struct pids *pids = context;
    LP_OWNS_STR struct lp_str text = {0};
    const char *rest = value_read(folder, "cgroup.procs", &text) ? text.text : NULL;
    pid_t pid;
    while (pids->count < pids->most && (pid = pid_next(&rest)))
        pids->items[pids->count++] = pid;
}

size_t lp_cgroup_pids(const struct lp_cgroup_layout *layout, const char *path, pid_t *ret_pids,
                      size_t most)
{
    char folder[PATH_MAX];
    struct pids pids = {ret_pids, 0, most};
    // A process is in every hierarchy at once: the first that has any tells all.
    for (size_t i = 0; pids.count == 0 && folder_next(layout, path, i, folder); i++)
        groups_walk(folder, CGROUP_DEPTH, pids_add, &pids);
    return pids.count;
}

// A number in a file of the group; false when it is not there, or says "max".
static bool number_read(const struct lp_cgroup_layout *layout, const char *controller,
                        const char *path, const char *file, uint64_t *ret_number)
{
    char folder[PATH_MAX], *end;
    LP_OWNS_STR struct lp_str text = {0};
    if (!folder_of(layout, controller, path, folder) || !value_read(folder, file, &text))
        return false;
    *ret_number = strtoull(lp_str_text(&text), &end, 10);
    return end > text.text;
}

bool lp_cgroup_memory(const struct lp_cgroup_layout *layout, const char *path, uint64_t *ret_limit,
                      uint64_t *ret_used)
{
    const uint64_t none = UINT64_C(1) << 62; // what version 1 says for no limit is beyond
    bool is_v2 = layout->kind == LP_CGROUP_V2;
    return number_read(layout, "memory", path, is_v2 ? "memory.max" : "memory.limit_in_bytes",
                       ret_limit) &&
           number_read(layout, "memory", path, is_v2 ? "memory.current" : "memory.usage_in_bytes",
                       ret_used) &&
           *ret_limit < none;
}

bool lp_cgroup_pids_room(const struct lp_cgroup_layout *layout, const char *path,
                         uint64_t *ret_room)
{
    uint64_t limit, used;
    if (!number_read(layout, "pids", path, "pids.max", &limit) ||
        !number_read(layout, "pids", path, "pids.current", &used))
        return false;
    *ret_room = limit > used ? limit - used : 0;
    return true;
}

void lp_cgroup_procs_find(const struct lp_cgroup_layout *layout, const char *path,
                          struct lp_cgroup_procs *ret_procs)
{
    char folder[PATH_MAX];
    ret_procs->count = 0;
    for (size_t i = 0; i < 12 && folder_next(layout, path, i, folder); i++)
        if (access(folder, F_OK) == 0 && snprintf(ret_procs->paths[ret_procs->count], PATH_MAX,
                                                  "%s/cgroup.procs", folder) < PATH_MAX)
            ret_procs->count++;
}

void lp_cgroup_kill(const struct lp_cgroup_layout *layout, const char *path)
{
    char folder[PATH_MAX];
    if (layout->kind == LP_CGROUP_V2 && folder_next(layout, path, 0, folder) &&
        value_write(folder, "cgroup.kill", "1") == 0)
        return;
    for (size_t i = 0; folder_next(layout, path, i, folder); i++)
        groups_walk(folder, CGROUP_DEPTH, processes_kill, NULL);
    // Version 1 delivers a signal to a frozen process only once it is thawed.
    lp_cgroup_freeze(layout, path, false);
}

uint64_t lp_cgroup_oom_kills(const struct lp_cgroup_layout *layout, const char *path)
{
    char folder[PATH_MAX];
    LP_OWNS_STR struct lp_str text = {0};
    bool is_v2 = layout->kind == LP_CGROUP_V2;
    if (!folder_of(layout, "memory", path, folder) ||
        !value_read(folder, is_v2 ? "memory.events" : "memory.oom_control", &text))
        return 0;
    const char *found = strstr(lp_str_text(&text), "oom_kill ");
    return found ? strtoull(found + 9, NULL, 10) : 0;
}

int lp_cgroup_set_cpu(const struct lp_cgroup_layout *layout, const char *path,
                      uint32_t cpu_permille, struct lp_err *err)
{
    char folder[PATH_MAX], quota[32], both[64];
    if (!layout->has_cpu || !folder_of(layout, "cpu", path, folder))
        return cpu_permille ? lp_err_set(err, LP_EUNSUPPORTED,
                                         "this machine's cgroups cannot limit the processor")
                            : 0;
    uint64_t quota_us = (uint64_t)cpu_permille * CGROUP_PERIOD_US / 1000;
    if (cpu_permille && quota_us < 1000)
        quota_us = 1000; // the kernel's own lower bound
    snprintf(quota, sizeof(quota), "%" PRIu64, quota_us);
    int result;
    if (layout->kind == LP_CGROUP_V2) {
        snprintf(both, sizeof(both), "%s %d", cpu_permille ? quota : "max", CGROUP_PERIOD_US);
        result = value_write(folder, "cpu.max", both);
    } else {
        snprintf(both, sizeof(both), "%d", CGROUP_PERIOD_US);
        result = value_write(folder, "cpu.cfs_period_us", both);
        if (result == 0)
            result = value_write(folder, "cpu.cfs_quota_us", cpu_permille ? quota : "-1");
    }
    return result < 0
               ? lp_err_set(err, LP_EIO, "limit the processor in %s: %s", folder, strerror(-result))
               : 0;
}

int lp_cgroup_bar_swap(const struct lp_cgroup_layout *layout, const char *path, struct lp_err *err)
{
    char folder[PATH_MAX];
    LP_OWNS_STR struct lp_str limit = {0};
    bool is_v2 = layout->kind == LP_CGROUP_V2;
    if (!folder_of(layout, "memory", path, folder))
        return 0;
    // Version 2 limits swap alone, version 1 the sum of both.
    if (is_v2)
        lp_str_add(&limit, "0");
    else if (!value_read(folder, "memory.limit_in_bytes", &limit))
        return 0;
    int result = value_write(folder, is_v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes",
                             lp_str_text(&limit));
    return result < 0 && result != -ENOENT
               ? lp_err_set(err, LP_EIO, "bar swap in %s: %s", folder, strerror(-result))
               : 0;
}

static void group_remove(const char *folder, void *context)
{
    if (rmdir(folder) < 0 && errno != ENOENT)
        *(int *)context = errno;
}

int lp_cgroup_remove(const struct lp_cgroup_layout *layout, const char *path, const char *top,
                     struct lp_err *err)
{
    char folder[PATH_MAX];
    int error = 0;
    for (size_t i = 0; folder_next(layout, path, i, folder); i++) {
        groups_walk(folder, CGROUP_DEPTH, group_remove, &error);
        // The folders above go with their last node; others' keep them in place.
        size_t keep = strlen(folder) - strlen(path) + strlen(top);
        for (char *slash = strrchr(folder, '/'); slash && (size_t)(slash - folder) >= keep;
             slash = strrchr(folder, '/')) {
            *slash = '\0';
            if (rmdir(folder) < 0)
                break;
        }
    }
    if (error)
        return lp_err_set(err, LP_ECONFLICT, "remove the cgroup %s: %s", path, strerror(error));
    return 0;
}
