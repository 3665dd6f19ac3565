// The fault "clock": the page of the node is set, and a process in the node is asked what it sees.
// The undo: the page says that the clocks are right. What a drift has added to the monotonic clock
// stays, since that clock must not go back.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "drivers/fault/clock_page.h"
#include "drivers/fault/fault_parts.h"
#include "drivers/crun/init_exec.h"
#include "drivers/place.h"

enum { PROCESSES_MAX = 1024, MAPS_MAX = 4 * 1024 * 1024, PATH_BYTES = 512 };

static struct lp_place page_of(const struct lp_faults *faults, const struct lp_fault_job *job)
{
    return lp_place_node_file(&faults->env, job->mark.infra_name, job->mark.name, "clock");
}

// The loader among what a process has mapped: "/usr/lib/.../ld-linux-x86-64.so.2", as the node
// names it.
static bool loader_find(const char *maps, char ret_path[PATH_BYTES])
{
    for (const char *line = maps; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        size_t bytes = strcspn(line, "\n"), at = strcspn(line, "/\n");
        const char *path = line + at, *name = path;
        for (const char *c = path; c < line + bytes; c++)
            name = *c == '/' ? c + 1 : name;
        if (at >= bytes || bytes - at >= PATH_BYTES || !lp_text_starts(name, "ld"))
            continue;
        if (!lp_text_starts(name, "ld-") && !lp_text_starts(name, "ld.so") &&
            !lp_text_starts(name, "ld64"))
            continue;
        snprintf(ret_path, PATH_BYTES, "%.*s", (int)(bytes - at), path);
        return true;
    }
    return false;
}

struct reached { // of the node's processes
    size_t all, with_library;
    char loader[PATH_BYTES]; // of the first that has the library
};

static void reached_count(const struct lp_faults *faults, const struct lp_fault_job *job,
                          struct reached *ret_reached)
{
    static pid_t pids[PROCESSES_MAX];
    *ret_reached = (struct reached){.all = lp_fault_processes(faults, job, pids, PROCESSES_MAX)};
    for (size_t i = 0; i < ret_reached->all; i++) {
        char path[64];
        LP_OWNS_STR struct lp_str maps = {0};
        snprintf(path, sizeof(path), "/proc/%d/maps", (int)pids[i]);
        if (lp_file_read(path, MAPS_MAX, &maps, NULL) < 0 ||
            !strstr(lp_str_text(&maps), LP_CLOCK_LIBRARY_IN_NODE))
            continue;
        if (ret_reached->loader[0] || loader_find(lp_str_text(&maps), ret_reached->loader))
            ret_reached->with_library++;
    }
}

static int clock_prepare(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    pid_t pid;
    struct lp_clock_setting setting;
    struct reached reached;
    if (lp_fault_node_pid(faults, job, &pid, err) < 0)
        return err->code;
    int result = lp_clock_page_read(page_of(faults, job).text, &setting, err);
    if (result == LP_ENOTFOUND)
        return lp_err_set(err, LP_EUNSUPPORTED,
                          "%s was started without `clock: adjustable` in its descriptor",
                          job->mark.name);
    if (result < 0)
        return result;
    if (setting.fault && setting.fault != job->number)
        return lp_err_set(err, LP_ECONFLICT, "its clock is set by the fault f%llu already",
                          (unsigned long long)setting.fault);
    reached_count(faults, job, &reached);
    if (reached.with_library == 0)
        return lp_err_set(err, LP_EUNSUPPORTED,
                          "none of the %zu processes of %s can be told another time: they are "
                          "static programs, or cleared LD_PRELOAD",
                          reached.all, job->mark.name);
    return 0;
}

static struct lp_clock_setting setting_of(const struct lp_clock_setting *before,
                                          const struct lp_fault_job *job)
{
    int64_t anchor_ns = lp_clock_ns(CLOCK_MONOTONIC);
    return (struct lp_clock_setting){.fault = job->number,
                                     .anchor_ns = anchor_ns,
                                     .real_ns = job->spec.clock_ms * 1000000,
                                     .monotonic_ns =
                                         before->monotonic_ns + lp_clock_gain(before, anchor_ns),
                                     .drift_ppm = job->spec.drift_ppm};
}

static int probe_start(const struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    struct reached reached;
    reached_count(faults, job, &reached);
    const char *argv[] = {reached.loader, LP_CLOCK_PROBE_IN_NODE};
    const struct lp_exec_request request = {.argv = {argv, sizeof(argv) / sizeof(argv[0])},
                                            .is_inheriting = true,
                                            .timeout_ms = LP_FAULT_COMMAND_MS};
    json_object_set_new(job->undo, "all", json_integer((json_int_t)reached.all));
    json_object_set_new(job->undo, "reached", json_integer((json_int_t)reached.with_library));
    if (!reached.loader[0])
        return lp_err_set(err, LP_EUNSUPPORTED, "no process of %s has the clock library",
                          job->mark.name);
    return lp_fault_command_start(faults, job, &request, err);
}

static int clock_inject(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    struct lp_clock_setting setting;
    struct lp_place page = page_of(faults, job);
    if (lp_clock_page_read(page.text, &setting, err) < 0)
        return err->code;
    if (setting.fault != job->number) { // not when it is ordered again: it would jump anew
        setting = setting_of(&setting, job);
        if (lp_clock_page_write(page.text, &setting, err) < 0)
            return err->code;
    }
    // The node's clocks when the probe was begun: what it sees lies between this and the end.
    int64_t monotonic_ns = lp_clock_ns(CLOCK_MONOTONIC);
    int64_t gain_ns = lp_clock_gain(&setting, monotonic_ns);
    json_object_set_new(job->undo, "real_ns",
                        json_integer(lp_clock_ns(CLOCK_REALTIME) + setting.real_ns + gain_ns));
    json_object_set_new(job->undo, "monotonic_ns",
                        json_integer(monotonic_ns + setting.monotonic_ns + gain_ns));
    return probe_start(faults, job, err);
}

static int64_t note_of(const struct lp_fault_job *job, const char *key)
{
    return json_integer_value(json_object_get(job->undo, key));
}

// Is what the probe has seen what it should see?
static int answer_judge(const struct lp_faults *faults, const struct lp_fault_job *job,
                        const char *answer, struct lp_err *err)
{
    struct lp_clock_setting setting;
    long long real_ns = 0, monotonic_ns = 0;
    unsigned long long fault = 0;
    if (sscanf(answer, "%lld %lld %llu", &real_ns, &monotonic_ns, &fault) != 3)
        return lp_err_set(err, LP_EIO, "the clock probe in %s says nothing", job->mark.name);
    if (lp_clock_page_read(page_of(faults, job).text, &setting, err) < 0)
        return err->code;
    int64_t now_monotonic_ns = lp_clock_ns(CLOCK_MONOTONIC);
    int64_t gain_ns = lp_clock_gain(&setting, now_monotonic_ns);
    bool is_seen = fault == job->number && real_ns >= note_of(job, "real_ns") &&
                   real_ns <= lp_clock_ns(CLOCK_REALTIME) + setting.real_ns + gain_ns &&
                   monotonic_ns >= note_of(job, "monotonic_ns") &&
                   monotonic_ns <= now_monotonic_ns + setting.monotonic_ns + gain_ns;
    return is_seen ? 0
                   : lp_err_set(err, LP_EIO, "a process in %s does not see the clock that was set",
                                job->mark.name);
}

static int clock_look(struct lp_faults *faults, struct lp_fault_job *job, struct lp_str *ret_seen,
                      struct lp_err *err)
{
    LP_OWNS_STR struct lp_str answer = {0};
    if (!job->command)
        return lp_err_set(err, LP_EIO, "its probe is gone");
    int result = lp_fault_command_look(job, &answer, err);
    if (result < 0)
        return lp_err_wrap(err, "the clock probe");
    if (result == 0)
        return 0;
    if (answer_judge(faults, job, lp_str_text(&answer), err) < 0)
        return err->code;
    int64_t reached = note_of(job, "reached"), all = note_of(job, "all");
    lp_str_printf(ret_seen, "%lld of its %lld process%s see%s it%s", (long long)reached,
                  (long long)all, all == 1 ? "" : "es", reached == 1 ? "s" : "",
                  reached < all ? ", the others the machine's clock" : "");
    return 1;
}

static int clock_undo(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    pid_t pid;
    struct lp_clock_setting setting;
    struct lp_place page = page_of(faults, job);
    lp_fault_command_drop(job);
    if (lp_fault_node_pid(faults, job, &pid, err) < 0)
        return 0; // gone with that life; a new one begins with a new page
    int result = lp_clock_page_read(page.text, &setting, err);
    if (result == LP_ENOTFOUND || result == LP_ECORRUPT) // nobody goes by it
        return 0;
    if (result == 0 && setting.fault != job->number)
        return 0;
    int64_t anchor_ns = lp_clock_ns(CLOCK_MONOTONIC);
    setting = (struct lp_clock_setting){.anchor_ns = anchor_ns,
                                        .monotonic_ns = setting.monotonic_ns +
                                                        lp_clock_gain(&setting, anchor_ns)};
    return result < 0 ? result : lp_clock_page_write(page.text, &setting, err);
}

const struct lp_fault_hand lp_fault_hand_clock = {
    .prepare = clock_prepare,
    .inject = clock_inject,
    .look = clock_look,
    .undo = clock_undo,
};
