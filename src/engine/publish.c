// The names that resolve in an infrastructure and where its published ports lead.
#include "engine/publish.h"

#include <string.h>

#include "engine/places.h"

struct names {
    struct lp_name_entry *items;
    size_t count, capacity;
    struct lp_arena *arena;
};

static void name_add(struct names *names, const char *name, const struct lp_attachment *place)
{
    if (names->count == names->capacity) {
        size_t capacity = names->capacity ? names->capacity * 2 : 64;
        struct lp_name_entry *items =
            lp_arena_new_array(names->arena, struct lp_name_entry, capacity);
        if (names->count)
            memcpy(items, names->items, names->count * sizeof(*items));
        names->items = items;
        names->capacity = capacity;
    }
    names->items[names->count++] =
        (struct lp_name_entry){name, place->network_index, place->address};
}

enum grade { GRADE_WANTED, GRADE_UP, GRADE_HEALTHY };

static enum grade grade_of(const struct lp_node_row *row)
{
    if (row->verdict == LP_VERDICT_HEALTHY || row->verdict == LP_VERDICT_COMPLETED)
        return GRADE_HEALTHY;
    return row->phase == LP_NODE_UP ? GRADE_UP : GRADE_WANTED;
}

static enum grade best_grade(const struct lp_state *state, uint32_t service)
{
    enum grade best = GRADE_WANTED;
    for (uint32_t n = lp_state_next_node(state, service, LP_NONE); n != LP_NONE;
         n = lp_state_next_node(state, service, n)) {
        const struct lp_node_row *row = lp_state_node(state, n);
        if (row->is_wanted && grade_of(row) > best)
            best = grade_of(row);
    }
    return best;
}

struct backends { // first address of each node that may serve
    uint32_t *items;
    size_t count;
};

LP_MUST_CHECK static int service_publish(const struct lp_engine *engine, uint32_t service,
                                         struct names *names, struct backends *ret_backends,
                                         struct lp_err *err)
{
    const struct lp_state *state = engine->state;
    const struct lp_service *described = engine->catalog.services[service].service;
    enum grade best = best_grade(state, service);
    ret_backends->items = lp_arena_new_array(names->arena, uint32_t,
                                             lp_state_service(state, service)->node_count + 1u);
    for (uint32_t n = lp_state_next_node(state, service, LP_NONE); n != LP_NONE;
         n = lp_state_next_node(state, service, n)) {
        const struct lp_node_row *row = lp_state_node(state, n);
        struct lp_attachment *places;
        size_t count;
        if (!row->is_wanted)
            continue;
        if (lp_places_node(engine, n, names->arena, &places, &count, err) < 0)
            return err->code;
        bool may_serve = grade_of(row) == best;
        const char *own_name =
            lp_arena_printf(names->arena, "%s-%u", described->name, row->ordinal);
        for (size_t i = 0; i < count; i++) {
            name_add(names, own_name, &places[i]);
            if (!may_serve)
                continue;
            name_add(names, described->name, &places[i]);
            const struct lp_texts *aliases = &described->networks[i].aliases;
            for (size_t a = 0; a < aliases->count; a++)
                name_add(names, aliases->items[a], &places[i]);
        }
        if (count && may_serve)
            ret_backends->items[ret_backends->count++] = places[0].address;
    }
    return 0;
}

static size_t published_count(const struct lp_service *service)
{
    size_t count = 0;
    for (size_t i = 0; i < service->port_count; i++)
        count += service->ports[i].host_port != 0;
    return count;
}

static void ports_add(const struct lp_service *service, const struct backends *backends,
                      struct lp_port_entry *ports, size_t *count)
{
    for (size_t i = 0; i < service->port_count; i++) {
        const struct lp_port *port = &service->ports[i];
        if (!port->host_port)
            continue;
        ports[(*count)++] = (struct lp_port_entry){.host_ip = port->host_ip,
                                                   .host_port = port->host_port,
                                                   .is_udp = port->is_udp,
                                                   .service = service->name,
                                                   .backends = backends->items,
                                                   .node_port = port->node_port,
                                                   .backend_count = backends->count};
    }
}

int lp_publish_fill(const struct lp_engine *engine, uint32_t infra, struct lp_arena *arena,
                    struct lp_order *order, struct lp_err *err)
{
    struct names names = {.arena = arena};
    size_t port_room = 1, port_count = 0;
    for (uint32_t s = 0; s < engine->limits.services; s++) {
        const struct lp_catalog_service *entry = &engine->catalog.services[s];
        if (entry->service && entry->infra == infra)
            port_room += published_count(entry->service);
    }
    struct lp_port_entry *ports = lp_arena_new_array(arena, struct lp_port_entry, port_room);
    for (uint32_t s = 0; s < engine->limits.services; s++) {
        const struct lp_catalog_service *entry = &engine->catalog.services[s];
        struct backends backends = {0};
        if (!entry->service || entry->infra != infra ||
            !lp_state_service(engine->state, s)->is_used ||
            !lp_state_service(engine->state, s)->is_wanted)
            continue;
        if (service_publish(engine, s, &names, &backends, err) < 0)
            return err->code;
        ports_add(entry->service, &backends, ports, &port_count);
    }
    order->names = names.items;
    order->name_count = names.count;
    order->ports = ports;
    order->port_count = port_count;
    return 0;
}
