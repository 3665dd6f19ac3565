// The journal in plain sentences.
#include "engine/story.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "model/action.h"
#include "model/event.h"

struct subject { // "demo/db-1/mariadb" taken apart; "" where there is none
    char infra[LP_NAME_BYTES_MAX + 1], node[LP_NAME_BYTES_MAX + 12], app[LP_NAME_BYTES_MAX + 1];
};

static void subject_parse(const char *text, struct subject *ret_subject)
{
    memset(ret_subject, 0, sizeof(*ret_subject));
    const char *slash = strchr(text, '/');
    size_t infra_bytes = slash ? (size_t)(slash - text) : strlen(text);
    snprintf(ret_subject->infra, sizeof(ret_subject->infra), "%.*s", (int)infra_bytes, text);
    if (!slash)
        return;
    const char *node = slash + 1;
    slash = strchr(node, '/');
    size_t node_bytes = slash ? (size_t)(slash - node) : strlen(node);
    snprintf(ret_subject->node, sizeof(ret_subject->node), "%.*s", (int)node_bytes, node);
    if (slash)
        snprintf(ret_subject->app, sizeof(ret_subject->app), "%s", slash + 1);
}

static void add_status(struct lp_str *text, int32_t status, bool is_oom)
{
    if (is_oom)
        lp_str_add(text, "was killed for lack of memory");
    else if (status > 256)
        lp_str_printf(text, "was killed by signal %d", status - 256);
    else if (status == 0)
        lp_str_add(text, "ended well");
    else
        lp_str_printf(text, "ended with exit code %d", status);
}

// Sentences of events: %A application in node, %N node, %I infrastructure, %S exit status,
// %T text, %R replicas, %L which life, %? "failed: text" or "answers". One table, so that all
// wording is in one place.
static const char *const event_forms[LP_EVENT_KINDS] = {
    [LP_EVENT_DAEMON_STARTED] = "The daemon started.",
    [LP_EVENT_DRIVERS_SYNCED] = "The daemon has seen all that runs.",
    [LP_EVENT_INFRA_SET] = "A descriptor of %I was handed in.",
    [LP_EVENT_INFRA_APPLIED] = "The descriptor of %I came into force.",
    [LP_EVENT_INFRA_UNSET] = "Somebody asked to take %I down.",
    [LP_EVENT_SERVICE_UNSET] = "%N is no longer described.",
    [LP_EVENT_SCALE_SET] = "Somebody asked for %R nodes of %N.",
    [LP_EVENT_RESTART_ASKED] = "Somebody asked to restart %A.",
    [LP_EVENT_FAULT_ASKED] = "Somebody asked to break %W: %F.",
    [LP_EVENT_HEAL_ASKED] = "Somebody asked to heal %W (%#).",
    [LP_EVENT_FAULTS_LOCKED] = "Faults on purpose are %K.",
    [LP_EVENT_FAULT_ACTIVE] = "Fault %# is in effect on %W%t.",
    [LP_EVENT_FAULT_FAILED] = "Fault %# could not be injected into %W: %T.",
    [LP_EVENT_FAULT_HEALED] = "Fault %# of %W is undone%t.",
    [LP_EVENT_HOST_DEAD] = "The host is dead.",
    [LP_EVENT_IMAGE_READY] = "An image is ready.",
    [LP_EVENT_IMAGE_FAILED] = "An image could not be made: %T.",
    [LP_EVENT_IMAGE_PROGRESS] = "Image: %T.",
    [LP_EVENT_NETWORK_READY] = "The network of %I is ready%t.",
    [LP_EVENT_NETWORK_FAILED] = "The network of %I could not be made: %T.",
    [LP_EVENT_PUBLISHED] = "Ports of %I: %T.", // only when there is something to tell
    [LP_EVENT_NETWORK_GONE] = "The network of %I is removed.",
    [LP_EVENT_NODE_UP] = "%N is up (life %L).",
    [LP_EVENT_NODE_FAILED] = "%N could not be started: %T.",
    [LP_EVENT_NODE_DEAD] = "%N died: its first process %S.", // or vanished, see below
    [LP_EVENT_NODE_MUTE] = "%N runs but does not answer.",
    [LP_EVENT_NODE_GONE] = "%N is removed.",
    [LP_EVENT_RENDERED] = "The files of %N were rendered anew.",
    [LP_EVENT_APP_STARTED] = "%A started.",
    [LP_EVENT_APP_EXITED] = "%A %S.",
    [LP_EVENT_APP_FAILED] = "%A could not be started: %T.",
    [LP_EVENT_READING] = "The check of %A %?.",
    [LP_EVENT_SUSPICION] = "A sensor beside its check doubts %A%t.",
};

static const char *const action_forms[LP_ACTION_KINDS] = {
    [LP_ACTION_ENSURE_IMAGE] = "Limpet makes an image",
    [LP_ACTION_ENSURE_NETWORK] = "Limpet makes the network of %I",
    [LP_ACTION_REMOVE_NETWORK] = "Limpet removes the network of %I",
    [LP_ACTION_START_NODE] = "Limpet starts %N (life %L)",
    [LP_ACTION_STOP_NODE] = "Limpet stops %N",
    [LP_ACTION_FENCE_NODE] = "Limpet kills %N",
    [LP_ACTION_REMOVE_NODE] = "Limpet removes %N",
    [LP_ACTION_RENDER] = "Limpet renders the files of %N anew",
    [LP_ACTION_START_APP] = "Limpet starts %A",
    [LP_ACTION_STOP_APP] = "Limpet stops %A",
    [LP_ACTION_KILL_APP] = "Limpet kills %A",
    [LP_ACTION_INJECT_FAULT] = "Limpet injects fault %# into %W",
    [LP_ACTION_HEAL_FAULT] = "Limpet undoes fault %# of %W",
};

struct facts {
    struct subject subject;
    const char *text;
    int32_t status;
    bool is_oom, is_ok;
    uint32_t replicas, incarnation;
    uint64_t number;                        // of a fault
    const struct lp_fault_spec *fault_spec; // FAULT_ASKED
};

static void add_subject(struct lp_str *text, const struct subject *subject, const char *without)
{
    if (subject->app[0])
        lp_str_printf(text, "%s in %s", subject->app, subject->node);
    else
        lp_str_add(text, subject->node[0] ? subject->node : without);
}

static void add_field(struct lp_str *text, char field, const struct facts *facts)
{
    switch (field) {
    case 'A':
        add_subject(text, &facts->subject, "");
        break;
    case 'N':
        lp_str_add(text, facts->subject.node[0] ? facts->subject.node : "a node");
        break;
    case 'W': // what a fault is aimed at
        add_subject(text, &facts->subject, "this host");
        break;
    case 'F':
        lp_fault_print(facts->fault_spec, facts->text, text);
        lp_str_printf(text, " (f%llu)", (unsigned long long)facts->number);
        break;
    case '#':
        lp_str_printf(text, "f%llu", (unsigned long long)facts->number);
        break;
    case 'K':
        lp_str_add(text,
                   facts->is_ok ? "locked: all are undone, none is let in" : "admitted again");
        break;
    case 'I':
        lp_str_add(text, facts->subject.infra);
        break;
    case 'S':
        add_status(text, facts->status, facts->is_oom);
        break;
    case 'T':
        lp_str_add(text, facts->text ? facts->text : "no reason was given");
        break;
    case 't': // what besides is worth knowing, if anything
        if (facts->text && facts->text[0])
            lp_str_printf(text, ": %s", facts->text);
        break;
    case 'R':
        lp_str_printf(text, "%u", facts->replicas);
        break;
    case 'L':
        lp_str_printf(text, "%u", facts->incarnation);
        break;
    default:
        lp_str_add(text, facts->is_ok ? "answers" : "failed");
        if (facts->text && facts->text[0])
            lp_str_printf(text, ": %s", facts->text);
    }
}

static void add_form(struct lp_str *text, const char *form, const struct facts *facts)
{
    for (const char *at = form; *at; at++) {
        if (*at == '%')
            add_field(text, *++at, facts);
        else
            lp_str_add_char(text, *at);
    }
}

static void event_sentence(const struct lp_record *record, const struct subject *subject,
                           struct lp_str *text)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_event event;
    struct lp_err err;
    struct facts facts = {.subject = *subject};
    if (lp_event_parse(record->body, strlen(record->body), &arena, &event, &err) < 0)
        return;
    // The text of INFRA_SET is the whole descriptor: not for a sentence.
    facts.text = event.kind == LP_EVENT_INFRA_SET ? NULL : event.text;
    facts.number = event.revision;
    facts.fault_spec = &event.fault_spec;
    facts.status = event.status;
    facts.is_oom = event.is_oom;
    facts.is_ok = event.is_ok;
    facts.replicas = event.replicas;
    facts.incarnation = event.incarnation;
    if (event.kind == LP_EVENT_NODE_DEAD && event.status == LP_STATUS_UNKNOWN) {
        add_form(text, "%N was gone when Limpet looked for it.", &facts);
        return;
    }
    if (event.kind == LP_EVENT_NODE_DEAD && event.text && event.text[0]) {
        add_form(text, "%N was ended: %T.", &facts);
        return;
    }
    bool is_silent = event.kind == LP_EVENT_PUBLISHED && !(event.text && event.text[0]);
    if (event_forms[event.kind] && !is_silent)
        add_form(text, event_forms[event.kind], &facts);
}

static void action_sentence(const struct lp_record *record, struct facts *facts,
                            struct lp_str *text)
{
    struct lp_action action;
    struct lp_err err;
    if (lp_action_parse(record->body, strlen(record->body), &action, &err) < 0 ||
        !action_forms[action.kind])
        return;
    facts->incarnation = action.incarnation;
    facts->number = action.revision;
    add_form(text, action_forms[action.kind], facts);
    if (action.because.reason != LP_REASON_NONE) {
        lp_str_add(text, ", because ");
        lp_because_print(&action.because, text);
    }
    lp_str_add_char(text, '.');
}

void lp_story_sentence(const struct lp_record *record, struct lp_str *ret_text)
{
    struct facts facts = {0};
    subject_parse(record->subject, &facts.subject);
    if (record->kind == LP_RECORD_EVENT)
        event_sentence(record, &facts.subject, ret_text);
    else
        action_sentence(record, &facts, ret_text);
}

void lp_story_duration(int64_t ms, struct lp_str *ret_text)
{
    if (ms < 1000)
        lp_str_printf(ret_text, "%lld ms", (long long)ms);
    else if (ms < 10 * 1000)
        lp_str_printf(ret_text, "%lld.%lld s", (long long)(ms / 1000), (long long)(ms / 100 % 10));
    else if (ms < 60 * 1000)
        lp_str_printf(ret_text, "%lld s", (long long)(ms / 1000));
    else if (ms < 3600 * 1000)
        lp_str_printf(ret_text, "%lld min %lld s", (long long)(ms / 60000),
                      (long long)(ms / 1000 % 60));
    else
        lp_str_printf(ret_text, "%lld h %lld min", (long long)(ms / 3600000),
                      (long long)(ms / 60000 % 60));
}
