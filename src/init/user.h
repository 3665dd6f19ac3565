// Users and groups of a node, read from its own /etc/passwd and /etc/group: limpet-init is static
// and runs in any image, so the C library's name service is not at hand.
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

enum { LP_USER_GROUPS_MAX = 64 };

struct lp_user {
    uid_t uid;
    gid_t gid;
    gid_t groups[LP_USER_GROUPS_MAX]; // supplementary ones
    size_t group_count;
    char name[64];  // "" when /etc/passwd has no such uid
    char home[256]; // "/" when unknown
};

// spec: "name", "uid", "name:group", "uid:gid"; NULL or "": root. passwd and group are the texts of
// the two files ("" when absent). LP_EINPUT: no such user or group.
LP_MUST_CHECK int lp_user_find(const char *spec, const char *passwd, const char *group,
                               struct lp_user *ret_user, struct lp_err *err);
