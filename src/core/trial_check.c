// When a check of an experiment has come out good or bad, and when it is read again.
#include "core/trial.h"

static const struct lp_trial_check *check_of(const struct lp_trial *trial, uint32_t index)
{
    return &trial->plan.checks[index];
}

static bool is_guard(const struct lp_trial *trial, uint32_t index)
{
    return index >= trial->plan.first_guard &&
           index - trial->plan.first_guard < trial->plan.guard_count;
}

static void end(struct lp_trial *trial, uint32_t index, bool is_good)
{
    struct lp_trial_check_row *row = &trial->checks[index];
    row->state = is_good ? LP_TRIAL_GOOD : LP_TRIAL_BAD;
    row->ended_ms = trial->now_ms;
}

void lp_trial_check_begin(struct lp_trial *trial, uint32_t index)
{
    trial->checks[index] =
        (struct lp_trial_check_row){.state = LP_TRIAL_RUNNING, .began_ms = trial->now_ms};
}

// Has it been good for as long as it must?
static bool has_held(const struct lp_trial *trial, uint32_t index)
{
    const struct lp_trial_check *check = check_of(trial, index);
    if (check->until == LP_TRIAL_FAULTS_END)
        return trial->are_faults_over;
    if (check->until == LP_TRIAL_LOAD_END)
        return trial->is_load_over;
    return trial->now_ms - trial->checks[index].good_since_ms >= (int64_t)check->for_ms;
}

void lp_trial_check_take(struct lp_trial *trial, uint32_t index, bool is_ok)
{
    struct lp_trial_check_row *row = &trial->checks[index];
    const struct lp_trial_check *check = check_of(trial, index);
    if (row->state != LP_TRIAL_RUNNING || !row->is_reading)
        return;
    bool is_good = is_ok != check->is_failure_expected;
    row->is_reading = false;
    // What is seen was so when the reading began, or later: the earlier time is the safe one for
    // the beginning, and the present one for the end.
    if (is_good && !(row->has_reading && row->was_good))
        row->good_since_ms = row->read_ms;
    row->has_reading = true;
    row->was_good = is_good;
    if (is_good && has_held(trial, index))
        end(trial, index, true);
    else if (!is_good && !is_guard(trial, index) &&
             trial->now_ms - row->began_ms >= (int64_t)check->within_ms)
        end(trial, index, false);
}

void lp_trial_check_ask(struct lp_trial *trial, uint32_t index, struct lp_trial_orders *orders)
{
    struct lp_trial_check_row *row = &trial->checks[index];
    const struct lp_trial_check *check = check_of(trial, index);
    if (row->state != LP_TRIAL_RUNNING || row->is_reading)
        return;
    int64_t next_ms = row->has_reading ? row->read_ms + check->every_ms : trial->now_ms;
    // The last reading of a time that must be held, or of one within which it must come true, is
    // made when that time is over.
    int64_t edges[] = {row->was_good ? row->good_since_ms + (int64_t)check->for_ms : INT64_MAX,
                       !row->was_good ? row->began_ms + (int64_t)check->within_ms : INT64_MAX};
    for (size_t i = 0; row->has_reading && i < 2; i++)
        if (edges[i] > trial->now_ms && edges[i] < next_ms && check->until == LP_TRIAL_FOR)
            next_ms = edges[i];
    if (next_ms > trial->now_ms) {
        if (next_ms < orders->wake_at_ms)
            orders->wake_at_ms = next_ms;
        return;
    }
    row->is_reading = true;
    row->read_ms = trial->now_ms;
    orders->items[orders->count++] = (struct lp_trial_order){LP_TRIAL_READ_CHECK, index};
}
