// The image driver: one child process for each build, its progress told, its tree kept by hash.
#define _GNU_SOURCE
#include "drivers/image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "drivers/child.h"
#include "drivers/image/image_recipe.h"
#include "drivers/place.h"

enum {
    BUILDS_MAX = 2, // at a time: unpacking is bound by the disk
    BUILD_MS_MAX = 45 * 60 * 1000,
    OUTPUT_LAST_BYTES = 16 * 1024, // of a log, searched for why a build failed
    PROGRESS_BYTES_MAX = 200,
    LOOK_EVERY_MS = 300,    // at the logs of running builds
    DYING_BUILD_MS = 10000, // at open, what a killed daemon's builds may take to be gone
};

struct build {
    struct build *next;
    struct lp_arena arena;
    uint32_t image;
    struct lp_image_build plan;
    bool is_running;
    int log_fd; // the child's output; read again from here for progress
    off_t read_at;
};

struct image_driver {
    struct lp_driver_env env;
    struct lp_arena arena;
    struct lp_children *children;
    struct build *builds; // in the order of their orders
    struct lp_inbox *inbox;
    struct lp_event *told; // replies that need no build
    size_t told_count;
    bool has_synced;
    int epoll_fd, timer_fd; // the timer: look at the logs, or something waits to be told
};

// Have collect called in so many milliseconds; 0: not at all.
static void timer_set(struct image_driver *driver, int ms)
{
    struct itimerspec at = {.it_value = {ms / 1000, (long)(ms % 1000) * 1000000}};
    timerfd_settime(driver->timer_fd, 0, &at, NULL);
}

static void wake(struct image_driver *driver)
{
    timer_set(driver, 1);
}

static void build_free(struct image_driver *driver, struct build *build)
{
    for (struct build **at = &driver->builds; *at; at = &(*at)->next) {
        if (*at == build) {
            *at = build->next;
            break;
        }
    }
    if (build->log_fd >= 0)
        close(build->log_fd);
    lp_arena_release(&build->arena);
    lp_heap_free(build);
}

static void tell(struct image_driver *driver, uint32_t image, enum lp_event_kind kind,
                 const char *text)
{
    struct lp_event event;
    lp_event_init(&event, kind);
    event.image = image;
    event.text = text;
    driver->inbox->put(driver->inbox, &event);
}

// A reply for the next collect.
static void tell_later(struct image_driver *driver, uint32_t image)
{
    driver->told = lp_heap_grow(driver->told, driver->told_count + 1, sizeof(*driver->told));
    lp_event_init(&driver->told[driver->told_count], LP_EVENT_IMAGE_READY);
    driver->told[driver->told_count++].image = image;
    wake(driver);
}

static void driver_free(struct image_driver *driver)
{
    if (driver->children)
        lp_children_close(driver->children);
    while (driver->builds)
        build_free(driver, driver->builds);
    if (driver->timer_fd >= 0)
        close(driver->timer_fd);
    if (driver->epoll_fd >= 0)
        close(driver->epoll_fd);
    lp_heap_free(driver->told);
    lp_arena_release(&driver->arena);
    lp_heap_free(driver);
}

LP_MUST_CHECK static int fds_open(struct image_driver *driver, struct lp_err *err)
{
    struct epoll_event timer = {.events = EPOLLIN}, children = {.events = EPOLLIN};
    driver->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    driver->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (driver->epoll_fd < 0 || driver->timer_fd < 0 ||
        epoll_ctl(driver->epoll_fd, EPOLL_CTL_ADD, driver->timer_fd, &timer) < 0 ||
        epoll_ctl(driver->epoll_fd, EPOLL_CTL_ADD, lp_children_wait_fd(driver->children),
                  &children) < 0)
        return lp_err_set(err, LP_EIO, "epoll: %s", strerror(errno));
    return 0;
}

// Wait until no process of an earlier daemon's builds is left (they hold the lock), then remove
// what they were working on. Their mounts went with their mount namespace.
LP_MUST_CHECK static int tmp_sweep(struct image_driver *driver, struct lp_err *err)
{
    const char *cache = lp_arena_printf(&driver->arena, "%s/cache", driver->env.root);
    if (lp_dir_make(cache, 0755, err) < 0)
        return err->code;
    const char *path = lp_arena_printf(&driver->arena, "%s/builds.lock", cache);
    LP_OWNS_FD int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock < 0)
        return lp_err_set(err, LP_EIO, "open %s: %s", path, strerror(errno));
    const struct timespec pause = {.tv_nsec = 20 * 1000000};
    for (int waited_ms = 0; flock(lock, LOCK_EX | LOCK_NB) < 0; waited_ms += 20) {
        if (waited_ms > DYING_BUILD_MS)
            return lp_err_set(err, LP_ECONFLICT, "another program builds images in %s", cache);
        nanosleep(&pause, NULL);
    }
    return lp_dir_remove(lp_arena_printf(&driver->arena, "%s/tmp", cache), err);
}

static int image_open(const struct lp_driver_env *env, void **ret_self, struct lp_err *err)
{
    struct image_driver *driver = lp_heap_take(sizeof(*driver));
    driver->epoll_fd = driver->timer_fd = -1;
    driver->env.root = lp_arena_text(&driver->arena, env->root);
    driver->env.root_id = lp_arena_text(&driver->arena, env->root_id);
    int result = tmp_sweep(driver, err);
    if (result == 0)
        result = lp_children_open(&driver->children, err);
    if (result == 0)
        result = fds_open(driver, err);
    if (result < 0) {
        driver_free(driver);
        return result;
    }
    wake(driver); // there is something to tell: synced
    *ret_self = driver;
    return 0;
}

// Why the build failed, in the words of its log.
static const char *reason_of(struct build *build)
{
    char *text = lp_arena_take(&build->arena, OUTPUT_LAST_BYTES + 1);
    struct stat facts;
    off_t from = fstat(build->log_fd, &facts) == 0 && facts.st_size > OUTPUT_LAST_BYTES
                     ? facts.st_size - OUTPUT_LAST_BYTES
                     : 0;
    ssize_t bytes = pread(build->log_fd, text, OUTPUT_LAST_BYTES, from);
    text[bytes > 0 ? bytes : 0] = '\0';
    return lp_image_log_reason(text, &build->arena);
}

static void build_ended(void *context, const struct lp_child_exit *exit)
{
    struct image_driver *driver = context;
    struct build *build = driver->builds;
    while (build && !(build->is_running && build->image == exit->tag))
        build = build->next;
    if (!build)
        return;
    if (exit->status == 0) {
        tell(driver, build->image, LP_EVENT_IMAGE_READY, NULL);
    } else {
        const char *why = exit->is_timed_out ? "it took longer than 45 minutes" : reason_of(build);
        tell(driver, build->image, LP_EVENT_IMAGE_FAILED,
             lp_arena_printf(&build->arena, "%s: %s (all output: %s)", build->plan.reference, why,
                             build->plan.log_path));
    }
    build_free(driver, build);
}

// In the child, before exec: a build does not outlive its daemon.
static int die_with_parent(void *context, const char **ret_step)
{
    (void)context;
    *ret_step = "tie the build to the daemon";
    return prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? -errno : 0;
}

// The script is PID 1 of a PID namespace and has its own mounts: whatever ends it, no process and
// no mount is left behind.
static int build_spawn(struct image_driver *driver, struct build *build, struct lp_err *err)
{
    const struct lp_image_build *plan = &build->plan;
    if (lp_image_build_stage(&driver->env, plan, &build->log_fd, err) < 0)
        return err->code;
    const char *const argv[] = {
        "unshare",       "--mount",   "--pid",    "--fork",     "--kill-child",
        "--propagation", "private",   "sh",       plan->script, plan->kind,
        plan->reference, plan->cache, plan->hash, plan->recipe, NULL};
    struct lp_child_spec spec = {.argv = argv,
                                 .environment = lp_image_environment(&build->arena),
                                 .timeout_ms = BUILD_MS_MAX,
                                 .prepare = die_with_parent,
                                 .has_output_fd = true,
                                 .output_fd = build->log_fd};
    return lp_children_spawn(driver->children, &spec, build->image, NULL, err);
}

static void builds_start(struct image_driver *driver)
{
    struct build *next;
    size_t running = 0;
    for (const struct build *build = driver->builds; build; build = build->next)
        running += build->is_running;
    for (struct build *build = driver->builds; build && running < BUILDS_MAX; build = next) {
        struct lp_err err;
        next = build->next;
        if (build->is_running)
            continue;
        build->is_running = true;
        running++;
        if (build_spawn(driver, build, &err) < 0) {
            tell(driver, build->image, LP_EVENT_IMAGE_FAILED, err.text);
            build_free(driver, build);
            running--;
        }
    }
}

// Lines "progress: ..." that were added to the log since the last look; only the newest is told.
static void progress_tell(struct image_driver *driver, struct build *build)
{
    char chunk[4096], newest[PROGRESS_BYTES_MAX] = "";
    ssize_t bytes;
    while ((bytes = pread(build->log_fd, chunk, sizeof(chunk) - 1, build->read_at)) > 0) {
        chunk[bytes] = '\0';
        char *end = memrchr(chunk, '\n', (size_t)bytes);
        if (!end && bytes == (ssize_t)sizeof(chunk) - 1) {
            build->read_at += bytes; // a line longer than this is no progress line
            continue;
        }
        if (!end)
            break;
        *end = '\0';
        build->read_at += end - chunk + 1;
        char *rest = chunk;
        for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
            if (lp_text_starts(line, "progress: "))
                snprintf(newest, sizeof(newest), "%s", line + strlen("progress: "));
    }
    if (newest[0])
        tell(driver, build->image, LP_EVENT_IMAGE_PROGRESS,
             lp_arena_printf(&build->arena, "%s: %s", build->plan.reference, newest));
}

static int image_collect(void *self, struct lp_inbox *inbox, struct lp_err *err)
{
    (void)err;
    struct image_driver *driver = self;
    uint64_t times;
    driver->inbox = inbox;
    (void)!read(driver->timer_fd, &times, sizeof(times));
    if (!driver->has_synced) {
        struct lp_event event;
        lp_event_init(&event, LP_EVENT_DRIVERS_SYNCED);
        inbox->put(inbox, &event);
        driver->has_synced = true;
    }
    for (size_t i = 0; i < driver->told_count; i++)
        inbox->put(inbox, &driver->told[i]);
    driver->told_count = 0;
    for (struct build *build = driver->builds; build; build = build->next)
        if (build->is_running)
            progress_tell(driver, build);
    lp_children_collect(driver->children, build_ended, driver);
    builds_start(driver);
    if (driver->builds)
        timer_set(driver, LOOK_EVERY_MS);
    return 0;
}

static int image_begin(void *self, const struct lp_order *order, struct lp_err *err)
{
    struct image_driver *driver = self;
    uint32_t image = order->action.image;
    for (const struct build *build = driver->builds; build; build = build->next)
        if (build->image == image)
            return 0; // begun before: its reply will come
    bool is_ready;
    if (lp_image_look(&driver->env, order->image, &is_ready, err) < 0)
        return err->code;
    if (is_ready) {
        tell_later(driver, image);
        return 0;
    }
    struct build *build = lp_heap_take(sizeof(*build));
    build->image = image;
    build->log_fd = -1;
    if (lp_image_build_plan(&driver->env, order->image, &build->arena, &build->plan, err) < 0) {
        lp_arena_release(&build->arena);
        lp_heap_free(build);
        return err->code;
    }
    struct build **end = &driver->builds;
    while (*end)
        end = &(*end)->next;
    *end = build;
    wake(driver);
    return 0;
}

static int image_wait_fd(void *self)
{
    return ((struct image_driver *)self)->epoll_fd;
}

static void image_close(void *self)
{
    driver_free(self);
}

const struct lp_driver lp_driver_image = {
    .name = "image",
    .action_kinds = (uint64_t)1 << LP_ACTION_ENSURE_IMAGE,
    .open = image_open,
    .begin = image_begin,
    .collect = image_collect,
    .wait_fd = image_wait_fd,
    .close = image_close,
};
