// Reads the top of the file: name, services and what they share.
#include <ctype.h>
#include <string.h>

#include "base/str.h"
#include "model/limits.h"
#include "model/parse.h"
#include "model/parse_service.h"

static void name_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    (void)into;
    const char *text = lp_parse_text(reader, value);
    if (!text)
        return;
    struct lp_yaml_node named = *value;
    named.text = text;
    lp_parse_name(reader, &named, "infrastructure", LP_NAME_LABEL);
    lp_mark_add(reader, text, value);
    reader->descriptor->name = text;
}

static void networks_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    (void)into;
    if (!lp_yaml_is_null(value))
        lp_parse_networks(reader, value);
}

static void configs_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    (void)into;
    if (!lp_yaml_is_null(value))
        lp_parse_configs(reader, value);
}

static void secrets_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    (void)into;
    if (!lp_yaml_is_null(value))
        lp_parse_secrets(reader, value);
}

static void volumes_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    (void)into;
    if (!lp_yaml_is_null(value))
        lp_parse_volumes(reader, value);
}

// The profile that keeps a service out, or NULL when it is enabled.
static const char *service_disabler(struct lp_reader *reader, struct lp_yaml_node *service)
{
    struct lp_yaml_node *node = lp_yaml_find(service, "profiles");
    struct lp_texts profiles = {0};
    const struct lp_texts *enabled = reader->input->profiles;
    if (!node || !lp_parse_texts(reader, node, &profiles) || !profiles.count)
        return NULL;
    for (size_t i = 0; enabled && i < profiles.count; i++)
        if (lp_texts_has(enabled, profiles.items[i]) || lp_texts_has(enabled, "*"))
            return NULL;
    return profiles.items[0];
}

static void services_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    (void)into;
    struct lp_descriptor *descriptor = reader->descriptor;
    if (!lp_is_mapping(reader, value, "services"))
        return;
    if (value->count > LP_SERVICES_MAX) {
        lp_mistake_at(reader, value, "%zu services; at most %d", value->count, LP_SERVICES_MAX);
        return;
    }
    descriptor->services = lp_arena_new_array(reader->arena, struct lp_service, value->count);
    reader->disabled = lp_arena_new_array(reader->arena, struct lp_disabled, value->count);
    for (size_t i = 0; i < value->count; i++) {
        const struct lp_yaml_node *key = value->keys[i];
        const char *profile = service_disabler(reader, value->items[i]);
        lp_parse_name(reader, key, "service", LP_NAME_LABEL);
        if (profile)
            reader->disabled[reader->disabled_count++] = (struct lp_disabled){key->text, profile};
        else
            lp_parse_service(reader, key, value->items[i],
                             &descriptor->services[descriptor->service_count++]);
    }
}

// Without `name`, the folder's name is taken, as Compose does.
static void name_derive(struct lp_reader *reader, const struct lp_yaml_node *root)
{
    const char *slash = strrchr(reader->folder, '/');
    char *name = lp_arena_text(reader->arena, slash ? slash + 1 : reader->folder);
    for (char *c = name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (lp_name_is(name, LP_NAME_LABEL))
        reader->descriptor->name = name;
    else
        lp_mistake_at(reader, root, "'name' is missing, and the folder's name '%s' cannot stand in",
                      name);
}

void lp_parse_top(struct lp_reader *reader, struct lp_yaml_node *root)
{
    static const struct lp_key keys[] = {
        {"version", NULL, LP_KEY_IGNORED}, {"name", name_read, 0},
        {"networks", networks_read, 0},    {"volumes", volumes_read, 0},
        {"configs", configs_read, 0},      {"secrets", secrets_read, 0},
        {"services", services_read, 0}};
    const struct lp_schema schema = {"the descriptor", keys, LP_COUNT(keys), lp_compose_top,
                                     lp_compose_top_count};
    lp_schema_read(reader, &schema, root, NULL);
    if (root->kind != LP_YAML_MAPPING)
        return;
    if (!lp_yaml_find(root, "services"))
        lp_mistake_at(reader, root, "'services' is missing");
    if (!lp_yaml_find(root, "name"))
        name_derive(reader, root);
}
