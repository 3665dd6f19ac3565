// Addresses, subnets and ports that collide.
#include <arpa/inet.h>
#include <string.h>

#include "base/str.h"
#include "model/descriptor_parts.h"

static const struct lp_network *network_find(const struct lp_descriptor *d, const char *name)
{
    for (size_t i = 0; i < d->network_count; i++)
        if (strcmp(d->networks[i].name, name) == 0)
            return &d->networks[i];
    return NULL;
}

static void subnets_check(struct lp_reader *reader)
{
    const struct lp_descriptor *d = reader->descriptor;
    for (size_t i = 0; i < d->network_count; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct lp_network *a = &d->networks[i], *b = &d->networks[k];
            uint32_t prefix = a->prefix < b->prefix ? a->prefix : b->prefix;
            if (prefix && !((a->subnet ^ b->subnet) >> (32 - prefix)))
                lp_mistake_put(&reader->sink, lp_mark_place(reader, a->name),
                               "the subnets of networks '%s' and '%s' overlap", b->name, a->name);
        }
    }
}

struct taken { // an address that a service asked for
    const char *service, *network;
    uint32_t address;
};

static void address_check(struct lp_reader *reader, const struct lp_service *service,
                          const struct lp_network_use *use)
{
    const struct lp_network *network = network_find(reader->descriptor, use->network);
    struct lp_place place = lp_mark_place(reader, use->network);
    if (!network)
        return;
    if (!network->prefix) {
        lp_mistake_put(&reader->sink, place, "ipv4_address needs a subnet: networks.%s.ipam.config",
                       use->network);
        return;
    }
    uint32_t host_bits = UINT32_MAX >> network->prefix;
    uint32_t host = use->address & host_bits;
    char text[INET_ADDRSTRLEN];
    struct in_addr in = {htonl(use->address)};
    inet_ntop(AF_INET, &in, text, sizeof(text));
    if ((use->address & ~host_bits) != network->subnet)
        lp_mistake_put(&reader->sink, place, "address %s is not in the subnet of network '%s'",
                       text, use->network);
    else if (host <= 1 || host == host_bits)
        lp_mistake_put(&reader->sink, place, "address %s is the subnet's own, not a node's", text);
    if (service->replicas > 1)
        lp_mistake_put(&reader->sink, place, "%u replicas of '%s' cannot share address %s",
                       service->replicas, service->name, text);
}

static void addresses_check(struct lp_reader *reader)
{
    const struct lp_descriptor *d = reader->descriptor;
    size_t count = 0, capacity = 0;
    for (size_t i = 0; i < d->service_count; i++)
        capacity += d->services[i].network_count;
    struct taken *taken = lp_arena_new_array(reader->arena, struct taken, capacity);
    for (size_t i = 0; i < d->service_count; i++) {
        for (size_t k = 0; k < d->services[i].network_count; k++) {
            const struct lp_network_use *use = &d->services[i].networks[k];
            if (!use->address)
                continue;
            address_check(reader, &d->services[i], use);
            for (size_t t = 0; t < count; t++)
                if (taken[t].address == use->address && strcmp(taken[t].network, use->network) == 0)
                    lp_mistake_put(&reader->sink, lp_mark_place(reader, use->network),
                                   "services '%s' and '%s' have the same address", taken[t].service,
                                   d->services[i].name);
            taken[count++] = (struct taken){d->services[i].name, use->network, use->address};
        }
    }
}

// Do they mean one address of the host? All addresses, all of one family, or one.
static bool addresses_collide(const char *a, const char *b)
{
    if (!a || !b)
        return true;
    if ((strchr(a, ':') != NULL) != (strchr(b, ':') != NULL))
        return false;
    const char *all = strchr(a, ':') ? "::" : "0.0.0.0";
    return strcmp(a, b) == 0 || strcmp(a, all) == 0 || strcmp(b, all) == 0;
}

static bool ports_collide(const struct lp_port *a, const struct lp_port *b)
{
    return a->host_port == b->host_port && a->is_udp == b->is_udp &&
           addresses_collide(a->host_ip, b->host_ip);
}

// Rows with the same port and protocol are chained, so that only those are compared.
static void ports_check(struct lp_reader *reader)
{
    enum { KINDS = 2 * 65536 };
    uint32_t *heads = lp_arena_new_array(reader->arena, uint32_t, KINDS);
    uint32_t *next = lp_arena_new_array(reader->arena, uint32_t, reader->published_count + 1);
    for (size_t i = 0; i < reader->published_count; i++) {
        const struct lp_published *row = &reader->published[i];
        uint32_t *head = &heads[2u * row->port.host_port + row->port.is_udp];
        for (uint32_t at = *head; at; at = next[at - 1]) {
            const struct lp_published *other = &reader->published[at - 1];
            if (!ports_collide(&row->port, &other->port))
                continue;
            if (lp_mistakes_is_full(reader->sink.mistakes))
                return;
            lp_mistake_at(reader, row->node, "port %u/%s of the host is taken by '%s' at line %d",
                          row->port.host_port, row->port.is_udp ? "udp" : "tcp", other->service,
                          other->node->place.line);
            break;
        }
        next[i] = *head;
        *head = (uint32_t)i + 1;
    }
}

void lp_descriptor_check_network(struct lp_reader *reader)
{
    subnets_check(reader);
    addresses_check(reader);
    if (reader->published_count)
        ports_check(reader);
}
