// From a descriptor to the events that make it wanted.
#include "engine/compile.h"

#include <inttypes.h>
#include <string.h>

#include "engine/secrets.h"
#include "base/hash.h"

struct compile {
    const struct lp_engine *engine;
    const struct lp_descriptor *descriptor;
    struct lp_arena *arena;
    uint32_t infra;
    uint32_t *service_ids; // beside descriptor->services
    uint32_t *image_ids;   // beside descriptor->services
    struct lp_event *events;
    size_t count;
};

static struct lp_event *event_add(struct compile *c, enum lp_event_kind kind)
{
    struct lp_event *event = &c->events[c->count++];
    lp_event_init(event, kind);
    event->infra = c->infra;
    return event;
}

LP_MUST_CHECK static int infra_choose(struct compile *c, struct lp_err *err)
{
    const struct lp_engine *engine = c->engine;
    c->infra = lp_catalog_find_infra(&engine->catalog, engine->state, c->descriptor->name);
    if (c->infra != LP_NONE && !lp_state_infra(engine->state, c->infra)->is_wanted)
        return lp_err_set(err, LP_ECONFLICT,
                          "infrastructure %s is being taken down; wait until it is gone",
                          c->descriptor->name);
    for (uint32_t i = 0; c->infra == LP_NONE && i < engine->limits.infras; i++)
        if (!lp_state_infra(engine->state, i)->is_used)
            c->infra = i;
    if (c->infra == LP_NONE)
        return lp_err_set(err, LP_EFULL, "no room for one more infrastructure (bound: %u)",
                          engine->limits.infras);
    return 0;
}

LP_MUST_CHECK static int services_choose(struct compile *c, struct lp_err *err)
{
    const struct lp_engine *engine = c->engine;
    uint32_t next_free = 0;
    for (size_t i = 0; i < c->descriptor->service_count; i++) {
        uint32_t id = lp_catalog_find_service(&engine->catalog, engine->state, c->infra,
                                              c->descriptor->services[i].name);
        while (id == LP_NONE && next_free < engine->limits.services) {
            if (!lp_state_service(engine->state, next_free)->is_used)
                id = next_free;
            next_free++;
        }
        if (id == LP_NONE)
            return lp_err_set(err, LP_EFULL, "no room for one more service (bound: %u)",
                              engine->limits.services);
        c->service_ids[i] = id;
    }
    return 0;
}

static bool image_is_in_use(const struct lp_engine *engine, uint32_t image)
{
    for (uint32_t i = 0; i < engine->limits.services; i++) {
        const struct lp_service_row *row = lp_state_service(engine->state, i);
        if (row->is_used && row->want.image == image)
            return true;
    }
    return false;
}

// Is the slot's image, or the slot itself, needed by what runs or by this change?
static bool image_slot_is_taken(const struct compile *c, size_t service, uint32_t slot)
{
    for (size_t k = 0; k < service; k++)
        if (c->image_ids[k] == slot)
            return true;
    const char *hash = c->engine->catalog.images[slot].hash;
    for (size_t k = 0; hash[0] && k < c->descriptor->service_count; k++)
        if (strcmp(c->descriptor->services[k].image.hash, hash) == 0)
            return true;
    return hash[0] && image_is_in_use(c->engine, slot);
}

// The slot of an image by its hash: known, chosen earlier in this change, or free. A slot that
// never had an image comes first: a late word of the old image would be taken for the new one.
static uint32_t image_choose(const struct compile *c, size_t service, const char *hash)
{
    const struct lp_catalog *catalog = &c->engine->catalog;
    for (size_t i = 0; i < service; i++)
        if (strcmp(c->descriptor->services[i].image.hash, hash) == 0)
            return c->image_ids[i];
    for (uint32_t i = 0; i < catalog->limits.images; i++)
        if (strcmp(catalog->images[i].hash, hash) == 0)
            return i;
    uint32_t reusable = LP_NONE;
    for (uint32_t i = 0; i < catalog->limits.images; i++) {
        if (image_slot_is_taken(c, service, i))
            continue;
        if (!catalog->images[i].hash[0])
            return i;
        reusable = reusable == LP_NONE ? i : reusable;
    }
    return reusable;
}

LP_MUST_CHECK static int images_add(struct compile *c, struct lp_err *err)
{
    for (size_t i = 0; i < c->descriptor->service_count; i++) {
        const char *hash = c->descriptor->services[i].image.hash;
        c->image_ids[i] = image_choose(c, i, hash);
        if (c->image_ids[i] == LP_NONE)
            return lp_err_set(err, LP_EFULL, "no room for one more image (bound: %u)",
                              c->engine->limits.images);
        struct lp_event *event = event_add(c, LP_EVENT_IMAGE_SET);
        event->image = c->image_ids[i];
        event->text = hash;
        event->revision = lp_hash64(hash, strlen(hash));
    }
    return 0;
}

static uint32_t service_id(const struct compile *c, const char *name)
{
    for (size_t i = 0; i < c->descriptor->service_count; i++)
        if (strcmp(c->descriptor->services[i].name, name) == 0)
            return c->service_ids[i];
    return LP_NONE;
}

static uint16_t app_index(const struct compile *c, const char *service, const char *app)
{
    if (!app)
        return LP_WHOLE_SERVICE;
    const struct lp_service *described = lp_descriptor_find_service(c->descriptor, service);
    for (size_t i = 0; described && i < described->app_count; i++)
        if (strcmp(described->apps[i].name, app) == 0)
            return (uint16_t)i;
    return LP_WHOLE_SERVICE;
}

static uint8_t depends_fill(const struct compile *c, const struct lp_depends *depends,
                            struct lp_want_depend *wants)
{
    uint8_t count = 0;
    for (size_t i = 0; i < depends->count && count < LP_DEPENDS_MAX; i++) {
        const struct lp_depend *depend = &depends->items[i];
        uint32_t id = service_id(c, depend->service);
        if (id == LP_NONE)
            continue; // of a profile that is not enabled: the parser lets only those through
        wants[count++] = (struct lp_want_depend){id, app_index(c, depend->service, depend->app),
                                                 (uint8_t)depend->condition};
    }
    return count;
}

// The files of a service change with its secrets, too, whose contents no descriptor has.
static uint64_t files_hash(const struct compile *c, const struct lp_service *service)
{
    const struct lp_engine *engine = c->engine;
    const char *root = engine->config.root ? engine->config.root : engine->foreseen_root;
    LP_OWNS_STR struct lp_str text = {0};
    for (size_t i = 0; i < service->secret_count; i++)
        for (size_t k = 0; k < c->descriptor->secret_count; k++) {
            const struct lp_secret *secret = &c->descriptor->secrets[k];
            if (strcmp(secret->name, service->secrets[i].source) != 0)
                continue;
            uint64_t print =
                lp_secrets_fingerprint(root, c->descriptor->name, secret, engine->applied_secrets);
            lp_str_printf(&text, " %" PRIx64, print);
        }
    if (!text.bytes)
        return service->files_hash;
    lp_str_printf(&text, " %" PRIx64, service->files_hash);
    return lp_hash64(lp_str_text(&text), text.bytes);
}

static void service_add(struct compile *c, size_t index)
{
    const struct lp_service *service = &c->descriptor->services[index];
    struct lp_event *event = event_add(c, LP_EVENT_SERVICE_SET);
    event->service = c->service_ids[index];
    event->text = service->name;
    struct lp_service_want *want = &event->service_want;
    *want = (struct lp_service_want){
        .node_hash = service->node_hash,
        .files_hash = files_hash(c, service),
        .memory_bytes = service->memory_bytes,
        .replicas = service->replicas,
        .image = c->image_ids[index],
        .cpu_permille = service->cpu_permille,
        .stop_grace_ms = service->stop_grace_ms,
        .app_count = (uint16_t)service->app_count,
        .owns_state = service->owns_state,
    };
    want->depend_count = depends_fill(c, &service->depends, want->depends);
    for (size_t i = 0; i < service->observes.count && want->observe_count < LP_OBSERVES_MAX; i++) {
        uint32_t id = service_id(c, service->observes.items[i]);
        if (id != LP_NONE)
            want->observes[want->observe_count++] = id;
    }
}

static void app_add(struct compile *c, size_t service_index, size_t app_at)
{
    const struct lp_app *app = &c->descriptor->services[service_index].apps[app_at];
    const struct lp_check *check =
        app->health.kind != LP_CHECK_NONE ? &app->health : &app->readiness;
    struct lp_event *event = event_add(c, LP_EVENT_APP_SET);
    event->service = c->service_ids[service_index];
    event->app = (uint32_t)app_at;
    event->text = app->name;
    event->app_want = (struct lp_app_want){
        .kind = (uint8_t)app->kind,
        .restart_condition = (uint8_t)app->restart.condition,
        .has_readiness = app->readiness.kind != LP_CHECK_NONE,
        .has_health = app->health.kind != LP_CHECK_NONE,
        .reload_kind = (uint8_t)app->reload.kind,
        .delay_ms = app->restart.delay_ms,
        .max_attempts = app->restart.max_attempts,
        .window_ms = app->restart.window_ms,
        .stop_grace_ms = app->stop_grace_ms,
        .timeout_ms = app->timeout_ms,
        .start_period_ms = check->start_period_ms,
        .retries = check->retries,
    };
    event->app_want.depend_count = depends_fill(c, &app->depends, event->app_want.depends);
}

// Services of the infrastructure that the new descriptor no longer has.
static void absent_services_add(struct compile *c)
{
    const struct lp_engine *engine = c->engine;
    for (uint32_t i = 0; i < engine->limits.services; i++) {
        const struct lp_service_row *row = lp_state_service(engine->state, i);
        if (!row->is_used || !row->is_wanted || engine->catalog.services[i].infra != c->infra ||
            lp_descriptor_find_service(c->descriptor, engine->catalog.services[i].name))
            continue;
        event_add(c, LP_EVENT_SERVICE_UNSET)->service = i;
    }
}

// A fingerprint of the networks: another one has them made anew, the same one leaves them alone.
static uint64_t networks_hash(const struct lp_descriptor *descriptor)
{
    LP_OWNS_STR struct lp_str text = {0};
    for (size_t i = 0; i < descriptor->network_count; i++) {
        const struct lp_network *network = &descriptor->networks[i];
        lp_str_printf(&text, "%s %u/%u %d\n", network->name, network->subnet, network->prefix,
                      network->has_nat);
    }
    return lp_hash64(lp_str_text(&text), text.bytes);
}

static size_t events_at_most(const struct lp_engine *engine, const struct lp_descriptor *d)
{
    size_t count = 2 + engine->limits.services;
    for (size_t i = 0; i < d->service_count; i++)
        count += 2 + d->services[i].app_count;
    return count;
}

int lp_compile(const struct lp_engine *engine, const struct lp_descriptor *descriptor,
               const char *text, struct lp_arena *arena, struct lp_change *ret_change,
               struct lp_err *err)
{
    struct compile c = {.engine = engine, .descriptor = descriptor, .arena = arena};
    c.service_ids = lp_arena_new_array(arena, uint32_t, descriptor->service_count + 1);
    c.image_ids = lp_arena_new_array(arena, uint32_t, descriptor->service_count + 1);
    c.events = lp_arena_new_array(arena, struct lp_event, events_at_most(engine, descriptor));
    if (infra_choose(&c, err) < 0 || services_choose(&c, err) < 0)
        return err->code;
    struct lp_event *set = event_add(&c, LP_EVENT_INFRA_SET);
    set->text = text;
    set->revision = networks_hash(descriptor);
    if (images_add(&c, err) < 0)
        return err->code;
    for (size_t i = 0; i < descriptor->service_count; i++) {
        service_add(&c, i);
        for (size_t a = 0; a < descriptor->services[i].app_count; a++)
            app_add(&c, i, a);
    }
    absent_services_add(&c);
    event_add(&c, LP_EVENT_INFRA_APPLIED)->revision = lp_hash64(text, strlen(text));
    *ret_change = (struct lp_change){c.events, c.count, c.infra};
    return 0;
}
