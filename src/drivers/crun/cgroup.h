// Control groups of nodes on any machine: version 1, hybrid, version 2. Which one is found out by
// looking; everything else is the same few questions asked of either.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum lp_cgroup_kind { LP_CGROUP_NONE, LP_CGROUP_V1, LP_CGROUP_HYBRID, LP_CGROUP_V2 };

struct lp_cgroup_layout {
    enum lp_cgroup_kind kind;
    char mount[200];          // "/sys/fs/cgroup"
    char controllers[12][24]; // V1, HYBRID: folders below mount that are hierarchies
    size_t controller_count;  // V2: none
    bool has_memory, has_pids, has_cpu, has_freezer;
};

// mount: normally "/sys/fs/cgroup"; tests give a tree of their own with is_real false, in which
// folders count as mounted hierarchies.
void lp_cgroup_detect(const char *mount, bool is_real, struct lp_cgroup_layout *ret_layout);
const char *lp_cgroup_kind_word(enum lp_cgroup_kind kind); // "v1", "hybrid", "v2", "none"

// path: as in lp_place_cgroup, "/limpet-.../infra/node".
// Is any process left in it (or below)? False too when the group does not exist.
bool lp_cgroup_has_processes(const struct lp_cgroup_layout *layout, const char *path);
// Kill every process in it, frozen or not. Not waited for: ask lp_cgroup_has_processes.
void lp_cgroup_kill(const struct lp_cgroup_layout *layout, const char *path);
void lp_cgroup_freeze(const struct lp_cgroup_layout *layout, const char *path, bool is_frozen);
// Are all processes of it frozen?
bool lp_cgroup_is_frozen(const struct lp_cgroup_layout *layout, const char *path);
// The processes in it and below, at most `most`; returns how many.
size_t lp_cgroup_pids(const struct lp_cgroup_layout *layout, const char *path, pid_t *ret_pids,
                      size_t most);
// The memory limit of the group and what it uses, bytes. False when it has none.
bool lp_cgroup_memory(const struct lp_cgroup_layout *layout, const char *path, uint64_t *ret_limit,
                      uint64_t *ret_used);
// How many more processes and threads the group may have. False when it has no limit of them.
bool lp_cgroup_pids_room(const struct lp_cgroup_layout *layout, const char *path,
                         uint64_t *ret_room);
// The files into which a process writes "0" to enter the group.
struct lp_cgroup_procs {
    char paths[12][4096];
    size_t count;
};
void lp_cgroup_procs_find(const struct lp_cgroup_layout *layout, const char *path,
                          struct lp_cgroup_procs *ret_procs);
// How often the kernel killed something in it for lack of memory; 0 when it cannot be known.
uint64_t lp_cgroup_oom_kills(const struct lp_cgroup_layout *layout, const char *path);
// permille of one core; 0: no limit.
LP_MUST_CHECK int lp_cgroup_set_cpu(const struct lp_cgroup_layout *layout, const char *path,
                                    uint32_t cpu_permille, struct lp_err *err);
// What is swapped out counts as memory: a group that reached its memory limit does not go on in the
// machine's swap. Nothing happens where the kernel keeps no account of swap.
LP_MUST_CHECK int lp_cgroup_bar_swap(const struct lp_cgroup_layout *layout, const char *path,
                                     struct lp_err *err);
// Remove the group, what is below it, and the folders above up to `top` that become empty.
// LP_ECONFLICT while processes are in it. Absent is fine.
LP_MUST_CHECK int lp_cgroup_remove(const struct lp_cgroup_layout *layout, const char *path,
                                   const char *top, struct lp_err *err);
