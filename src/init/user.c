// Users and groups from the texts of /etc/passwd and /etc/group.
#include "init/user.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct slice {
    const char *at;
    size_t bytes;
};

static bool slice_is(struct slice slice, struct slice other)
{
    return slice.bytes == other.bytes && memcmp(slice.at, other.at, other.bytes) == 0;
}

// Cut off what stands before `end` (or all); moves text behind it.
static struct slice slice_cut(struct slice *text, char end)
{
    const char *found = text->bytes ? memchr(text->at, end, text->bytes) : NULL;
    size_t bytes = found ? (size_t)(found - text->at) : text->bytes;
    struct slice cut = {text->at, bytes};
    size_t skip = found ? bytes + 1 : bytes;
    text->at += skip;
    text->bytes -= skip;
    return cut;
}

static bool slice_number(struct slice slice, uint32_t *ret_number)
{
    uint64_t number = 0;
    if (slice.bytes == 0 || slice.bytes > 10)
        return false;
    for (size_t i = 0; i < slice.bytes; i++) {
        if (slice.at[i] < '0' || slice.at[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(slice.at[i] - '0');
    }
    if (number >= UINT32_MAX) // -1 means "unchanged" to setuid and friends
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

static void slice_keep(struct slice slice, char *ret_text, size_t size)
{
    size_t bytes = slice.bytes < size ? slice.bytes : size - 1;
    memcpy(ret_text, slice.at, bytes);
    ret_text[bytes] = '\0';
}

// name:password:uid:gid:comment:home:shell
static bool passwd_find(const char *passwd, struct slice wanted, bool is_uid, struct lp_user *user)
{
    struct slice text = {passwd, strlen(passwd)};
    uint32_t wanted_uid = 0;
    if (is_uid && !slice_number(wanted, &wanted_uid))
        return false;
    while (text.bytes > 0) {
        struct slice line = slice_cut(&text, '\n');
        struct slice name = slice_cut(&line, ':');
        slice_cut(&line, ':');
        uint32_t uid = 0, gid = 0;
        if (!slice_number(slice_cut(&line, ':'), &uid) ||
            !slice_number(slice_cut(&line, ':'), &gid))
            continue;
        if (is_uid ? uid != wanted_uid : !slice_is(name, wanted))
            continue;
        slice_cut(&line, ':');
        struct slice home = slice_cut(&line, ':');
        user->uid = uid;
        user->gid = gid;
        slice_keep(name, user->name, sizeof(user->name));
        if (home.bytes > 0)
            slice_keep(home, user->home, sizeof(user->home));
        return true;
    }
    return false;
}

// name:password:gid:member,member
static bool group_find(const char *group, struct slice wanted, gid_t *ret_gid)
{
    struct slice text = {group, strlen(group)};
    while (text.bytes > 0) {
        struct slice line = slice_cut(&text, '\n');
        struct slice name = slice_cut(&line, ':');
        slice_cut(&line, ':');
        uint32_t gid = 0;
        if (!slice_is(name, wanted) || !slice_number(slice_cut(&line, ':'), &gid))
            continue;
        *ret_gid = gid;
        return true;
    }
    return false;
}

static void groups_add(const char *group, struct lp_user *user)
{
    struct slice text = {group, strlen(group)}, name = {user->name, strlen(user->name)};
    while (text.bytes > 0 && user->group_count < LP_USER_GROUPS_MAX && name.bytes > 0) {
        struct slice line = slice_cut(&text, '\n');
        slice_cut(&line, ':');
        slice_cut(&line, ':');
        uint32_t gid = 0;
        if (!slice_number(slice_cut(&line, ':'), &gid))
            continue;
        while (line.bytes > 0)
            if (slice_is(slice_cut(&line, ','), name)) {
                user->groups[user->group_count++] = gid;
                break;
            }
    }
}

int lp_user_find(const char *spec, const char *passwd, const char *group, struct lp_user *ret_user,
                 struct lp_err *err)
{
    struct lp_user user = {.home = "/"};
    struct slice text = {spec && spec[0] ? spec : "0", 0};
    text.bytes = strlen(text.at);
    bool has_group = memchr(text.at, ':', text.bytes) != NULL;
    struct slice name = slice_cut(&text, ':');
    uint32_t uid = 0;
    // A name may consist of digits, so the name goes first, as everywhere.
    if (!passwd_find(passwd, name, false, &user) && !passwd_find(passwd, name, true, &user)) {
        if (!slice_number(name, &uid))
            return lp_err_set(err, LP_EINPUT, "no user \"%.*s\" in the node's /etc/passwd",
                              (int)name.bytes, name.at);
        user.uid = uid;
    }
    if (has_group) {
        uint32_t gid = 0;
        if (!group_find(group, text, &user.gid)) {
            if (!slice_number(text, &gid))
                return lp_err_set(err, LP_EINPUT, "no group \"%.*s\" in the node's /etc/group",
                                  (int)text.bytes, text.at);
            user.gid = gid;
        }
    } else {
        groups_add(group, &user); // a group by hand means just that group
    }
    *ret_user = user;
    return 0;
}
