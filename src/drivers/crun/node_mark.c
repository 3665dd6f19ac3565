// What stands beside a node so that a later daemon knows whose it is.
#define _GNU_SOURCE
#include "drivers/crun/node_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "drivers/child.h"
#include "drivers/place.h"

enum { MARK_BYTES_MAX = 4096 };

int lp_node_mark_write(const struct lp_driver_env *env, const struct lp_node_mark *mark,
                       struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    lp_str_printf(&text,
                  "{\"root_id\":\"%s\",\"node\":%u,\"infra\":%u,\"service\":%u,"
                  "\"incarnation\":%u,\"is_privileged\":%s,\"infra_name\":",
                  env->root_id, mark->node, mark->infra, mark->service, mark->incarnation,
                  mark->is_privileged ? "true" : "false");
    lp_str_add_json(&text, mark->infra_name);
    lp_str_add(&text, ",\"name\":");
    lp_str_add_json(&text, mark->name);
    lp_str_add(&text, "}\n");
    struct lp_place path = lp_place_node_file(env, mark->infra_name, mark->name, "mark.json");
    struct lp_place beside = lp_place_node_file(env, mark->infra_name, mark->name, "mark.new");
    LP_OWNS_FD int fd = open(beside.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "create %s: %s", beside.text, strerror(errno));
    int result = lp_fd_write(fd, text.text, text.bytes, err);
    if (result == 0 && rename(beside.text, path.text) < 0)
        result = lp_err_set(err, LP_EIO, "rename %s: %s", beside.text, strerror(errno));
    return result;
}

static int mark_parse(const json_t *json, struct lp_node_mark *ret_mark)
{
    json_int_t node, infra, service, incarnation;
    const char *infra_name, *name;
    int is_privileged;
    if (json_unpack((json_t *)(uintptr_t)json, "{s:I, s:I, s:I, s:I, s:b, s:s, s:s}", "node", &node,
                    "infra", &infra, "service", &service, "incarnation", &incarnation,
                    "is_privileged", &is_privileged, "infra_name", &infra_name, "name", &name) < 0)
        return LP_ECORRUPT;
    if (strlen(infra_name) >= sizeof(ret_mark->infra_name) ||
        strlen(name) >= sizeof(ret_mark->name) || node < 0 || node >= UINT32_MAX)
        return LP_ECORRUPT;
    *ret_mark = (struct lp_node_mark){.node = (uint32_t)node,
                                      .infra = (uint32_t)infra,
                                      .service = (uint32_t)service,
                                      .incarnation = (uint32_t)incarnation,
                                      .is_privileged = is_privileged};
    memcpy(ret_mark->infra_name, infra_name, strlen(infra_name) + 1);
    memcpy(ret_mark->name, name, strlen(name) + 1);
    return 0;
}

int lp_node_mark_read(const struct lp_driver_env *env, const char *infra, const char *node,
                      struct lp_node_mark *ret_mark, struct lp_err *err)
{
    struct lp_place path = lp_place_node_file(env, infra, node, "mark.json");
    LP_OWNS_STR struct lp_str text = {0};
    int result = lp_file_read(path.text, MARK_BYTES_MAX, &text, err);
    if (result < 0)
        return result;
    json_error_t error;
    json_t *json = json_loadb(lp_str_text(&text), text.bytes, 0, &error);
    result = json ? mark_parse(json, ret_mark) : LP_ECORRUPT;
    json_decref(json);
    if (result == 0 &&
        (strcmp(ret_mark->infra_name, infra) != 0 || strcmp(ret_mark->name, node) != 0))
        result = LP_ECORRUPT;
    return result < 0 ? lp_err_set(err, result, "%s is not a node's mark", path.text) : 0;
}

int lp_node_mark_process(const struct lp_driver_env *env, const struct lp_node_mark *mark,
                         pid_t *ret_pid, int *ret_pidfd, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_place path = lp_place_node_file(env, mark->infra_name, mark->name, "pid");
    if (lp_file_read(path.text, 64, &text, err) < 0)
        return lp_err_set(err, LP_ENOTFOUND, "%s has no process", mark->name);
    int pid = atoi(lp_str_text(&text));
    LP_OWNS_FD int pidfd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    if (pidfd < 0 || poll(&ended, 1, 0) != 0)
        return lp_err_set(err, LP_ENOTFOUND, "the process of %s has ended", mark->name);
    char cgroup_file[64];
    snprintf(cgroup_file, sizeof(cgroup_file), "/proc/%d/cgroup", pid);
    LP_OWNS_STR struct lp_str groups = {0};
    LP_OWNS_STR struct lp_str wanted = {0};
    // Exactly this group, or one below it.
    lp_str_printf(&wanted, ":%s", lp_place_cgroup(env, mark->infra_name, mark->name).text);
    int result = lp_file_read(cgroup_file, 64 * 1024, &groups, err);
    const char *found = result == 0 ? strstr(lp_str_text(&groups), wanted.text) : NULL;
    if (!found || (found[wanted.bytes] != '\n' && found[wanted.bytes] != '/'))
        return lp_err_set(err, LP_ENOTFOUND, "pid %d is not %s any more", pid, mark->name);
    *ret_pid = pid;
    *ret_pidfd = lp_fd_take(&pidfd);
    return 0;
}

int lp_node_exit_status(int pidfd)
{
    // struct pidfd_info and PIDFD_GET_INFO of <linux/pidfd.h>, newer than this libc's headers.
    struct {
        uint64_t mask, cgroupid;
        uint32_t ids[12];
        int32_t exit_code;
        uint32_t more[4];
    } info = {.mask = 8}; // PIDFD_INFO_EXIT
    _Static_assert(sizeof(info) >= 64, "first published size");
    unsigned long request = _IOC(_IOC_READ | _IOC_WRITE, 0xff, 11, sizeof(info));
    if (ioctl(pidfd, request, &info) < 0 || !(info.mask & 8))
        return -1;
    return lp_child_status(info.exit_code);
}
