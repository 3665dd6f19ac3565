// The figures of one run under load.
#include "core/outcome.h"

#include <string.h>

enum { SECOND_US = 1000000 };

void lp_outcome_sort(int64_t *values, size_t count, int64_t *spare)
{
    static const uint64_t sign = (uint64_t)1 << 63; // negative values come first
    int64_t *from = values, *to = spare;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        size_t starts[256] = {0}, sum = 0;
        for (size_t i = 0; i < count; i++)
            starts[(((uint64_t)from[i] ^ sign) >> shift) & 0xff]++;
        if (count == 0 || starts[(((uint64_t)from[0] ^ sign) >> shift) & 0xff] == count)
            continue;
        for (size_t i = 0; i < 256; i++) {
            size_t here = starts[i];
            starts[i] = sum;
            sum += here;
        }
        for (size_t i = 0; i < count; i++)
            to[starts[(((uint64_t)from[i] ^ sign) >> shift) & 0xff]++] = from[i];
        int64_t *old = from;
        from = to;
        to = old;
    }
    if (from != values)
        memcpy(values, from, count * sizeof(*values));
}

int64_t lp_outcome_percentile(const int64_t *sorted, size_t count, uint32_t permille)
{
    if (count == 0)
        return -1;
    size_t rank = (size_t)(((uint64_t)count * permille + 999) / 1000);
    return sorted[rank ? rank - 1 : 0];
}

static struct lp_outcome_spread spread_of(int64_t *values, size_t count, int64_t *spare)
{
    lp_outcome_sort(values, count, spare);
    return (struct lp_outcome_spread){
        .count = count,
        .p50_us = lp_outcome_percentile(values, count, 500),
        .p99_us = lp_outcome_percentile(values, count, 990),
        .p999_us = lp_outcome_percentile(values, count, 999),
        .max_us = lp_outcome_percentile(values, count, 1000),
    };
}

static bool is_request(const struct lp_sample *sample)
{
    return sample->ending == LP_END_GOOD || lp_ending_is_failure(sample->ending);
}

static uint32_t share_ppm(uint64_t part, uint64_t whole)
{
    return whole ? (uint32_t)(part * 1000000 / whole) : 0;
}

static void endings_count(const struct lp_outcome_input *input, struct lp_outcome *outcome)
{
    for (size_t i = 0; i < input->count; i++) {
        const struct lp_sample *sample = &input->samples[i];
        if (sample->ending >= LP_END_COUNT)
            continue;
        bool is_good = sample->ending == LP_END_GOOD;
        outcome->endings[sample->ending]++;
        outcome->good += is_good;
        outcome->failed += lp_ending_is_failure(sample->ending);
        outcome->acknowledged += is_good && sample->write;
        outcome->delayed +=
            is_good && sample->answered_us - sample->scheduled_us > input->delayed_after_us;
    }
    outcome->requests = outcome->good + outcome->failed;
    outcome->availability_ppm = share_ppm(outcome->good, outcome->requests);
    outcome->kept = outcome->endings[LP_END_KEPT];
    outcome->lost = outcome->endings[LP_END_LOST];
    uint64_t read = outcome->kept + outcome->lost;
    outcome->unread = outcome->acknowledged > read ? outcome->acknowledged - read : 0;
}

// Scheduled times with their lowest bit saying whether the request failed, sorted.
static void seconds_count(const struct lp_outcome_input *input, struct lp_outcome *outcome)
{
    int64_t *values = input->scratch, *spare = input->scratch + input->count;
    size_t count = 0;
    for (size_t i = 0; i < input->count; i++)
        if (is_request(&input->samples[i]))
            values[count++] =
                input->samples[i].scheduled_us * 2 + (input->samples[i].ending != LP_END_GOOD);
    lp_outcome_sort(values, count, spare);
    for (size_t i = 0; i < count;) {
        int64_t second = values[i] / 2 / SECOND_US;
        bool is_good = true;
        for (; i < count && values[i] / 2 / SECOND_US == second; i++)
            is_good = is_good && values[i] % 2 == 0;
        outcome->seconds++;
        outcome->good_seconds += is_good;
    }
    outcome->availability_seconds_ppm = share_ppm(outcome->good_seconds, outcome->seconds);
}

// The times at which good replies arrived, sorted; returns how many.
static size_t answers_sort(const struct lp_outcome_input *input, int64_t *values, int64_t *spare)
{
    size_t count = 0;
    for (size_t i = 0; i < input->count; i++)
        if (input->samples[i].ending == LP_END_GOOD)
            values[count++] = input->samples[i].answered_us;
    lp_outcome_sort(values, count, spare);
    return count;
}

static size_t arrivals_sort(const struct lp_outcome_input *input, int64_t *values, int64_t *spare)
{
    size_t count = 0;
    for (size_t i = 0; i < input->count; i++)
        if (is_request(&input->samples[i]))
            values[count++] = input->samples[i].scheduled_us;
    lp_outcome_sort(values, count, spare);
    return count;
}

static void gap_take(struct lp_outcome *outcome, int64_t from_us, int64_t to_us)
{
    if (to_us - from_us <= outcome->longest_gap_us)
        return;
    outcome->longest_gap_us = to_us - from_us;
    outcome->longest_gap_from_us = from_us;
}

static void gaps_count(const struct lp_outcome_input *input, const int64_t *answers, size_t count,
                       struct lp_outcome *outcome)
{
    int64_t from_us = INT64_MAX;
    for (size_t i = 0; i < input->count; i++)
        if (is_request(&input->samples[i]) && input->samples[i].scheduled_us < from_us)
            from_us = input->samples[i].scheduled_us;
    if (from_us == INT64_MAX)
        return;
    for (size_t i = 0; i < count; i++) {
        gap_take(outcome, from_us, answers[i]);
        from_us = answers[i];
    }
    gap_take(outcome, from_us, input->end_us);
}

// Since when the fault was in effect, as far as is known.
static int64_t effect_us(const struct lp_outcome_marks *marks)
{
    return marks->effect_us > marks->fault_us ? marks->effect_us : marks->fault_us;
}

struct times { // sorted
    const int64_t *items;
    size_t count;
};

// Each good reply from since_us on begins a window; both edges of it only move forwards. Returns
// -1 when none is full.
static int64_t full_find(const struct lp_outcome_input *input, const struct times *answers,
                         const struct times *arrivals, int64_t since_us)
{
    size_t answer_end = 0, arrival_start = 0, arrival_end = 0;
    for (size_t i = 0; i < answers->count; i++) {
        int64_t from_us = answers->items[i], until_us = from_us + LP_OUTCOME_WINDOW_US;
        if (from_us < since_us)
            continue;
        if (until_us > input->end_us)
            return -1;
        while (answer_end < answers->count && answers->items[answer_end] < until_us)
            answer_end++;
        while (arrival_start < arrivals->count && arrivals->items[arrival_start] < from_us)
            arrival_start++;
        while (arrival_end < arrivals->count && arrivals->items[arrival_end] < until_us)
            arrival_end++;
        uint64_t good = answer_end - i, offered = arrival_end - arrival_start;
        if (offered > 0 && good * 1000 >= offered * LP_OUTCOME_FULL_PERMILLE)
            return from_us;
    }
    return -1;
}

static int64_t after_fault(const struct lp_outcome_marks *marks, int64_t mark_us)
{
    return marks->fault_us >= 0 && mark_us >= marks->fault_us ? mark_us - marks->fault_us : -1;
}

static void failures_count(const struct lp_outcome_input *input, struct lp_outcome *outcome)
{
    const struct lp_outcome_marks *marks = &input->marks;
    int64_t first_us = -1, last_us = -1, good_us = -1;
    for (size_t i = 0; i < input->count; i++) {
        int64_t at_us = input->samples[i].scheduled_us;
        if (!lp_ending_is_failure(input->samples[i].ending) || at_us < marks->fault_us)
            continue;
        first_us = first_us < 0 || at_us < first_us ? at_us : first_us;
        last_us = at_us > last_us ? at_us : last_us;
    }
    int64_t since_us = first_us > effect_us(marks) ? first_us : effect_us(marks);
    for (size_t i = 0; i < input->count; i++) {
        const struct lp_sample *sample = &input->samples[i];
        if (sample->ending == LP_END_GOOD && sample->scheduled_us >= since_us &&
            (good_us < 0 || sample->answered_us < good_us))
            good_us = sample->answered_us;
    }
    outcome->to_first_failure_us = after_fault(marks, first_us);
    outcome->to_last_failure_us = after_fault(marks, last_us);
    outcome->to_first_good_us = after_fault(marks, good_us);
}

static struct lp_outcome_spread latency_of(const struct lp_outcome_input *input, int64_t from_us,
                                           int64_t until_us)
{
    size_t count = 0;
    for (size_t i = 0; i < input->count; i++) {
        const struct lp_sample *sample = &input->samples[i];
        if (sample->ending == LP_END_GOOD && sample->scheduled_us >= from_us &&
            sample->scheduled_us < until_us)
            input->scratch[count++] = sample->answered_us - sample->scheduled_us;
    }
    return spread_of(input->scratch, count, input->scratch + input->count);
}

static struct lp_outcome_spread lateness_of(const struct lp_outcome_input *input)
{
    size_t count = 0;
    for (size_t i = 0; i < input->count; i++) {
        const struct lp_sample *sample = &input->samples[i];
        if (is_request(sample) && (sample->flags & LP_SAMPLE_HAD_CONNECTION) &&
            sample->sent_us >= 0)
            input->scratch[count++] = sample->sent_us - sample->scheduled_us;
    }
    return spread_of(input->scratch, count, input->scratch + input->count);
}

static void latencies_count(const struct lp_outcome_input *input, int64_t full_us,
                            struct lp_outcome *outcome)
{
    const struct lp_outcome_marks *marks = &input->marks;
    int64_t until_us = marks->repaired_us >= 0 ? marks->repaired_us
                       : full_us >= 0          ? full_us
                                               : INT64_MAX;
    int64_t fault_us = marks->fault_us >= 0 ? marks->fault_us : INT64_MAX;
    outcome->latency = latency_of(input, 0, INT64_MAX);
    outcome->before = latency_of(input, 0, fault_us);
    outcome->during = latency_of(input, fault_us, until_us);
    outcome->after = latency_of(input, until_us > fault_us ? until_us : fault_us, INT64_MAX);
    outcome->lateness = lateness_of(input);
}

void lp_outcome_count(const struct lp_outcome_input *input, struct lp_outcome *ret_outcome)
{
    const struct lp_outcome_marks *marks = &input->marks;
    struct lp_outcome outcome = {
        .to_effect_us = after_fault(marks, marks->effect_us),
        .to_detect_us = after_fault(marks, marks->detected_us),
        .to_repair_us = after_fault(marks, marks->repaired_us),
        .to_first_failure_us = -1,
        .to_last_failure_us = -1,
        .to_first_good_us = -1,
        .to_full_us = -1,
    };
    int64_t *answers = input->scratch, *arrivals = answers + input->count,
            *spare = arrivals + input->count, full_us = -1;
    endings_count(input, &outcome);
    seconds_count(input, &outcome);
    size_t answer_count = answers_sort(input, answers, spare);
    gaps_count(input, answers, answer_count, &outcome);
    if (marks->fault_us >= 0) {
        size_t arrival_count = arrivals_sort(input, arrivals, spare);
        failures_count(input, &outcome);
        // Replies from before the outage are no sign of its end: a short one would fit into the
        // share of a window that may be missing.
        if (outcome.to_first_good_us >= 0)
            full_us = full_find(input, &(struct times){answers, answer_count},
                                &(struct times){arrivals, arrival_count},
                                marks->fault_us + outcome.to_first_good_us);
        outcome.to_full_us = after_fault(marks, full_us);
    }
    latencies_count(input, full_us, &outcome);
    *ret_outcome = outcome;
}

static void step_fill(struct lp_outcome_step *step, int64_t *latencies, int64_t *spare)
{
    struct lp_outcome_spread spread = spread_of(latencies, step->good, spare);
    step->p50_us = spread.p50_us;
    step->p99_us = spread.p99_us;
    step->max_us = spread.max_us;
}

void lp_outcome_series(const struct lp_outcome_input *input, int64_t step_us,
                       struct lp_outcome_step *ret_steps, size_t count)
{
    memset(ret_steps, 0, count * sizeof(*ret_steps));
    for (size_t i = 0; i < input->count; i++) {
        const struct lp_sample *sample = &input->samples[i];
        size_t scheduled = (size_t)(sample->scheduled_us / step_us);
        size_t answered = (size_t)(sample->answered_us / step_us);
        if (is_request(sample) && scheduled < count) {
            ret_steps[scheduled].offered++;
            ret_steps[scheduled].failed += sample->ending != LP_END_GOOD;
        }
        if (sample->ending == LP_END_GOOD && answered < count)
            ret_steps[answered].good++;
    }
    // Latencies side by side, step after step: where each step's begin is kept in its p50.
    int64_t start = 0;
    for (size_t i = 0; i < count; i++) {
        ret_steps[i].p50_us = start;
        start += ret_steps[i].good;
    }
    for (size_t i = 0; i < input->count; i++) {
        const struct lp_sample *sample = &input->samples[i];
        size_t answered = (size_t)(sample->answered_us / step_us);
        if (sample->ending == LP_END_GOOD && answered < count)
            input->scratch[ret_steps[answered].p50_us++] =
                sample->answered_us - sample->scheduled_us;
    }
    for (size_t i = 0; i < count; i++)
        step_fill(&ret_steps[i], input->scratch + ret_steps[i].p50_us - (int64_t)ret_steps[i].good,
                  input->scratch + input->count);
}
