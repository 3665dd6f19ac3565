// limpet doctor [FILE]: what this machine can do, found out by trying.
#define _GNU_SOURCE
#include "cmd/doctor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/verb.h"
#include "drivers/network/network_port.h"
#include "model/descriptor.h"
#include "model/limits.h"

enum { FINDINGS_MAX = 256, PROBE_SECONDS = 25, FREE_MIB_LEAST = 2048 };

struct probe {
    const char *name;
    void (*run)(struct lp_finding *finding, const char *folder);
    bool is_needed;
    bool is_thrown_away; // runs in a process with namespaces of its own
    const char *advice;
};

static const struct probe probes[] = {
    {"kernel", lp_probe_kernel, true, false, "use Linux 5.12 or newer"},
    {"capabilities", lp_probe_capabilities, true, false,
     "run limpet as root, in a container only with --privileged"},
    {"cgroups", lp_probe_cgroup, true, false, "mount cgroups writable: /sys/fs/cgroup"},
    {"overlayfs", lp_probe_overlay, true, true, "use a kernel with CONFIG_OVERLAY_FS"},
    {"bridge and veth", lp_probe_bridge, true, true,
     "use a kernel with CONFIG_BRIDGE, CONFIG_VETH and CONFIG_NET_NS"},
    {"crun", lp_probe_crun, true, true, "apt-get install crun"},
    {"dnsmasq", lp_probe_dnsmasq, true, false, "apt-get install dnsmasq-base"},
    {"id-mapped mounts", lp_probe_id_map, false, true,
     "allow user namespaces, on a file system with id maps (ext4, xfs, btrfs; tmpfs since 6.3)"},
    {"nftables nat", lp_probe_nat, false, true,
     "only for networks with `nat: true`: a kernel with CONFIG_NFT_NAT and CONFIG_NFT_MASQ"},
    {"mmdebstrap", lp_probe_mmdebstrap, false, false,
     "to build Debian images: apt-get install mmdebstrap"},
    {"skopeo", lp_probe_skopeo, false, false, "for images from registries: apt-get install skopeo"},
    {"umoci", lp_probe_umoci, false, false, "for OCI images: apt-get install umoci"},
    {"runc", lp_probe_runc, false, true, "for checkpoints of containers: apt-get install runc"},
    {"criu", lp_probe_criu, false, false, "for checkpoints of containers: apt-get install criu"},
    {"kvm", lp_probe_kvm, false, false,
     "for fast VMs: switch virtualization on, load kvm_intel or kvm_amd"},
    {"fuse", lp_probe_fuse, false, false,
     "for disks that fail on purpose: a kernel with CONFIG_FUSE_FS, /dev/fuse"},
    {"qemu", lp_probe_qemu, false, false, "for VMs: apt-get install qemu-system-x86"},
    {"netem", lp_probe_netem, false, true,
     "for delayed links by the kernel: a kernel with CONFIG_NET_SCH_NETEM, and iproute2"},
};

void lp_finding_set(struct lp_finding *finding, enum lp_finding_state state, const char *fmt, ...)
{
    char text[sizeof(finding->detail)];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    memcpy(finding->detail, text, sizeof(text));
    finding->state = state;
}

// In a child: its mounts, links and rules end with it.
static void probe_throw_away(const struct probe *probe, struct lp_finding *finding,
                             const char *folder)
{
    int ends[2];
    struct lp_finding told;
    if (pipe(ends) < 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(PROBE_SECONDS); // a probe that hangs ends by itself
        if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
            lp_finding_set(finding, LP_FINDING_CANNOT, "no namespaces of its own: %s",
                           strerror(errno));
        else
            probe->run(finding, folder);
        (void)!write(ends[1], finding, sizeof(*finding));
        _exit(0);
    }
    close(ends[1]);
    // Less than a pipe's atomic unit: comes whole or not at all.
    if (pid > 0 && read(ends[0], &told, sizeof(told)) == sizeof(told))
        lp_finding_set(finding, told.state, "%s", told.detail);
    close(ends[0]);
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
}

static void probe_run(const struct probe *probe, struct lp_finding *finding)
{
    *finding = (struct lp_finding){.name = probe->name, .is_needed = probe->is_needed};
    lp_finding_set(finding, LP_FINDING_CANNOT, "the trial did not end within %d s", PROBE_SECONDS);
    char folder[] = "/var/tmp/limpet-doctor-XXXXXX";
    if (!mkdtemp(folder)) {
        lp_finding_set(finding, LP_FINDING_CANNOT, "%s: %s", folder, strerror(errno));
    } else {
        if (probe->is_thrown_away)
            probe_throw_away(probe, finding, folder);
        else
            probe->run(finding, folder);
        (void)!lp_dir_remove(folder, NULL);
    }
    finding->advice = finding->state == LP_FINDING_OK ? NULL : probe->advice;
}

static void space_look(const char *root, struct lp_finding *finding)
{
    *finding = (struct lp_finding){.name = "free space"};
    struct statvfs facts;
    char path[512];
    (void)snprintf(path, sizeof(path), "%s", root);
    // The root may not exist yet: ask its nearest parent that does.
    while (statvfs(path, &facts) < 0) {
        char *slash = strrchr(path, '/');
        if (!slash || slash == path) {
            (void)snprintf(path, sizeof(path), "/");
            if (statvfs(path, &facts) < 0)
                return;
            break;
        }
        *slash = '\0';
    }
    unsigned long long mib = (unsigned long long)facts.f_bavail * facts.f_frsize >> 20;
    lp_finding_set(finding, mib >= FREE_MIB_LEAST ? LP_FINDING_OK : LP_FINDING_CANNOT,
                   "%llu MiB at %s", mib, path);
    if (finding->state != LP_FINDING_OK)
        finding->advice = "images take about 0.3 GiB each: make room, or use --root DIR elsewhere";
}

// Can the port be had now? 0 or errno.
static int port_try(const struct lp_port *port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port->host_port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port->host_port)};
    bool is_v4 = !port->host_ip || inet_pton(AF_INET, port->host_ip, &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, port->host_ip, &v6.sin6_addr) != 1)
        return EINVAL;
    int on = 1;
    LP_OWNS_FD int fd = socket(is_v4 ? AF_INET : AF_INET6,
                               (port->is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    if (!is_v4)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (!port->is_udp)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    const struct sockaddr *address = is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    if (bind(fd, address, is_v4 ? sizeof(v4) : sizeof(v6)) < 0 ||
        (!port->is_udp && listen(fd, 1) < 0))
        return errno;
    return 0;
}

static void port_look(struct lp_cmd *cmd, const struct lp_port *port, struct lp_finding *finding)
{
    *finding = (struct lp_finding){.is_needed = true};
    finding->name =
        lp_arena_printf(cmd->arena, "port %u/%s", port->host_port, port->is_udp ? "udp" : "tcp");
    int number = port_try(port);
    char holder[64] = "";
    if (number == 0) {
        lp_finding_set(finding, LP_FINDING_OK, "free");
        return;
    }
    (void)lp_port_find_holder(port->host_port, port->is_udp, holder, sizeof(holder));
    lp_finding_set(finding, LP_FINDING_CANNOT, "%s%s%s", strerror(number), holder[0] ? ": " : "",
                   holder);
    finding->advice = "stop what has it, or publish another port";
}

// The published ports of a descriptor; profiles are left out, variables are the environment's.
LP_MUST_CHECK static int ports_look(struct lp_cmd *cmd, const char *path,
                                    struct lp_finding *findings, size_t *count)
{
    LP_OWNS_STR struct lp_str text = {0};
    int code = lp_file_read(path, LP_DESCRIPTOR_BYTES_MAX, &text, &cmd->err);
    if (code < 0)
        return lp_err_set(&cmd->err, LP_EINPUT, "%s", lp_arena_text(cmd->arena, cmd->err.text));
    struct lp_pairs variables = {lp_arena_new_array(cmd->arena, struct lp_pair, 4096), 0};
    for (char **at = environ; *at && variables.count < 4096; at++) {
        char *pair = lp_arena_text(cmd->arena, *at), *equals = strchr(pair, '=');
        if (!equals)
            continue;
        *equals = '\0';
        variables.items[variables.count++] = (struct lp_pair){pair, equals + 1};
    }
    const struct lp_texts profiles = {0};
    struct lp_parse_input input = {.path = path,
                                   .text = lp_str_text(&text),
                                   .bytes = text.bytes,
                                   .environment = &variables,
                                   .profiles = &profiles};
    struct lp_mistakes *mistakes = lp_arena_new(cmd->arena, struct lp_mistakes);
    const struct lp_descriptor *descriptor = NULL;
    code = lp_descriptor_parse(&input, cmd->arena, mistakes, &descriptor, &cmd->err);
    for (size_t i = 0; code == 0 && i < descriptor->service_count; i++) {
        const struct lp_service *service = &descriptor->services[i];
        for (size_t k = 0; k < service->port_count && *count < FINDINGS_MAX; k++) {
            if (service->ports[k].host_port)
                port_look(cmd, &service->ports[k], &findings[(*count)++]);
        }
    }
    return code;
}

static void findings_print_json(const struct lp_finding *findings, size_t count)
{
    LP_OWNS_STR struct lp_str text = {0};
    lp_str_add(&text, "[");
    for (size_t i = 0; i < count; i++) {
        lp_str_add(&text, i ? ",\n {\"name\":" : "\n {\"name\":");
        lp_str_add_json(&text, findings[i].name);
        lp_str_printf(&text, ",\"ok\":%s,\"needed\":%s,\"detail\":",
                      findings[i].state == LP_FINDING_OK ? "true" : "false",
                      findings[i].is_needed ? "true" : "false");
        lp_str_add_json(&text, findings[i].detail);
        lp_str_add(&text, ",\"advice\":");
        lp_str_add_json(&text, findings[i].advice ? findings[i].advice : "");
        lp_str_add(&text, "}");
    }
    lp_str_add(&text, "\n]\n");
    (void)fputs(lp_str_text(&text), stdout);
}

static void findings_print(const struct lp_cmd *cmd, const struct lp_finding *findings,
                           size_t count)
{
    static const char *const words[] = {"OK", "missing", "cannot"};
    static const char *const colors[] = {"\033[32m", "\033[33m", "\033[31m"};
    for (size_t i = 0; i < count; i++) {
        const struct lp_finding *at = &findings[i];
        printf("%s%-8s%s %-17s %s\n", cmd->has_color ? colors[at->state] : "", words[at->state],
               cmd->has_color ? "\033[0m" : "", at->name, at->detail);
        if (at->advice)
            printf("%-26s -> %s%s\n", "", at->is_needed ? "NEEDED: " : "", at->advice);
    }
}

static int doctor_run(struct lp_cmd *cmd, int argc, char **argv)
{
    struct lp_finding *findings = lp_arena_new_array(cmd->arena, struct lp_finding, FINDINGS_MAX);
    size_t count = 0;
    // The file first: a mistake in it ends this before anything is tried.
    if (argc > 1 && ports_look(cmd, argv[1], findings, &count) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    size_t room = FINDINGS_MAX - sizeof(probes) / sizeof(probes[0]) - 1;
    count = count < room ? count : room;
    for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++)
        probe_run(&probes[i], &findings[count++]);
    space_look(cmd->root, &findings[count++]);
    if (cmd->is_json)
        findings_print_json(findings, count);
    else
        findings_print(cmd, findings, count);
    for (size_t i = 0; i < count; i++) {
        if (findings[i].is_needed && findings[i].state != LP_FINDING_OK)
            return LP_EXIT_FAILED;
    }
    return LP_EXIT_DONE;
}

const struct lp_verb lp_verb_doctor = {
    .name = "doctor",
    .summary = "Say what this machine can do, and what to install",
    .usage = "[FILE]",
    .help = "Each line was found out by trying: a container is run, a guest is run, rules are set\n"
            "in a namespace that is thrown away. Nothing is left behind. With FILE, also whether\n"
            "the ports that it publishes are free. Ends with 1 when Limpet's main job cannot work\n"
            "here.",
    .run = doctor_run,
    .most = 1,
};
