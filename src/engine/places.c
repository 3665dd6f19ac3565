// Addresses: where each node of an infrastructure stands on each of its networks.
#include "engine/places.h"

#include <stdio.h>
#include <string.h>

// Subnets that Limpet chooses: 10.64.0.0/10, a /16 for each infrastructure and in it a /20 for
// each network. They live in a network namespace of their own, so that they cannot collide with
// the host's.
enum { CHOSEN_PREFIX = 20, CHOSEN_INFRAS = 64 };
#define CHOSEN_BASE 0x0a400000u

uint32_t lp_places_network_index(const struct lp_descriptor *descriptor, const char *network)
{
    for (size_t i = 0; i < descriptor->network_count; i++)
        if (strcmp(descriptor->networks[i].name, network) == 0)
            return (uint32_t)i;
    return LP_NONE;
}

struct lp_attachment lp_places_network(const struct lp_descriptor *descriptor, uint32_t infra,
                                       uint32_t network_index)
{
    const struct lp_network *network = &descriptor->networks[network_index];
    struct lp_attachment place = {
        .network = network, .network_index = network_index, .prefix = network->prefix};
    place.subnet = network->subnet;
    if (!network->subnet) {
        place.subnet =
            CHOSEN_BASE + ((infra % CHOSEN_INFRAS) << 16) + (network_index << (32 - CHOSEN_PREFIX));
        place.prefix = CHOSEN_PREFIX;
    }
    place.gateway = place.address = place.subnet + 1;
    return place;
}

// The next address above `above` that some service of the network has asked for by name; 0: none.
static uint32_t next_reserved(const struct lp_descriptor *descriptor, const char *network,
                              uint32_t above)
{
    uint32_t best = 0;
    for (size_t i = 0; i < descriptor->service_count; i++) {
        const struct lp_service *service = &descriptor->services[i];
        for (size_t k = 0; k < service->network_count; k++) {
            uint32_t address = service->networks[k].address;
            if (address > above && (!best || address < best) &&
                strcmp(service->networks[k].network, network) == 0)
                best = address;
        }
    }
    return best;
}

// The index-th address of the network that nobody asked for.
static uint32_t nth_address(const struct lp_descriptor *descriptor,
                            const struct lp_attachment *place, uint32_t index)
{
    uint32_t address = place->gateway + 1 + index;
    uint32_t reserved = next_reserved(descriptor, place->network->name, place->gateway);
    while (reserved && reserved <= address) {
        address++;
        reserved = next_reserved(descriptor, place->network->name, reserved);
    }
    return address;
}

int lp_places_node(const struct lp_engine *engine, uint32_t node, struct lp_arena *arena,
                   struct lp_attachment **ret_attachments, size_t *ret_count, struct lp_err *err)
{
    const struct lp_node_row *row = lp_state_node(engine->state, node);
    const struct lp_catalog_service *entry = &engine->catalog.services[row->service];
    *ret_count = 0;
    *ret_attachments = NULL;
    if (!entry->service)
        return 0;
    const struct lp_descriptor *descriptor = entry->version->descriptor;
    size_t count = entry->service->network_count;
    struct lp_attachment *places = lp_arena_new_array(arena, struct lp_attachment, count + 1);
    for (size_t i = 0; i < count; i++) {
        const struct lp_network_use *use = &entry->service->networks[i];
        uint32_t index = lp_places_network_index(descriptor, use->network);
        lp_assert(index != LP_NONE);
        places[i] = lp_places_network(descriptor, row->infra, index);
        places[i].address =
            use->address ? use->address : nth_address(descriptor, &places[i], row->address_index);
        uint32_t size = 1u << (32 - places[i].prefix);
        if (places[i].address >= places[i].subnet + size - 1)
            return lp_err_set(err, LP_EFULL, "network %s has no address left (%u in its subnet)",
                              use->network, size - 3);
    }
    *ret_attachments = places;
    *ret_count = count;
    return 0;
}

void lp_address_print(uint32_t address, char ret_text[16])
{
    snprintf(ret_text, 16, "%u.%u.%u.%u", address >> 24, address >> 16 & 255u, address >> 8 & 255u,
             address & 255u);
}
