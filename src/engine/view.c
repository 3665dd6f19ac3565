// What is, as JSON: infrastructures, services, nodes. Keys: docs/openapi.yaml.
#include <stdio.h>
#include <string.h>

#include "engine/places.h"
#include "engine/self.h"
#include "engine/view.h"

static const char *comma_once(bool *is_first)
{
    const char *comma = *is_first ? "" : ",";
    *is_first = false;
    return comma;
}

void lp_view_add_text(struct lp_str *json, const char *key, const char *text)
{
    lp_str_printf(json, "\"%s\":", key);
    if (text)
        lp_str_add_json(json, text);
    else
        lp_str_add(json, "null");
}

int lp_view_find_infra(const struct lp_engine *engine, const char *name, uint32_t *ret_infra,
                       struct lp_err *err)
{
    *ret_infra = LP_NONE;
    if (!name)
        return 0;
    *ret_infra = lp_catalog_find_infra(&engine->catalog, engine->state, name);
    if (*ret_infra == LP_NONE)
        return lp_err_set(err, LP_ENOTFOUND, "there is no infrastructure '%s'", name);
    return 0;
}

static const char *const network_words[] = {"absent", "being made", "ready", "being removed"};

struct tally {
    uint32_t services, nodes, wanted, healthy, gave_up, unhealthy;
    int64_t since_ms;
};

static struct tally tally_of(const struct lp_engine *engine, uint32_t infra)
{
    struct tally tally = {0};
    for (uint32_t s = 0; s < engine->limits.services; s++) {
        const struct lp_service_row *row = lp_state_service(engine->state, s);
        if (!row->is_used || row->infra != infra)
            continue;
        tally.services++;
        tally.wanted += row->is_wanted ? row->replicas : 0;
        for (uint32_t n = lp_state_next_node(engine->state, s, LP_NONE); n != LP_NONE;
             n = lp_state_next_node(engine->state, s, n)) {
            const struct lp_node_row *node = lp_state_node(engine->state, n);
            tally.nodes++;
            tally.healthy +=
                node->verdict == LP_VERDICT_HEALTHY || node->verdict == LP_VERDICT_COMPLETED;
            tally.gave_up += node->verdict == LP_VERDICT_GAVE_UP;
            tally.unhealthy +=
                node->verdict == LP_VERDICT_UNHEALTHY || node->verdict == LP_VERDICT_REPAIRING;
            tally.since_ms = node->since_ms > tally.since_ms ? node->since_ms : tally.since_ms;
        }
    }
    return tally;
}

static const char *infra_word(const struct lp_infra_row *row, const struct tally *tally)
{
    if (!row->is_wanted)
        return "going down";
    if (tally->gave_up)
        return "gave up";
    if (tally->unhealthy)
        return "repairing";
    return tally->healthy >= tally->wanted && tally->nodes == tally->wanted ? "healthy"
                                                                            : "coming up";
}

int lp_view_infras(struct lp_engine *engine, const char *infra, struct lp_str *ret_json,
                   struct lp_err *err)
{
    uint32_t only;
    bool is_first = true;
    if (lp_view_find_infra(engine, infra, &only, err) < 0)
        return err->code;
    lp_str_add_char(ret_json, '[');
    for (uint32_t i = 0; i < engine->limits.infras; i++) {
        const struct lp_infra_row *row = lp_state_infra(engine->state, i);
        if (!row->is_used || (only != LP_NONE && only != i))
            continue;
        struct tally tally = tally_of(engine, i);
        lp_str_printf(ret_json, "%s{", comma_once(&is_first));
        lp_view_add_text(ret_json, "infrastructure", engine->catalog.infras[i].name);
        lp_str_printf(ret_json,
                      ",\"state\":\"%s\",\"services\":%u,\"nodes\":%u,\"healthy\":%u,"
                      "\"wanted\":%u,\"gave_up\":%u,\"network\":\"%s\",\"since\":%lld,"
                      "\"is_settled\":%s,",
                      infra_word(row, &tally), tally.services, tally.nodes, tally.healthy,
                      tally.wanted, tally.gave_up, network_words[row->network_phase & 3],
                      (long long)tally.since_ms,
                      lp_state_is_settled(engine->state, i, true) ? "true" : "false");
        const struct lp_str *trouble = &engine->catalog.infras[i].trouble;
        lp_view_add_text(ret_json, "trouble", trouble->bytes ? lp_str_text(trouble) : NULL);
        lp_str_add_char(ret_json, '}');
    }
    lp_str_add_char(ret_json, ']');
    return 0;
}

// "127.0.0.1:8080->80", "[::1]:8080->80", "*:53->53/udp" for all addresses of the host.
static void add_port(const struct lp_port *port, const char *comma, struct lp_str *json)
{
    const char *host = port->host_ip ? port->host_ip : "*";
    bool is_ipv6 = strchr(host, ':') != NULL;
    lp_str_printf(json, "%s\"%s%s%s:%u->%u%s\"", comma, is_ipv6 ? "[" : "", host,
                  is_ipv6 ? "]" : "", port->host_port, port->node_port, port->is_udp ? "/udp" : "");
}

// Does the trouble tell of this port? On all addresses: of one family at least.
static bool is_unpublished(const struct lp_port *port, const char *trouble)
{
    char head[128];
    snprintf(head, sizeof(head), "port %u (%s on %s", port->host_port, port->is_udp ? "udp" : "tcp",
             port->host_ip ? port->host_ip : "");
    size_t bytes = strlen(head);
    if (port->host_ip)
        head[bytes++] = ')'; // "1.2.3.4" is not "1.2.3.40"
    for (const char *at = trouble; (at = strstr(at, "port ")); at++)
        if (strncmp(at, head, bytes) == 0)
            return true;
    return false;
}

// All that are published; with a trouble, those of them that could not be.
static void add_ports(const struct lp_service *service, const char *trouble, struct lp_str *json)
{
    bool is_first = true;
    for (size_t i = 0; i < service->port_count; i++) {
        const struct lp_port *port = &service->ports[i];
        if (port->host_port && (!trouble || is_unpublished(port, trouble)))
            add_port(port, comma_once(&is_first), json);
    }
}

int lp_view_services(struct lp_engine *engine, const char *infra, struct lp_str *ret_json,
                     struct lp_err *err)
{
    uint32_t only;
    bool is_first = true;
    if (lp_view_find_infra(engine, infra, &only, err) < 0)
        return err->code;
    lp_str_add_char(ret_json, '[');
    for (uint32_t i = 0; i < engine->limits.services; i++) {
        const struct lp_service_row *row = lp_state_service(engine->state, i);
        const struct lp_catalog_service *entry = &engine->catalog.services[i];
        if (!row->is_used || (only != LP_NONE && only != row->infra))
            continue;
        lp_str_printf(ret_json, "%s{", comma_once(&is_first));
        lp_view_add_text(ret_json, "infrastructure", engine->catalog.infras[row->infra].name);
        lp_str_add_char(ret_json, ',');
        lp_view_add_text(ret_json, "service", entry->name);
        lp_str_printf(ret_json, ",\"wanted\":%u,\"nodes\":%u,\"healthy\":%u,\"is_braked\":%s,",
                      row->is_wanted ? row->replicas : 0, row->node_count, row->healthy_count,
                      row->is_braked ? "true" : "false");
        lp_view_add_text(ret_json, "image",
                         entry->service ? entry->service->image.reference : NULL);
        lp_str_add_char(ret_json, ',');
        lp_view_add_text(ret_json, "image_hash",
                         entry->service ? entry->service->image.hash : NULL);
        lp_str_add(ret_json, ",\"ports\":[");
        if (entry->service)
            add_ports(entry->service, NULL, ret_json);
        lp_str_add(ret_json, "],\"unpublished\":[");
        if (entry->service)
            add_ports(entry->service, lp_str_text(&engine->catalog.infras[row->infra].trouble),
                      ret_json);
        lp_str_add(ret_json, "]}");
    }
    lp_str_add_char(ret_json, ']');
    return 0;
}

// What a waiting node waits for, in words; NULL when it does not wait.
static const char *waits_for(const struct lp_engine *engine, const struct lp_node_row *row)
{
    if (row->verdict != LP_VERDICT_WAITING)
        return NULL;
    if (lp_state_infra(engine->state, row->infra)->network_phase != 2)
        return "its network";
    const struct lp_service_row *service = lp_state_service(engine->state, row->service);
    for (uint32_t i = 0; i < service->want.depend_count; i++) {
        const struct lp_want_depend *depend = &service->want.depends[i];
        const struct lp_service_row *other = lp_state_service(engine->state, depend->service);
        if (other->is_used && other->healthy_count < other->replicas)
            return engine->catalog.services[depend->service].name;
    }
    return "its image, a place or its turn";
}

static void add_places(const struct lp_engine *engine, uint32_t node, struct lp_str *json)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_attachment *places;
    size_t count;
    struct lp_err err;
    char text[16];
    if (lp_places_node(engine, node, &arena, &places, &count, &err) < 0)
        count = 0;
    if (count)
        lp_address_print(places[0].address, text);
    lp_view_add_text(json, "address", count ? text : NULL);
    lp_str_add(json, ",\"addresses\":{");
    for (size_t i = 0; i < count; i++) {
        lp_address_print(places[i].address, text);
        lp_str_add(json, i ? "," : "");
        lp_view_add_text(json, places[i].network->name, text);
    }
    lp_str_add(json, "},");
}

static void add_apps(const struct lp_engine *engine, uint32_t node, struct lp_str *json)
{
    uint32_t service = lp_state_node(engine->state, node)->service;
    uint32_t count = lp_state_service(engine->state, service)->want.app_count;
    lp_str_add(json, "\"applications\":[");
    for (uint32_t i = 0; i < count; i++) {
        const struct lp_app_row *row = lp_state_app(engine->state, node, i);
        const struct lp_app *app = lp_catalog_find_app(&engine->catalog, service, i);
        lp_str_add(json, i ? ",{" : "{");
        lp_view_add_text(json, "name", app ? app->name : "?");
        lp_str_printf(json,
                      ",\"kind\":\"%s\",\"state\":\"%s\",\"restarts\":%u,\"status\":%d,"
                      "\"since\":%lld}",
                      app && app->kind == LP_APP_SETUP ? "setup" : "serve",
                      lp_app_phase_word(row->phase), row->restarts, row->status,
                      (long long)row->since_ms);
    }
    lp_str_add_char(json, ']');
}

static void add_node(const struct lp_engine *engine, uint32_t node, struct lp_str *json)
{
    const struct lp_node_row *row = lp_state_node(engine->state, node);
    const struct lp_catalog_service *entry = &engine->catalog.services[row->service];
    LP_OWNS_STR struct lp_str name = {0};
    lp_catalog_add_node_name(&engine->catalog, engine->state, node, &name);
    lp_view_add_text(json, "infrastructure", engine->catalog.infras[row->infra].name);
    lp_str_add_char(json, ',');
    lp_view_add_text(json, "service", entry->name);
    lp_str_add_char(json, ',');
    lp_view_add_text(json, "node", lp_str_text(&name));
    lp_str_add(json, ",\"runtime\":\"crun\",");
    lp_view_add_text(json, "state", lp_node_phase_word(row->phase));
    lp_str_add_char(json, ',');
    lp_view_add_text(json, "health", lp_verdict_word(row->verdict));
    lp_str_add_char(json, ',');
    add_places(engine, node, json);
    lp_view_add_text(json, "image", entry->service ? entry->service->image.reference : NULL);
    lp_str_printf(json, ",\"restarts\":%u,\"since\":%lld,\"incarnation\":%u,", row->restarts,
                  (long long)row->since_ms, row->incarnation);
    lp_view_add_text(json, "waits_for", waits_for(engine, row));
    lp_str_add_char(json, ',');
    add_apps(engine, node, json);
}

int lp_view_nodes(struct lp_engine *engine, const char *infra, struct lp_str *ret_json,
                  struct lp_err *err)
{
    uint32_t only;
    bool is_first = true;
    if (lp_view_find_infra(engine, infra, &only, err) < 0)
        return err->code;
    lp_str_add_char(ret_json, '[');
    for (uint32_t s = 0; s < engine->limits.services; s++) {
        const struct lp_service_row *row = lp_state_service(engine->state, s);
        if (!row->is_used || (only != LP_NONE && only != row->infra))
            continue;
        for (uint32_t n = lp_state_next_node(engine->state, s, LP_NONE); n != LP_NONE;
             n = lp_state_next_node(engine->state, s, n)) {
            lp_str_printf(ret_json, "%s{", comma_once(&is_first));
            add_node(engine, n, ret_json);
            lp_str_add_char(ret_json, '}');
        }
    }
    lp_str_add_char(ret_json, ']');
    return 0;
}
