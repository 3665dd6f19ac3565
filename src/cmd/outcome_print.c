// The figures of a load, for people and as JSON.
#include "cmd/outcome_print.h"

#include <inttypes.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/table.h"
#include "base/str.h"

enum { SERIES_MAX = 7 * 24 * 3600, STEPS = 300, STEP_REQUESTS = 5 };

int64_t lp_load_end_us(const struct lp_load_data *data)
{
    uint64_t arrivals = 0;
    int64_t last_us = 0;
    for (size_t i = 0; i < data->count; i++) {
        const struct lp_sample *sample = &data->samples[i];
        if (lp_ending_is_read_back(sample->ending))
            continue;
        arrivals++;
        last_us = sample->scheduled_us > last_us ? sample->scheduled_us : last_us;
    }
    return arrivals >= lp_load_total(&data->load) ? lp_load_span_us(&data->load) : last_us;
}

static struct lp_outcome_input input_of(const struct lp_load_data *data, int64_t *scratch,
                                        const struct lp_outcome_marks *marks)
{
    return (struct lp_outcome_input){
        .samples = data->samples,
        .count = data->count,
        .end_us = lp_load_end_us(data),
        .delayed_after_us = (int64_t)data->load.delayed_after_ms * 1000,
        .marks = marks ? *marks : LP_OUTCOME_NO_MARKS,
        .scratch = scratch,
    };
}

void lp_load_outcome(const struct lp_load_data *data, const struct lp_outcome_marks *marks,
                     struct lp_outcome *ret_outcome)
{
    size_t values = LP_OUTCOME_SCRATCH * (data->count + 1);
    int64_t *scratch = lp_heap_take(values * sizeof(*scratch));
    struct lp_outcome_input input = input_of(data, scratch, marks);
    lp_outcome_count(&input, ret_outcome);
    lp_heap_free(scratch);
}

static void number_add(struct lp_str *out, uint64_t number)
{
    if (number >= 1000) {
        number_add(out, number / 1000);
        lp_str_printf(out, ",%03u", (unsigned)(number % 1000));
    } else {
        lp_str_printf(out, "%u", (unsigned)number);
    }
}

static void span_add(struct lp_str *out, int64_t us)
{
    if (us < 0)
        lp_str_add(out, "-");
    else if (us < 1000 * 1000)
        lp_str_printf(out, "%" PRId64 ".%02u ms", us / 1000, (unsigned)(us % 1000 / 10));
    else
        lp_str_printf(out, "%" PRId64 ".%03u s", us / 1000000, (unsigned)(us % 1000000 / 1000));
}

static void share_add(struct lp_str *out, uint32_t ppm)
{
    lp_str_printf(out, "%u.%04u %%", ppm / 10000, ppm % 10000);
}

static void label_add(struct lp_str *out, const struct lp_cmd *cmd, const char *label)
{
    lp_str_add(out, "  ");
    lp_color_begin(out, LP_DIM, cmd->has_color);
    lp_str_printf(out, "%-14s", label);
    lp_color_end(out, LP_DIM, cmd->has_color);
}

static void spread_print(struct lp_cmd *cmd, const char *label,
                         const struct lp_outcome_spread *spread, struct lp_str *out)
{
    const struct {
        const char *name;
        int64_t us;
    } parts[] = {{"p50 ", spread->p50_us},
                 {"  p99 ", spread->p99_us},
                 {"  p99.9 ", spread->p999_us},
                 {"  max ", spread->max_us}};
    if (!spread->count)
        return;
    label_add(out, cmd, label);
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        lp_str_add(out, parts[i].name);
        span_add(out, parts[i].us);
    }
    lp_str_add(out, "\n");
}

static void failures_print(struct lp_cmd *cmd, const struct lp_outcome *outcome, struct lp_str *out)
{
    bool is_first = true;
    if (!outcome->failed)
        return;
    label_add(out, cmd, "failed");
    for (int i = 0; i < LP_END_COUNT; i++) {
        if (!lp_ending_is_failure((uint8_t)i) || !outcome->endings[i])
            continue;
        lp_str_add(out, is_first ? "" : ", ");
        number_add(out, outcome->endings[i]);
        lp_str_printf(out, " %s", lp_ending_word((uint8_t)i));
        is_first = false;
    }
    lp_str_add(out, "\n");
}

static void writes_print(struct lp_cmd *cmd, const struct lp_outcome *outcome, struct lp_str *out)
{
    const struct {
        uint64_t count;
        const char *words;
    } parts[] = {{outcome->acknowledged, " acknowledged: "},
                 {outcome->kept, " kept, "},
                 {outcome->lost, " lost, "},
                 {outcome->unread, " could not be read back\n"}};
    if (!outcome->acknowledged)
        return;
    label_add(out, cmd, "writes");
    lp_color_begin(out, outcome->lost ? LP_RED : LP_PLAIN, cmd->has_color);
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        number_add(out, parts[i].count);
        lp_str_add(out, parts[i].words);
    }
    lp_color_end(out, outcome->lost ? LP_RED : LP_PLAIN, cmd->has_color);
}

static void fault_print(struct lp_cmd *cmd, const struct lp_outcome *outcome, struct lp_str *out)
{
    const struct {
        const char *label;
        int64_t us;
    } parts[] = {{"in effect", outcome->to_effect_us},
                 {"detected", outcome->to_detect_us},
                 {"repaired", outcome->to_repair_us},
                 {"first failure", outcome->to_first_failure_us},
                 {"last failure", outcome->to_last_failure_us},
                 {"first good", outcome->to_first_good_us},
                 {"full again", outcome->to_full_us}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        if (parts[i].us < 0)
            continue;
        label_add(out, cmd, parts[i].label);
        span_add(out, parts[i].us);
        lp_str_add(out, " after the fault\n");
    }
    if (!outcome->during.count && !outcome->after.count)
        return;
    spread_print(cmd, "before", &outcome->before, out);
    spread_print(cmd, "during", &outcome->during, out);
    spread_print(cmd, "after", &outcome->after, out);
}

static void head_print(const struct lp_load_data *data, const struct lp_outcome *outcome,
                       struct lp_str *out)
{
    int64_t end_us = lp_load_end_us(data);
    uint64_t per_ks = end_us > 0 ? outcome->requests * 10000000 / (uint64_t)end_us : 0;
    number_add(out, outcome->requests);
    lp_str_printf(out, " request%s in ", outcome->requests == 1 ? "" : "s");
    span_add(out, end_us);
    lp_str_printf(out, " (%" PRIu64 ".%" PRIu64 "/s): ", per_ks / 10, per_ks % 10);
    number_add(out, outcome->good);
    lp_str_add(out, " good, ");
    number_add(out, outcome->failed);
    lp_str_add(out, " failed");
    if (outcome->delayed) {
        lp_str_add(out, ", ");
        number_add(out, outcome->delayed);
        lp_str_add(out, " of the good later than ");
        span_add(out, (int64_t)data->load.delayed_after_ms * 1000);
    }
    if (outcome->endings[LP_END_ABORTED]) {
        lp_str_add(out, ", ");
        number_add(out, outcome->endings[LP_END_ABORTED]);
        lp_str_add(out, " aborted");
    }
    lp_str_add(out, "\n");
}

void lp_outcome_print(struct lp_cmd *cmd, const struct lp_load_data *data,
                      const struct lp_outcome *outcome, struct lp_str *ret_text)
{
    head_print(data, outcome, ret_text);
    if (outcome->requests) {
        label_add(ret_text, cmd, "availability");
        share_add(ret_text, outcome->availability_ppm);
        lp_str_add(ret_text, " of the requests, ");
        share_add(ret_text, outcome->availability_seconds_ppm);
        lp_str_printf(ret_text, " of the seconds (%" PRIu64 " of %" PRIu64 ")\n",
                      outcome->good_seconds, outcome->seconds);
    }
    failures_print(cmd, outcome, ret_text);
    if (outcome->requests) {
        label_add(ret_text, cmd, "longest gap");
        span_add(ret_text, outcome->longest_gap_us);
        lp_str_add(ret_text, " without a good reply, from ");
        span_add(ret_text, outcome->longest_gap_from_us);
        lp_str_add(ret_text, " on\n");
    }
    spread_print(cmd, "latency", &outcome->latency, ret_text);
    writes_print(cmd, outcome, ret_text);
    fault_print(cmd, outcome, ret_text);
    spread_print(cmd, "own lateness", &outcome->lateness, ret_text);
    if (!data->is_whole)
        lp_str_add(ret_text,
                   "  The load was cut off: the file has no end. This is what is there.\n");
}

static void field_add(struct lp_str *out, const char *key, int64_t value)
{
    if (value < 0)
        lp_str_printf(out, "\"%s\":null,", key);
    else
        lp_str_printf(out, "\"%s\":%" PRId64 ",", key, value);
}

static void spread_add(struct lp_str *out, const char *key, const struct lp_outcome_spread *spread)
{
    lp_str_printf(out, "\"%s\":{\"count\":%" PRIu64 ",", key, spread->count);
    field_add(out, "p50_us", spread->p50_us);
    field_add(out, "p99_us", spread->p99_us);
    field_add(out, "p999_us", spread->p999_us);
    field_add(out, "max_us", spread->max_us);
    out->text[out->bytes - 1] = '}';
    lp_str_add(out, ",");
}

static void counts_add(struct lp_str *out, const struct lp_outcome *outcome)
{
    field_add(out, "requests", (int64_t)outcome->requests);
    field_add(out, "good", (int64_t)outcome->good);
    field_add(out, "failed", (int64_t)outcome->failed);
    field_add(out, "delayed", (int64_t)outcome->delayed);
    lp_str_add(out, "\"endings\":{");
    for (int i = 0; i < LP_END_COUNT; i++)
        lp_str_printf(out, "%s\"%s\":%" PRIu64, i ? "," : "", lp_ending_word((uint8_t)i),
                      outcome->endings[i]);
    lp_str_add(out, "},");
    field_add(out, "availability_ppm", outcome->requests ? (int64_t)outcome->availability_ppm : -1);
    field_add(out, "seconds", (int64_t)outcome->seconds);
    field_add(out, "good_seconds", (int64_t)outcome->good_seconds);
    field_add(out, "availability_seconds_ppm",
              outcome->requests ? (int64_t)outcome->availability_seconds_ppm : -1);
    field_add(out, "longest_gap_us", outcome->longest_gap_us);
    field_add(out, "longest_gap_from_us", outcome->longest_gap_from_us);
    lp_str_printf(out,
                  "\"writes\":{\"acknowledged\":%" PRIu64 ",\"kept\":%" PRIu64
                  ",\"acknowledged_then_lost\":%" PRIu64 ",\"unread\":%" PRIu64 "},",
                  outcome->acknowledged, outcome->kept, outcome->lost, outcome->unread);
}

static void fault_add(struct lp_str *out, const struct lp_outcome *outcome)
{
    spread_add(out, "before", &outcome->before);
    spread_add(out, "during", &outcome->during);
    spread_add(out, "after", &outcome->after);
    field_add(out, "to_effect_us", outcome->to_effect_us);
    field_add(out, "to_detect_us", outcome->to_detect_us);
    field_add(out, "to_repair_us", outcome->to_repair_us);
    field_add(out, "to_first_failure_us", outcome->to_first_failure_us);
    field_add(out, "to_last_failure_us", outcome->to_last_failure_us);
    field_add(out, "to_first_good_us", outcome->to_first_good_us);
    field_add(out, "to_full_us", outcome->to_full_us);
}

static void rows_add(struct lp_str *out, const struct lp_load_data *data, int64_t step_us,
                     size_t count)
{
    struct lp_outcome_step *rows = lp_heap_take(count * sizeof(*rows));
    int64_t *scratch = lp_heap_take(LP_OUTCOME_SCRATCH * (data->count + 1) * sizeof(*scratch));
    struct lp_outcome_input input = input_of(data, scratch, NULL);
    lp_outcome_series(&input, step_us, rows, count);
    lp_str_add(out, "[");
    for (size_t i = 0; i < count; i++) {
        lp_str_printf(out, "%s{\"offered\":%u,\"failed\":%u,\"good\":%u,", i ? "," : "",
                      rows[i].offered, rows[i].failed, rows[i].good);
        field_add(out, "p50_us", rows[i].p50_us);
        field_add(out, "p99_us", rows[i].p99_us);
        field_add(out, "max_us", rows[i].max_us);
        out->text[out->bytes - 1] = '}';
    }
    lp_str_add(out, "]");
    lp_heap_free(rows);
    lp_heap_free(scratch);
}

// Steps shorter than a second, so that a short outage is seen: about as many as a plot has room
// for, with some requests in each. 0: seconds will do.
static int64_t step_choose(int64_t end_us, size_t count)
{
    static const int64_t parts[] = {10000, 20000, 50000, 100000, 200000, 500000};
    int64_t least_us = end_us / STEPS;
    if (count == 0)
        return 0;
    if (end_us / (int64_t)count * STEP_REQUESTS > least_us)
        least_us = end_us / (int64_t)count * STEP_REQUESTS;
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        if (parts[i] >= least_us)
            return parts[i];
    return 0;
}

static void series_add(struct lp_str *out, const struct lp_load_data *data)
{
    int64_t end_us = lp_load_end_us(data);
    for (size_t i = 0; i < data->count; i++) {
        const struct lp_sample *sample = &data->samples[i];
        if (!lp_ending_is_read_back(sample->ending) && sample->answered_us >= end_us)
            end_us = sample->answered_us + 1;
    }
    size_t count = (size_t)((end_us + 999999) / 1000000);
    int64_t step_us = step_choose(end_us, data->count);
    lp_str_add(out, "\"series\":");
    rows_add(out, data, 1000000, count < SERIES_MAX ? count : SERIES_MAX);
    lp_str_add(out, ",\"steps\":");
    if (step_us) {
        lp_str_printf(out, "{\"step_us\":%" PRId64 ",\"rows\":", step_us);
        rows_add(out, data, step_us, (size_t)((end_us + step_us - 1) / step_us));
        lp_str_add(out, "},");
    } else {
        lp_str_add(out, "null,");
    }
}

void lp_outcome_print_json(const struct lp_load_data *data, const struct lp_outcome *outcome,
                           bool has_series, struct lp_str *ret_text)
{
    lp_str_printf(ret_text, "{\"run\":\"%08x\",\"is_whole\":%s,", data->header.run,
                  data->is_whole ? "true" : "false");
    field_add(ret_text, "start_wall_us", data->header.start_wall_us);
    field_add(ret_text, "end_us", lp_load_end_us(data));
    counts_add(ret_text, outcome);
    spread_add(ret_text, "latency", &outcome->latency);
    spread_add(ret_text, "own_lateness", &outcome->lateness);
    fault_add(ret_text, outcome);
    if (has_series)
        series_add(ret_text, data);
    lp_str_add(ret_text, "\"plan\":");
    lp_load_print(&data->load, ret_text);
    lp_str_add(ret_text, "}");
}
