// An application's processes: its first one and all that came from it, wherever they went.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct lp_family {
    pid_t leader;     // first process; its session carries its number, also after its death
    const char *mark; // "LIMPET_APP=name", in the environment of what it started; or NULL
    bool is_of_user;  // orphans of uid belong to it: nothing else of the node runs as that user
    uid_t uid;
    const pid_t *others; // leaders of what else limpet-init runs: their sessions are not ours
    size_t other_count;
};

// Send the signal to every living process of the family. Returns how many there were.
// Source of the match: session number; ancestors in the family; the mark in /proc/PID/environ; the
// user, for those whose environment may not be read.
size_t lp_family_signal(const struct lp_family *family, int signal);
