// Templates in the world of one node: its configs, environment and commands.
#include "engine/render.h"

#include <string.h>

#include "engine/places.h"
#include "engine/secrets.h"
#include "model/template.h"

static const struct lp_catalog_service *service_of(const struct lp_render *render, uint32_t node)
{
    const struct lp_state *state = render->engine->state;
    return &render->engine->catalog.services[lp_state_node(state, node)->service];
}

// The address of `node` on the first network that it shares with the node that renders.
static uint32_t address_seen(const struct lp_render *render, uint32_t node)
{
    struct lp_attachment *own, *others;
    size_t own_count, other_count;
    struct lp_err err;
    if (lp_places_node(render->engine, render->node, render->arena, &own, &own_count, &err) < 0 ||
        lp_places_node(render->engine, node, render->arena, &others, &other_count, &err) < 0)
        return 0;
    for (size_t i = 0; i < own_count; i++)
        for (size_t k = 0; k < other_count; k++)
            if (own[i].network_index == others[k].network_index)
                return others[k].address;
    return other_count ? others[0].address : 0;
}

static size_t find_nodes(const void *world, const char *service,
                         const struct lp_template_node **ret_nodes)
{
    const struct lp_render *render = world;
    const struct lp_engine *engine = render->engine;
    uint32_t infra = lp_state_node(engine->state, render->node)->infra;
    uint32_t id = lp_catalog_find_service(&engine->catalog, engine->state, infra, service);
    *ret_nodes = NULL;
    if (id == LP_NONE)
        return 0;
    size_t room = lp_state_service(engine->state, id)->node_count;
    struct lp_template_node *nodes =
        lp_arena_new_array(render->arena, struct lp_template_node, room + 1);
    size_t count = 0;
    for (uint32_t n = lp_state_next_node(engine->state, id, LP_NONE); n != LP_NONE && count < room;
         n = lp_state_next_node(engine->state, id, n)) {
        const struct lp_node_row *row = lp_state_node(engine->state, n);
        if (!row->is_wanted)
            continue;
        nodes[count++] = (struct lp_template_node){
            lp_arena_printf(render->arena, "%s-%u", service, row->ordinal),
            address_seen(render, n)};
    }
    *ret_nodes = nodes;
    return count;
}

static const char *find_variable(const void *world, const char *name)
{
    const struct lp_render *render = world;
    const struct lp_service *service = service_of(render, render->node)->service;
    for (size_t a = 0; service && a < service->app_count; a++)
        for (size_t i = 0; i < service->apps[a].environment.count; i++)
            if (strcmp(service->apps[a].environment.items[i].key, name) == 0)
                return service->apps[a].environment.items[i].value;
    return NULL;
}

int lp_render_text(const struct lp_render *render, const char *text, const char **ret_text,
                   struct lp_err *err)
{
    *ret_text = text;
    if (!text || !strstr(text, "{{"))
        return 0;
    const struct lp_catalog_service *entry = service_of(render, render->node);
    LP_OWNS_STR struct lp_str node = {0};
    lp_catalog_add_node_name(&render->engine->catalog, render->engine->state, render->node, &node);
    struct lp_template_world world = {.world = render,
                                      .find_nodes = find_nodes,
                                      .find_variable = find_variable,
                                      .node = lp_str_text(&node),
                                      .service = entry->name,
                                      .infra = render->engine->catalog.infras[entry->infra].name};
    LP_OWNS_STR struct lp_str rendered = {0};
    if (lp_template_render(text, &world, &rendered, err) < 0)
        return err->code;
    *ret_text = lp_arena_text_n(render->arena, lp_str_text(&rendered), rendered.bytes);
    return 0;
}

int lp_render_texts(const struct lp_render *render, const struct lp_texts *texts,
                    struct lp_texts *ret_texts, struct lp_err *err)
{
    const char **items = lp_arena_new_array(render->arena, const char *, texts->count + 1);
    for (size_t i = 0; i < texts->count; i++)
        if (lp_render_text(render, texts->items[i], &items[i], err) < 0)
            return err->code;
    *ret_texts = (struct lp_texts){items, texts->count};
    return 0;
}

int lp_render_pairs(const struct lp_render *render, const struct lp_pairs *pairs,
                    struct lp_pairs *ret_pairs, struct lp_err *err)
{
    struct lp_pair *items = lp_arena_new_array(render->arena, struct lp_pair, pairs->count + 1);
    for (size_t i = 0; i < pairs->count; i++) {
        items[i].key = pairs->items[i].key;
        if (lp_render_text(render, pairs->items[i].value, &items[i].value, err) < 0)
            return lp_err_wrap(err, "environment %s", items[i].key);
    }
    *ret_pairs = (struct lp_pairs){items, pairs->count};
    return 0;
}

LP_MUST_CHECK static int render_config(const struct lp_render *render,
                                       const struct lp_descriptor *descriptor, const char *name,
                                       struct lp_rendered_file *file, struct lp_err *err)
{
    for (size_t i = 0; i < descriptor->config_count; i++) {
        const struct lp_config *config = &descriptor->configs[i];
        if (strcmp(config->name, name) != 0)
            continue;
        file->bytes = config->content;
        if (config->is_template && lp_render_text(render, config->content, &file->bytes, err) < 0)
            return lp_err_wrap(err, "config %s", name);
        file->count = strlen(file->bytes);
        return 0;
    }
    return lp_err_set(err, LP_ENOTFOUND, "config %s is not described", name);
}

LP_MUST_CHECK static int render_secret(const struct lp_render *render,
                                       const struct lp_descriptor *descriptor, const char *name,
                                       struct lp_rendered_file *file, struct lp_err *err)
{
    file->is_secret = true;
    for (size_t i = 0; i < descriptor->secret_count; i++) {
        if (strcmp(descriptor->secrets[i].name, name) != 0)
            continue;
        LP_OWNS_STR struct lp_str content = {0};
        if (lp_secrets_read(render->engine->config.root, descriptor->name, &descriptor->secrets[i],
                            &content, err) < 0)
            return err->code;
        file->bytes = lp_arena_text_n(render->arena, lp_str_text(&content), content.bytes);
        file->count = content.bytes;
        return 0;
    }
    return lp_err_set(err, LP_ENOTFOUND, "secret %s is not described", name);
}

int lp_render_files(const struct lp_render *render, struct lp_rendered_file **ret_files,
                    size_t *ret_count, struct lp_err *err)
{
    const struct lp_catalog_service *entry = service_of(render, render->node);
    *ret_count = 0;
    *ret_files = NULL;
    if (!entry->service)
        return 0;
    const struct lp_service *service = entry->service;
    size_t count = service->config_count + service->secret_count;
    struct lp_rendered_file *files =
        lp_arena_new_array(render->arena, struct lp_rendered_file, count + 1);
    for (size_t i = 0; i < count; i++) {
        bool is_config = i < service->config_count;
        const struct lp_file_use *use =
            is_config ? &service->configs[i] : &service->secrets[i - service->config_count];
        files[i] = (struct lp_rendered_file){
            .target = use->target, .uid = use->uid, .gid = use->gid, .mode = use->mode};
        int result =
            is_config
                ? render_config(render, entry->version->descriptor, use->source, &files[i], err)
                : render_secret(render, entry->version->descriptor, use->source, &files[i], err);
        if (result < 0)
            return result;
    }
    *ret_files = files;
    *ret_count = count;
    return 0;
}
