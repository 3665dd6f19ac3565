// Reading back: every acknowledged write is asked for again, until it is found or its time is up.
#include <string.h>

#include "base/arena.h"
#include "drivers/load/load_parts.h"

enum {
    AT_A_TIME = 16,        // it is no load any more
    PAUSE_US = 100 * 1000, // before those that were not found are asked for again
};

static struct lp_load_job job_of(const struct lp_sample *write)
{
    return (struct lp_load_job){
        .write = write->write,
        .request = write->flags & LP_SAMPLE_REQUEST_MASK,
        .ending = LP_END_UNREAD,
    };
}

void lp_load_read_begin(struct lp_load_run *run)
{
    size_t count = 0;
    for (size_t i = 0; i < run->sample_count; i++)
        count += run->samples[i].write && run->samples[i].ending == LP_END_GOOD;
    run->jobs = lp_heap_take((count + 1) * sizeof(*run->jobs));
    for (size_t i = 0; i < run->sample_count; i++)
        if (run->samples[i].write && run->samples[i].ending == LP_END_GOOD)
            run->jobs[run->job_count++] = job_of(&run->samples[i]);
    run->reading_us = run->heard_us = lp_load_now_us(run);
}

// Nobody there, or too busy to tell: that says nothing about the write.
static bool is_no_answer(const struct lp_load_connection *connection)
{
    uint8_t ending = connection->sample.ending;
    uint16_t status = connection->sample.status;
    return (ending != LP_END_GOOD && ending != LP_END_STATUS && ending != LP_END_BODY) ||
           (ending == LP_END_STATUS && (status >= 500 || status == 429));
}

void lp_load_read_ended(struct lp_load_run *run, const struct lp_load_connection *connection)
{
    struct lp_load_job *job = &run->jobs[connection->job];
    run->jobs_under_way--;
    job->sample = connection->sample;
    if (is_no_answer(connection)) {
        job->ending = LP_END_UNREAD;
        return;
    }
    run->heard_us = lp_load_now_us(run);
    job->ending = connection->sample.ending == LP_END_GOOD ? LP_END_KEPT : LP_END_LOST;
}

static bool job_send(struct lp_load_run *run, size_t number)
{
    struct lp_load_job *job = &run->jobs[number];
    int64_t now_us = lp_load_now_us(run);
    int32_t at = lp_load_connection_take(run, run->reads[job->request].endpoint);
    if (at == LP_LOAD_NONE)
        return false;
    struct lp_load_connection *connection = &run->connections[at];
    connection->sample = (struct lp_sample){
        .scheduled_us = now_us,
        .sent_us = -1,
        .answered_us = -1,
        .flags = job->request,
        .write = job->write,
    };
    connection->form = &run->reads[job->request];
    connection->job = (int64_t)number;
    connection->deadline_us = now_us + (int64_t)run->load->timeout_ms * 1000;
    run->jobs_under_way++;
    lp_load_connection_send(run, at);
    return true;
}

static bool may_try_again(const struct lp_load_run *run, const struct lp_load_job *job)
{
    int64_t within_us = (int64_t)run->load->requests[job->request].read_within_ms * 1000;
    return !run->is_cut && job->ending != LP_END_KEPT &&
           lp_load_now_us(run) - run->reading_us < within_us;
}

static void job_settle(struct lp_load_run *run, const struct lp_load_job *job)
{
    struct lp_sample sample = job->sample;
    if (sample.write == 0) // was never asked for
        sample = (struct lp_sample){.scheduled_us = lp_load_now_us(run),
                                    .sent_us = -1,
                                    .answered_us = -1,
                                    .flags = job->request,
                                    .write = job->write};
    sample.ending = job->ending;
    lp_load_sample_add(run, &sample);
    run->job_settled++;
}

// All were asked for once: those that were found, or whose time is up, are settled.
static void round_end(struct lp_load_run *run)
{
    size_t left = 0;
    for (size_t i = 0; i < run->job_count - run->job_gone; i++) {
        if (may_try_again(run, &run->jobs[i]))
            run->jobs[left++] = run->jobs[i];
        else
            job_settle(run, &run->jobs[i]);
    }
    run->job_gone = run->job_count - left;
    run->job_next = 0;
    run->pause_until_us = lp_load_now_us(run) + PAUSE_US;
    if (left == 0)
        run->phase = LP_LOAD_DONE;
}

// Nobody has answered for longer than one reading and its repetitions may take.
static bool is_hopeless(const struct lp_load_run *run)
{
    const struct lp_load_job *job = &run->jobs[run->job_next];
    int64_t patience_ms =
        (int64_t)run->load->requests[job->request].read_within_ms + run->load->timeout_ms;
    return lp_load_now_us(run) - run->heard_us > patience_ms * 1000;
}

void lp_load_read_turn(struct lp_load_run *run)
{
    size_t count = run->job_count - run->job_gone;
    if (lp_load_now_us(run) < run->pause_until_us && !run->is_cut)
        return;
    while (run->job_next < count && run->jobs_under_way < AT_A_TIME) {
        if (run->is_cut || is_hopeless(run))
            run->job_next = count;
        else if (job_send(run, run->job_next))
            run->job_next++;
        else
            break;
    }
    if (run->job_next == count && run->jobs_under_way == 0)
        round_end(run);
}
