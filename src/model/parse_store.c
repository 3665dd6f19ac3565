// Reads `volumes:`, `configs:` and `secrets:` of the file.
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "model/interpolate.h"
#include "model/limits.h"
#include "model/parse.h"

struct file_draft { // a config or secret while it is read
    const char *file, *content;
    const char *variable; // the environment variable that holds the content
    const struct lp_yaml_node *variable_node, *file_node;
    bool is_template, has_content;
};

static void volume_driver_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    (void)into;
    static const char *const words[] = {"local"};
    lp_parse_word(reader, value, words, LP_COUNT(words));
}

void lp_parse_volumes(struct lp_reader *reader, struct lp_yaml_node *value)
{
    static const struct lp_key keys[] = {{"driver", volume_driver_read, 0}};
    const struct lp_schema schema = {"volume", keys, LP_COUNT(keys), lp_compose_volume,
                                     lp_compose_volume_count};
    struct lp_descriptor *descriptor = reader->descriptor;
    if (!lp_is_mapping(reader, value, "volumes"))
        return;
    descriptor->volumes = lp_arena_new_array(reader->arena, const char *, value->count);
    for (size_t i = 0; i < value->count; i++) {
        if (i == LP_VOLUMES_MAX) {
            lp_mistake_at(reader, value->keys[i], "more than %d volumes", LP_VOLUMES_MAX);
            return;
        }
        descriptor->volumes[descriptor->volume_count++] = value->keys[i]->text;
        lp_parse_name(reader, value->keys[i], "volume", LP_NAME_FILE);
        if (!lp_yaml_is_null(value->items[i]))
            lp_schema_read(reader, &schema, value->items[i], NULL);
    }
}

static void file_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct file_draft *draft = into;
    const char *path = lp_parse_text(reader, value);
    draft->file_node = value;
    draft->file = path ? lp_path_resolve(reader, path) : NULL;
}

static void content_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct file_draft *draft = into;
    draft->content = lp_parse_text(reader, value);
    draft->is_template = true;
    draft->has_content = true;
}

static void variable_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct file_draft *draft = into;
    draft->variable = lp_parse_text(reader, value);
    draft->variable_node = value;
}

static void verbatim_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct file_draft *draft = into;
    bool is_verbatim = true;
    lp_parse_bool(reader, value, &is_verbatim);
    draft->is_template = !is_verbatim;
}

static void has_content_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct file_draft *draft = into;
    lp_parse_bool(reader, value, &draft->has_content);
}

// Exactly one of file, content and environment.
static bool source_check(struct lp_reader *reader, const struct lp_yaml_node *key,
                         const struct file_draft *draft, const char *choices)
{
    int count = (draft->file_node != NULL) + draft->has_content + (draft->variable_node != NULL);
    if (count == 1)
        return true;
    lp_mistake_at(reader, key, "'%s' needs exactly one of %s", key->text, choices);
    return false;
}

static const char *variable_content(struct lp_reader *reader, const struct file_draft *draft)
{
    const char *content =
        draft->variable ? lp_pairs_find(reader->input->environment, draft->variable) : NULL;
    if (draft->variable && !content)
        lp_mistake_at(reader, draft->variable_node, "environment variable '%s' is not set",
                      draft->variable);
    return content;
}

static void config_read(struct lp_reader *reader, const struct lp_yaml_node *key,
                        struct lp_yaml_node *value)
{
    static const struct lp_key keys[] = {{"file", file_read, 0},
                                         {"content", content_read, 0},
                                         {"environment", variable_read, 0},
                                         {"verbatim", verbatim_read, LP_KEY_CANONICAL}};
    const struct lp_schema schema = {"config", keys, LP_COUNT(keys), lp_compose_file,
                                     lp_compose_file_count};
    struct lp_config *config = &reader->descriptor->configs[reader->descriptor->config_count++];
    struct file_draft draft = {0};
    config->name = key->text;
    config->content = "";
    size_t told = reader->sink.told;
    lp_schema_read(reader, &schema, value, &draft);
    if (reader->sink.told > told ||
        !source_check(reader, key, &draft, "file, content and environment"))
        return;
    if (draft.file)
        config->content = lp_path_read_text(reader, draft.file_node, draft.file);
    else if (draft.variable)
        config->content = variable_content(reader, &draft);
    else
        config->content = draft.content;
    config->is_template = draft.is_template;
    if (!config->content)
        config->content = "";
}

static void secret_read(struct lp_reader *reader, const struct lp_yaml_node *key,
                        struct lp_yaml_node *value)
{
    static const struct lp_key keys[] = {{"file", file_read, 0},
                                         {"environment", variable_read, 0},
                                         {"has_content", has_content_read, LP_KEY_CANONICAL}};
    const struct lp_schema schema = {"secret", keys, LP_COUNT(keys), lp_compose_file,
                                     lp_compose_file_count};
    struct lp_secret *secret = &reader->descriptor->secrets[reader->descriptor->secret_count++];
    struct file_draft draft = {0};
    secret->name = key->text;
    size_t told = reader->sink.told;
    lp_schema_read(reader, &schema, value, &draft);
    if (reader->sink.told > told || !source_check(reader, key, &draft, "file and environment"))
        return;
    secret->file = draft.file;
    secret->content = variable_content(reader, &draft);
    if (draft.file && !reader->input->is_canonical && access(draft.file, R_OK) < 0)
        lp_mistake_at(reader, draft.file_node, "file %s: %s", draft.file, strerror(errno));
}

typedef void entry_read(struct lp_reader *reader, const struct lp_yaml_node *key,
                        struct lp_yaml_node *value);

static void entries_read(struct lp_reader *reader, struct lp_yaml_node *value, const char *what,
                         entry_read *read)
{
    for (size_t i = 0; i < value->count; i++) {
        if (i == LP_FILES_MAX) {
            lp_mistake_at(reader, value->keys[i], "more than %d %ss", LP_FILES_MAX, what);
            return;
        }
        lp_parse_name(reader, value->keys[i], what, LP_NAME_FILE);
        read(reader, value->keys[i], value->items[i]);
    }
}

void lp_parse_configs(struct lp_reader *reader, struct lp_yaml_node *value)
{
    if (!lp_is_mapping(reader, value, "configs"))
        return;
    reader->descriptor->configs = lp_arena_new_array(reader->arena, struct lp_config, value->count);
    entries_read(reader, value, "config", config_read);
}

void lp_parse_secrets(struct lp_reader *reader, struct lp_yaml_node *value)
{
    if (!lp_is_mapping(reader, value, "secrets"))
        return;
    reader->descriptor->secrets = lp_arena_new_array(reader->arena, struct lp_secret, value->count);
    entries_read(reader, value, "secret", secret_read);
}
