// A layer's mount: made, attached in a node's mount namespace, found and taken away again.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/own.h"
#include "base/str.h"
#include "drivers/layer/layer.h"

#define CONTROL "/sys/fs/fuse/connections"

// ABI; not every libc's headers have them.
enum {
    FS_SET_FLAG = 0,
    FS_SET_STRING = 1,
    FS_CREATE = 6,
    FS_CLOSE_ON_EXEC = 1,
    ATTR_NOSUID = 2,
    ATTR_NODEV = 4,
    MOUNTINFO_BYTES_MAX = 1 << 20,
};

void lp_layer_name(const char *target, char ret_name[LP_LAYER_NAME_BYTES])
{
    snprintf(ret_name, LP_LAYER_NAME_BYTES, "layer-%08x",
             (unsigned)lp_fnv(LP_FNV_START, target, strlen(target)));
}

LP_MUST_CHECK static int option_set(int fs, const char *key, const char *value)
{
    return (int)syscall(SYS_fsconfig, fs, value ? FS_SET_STRING : FS_SET_FLAG, key, value, 0);
}

int lp_layer_mount(const char *name, int *ret_fuse_fd, int *ret_mount_fd, struct lp_err *err)
{
    char number[16];
    LP_OWNS_FD int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fuse < 0)
        return lp_err_set(err, LP_EUNSUPPORTED, "this machine has no FUSE: /dev/fuse: %s",
                          strerror(errno));
    LP_OWNS_FD int fs = (int)syscall(SYS_fsopen, "fuse", FS_CLOSE_ON_EXEC);
    if (fs < 0)
        return lp_err_set(err, LP_EUNSUPPORTED, "this kernel has no FUSE: %s", strerror(errno));
    snprintf(number, sizeof(number), "%d", fuse);
    // The kernel checks who may (default_permissions), for everybody in the node (allow_other).
    if (option_set(fs, "source", name) < 0 || option_set(fs, "subtype", "limpet") < 0 ||
        option_set(fs, "fd", number) < 0 || option_set(fs, "rootmode", "40000") < 0 ||
        option_set(fs, "user_id", "0") < 0 || option_set(fs, "group_id", "0") < 0 ||
        option_set(fs, "allow_other", NULL) < 0 ||
        option_set(fs, "default_permissions", NULL) < 0 ||
        syscall(SYS_fsconfig, fs, FS_CREATE, NULL, NULL, 0) < 0)
        return lp_err_set(err, LP_EIO, "make a FUSE mount: %s", strerror(errno));
    int mounted = (int)syscall(SYS_fsmount, fs, FS_CLOSE_ON_EXEC, ATTR_NOSUID | ATTR_NODEV);
    if (mounted < 0)
        return lp_err_set(err, LP_EIO, "make a FUSE mount: %s", strerror(errno));
    *ret_fuse_fd = lp_fd_take(&fuse);
    *ret_mount_fd = mounted;
    return 0;
}

uint32_t lp_layer_connection(int mount_fd)
{
    struct statx facts; // what the kernel knows by itself: nobody serves it yet
    bool is_known = statx(mount_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &facts) == 0;
    return is_known ? facts.stx_dev_minor : 0;
}

void lp_layer_connection_end(uint32_t connection)
{
    char path[64];
    snprintf(path, sizeof(path), CONTROL "/%u/abort", (unsigned)connection);
    if (access(CONTROL "/.", F_OK) == 0 && access(path, F_OK) < 0 &&
        (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
         mount("fusectl", CONTROL, "fusectl", 0, NULL) < 0))
        return;
    LP_OWNS_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        (void)!write(fd, "1", 1);
}

// "ID PARENT MAJOR:MINOR ROOT TARGET OPTIONS [...] - TYPE SOURCE ...", with \ooo for blanks.
static bool line_is_of(char *line, const char *name, char **ret_target)
{
    char *state = NULL, *target = NULL;
    char *end = strstr(line, " - fuse.limpet ");
    size_t bytes = strlen(name);
    if (!end || strncmp(end + strlen(" - fuse.limpet "), name, bytes) != 0 ||
        end[strlen(" - fuse.limpet ") + bytes] != ' ')
        return false;
    char *word = strtok_r(line, " ", &state);
    for (int i = 0; i < 4 && word; i++)
        target = word = strtok_r(NULL, " ", &state);
    *ret_target = target;
    return target != NULL;
}

static void blanks_restore(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        bool is_octal = from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
                        from[2] <= '7' && from[3] >= '0' && from[3] <= '7';
        *to++ =
            is_octal ? (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0')) : *from;
        from += is_octal ? 3 : 0;
    }
    *to = '\0';
}

bool lp_layer_each_mount(pid_t pid, const char *name,
                         void (*visit)(void *context, const char *target), void *context)
{
    char path[64], *state = NULL, *target;
    bool is_any = false;
    LP_OWNS_STR struct lp_str text = {0};
    snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
    if (lp_file_read(path, MOUNTINFO_BYTES_MAX, &text, NULL) < 0 || text.bytes == 0)
        return false;
    for (char *line = strtok_r(text.text, "\n", &state); line;
         line = strtok_r(NULL, "\n", &state)) {
        if (!line_is_of(line, name, &target))
            continue;
        blanks_restore(target);
        visit(context, target);
        is_any = true;
    }
    return is_any;
}

struct found {
    char *target;
    size_t bytes;
};

static void found_note(void *context, const char *target)
{
    const struct found *found = context;
    snprintf(found->target, found->bytes, "%s", target); // the last one is the uppermost
}

bool lp_layer_find_mount(pid_t pid, const char *name, char *ret_target, size_t bytes)
{
    struct found found = {ret_target, bytes};
    return lp_layer_each_mount(pid, name, found_note, &found);
}

int lp_layer_unmount(pid_t pid, const char *name, struct lp_err *err)
{
    char path[64], target[4096];
    if (!lp_layer_find_mount(pid, name, target, sizeof(target)))
        return 0;
    snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
    LP_OWNS_FD int space = open(path, O_RDONLY | O_CLOEXEC);
    if (space < 0) // the node is gone, and its mounts with it
        return 0;
    if (setns(space, CLONE_NEWNS) < 0 || umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
        return lp_err_set(err, LP_EIO, "unmount %s: %s", target, strerror(errno));
    return 0;
}
