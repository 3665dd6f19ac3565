// The catalog as JSON: a part of the snapshot.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "engine/catalog.h"

static void print_infras(const struct lp_catalog *catalog, const struct lp_state *state,
                         struct lp_str *text)
{
    const char *comma = "";
    for (uint32_t i = 0; i < catalog->limits.infras; i++) {
        const struct lp_catalog_infra *row = &catalog->infras[i];
        if (!lp_state_infra(state, i)->is_used || !row->version)
            continue;
        lp_str_printf(text, "%s{\"id\":%u,\"with_volumes\":%s,\"descriptor\":", comma, i,
                      row->with_volumes ? "true" : "false");
        lp_str_add_json(text, row->version->text);
        lp_str_add_char(text, '}');
        comma = ",";
    }
}

void lp_catalog_print(const struct lp_catalog *catalog, const struct lp_state *state,
                      struct lp_str *ret_text)
{
    lp_str_add(ret_text, "{\"infras\":[");
    print_infras(catalog, state, ret_text);
    lp_str_add(ret_text, "],\"services\":[");
    const char *comma = "";
    for (uint32_t i = 0; i < catalog->limits.services; i++) {
        if (!lp_state_service(state, i)->is_used)
            continue;
        lp_str_printf(ret_text, "%s{\"id\":%u,\"infra\":%u,\"name\":", comma, i,
                      catalog->services[i].infra);
        lp_str_add_json(ret_text, catalog->services[i].name);
        lp_str_add_char(ret_text, '}');
        comma = ",";
    }
    lp_str_add(ret_text, "],\"images\":[");
    comma = "";
    for (uint32_t i = 0; i < catalog->limits.images; i++) {
        if (!catalog->images[i].hash[0])
            continue;
        lp_str_printf(ret_text, "%s{\"id\":%u,\"hash\":\"%s\"}", comma, i, catalog->images[i].hash);
        comma = ",";
    }
    lp_str_add(ret_text, "],\"faults\":[");
    comma = "";
    for (uint32_t i = 0; i < LP_FAULTS_MAX; i++) {
        if (!lp_state_fault(state, i)->is_used || !catalog->faults[i].text)
            continue;
        lp_str_printf(ret_text, "%s{\"id\":%u,\"text\":", comma, i);
        lp_str_add_json(ret_text, catalog->faults[i].text);
        lp_str_add_char(ret_text, '}');
        comma = ",";
    }
    lp_str_add(ret_text, "]}");
}

static uint32_t id_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
    return id >= 0 && id < LP_NONE ? (uint32_t)id : LP_NONE;
}

LP_MUST_CHECK static int load_events(struct lp_catalog *catalog, const json_t *list,
                                     enum lp_event_kind kind, const char *text_key,
                                     struct lp_err *err)
{
    size_t index;
    json_t *item;
    json_array_foreach (list, index, item) {
        struct lp_event event;
        lp_event_init(&event, kind);
        uint32_t id = id_of(item, "id");
        event.infra = kind == LP_EVENT_INFRA_SET ? id : id_of(item, "infra");
        event.service = id;
        event.image = event.fault = id;
        event.text = json_string_value(json_object_get(item, text_key));
        if (id == LP_NONE || !event.text)
            return lp_err_set(err, LP_ECORRUPT, "the snapshot's catalog lacks an id or a text");
        if (lp_catalog_fold(catalog, &event, err) < 0)
            return err->code;
        if (kind == LP_EVENT_INFRA_SET && id < catalog->limits.infras)
            catalog->infras[id].with_volumes = json_is_true(json_object_get(item, "with_volumes"));
    }
    return 0;
}

int lp_catalog_load(struct lp_catalog *catalog, const char *json, size_t bytes, struct lp_err *err)
{
    json_error_t why;
    json_t *root = json_loadb(json, bytes, 0, &why);
    if (!root)
        return lp_err_set(err, LP_ECORRUPT, "the snapshot's catalog: %s", why.text);
    int result = load_events(catalog, json_object_get(root, "infras"), LP_EVENT_INFRA_SET,
                             "descriptor", err);
    if (result == 0)
        result = load_events(catalog, json_object_get(root, "services"), LP_EVENT_SERVICE_SET,
                             "name", err);
    if (result == 0)
        result =
            load_events(catalog, json_object_get(root, "images"), LP_EVENT_IMAGE_SET, "hash", err);
    if (result == 0)
        result = load_events(catalog, json_object_get(root, "faults"), LP_EVENT_FAULT_ASKED, "text",
                             err);
    json_decref(root);
    return result;
}
