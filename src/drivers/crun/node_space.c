// The namespaces and the root of a node, made before crun starts in them.
#define _GNU_SOURCE
#include "drivers/crun/node_space.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"

// <linux/mount.h> and <sys/mount.h> clash in this libc's headers; these are ABI.
#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
struct mount_attr {
    uint64_t attr_set, attr_clr, propagation, userns_fd;
};
#endif
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x00000004
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

enum { SPACE_STACK_BYTES = 16 * 1024, STAGE_MOUNTS_MAX = 256 };

static int space_hold(void *context)
{
    const int *ends = context;
    char byte;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ends[1]);
    while (read(ends[0], &byte, 1) < 0 && errno == EINTR)
        continue;
    return (int)syscall(SYS_exit_group, 0); // no atexit handler, no sanitizer on this stack
}

static int map_write(pid_t pid, const char *file, struct lp_err *err)
{
    char path[64], text[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    int bytes = snprintf(text, sizeof(text), "0 %d %d", LP_USERNS_BASE, LP_USERNS_COUNT);
    LP_OWNS_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, (size_t)bytes) != bytes)
        return lp_err_set(err, LP_EIO, "write %s: %s", path, strerror(errno));
    return 0;
}

static int space_open(pid_t pid, const char *kind, int *ret_fd, struct lp_err *err)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, kind);
    *ret_fd = open(path, O_RDONLY | O_CLOEXEC);
    return *ret_fd < 0 ? lp_err_set(err, LP_EIO, "open %s: %s", path, strerror(errno)) : 0;
}

int lp_node_space_make(bool is_host_user, int *ret_user_fd, int *ret_net_fd, struct lp_err *err)
{
    // The holder lives only while this function runs: the handles keep the namespaces.
    static _Alignas(64) char stack[SPACE_STACK_BYTES];
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return lp_err_set(err, LP_EIO, "pipe: %s", strerror(errno));
    int flags = CLONE_VM | CLONE_NEWNET | SIGCHLD | (is_host_user ? 0 : CLONE_NEWUSER);
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before); // the holder must not run the daemon's handlers
    pid_t pid = clone(space_hold, stack + sizeof(stack), flags, ends);
    int error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(ends[0]);
    int result = 0;
    int user_fd = -1, net_fd = -1;
    if (pid < 0)
        result = lp_err_set(err, LP_EIO, "make namespaces: %s", strerror(error));
    if (result == 0 && !is_host_user) {
        result = map_write(pid, "uid_map", err);
        if (result == 0)
            result = map_write(pid, "gid_map", err);
        if (result == 0)
            result = space_open(pid, "user", &user_fd, err);
    }
    if (result == 0)
        result = space_open(pid, "net", &net_fd, err);
    close(ends[1]);
    if (pid > 0) {
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    if (result < 0) {
        if (user_fd >= 0)
            close(user_fd);
        return result;
    }
    *ret_user_fd = user_fd;
    *ret_net_fd = net_fd;
    return 0;
}

// A detached copy of the mount at path; with user_fd >= 0 its owners are shifted.
static int tree_open(const char *path, int user_fd, bool is_strict)
{
    unsigned flags = OPEN_TREE_CLONE | O_CLOEXEC | (user_fd < 0 ? AT_RECURSIVE : 0);
    int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, flags);
    if (fd < 0 || user_fd < 0)
        return fd < 0 ? -errno : fd;
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_fd};
    if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0)
        return fd;
    int error = errno;
    if (!is_strict) // a file system that cannot: its owners appear as nobody
        return fd;
    close(fd);
    return -error;
}

static int tree_attach(int fd, const char *path)
{
    int result = (int)syscall(SYS_move_mount, fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
    int error = errno;
    close(fd);
    return result < 0 ? -error : 0;
}

// <stage>/m<i> without stdio: this runs between fork and exec.
static void stage_path(const struct lp_node_stage *stage, const char *name, size_t number,
                       char ret_path[64])
{
    size_t bytes = strlen(stage->stage), digits = 1;
    memcpy(ret_path, stage->stage, bytes);
    ret_path[bytes++] = '/';
    for (; *name; name++)
        ret_path[bytes++] = *name;
    if (number != SIZE_MAX) {
        for (size_t rest = number; rest >= 10; rest /= 10)
            digits++;
        for (size_t i = digits; i > 0; i--, number /= 10)
            ret_path[bytes + i - 1] = (char)('0' + number % 10);
        bytes += digits;
    }
    ret_path[bytes] = '\0';
}

// One folder or empty file of the places layer.
static int place_make(const struct lp_node_stage *stage, const char *name, mode_t mode,
                      const struct stat *owner)
{
    char path[64];
    stage_path(stage, name, SIZE_MAX, path);
    int fd = S_ISDIR(mode) ? mkdir(path, 0755)
                           : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    if (!S_ISDIR(mode))
        close(fd);
    if (chown(path, owner->st_uid, owner->st_gid) < 0 || chmod(path, mode & 07777) < 0)
        return -errno;
    return 0;
}

// A layer between the image and what the node writes: the places that every node's own mounts
// cover. In memory it costs nothing; made by crun in the upper layer, each place is an inode, a
// rename and a copied folder on the disk. /etc stays as the image has it.
static int places_make(const struct lp_node_stage *stage, const char **ret_step)
{
    static const struct {
        const char *name;
        mode_t mode;
        bool is_in_etc;
    } places[] = {{"places", S_IFDIR | 0755, false},
                  {"places/.limpet", S_IFDIR | 0755, false},
                  {"places/.limpet/init", S_IFREG | 0644, false},
                  {"places/.limpet/log", S_IFDIR | 0755, false},
                  {"places/.limpet/done", S_IFDIR | 0755, false},
                  {"places/etc", S_IFDIR | 0755, true},
                  {"places/etc/hosts", S_IFREG | 0644, true},
                  {"places/etc/hostname", S_IFREG | 0644, true},
                  {"places/etc/resolv.conf", S_IFREG | 0644, true}};
    char path[64];
    uint32_t root = stage->user_fd < 0 ? 0 : LP_USERNS_BASE;
    const struct stat plain = {.st_uid = root, .st_gid = root};
    struct stat etc = {.st_mode = S_IFDIR | 0755, .st_uid = root, .st_gid = root};
    stage_path(stage, "lower/etc", SIZE_MAX, path);
    bool has_own_etc = lstat(path, &etc) < 0 || S_ISDIR(etc.st_mode); // else a link: as it is
    *ret_step = "make the places of the node's own mounts";
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(places) / sizeof(places[0]); i++) {
        bool is_etc = places[i].is_in_etc && S_ISDIR(places[i].mode);
        if (!places[i].is_in_etc || has_own_etc)
            result = place_make(stage, places[i].name, is_etc ? etc.st_mode : places[i].mode,
                                is_etc ? &etc : &plain);
    }
    return result;
}

static int root_mount(const struct lp_node_stage *stage, int image_fd, const char **ret_step)
{
    char lower[64], root[64], lowers[128];
    stage_path(stage, "lower", SIZE_MAX, lower);
    stage_path(stage, "root", SIZE_MAX, root);
    stage_path(stage, "places:", SIZE_MAX, lowers); // the stage's path has no colon
    memcpy(lowers + strlen(lowers), lower, strlen(lower) + 1);
    *ret_step = "make the folders of the root";
    if (mkdir(lower, 0755) < 0 || mkdir(root, 0755) < 0)
        return -errno;
    *ret_step = "attach the image";
    int result = tree_attach(image_fd, lower);
    if (result == 0)
        result = places_make(stage, ret_step);
    if (result < 0)
        return result;
    // fsconfig takes each path whole: no quoting of ',' and ':' and no length limit of options.
    *ret_step = "mount the overlay (upper and work must lie on a file system that can be one)";
    int fs = (int)syscall(SYS_fsopen, "overlay", 1 /* FSOPEN_CLOEXEC */);
    if (fs < 0)
        return -errno;
    enum { SET_STRING = 1, CMD_CREATE = 6 };
    if (syscall(SYS_fsconfig, fs, SET_STRING, "source", "limpet", 0) < 0 ||
        syscall(SYS_fsconfig, fs, SET_STRING, "lowerdir", lowers, 0) < 0 ||
        // The places are another layer in each life, which an index would take for damage.
        syscall(SYS_fsconfig, fs, SET_STRING, "index", "off", 0) < 0 ||
        syscall(SYS_fsconfig, fs, SET_STRING, "upperdir", stage->upper, 0) < 0 ||
        syscall(SYS_fsconfig, fs, SET_STRING, "workdir", stage->work, 0) < 0 ||
        syscall(SYS_fsconfig, fs, CMD_CREATE, NULL, NULL, 0) < 0) {
        int error = errno;
        close(fs);
        return -error;
    }
    int mounted = (int)syscall(SYS_fsmount, fs, 1 /* FSMOUNT_CLOEXEC */, 0);
    int error = errno;
    close(fs);
    return mounted < 0 ? -error : tree_attach(mounted, root);
}

static int text_write(const char *path, const char *text, mode_t mode, uint32_t owner)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    size_t bytes = strlen(text);
    if (fd < 0)
        return -errno;
    ssize_t count = write(fd, text, bytes); // to memory: all at once, or there is no room
    int error = count < 0 ? errno : (size_t)count < bytes ? ENOSPC : 0;
    if (!error && (fchown(fd, owner, owner) < 0 || fchmod(fd, mode) < 0))
        error = errno;
    close(fd);
    return -error;
}

static int bind_attach(const struct lp_node_mount *mount, const char *path, int fd, uint32_t root)
{
    if (mount->content)
        return text_write(path, mount->content, 0644, root);
    int made = mount->is_file ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)
                              : mkdir(path, 0755);
    if (made < 0)
        return -errno;
    if (mount->is_file)
        close(made);
    return tree_attach(fd, path);
}

static int binds_attach(const struct lp_node_stage *stage, const int *fds, const char **ret_step)
{
    char path[64];
    int result = 0;
    *ret_step = "attach volumes and files";
    for (size_t i = 0; result == 0 && i < stage->mount_count; i++) {
        stage_path(stage, "m", i, path);
        result =
            bind_attach(&stage->mounts[i], path, fds[i], stage->user_fd < 0 ? 0 : LP_USERNS_BASE);
    }
    return result;
}

// What crun is told, and its own notes, which nobody reads again: gone with its mount namespace.
static int state_mount(const struct lp_node_stage *stage, const char **ret_step)
{
    char path[64];
    stage_path(stage, "crun", SIZE_MAX, path);
    *ret_step = "mount the folder of crun's state";
    if (mkdir(path, 0700) < 0 ||
        mount("limpet", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700,size=16m") < 0)
        return -errno;
    *ret_step = "write config.json";
    stage_path(stage, "config.json", SIZE_MAX, path);
    return stage->config ? text_write(path, stage->config, 0600, 0) : 0;
}

int lp_node_stage_mount(void *context, const char **ret_step)
{
    const struct lp_node_stage *stage = context;
    int fds[STAGE_MOUNTS_MAX];
    if (stage->mount_count > STAGE_MOUNTS_MAX)
        return -E2BIG;
    // Everything is opened before the stage covers a folder: sources may lie below it.
    *ret_step = "open the image's tree (shifting owners needs id-mapped mounts, Linux 5.19)";
    int image_fd = tree_open(stage->image, stage->user_fd, true);
    if (image_fd < 0)
        return image_fd;
    for (size_t i = 0; i < stage->mount_count; i++) {
        fds[i] = -1;
        if (stage->mounts[i].content)
            continue;
        if (stage->mounts[i].layer_fd > 0) {
            fds[i] = stage->mounts[i].layer_fd;
            continue;
        }
        *ret_step = stage->mounts[i].source;
        fds[i] = tree_open(stage->mounts[i].source,
                           stage->mounts[i].is_id_mapped ? stage->user_fd : -1, false);
        if (fds[i] < 0)
            return fds[i];
    }
    *ret_step = "mount the stage";
    if (mount("limpet", stage->stage, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m") < 0)
        return -errno;
    int result = root_mount(stage, image_fd, ret_step);
    if (result == 0)
        result = state_mount(stage, ret_step);
    return result < 0 ? result : binds_attach(stage, fds, ret_step);
}

int lp_node_stage_folder(const char *root, const char **ret_folder, struct lp_err *err)
{
    static const char *const folders[] = {"/mnt", "/media", "/srv", "/opt"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        struct stat facts;
        size_t bytes = strlen(folders[i]);
        bool has_root =
            strncmp(root, folders[i], bytes) == 0 && (root[bytes] == '/' || root[bytes] == '\0');
        if (has_root || lstat(folders[i], &facts) < 0 || !S_ISDIR(facts.st_mode))
            continue;
        *ret_folder = folders[i];
        return 0;
    }
    return lp_err_set(err, LP_EUNSUPPORTED, "none of /mnt, /media, /srv, /opt is a folder");
}

int lp_node_space_check(const char *path, struct lp_err *err)
{
    LP_OWNS_FD int user_fd = -1;
    LP_OWNS_FD int net_fd = -1;
    int result = lp_node_space_make(false, &user_fd, &net_fd, err);
    if (result < 0)
        return result;
    LP_OWNS_FD int tree_fd = tree_open(path, user_fd, true);
    if (tree_fd < 0) {
        int error = -tree_fd;
        tree_fd = -1;
        return lp_err_set(err, LP_EUNSUPPORTED, "%s: owners cannot be shifted here: %s", path,
                          strerror(error));
    }
    return 0;
}
