// A run as JSON (docs/experiment-result.md): what was done, what was read, what the load met.
#include <string.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/experiment/experiment_parts.h"
#include "cmd/outcome_print.h"
#include "base/own.h"

static json_t *time_of(int64_t at_ms)
{
    return at_ms > 0 ? json_integer(at_ms) : json_null();
}

static json_t *text_of(const struct lp_str *text)
{
    return json_stringn(lp_str_text(text), lp_utf8_valid(lp_str_text(text), text->bytes));
}

static const char *step_word(uint8_t state)
{
    return state == LP_TRIAL_GOOD        ? "done"
           : state == LP_TRIAL_BAD       ? "failed"
           : state == LP_TRIAL_CANCELLED ? "cancelled"
                                         : "skipped";
}

static const char *check_word(uint8_t state)
{
    return state == LP_TRIAL_GOOD ? "passed" : state == LP_TRIAL_BAD ? "failed" : "skipped";
}

static json_t *step_result(const struct lp_run *run, uint32_t index)
{
    const struct lp_trial_step_row *row = &run->trial->steps[index];
    const struct lp_run_step *step = &run->step_rows[index];
    json_t *result =
        json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o}", "name", step->name, "action", step->action,
                  "started", time_of(row->began_ms), "ended", time_of(row->ended_ms), "status",
                  step_word(row->state), "text", text_of(&step->text), "faults",
                  step->faults ? json_deep_copy(step->faults) : json_array());
    if (step->output)
        json_object_set(result, "output", step->output);
    return result;
}

static json_t *check_result(const struct lp_run *run, uint32_t index)
{
    const struct lp_trial_check_row *row = &run->trial->checks[index];
    const struct lp_run_check *check = &run->check_rows[index];
    bool is_to_fail = check->check->is_failure_expected;
    json_t *result = json_pack(
        "{s:s, s:s, s:o, s:o, s:s, s:s, s:o, s:O}", "name", check->check->name, "check",
        lp_experiment_check_words[check->check->kind], "started", time_of(row->began_ms), "ended",
        time_of(row->ended_ms), "status", check_word(row->state), "expect",
        is_to_fail ? "fail" : "pass", "text", text_of(&check->text), "readings", check->readings);
    if (check->output)
        json_object_set(result, "output", check->output);
    return result;
}

static json_t *stages_result(const struct lp_run *run)
{
    json_t *stages = json_array();
    for (uint32_t s = 0; s < run->plan.stage_count; s++) {
        const struct lp_trial_stage *stage = &run->stages[s];
        const struct lp_trial_stage_row *row = &run->trial->stages[s];
        json_t *steps = json_array(), *checks = json_array();
        for (uint32_t i = 0; i < stage->step_count; i++)
            json_array_append_new(steps, step_result(run, stage->first_step + i));
        for (uint32_t i = 0; i < stage->check_count; i++)
            json_array_append_new(checks, check_result(run, stage->first_check + i));
        json_array_append_new(
            stages, json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o}", "kind",
                              lp_trial_stage_words[stage->kind], "name", run->stage_rows[s].name,
                              "started", time_of(row->began_ms), "ended", time_of(row->ended_ms),
                              "status", check_word(row->state), "steps", steps, "checks", checks));
    }
    return stages;
}

// Marks, from the journal and the faults.
static bool is_failure(const json_t *event)
{
    static const char *const kinds[] = {"node-dead", "node-mute", "node-failed", "app-exited",
                                        "app-failed"};
    const char *kind = lp_json_text(event, "kind");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strcmp(kind, kinds[i]) == 0)
            return true;
    return strcmp(kind, "reading") == 0 && !json_is_true(json_object_get(event, "ok"));
}

static bool is_recovery(const json_t *event)
{
    const char *kind = lp_json_text(event, "kind");
    return strcmp(kind, "app-started") == 0 ||
           (strcmp(kind, "reading") == 0 && json_is_true(json_object_get(event, "ok")));
}

// "shop/web-1/app" is about the node "shop/web-1".
static void node_of(const json_t *event, char ret_node[160])
{
    const char *subject = lp_json_text(event, "subject");
    const char *slash = strchr(subject, '/'), *second = slash ? strchr(slash + 1, '/') : NULL;
    size_t bytes = second ? (size_t)(second - subject) : strlen(subject);
    bytes = bytes < 159 ? bytes : 159;
    memcpy(ret_node, subject, bytes);
    ret_node[bytes] = '\0';
}

static int64_t first_time(const struct lp_run *run, const char *key)
{
    int64_t first_ms = 0;
    size_t i;
    const json_t *fault;
    json_array_foreach (run->faults, i, fault) {
        int64_t at_ms = lp_json_number(fault, key);
        if (at_ms && (!first_ms || at_ms < first_ms))
            first_ms = at_ms;
    }
    return first_ms;
}

// Every node that failed is well again: the time of the last recovery; 0: one never was.
static int64_t repaired_time(const struct lp_run *run, int64_t from_ms, int64_t *ret_detected_ms)
{
    json_t *ill = json_object(); // node -> time of recovery, or 0
    size_t i;
    const char *key;
    json_t *event, *value;
    int64_t last_ms = 0;
    json_array_foreach (run->events, i, event) {
        char node[160];
        int64_t at_ms = lp_json_number(event, "at");
        if (at_ms < from_ms)
            continue;
        if (strcmp(lp_json_text(event, "kind"), "infra-unset") == 0)
            break; // what ends from here on is meant to
        node_of(event, node);
        if (is_failure(event)) {
            *ret_detected_ms = *ret_detected_ms ? *ret_detected_ms : at_ms;
            json_object_set_new(ill, node, json_integer(0));
        } else if (is_recovery(event) && json_object_get(ill, node)) {
            json_object_set_new(ill, node, json_integer(at_ms));
        }
    }
    bool is_any = json_object_size(ill) > 0, are_all = true;
    json_object_foreach (ill, key, value) {
        int64_t at_ms = json_integer_value(value);
        are_all = are_all && at_ms;
        last_ms = at_ms > last_ms ? at_ms : last_ms;
    }
    json_decref(ill);
    return is_any && are_all ? last_ms : 0;
}

static int64_t load_time_us(const struct lp_run *run, int64_t at_ms)
{
    return at_ms ? at_ms * 1000 - run->load_start_wall_us : -1;
}

static json_t *us_of(int64_t us)
{
    return us >= 0 ? json_integer(us) : json_null();
}

// ret_is_cut: rows are missing though nobody killed the generator.
static json_t *load_result(const struct lp_run *run, const int64_t marks_ms[4], bool *ret_is_cut)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_load_data data;
    struct lp_outcome outcome;
    struct lp_err err;
    if (!run->load_path || !run->load_start_wall_us ||
        lp_load_file_read(run->load_path, &arena, &data, &err) < 0)
        return json_null();
    const struct lp_outcome_marks marks = {
        load_time_us(run, marks_ms[0]), load_time_us(run, marks_ms[1]),
        load_time_us(run, marks_ms[2]), load_time_us(run, marks_ms[3])};
    *ret_is_cut = !data.is_whole && run->load_stops < 2;
    lp_load_outcome(&data, &marks, &outcome);
    lp_outcome_print_json(&data, &outcome, true, &text);
    const char *slash = strrchr(run->load_path, '/');
    json_t *result = json_pack(
        "{s:s, s:I, s:{s:o, s:o, s:o, s:o}, s:o?}", "file", slash ? slash + 1 : run->load_path,
        "start_wall_us", (json_int_t)data.header.start_wall_us, "marks", "fault_us",
        us_of(marks.fault_us), "effect_us", us_of(marks.effect_us), "detected_us",
        us_of(marks.detected_us), "repaired_us", us_of(marks.repaired_us), "outcome",
        json_loads(lp_str_text(&text), 0, NULL));
    lp_load_data_release(&data);
    return result;
}

static json_t *reasons_result(const struct lp_run *run)
{
    json_t *reasons = json_array();
    for (uint32_t i = 0; i < run->trial->reason_count; i++) {
        LP_OWNS_STR struct lp_str text = {0};
        lp_run_reason_print(run, &run->trial->reasons[i], &text);
        json_array_append_new(reasons, text_of(&text));
    }
    return reasons;
}

// Figures of a record that is not whole are none: the run says nothing.
static const char *cut_status(const struct lp_run *run, uint8_t status, json_t *reasons)
{
    const char *words = lp_str_text(&run->load_text);
    json_array_append_new(
        reasons, json_sprintf("the record of the load is cut off%s%s", *words ? ": " : "", words));
    bool is_worse = status == LP_TRIAL_FAILED || status == LP_TRIAL_ABORTED;
    return lp_trial_status_words[is_worse ? status : LP_TRIAL_INVALID];
}

json_t *lp_run_result(struct lp_run *run)
{
    const struct lp_trial *trial = run->trial;
    bool is_cut = false;
    json_t *guards = json_array();
    int64_t detected_ms = 0;
    int64_t effect_ms = first_time(run, "active"), fault_ms = first_time(run, "asked");
    int64_t repaired_ms = fault_ms ? repaired_time(run, fault_ms, &detected_ms) : 0;
    const int64_t marks_ms[4] = {fault_ms, effect_ms, detected_ms, repaired_ms};
    json_t *load = load_result(run, marks_ms, &is_cut), *reasons = reasons_result(run);
    const char *status =
        is_cut ? cut_status(run, trial->status, reasons) : lp_trial_status_words[trial->status];
    for (uint32_t i = 0; i < run->plan.guard_count; i++)
        json_array_append_new(guards, check_result(run, run->plan.first_guard + i));
    return json_pack(
        "{s:i, s:i, s:i, s:I, s:s, s:o, s:I, s:I, s:o, s:o, s:O, s:O, s:{s:o, s:o, s:o, s:o}, s:o}",
        "run", (int)run->what.number, "variant", (int)run->what.variant, "repetition",
        (int)run->what.repetition, "seed", (json_int_t)run->what.seed, "status", status, "reasons",
        reasons, "started", (json_int_t)run->began_ms, "ended", (json_int_t)run->ended_ms, "stages",
        stages_result(run), "guards", guards, "faults", run->faults, "events", run->events, "marks",
        "fault", time_of(fault_ms), "effect", time_of(effect_ms), "detected", time_of(detected_ms),
        "repaired", time_of(repaired_ms), "load", load);
}
