// The reader of a descriptor: what every part of it needs to turn YAML into nouns. Used by the
// parse_*.c files only. A reading function returns false, or NULL, after it has put a mistake; the
// reading goes on, so that all mistakes of a file are found in one go.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/descriptor.h"
#include "model/parse_mistake.h"
#include "model/yaml.h"

struct lp_str;

struct lp_mark { // where a text of the descriptor was written
    const char *text;
    const struct lp_yaml_node *node;
};

struct lp_published { // a port of the host that a service takes
    const struct lp_yaml_node *node;
    const char *service;
    struct lp_port port;
};

struct lp_disabled { // a service that no enabled profile wants
    const char *service, *profile;
};

struct lp_reader {
    const struct lp_parse_input *input;
    struct lp_sink sink;
    struct lp_arena *arena;
    const char *folder; // of the file, absolute
    struct lp_descriptor *descriptor;
    struct lp_mark *marks; // open addressing by address of the text
    size_t mark_count, mark_capacity;
    struct lp_disabled *disabled;
    size_t disabled_count;
    struct lp_published *published;
    size_t published_count, published_capacity;
    size_t unknown_count;  // unknown keys so far
    size_t expanded_bytes; // by interpolation so far
    size_t file_bytes;     // read so far
};

// Mistakes (parse.c).
#define lp_mistake_at(reader, node, ...) lp_mistake_put(&(reader)->sink, (node)->place, __VA_ARGS__)
// Remember where a text came from, and find it again. The whole file when it was not remembered.
void lp_mark_add(struct lp_reader *reader, const char *text, const struct lp_yaml_node *node);
struct lp_place lp_mark_place(const struct lp_reader *reader, const char *text);
// The place in the source of the token that has `skip` others before it in the scalar whose value
// is text; the scalar's own place when it is not found. Tokens stand in the source in the same
// order as in the value, whatever the style of the scalar.
struct lp_place lp_token_place(const struct lp_reader *reader, const char *text, const char *token,
                               size_t skip);

// Single values (parse.c). The kind is checked and variables are expanded.
const char *lp_parse_text(struct lp_reader *reader, struct lp_yaml_node *node);
bool lp_parse_bool(struct lp_reader *reader, struct lp_yaml_node *node, bool *ret_value);
struct lp_range {
    uint64_t least, most;
};
bool lp_parse_number(struct lp_reader *reader, struct lp_yaml_node *node, struct lp_range range,
                     uint64_t *ret_value);
bool lp_parse_duration(struct lp_reader *reader, struct lp_yaml_node *node, uint32_t *ret_ms);
bool lp_parse_size(struct lp_reader *reader, struct lp_yaml_node *node, uint64_t *ret_bytes);
bool lp_parse_mode(struct lp_reader *reader, struct lp_yaml_node *node, uint32_t *ret_mode);
bool lp_parse_signal(struct lp_reader *reader, struct lp_yaml_node *node, int *ret_signal);
// The word's place in words (count of them), or -1 with a mistake that lists them.
int lp_parse_word(struct lp_reader *reader, struct lp_yaml_node *node, const char *const *words,
                  size_t count);
// An absolute path inside a node or image.
const char *lp_parse_inner_path(struct lp_reader *reader, struct lp_yaml_node *node);
bool lp_is_sequence(struct lp_reader *reader, const struct lp_yaml_node *node, const char *what);
bool lp_is_mapping(struct lp_reader *reader, const struct lp_yaml_node *node, const char *what);

// Compound values (parse_list.c).
bool lp_parse_texts(struct lp_reader *reader, struct lp_yaml_node *node,
                    struct lp_texts *ret_texts);
// A command: a list, or one text split as a shell splits words. Null gives an empty list.
bool lp_parse_argv(struct lp_reader *reader, struct lp_yaml_node *node, struct lp_texts *ret_argv);
// A mapping, or a list of KEY=VALUE; KEY alone is taken from the environment (left out if unset).
bool lp_parse_pairs(struct lp_reader *reader, struct lp_yaml_node *node,
                    struct lp_pairs *ret_pairs);
// above's keys win; the order is below's, then what above adds.
struct lp_pairs lp_pairs_overlay(struct lp_arena *arena, const struct lp_pairs *below,
                                 const struct lp_pairs *above);
void lp_texts_add(struct lp_arena *arena, struct lp_texts *texts, const char *text);
bool lp_texts_has(const struct lp_texts *texts, const char *text);

// Names (parse_name.c).
enum lp_name_class {
    LP_NAME_LABEL, // a DNS label
    LP_NAME_FILE,  // letters, digits, '.', '_', '-'
};
bool lp_name_is(const char *name, enum lp_name_class class);
bool lp_parse_name(struct lp_reader *reader, const struct lp_yaml_node *node, const char *what,
                   enum lp_name_class class);
// "; did you mean 'x'?" or "": lent until the next call on the same arena ends.
const char *lp_hint_nearest(struct lp_reader *reader, const char *wrong, const char *const *words,
                            size_t count);

// Files (parse_path.c).
// Absolute form of a path of this host: relative to the descriptor's folder, ~ is HOME.
const char *lp_path_resolve(struct lp_reader *reader, const char *path);
// A file as text; NULL after a mistake at node.
const char *lp_path_read_text(struct lp_reader *reader, const struct lp_yaml_node *node,
                              const char *path);

// Mappings with known keys (parse_schema.c).
typedef void lp_key_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into);
enum {
    LP_KEY_OWN = 1,       // also as x-KEY; that one wins, the bare one is then for others
    LP_KEY_CANONICAL = 2, // only in lp_descriptor_print's text
    LP_KEY_IGNORED = 4,   // means nothing, harmless
};
struct lp_key {
    const char *name;
    lp_key_read *read;
    unsigned flags;
};
struct lp_refused { // a key of the Compose Specification that Limpet does not support
    const char *name;
    const char *instead; // what to do; NULL
};
struct lp_schema {
    const char *what; // "service", for messages
    const struct lp_key *keys;
    size_t key_count;
    const struct lp_refused *refused;
    size_t refused_count;
};
// Call read for each key of the mapping, in the schema's order.
void lp_schema_read(struct lp_reader *reader, const struct lp_schema *schema,
                    struct lp_yaml_node *mapping, void *into);
#define LP_COUNT(array) (sizeof(array) / sizeof(*(array)))

// Compose's unsupported keys (compose_keys.c).
extern const struct lp_refused lp_compose_top[], lp_compose_service[], lp_compose_deploy[],
    lp_compose_resources[], lp_compose_limits[], lp_compose_build[], lp_compose_network[],
    lp_compose_ipam[], lp_compose_subnet[], lp_compose_volume[], lp_compose_file[],
    lp_compose_network_use[], lp_compose_port[], lp_compose_mount[];
extern const size_t lp_compose_top_count, lp_compose_service_count, lp_compose_deploy_count,
    lp_compose_resources_count, lp_compose_limits_count, lp_compose_build_count,
    lp_compose_network_count, lp_compose_ipam_count, lp_compose_subnet_count,
    lp_compose_volume_count, lp_compose_file_count, lp_compose_network_use_count,
    lp_compose_port_count, lp_compose_mount_count;

// The parts of a descriptor.
void lp_parse_top(struct lp_reader *reader, struct lp_yaml_node *root);       // parse_top.c
void lp_parse_networks(struct lp_reader *reader, struct lp_yaml_node *value); // parse_network.c
void lp_parse_configs(struct lp_reader *reader, struct lp_yaml_node *value);  // parse_store.c
void lp_parse_secrets(struct lp_reader *reader, struct lp_yaml_node *value);
void lp_parse_volumes(struct lp_reader *reader, struct lp_yaml_node *value);
