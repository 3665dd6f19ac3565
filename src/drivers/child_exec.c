// The step between fork and exec of a child. The parent's memory is shared and the parent waits
// (CLONE_VM | CLONE_VFORK), so that starting costs the same however large the daemon is; that is
// why the child side makes system calls only.
#define _GNU_SOURCE
#include "drivers/child_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"

const char *const lp_child_environment[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
    "LC_ALL=C.UTF-8", NULL};

enum { EXEC_STACK_BYTES = 64 * 1024, EXEC_HIGH_FD = 1000 };

struct exec_plan {
    const struct lp_child_spec *spec;
    const char *program;
    int input, output;
    bool hides_cgroup2;
    sigset_t old_mask;
    // Written by the child.
    const char *step;
    int error;
};

static int exec_mounts(const struct exec_plan *plan, const char **ret_step)
{
    *ret_step = "make a mount namespace";
    if (unshare(CLONE_NEWNS) < 0)
        return -errno;
    *ret_step = "make mounts private";
    // Slave: what the host unmounts later disappears here too; nothing made here leaves.
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return -errno;
    *ret_step = "hide cgroup2";
    if (plan->hides_cgroup2 && umount2("/sys/fs/cgroup/unified", MNT_DETACH) < 0)
        return -errno;
    return 0;
}

static int exec_handles(const struct exec_plan *plan, const char **ret_step)
{
    *ret_step = "pass handles";
    int kept = plan->spec->kept_fd;
    // Out of the way of 0..3 first, whatever numbers they have.
    int input = fcntl(plan->input, F_DUPFD_CLOEXEC, EXEC_HIGH_FD);
    int output = fcntl(plan->output, F_DUPFD_CLOEXEC, EXEC_HIGH_FD);
    int third = kept > 0 ? fcntl(kept, F_DUPFD_CLOEXEC, EXEC_HIGH_FD) : 0;
    if (input < 0 || output < 0 || third < 0)
        return -errno;
    if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
        return -errno;
    if (kept > 0 && dup2(third, 3) < 0)
        return -errno;
    return 0;
}

static int exec_prepare(struct exec_plan *plan)
{
    const struct lp_child_spec *spec = plan->spec;
    plan->step = "leave the process group";
    if (setpgid(0, 0) < 0)
        return -errno;
    plan->step = "enter the network namespace";
    if (spec->netns_fd > 0 && setns(spec->netns_fd, CLONE_NEWNET) < 0)
        return -errno;
    int result = spec->has_own_mounts ? exec_mounts(plan, &plan->step) : 0;
    if (result == 0 && spec->prepare)
        result = spec->prepare(spec->prepare_context, &plan->step);
    if (result == 0)
        result = exec_handles(plan, &plan->step);
    if (result < 0)
        return result;
    plan->step = "enter the working folder";
    if (chdir(spec->folder ? spec->folder : "/") < 0)
        return -errno;
    return 0;
}

static int exec_child(void *context)
{
    struct exec_plan *plan = context;
    // Handlers point into the parent's memory: default them before signals may come.
    for (int signal = 1; signal < NSIG; signal++) {
        struct sigaction action;
        if (sigaction(signal, NULL, &action) == 0 && action.sa_handler != SIG_DFL) {
            action.sa_handler = SIG_DFL;
            sigaction(signal, &action, NULL);
        }
    }
    int result = exec_prepare(plan);
    if (result == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        const char *const *environment =
            plan->spec->environment ? plan->spec->environment : lp_child_environment;
        plan->step = "execute";
        if (plan->spec->program_fd > 0)
            syscall(SYS_execveat, plan->spec->program_fd, "", plan->spec->argv, environment,
                    AT_EMPTY_PATH);
        execve(plan->program, (char *const *)(uintptr_t)plan->spec->argv,
               (char *const *)(uintptr_t)environment);
        result = -errno;
    }
    plan->error = -result;
    return (int)syscall(SYS_exit_group, 127); // no atexit handler, no sanitizer on this stack
}

static int program_find(const char *name, char ret_path[PATH_MAX], struct lp_err *err)
{
    static const char *const folders[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                          "/usr/bin",        "/sbin",          "/bin"};
    if (strchr(name, '/')) {
        snprintf(ret_path, PATH_MAX, "%s", name);
        return 0;
    }
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(ret_path, PATH_MAX, "%s/%s", folders[i], name);
        if (access(ret_path, X_OK) == 0)
            return 0;
    }
    return lp_err_set(err, LP_EIO, "%s is not installed", name);
}

int lp_child_program_open(const char *name, int *ret_fd, struct lp_err *err)
{
    char program[PATH_MAX];
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    int result = program_find(name, program, err);
    if (result < 0)
        return result;
    LP_OWNS_FD int fd =
        (int)syscall(SYS_open_tree, AT_FDCWD, program, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (fd < 0 || syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
        return lp_err_set(err, LP_EUNSUPPORTED, "mount %s: %s", program, strerror(errno));
    *ret_fd = lp_fd_take(&fd);
    return 0;
}

static bool is_hybrid(void)
{
    // cgroup2 beside v1: systemd's and others' "unified" folder.
    return access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) == 0;
}

int lp_child_exec(const struct lp_child_spec *spec, int input, int output, pid_t *ret_pid,
                  struct lp_err *err)
{
    // One thread, and the parent waits for exec: one stack is enough for all.
    static _Alignas(64) char stack[EXEC_STACK_BYTES];
    char program[PATH_MAX];
    int result = program_find(spec->argv[0], program, err);
    if (result < 0)
        return result;
    struct exec_plan plan = {.spec = spec,
                             .program = program,
                             .input = input,
                             .output = output,
                             .hides_cgroup2 = spec->has_own_mounts && is_hybrid()};
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &plan.old_mask);
    pid_t pid = clone(exec_child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &plan);
    int clone_error = errno;
    sigprocmask(SIG_SETMASK, &plan.old_mask, NULL);
    if (pid < 0)
        return lp_err_set(err, LP_EIO, "start %s: %s", spec->argv[0], strerror(clone_error));
    if (plan.error) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        return lp_err_set(err, LP_EIO, "start %s: %s: %s", spec->argv[0], plan.step,
                          strerror(plan.error));
    }
    *ret_pid = pid;
    return 0;
}
