// Reads applications and setup steps: the long form, and the short one (one `command`).
#include <string.h>

#include "model/limits.h"
#include "model/parse_service.h"

// A slow step's attempts must fall into one window, or it would be tried for ever.
enum { SETUP_TIMEOUT_MS = 300 * 1000, SETUP_WINDOW_MS = 24 * 3600 * 1000 };

void lp_read_command(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *draft = into;
    draft->has_command = draft->has_command || !lp_yaml_is_null(value);
    draft->is_command_wrong |= !lp_parse_argv(reader, value, &draft->command);
}

void lp_read_entrypoint(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *draft = into;
    draft->has_command = draft->has_command || !lp_yaml_is_null(value);
    draft->is_command_wrong |= !lp_parse_argv(reader, value, &draft->entrypoint);
}

void lp_read_environment(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *draft = into;
    lp_parse_pairs(reader, value, &draft->environment);
}

void lp_read_working_dir(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *draft = into;
    draft->app.working_dir = lp_parse_inner_path(reader, value);
}

static bool user_part_is(const char *part, size_t bytes)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return bytes > 0 && bytes <= 64 && strspn(part, good) >= bytes;
}

void lp_read_user(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *draft = into;
    const char *text = lp_parse_text(reader, value);
    if (!text)
        return;
    const char *colon = strchr(text, ':');
    size_t bytes = colon ? (size_t)(colon - text) : strlen(text);
    if (!user_part_is(text, bytes) || (colon && !user_part_is(colon + 1, strlen(colon + 1))))
        lp_mistake_at(reader, value, "'%s' is not a user such as name, 33, name:group or 33:33",
                      text);
    draft->app.user = text;
}

void lp_read_stop_signal(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *draft = into;
    lp_parse_signal(reader, value, &draft->app.stop_signal);
}

void lp_read_stop_grace(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *draft = into;
    lp_parse_duration(reader, value, &draft->app.stop_grace_ms);
}

static void depends_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *draft = into;
    lp_read_depends(reader, value, &draft->app.depends);
}

static void name_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *draft = into;
    const char *text = lp_parse_text(reader, value);
    if (!text)
        return;
    struct lp_yaml_node named = *value;
    named.text = text;
    lp_parse_name(reader, &named, "setup step", LP_NAME_LABEL);
    lp_mark_add(reader, text, value);
    draft->app.name = text;
}

static void creates_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *draft = into;
    draft->app.creates = lp_parse_inner_path(reader, value);
}

static void timeout_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *draft = into;
    if (lp_parse_duration(reader, value, &draft->app.timeout_ms) && !draft->app.timeout_ms)
        lp_mistake_at(reader, value, "a setup step needs some time");
}

// What an application or step starts from: the service's settings, without its command.
static struct lp_app_draft draft_inherit(const struct lp_service_draft *service,
                                         enum lp_app_kind kind)
{
    struct lp_app_draft draft = {.app = service->base.app, .inherited = service->base.inherited};
    draft.app.kind = kind;
    draft.app.health = draft.app.readiness = (struct lp_check){0};
    if (kind == LP_APP_SETUP) {
        draft.app.timeout_ms = SETUP_TIMEOUT_MS;
        draft.app.reload = (struct lp_reload){.kind = LP_RELOAD_NOTHING};
        lp_restart_default(&draft.app.restart); // of a failed step: again, after its back-off
        draft.app.restart.condition = LP_RESTART_ON_FAILURE;
        draft.app.restart.window_ms = SETUP_WINDOW_MS;
    }
    return draft;
}

static void argv_join(struct lp_reader *reader, struct lp_app_draft *draft)
{
    size_t first = draft->entrypoint.count, count = first + draft->command.count;
    draft->app.argv =
        (struct lp_texts){lp_arena_new_array(reader->arena, const char *, count), count};
    for (size_t i = 0; i < count; i++)
        draft->app.argv.items[i] =
            i < first ? draft->entrypoint.items[i] : draft->command.items[i - first];
}

// Append the draft to the service's applications. at: for what is wrong with it as a whole.
static void draft_finish(struct lp_reader *reader, const struct lp_yaml_node *at,
                         struct lp_app_draft *draft, struct lp_service *service)
{
    struct lp_app *app = &draft->app;
    argv_join(reader, draft);
    app->environment = lp_pairs_overlay(reader->arena, &draft->inherited, &draft->environment);
    if (!app->argv.count && !draft->has_command)
        lp_mistake_at(reader, at, "'%s' has no command", app->name ? app->name : "setup step");
    else if (!draft->is_command_wrong && (!app->argv.count || !*app->argv.items[0]))
        lp_mistake_at(reader, at, "the command of '%s' is empty", app->name);
    for (size_t i = 0; app->name && i < service->app_count; i++)
        if (strcmp(service->apps[i].name, app->name) == 0)
            lp_mistake_put(&reader->sink, lp_mark_place(reader, app->name),
                           "'%s' names two applications or setup steps of this service", app->name);
    if (!app->name)
        app->name = "";
    service->apps[service->app_count++] = *app;
}

static void step_read(struct lp_reader *reader, struct lp_yaml_node *value,
                      const struct lp_service_draft *service)
{
    static const struct lp_key keys[] = {
        {"name", name_read, 0},
        {"command", lp_read_command, 0},
        {"entrypoint", lp_read_entrypoint, 0},
        {"creates", creates_read, 0},
        {"timeout", timeout_read, 0},
        {"user", lp_read_user, 0},
        {"environment", lp_read_environment, 0},
        {"working_dir", lp_read_working_dir, 0},
        {"stop_signal", lp_read_stop_signal, LP_KEY_CANONICAL},
        {"stop_grace_period", lp_read_stop_grace, LP_KEY_CANONICAL}};
    const struct lp_schema schema = {"setup step", keys, LP_COUNT(keys), NULL, 0};
    struct lp_app_draft draft = draft_inherit(service, LP_APP_SETUP);
    if (!lp_is_mapping(reader, value, "a setup step"))
        return;
    lp_schema_read(reader, &schema, value, &draft);
    if (!lp_yaml_find(value, "name"))
        lp_mistake_at(reader, value, "a setup step needs a name");
    draft_finish(reader, value, &draft, service->service);
}

static void application_read(struct lp_reader *reader, const struct lp_yaml_node *key,
                             struct lp_yaml_node *value, const struct lp_service_draft *service)
{
    static const struct lp_key keys[] = {{"command", lp_read_command, 0},
                                         {"entrypoint", lp_read_entrypoint, 0},
                                         {"user", lp_read_user, 0},
                                         {"environment", lp_read_environment, 0},
                                         {"working_dir", lp_read_working_dir, 0},
                                         {"depends_on", depends_read, 0},
                                         {"readiness", lp_read_readiness, 0},
                                         {"healthcheck", lp_read_healthcheck, 0},
                                         {"restart", lp_read_restart, 0},
                                         {"restart_policy", lp_read_restart_policy, 0},
                                         {"stop_signal", lp_read_stop_signal, 0},
                                         {"stop_grace_period", lp_read_stop_grace, 0},
                                         {"reload", lp_read_reload, 0}};
    const struct lp_schema schema = {"application", keys, LP_COUNT(keys), NULL, 0};
    struct lp_app_draft draft = draft_inherit(service, LP_APP_SERVE);
    lp_parse_name(reader, key, "application", LP_NAME_LABEL);
    draft.app.name = key->text;
    lp_schema_read(reader, &schema, value, &draft);
    if (value->kind == LP_YAML_MAPPING)
        draft_finish(reader, key, &draft, service->service);
}

// With `applications`, what belongs to one process must stand there.
static void long_form_check(struct lp_reader *reader, const struct lp_yaml_node *key,
                            const struct lp_service_draft *draft)
{
    if (draft->base.has_command)
        lp_mistake_at(reader, key,
                      "service '%s' has both a command and applications; make the command one of "
                      "the applications",
                      key->text);
    if (draft->check)
        lp_mistake_at(reader, draft->check,
                      "with applications, each has its own healthcheck and readiness");
}

static void none_check(struct lp_reader *reader, const struct lp_yaml_node *key,
                       const struct lp_service_draft *draft)
{
    if (!draft->setup && !draft->has_unknown)
        lp_mistake_at(reader, key,
                      "service '%s' has no command, applications or setup; Limpet does not take "
                      "the command from the image, write it here",
                      key->text);
    else if (draft->setup && draft->check)
        lp_mistake_at(reader, draft->check,
                      "service '%s' only has setup steps, which are not watched by a check",
                      key->text);
}

void lp_parse_apps(struct lp_reader *reader, const struct lp_yaml_node *key,
                   const struct lp_service_draft *draft)
{
    struct lp_service *service = draft->service;
    struct lp_yaml_node *setup = draft->setup, *apps = draft->applications;
    if ((setup && !lp_is_sequence(reader, setup, "setup")) ||
        (apps && !lp_is_mapping(reader, apps, "applications")))
        return;
    size_t count = (setup ? setup->count : 0) + (apps ? apps->count : draft->base.has_command);
    if (count > LP_APPS_MAX) {
        lp_mistake_at(reader, key, "service '%s' has %zu applications and setup steps; at most %d",
                      key->text, count, LP_APPS_MAX);
        return;
    }
    service->apps = lp_arena_new_array(reader->arena, struct lp_app, count);
    for (size_t i = 0; setup && i < setup->count; i++)
        step_read(reader, setup->items[i], draft);
    for (size_t i = 0; apps && i < apps->count; i++)
        application_read(reader, apps->keys[i], apps->items[i], draft);
    if (apps) {
        long_form_check(reader, key, draft);
    } else if (draft->base.has_command) {
        struct lp_app_draft only = draft->base;
        only.environment = (struct lp_pairs){0};
        only.app.kind = LP_APP_SERVE;
        only.app.name = key->text;
        draft_finish(reader, key, &only, service);
    } else {
        none_check(reader, key, draft);
    }
    if (!count && (setup || apps))
        lp_mistake_at(reader, key, "service '%s' has nothing to run", key->text);
}
