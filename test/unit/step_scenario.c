// Stories about the controller: events in, actions out, as text.
#include "step_scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "core/check.h"
#include "core/step.h"
#include "step_scenario_fault.h"

enum { INFRAS = 2, SERVICES = 8, NODES = 32, APPS = 64, IMAGES = 4, HOSTS = 4, PLAN = 256 };
enum { DRAFT_APPS = 4, TODO_MAX = 256, WELL_MAX = 500, TICKS_MAX = 2000 };

struct draft { // a service as the story describes it
    char name[32];
    bool is_unset;
    uint32_t infra;
    struct lp_service_want want;
    struct lp_app_want apps[DRAFT_APPS];
    char app_names[DRAFT_APPS][32];
};

struct scenario {
    struct lp_state *state;
    struct lp_str *out;
    struct lp_err *err;
    struct draft drafts[SERVICES];
    uint32_t draft_count;
    uint64_t seq;
    int64_t start_ms, now_ms, wake_at_ms;
    uint64_t last_id;                // highest id of an action so far
    struct lp_action todo[TODO_MAX]; // ordered and not answered
    size_t todo_count;
    bool tells_names; // PUBLISH is shown and waits for the story's answer; else it is obeyed
};

static int wrong(struct scenario *sc, const char *what, const char *word)
{
    return lp_err_set(sc->err, LP_EINPUT, "%s '%s'", what, word ? word : "");
}

static struct draft *find_draft(struct scenario *sc, const char *name, size_t bytes)
{
    for (uint32_t i = 0; i < sc->draft_count; i++)
        if (strlen(sc->drafts[i].name) == bytes && strncmp(sc->drafts[i].name, name, bytes) == 0)
            return &sc->drafts[i];
    return NULL;
}

static void node_name(const struct scenario *sc, uint32_t node, struct lp_str *text)
{
    const struct lp_node_row *row = lp_state_node(sc->state, node);
    if (row->is_used)
        lp_str_printf(text, "%s-%u", sc->drafts[row->service].name, row->ordinal);
    else
        lp_str_printf(text, "node %u", node);
}

// "web-1", "web-1/php"; fills node, app, incarnation, run of the event as they are now.
static int find_target(struct scenario *sc, const char *word, struct lp_event *event)
{
    const char *slash = strchr(word, '/');
    size_t bytes = slash ? (size_t)(slash - word) : strlen(word);
    const char *dash = word + bytes;
    while (dash > word && *dash != '-')
        dash--;
    struct draft *draft = dash > word ? find_draft(sc, word, (size_t)(dash - word)) : NULL;
    if (!draft)
        return wrong(sc, "no such node", word);
    uint32_t service = (uint32_t)(draft - sc->drafts), ordinal = (uint32_t)atoi(dash + 1);
    for (uint32_t n = lp_state_next_node(sc->state, service, LP_NONE); n != LP_NONE;
         n = lp_state_next_node(sc->state, service, n))
        if (lp_state_node(sc->state, n)->ordinal == ordinal)
            event->node = n;
    if (event->node == LP_NONE)
        return wrong(sc, "there is no node", word);
    event->incarnation = lp_state_node(sc->state, event->node)->incarnation;
    for (uint32_t i = 0; slash && i < DRAFT_APPS; i++)
        if (strcmp(draft->app_names[i], slash + 1) == 0)
            event->app = i;
    if (slash && event->app == LP_NONE)
        return wrong(sc, "no such application", word);
    if (slash)
        event->run = lp_state_app(sc->state, event->node, event->app)->run;
    return 0;
}

// What comes out.

static void action_print(struct scenario *sc, const struct lp_action *action)
{
    struct lp_str *out = sc->out;
    lp_str_printf(out, "  %6" PRId64 " %s", sc->now_ms - sc->start_ms,
                  lp_action_word(action->kind));
    if (action->node != LP_NONE) {
        lp_str_add_char(out, ' ');
        node_name(sc, action->node, out);
        if (action->app != LP_NONE && action->service != LP_NONE)
            lp_str_printf(out, "/%s run %u", sc->drafts[action->service].app_names[action->app],
                          action->run);
        else
            lp_str_printf(out, " life %u", action->incarnation);
    } else if (action->image != LP_NONE) {
        lp_str_printf(out, " image %u", action->image);
    } else if (action->infra != LP_NONE) {
        lp_str_printf(out, " infra %u", action->infra);
    }
    if (action->fault != LP_NONE)
        lp_str_printf(out, " f%" PRIu64, action->revision);
    if (action->kind == LP_ACTION_START_NODE)
        lp_str_printf(out, " on host %u", action->host);
    if (action->grace_ms)
        lp_str_printf(out, " grace %u", action->grace_ms);
    if (action->kind == LP_ACTION_RENDER || action->kind == LP_ACTION_PUBLISH)
        lp_str_printf(out, " revision %" PRIu64, action->revision);
    if (action->id <= sc->last_id)
        lp_str_add(out, ", again");
    lp_str_add(out, ", because ");
    lp_because_print(&action->because, out);
    lp_str_add_char(out, '\n');
}

static bool is_answered(enum lp_action_kind kind)
{
    return kind != LP_ACTION_UNWATCH && kind != LP_ACTION_NONE;
}

static void todo_add(struct scenario *sc, const struct lp_action *action)
{
    for (size_t i = 0; i < sc->todo_count; i++)
        if (sc->todo[i].id == action->id)
            return;
    if (is_answered(action->kind) && sc->todo_count < TODO_MAX)
        sc->todo[sc->todo_count++] = *action;
}

static int step(struct scenario *sc, struct lp_event *event);

// Names are told again and again, which would drown the story.
static int publish(struct scenario *sc, const struct lp_action *action)
{
    struct lp_event event;
    lp_event_init(&event, LP_EVENT_PUBLISHED);
    event.infra = action->infra;
    event.revision = action->revision;
    return step(sc, &event);
}

static int step(struct scenario *sc, struct lp_event *event)
{
    struct lp_action actions[PLAN], told = {0};
    struct lp_plan plan = {.capacity = PLAN, .actions = actions};
    event->seq = ++sc->seq;
    event->at_ms = sc->now_ms;
    lp_step(sc->state, event, &plan);
    uint64_t highest = sc->last_id;
    for (size_t i = 0; i < plan.count; i++) {
        bool is_quiet = actions[i].kind == LP_ACTION_PUBLISH && !sc->tells_names;
        told = is_quiet ? actions[i] : told;
        if (!is_quiet)
            action_print(sc, &actions[i]);
        if (!is_quiet)
            todo_add(sc, &actions[i]);
        highest = actions[i].id > highest ? actions[i].id : highest;
    }
    sc->last_id = highest;
    sc->wake_at_ms = plan.wake_at_ms;
    int result = lp_state_check(sc->state, sc->err);
    return result == 0 && told.kind ? publish(sc, &told) : result;
}

// Time passes: every tick that the controller asked for comes when it asked for it.
static int pass(struct scenario *sc, int64_t ms)
{
    int64_t until_ms = sc->now_ms + ms;
    for (int ticks = 0; sc->wake_at_ms <= until_ms; ticks++) {
        if (ticks > TICKS_MAX)
            return lp_err_set(sc->err, LP_ECORRUPT, "it never rests");
        struct lp_event tick;
        lp_event_init(&tick, LP_EVENT_TICK);
        sc->now_ms = sc->wake_at_ms > sc->now_ms ? sc->wake_at_ms : sc->now_ms;
        if (step(sc, &tick) < 0)
            return sc->err->code;
    }
    sc->now_ms = until_ms;
    return 0;
}

// The world as it should be: every order is obeyed.

static enum lp_event_kind answer_of(const struct scenario *sc, const struct lp_action *action)
{
    if (action->kind == LP_ACTION_START_APP &&
        lp_state_app_want(sc->state, action->service, action->app)->kind == LP_APP_SETUP)
        return LP_EVENT_APP_EXITED;
    return lp_event_of_success(action->kind);
}

static int obey_one(struct scenario *sc)
{
    struct lp_action action = sc->todo[0];
    memmove(sc->todo, sc->todo + 1, --sc->todo_count * sizeof(sc->todo[0]));
    struct lp_event event;
    lp_event_reply(&event, answer_of(sc, &action), &action);
    event.is_ok = true;
    event.status = action.kind == LP_ACTION_KILL_APP ? 256 + 9 : 0;
    return step(sc, &event);
}

static int obey(struct scenario *sc)
{
    for (int i = 0; sc->todo_count > 0; i++) {
        if (i > WELL_MAX)
            return lp_err_set(sc->err, LP_ECORRUPT, "it never rests");
        if (obey_one(sc) < 0)
            return sc->err->code;
    }
    return 0;
}

static void show(struct scenario *sc)
{
    for (uint32_t s = 0; s < sc->draft_count; s++) {
        if (lp_state_service(sc->state, s)->is_braked)
            lp_str_printf(sc->out, "  %s: brake\n", sc->drafts[s].name);
        for (uint32_t n = lp_state_next_node(sc->state, s, LP_NONE);
             lp_state_service(sc->state, s)->is_used && n != LP_NONE;
             n = lp_state_next_node(sc->state, s, n)) {
            const struct lp_node_row *row = lp_state_node(sc->state, n);
            lp_str_add(sc->out, "  ");
            node_name(sc, n, sc->out);
            lp_str_printf(sc->out, ": %s, %s, life %u, %u restarts", lp_node_phase_word(row->phase),
                          lp_verdict_word(row->verdict), row->incarnation, row->restarts);
            for (uint32_t a = 0; a < lp_state_service(sc->state, s)->want.app_count; a++)
                lp_str_printf(sc->out, "; %s %s", sc->drafts[s].app_names[a],
                              lp_app_phase_word(lp_state_app(sc->state, n, a)->phase));
            lp_str_add_char(sc->out, '\n');
        }
    }
    scenario_faults_show(sc->state, sc->out);
    lp_str_printf(sc->out, "  %s\n",
                  lp_state_is_settled(sc->state, LP_NONE, false)  ? "settled"
                  : lp_state_is_settled(sc->state, LP_NONE, true) ? "settled, some gave up"
                                                                  : "not settled");
}

// Descriptions.

static const char *value_of(const char *word, const char *key)
{
    size_t bytes = strlen(key);
    return strncmp(word, key, bytes) == 0 && word[bytes] == '=' ? word + bytes + 1 : NULL;
}

static int add_depend(struct scenario *sc, const char *text, struct lp_want_depend *depends,
                      uint8_t *count)
{
    static const char *const conditions[] = {"started", "healthy", "completed"};
    const char *colon = strchr(text, ':');
    size_t bytes = colon ? (size_t)(colon - text) : strlen(text);
    const char *slash = memchr(text, '/', bytes);
    const struct draft *draft = find_draft(sc, text, slash ? (size_t)(slash - text) : bytes);
    if (!colon || !draft || *count == LP_DEPENDS_MAX)
        return wrong(sc, "what does it depend on?", text);
    struct lp_want_depend depend = {.service = (uint32_t)(draft - sc->drafts),
                                    .app = LP_WHOLE_SERVICE};
    for (uint16_t i = 0; slash && i < DRAFT_APPS; i++)
        if (strncmp(draft->app_names[i], slash + 1, bytes - (size_t)(slash + 1 - text)) == 0 &&
            draft->app_names[i][0])
            depend.app = i;
    for (uint16_t i = 0; i < 3; i++)
        if (strcmp(colon + 1, conditions[i]) == 0)
            depend.condition = i;
    depends[(*count)++] = depend;
    return 0;
}

static int service_word(struct scenario *sc, struct draft *draft, const char *word)
{
    struct lp_service_want *want = &draft->want;
    const char *value;
    if ((value = value_of(word, "replicas")))
        want->replicas = (uint32_t)atoi(value);
    else if ((value = value_of(word, "hash")))
        want->node_hash = (uint64_t)atoi(value);
    else if ((value = value_of(word, "files")))
        want->files_hash = (uint64_t)atoi(value);
    else if ((value = value_of(word, "image")))
        want->image = (uint32_t)atoi(value);
    else if ((value = value_of(word, "infra")))
        draft->infra = (uint32_t)atoi(value);
    else if ((value = value_of(word, "grace")))
        want->stop_grace_ms = (uint32_t)atoi(value);
    else if ((value = value_of(word, "memory")))
        want->memory_bytes = (uint64_t)atoi(value) << 20;
    else if (strcmp(word, "owns_state") == 0)
        want->owns_state = true;
    else if ((value = value_of(word, "depends")))
        return add_depend(sc, value, want->depends, &want->depend_count);
    else if ((value = value_of(word, "observes")) && find_draft(sc, value, strlen(value)))
        want->observes[want->observe_count++] =
            (uint32_t)(find_draft(sc, value, strlen(value)) - sc->drafts);
    else
        return wrong(sc, "a service has no", word);
    return 0;
}

static uint8_t place_of(const char *word, const char *const *words, uint8_t count)
{
    uint8_t i = 0;
    while (i < count && strcmp(word, words[i]) != 0)
        i++;
    return i;
}

static int app_word(struct scenario *sc, struct lp_app_want *want, const char *word)
{
    static const char *const conditions[] = {"no", "on-failure", "always"};
    static const char *const reloads[] = {"restart", "command", "signal", "nothing"};
    const struct {
        const char *key;
        uint32_t *number;
    } numbers[] = {{"delay", &want->delay_ms},   {"max", &want->max_attempts},
                   {"window", &want->window_ms}, {"start_period", &want->start_period_ms},
                   {"retries", &want->retries},  {"grace", &want->stop_grace_ms}};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (!value_of(word, numbers[i].key))
            continue;
        *numbers[i].number = (uint32_t)atoi(value_of(word, numbers[i].key));
        return 0;
    }
    if (strcmp(word, "setup") == 0)
        want->kind = LP_APP_SETUP;
    else if (strcmp(word, "readiness") == 0)
        want->has_readiness = true;
    else if (strcmp(word, "health") == 0)
        want->has_health = true;
    else if (value_of(word, "restart"))
        want->restart_condition = place_of(value_of(word, "restart"), conditions, 2);
    else if (value_of(word, "reload"))
        want->reload_kind = place_of(value_of(word, "reload"), reloads, 3);
    else if (value_of(word, "depends"))
        return add_depend(sc, value_of(word, "depends"), want->depends, &want->depend_count);
    else
        return wrong(sc, "an application has no", word);
    return 0;
}

static int service_line(struct scenario *sc, char *name, char **rest)
{
    struct draft *draft = find_draft(sc, name, strlen(name));
    if (!draft && sc->draft_count == SERVICES)
        return wrong(sc, "too many services", name);
    if (!draft)
        draft = &sc->drafts[sc->draft_count++];
    *draft = (struct draft){.want = {.replicas = 1, .node_hash = 1, .files_hash = 1}};
    snprintf(draft->name, sizeof(draft->name), "%s", name);
    for (char *word; (word = strtok_r(NULL, " ", rest));)
        if (service_word(sc, draft, word) < 0)
            return sc->err->code;
    return 0;
}

static int app_line(struct scenario *sc, char *name, char **rest)
{
    char *slash = strchr(name, '/');
    struct draft *draft = slash ? find_draft(sc, name, (size_t)(slash - name)) : NULL;
    if (!draft || draft->want.app_count == DRAFT_APPS)
        return wrong(sc, "whose application is", name);
    uint16_t i = draft->want.app_count++;
    snprintf(draft->app_names[i], sizeof(draft->app_names[i]), "%s", slash + 1);
    draft->apps[i] = (struct lp_app_want){.restart_condition = LP_RESTART_ALWAYS,
                                          .delay_ms = 100,
                                          .window_ms = 60000,
                                          .retries = 3,
                                          .stop_grace_ms = 10000,
                                          .reload_kind = LP_RELOAD_NOTHING};
    for (char *word; (word = strtok_r(NULL, " ", rest));)
        if (app_word(sc, &draft->apps[i], word) < 0)
            return sc->err->code;
    return 0;
}

// Apply what is described for one infrastructure, as the engine does.
static int up(struct scenario *sc, uint32_t infra, uint64_t networks)
{
    struct lp_event event;
    lp_event_init(&event, LP_EVENT_INFRA_SET);
    event.infra = infra;
    event.revision = networks;
    int result = step(sc, &event);
    for (uint32_t s = 0; s < sc->draft_count && result == 0; s++) {
        const struct draft *draft = &sc->drafts[s];
        if (draft->infra != infra)
            continue;
        lp_event_init(&event, LP_EVENT_IMAGE_SET);
        event.image = draft->want.image;
        if (!draft->is_unset)
            result = step(sc, &event);
        lp_event_init(&event, draft->is_unset ? LP_EVENT_SERVICE_UNSET : LP_EVENT_SERVICE_SET);
        event.infra = infra;
        event.service = s;
        event.service_want = draft->want;
        if (result == 0)
            result = step(sc, &event);
        for (uint32_t a = 0; a < draft->want.app_count && !draft->is_unset && result == 0; a++) {
            lp_event_init(&event, LP_EVENT_APP_SET);
            event.infra = infra;
            event.service = s;
            event.app = a;
            event.app_want = draft->apps[a];
            result = step(sc, &event);
        }
    }
    lp_event_init(&event, LP_EVENT_INFRA_APPLIED);
    event.infra = infra;
    return result < 0 ? result : step(sc, &event);
}

// Lines.

static int event_words(struct scenario *sc, struct lp_event *event, char **rest)
{
    for (char *word; (word = strtok_r(NULL, " ", rest));) {
        if (strcmp(word, "ok") == 0)
            event->is_ok = true;
        else if (strcmp(word, "oom") == 0)
            event->is_oom = true;
        else if (value_of(word, "status"))
            event->status = atoi(value_of(word, "status"));
        else if (value_of(word, "life"))
            event->incarnation = (uint32_t)atoi(value_of(word, "life"));
        else if (value_of(word, "run"))
            event->run = (uint32_t)atoi(value_of(word, "run"));
        else if (value_of(word, "memory"))
            event->host_facts.memory_bytes = (uint64_t)atoi(value_of(word, "memory")) << 20;
        else if (value_of(word, "revision"))
            event->revision = (uint64_t)atoi(value_of(word, "revision"));
        else if (value_of(word, "replicas"))
            event->replicas = (uint32_t)atoi(value_of(word, "replicas"));
        else if (strcmp(word, "bad") != 0)
            return wrong(sc, "an event has no", word);
    }
    return 0;
}

// The story answers an order itself: it is no longer to be obeyed.
static void todo_forget(struct scenario *sc, const struct lp_event *event)
{
    size_t kept = 0;
    for (size_t i = 0; i < sc->todo_count; i++) {
        const struct lp_action *action = &sc->todo[i];
        bool is_same =
            action->node == event->node && action->app == event->app &&
            action->image == event->image && action->fault == event->fault &&
            (event->node != LP_NONE || event->image != LP_NONE || action->infra == event->infra);
        bool is_end = event->node != LP_NONE && event->app == LP_NONE && event->fault == LP_NONE &&
                      action->node == event->node && event->kind != LP_EVENT_NODE_MUTE;
        if (!is_same && !is_end)
            sc->todo[kept++] = *action;
    }
    sc->todo_count = kept;
}

static int event_line(struct scenario *sc, const char *word, char **rest)
{
    struct lp_event event;
    int kind = LP_EVENT_NONE + 1;
    while (kind < LP_EVENT_KINDS && strcmp(lp_event_word((enum lp_event_kind)kind), word) != 0)
        kind++;
    if (kind == LP_EVENT_KINDS)
        return wrong(sc, "no such line", word);
    lp_event_init(&event, (enum lp_event_kind)kind);
    bool has_infra = (kind >= LP_EVENT_NETWORK_READY && kind <= LP_EVENT_PUBLISHED) ||
                     kind == LP_EVENT_INFRA_UNSET;
    bool has_node =
        kind >= LP_EVENT_NODE_UP || kind == LP_EVENT_RESTART_ASKED || kind == LP_EVENT_FAULT_ASKED;
    bool has_target = has_infra || has_node || kind == LP_EVENT_SCALE_SET ||
                      (kind >= LP_EVENT_HOST_UP && kind <= LP_EVENT_IMAGE_FAILED);
    char *target = has_target ? strtok_r(NULL, " ", rest) : NULL;
    if (has_target && !target)
        return wrong(sc, "what about?", word);
    if (has_node && find_target(sc, target, &event) < 0)
        return sc->err->code;
    const struct draft *draft = target ? find_draft(sc, target, strlen(target)) : NULL;
    if (kind == LP_EVENT_SCALE_SET && draft)
        event.service = (uint32_t)(draft - sc->drafts);
    else if (kind == LP_EVENT_HOST_UP || kind == LP_EVENT_HOST_DEAD)
        event.host = (uint32_t)atoi(target);
    else if (kind == LP_EVENT_IMAGE_READY || kind == LP_EVENT_IMAGE_FAILED)
        event.image = (uint32_t)atoi(target);
    else if (has_infra)
        event.infra = (uint32_t)atoi(target);
    if (scenario_is_fault(kind) ? scenario_fault_read(sc->state, rest, &event, sc->err) < 0
                                : event_words(sc, &event, rest) < 0)
        return sc->err->code;
    if (kind == LP_EVENT_DAEMON_STARTED)
        sc->todo_count = 0;
    todo_forget(sc, &event);
    return step(sc, &event);
}

static int line_play(struct scenario *sc, char *line)
{
    char *rest = NULL, *word = strtok_r(line, " ", &rest);
    if (!word || word[0] == '#')
        return 0;
    if (word[0] == '+')
        return pass(sc, strtoll(word + 1, NULL, 10));
    if (strcmp(word, "well") == 0)
        return obey(sc);
    if (strcmp(word, "show") == 0) {
        show(sc);
        return 0;
    }
    if (strcmp(word, "names") == 0) {
        sc->tells_names = true;
        return 0;
    }
    if (strcmp(word, "lose") == 0) { // what was ordered will not be answered
        sc->todo_count = 0;
        return 0;
    }
    char *name = strcmp(word, "service") == 0 || strcmp(word, "app") == 0 ||
                         strcmp(word, "unset") == 0 || strcmp(word, "up") == 0
                     ? strtok_r(NULL, " ", &rest)
                     : NULL;
    if (strcmp(word, "up") == 0) {
        const char *networks = strtok_r(NULL, " ", &rest);
        return up(sc, name ? (uint32_t)atoi(name) : 0,
                  networks && value_of(networks, "networks")
                      ? (uint64_t)atoi(value_of(networks, "networks"))
                      : 1);
    }
    if (!name)
        return event_line(sc, word, &rest);
    if (strcmp(word, "service") == 0)
        return service_line(sc, name, &rest);
    if (strcmp(word, "app") == 0)
        return app_line(sc, name, &rest);
    struct draft *draft = find_draft(sc, name, strlen(name));
    if (!draft)
        return wrong(sc, "no such service", name);
    draft->is_unset = true;
    return 0;
}

static int begin(struct scenario *sc)
{
    static const enum lp_event_kind first[] = {LP_EVENT_DAEMON_STARTED, LP_EVENT_HOST_UP,
                                               LP_EVENT_DRIVERS_SYNCED};
    for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
        struct lp_event event;
        lp_event_init(&event, first[i]);
        event.host = 0;
        event.host_facts.memory_bytes = (uint64_t)4 << 30;
        if (step(sc, &event) < 0)
            return sc->err->code;
    }
    return 0;
}

int scenario_play(const char *story, struct lp_str *ret_text, struct lp_err *err)
{
    static const struct lp_limits limits = {INFRAS, SERVICES, NODES, APPS, IMAGES, HOSTS};
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct scenario *sc = lp_arena_new(&arena, struct scenario);
    sc->out = ret_text;
    sc->err = err;
    sc->start_ms = sc->now_ms = 1000000;
    sc->wake_at_ms = INT64_MAX;
    sc->state = lp_state_init(lp_arena_take(&arena, lp_state_bytes(&limits)), &limits, 7);
    int result = begin(sc), number = 0;
    for (const char *at = story; *at && result == 0;) {
        const char *end = at + strcspn(at, "\n");
        number++;
        if (strncmp(at, "  ", 2) != 0) {
            lp_str_add_n(ret_text, at, (size_t)(end - at));
            lp_str_add_char(ret_text, '\n');
            result = line_play(sc, lp_arena_text_n(&arena, at, (size_t)(end - at)));
        }
        at = *end ? end + 1 : end;
    }
    return result < 0 ? lp_err_wrap(err, "line %d", number) : 0;
}
