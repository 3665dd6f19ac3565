// `limpet simulate`: worlds made of numbers, and their judge.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/verb.h"
#include "base/clock.h"
#include "sim/sim.h"

enum { HOURS_MAX = 24 * 366 };

LP_MUST_CHECK static int seed_read(struct lp_cmd *cmd, uint64_t *ret_seed)
{
    const char *text = lp_option_value(cmd, "seed");
    char *end = NULL;
    errno = 0;
    *ret_seed = text ? strtoull(text, &end, 10) : 1;
    if (text && (text[0] < '0' || text[0] > '9' || *end || errno))
        return lp_err_set(&cmd->err, LP_EINPUT, "--seed: '%s' is not a number", text);
    return 0;
}

LP_MUST_CHECK static int hours_read(struct lp_cmd *cmd, int64_t *ret_span_ms)
{
    const char *text = lp_option_value(cmd, "hours");
    char *end = NULL;
    double hours = text ? strtod(text, &end) : 0;
    if (text && (end == text || *end || !(hours > 0 && hours <= HOURS_MAX)))
        return lp_err_set(&cmd->err, LP_EINPUT, "--hours: '%s' is not a number above 0, up to %d",
                          text, HOURS_MAX);
    *ret_span_ms = (int64_t)(hours * 3600000);
    return 0;
}

LP_MUST_CHECK static int config_read(struct lp_cmd *cmd, struct lp_sim_config *config,
                                     long *ret_count)
{
    long hosts = 0, nodes = 0;
    const char *text;
    *ret_count = 1;
    if (seed_read(cmd, &config->seed) < 0 || hours_read(cmd, &config->span_ms) < 0)
        return cmd->err.code;
    text = lp_option_value(cmd, "count");
    if (text && lp_number_parse(text, 1, 1000000000, "--count", ret_count, &cmd->err) < 0)
        return cmd->err.code;
    text = lp_option_value(cmd, "hosts");
    if (text && lp_number_parse(text, 1, 1000, "--hosts", &hosts, &cmd->err) < 0)
        return cmd->err.code;
    text = lp_option_value(cmd, "nodes");
    if (text && lp_number_parse(text, 1, 100000, "--nodes", &nodes, &cmd->err) < 0)
        return cmd->err.code;
    config->hosts = (uint32_t)hosts;
    config->nodes = (uint32_t)nodes;
    config->trace = lp_option_is_given(cmd, "trace") ? stdout : NULL;
    return 0;
}

static void report_print(const struct lp_cmd *cmd, const struct lp_sim_config *config,
                         const struct lp_sim_report *report, double seconds)
{
    double rate = seconds > 0 ? (double)report->simulated_ms / 1000 / seconds : 0;
    if (cmd->is_json) {
        printf("{\"seed\":%" PRIu64 ",\"trace\":\"%016" PRIx64 "\",\"simulated_ms\":%" PRId64
               ",\"records\":%" PRIu64 ",\"orders\":%" PRIu64 ",\"crashes\":%" PRIu64
               ",\"faults\":%" PRIu64 ",\"requests\":%" PRIu64 ",\"rate\":%.0f,\"ok\":%s}\n",
               config->seed, report->trace_hash, report->simulated_ms, report->records,
               report->orders, report->crashes, report->faults, report->requests, rate,
               report->failure[0] ? "false" : "true");
        return;
    }
    if (cmd->is_quiet)
        return;
    printf("seed %-8" PRIu64 " trace %016" PRIx64 "  %5.1f h  %7" PRIu64 " records  %6" PRIu64
           " orders  %5" PRIu64 " faults  %4" PRIu64 " crashes  %8.0f s/s  %s\n",
           config->seed, report->trace_hash, (double)report->simulated_ms / 3600000,
           report->records, report->orders, report->faults, report->crashes, rate,
           report->failure[0] ? "BROKEN" : "ok");
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    (void)argc, (void)argv;
    struct lp_sim_config config = {0};
    struct lp_sim_report *report = lp_arena_new(cmd->arena, struct lp_sim_report);
    long count = 1;
    if (config_read(cmd, &config, &count) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    for (uint64_t first = config.seed; config.seed < first + (uint64_t)count; config.seed++) {
        int64_t start_us = lp_monotonic_us();
        int code = lp_sim_run(&config, report, &cmd->err);
        if (code == LP_EINPUT)
            return lp_cmd_fail(cmd, &cmd->err);
        report_print(cmd, &config, report, (double)(lp_monotonic_us() - start_us) / 1e6);
        fflush(stdout);
        if (code < 0) {
            fprintf(stderr, "%s\n", report->failure[0] ? report->failure : cmd->err.text);
            return LP_EXIT_FAILED;
        }
    }
    return LP_EXIT_DONE;
}

static const struct lp_option options[] = {
    {"seed", 0, "N", "the number that the world is made of (default 1)"},
    {"count", 0, "M", "so many worlds: N, N+1, ..."},
    {"hosts", 0, "H", "machines (default 1)"},
    {"nodes", 0, "K", "about so many nodes at a time (default 6)"},
    {"hours", 0, "T", "simulated hours (default 1)"},
    {"trace", 0, NULL, "print every line of the trace"},
    {0},
};

const struct lp_verb lp_verb_simulate = {
    .name = "simulate",
    .summary = "Run the controller in a simulated world full of faults, and judge it",
    .usage = "[--seed N] [--count M] [--hosts H] [--nodes K] [--hours T] [--trace]",
    .help =
        "One line a world: its seed, the hash of its trace (the same for the same seed on every\n"
        "machine), what happened in it, simulated seconds per second. When a law is broken, it\n"
        "is told with the command that replays it, and the exit status is 1.",
    .options = options,
    .run = run,
};
