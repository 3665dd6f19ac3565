// Reads what a service uses of the file's configs, secrets and networks.
#include <arpa/inet.h>
#include <string.h>

#include "base/str.h"
#include "model/limits.h"
#include "model/parse_service.h"

// A secret is readable by its owner only; Compose makes it 0444.
enum { CONFIG_MODE = 0444, SECRET_MODE = 0400 };

static void source_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_file_use *use = into;
    use->source = lp_parse_text(reader, value);
}

static void target_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_file_use *use = into;
    const char *text = lp_parse_text(reader, value);
    if (text && (!*text || strstr(text, "..") || lp_text_ends(text, "/"))) {
        lp_mistake_at(reader, value, "'%s' is not the path of a file in the node", text);
        return;
    }
    use->target = text;
}

static void id_read(struct lp_reader *reader, struct lp_yaml_node *value, uint32_t *ret_id)
{
    uint64_t id = 0;
    if (lp_parse_number(reader, value, (struct lp_range){0, UINT32_MAX - 1}, &id))
        *ret_id = (uint32_t)id;
}

static void uid_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_file_use *use = into;
    id_read(reader, value, &use->uid);
}

static void gid_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_file_use *use = into;
    id_read(reader, value, &use->gid);
}

static void mode_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_file_use *use = into;
    lp_parse_mode(reader, value, &use->mode);
}

// folder: where targets without a leading slash go.
static bool use_read(struct lp_reader *reader, struct lp_yaml_node *node, const char *folder,
                     struct lp_file_use *use)
{
    static const struct lp_key keys[] = {{"source", source_read, 0},
                                         {"target", target_read, 0},
                                         {"uid", uid_read, 0},
                                         {"gid", gid_read, 0},
                                         {"mode", mode_read, 0}};
    const struct lp_schema schema = {"this", keys, LP_COUNT(keys), NULL, 0};
    if (node->kind == LP_YAML_MAPPING) {
        lp_schema_read(reader, &schema, node, use);
        if (!lp_yaml_find(node, "source"))
            lp_mistake_at(reader, node, "'source' is missing");
    } else {
        use->source = lp_parse_text(reader, node);
    }
    if (!use->source)
        return false;
    if (!use->target)
        use->target = use->source;
    if (use->target[0] != '/')
        use->target = lp_arena_printf(reader->arena, "%s/%s", folder, use->target);
    return true;
}

void lp_read_configs(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service *service = ((struct lp_service_draft *)into)->service;
    if (!lp_is_sequence(reader, value, "configs"))
        return;
    service->configs = lp_arena_new_array(reader->arena, struct lp_file_use, value->count);
    for (size_t i = 0; i < value->count; i++) {
        struct lp_file_use use = {.mode = CONFIG_MODE};
        if (use_read(reader, value->items[i], "", &use))
            service->configs[service->config_count++] = use;
    }
}

void lp_read_secrets(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service *service = ((struct lp_service_draft *)into)->service;
    if (!lp_is_sequence(reader, value, "secrets"))
        return;
    service->secrets = lp_arena_new_array(reader->arena, struct lp_file_use, value->count);
    for (size_t i = 0; i < value->count; i++) {
        struct lp_file_use use = {.mode = SECRET_MODE};
        if (use_read(reader, value->items[i], "/run/secrets", &use))
            service->secrets[service->secret_count++] = use;
    }
}

static void aliases_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_network_use *use = into;
    struct lp_texts aliases;
    if (!lp_parse_texts(reader, value, &aliases))
        return;
    for (size_t i = 0; i < aliases.count; i++)
        if (!lp_name_is(aliases.items[i], LP_NAME_LABEL))
            lp_mistake_at(reader, value->items[i],
                          "alias '%s' is not a DNS label of lower-case letters, digits and '-'",
                          aliases.items[i]);
    use->aliases = aliases;
}

static void address_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_network_use *use = into;
    const char *text = lp_parse_text(reader, value);
    struct in_addr address;
    if (text && inet_pton(AF_INET, text, &address) == 1)
        use->address = ntohl(address.s_addr);
    else if (text)
        lp_mistake_at(reader, value, "'%s' is not an IPv4 address", text);
}

void lp_read_networks(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    static const struct lp_key keys[] = {{"aliases", aliases_read, 0},
                                         {"ipv4_address", address_read, 0}};
    const struct lp_schema schema = {"network", keys, LP_COUNT(keys), lp_compose_network_use,
                                     lp_compose_network_use_count};
    struct lp_service *service = ((struct lp_service_draft *)into)->service;
    if (value->kind == LP_YAML_SCALAR) {
        lp_mistake_at(reader, value, "networks must be a list or a mapping of names");
        return;
    }
    if (value->count > LP_NETWORKS_MAX) {
        lp_mistake_at(reader, value, "%zu networks; at most %d", value->count, LP_NETWORKS_MAX);
        return;
    }
    service->networks = lp_arena_new_array(reader->arena, struct lp_network_use, value->count);
    for (size_t i = 0; i < value->count; i++) {
        struct lp_network_use use = {0};
        struct lp_yaml_node *item = value->items[i];
        if (value->kind == LP_YAML_SEQUENCE) {
            use.network = lp_parse_text(reader, item);
        } else {
            use.network = value->keys[i]->text;
            lp_mark_add(reader, use.network, value->keys[i]);
            if (!lp_yaml_is_null(item))
                lp_schema_read(reader, &schema, item, &use);
        }
        for (size_t k = 0; use.network && k < service->network_count; k++)
            if (strcmp(service->networks[k].network, use.network) == 0)
                lp_mistake_at(reader, item, "network '%s' is named twice", use.network);
        if (use.network)
            service->networks[service->network_count++] = use;
    }
}
