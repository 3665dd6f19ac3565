// Starting a process in the node. All that may block or fail (reading the node's /etc/passwd,
// changing folder, executing) happens in the child: limpet-init itself goes on.
#define _GNU_SOURCE
#include "init/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init/user.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

enum {
    PASSWD_MAX = 1024 * 1024,
    OOM_RAISE = 100, // so that memory pressure takes the application before limpet-init
    OOM_MAX = 1000,
};
static uint64_t capabilities = UINT64_MAX;
static const char *preload; // NULL: none
static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct report { // written whole: it is shorter than PIPE_BUF
    int code;   // 0: about to execute
    uid_t uid;
    char text[512];
};

static void report_write(int fd, const struct report *report)
{
    ssize_t count = write(fd, report, sizeof(*report));
    (void)count; // nobody else could be told
}

_Noreturn static void report_fail(int fd, const struct lp_err *err)
{
    struct report report = {.code = err->code};
    snprintf(report.text, sizeof(report.text), "%.*s", (int)sizeof(report.text) - 1, err->text);
    report_write(fd, &report);
    _exit(127);
}

static void oom_score_raise(void)
{
    LP_OWNS_FD int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    char text[16] = "";
    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        return;
    int score = atoi(text) + OOM_RAISE;
    int bytes = snprintf(text, sizeof(text), "%d", score > OOM_MAX ? OOM_MAX : score);
    ssize_t count = pwrite(fd, text, (size_t)bytes, 0);
    (void)count; // best effort: the order of killing is a preference
}

static int user_find(const char *spec, struct lp_user *ret_user, struct lp_err *err)
{
    struct lp_str passwd = {0}, group = {0}; // freed by the execution
    int code = lp_file_read("/etc/passwd", PASSWD_MAX, &passwd, err);
    if (code < 0 && code != LP_ENOTFOUND)
        return code;
    code = lp_file_read("/etc/group", PASSWD_MAX, &group, err);
    if (code < 0 && code != LP_ENOTFOUND)
        return code;
    return lp_user_find(spec, lp_str_text(&passwd), lp_str_text(&group), ret_user, err);
}

static int user_become(const struct lp_user *user, struct lp_err *err)
{
    if (user->uid == 0 && user->gid == 0 && user->group_count == 0)
        return 0;
    if (setgroups(user->group_count, user->groups) < 0 || setgid(user->gid) < 0 ||
        setuid(user->uid) < 0)
        return lp_err_set(err, LP_EDENIED, "become user %u:%u: %s", user->uid, user->gid,
                          strerror(errno));
    return 0;
}

// Before whatever the application's own environment asks for.
static void preload_add(void)
{
    const char *own = getenv("LD_PRELOAD");
    LP_OWNS_STR struct lp_str both = {0};
    lp_str_printf(&both, "%s%s%s", preload, own ? ":" : "", own ? own : "");
    setenv("LD_PRELOAD", lp_str_text(&both), 1);
}

// The environment with what every program counts on: PATH, HOME, USER, and the mark.
static void environment_set(const struct lp_launch *launch, const struct lp_user *user)
{
    clearenv();
    setenv("PATH", default_path, 1);
    setenv("HOME", user->home, 1);
    if (user->name[0])
        setenv("USER", user->name, 1);
    if (launch->has_tty)
        setenv("TERM", "xterm", 1);
    for (char **pair = launch->base; pair && *pair; pair++)
        putenv(*pair);
    for (char **pair = launch->env; *pair; pair++)
        putenv(*pair);
    if (preload)
        preload_add();
    if (launch->mark) {
        static char mark[96]; // the environment keeps it
        snprintf(mark, sizeof(mark), "%s", launch->mark);
        putenv(mark);
    }
}

void lp_launch_preload_set(const char *path)
{
    preload = path;
}

void lp_launch_capabilities_set(uint64_t mask)
{
    capabilities = mask;
}

// Nothing executed later can get back what is not in the bounding set. While still root.
static int bounds_drop(struct lp_err *err)
{
    for (int i = 0; i < 64 && prctl(PR_CAPBSET_READ, i) >= 0; i++)
        if (!(capabilities >> i & 1) && prctl(PR_CAPBSET_READ, i) == 1 &&
            prctl(PR_CAPBSET_DROP, i) < 0)
            return lp_err_set(err, LP_EDENIED, "drop capability %d: %s", i, strerror(errno));
    return 0;
}

// A root of the node keeps what is allowed; anybody else lost all by becoming that user.
static int capabilities_drop(struct lp_err *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0)
        return lp_err_set(err, LP_EIO, "capabilities: %s", strerror(errno));
    for (int i = 0; i < 2; i++) {
        uint32_t mask = (uint32_t)(capabilities >> (32 * i));
        data[i].effective &= mask;
        data[i].permitted &= mask;
        data[i].inheritable &= mask;
    }
    if (syscall(SYS_capset, &header, data) < 0)
        return lp_err_set(err, LP_EDENIED, "drop capabilities: %s", strerror(errno));
    return 0;
}

static int folder_enter(const char *cwd, struct lp_err *err)
{
    if (chdir(cwd ? cwd : "/") == 0)
        return 0;
    if (errno == ENOENT)
        return lp_err_set(err, LP_ENOTFOUND, "no such working directory: %s", cwd);
    return lp_err_set(err, errno == EACCES ? LP_EDENIED : LP_EIO, "working directory %s: %s", cwd,
                      strerror(errno));
}

static int exec_fail(const char *command, struct lp_err *err)
{
    int error = errno;
    bool is_path = strchr(command, '/') != NULL;
    if (error == ENOENT && is_path && access(command, F_OK) == 0)
        return lp_err_set(err, LP_ENOTFOUND, "%s: its interpreter is missing", command);
    if (error == ENOENT)
        return lp_err_set(err, LP_ENOTFOUND, "command not found: %s", command);
    if (error == EACCES)
        return lp_err_set(err, LP_EDENIED, "permission denied: %s", command);
    return lp_err_set(err, LP_EIO, "execute %s: %s", command, strerror(error));
}

static void standard_fds_set(const struct lp_launch *launch, const struct lp_user *user)
{
    const int fds[3] = {launch->in, launch->out, launch->err};
    for (int i = 0; i < 3; i++)
        dup2(fds[i], i);
    for (int i = 0; i < 3; i++) {
        struct stat kind;
        // Only what was made for this process: a pipe or its terminal, never /dev/null.
        if (fstat(i, &kind) == 0 && (S_ISFIFO(kind.st_mode) || (launch->has_tty && isatty(i))) &&
            fchown(i, user->uid, (gid_t)-1) < 0)
            continue; // then /dev/stdout cannot be opened by name; all else works
    }
}

_Noreturn static void child_run(const struct lp_launch *launch, int report)
{
    struct lp_err err = {0};
    struct lp_user user;
    sigset_t none;
    setsid();
    if (launch->has_tty)
        ioctl(launch->in, TIOCSCTTY, 0);
    prctl(PR_SET_DUMPABLE, 1); // limpet-init is not; /proc/self would belong to nobody
    oom_score_raise();
    signal(SIGPIPE, SIG_DFL); // the only one that limpet-init changed
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (user_find(launch->user, &user, &err) < 0)
        report_fail(report, &err);
    standard_fds_set(launch, &user);
    environment_set(launch, &user);
    if (bounds_drop(&err) < 0 || user_become(&user, &err) < 0 || capabilities_drop(&err) < 0 ||
        folder_enter(launch->cwd, &err) < 0)
        report_fail(report, &err);
    report_write(report, &(struct report){.uid = user.uid});
    execvp(launch->argv[0], launch->argv);
    exec_fail(launch->argv[0], &err);
    report_fail(report, &err);
}

int lp_launch_begin(const struct lp_launch *launch, pid_t *ret_pid, int *ret_report,
                    struct lp_err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return lp_err_set(err, LP_EIO, "pipe: %s", strerror(errno));
    LP_OWNS_FD int report = ends[0], child_end = ends[1];
    pid_t pid = fork();
    if (pid < 0)
        return lp_err_set(err, LP_EIO, "no further process: %s", strerror(errno));
    if (pid == 0)
        child_run(launch, child_end);
    *ret_pid = pid;
    *ret_report = lp_fd_take(&report);
    return 0;
}

int lp_launch_collect(int report, uid_t *ret_uid, struct lp_err *err)
{
    struct report got;
    for (;;) {
        ssize_t count = read(report, &got, sizeof(got));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return 1;
        if (count != (ssize_t)sizeof(got))
            return 0; // closed by the execution
        if (got.code < 0) {
            got.text[sizeof(got.text) - 1] = '\0';
            return lp_err_set(err, got.code, "%s", got.text);
        }
        *ret_uid = got.uid;
    }
}
