// `limpet load`: requests at fixed times, and the figures of what came of them.
#define _GNU_SOURCE // syscall
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd/load_plan.h"
#include "cmd/outcome_print.h"
#include "cmd/table.h"
#include "cmd/verb.h"
#include "drivers/load/load.h"
#include "model/duration.h"
#include "base/handover.h"
#include "base/own.h"
#include "base/str.h"

enum {
    TURN_MS = 100,
    RECENT = 2000,
    FAIL_ABOVE_PPM = 10000,
    SLICE_NS = 100 * 1000,
};

static volatile sig_atomic_t stops; // asked for by a person, or by whoever started it

static void stop_note(int number)
{
    (void)number;
    stops = stops + 1;
}

static void signals_watch(void)
{
    struct sigaction action = {.sa_handler = stop_note};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

// A generator that comes late measures itself: it asks to run briefly but soon, and to be woken on
// time. It asks for no precedence: with real-time priority it takes the processor from the service
// that is being measured at each of its replies, and makes it slower tenfold. Without short slices
// (Linux before 6.12) it is as good as it gets, and its lateness tells.
static void punctual_be(void)
{
    struct sched_attr soon = {.size = sizeof(soon),
                              .sched_policy = SCHED_NORMAL,
                              .sched_nice = getpriority(PRIO_PROCESS, 0),
                              .sched_runtime = SLICE_NS};
    syscall(SYS_sched_setattr, 0, &soon, 0);
    prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
}

// The 99th percentile of the latest good replies.
static int64_t recent_p99_us(const struct lp_load_run *run)
{
    int64_t latencies[RECENT], spare[RECENT];
    size_t total, count = 0;
    const struct lp_sample *samples = lp_load_samples(run, &total);
    for (size_t i = total; i > 0 && total - i < RECENT; i--)
        if (samples[i - 1].ending == LP_END_GOOD)
            latencies[count++] = samples[i - 1].answered_us - samples[i - 1].scheduled_us;
    lp_outcome_sort(latencies, count, spare);
    return lp_outcome_percentile(latencies, count, 990);
}

static void progress_draw(const struct lp_load *load, const struct lp_load_run *run)
{
    struct lp_load_counts counts;
    int64_t now_us = lp_load_now_us(run);
    lp_load_count(run, &counts);
    if (counts.is_reading_back) {
        printf("\r\033[Kreading back: %llu of %llu acknowledged writes",
               (unsigned long long)counts.read_back, (unsigned long long)counts.acknowledged);
    } else {
        int64_t p99_us = recent_p99_us(run);
        printf("\r\033[K%lld s of %lld s  %u/s  %llu good  %llu failed  %llu outstanding",
               (long long)(now_us / 1000000), (long long)(lp_load_span_us(load) / 1000000),
               lp_load_rate_permille(load, now_us) / 1000, (unsigned long long)counts.good,
               (unsigned long long)counts.failed, (unsigned long long)counts.outstanding);
        if (p99_us >= 0)
            printf("  p99 %lld.%02lld ms", (long long)(p99_us / 1000),
                   (long long)(p99_us % 1000 / 10));
    }
    fflush(stdout);
}

LP_MUST_CHECK static int generate(struct lp_cmd *cmd, const struct lp_load *load,
                                  struct lp_load_run *run)
{
    bool is_drawing = cmd->is_terminal && !cmd->is_json && !cmd->is_quiet;
    int stopped = 0, code;
    while ((code = lp_load_turn(run, TURN_MS, &cmd->err)) > 0) {
        for (; stopped < stops; stopped++)
            lp_load_stop(run);
        if (is_drawing)
            progress_draw(load, run);
    }
    if (is_drawing)
        printf("\r\033[K");
    return code;
}

static void data_show(struct lp_cmd *cmd, const struct lp_load_data *data,
                      const struct lp_outcome *outcome)
{
    LP_OWNS_STR struct lp_str text = {0};
    if (cmd->is_json) {
        lp_outcome_print_json(data, outcome, lp_option_is_given(cmd, "series"), &text);
        puts(lp_str_text(&text));
    } else if (!cmd->is_quiet) {
        lp_outcome_print(cmd, data, outcome, &text);
        fputs(lp_str_text(&text), stdout);
    }
}

// "1%", "0.5 %", "2".
LP_MUST_CHECK static int bound_read(struct lp_cmd *cmd, uint32_t *ret_ppm)
{
    const char *text = lp_option_value(cmd, "fail-above");
    uint32_t permille = 0;
    *ret_ppm = FAIL_ABOVE_PPM;
    if (!text)
        return 0;
    const char *number = lp_arena_text_n(cmd->arena, text, strcspn(text, " %"));
    const char *rest = text + strlen(number);
    rest += strspn(rest, " ");
    if (!lp_permille_parse(number, &permille) || permille > 100000 ||
        (*rest && strcmp(rest, "%") != 0))
        return lp_err_set(&cmd->err, LP_EINPUT, "--fail-above: '%s' is not a share such as 1%%",
                          text);
    *ret_ppm = permille * 10;
    return 0;
}

static int status_of(const struct lp_outcome *outcome, uint32_t bound_ppm)
{
    bool has_failed = outcome->failed * 1000000 > outcome->requests * (uint64_t)bound_ppm;
    if (has_failed)
        fprintf(stderr, "limpet load: more than %u.%04u %% of the requests failed\n",
                bound_ppm / 10000, bound_ppm % 10000);
    if (outcome->lost)
        fprintf(stderr, "limpet load: %llu acknowledged writes are lost\n",
                (unsigned long long)outcome->lost);
    return has_failed || outcome->lost ? LP_EXIT_FAILED : LP_EXIT_DONE;
}

static int load_run(struct lp_cmd *cmd, int argc, char **argv)
{
    struct lp_load load;
    struct lp_load_run *run;
    struct lp_outcome outcome;
    uint32_t bound_ppm;
    if (bound_read(cmd, &bound_ppm) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    int status = lp_load_plan_read(cmd, argc - 1, argv + 1, &load);
    if (status != LP_EXIT_DONE)
        return status;
    const char *out = lp_option_value(cmd, "out");
    if (out && lp_handover_check_file(out, &cmd->err) < 0) {
        (void)lp_err_wrap(&cmd->err, "--out");
        return lp_cmd_fail(cmd, &cmd->err);
    }
    signals_watch();
    punctual_be();
    if (lp_load_open(&load, out, &run, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    int code = generate(cmd, &load, run);
    struct lp_load_data data = {.header = *lp_load_started(run), .load = load, .is_whole = true};
    const struct lp_sample *samples = lp_load_samples(run, &data.count);
    data.samples = lp_heap_grow(NULL, data.count + 1, sizeof(*samples));
    memcpy(data.samples, samples, data.count * sizeof(*samples));
    data.end_us = lp_load_now_us(run);
    struct lp_err close_err = {0};
    if (lp_load_close(run, &close_err) < 0 && code >= 0) {
        code = close_err.code;
        cmd->err = close_err;
    }
    lp_load_outcome(&data, NULL, &outcome);
    data_show(cmd, &data, &outcome);
    lp_load_data_release(&data);
    return code < 0 ? lp_cmd_fail(cmd, &cmd->err) : status_of(&outcome, bound_ppm);
}

// A mark: how long after the start of the load something happened; -1 when it is not given.
LP_MUST_CHECK static int mark_read(struct lp_cmd *cmd, const char *option, int64_t *ret_us)
{
    const char *text = lp_option_value(cmd, option);
    uint32_t ms;
    *ret_us = -1;
    if (!text)
        return 0;
    if (!lp_duration_parse(text, &ms))
        return lp_err_set(&cmd->err, LP_EINPUT, "--%s: '%s' is not a time such as 12.5s", option,
                          text);
    *ret_us = (int64_t)ms * 1000;
    return 0;
}

static int show_run(struct lp_cmd *cmd, int argc, char **argv)
{
    struct lp_load_data data;
    struct lp_outcome outcome;
    struct lp_outcome_marks marks;
    if (argc != 3) {
        lp_err_set(&cmd->err, LP_EINPUT, "show what? One file that --out has written");
        return lp_cmd_fail(cmd, &cmd->err);
    }
    if (mark_read(cmd, "fault-at", &marks.fault_us) < 0 ||
        mark_read(cmd, "effect-at", &marks.effect_us) < 0 ||
        mark_read(cmd, "detected-at", &marks.detected_us) < 0 ||
        mark_read(cmd, "repaired-at", &marks.repaired_us) < 0 ||
        lp_load_file_read(argv[2], cmd->arena, &data, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    lp_load_outcome(&data, &marks, &outcome);
    data_show(cmd, &data, &outcome);
    lp_load_data_release(&data);
    return LP_EXIT_DONE;
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "show") == 0)
        return show_run(cmd, argc, argv);
    return load_run(cmd, argc, argv);
}

static const struct lp_option options[] = {
    {"rate", 0, "N", "constant: requests a second"},
    {"for", 0, "TIME", "constant: how long"},
    {"profile", 0, "WORD", "constant, pyramid or steps; follows from the other options"},
    {"peak", 0, "N", "pyramid: requests a second at the top"},
    {"up", 0, "TIME", "pyramid: from 0 to the peak"},
    {"hold", 0, "TIME", "pyramid: at the peak"},
    {"down", 0, "TIME", "pyramid: back to 0"},
    {"step", 0, "N[-N]:TIME", "steps: a rate, or from one to another; again for more"},
    {"method", 0, "WORD", "GET, or POST when there is a body"},
    {"header", 0, "NAME: VALUE", "sent with each request; again for more"},
    {"data", 'd', "TEXT|@FILE", "the body; {{id}} is the write's id"},
    {"expect-status", 0, "LIST", "good statuses (default 200-399): 200,404 or 2xx"},
    {"expect-body", 0, "TEXT", "a good reply has this in it"},
    {"expect-regex", 0, "REGEX", "or matches this"},
    {"read", 0, "URL|PATH", "read back each acknowledged write at the end; with {{id}}"},
    {"read-body", 0, "TEXT", "what is read back has this in it"},
    {"read-within", 0, "TIME", "read again so long while it is not found (default 10s)"},
    {"timeout", 0, "TIME", "of a request (default 10s)"},
    {"delayed-after", 0, "TIME", "a good reply later than this is told apart (default 1s)"},
    {"connections", 0, "N", "at most, to one address (default 256)"},
    {"outstanding", 0, "N", "at most, without an answer (default 10000)"},
    {"no-keep-alive", 0, NULL, "a connection for each request"},
    {"plan", 0, "FILE", "the plan as YAML, in place of all of the above"},
    {"out", 0, "FILE", "write what came of each request"},
    {"fail-above", 0, "SHARE", "exit with 1 when more failed (default 1%)"},
    {"series", 0, NULL, "with -o json: second by second, too"},
    {"fault-at", 0, "TIME", "show: when the fault was injected, from the start"},
    {"effect-at", 0, "TIME", "show: when it was in effect"},
    {"detected-at", 0, "TIME", "show: when it was detected"},
    {"repaired-at", 0, "TIME", "show: when it was repaired"},
    {0},
};

const struct lp_verb lp_verb_load = {
    .name = "load",
    .summary = "Send requests at fixed times and count what came of them",
    .usage = "TARGET... --rate N --for TIME [OPTIONS]\n"
             "TARGET... --peak N --up TIME --hold TIME --down TIME [OPTIONS]\n"
             "--plan FILE [OPTIONS]\n"
             "show FILE [OPTIONS]",
    .help =
        "TARGET: http://HOST:PORT/PATH, HOST:PORT/PATH, or [INFRASTRUCTURE/]SERVICE[:PORT]/PATH,\n"
        "found through the port that the service publishes. Open loop: the times follow from\n"
        "the plan alone, and latency is counted from them. Ctrl-C ends the load and tells the\n"
        "figures; twice, at once. Exit status: 1 when too many requests failed or an\n"
        "acknowledged write is lost.",
    .options = options,
    .run = run,
    .most = -1,
};
