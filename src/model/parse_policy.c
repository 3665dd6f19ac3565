// Reads what happens when an application ends or its files change: restart, reload.
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/parse_service.h"

enum { DELAY_MS = 100, WINDOW_MS = 60 * 1000, ATTEMPTS_MAX = 1000 * 1000 };

// Compose restarts nothing unless told; keeping things alive is what Limpet is for.
void lp_restart_default(struct lp_restart_policy *ret_policy)
{
    *ret_policy = (struct lp_restart_policy){
        .condition = LP_RESTART_ALWAYS, .delay_ms = DELAY_MS, .window_ms = WINDOW_MS};
}

void lp_read_restart(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *draft = into;
    struct lp_restart_policy *policy = &draft->app.restart;
    const char *text = lp_parse_text(reader, value);
    if (!text)
        return;
    draft->has_restart = true;
    policy->max_attempts = 0;
    if (strcmp(text, "no") == 0 || strcmp(text, "false") == 0) {
        policy->condition = LP_RESTART_NO;
    } else if (strcmp(text, "always") == 0 || strcmp(text, "unless-stopped") == 0) {
        policy->condition = LP_RESTART_ALWAYS;
    } else if (strcmp(text, "on-failure") == 0) {
        policy->condition = LP_RESTART_ON_FAILURE;
    } else if (lp_text_starts(text, "on-failure:")) {
        char *end;
        unsigned long attempts = strtoul(text + 11, &end, 10);
        if (!attempts || *end || attempts > ATTEMPTS_MAX || text[11] < '0' || text[11] > '9')
            lp_mistake_at(reader, value, "'%s' needs a number of attempts, as in on-failure:3",
                          text);
        policy->condition = LP_RESTART_ON_FAILURE;
        policy->max_attempts = (uint32_t)attempts;
    } else {
        static const char *const words[] = {"no", "always", "on-failure", "unless-stopped"};
        lp_mistake_at(reader, value, "'%s' is not no, always, on-failure or unless-stopped%s", text,
                      lp_hint_nearest(reader, text, words, LP_COUNT(words)));
    }
}

static void condition_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    static const char *const words[] = {"none", "on-failure", "any"}; // as the enum's order
    struct lp_app_draft *draft = into;
    int condition = lp_parse_word(reader, value, words, LP_COUNT(words));
    if (condition < 0)
        return;
    if (draft->has_restart && (int)draft->app.restart.condition != condition)
        lp_mistake_at(reader, value, "condition '%s' contradicts 'restart'", words[condition]);
    draft->app.restart.condition = (enum lp_restart_condition)condition;
}

static void delay_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *draft = into;
    lp_parse_duration(reader, value, &draft->app.restart.delay_ms);
}

static void attempts_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *draft = into;
    uint64_t attempts = 0;
    if (lp_parse_number(reader, value, (struct lp_range){0, ATTEMPTS_MAX}, &attempts))
        draft->app.restart.max_attempts = (uint32_t)attempts;
}

static void window_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *draft = into;
    lp_parse_duration(reader, value, &draft->app.restart.window_ms);
}

void lp_read_restart_policy(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    static const struct lp_key keys[] = {{"condition", condition_read, 0},
                                         {"delay", delay_read, 0},
                                         {"max_attempts", attempts_read, 0},
                                         {"window", window_read, 0}};
    const struct lp_schema schema = {"restart_policy", keys, LP_COUNT(keys), NULL, 0};
    lp_schema_read(reader, &schema, value, into);
}

static void reload_command_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *draft = into;
    draft->app.reload.kind = LP_RELOAD_COMMAND;
    if (lp_parse_argv(reader, value, &draft->app.reload.argv) && !draft->app.reload.argv.count)
        lp_mistake_at(reader, value, "an empty command");
}

static void reload_signal_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *draft = into;
    if (draft->app.reload.kind == LP_RELOAD_COMMAND)
        lp_mistake_at(reader, value, "reload takes a command or a signal, not both");
    draft->app.reload.kind = LP_RELOAD_SIGNAL;
    lp_parse_signal(reader, value, &draft->app.reload.signal);
}

void lp_read_reload(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    static const char *const words[] = {"restart", "nothing"};
    static const struct lp_key keys[] = {{"command", reload_command_read, 0},
                                         {"signal", reload_signal_read, 0}};
    const struct lp_schema schema = {"reload", keys, LP_COUNT(keys), NULL, 0};
    struct lp_app_draft *draft = into;
    draft->app.reload = (struct lp_reload){0};
    if (value->kind == LP_YAML_SCALAR) {
        if (lp_parse_word(reader, value, words, LP_COUNT(words)) == 1)
            draft->app.reload.kind = LP_RELOAD_NOTHING;
        return;
    }
    lp_schema_read(reader, &schema, value, draft);
    if (value->kind == LP_YAML_MAPPING && draft->app.reload.kind == LP_RELOAD_RESTART &&
        !value->count)
        lp_mistake_at(reader, value, "reload takes restart, nothing, a command or a signal");
}
