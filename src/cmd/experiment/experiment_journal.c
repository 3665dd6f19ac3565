// A result as a journal of the Chaos Toolkit, so that what reads those can read ours.
// Source: Chaos Toolkit, reference/api/journal.md; chaostoolkit-lib 1.45.0.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "cmd/client.h"
#include "cmd/experiment/experiment.h"
#include "base/handover.h"

// RFC 3339, UTC; null when it did not happen.
static json_t *time_json(long long at_ms)
{
    char text[64], whole[80];
    time_t at_s = at_ms / 1000;
    struct tm utc;
    if (!at_ms)
        return json_null();
    gmtime_r(&at_s, &utc);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(whole, sizeof(whole), "%s.%03d", text, (int)(at_ms % 1000));
    return json_string(whole);
}

static json_t *duration_json(const json_t *row)
{
    long long from = lp_json_number(row, "started"), to = lp_json_number(row, "ended");
    return json_real(to > from ? (double)(to - from) / 1000.0 : 0.0);
}

// The activity as its file has it, by its name.
static json_t *raw_find(const json_t *list, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach (list, i, item) {
        if (strcmp(lp_json_text(item, "name"), name) == 0)
            return json_incref(item);
    }
    return NULL;
}

static json_t *activity_json(const json_t *experiment, const json_t *row, const char *type)
{
    const char *name = lp_json_text(row, "name");
    const json_t *hypothesis = json_object_get(experiment, "steady-state-hypothesis");
    json_t *raw = raw_find(json_object_get(experiment, "method"), name);
    if (!raw)
        raw = raw_find(json_object_get(hypothesis, "probes"), name);
    if (!raw)
        raw = raw_find(json_object_get(experiment, "rollbacks"), name);
    if (!raw) {
        const char *kind = lp_json_text(row, "action");
        raw = json_pack("{s:s, s:s, s:{s:s, s:s}}", "type", type, "name", name, "provider", "type",
                        "limpet", "action", *kind ? kind : lp_json_text(row, "check"));
    }
    return raw;
}

static json_t *record_json(const json_t *experiment, const json_t *row, const char *type)
{
    const char *status = lp_json_text(row, "status");
    bool is_good = strcmp(status, "done") == 0 || strcmp(status, "passed") == 0;
    const json_t *output = json_object_get(row, "output");
    json_t *record = json_pack(
        "{s:o, s:s, s:o, s:o, s:o}", "activity", activity_json(experiment, row, type), "status",
        is_good ? "succeeded" : "failed", "start", time_json(lp_json_number(row, "started")), "end",
        time_json(lp_json_number(row, "ended")), "duration", duration_json(row));
    if (output)
        json_object_set_new(record, "output", json_deep_copy(output));
    else
        json_object_set_new(record, "output", json_string(lp_json_text(row, "text")));
    if (!is_good)
        json_object_set_new(record, "exception", json_pack("[s]", lp_json_text(row, "text")));
    return record;
}

static void steps_add(const json_t *experiment, const json_t *stage, json_t *list)
{
    size_t i;
    const json_t *row;
    json_array_foreach (json_object_get(stage, "steps"), i, row) {
        const char *action = lp_json_text(row, "action");
        bool is_own = strcmp(action, "wait") == 0 || strcmp(action, "heal-all") == 0;
        if (strcmp(lp_json_text(row, "status"), "skipped") != 0 && !is_own)
            json_array_append_new(list, record_json(experiment, row, "action"));
    }
}

static json_t *hypothesis_json(const json_t *experiment, const json_t *stage)
{
    json_t *probes = json_array();
    bool is_met = true;
    size_t i;
    const json_t *row;
    json_array_foreach (json_object_get(stage, "checks"), i, row) {
        bool is_good = strcmp(lp_json_text(row, "status"), "passed") == 0;
        json_t *record = record_json(experiment, row, "probe");
        // That it was read is what succeeded; what it said is the tolerance's.
        json_object_set_new(record, "status", json_string("succeeded"));
        json_object_del(record, "exception");
        json_object_set_new(record, "tolerance_met", json_boolean(is_good));
        json_array_append_new(probes, record);
        is_met = is_met && is_good;
    }
    return json_pack("{s:b, s:o}", "steady_state_met", is_met, "probes", probes);
}

// The toolkit calls an experiment failed whose hypothesis was not met, before or after.
static const char *status_word(const char *status, const json_t *before, const json_t *after)
{
    if (strcmp(status, "aborted") == 0)
        return "interrupted";
    bool is_met = (!before || json_is_true(json_object_get(before, "steady_state_met"))) &&
                  (!after || json_is_true(json_object_get(after, "steady_state_met")));
    return is_met && strcmp(status, "invalid") != 0 ? "completed" : "failed";
}

static json_t *journal_make(const json_t *experiment, const json_t *result)
{
    const json_t *run = json_array_get(json_object_get(result, "runs"), 0), *stage;
    json_t *before = NULL, *after = NULL, *method = json_array(), *rollbacks = json_array();
    size_t i;
    struct utsname names;
    uname(&names);
    json_array_foreach (json_object_get(run, "stages"), i, stage) {
        const char *kind = lp_json_text(stage, "kind");
        bool is_out = strcmp(lp_json_text(stage, "status"), "skipped") == 0;
        if (strcmp(kind, "steady-state") == 0 && !is_out)
            before = hypothesis_json(experiment, stage);
        else if (strcmp(kind, "steady-state-after") == 0 && !is_out)
            after = hypothesis_json(experiment, stage);
        else if (strcmp(kind, "break") == 0 || strcmp(kind, "heal") == 0)
            steps_add(experiment, stage, method);
        else if (strcmp(kind, "cleanup") == 0)
            steps_add(experiment, stage, rollbacks);
    }
    bool is_deviated = after && !json_is_true(json_object_get(after, "steady_state_met"));
    json_t *journal = json_pack(
        "{s:s, s:s, s:s, s:O, s:o, s:o, s:s, s:b, s:{s:o?, s:o?, s:[]}, s:o, s:o, s:o}",
        "chaoslib-version", "limpet " LP_VERSION, "platform", names.sysname, "node", names.nodename,
        "experiment", experiment, "start", time_json(lp_json_number(result, "started")), "end",
        time_json(lp_json_number(result, "ended")), "status",
        status_word(lp_json_text(run, "status"), before, after), "deviated", is_deviated,
        "steady_states", "before", before, "after", after, "during", "run", method, "rollbacks",
        rollbacks, "duration", duration_json(result));
    json_object_set_new(journal, "x-limpet", json_deep_copy(result));
    return journal;
}

int lp_experiment_journal_write(const char *path, const char *source, const json_t *result,
                                struct lp_err *err)
{
    json_t *experiment = json_loads(source, 0, NULL);
    json_t *journal = experiment ? journal_make(experiment, result) : NULL;
    char *text = journal ? json_dumps(journal, JSON_INDENT(2)) : NULL;
    int code = text ? lp_handover_write(path, text, strlen(text), 0600, err)
                    : lp_err_set(err, LP_EIO, "the journal cannot be put together");
    free(text);
    json_decref(journal);
    json_decref(experiment);
    return code;
}
