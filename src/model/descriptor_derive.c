// Fills in what follows from the rest: what a service observes, its fingerprints.
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/own.h"
#include "base/spelling.h"
#include "base/str.h"
#include "model/descriptor_parts.h"
#include "model/limits.h"
#include "model/template.h"

struct derive {
    struct lp_reader *reader;
    struct lp_service *service;
    const char **words; // names of all services
};

// How many actions begin at or before line:column of the template.
static size_t actions_before(const char *text, int line, int column)
{
    size_t count = 0;
    int at_line = 1, at_column = 1;
    for (; *text && (at_line < line || (at_line == line && at_column <= column)); text++) {
        count += text[0] == '{' && text[1] == '{';
        at_column = *text == '\n' ? 1 : at_column + ((*text & 0xc0) != 0x80);
        at_line += *text == '\n';
    }
    return count;
}

// The template's own "line:column: what" becomes a place in the file.
static void template_refuse(struct lp_reader *reader, const char *text, const char *what)
{
    int line = 0, column = 0, bytes = 0;
    if (sscanf(what, "%d:%d: %n", &line, &column, &bytes) < 2)
        bytes = 0;
    size_t count = actions_before(text, line, column);
    struct lp_place place = lp_token_place(reader, text, "{{", count ? count - 1 : 0);
    lp_mistake_put(&reader->sink, place, "template: %s", what + bytes);
}

// How many actions come before the one that mentions the name.
static size_t mention_find(const char *text, const char *name)
{
    size_t count = 0, bytes = strlen(name);
    for (const char *at = strstr(text, "{{"); at; at = strstr(at + 2, "{{"), count++) {
        const char *end = strstr(at, "}}");
        const char *found = strstr(at, name);
        if (end && found && found < end && strchr(" \t", found[-1]) && strchr(" \t}", found[bytes]))
            return count;
    }
    return 0;
}

// Check one template; the services that it mentions are added to observes.
static void template_check(struct derive *derive, const char *text)
{
    struct lp_reader *reader = derive->reader;
    const struct lp_descriptor *d = reader->descriptor;
    struct lp_texts mentioned = {0};
    struct lp_err err;
    if (!strstr(text, "{{"))
        return;
    if (lp_template_check(text, reader->arena, &mentioned, &err) < 0) {
        template_refuse(reader, text, err.text);
        return;
    }
    for (size_t i = 0; i < mentioned.count; i++) {
        const char *name = mentioned.items[i];
        if (!lp_descriptor_find_service(d, name))
            lp_mistake_put(&reader->sink,
                           lp_token_place(reader, text, "{{", mention_find(text, name)),
                           "template: no service '%s'%s", name,
                           lp_hint_nearest(reader, name, derive->words, d->service_count));
        else if (!lp_texts_has(&derive->service->observes, name))
            lp_texts_add(reader->arena, &derive->service->observes, name);
    }
}

static void templates_check(struct derive *derive)
{
    struct lp_service *service = derive->service;
    const struct lp_descriptor *d = derive->reader->descriptor;
    for (size_t i = 0; i < service->app_count; i++) {
        const struct lp_app *app = &service->apps[i];
        for (size_t k = 0; k < app->argv.count; k++)
            template_check(derive, app->argv.items[k]);
        for (size_t k = 0; k < app->environment.count; k++)
            template_check(derive, app->environment.items[k].value);
    }
    for (size_t i = 0; i < service->config_count; i++)
        for (size_t k = 0; k < d->config_count; k++)
            if (d->configs[k].is_template &&
                strcmp(d->configs[k].name, service->configs[i].source) == 0)
                template_check(derive, d->configs[k].content);
    if (service->observes.count > LP_OBSERVES_MAX)
        lp_mistake_put(&derive->reader->sink, lp_mark_place(derive->reader, service->name),
                       "the templates of '%s' mention %zu services; at most %d", service->name,
                       service->observes.count, LP_OBSERVES_MAX);
}

static void state_derive(struct lp_service *service)
{
    for (size_t i = 0; i < service->mount_count; i++)
        service->owns_state = service->owns_state || (service->mounts[i].kind != LP_MOUNT_TMPFS &&
                                                      !service->mounts[i].is_read_only);
}

static void node_hash_derive(const struct lp_descriptor *d, struct lp_service *service)
{
    LP_OWNS_STR struct lp_str text = {0};
    lp_print_service(&text, service, true);
    for (size_t i = 0; i < service->network_count; i++)
        for (size_t k = 0; k < d->network_count; k++)
            if (strcmp(d->networks[k].name, service->networks[i].network) == 0)
                lp_str_printf(&text, " %08x/%u", d->networks[k].subnet, d->networks[k].prefix);
    service->node_hash = lp_hash64(lp_str_text(&text), text.bytes);
}

static void files_hash_derive(const struct lp_descriptor *d, struct lp_service *service)
{
    LP_OWNS_STR struct lp_str text = {0};
    for (size_t i = 0; i < service->config_count; i++) {
        for (size_t k = 0; k < d->config_count; k++) {
            if (strcmp(d->configs[k].name, service->configs[i].source) != 0)
                continue;
            lp_str_printf(&text, "%d ", d->configs[k].is_template);
            lp_print_text(&text, d->configs[k].content);
        }
    }
    service->files_hash = lp_hash64(lp_str_text(&text), text.bytes);
}

// The canonical text must fit too: what is written once may be printed for each application.
static bool size_check(struct lp_reader *reader, const struct lp_service *service, size_t *total)
{
    LP_OWNS_STR struct lp_str text = {0};
    lp_print_service(&text, service, false);
    *total += text.bytes;
    if (*total <= LP_CANONICAL_BYTES_MAX / 2)
        return true;
    lp_mistake_put(&reader->sink, lp_mark_place(reader, service->name),
                   "the descriptor is too large once everything is expanded");
    return false;
}

void lp_descriptor_derive(struct lp_reader *reader)
{
    struct lp_descriptor *d = reader->descriptor;
    struct derive derive = {.reader = reader};
    size_t total = 0;
    derive.words = lp_arena_new_array(reader->arena, const char *, d->service_count);
    for (size_t i = 0; i < d->service_count; i++)
        derive.words[i] = d->services[i].name;
    for (size_t i = 0; i < d->service_count; i++) {
        derive.service = &d->services[i];
        templates_check(&derive);
    }
    // Configs that nobody uses are checked as well.
    struct lp_service nobody = {.name = ""};
    derive.service = &nobody;
    for (size_t i = 0; i < d->config_count; i++)
        if (d->configs[i].is_template)
            template_check(&derive, d->configs[i].content);
    for (size_t i = 0; i < d->service_count && !reader->sink.mistakes->count; i++) {
        state_derive(&d->services[i]);
        node_hash_derive(d, &d->services[i]);
        files_hash_derive(d, &d->services[i]);
        if (!size_check(reader, &d->services[i], &total))
            return;
    }
}
