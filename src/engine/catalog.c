// The catalog: the names and texts behind the controller's numbers.
#include "engine/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "model/order.h"

void lp_catalog_init(struct lp_catalog *catalog, const struct lp_limits *limits)
{
    *catalog = (struct lp_catalog){.limits = *limits};
    catalog->infras = lp_heap_take(limits->infras * sizeof(*catalog->infras));
    catalog->services = lp_heap_take(limits->services * sizeof(*catalog->services));
    catalog->images = lp_heap_take(limits->images * sizeof(*catalog->images));
    catalog->faults = lp_heap_take(LP_FAULTS_MAX * sizeof(*catalog->faults));
}

static void version_free(struct lp_catalog_version *version)
{
    lp_arena_release(&version->arena);
    lp_heap_free(version);
}

void lp_catalog_release(struct lp_catalog *catalog)
{
    for (struct lp_catalog_version *v = catalog->versions, *next; v; v = next) {
        next = v->next;
        version_free(v);
    }
    for (uint32_t i = 0; i < catalog->limits.infras; i++)
        lp_str_release(&catalog->infras[i].trouble);
    lp_heap_free(catalog->infras);
    lp_heap_free(catalog->services);
    lp_heap_free(catalog->images);
    for (uint32_t i = 0; catalog->faults && i < LP_FAULTS_MAX; i++)
        lp_heap_free(catalog->faults[i].text);
    lp_heap_free(catalog->faults);
    *catalog = (struct lp_catalog){0};
}

static void name_set(char *name, const char *text)
{
    snprintf(name, LP_NAME_BYTES_MAX + 1, "%s", text ? text : "");
}

LP_MUST_CHECK static int version_add(struct lp_catalog *catalog, const char *text,
                                     struct lp_catalog_version **ret_version, struct lp_err *err)
{
    struct lp_catalog_version *version = lp_heap_take(sizeof(*version));
    version->text = lp_arena_text(&version->arena, text);
    struct lp_parse_input input = {.path = "descriptor",
                                   .text = version->text,
                                   .bytes = strlen(version->text),
                                   .is_canonical = true};
    struct lp_mistakes *mistakes = lp_arena_new(&version->arena, struct lp_mistakes);
    if (lp_descriptor_parse(&input, &version->arena, mistakes, &version->descriptor, err) < 0) {
        version_free(version);
        err->code = LP_ECORRUPT;
        return lp_err_wrap(err, "a descriptor in the journal is not valid");
    }
    version->next = catalog->versions;
    catalog->versions = version;
    *ret_version = version;
    return 0;
}

LP_MUST_CHECK static int infra_set(struct lp_catalog *catalog, uint32_t infra, const char *text,
                                   struct lp_err *err)
{
    struct lp_catalog_version *version = NULL;
    if (infra >= catalog->limits.infras || !text)
        return lp_err_set(err, LP_ECORRUPT, "an infrastructure in the journal has no descriptor");
    if (version_add(catalog, text, &version, err) < 0)
        return err->code;
    struct lp_catalog_infra *row = &catalog->infras[infra];
    name_set(row->name, version->descriptor->name);
    row->version = version;
    row->with_volumes = false;
    return 0;
}

static void service_set(struct lp_catalog *catalog, const struct lp_event *event)
{
    if (event->service >= catalog->limits.services || event->infra >= catalog->limits.infras)
        return;
    struct lp_catalog_service *row = &catalog->services[event->service];
    name_set(row->name, event->text);
    row->infra = event->infra;
    row->version = catalog->infras[event->infra].version;
    row->service =
        row->version ? lp_descriptor_find_service(row->version->descriptor, row->name) : NULL;
}

static void published(struct lp_catalog *catalog, const struct lp_event *event)
{
    if (event->infra >= catalog->limits.infras)
        return;
    struct lp_str *trouble = &catalog->infras[event->infra].trouble;
    lp_str_clear(trouble);
    if (event->text && strstr(event->text, LP_PORT_TROUBLE))
        lp_str_add(trouble, event->text);
}

static void fault_set(struct lp_catalog *catalog, const struct lp_event *event)
{
    if (event->fault >= LP_FAULTS_MAX || !event->text)
        return;
    struct lp_catalog_fault *row = &catalog->faults[event->fault];
    size_t bytes = strlen(event->text) + 1;
    lp_heap_free(row->text);
    row->text = lp_heap_take(bytes);
    memcpy(row->text, event->text, bytes);
}

int lp_catalog_fold(struct lp_catalog *catalog, const struct lp_event *event, struct lp_err *err)
{
    switch (event->kind) {
    case LP_EVENT_INFRA_SET:
        return infra_set(catalog, event->infra, event->text, err);
    case LP_EVENT_SERVICE_SET:
        service_set(catalog, event);
        return 0;
    case LP_EVENT_IMAGE_SET:
        if (event->image < catalog->limits.images && event->text)
            snprintf(catalog->images[event->image].hash, sizeof(catalog->images[0].hash), "%s",
                     event->text);
        return 0;
    case LP_EVENT_PUBLISHED:
        published(catalog, event);
        return 0;
    case LP_EVENT_NETWORK_GONE:
        if (event->infra < catalog->limits.infras)
            lp_str_clear(&catalog->infras[event->infra].trouble);
        return 0;
    case LP_EVENT_FAULT_ASKED:
        fault_set(catalog, event);
        return 0;
    case LP_EVENT_INFRA_UNSET:
        if (event->infra < catalog->limits.infras)
            catalog->infras[event->infra].with_volumes = event->is_forced;
        return 0;
    default:
        return 0;
    }
}

static bool is_needed(const struct lp_catalog *catalog, const struct lp_catalog_version *version)
{
    for (uint32_t i = 0; i < catalog->limits.infras; i++)
        if (catalog->infras[i].version == version)
            return true;
    for (uint32_t i = 0; i < catalog->limits.services; i++)
        if (catalog->services[i].version == version)
            return true;
    return false;
}

void lp_catalog_sweep(struct lp_catalog *catalog, const struct lp_state *state)
{
    for (uint32_t i = 0; i < catalog->limits.infras; i++)
        if (!lp_state_infra(state, i)->is_used)
            catalog->infras[i].version = NULL;
    for (uint32_t i = 0; i < catalog->limits.services; i++) {
        if (!lp_state_service(state, i)->is_used) {
            catalog->services[i].version = NULL;
            catalog->services[i].service = NULL;
        }
    }
    struct lp_catalog_version **at = &catalog->versions;
    while (*at) {
        struct lp_catalog_version *version = *at;
        if (is_needed(catalog, version)) {
            at = &version->next;
            continue;
        }
        *at = version->next;
        version_free(version);
    }
}

uint32_t lp_catalog_find_infra(const struct lp_catalog *catalog, const struct lp_state *state,
                               const char *name)
{
    for (uint32_t i = 0; i < catalog->limits.infras; i++)
        if (lp_state_infra(state, i)->is_used && strcmp(catalog->infras[i].name, name) == 0)
            return i;
    return LP_NONE;
}

uint32_t lp_catalog_find_service(const struct lp_catalog *catalog, const struct lp_state *state,
                                 uint32_t infra, const char *name)
{
    for (uint32_t i = 0; i < catalog->limits.services; i++)
        if (lp_state_service(state, i)->is_used && catalog->services[i].infra == infra &&
            strcmp(catalog->services[i].name, name) == 0)
            return i;
    return LP_NONE;
}

uint32_t lp_catalog_find_node(const struct lp_catalog *catalog, const struct lp_state *state,
                              uint32_t infra, const char *name)
{
    const char *dash = strrchr(name, '-');
    if (!dash || dash - name > LP_NAME_BYTES_MAX)
        return LP_NONE;
    char service_name[LP_NAME_BYTES_MAX + 1];
    snprintf(service_name, sizeof(service_name), "%.*s", (int)(dash - name), name);
    char *end;
    unsigned long ordinal = strtoul(dash + 1, &end, 10);
    uint32_t service = lp_catalog_find_service(catalog, state, infra, service_name);
    if (service == LP_NONE || *end || end == dash + 1)
        return LP_NONE;
    for (uint32_t n = lp_state_next_node(state, service, LP_NONE); n != LP_NONE;
         n = lp_state_next_node(state, service, n))
        if (lp_state_node(state, n)->ordinal == ordinal)
            return n;
    return LP_NONE;
}

const struct lp_image *lp_catalog_find_image(const struct lp_catalog *catalog, uint32_t image)
{
    if (image >= catalog->limits.images || !catalog->images[image].hash[0])
        return NULL;
    for (uint32_t i = 0; i < catalog->limits.services; i++) {
        const struct lp_service *service = catalog->services[i].service;
        if (service && strcmp(service->image.hash, catalog->images[image].hash) == 0)
            return &service->image;
    }
    return NULL;
}

const struct lp_app *lp_catalog_find_app(const struct lp_catalog *catalog, uint32_t service,
                                         uint32_t app)
{
    if (service >= catalog->limits.services || !catalog->services[service].service)
        return NULL;
    const struct lp_service *described = catalog->services[service].service;
    return app < described->app_count ? &described->apps[app] : NULL;
}

void lp_catalog_add_node_name(const struct lp_catalog *catalog, const struct lp_state *state,
                              uint32_t node, struct lp_str *ret_text)
{
    const struct lp_node_row *row = lp_state_node(state, node);
    lp_str_printf(ret_text, "%s-%u", catalog->services[row->service].name, row->ordinal);
}

void lp_catalog_add_subject(const struct lp_catalog *catalog, const struct lp_state *state,
                            const struct lp_subject *subject, struct lp_str *ret_text)
{
    struct lp_subject full = *subject;
    bool has_node = full.node < catalog->limits.nodes && lp_state_node(state, full.node)->is_used;
    if (has_node) {
        full.service = lp_state_node(state, full.node)->service;
        full.infra = lp_state_node(state, full.node)->infra;
    }
    if (full.infra == LP_NONE && full.service < catalog->limits.services)
        full.infra = catalog->services[full.service].infra;
    if (full.infra >= catalog->limits.infras)
        return;
    lp_str_add(ret_text, catalog->infras[full.infra].name);
    if (full.service >= catalog->limits.services)
        return;
    lp_str_add_char(ret_text, '/');
    if (!has_node) {
        lp_str_add(ret_text, catalog->services[full.service].name);
        return;
    }
    lp_catalog_add_node_name(catalog, state, full.node, ret_text);
    if (full.app == LP_NONE)
        return;
    const struct lp_app *app = lp_catalog_find_app(catalog, full.service, full.app);
    if (app)
        lp_str_printf(ret_text, "/%s", app->name);
    else
        lp_str_printf(ret_text, "/%u", full.app);
}
