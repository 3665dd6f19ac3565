// What the kernel can do: each probe tries it for real.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/doctor.h"
#include "drivers/child.h"
#include "drivers/layer/layer.h"
#include "drivers/network/nat.h"
#include "drivers/network/netlink.h"

enum { PATH_BYTES = 512 };

void lp_probe_kernel(struct lp_finding *finding, const char *folder)
{
    (void)folder;
    struct utsname name;
    int major = 0, minor = 0;
    bool is_known = uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2;
    // 5.12: mount_setattr with id maps; pidfd_open is older.
    bool is_new = major > 5 || (major == 5 && minor >= 12);
    lp_finding_set(finding, is_known && is_new ? LP_FINDING_OK : LP_FINDING_CANNOT, "Linux %s (%s)",
                   name.release, name.machine);
}

void lp_probe_capabilities(struct lp_finding *finding, const char *folder)
{
    (void)folder;
    static const struct {
        int bit;
        const char *name;
    } wanted[] = {{21, "sys_admin"}, {12, "net_admin"}, {13, "net_raw"},     {7, "setuid"},
                  {6, "setgid"},     {0, "chown"},      {1, "dac_override"}, {5, "kill"},
                  {27, "mknod"},     {18, "sys_chroot"}};
    LP_OWNS_STR struct lp_str text = {0};
    LP_OWNS_STR struct lp_str lacking = {0};
    unsigned long long held = 0;
    const char *line = NULL;
    if (lp_file_read("/proc/self/status", 65536, &text, NULL) == 0)
        line = strstr(lp_str_text(&text), "CapEff:");
    if (line)
        held = strtoull(line + strlen("CapEff:"), NULL, 16);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (!(held >> wanted[i].bit & 1))
            lp_str_printf(&lacking, " %s", wanted[i].name);
    }
    if (geteuid() != 0)
        lp_finding_set(finding, LP_FINDING_CANNOT, "not root");
    else if (lacking.bytes)
        lp_finding_set(finding, LP_FINDING_CANNOT, "lacks%s", lp_str_text(&lacking));
    else
        lp_finding_set(finding, LP_FINDING_OK, "root, with all that is needed%s",
                       held >> 24 & 1 ? "" : " (not sys_resource: limits cannot be raised)");
}

void lp_probe_cgroup(struct lp_finding *finding, const char *folder)
{
    (void)folder;
    struct statfs facts;
    if (statfs("/sys/fs/cgroup", &facts) < 0) {
        lp_finding_set(finding, LP_FINDING_CANNOT, "/sys/fs/cgroup: %s", strerror(errno));
        return;
    }
    bool is_v2 = (unsigned long)facts.f_type == CGROUP2_SUPER_MAGIC;
    const char *kind = is_v2                                      ? "v2"
                       : lp_path_exists("/sys/fs/cgroup/unified") ? "hybrid (v1 beside v2)"
                                                                  : "v1";
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "/sys/fs/cgroup%s/limpet-doctor-%d", is_v2 ? "" : "/memory",
                   (int)getpid());
    if (mkdir(path, 0755) < 0) {
        lp_finding_set(finding, LP_FINDING_CANNOT, "%s, but no group can be made: %s", kind,
                       strerror(errno));
        return;
    }
    (void)rmdir(path);
    lp_finding_set(finding, LP_FINDING_OK, "%s, writable", kind);
}

static bool folder_add(const char *folder, const char *name, char ret_path[PATH_BYTES])
{
    (void)snprintf(ret_path, PATH_BYTES, "%s/%s", folder, name);
    return mkdir(ret_path, 0755) == 0;
}

void lp_probe_overlay(struct lp_finding *finding, const char *folder)
{
    char lower[PATH_BYTES], upper[PATH_BYTES], work[PATH_BYTES], root[PATH_BYTES];
    char file[PATH_BYTES + 8], options[4 * PATH_BYTES];
    bool is_made = folder_add(folder, "lower", lower) && folder_add(folder, "upper", upper) &&
                   folder_add(folder, "work", work) && folder_add(folder, "root", root);
    (void)snprintf(file, sizeof(file), "%s/file", lower);
    (void)snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper,
                   work);
    if (!is_made || lp_file_write(file, "x", 1, 0644, NULL) < 0)
        lp_finding_set(finding, LP_FINDING_CANNOT, "%s: %s", folder, strerror(errno));
    else if (mount("overlay", root, "overlay", 0, options) < 0)
        lp_finding_set(finding, LP_FINDING_CANNOT, "mount on %s: %s", folder, strerror(errno));
    else {
        (void)snprintf(file, sizeof(file), "%s/file", root);
        bool is_good = lp_file_write(file, "y", 1, 0644, NULL) == 0;
        (void)umount2(root, MNT_DETACH);
        lp_finding_set(finding, is_good ? LP_FINDING_OK : LP_FINDING_CANNOT, "%s",
                       is_good ? "mounted and written to" : "mounted, but cannot be written to");
    }
}

// A process that holds a user namespace in which 0 is 100000 outside; -1: cannot.
static pid_t user_namespace_hold(void)
{
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        char byte = unshare(CLONE_NEWUSER) == 0 ? '+' : '-';
        (void)!write(ready[1], &byte, 1);
        (void)pause();
        _exit(0);
    }
    close(ready[1]);
    char byte = '-';
    bool is_good = pid > 0 && read(ready[0], &byte, 1) == 1 && byte == '+';
    close(ready[0]);
    char path[64];
    static const char *const files[] = {"uid_map", "gid_map"};
    for (int i = 0; is_good && i < 2; i++) {
        (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, files[i]);
        LP_OWNS_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
        is_good = fd >= 0 && write(fd, "0 100000 65536", 14) == 14;
    }
    if (is_good || pid <= 0)
        return pid;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    return -1;
}

// NULL, or the step that failed, with errno.
static const char *id_map_try(const char *from, const char *to, pid_t holder)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)holder);
    LP_OWNS_FD int user_fd = open(path, O_RDONLY | O_CLOEXEC);
    LP_OWNS_FD int tree_fd =
        (int)syscall(SYS_open_tree, AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (user_fd < 0 || tree_fd < 0)
        return "open_tree";
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_fd};
    if (syscall(SYS_mount_setattr, tree_fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
        return "mount_setattr";
    if (syscall(SYS_move_mount, tree_fd, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return "move_mount";
    return NULL;
}

void lp_probe_id_map(struct lp_finding *finding, const char *folder)
{
    char from[PATH_BYTES], to[PATH_BYTES];
    if (!folder_add(folder, "from", from) || !folder_add(folder, "to", to)) {
        lp_finding_set(finding, LP_FINDING_CANNOT, "%s: %s", folder, strerror(errno));
        return;
    }
    pid_t holder = user_namespace_hold();
    if (holder < 0) {
        lp_finding_set(finding, LP_FINDING_CANNOT, "a user namespace cannot be made");
        return;
    }
    const char *failed = id_map_try(from, to, holder);
    struct stat facts = {0};
    if (failed)
        lp_finding_set(finding, LP_FINDING_CANNOT, "%s: %s", failed, strerror(errno));
    else if (stat(to, &facts) < 0 || facts.st_uid != 100000)
        lp_finding_set(finding, LP_FINDING_CANNOT, "owners are not shifted");
    else
        lp_finding_set(finding, LP_FINDING_OK, "owners are shifted by 100000 without a copy");
    (void)umount2(to, MNT_DETACH);
    (void)kill(holder, SIGKILL);
    (void)waitpid(holder, NULL, 0);
}

void lp_probe_bridge(struct lp_finding *finding, const char *folder)
{
    (void)folder;
    static const uint8_t mac[6] = {2, 0x4c, 0, 0, 0, 1};
    struct nl_sock *netlink = NULL;
    struct lp_err err;
    LP_OWNS_FD int netns_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int code = lp_netlink_open(-1, &netlink, &err);
    if (code == 0)
        code = lp_netlink_bridge_ensure(netlink, "br0", mac, &err);
    if (code == 0)
        code = lp_netlink_veth_make(netlink, "v0", "v1", netns_fd, &err);
    lp_netlink_close(netlink);
    if (code < 0)
        lp_finding_set(finding, LP_FINDING_CANNOT, "%s", err.text);
    else
        lp_finding_set(finding, LP_FINDING_OK, "namespace, bridge and veth pair made");
}

void lp_probe_nat(struct lp_finding *finding, const char *folder)
{
    (void)folder;
    struct lp_err err;
    if (lp_nat_try(&err) < 0)
        lp_finding_set(finding, LP_FINDING_CANNOT, "%s", err.text);
    else
        lp_finding_set(finding, LP_FINDING_OK, "nftables takes masquerade rules");
}

void lp_probe_netem(struct lp_finding *finding, const char *folder)
{
    (void)folder;
    static const char *const argv[] = {"tc",   "qdisc", "add",   "dev", "lo",
                                       "root", "netem", "delay", "1ms", NULL};
    struct lp_child_spec spec = {.argv = argv, .output_max = 256, .timeout_ms = 5000};
    LP_OWNS_STR struct lp_str output = {0};
    int status = 0;
    struct lp_err err;
    if (lp_child_run(&spec, &status, &output, &err) < 0)
        lp_finding_set(finding, LP_FINDING_MISSING, "%s", err.text);
    else if (status != 0)
        lp_finding_set(finding, LP_FINDING_CANNOT, "%.*s", (int)strcspn(lp_str_text(&output), "\n"),
                       lp_str_text(&output));
    else
        lp_finding_set(finding, LP_FINDING_OK, "the qdisc can be added");
}

// mov $42, %al; hlt: in real mode at address 0x1000 of a guest of one page.
static const char *guest_run(int kvm_fd, uint8_t *page)
{
    static const uint8_t code[] = {0xb0, 42, 0xf4};
    memcpy(page, code, sizeof(code));
    LP_OWNS_FD int vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
    struct kvm_userspace_memory_region region = {
        .guest_phys_addr = 0x1000, .memory_size = 4096, .userspace_addr = (uintptr_t)page};
    if (vm_fd < 0 || ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
        return "a guest cannot be made";
    LP_OWNS_FD int cpu_fd = ioctl(vm_fd, KVM_CREATE_VCPU, 0);
    int bytes = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    struct kvm_run *run =
        cpu_fd < 0 || bytes < (int)sizeof(*run)
            ? MAP_FAILED
            : mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, cpu_fd, 0);
    struct kvm_sregs special;
    if (run == MAP_FAILED || ioctl(cpu_fd, KVM_GET_SREGS, &special) < 0)
        return "a processor cannot be made";
    special.cs.base = 0;
    special.cs.selector = 0;
    struct kvm_regs registers = {.rip = 0x1000, .rflags = 2};
    bool has_run = ioctl(cpu_fd, KVM_SET_SREGS, &special) == 0 &&
                   ioctl(cpu_fd, KVM_SET_REGS, &registers) == 0 && ioctl(cpu_fd, KVM_RUN, 0) == 0 &&
                   run->exit_reason == KVM_EXIT_HLT && ioctl(cpu_fd, KVM_GET_REGS, &registers) == 0;
    (void)munmap(run, (size_t)bytes);
    return has_run && (registers.rax & 0xff) == 42 ? NULL : "a guest does not run";
}

void lp_probe_fuse(struct lp_finding *finding, const char *folder)
{
    (void)folder;
    struct lp_err err = {0};
    LP_OWNS_FD int fuse_fd = -1;
    LP_OWNS_FD int mount_fd = -1;
    if (lp_layer_mount("probe", &fuse_fd, &mount_fd, &err) == 0)
        lp_finding_set(finding, LP_FINDING_OK, "made a mount");
    else
        lp_finding_set(finding, LP_FINDING_MISSING, "%s", err.text);
}

void lp_probe_kvm(struct lp_finding *finding, const char *folder)
{
    (void)folder;
    LP_OWNS_FD int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        lp_finding_set(finding, errno == ENOENT ? LP_FINDING_MISSING : LP_FINDING_CANNOT,
                       "/dev/kvm: %s", strerror(errno));
        return;
    }
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const char *failed = page == MAP_FAILED ? "no memory" : guest_run(fd, page);
    if (failed)
        lp_finding_set(finding, LP_FINDING_CANNOT, "/dev/kvm is there, but %s", failed);
    else
        lp_finding_set(finding, LP_FINDING_OK, "ran a guest");
    if (page != MAP_FAILED)
        (void)munmap(page, 4096);
}
