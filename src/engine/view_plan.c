// What would happen, as JSON: for a new descriptor, or if something broke.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/foresee.h"
#include "engine/story.h"
#include "engine/view.h"

// What a person cares about in a plan; sensors and names follow from it.
static bool is_shown(enum lp_action_kind kind)
{
    return kind != LP_ACTION_WATCH && kind != LP_ACTION_UNWATCH && kind != LP_ACTION_PUBLISH;
}

static void add_step(const struct lp_foreseen *seen, struct lp_str *json)
{
    LP_OWNS_STR struct lp_str body = {0};
    LP_OWNS_STR struct lp_str because = {0};
    LP_OWNS_STR struct lp_str sentence = {0};
    lp_action_print(&seen->action, &body);
    if (seen->action.because.reason != LP_REASON_NONE)
        lp_because_print(&seen->action.because, &because);
    struct lp_record record = {.kind = LP_RECORD_ACTION,
                               .word = lp_action_word(seen->action.kind),
                               .subject = seen->subject,
                               .body = lp_str_text(&body)};
    lp_story_sentence(&record, &sentence);
    lp_str_printf(json, "{\"at_ms\":%lld,", (long long)seen->after_ms);
    lp_view_add_text(json, "action", record.word);
    lp_str_add_char(json, ',');
    lp_view_add_text(json, "subject", seen->subject);
    lp_str_add_char(json, ',');
    lp_view_add_text(json, "because", lp_str_text(&because));
    lp_str_add_char(json, ',');
    lp_view_add_text(json, "sentence", lp_str_text(&sentence));
    lp_str_add_char(json, '}');
}

static void add_steps(const struct lp_foresight *foresight, const char *infra, struct lp_str *json)
{
    const char *comma = "";
    lp_str_add_char(json, '{');
    lp_view_add_text(json, "infrastructure", infra);
    lp_str_add(json, ",\"steps\":[");
    for (const struct lp_foreseen *seen = foresight->first; seen; seen = seen->next) {
        if (!is_shown(seen->action.kind))
            continue;
        lp_str_add(json, comma);
        add_step(seen, json);
        comma = ",";
    }
    lp_str_add(json, "]}");
}

int lp_view_plan(struct lp_engine *engine, const char *descriptor, size_t bytes,
                 struct lp_str *ret_json, struct lp_err *err)
{
    struct lp_foresight foresight;
    if (lp_foresee_begin(engine, &foresight, err) < 0)
        return err->code;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    const struct lp_descriptor *parsed = NULL;
    struct lp_parse_input input = {
        .path = "descriptor", .text = descriptor, .bytes = bytes, .is_canonical = true};
    struct lp_mistakes *mistakes = lp_arena_new(&arena, struct lp_mistakes);
    int result = lp_descriptor_parse(&input, &arena, mistakes, &parsed, err);
    if (result == 0)
        result = lp_request_apply(foresight.engine, descriptor, bytes, NULL, err);
    uint32_t infra = result < 0 ? LP_NONE
                                : lp_catalog_find_infra(&foresight.engine->catalog,
                                                        foresight.engine->state, parsed->name);
    if (result == 0)
        result = lp_foresee_run(&foresight, infra, err);
    if (result == 0)
        add_steps(&foresight, parsed->name, ret_json);
    lp_foresee_end(&foresight);
    return result;
}

// "node db-1 lost", "app db-1/mariadb exited 1", "app db-1/mariadb hung", "host local lost".
struct supposition {
    char noun[8], name[2 * LP_NAME_BYTES_MAX + 16], verb[16];
    int status;
};

LP_MUST_CHECK static int suppose_parse(const char *what, struct supposition *ret_supposition,
                                       struct lp_err *err)
{
    struct supposition s = {.status = 1};
    int words = sscanf(what, "%7s %141s %15s %d", s.noun, s.name, s.verb, &s.status);
    bool is_node = strcmp(s.noun, "node") == 0 && strcmp(s.verb, "lost") == 0;
    bool is_host = strcmp(s.noun, "host") == 0 && strcmp(s.verb, "lost") == 0;
    bool is_app = strcmp(s.noun, "app") == 0 &&
                  (strcmp(s.verb, "exited") == 0 || strcmp(s.verb, "hung") == 0);
    if (words < 3 || !(is_node || is_host || is_app))
        return lp_err_set(err, LP_EINPUT,
                          "'%s' is not understood: say 'node db-1 lost', 'app db-1/NAME exited 1', "
                          "'app db-1/NAME hung' or 'host local lost'",
                          what);
    *ret_supposition = s;
    return 0;
}

LP_MUST_CHECK static int find_app(const struct lp_engine *engine, uint32_t service,
                                  const char *name, uint32_t *ret_app, struct lp_err *err)
{
    uint32_t count = lp_state_service(engine->state, service)->want.app_count;
    for (uint32_t i = 0; i < count; i++) {
        const struct lp_app *app = lp_catalog_find_app(&engine->catalog, service, i);
        if (app && strcmp(app->name, name) == 0) {
            *ret_app = i;
            return 0;
        }
    }
    return lp_err_set(err, LP_ENOTFOUND, "there is no application '%s'", name);
}

// Put the supposed events into the copy's queue.
LP_MUST_CHECK static int suppose(struct lp_engine *engine, uint32_t infra,
                                 const struct supposition *s, uint32_t *ret_infra,
                                 struct lp_err *err)
{
    struct lp_event event;
    lp_event_init(&event, LP_EVENT_HOST_DEAD);
    *ret_infra = LP_NONE;
    if (strcmp(s->noun, "host") == 0) {
        event.host = 0;
        lp_engine_put(engine, &event);
        return 0;
    }
    char name[sizeof(s->name)];
    snprintf(name, sizeof(name), "%s", s->name);
    char *slash = strchr(name, '/');
    if (slash)
        *slash = '\0';
    if (lp_view_find_node(engine, infra, name, &event.node, err) < 0)
        return err->code;
    const struct lp_node_row *row = lp_state_node(engine->state, event.node);
    *ret_infra = row->infra;
    event.kind = LP_EVENT_NODE_DEAD;
    event.incarnation = row->incarnation;
    event.status = 256 + 9;
    if (strcmp(s->noun, "node") == 0) {
        lp_engine_put(engine, &event);
        return 0;
    }
    if (!slash)
        return lp_err_set(err, LP_EINPUT, "name the application as %s/NAME", name);
    if (find_app(engine, row->service, slash + 1, &event.app, err) < 0)
        return err->code;
    bool is_hung = strcmp(s->verb, "hung") == 0;
    event.kind = is_hung ? LP_EVENT_READING : LP_EVENT_APP_EXITED;
    event.run = lp_state_app(engine->state, event.node, event.app)->run;
    event.status = s->status;
    uint32_t retries = lp_state_app_want(engine->state, row->service, event.app)->retries;
    for (uint32_t i = 0; i < (is_hung && retries ? retries : 1); i++)
        lp_engine_put(engine, &event);
    return 0;
}

int lp_view_plan_if(struct lp_engine *engine, const char *infra, const char *what,
                    struct lp_str *ret_json, struct lp_err *err)
{
    struct supposition supposition;
    uint32_t infra_id, found;
    struct lp_foresight foresight;
    if (suppose_parse(what, &supposition, err) < 0 ||
        lp_view_find_infra(engine, infra, &infra_id, err) < 0 ||
        lp_foresee_begin(engine, &foresight, err) < 0)
        return err->code;
    int result = suppose(foresight.engine, infra_id, &supposition, &found, err);
    if (result == 0)
        result = lp_foresee_run(&foresight, found, err);
    if (result == 0)
        add_steps(&foresight, found == LP_NONE ? NULL : engine->catalog.infras[found].name,
                  ret_json);
    lp_foresee_end(&foresight);
    return result;
}
