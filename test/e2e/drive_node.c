// The container driver driven by hand: orders made here, events printed as TAP. Run by
// node_driver.t: drive_node ROOT IMAGE all | start COUNT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "drivers/crun/cgroup.h"
#include "drivers/child.h"
#include "drivers/crun/crun.h"
#include "drivers/network/netlink.h"
#include "drivers/network/network_ns.h"
#include "drivers/place.h"

enum { SEEN_MAX = 8192, WAIT_MS = 20000, SUBNET = 10u << 24 | 93u << 16, PREFIX = 16 };

static struct lp_driver_env env;
static void *self;
static struct lp_event seen[SEEN_MAX];
static char texts[SEEN_MAX][200];
static size_t seen_count, tests, failures;
static const char *image_path;

static void ok(bool is_ok, const char *what)
{
    failures += !is_ok;
    printf("%sok %zu - %s\n", is_ok ? "" : "not ", ++tests, what);
    for (size_t i = 0; !is_ok && i < seen_count; i++)
        printf("#   %s node %u app %u life %u run %u status %d%s %s\n", lp_event_word(seen[i].kind),
               seen[i].node, seen[i].app, seen[i].incarnation, seen[i].run, seen[i].status,
               seen[i].is_oom ? " oom" : "", texts[i]);
    fflush(stdout);
}

static _Noreturn void bail(const struct lp_err *err)
{
    printf("Bail out! %s\n", err->text);
    exit(1);
}

static void put(struct lp_inbox *inbox, const struct lp_event *event)
{
    (void)inbox;
    lp_assert(seen_count < SEEN_MAX);
    snprintf(texts[seen_count], sizeof(texts[0]), "%s", event->text ? event->text : "");
    seen[seen_count++] = *event;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void turn(int timeout_ms)
{
    struct lp_inbox inbox = {put};
    struct lp_err err = {0};
    struct pollfd wait = {.fd = lp_driver_crun.wait_fd(self), .events = POLLIN};
    poll(&wait, 1, timeout_ms);
    if (lp_driver_crun.collect(self, &inbox, &err) < 0)
        bail(&err);
}

static size_t count_of(enum lp_event_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < seen_count; i++)
        count += seen[i].kind == kind;
    return count;
}

static const struct lp_event *last_of(enum lp_event_kind kind)
{
    static struct lp_event none;
    for (size_t i = seen_count; i > 0; i--) {
        if (seen[i - 1].kind == kind)
            return &seen[i - 1];
    }
    return &none;
}

static bool wait_for(enum lp_event_kind kind, size_t count, int64_t limit_ms)
{
    int64_t end = now_ms() + limit_ms;
    while (count_of(kind) < count && now_ms() < end)
        turn(50);
    return count_of(kind) >= count;
}

static struct lp_app apps[2];
static struct lp_service service;
static struct lp_descriptor descriptor;
static const char *argv_app[] = {"/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/etc"};
static const char *argv_eater[] = {"/bin/sh", "-c", "dd if=/dev/zero of=/dev/null bs=256M"};
static const char *argv_reload[] = {"/bin/sh", "-c", "cat /etc/app.conf > /reloaded"};
static struct lp_mount mounts[2];

static void world_init(void)
{
    apps[0] = (struct lp_app){.name = "web",
                              .kind = LP_APP_SERVE,
                              .argv = {argv_app, 7},
                              .stop_signal = SIGTERM,
                              .reload = {.kind = LP_RELOAD_COMMAND, .argv = {argv_reload, 3}}};
    apps[1] = (struct lp_app){
        .name = "eater", .kind = LP_APP_SERVE, .argv = {argv_eater, 3}, .stop_signal = SIGTERM};
    mounts[0] = (struct lp_mount){.kind = LP_MOUNT_VOLUME, .source = "data", .target = "/data"};
    mounts[1] = (struct lp_mount){.kind = LP_MOUNT_TMPFS, .target = "/scratch"};
    service = (struct lp_service){.name = "web",
                                  .image = {.kind = LP_IMAGE_DIRECTORY, .reference = image_path},
                                  .apps = apps,
                                  .app_count = 2,
                                  .mounts = mounts,
                                  .mount_count = 2,
                                  .memory_bytes = 64 << 20,
                                  .cpu_permille = 1000,
                                  .pids = 50};
    descriptor = (struct lp_descriptor){.name = "drive", .services = &service, .service_count = 1};
}

struct what {
    enum lp_action_kind kind;
    uint32_t node, life, app, run, grace_ms;
    const char *config;
};

// Twice, always: beginning again must do no harm.
static int order(struct what what, struct lp_err *err)
{
    char name[32];
    static uint64_t id;
    snprintf(name, sizeof(name), "web-%u", what.node + 1);
    struct lp_attachment attachment = {.network_index = 0,
                                       .subnet = SUBNET,
                                       .prefix = PREFIX,
                                       .address = SUBNET + 2 + what.node,
                                       .gateway = SUBNET + 1};
    struct lp_rendered_file files[2] = {
        {.target = "/etc/app.conf", .bytes = what.config, .mode = 0644},
        {.target = "/run/secrets/key",
         .bytes = "hunter2",
         .count = 7,
         .mode = 0444,
         .is_secret = true}};
    files[0].count = what.config ? strlen(what.config) : 0;
    struct lp_order made = {.action = {.id = ++id,
                                       .kind = what.kind,
                                       .infra = 0,
                                       .service = 0,
                                       .node = what.node,
                                       .app = what.app,
                                       .incarnation = what.life,
                                       .run = what.run,
                                       .revision = what.run,
                                       .grace_ms = what.grace_ms},
                            .infra_name = "drive",
                            .descriptor = &descriptor,
                            .service = &service,
                            .app = what.app < 2 ? &apps[what.app] : NULL,
                            .node_name = name,
                            .ordinal = what.node + 1,
                            .image = &service.image,
                            .attachments = &attachment,
                            .attachment_count = 1,
                            .files = files,
                            .file_count = 2};
    if (made.app)
        made.argv = made.app->argv;
    if (what.kind == LP_ACTION_REMOVE_NODE) { // only ids are known
        made.infra_name = made.node_name = NULL;
        made.service = NULL;
        made.descriptor = NULL;
    }
    int first = lp_driver_crun.begin(self, &made, err);
    int second = lp_driver_crun.begin(self, &made, err);
    return first < 0 ? first : second;
}

static void begin(struct what what)
{
    struct lp_err err = {0};
    seen_count = 0;
    if (order(what, &err) < 0)
        printf("# begin %s: %s\n", lp_action_word(what.kind), err.text);
}

static bool in_infra(const char *command, struct lp_str *ret_output)
{
    struct lp_err err = {0};
    int status = -1, netns_fd;
    if (lp_netns_open(lp_place_netns(&env, "drive").text, &netns_fd, &err) < 0)
        bail(&err);
    const char *argv[] = {"/bin/sh", "-c", command, NULL};
    struct lp_child_spec spec = {
        .argv = argv, .output_max = 4096, .netns_fd = netns_fd, .timeout_ms = 5000};
    lp_str_clear(ret_output);
    int result = lp_child_run(&spec, &status, ret_output, &err);
    close(netns_fd);
    return result == 0 && status == 0;
}

static void network_make(void)
{
    struct lp_err err = {0};
    bool is_new;
    uint8_t mac[6];
    LP_OWNS_FD int fd = -1;
    struct nl_sock *netlink = NULL;
    lp_place_mac(SUBNET + 1, mac);
    if (lp_netns_make(lp_place_netns(&env, "drive").text, &is_new, &err) < 0 ||
        lp_netns_open(lp_place_netns(&env, "drive").text, &fd, &err) < 0 ||
        lp_netlink_open(fd, &netlink, &err) < 0 ||
        lp_netlink_bridge_ensure(netlink, "br0", mac, &err) < 0 ||
        lp_netlink_address_set(netlink, "br0", SUBNET + 1, PREFIX, &err) < 0)
        bail(&err);
    lp_netlink_close(netlink);
}

static void driver_open(void)
{
    struct lp_err err = {0};
    seen_count = 0;
    if (lp_driver_crun.open(&env, &self, &err) < 0)
        bail(&err);
}

// As the daemon does after kill -9: nothing of the driver's memory is used again.
static void driver_again(void)
{
    lp_driver_crun.close(self);
    driver_open();
    ok(wait_for(LP_EVENT_DRIVERS_SYNCED, 1, WAIT_MS), "the reopened driver tells when it is done");
}

static pid_t node_pid(const char *node)
{
    LP_OWNS_STR struct lp_str text = {0};
    if (lp_file_read(lp_place_node_file(&env, "drive", node, "pid").text, 64, &text, NULL) < 0)
        return -1;
    return atoi(lp_str_text(&text));
}

static void start_node(uint32_t node, uint32_t life)
{
    begin((struct what){LP_ACTION_START_NODE, node, life, LP_NONE, 0, 0, "one\n"});
    ok(wait_for(LP_EVENT_NODE_UP, 1, WAIT_MS) && last_of(LP_EVENT_NODE_UP)->incarnation == life,
       "started: node-up");
}

static void start_app(uint32_t app, uint32_t life, uint32_t run)
{
    begin((struct what){LP_ACTION_START_APP, 0, life, app, run, 0, NULL});
    ok(wait_for(LP_EVENT_APP_STARTED, 1, WAIT_MS), "application started");
}

static void test_life(void)
{
    LP_OWNS_STR struct lp_str out = {0};
    start_node(0, 1);
    begin((struct what){LP_ACTION_START_NODE, 0, 1, LP_NONE, 0, 0, "one\n"});
    ok(wait_for(LP_EVENT_NODE_UP, 1, 1000), "begun again: told again");
    start_app(0, 1, 1);
    bool is_there = false;
    for (int i = 0; i < 50 && !is_there; i++, usleep(20000))
        is_there = in_infra("curl -s -m 2 http://10.93.0.2/app.conf", &out);
    ok(is_there && strcmp(lp_str_text(&out), "one\n") == 0, "it answers over its network");
    begin((struct what){LP_ACTION_RENDER, 0, 1, LP_NONE, 7, 0, "two\n"});
    ok(wait_for(LP_EVENT_RENDERED, 1, WAIT_MS) && last_of(LP_EVENT_RENDERED)->revision == 7,
       "rendered anew");
    ok(in_infra("curl -s -m 2 http://10.93.0.2/app.conf", &out) &&
           strcmp(lp_str_text(&out), "two\n") == 0,
       "the node sees the new file");
    lp_str_clear(&out);
    ok(lp_file_read(lp_place_node_file(&env, "drive", "web-1", "upper/reloaded").text, 100, &out,
                    NULL) == 0 &&
           strcmp(lp_str_text(&out), "two\n") == 0,
       "and the reload command ran, in its own root");
    struct stat facts;
    ok(stat(lp_place_node_file(&env, "drive", "web-1", "upper/reloaded").text, &facts) == 0 &&
           facts.st_uid == 100000,
       "root of the node is uid 100000 of the host");
    driver_again();
    ok(count_of(LP_EVENT_NODE_UP) == 1 && count_of(LP_EVENT_APP_STARTED) == 1 &&
           last_of(LP_EVENT_APP_STARTED)->run == 1,
       "node and application are adopted, once");
    begin((struct what){LP_ACTION_KILL_APP, 0, 1, 0, 1, 0, NULL});
    ok(wait_for(LP_EVENT_APP_EXITED, 1, WAIT_MS) &&
           last_of(LP_EVENT_APP_EXITED)->status == 256 + SIGKILL &&
           !last_of(LP_EVENT_APP_EXITED)->is_oom,
       "application killed: its end is told, no oom");
    argv_eater[2] = "x=a; while :; do x=$x$x$x; done";
    start_app(1, 1, 2);
    // The first one's end may be told a second time here: it was ordered twice.
    for (size_t ends = 1; last_of(LP_EVENT_APP_EXITED)->app != 1; ends++) {
        if (!wait_for(LP_EVENT_APP_EXITED, ends, WAIT_MS))
            break;
    }
    ok(last_of(LP_EVENT_APP_EXITED)->app == 1 && last_of(LP_EVENT_APP_EXITED)->is_oom,
       "an application beyond its memory: oom");
}

static bool has_line(const char *file, const char *line)
{
    LP_OWNS_STR struct lp_str text = {0};
    char path[200];
    snprintf(path, sizeof(path), "/proc/%d/%s", node_pid("web-1"), file);
    return lp_file_read(path, 65536, &text, NULL) == 0 && strstr(lp_str_text(&text), line);
}

static void test_walls(void)
{
    struct stat facts;
    char path[200];
    ok(has_line("status", "NoNewPrivs:\t1\n"), "no new privileges");
    ok(has_line("status", "Seccomp:\t2\n"), "a system call filter is in force");
    ok(has_line("uid_map", "100000      65536"), "a user namespace of its own");
    ok(has_line("cgroup", "/limpet-d21fe000/drive/web-1\n"), "in its cgroup");
    snprintf(path, sizeof(path), "/proc/%d/root/run/secrets/key", node_pid("web-1"));
    ok(stat(path, &facts) == 0 && (facts.st_mode & 0777) == 0440 && facts.st_uid == 100000,
       "the secret is there, and not for everyone");
    snprintf(path, sizeof(path), "/proc/%d/root/.limpet/init", node_pid("web-1"));
    ok(stat(path, &facts) == 0 && facts.st_size > 0, "limpet-init is bound into it");
    ok(stat(lp_place_volume(&env, "drive", "data").text, &facts) == 0 && facts.st_uid == 100000,
       "its volume belongs to it");
    LP_OWNS_STR struct lp_str limits = {0};
    snprintf(path, sizeof(path),
             "/sys/fs/cgroup/memory/limpet-d21fe000/drive/web-1/"
             "memory.limit_in_bytes");
    if (lp_file_read(path, 64, &limits, NULL) < 0) {
        snprintf(path, sizeof(path), "/sys/fs/cgroup/limpet-d21fe000/drive/web-1/memory.max");
        (void)!lp_file_read(path, 64, &limits, NULL);
    }
    ok(strcmp(lp_str_text(&limits), "67108864\n") == 0, "its memory is limited");
}

static void test_death(void)
{
    seen_count = 0;
    kill(node_pid("web-1"), SIGKILL);
    int64_t begun = now_ms();
    ok(wait_for(LP_EVENT_NODE_DEAD, 1, WAIT_MS) &&
           last_of(LP_EVENT_NODE_DEAD)->status == 256 + SIGKILL,
       "limpet-init killed: node-dead with its signal");
    printf("# told after %lld ms\n", (long long)(now_ms() - begun));
    start_node(0, 2);
    ok(lp_path_exists(lp_place_node_file(&env, "drive", "web-1", "upper/reloaded").text),
       "the next life has the root of the one before");
    begin((struct what){LP_ACTION_STOP_NODE, 0, 2, LP_NONE, 0, 2000, NULL});
    ok(wait_for(LP_EVENT_NODE_DEAD, 1, WAIT_MS) && last_of(LP_EVENT_NODE_DEAD)->status == 0,
       "stopped with grace: exit 0");
    start_node(0, 3);
    struct lp_cgroup_layout layout;
    struct lp_place cgroup = lp_place_cgroup(&env, "drive", "web-1");
    lp_cgroup_detect("/sys/fs/cgroup", true, &layout);
    lp_cgroup_freeze(&layout, cgroup.text, true);
    seen_count = 0;
    ok(wait_for(LP_EVENT_NODE_MUTE, 1, WAIT_MS), "frozen: node-mute");
    begin((struct what){LP_ACTION_FENCE_NODE, 0, 3, LP_NONE, 0, 0, NULL});
    ok(wait_for(LP_EVENT_NODE_DEAD, 1, WAIT_MS) && !lp_cgroup_has_processes(&layout, cgroup.text),
       "fenced though frozen: confirmed dead");
    start_node(0, 4);
    pid_t pid = node_pid("web-1");
    lp_driver_crun.close(self);
    kill(pid, SIGKILL);
    usleep(100000);
    driver_open();
    ok(wait_for(LP_EVENT_DRIVERS_SYNCED, 1, WAIT_MS) && count_of(LP_EVENT_NODE_DEAD) == 1 &&
           last_of(LP_EVENT_NODE_DEAD)->incarnation == 4,
       "dead while nobody looked: told at the next open");
}

static void test_trouble(void)
{
    service.image.reference = "/nonexistent/image";
    begin((struct what){LP_ACTION_START_NODE, 1, 1, LP_NONE, 0, 0, "one\n"});
    ok(wait_for(LP_EVENT_NODE_FAILED, 1, WAIT_MS) && strstr(texts[seen_count - 1], "image"),
       "a missing image: node-failed, and it says so");
    service.image.reference = image_path;
    start_node(1, 2);
    begin((struct what){LP_ACTION_REMOVE_NODE, 1, 2, LP_NONE, 0, 0, NULL});
    ok(wait_for(LP_EVENT_NODE_GONE, 1, WAIT_MS), "a running node removed by its ids");
    begin((struct what){LP_ACTION_START_NODE, 2, 1, LP_NONE, 0, 0, "one\n"});
    struct lp_err err = {0};
    (void)!order((struct what){LP_ACTION_FENCE_NODE, 2, 1, LP_NONE, 0, 0, NULL}, &err);
    ok(wait_for(LP_EVENT_NODE_DEAD, 1, WAIT_MS), "fenced while crun starts it: dead");
    begin((struct what){LP_ACTION_REMOVE_NODE, 2, 1, LP_NONE, 0, 0, NULL});
    ok(wait_for(LP_EVENT_NODE_GONE, 1, WAIT_MS), "and removed");
    begin((struct what){LP_ACTION_START_NODE, 3, 1, LP_NONE, 0, 0, "one\n"});
    lp_driver_crun.close(self);
    driver_open();
    ok(wait_for(LP_EVENT_DRIVERS_SYNCED, 1, WAIT_MS) &&
           (last_of(LP_EVENT_NODE_DEAD)->node == 3) != (last_of(LP_EVENT_NODE_UP)->node == 3),
       "the daemon lost while crun starts: one answer about the node");
    begin((struct what){LP_ACTION_REMOVE_NODE, 3, 1, LP_NONE, 0, 0, NULL});
    ok(wait_for(LP_EVENT_NODE_GONE, 1, WAIT_MS), "and it can be removed");
    begin((struct what){LP_ACTION_FENCE_NODE, 9, 1, LP_NONE, 0, 0, NULL});
    ok(wait_for(LP_EVENT_NODE_DEAD, 1, 1000), "an unknown node is dead");
    service.is_privileged = true;
    start_node(4, 1);
    ok(strstr(texts[seen_count - 1], "PRIVILEGED") != NULL, "privileged is loud");
    service.is_privileged = false;
    begin((struct what){LP_ACTION_REMOVE_NODE, 4, 1, LP_NONE, 0, 0, NULL});
    ok(wait_for(LP_EVENT_NODE_GONE, 1, WAIT_MS), "and goes as the others do");
    service.image.kind = LP_IMAGE_HOST;
    start_node(5, 1);
    LP_OWNS_STR struct lp_str out = {0};
    char command[100];
    snprintf(command, sizeof(command), "cat /proc/%d/root/etc/shadow; ls -A /proc/%d/root/root",
             node_pid("web-6"), node_pid("web-6"));
    ok(in_infra(command, &out) && out.bytes == 0, "the host's image hides its secrets");
    begin((struct what){LP_ACTION_REMOVE_NODE, 5, 1, LP_NONE, 0, 0, NULL});
    ok(wait_for(LP_EVENT_NODE_GONE, 1, WAIT_MS), "and goes too");
    service.image.kind = LP_IMAGE_DIRECTORY;
}

static void many(uint32_t count)
{
    struct lp_err err = {0};
    service.app_count = 1;
    service.mount_count = 0;
    seen_count = 0;
    int64_t begun = now_ms();
    for (uint32_t i = 0; i < count; i++)
        (void)!order((struct what){LP_ACTION_START_NODE, i, 1, LP_NONE, 0, 0, "one\n"}, &err);
    printf("# begun after %lld ms\n", (long long)(now_ms() - begun));
    ok(wait_for(LP_EVENT_NODE_UP, count, 60000), "all are up");
    printf("# %u nodes up after %lld ms\n", count, (long long)(now_ms() - begun));
    begun = now_ms();
    seen_count = 0;
    for (uint32_t i = 0; i < count; i++)
        (void)!order((struct what){LP_ACTION_REMOVE_NODE, i, 1, LP_NONE, 0, 0, NULL}, &err);
    ok(wait_for(LP_EVENT_NODE_GONE, count, 60000), "all are gone");
    printf("# gone after %lld ms\n", (long long)(now_ms() - begun));
}

int main(int argc, char **argv)
{
    struct lp_err err = {0};
    if (argc < 4)
        return 2;
    env = (struct lp_driver_env){argv[1], "d21fe000"};
    image_path = argv[2];
    world_init();
    network_make();
    driver_open();
    ok(wait_for(LP_EVENT_DRIVERS_SYNCED, 1, 1000), "an empty folder: synced at once");
    if (strcmp(argv[3], "start") == 0 && argc > 4) {
        many((uint32_t)atoi(argv[4]));
    } else {
        test_life();
        test_walls();
        test_death();
        test_trouble();
        begin((struct what){LP_ACTION_REMOVE_NODE, 0, 4, LP_NONE, 0, 0, NULL});
        ok(wait_for(LP_EVENT_NODE_GONE, 1, WAIT_MS), "the last node is gone");
    }
    lp_driver_crun.close(self);
    if (lp_netns_remove(lp_place_netns(&env, "drive").text, &err) < 0)
        bail(&err);
    printf("1..%zu\n", tests);
    return failures > 0;
}
