// Reads `networks:` of the file: subnet, nat.
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "model/limits.h"
#include "model/parse.h"

static void driver_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    (void)into;
    static const char *const words[] = {"bridge"};
    lp_parse_word(reader, value, words, LP_COUNT(words));
}

static void nat_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_network *network = into;
    lp_parse_bool(reader, value, &network->has_nat);
}

// Networks are internal unless they have `nat: true`, so that only the contradiction is wrong.
static void internal_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    const struct lp_network *network = into;
    bool is_internal = true;
    if (!lp_parse_bool(reader, value, &is_internal))
        return;
    if (!is_internal && !network->has_nat)
        lp_mistake_at(reader, value, "write 'nat: true' for a network that reaches the outside");
    if (is_internal && network->has_nat)
        lp_mistake_at(reader, value, "'internal: true' contradicts 'nat: true'");
}

static void subnet_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_network *network = into;
    const char *text = lp_parse_text(reader, value);
    if (!text)
        return;
    char address[INET_ADDRSTRLEN] = {0}, *end = NULL;
    const char *slash = strchr(text, '/');
    size_t bytes = slash ? (size_t)(slash - text) : 0;
    struct in_addr parsed = {0};
    bool is_good = slash && bytes < sizeof(address);
    if (is_good)
        memcpy(address, text, bytes);
    unsigned long prefix =
        is_good && slash[1] >= '0' && slash[1] <= '9' ? strtoul(slash + 1, &end, 10) : 0;
    is_good = is_good && end && !*end && inet_pton(AF_INET, address, &parsed) == 1;
    if (!is_good) {
        lp_mistake_at(reader, value, "'%s' is not an IPv4 subnet such as 10.9.0.0/24", text);
        return;
    }
    if (prefix < 8 || prefix > 29) {
        lp_mistake_at(reader, value, "prefix /%lu is not within /8 to /29", prefix);
        return;
    }
    uint32_t subnet = ntohl(parsed.s_addr), host_bits = UINT32_MAX >> prefix;
    if (subnet & host_bits) {
        struct in_addr base = {htonl(subnet & ~host_bits)};
        inet_ntop(AF_INET, &base, address, sizeof(address));
        lp_mistake_at(reader, value, "'%s' has host bits set; the subnet is %s/%lu", text, address,
                      prefix);
        return;
    }
    network->subnet = subnet;
    network->prefix = (uint32_t)prefix;
}

static void ipam_driver_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    (void)into;
    static const char *const words[] = {"default"};
    lp_parse_word(reader, value, words, LP_COUNT(words));
}

static void ipam_config_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    static const struct lp_key keys[] = {{"subnet", subnet_read, 0}};
    const struct lp_schema schema = {"ipam.config", keys, LP_COUNT(keys), lp_compose_subnet,
                                     lp_compose_subnet_count};
    if (!lp_is_sequence(reader, value, "ipam.config"))
        return;
    if (value->count > 1)
        lp_mistake_at(reader, value->items[1], "a network has one subnet");
    for (size_t i = 0; i < value->count && i < 1; i++)
        lp_schema_read(reader, &schema, value->items[i], into);
}

static void ipam_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    static const struct lp_key keys[] = {{"driver", ipam_driver_read, 0},
                                         {"config", ipam_config_read, 0}};
    const struct lp_schema schema = {"ipam", keys, LP_COUNT(keys), lp_compose_ipam,
                                     lp_compose_ipam_count};
    lp_schema_read(reader, &schema, value, into);
}

void lp_parse_networks(struct lp_reader *reader, struct lp_yaml_node *value)
{
    static const struct lp_key keys[] = {{"driver", driver_read, 0},
                                         {"ipam", ipam_read, 0},
                                         {"nat", nat_read, LP_KEY_OWN},
                                         {"internal", internal_read, 0}};
    const struct lp_schema schema = {"network", keys, LP_COUNT(keys), lp_compose_network,
                                     lp_compose_network_count};
    struct lp_descriptor *descriptor = reader->descriptor;
    if (!lp_is_mapping(reader, value, "networks"))
        return;
    // One more than is written: "default" may have to be added.
    descriptor->networks = lp_arena_new_array(reader->arena, struct lp_network, value->count + 1);
    for (size_t i = 0; i < value->count; i++) {
        if (i == LP_NETWORKS_MAX) {
            lp_mistake_at(reader, value->keys[i], "more than %d networks", LP_NETWORKS_MAX);
            return;
        }
        struct lp_network *network = &descriptor->networks[descriptor->network_count++];
        network->name = value->keys[i]->text;
        lp_parse_name(reader, value->keys[i], "network", LP_NAME_FILE);
        if (!lp_yaml_is_null(value->items[i]))
            lp_schema_read(reader, &schema, value->items[i], network);
    }
}
