// Faults of a run: ordered with a bound, waited for until they are in effect, healed.
#include <stdio.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/daemon_start.h"
#include "cmd/experiment/experiment_parts.h"
#include "base/clock.h"
#include "base/str.h"
#include "model/interpolate.h"

enum {
    EFFECT_MS = 120 * 1000, // how long an effect, or a healing, is waited for
    NEWS_MS = 150,          // between two readings of the journal when nothing is waited for
    EVENTS_MAX = 20000,
    PAGE = 1000,
};

bool lp_run_is_fault_open(const json_t *fault)
{
    const char *status = lp_json_text(fault, "status");
    return strcmp(status, "open") == 0;
}

static json_t *fault_find(const struct lp_run *run, const char *name)
{
    size_t i;
    json_t *fault;
    json_array_foreach (run->faults, i, fault) {
        if (strcmp(lp_json_text(fault, "fault"), name) == 0)
            return fault;
    }
    return NULL;
}

// What the daemon knows of the faults that were just ordered: their words and their bounds.
static void details_take(struct lp_run *run)
{
    json_t *answer = NULL;
    const json_t *row;
    size_t i;
    struct lp_err err;
    if (lp_client_get(run->client, &answer, &err, "/v1/faults", LP_QUERY_END) < 0)
        return;
    json_array_foreach (json_object_get(answer, "faults"), i, row) {
        json_t *fault = fault_find(run, lp_json_text(row, "fault"));
        if (!fault)
            continue;
        json_object_set(fault, "says", json_object_get(row, "says"));
        json_object_set(fault, "until", json_object_get(row, "until"));
        if (json_is_integer(json_object_get(row, "asked")))
            json_object_set(fault, "asked", json_object_get(row, "asked"));
    }
    json_decref(answer);
}

static const char *request_make(struct lp_run *run, const struct lp_run_step *row, uint32_t index)
{
    const struct lp_experiment_step *step = row->step;
    json_t *body = json_pack("{s:s, s:s}", "target", row->target, "fault", step->fault);
    json_t *options = json_object();
    for (size_t i = 0; i < step->options.count; i++)
        json_object_set_new(options, step->options.items[i].key,
                            json_string(step->options.items[i].value));
    if (!lp_pairs_find(&step->options, "seed") && step->kind == LP_EXPERIMENT_BREAK) {
        char seed[24];
        snprintf(seed, sizeof(seed), "%u",
                 (unsigned)((run->what.seed * 1000 + index) & UINT32_MAX));
        json_object_set_new(options, "seed", json_string(seed));
    }
    json_object_set_new(body, "options", options);
    if (step->duration)
        json_object_set_new(body, "for", json_string(step->duration));
    if (step->select)
        json_object_set_new(body, "select", json_string(step->select));
    if (run->what.infra && strcmp(row->target, "host") != 0 && strcmp(row->target, "limpet") != 0)
        json_object_set_new(body, "infrastructure", json_string(run->what.infra));
    const char *text = lp_json_print(run->cmd, body);
    json_decref(body);
    return text;
}

void lp_run_break(struct lp_run *run, uint32_t index)
{
    struct lp_run_step *row = &run->step_rows[index];
    json_t *answer = NULL, *name;
    size_t i;
    struct lp_err err;
    // Before the order, not after it has failed: an order that nobody answered may stand already.
    if (lp_daemon_ensure(run->cmd, run->client) < 0) {
        lp_str_add(&row->text, run->cmd->err.text);
        lp_run_step_end(run, index, false);
        return;
    }
    int64_t asked_ms = lp_wall_ms();
    struct lp_call_spec spec = {"POST", "/v1/faults", request_make(run, row, index)};
    bool ends_daemon = strcmp(row->step->fault, "daemon-kill") == 0;
    if (lp_client_call(run->client, &spec, &answer, &err) < 0 && !ends_daemon) {
        lp_str_add(&row->text, err.text);
        lp_run_step_end(run, index, false);
        return;
    }
    row->faults = json_deep_copy(json_object_get(answer, "faults"));
    row->deadline_ms = asked_ms + EFFECT_MS;
    json_array_foreach (row->faults, i, name) {
        json_array_append_new(run->faults,
                              json_pack("{s:O, s:s, s:s, s:s, s:s, s:s, s:I, s:n, s:n, s:n, s:s}",
                                        "fault", name, "kind", row->step->fault, "target",
                                        row->target, "aim", row->target, "says", row->step->fault,
                                        "step", row->name, "asked", (json_int_t)asked_ms, "active",
                                        "healed", "until", "status", "open"));
    }
    if (json_array_size(row->faults))
        lp_run_note(run, LP_TRIAL_FAULTS, 0, false);
    json_decref(answer);
    details_take(run);
    if (ends_daemon)
        lp_run_step_end(run, index, true);
    else
        lp_run_news(run, false);
}

// At a fault, at what the step named, or at what was hit: "web" or "web-1" of "web-1/httpd".
static bool is_aimed(const json_t *fault, const char *target)
{
    const char *hit = lp_json_text(fault, "target");
    size_t bytes = strlen(target);
    bool is_hit = strncmp(hit, target, bytes) == 0;
    const char *rest = is_hit ? hit + bytes : "?";
    if (rest[0] == '-' && rest[1]) // a node of the service
        rest += 1 + strspn(rest + 1, "0123456789");
    return strcmp(target, "all") == 0 || strcmp(lp_json_text(fault, "aim"), target) == 0 ||
           strcmp(lp_json_text(fault, "fault"), target) == 0 || !rest[0] || rest[0] == '/';
}

static void one_heal(struct lp_run *run, struct lp_run_step *row, json_t *fault)
{
    struct lp_err err;
    json_t *body = json_pack("{s:O}", "target", json_object_get(fault, "fault"));
    struct lp_call_spec spec = {"POST", "/v1/faults/heal", lp_json_print(run->cmd, body)};
    json_decref(body);
    int code = lp_client_call(run->client, &spec, NULL, &err);
    if (code < 0 && lp_client_is_absent(run->client) &&
        lp_daemon_ensure(run->cmd, run->client) == 0)
        code = lp_client_call(run->client, &spec, NULL, &err);
    if (code == LP_ENOTFOUND) // gone meanwhile: nothing is left to heal
        json_object_set_new(fault, "status", json_string("healed"));
    else if (code < 0)
        lp_str_printf(&row->text, "%s%s", row->text.bytes ? "; " : "", err.text);
    if (!row->faults)
        row->faults = json_array();
    json_array_append(row->faults, json_object_get(fault, "fault"));
}

static void healing_begin(struct lp_run *run, uint32_t index, const char *target,
                          const json_t *only)
{
    struct lp_run_step *row = &run->step_rows[index];
    size_t i;
    json_t *fault;
    row->deadline_ms = lp_wall_ms() + EFFECT_MS;
    json_array_foreach (run->faults, i, fault) {
        bool is_meant =
            only ? lp_json_holds(only, json_object_get(fault, "fault")) : is_aimed(fault, target);
        if (is_meant && lp_run_is_fault_open(fault))
            one_heal(run, row, fault);
    }
    if (!row->faults) {
        lp_str_add(&row->text, row->text.bytes ? "" : "nothing was left to heal");
        lp_run_step_end(run, index, true);
    } else {
        lp_run_news(run, false);
    }
}

void lp_run_heal(struct lp_run *run, uint32_t index)
{
    const struct lp_run_step *row = &run->step_rows[index];
    const json_t *only = row->heals == LP_TRIAL_NONE ? NULL : run->step_rows[row->heals].faults;
    if (row->heals != LP_TRIAL_NONE && !only)
        lp_run_step_end(run, index, true);
    else
        healing_begin(run, index, row->target, only);
}

void lp_run_heal_all(struct lp_run *run, uint32_t index)
{
    healing_begin(run, index, "all", NULL);
}

// A step that orders or heals is done when each of its faults has come to where it should.
static void step_look(struct lp_run *run, uint32_t index)
{
    struct lp_run_step *row = &run->step_rows[index];
    bool is_healing = !run->steps[index].breaks, is_open = false, is_bad = false;
    size_t i;
    json_t *name;
    if (!row->is_open || row->tag || !row->faults)
        return;
    json_array_foreach (row->faults, i, name) {
        const json_t *fault = fault_find(run, json_string_value(name));
        if (is_healing) {
            is_open = is_open || lp_run_is_fault_open(fault);
            continue;
        }
        bool was_seen = !json_is_null(json_object_get(fault, "active"));
        is_bad = is_bad || strcmp(lp_json_text(fault, "status"), "failed") == 0;
        if (!was_seen && strcmp(lp_json_text(fault, "status"), "healed") == 0) {
            lp_str_add(&row->text, "it was over before its effect was seen; give it more time");
            is_bad = true;
        }
        is_open = is_open ||
                  (json_is_null(json_object_get(fault, "active")) && lp_run_is_fault_open(fault));
    }
    if (is_bad)
        lp_run_step_end(run, index, false);
    else if (!is_open)
        lp_run_step_end(run, index, true);
}

static void sentence_take(struct lp_run *run, const json_t *fault, const char *sentence)
{
    for (uint32_t i = 0; i < run->plan.step_count; i++) {
        struct lp_run_step *row = &run->step_rows[i];
        if (row->is_open && row->faults && !row->tag &&
            lp_json_holds(row->faults, json_object_get(fault, "fault")))
            lp_str_printf(&row->text, "%s%s", row->text.bytes ? "; " : "", sentence);
    }
}

// It happens and is over: nothing is to be undone.
static bool is_instant(const json_t *fault)
{
    for (int i = 1; i < LP_FAULT_KINDS; i++)
        if (strcmp(lp_fault_words[i], lp_json_text(fault, "kind")) == 0 &&
            !lp_fault_about((enum lp_fault_kind)i)->is_instant)
            return false;
    return lp_json_number(fault, "until") <= lp_json_number(fault, "asked");
}

// "shop/web-1/httpd" without the infrastructure.
static void target_set(const struct lp_run *run, json_t *fault, const char *subject)
{
    size_t bytes = run->what.infra ? strlen(run->what.infra) : 0;
    if (bytes && strncmp(subject, run->what.infra, bytes) == 0 && subject[bytes] == '/')
        subject += bytes + 1;
    if (subject[0])
        json_object_set_new(fault, "target", json_string(subject));
}

static void fault_event_take(struct lp_run *run, const json_t *event, const char *kind)
{
    char name[24];
    snprintf(name, sizeof(name), "f%lld",
             lp_json_number(json_object_get(event, "body"), "revision"));
    json_t *fault = fault_find(run, name);
    const char *key = NULL, *status = NULL;
    if (!fault)
        return;
    if (strcmp(kind, "fault-asked") == 0) {
        key = "asked";
        target_set(run, fault, lp_json_text(event, "subject"));
    } else if (strcmp(kind, "fault-active") == 0) {
        key = json_is_null(json_object_get(fault, "active")) ? "active" : NULL;
        status = is_instant(fault) ? "instant" : NULL;
        sentence_take(run, fault, lp_json_text(event, "sentence"));
    } else if (strcmp(kind, "fault-healed") == 0) {
        key = "healed";
        status = "healed";
    } else if (strcmp(kind, "fault-failed") == 0) {
        status = "failed";
        sentence_take(run, fault, lp_json_text(event, "sentence"));
    }
    if (key)
        json_object_set(fault, key, json_object_get(event, "at"));
    if (status && lp_run_is_fault_open(fault))
        json_object_set_new(fault, "status", json_string(status));
}

static bool is_ours(const struct lp_run *run, const char *subject)
{
    size_t bytes = run->what.infra ? strlen(run->what.infra) : 0;
    return bytes && strncmp(subject, run->what.infra, bytes) == 0 &&
           (!subject[bytes] || subject[bytes] == '/');
}

static void event_take(struct lp_run *run, const json_t *event)
{
    const char *kind = lp_json_text(event, "kind"), *sentence = lp_json_text(event, "sentence");
    bool is_event = strcmp(lp_json_text(event, "record"), "event") == 0;
    bool is_fault = is_event && strncmp(kind, "fault-", 6) == 0;
    if (is_fault)
        fault_event_take(run, event, kind);
    if (!sentence[0] || !(is_fault || is_ours(run, lp_json_text(event, "subject"))) ||
        json_array_size(run->events) >= EVENTS_MAX)
        return;
    json_t *kept =
        json_pack("{s:O, s:O, s:O, s:O, s:O, s:O}", "seq", json_object_get(event, "seq"), "at",
                  json_object_get(event, "at"), "record", json_object_get(event, "record"), "kind",
                  json_object_get(event, "kind"), "subject", json_object_get(event, "subject"),
                  "sentence", json_object_get(event, "sentence"));
    const json_t *is_ok = json_object_get(json_object_get(event, "body"), "is_ok");
    if (is_event && strcmp(kind, "reading") == 0)
        json_object_set_new(kept, "ok", json_boolean(json_is_true(is_ok)));
    json_array_append_new(run->events, kept);
}

static bool is_waiting(const struct lp_run *run)
{
    for (uint32_t i = 0; i < run->plan.step_count; i++)
        if (run->step_rows[i].is_open && run->step_rows[i].deadline_ms)
            return true;
    return false;
}

void lp_run_news(struct lp_run *run, bool is_due)
{
    char after[24], limit[24];
    struct lp_err err;
    size_t count = PAGE, i;
    bool is_any = false;
    int64_t now_ms = lp_wall_ms();
    if (!run->has_daemon || (is_due && !is_waiting(run) && now_ms - run->news_ms < NEWS_MS))
        return;
    run->news_ms = now_ms;
    snprintf(limit, sizeof(limit), "%d", PAGE);
    while (count == PAGE) {
        json_t *page = NULL;
        const json_t *event;
        snprintf(after, sizeof(after), "%lld", run->after);
        if (lp_client_get(run->client, &page, &err, "/v1/events", "after", after, "limit", limit,
                          LP_QUERY_END) < 0) {
            // A fault may have ended the daemon; the experiment needs one to see its healing.
            if (lp_client_is_absent(run->client) && lp_daemon_ensure(run->cmd, run->client) < 0)
                run->has_daemon = false;
            return;
        }
        count = json_array_size(json_object_get(page, "events"));
        json_array_foreach (json_object_get(page, "events"), i, event) {
            event_take(run, event);
        }
        run->after = lp_json_number(page, "next");
        json_decref(page);
    }
    json_t *fault;
    json_array_foreach (run->faults, i, fault) {
        is_any = is_any || lp_run_is_fault_open(fault);
    }
    if (run->trial->are_faults_over != !is_any)
        lp_run_note(run, LP_TRIAL_FAULTS, 0, !is_any);
    for (uint32_t k = 0; k < run->plan.step_count; k++)
        step_look(run, k);
}
