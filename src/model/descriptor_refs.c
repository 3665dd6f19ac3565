// Settles what names refer to, when all names are known.
#include <string.h>

#include "base/str.h"
#include "model/descriptor_parts.h"
#include "model/limits.h"

struct words { // names of one kind, for the nearest spelling
    const char **items;
    size_t count;
};

static struct words service_words(struct lp_reader *reader)
{
    const struct lp_descriptor *d = reader->descriptor;
    struct words words = {lp_arena_new_array(reader->arena, const char *, d->service_count),
                          d->service_count};
    for (size_t i = 0; i < words.count; i++)
        words.items[i] = d->services[i].name;
    return words;
}

static void service_missing(struct lp_reader *reader, const char *at, const char *name)
{
    for (size_t i = 0; i < reader->disabled_count; i++) {
        if (strcmp(reader->disabled[i].service, name) == 0) {
            lp_mistake_put(&reader->sink, lp_mark_place(reader, at),
                           "service '%s' is of profile '%s', which is not enabled", name,
                           reader->disabled[i].profile);
            return;
        }
    }
    struct words words = service_words(reader);
    lp_mistake_put(&reader->sink, lp_mark_place(reader, at), "no service '%s'%s", name,
                   lp_hint_nearest(reader, name, words.items, words.count));
}

static void app_missing(struct lp_reader *reader, const char *at, const struct lp_service *service,
                        const char *name)
{
    const char *words[LP_APPS_MAX];
    for (size_t i = 0; i < service->app_count; i++)
        words[i] = service->apps[i].name;
    lp_mistake_put(&reader->sink, lp_mark_place(reader, at),
                   "service '%s' has no application '%s'%s", service->name, name,
                   lp_hint_nearest(reader, name, words, service->app_count));
}

// "service/application" -> its two names.
static void reference_split(struct lp_reader *reader, struct lp_depend *depend)
{
    const char *slash = strchr(depend->service, '/');
    if (!slash)
        return;
    depend->app = lp_arena_text(reader->arena, slash + 1);
    depend->service =
        lp_arena_text_n(reader->arena, depend->service, (size_t)(slash - depend->service));
}

// The application that is always started again, so that waiting for its end is in vain.
static const struct lp_app *endless_find(const struct lp_service *service, const char *app)
{
    for (size_t i = 0; i < service->app_count; i++) {
        const struct lp_app *each = &service->apps[i];
        bool is_meant = !app || strcmp(each->name, app) == 0;
        if (is_meant && each->kind == LP_APP_SERVE && each->restart.condition == LP_RESTART_ALWAYS)
            return each;
    }
    return NULL;
}

static void completion_check(struct lp_reader *reader, const char *at,
                             const struct lp_service *service, const struct lp_depend *depend)
{
    const struct lp_app *endless = endless_find(service, depend->app);
    if (depend->condition == LP_DEPEND_COMPLETED && endless)
        lp_mistake_put(&reader->sink, lp_mark_place(reader, at),
                       "'%s' never completes: it is always started again; give it 'restart: "
                       "on-failure' or 'restart: no', or make it a setup step",
                       endless->name);
}

static void depend_settle(struct lp_reader *reader, const struct lp_service *own,
                          const struct lp_app *app, struct lp_depend *depend)
{
    const char *at = depend->service;
    reference_split(reader, depend);
    if (app && !depend->app && lp_service_find_app(own, depend->service)) {
        depend->app = depend->service;
        depend->service = own->name;
    }
    if (!app && depend->app) {
        lp_mistake_put(&reader->sink, lp_mark_place(reader, at),
                       "a service depends on services; put this under one of its applications");
        return;
    }
    const struct lp_service *service =
        lp_descriptor_find_service(reader->descriptor, depend->service);
    if (!service)
        service_missing(reader, at, depend->service);
    else if (depend->app && !lp_service_find_app(service, depend->app))
        app_missing(reader, at, service, depend->app);
    else if (service == own && !depend->app)
        lp_mistake_put(&reader->sink, lp_mark_place(reader, at), "'%s' depends on itself",
                       own->name);
    else
        completion_check(reader, at, service, depend);
}

static void depends_settle(struct lp_reader *reader, const struct lp_service *own,
                           const struct lp_app *app, struct lp_depends *depends)
{
    for (size_t i = 0; i < depends->count; i++) {
        struct lp_depend *depend = &depends->items[i];
        struct lp_place place = lp_mark_place(reader, depend->service);
        depend_settle(reader, own, app, depend);
        for (size_t k = 0; k < i; k++)
            if (lp_text_equal(depends->items[k].service, depend->service) &&
                lp_text_equal(depends->items[k].app, depend->app))
                lp_mistake_put(&reader->sink, place, "'%s' is named twice",
                               depend->app ? depend->app : depend->service);
    }
}

static void reference_check(struct lp_reader *reader, const char *what, const char *name,
                            struct words words)
{
    for (size_t i = 0; i < words.count; i++)
        if (strcmp(words.items[i], name) == 0)
            return;
    lp_mistake_put(&reader->sink, lp_mark_place(reader, name), "no %s '%s'%s", what, name,
                   lp_hint_nearest(reader, name, words.items, words.count));
}

static void targets_check(struct lp_reader *reader, const struct lp_service *service)
{
    size_t count = service->config_count + service->secret_count;
    for (size_t i = 0; i < count; i++) {
        const struct lp_file_use *a = i < service->config_count
                                          ? &service->configs[i]
                                          : &service->secrets[i - service->config_count];
        for (size_t k = 0; k < i; k++) {
            const struct lp_file_use *b = k < service->config_count
                                              ? &service->configs[k]
                                              : &service->secrets[k - service->config_count];
            if (strcmp(a->target, b->target) == 0)
                lp_mistake_put(&reader->sink, lp_mark_place(reader, a->source), "two files at '%s'",
                               a->target);
        }
    }
}

struct tables {
    struct words networks, volumes, configs, secrets;
};

static struct tables tables_make(struct lp_reader *reader)
{
    const struct lp_descriptor *d = reader->descriptor;
    struct tables tables = {
        .networks = {lp_arena_new_array(reader->arena, const char *, d->network_count),
                     d->network_count},
        .volumes = {d->volumes, d->volume_count},
        .configs = {lp_arena_new_array(reader->arena, const char *, d->config_count),
                    d->config_count},
        .secrets = {lp_arena_new_array(reader->arena, const char *, d->secret_count),
                    d->secret_count},
    };
    for (size_t i = 0; i < d->network_count; i++)
        tables.networks.items[i] = d->networks[i].name;
    for (size_t i = 0; i < d->config_count; i++)
        tables.configs.items[i] = d->configs[i].name;
    for (size_t i = 0; i < d->secret_count; i++)
        tables.secrets.items[i] = d->secrets[i].name;
    return tables;
}

// "web-1" names a node of "web" and would be the name of a service as well.
static void node_name_check(struct lp_reader *reader, const struct lp_service *service)
{
    const char *dash = strrchr(service->name, '-');
    if (!dash || !dash[1] || strspn(dash + 1, "0123456789") != strlen(dash + 1))
        return;
    const char *base =
        lp_arena_text_n(reader->arena, service->name, (size_t)(dash - service->name));
    if (lp_descriptor_find_service(reader->descriptor, base))
        lp_mistake_put(&reader->sink, lp_mark_place(reader, service->name),
                       "'%s' is also the name of a node of service '%s'", service->name, base);
}

// "default" exists as soon as a service is on it.
static void default_network_add(struct lp_reader *reader)
{
    struct lp_descriptor *d = reader->descriptor;
    bool is_used = false;
    for (size_t i = 0; i < d->service_count; i++)
        for (size_t k = 0; k < d->services[i].network_count; k++)
            is_used = is_used || strcmp(d->services[i].networks[k].network, "default") == 0;
    for (size_t i = 0; i < d->network_count; i++)
        is_used = is_used && strcmp(d->networks[i].name, "default") != 0;
    if (!is_used)
        return;
    if (!d->networks)
        d->networks = lp_arena_new(reader->arena, struct lp_network);
    d->networks[d->network_count++].name = "default";
}

void lp_descriptor_settle(struct lp_reader *reader)
{
    struct lp_descriptor *d = reader->descriptor;
    default_network_add(reader);
    struct tables tables = tables_make(reader);
    for (size_t i = 0; i < d->service_count; i++) {
        struct lp_service *service = &d->services[i];
        node_name_check(reader, service);
        depends_settle(reader, service, NULL, &service->depends);
        for (size_t k = 0; k < service->app_count; k++)
            depends_settle(reader, service, &service->apps[k], &service->apps[k].depends);
        for (size_t k = 0; k < service->network_count; k++)
            reference_check(reader, "network", service->networks[k].network, tables.networks);
        for (size_t k = 0; k < service->mount_count; k++)
            if (service->mounts[k].kind == LP_MOUNT_VOLUME)
                reference_check(reader, "volume", service->mounts[k].source, tables.volumes);
        for (size_t k = 0; k < service->config_count; k++)
            reference_check(reader, "config", service->configs[k].source, tables.configs);
        for (size_t k = 0; k < service->secret_count; k++)
            reference_check(reader, "secret", service->secrets[k].source, tables.secrets);
        targets_check(reader, service);
    }
}
