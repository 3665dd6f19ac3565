// Reads what an experiment is run on, and what its figures are compared with: requirements,
// variants, the figures of others.
#include <string.h>

#include "base/str.h"
#include "model/experiment_parts.h"

static const char *const requirement_words[LP_REQUIRES_KINDS] = {
    [LP_REQUIRES_COMMAND] = "command", [LP_REQUIRES_FAULT] = "fault",
    [LP_REQUIRES_RUNTIME] = "runtime", [LP_REQUIRES_FILE] = "file",
    [LP_REQUIRES_ENV] = "env",         [LP_REQUIRES_MEMORY] = "memory",
};
const char *lp_experiment_infrastructure_take(struct lp_reader *reader, struct lp_yaml_node *node)
{
    const char *text = lp_parse_text(reader, node);
    if (!text || lp_name_is(text, LP_NAME_LABEL))
        return text;
    return lp_path_resolve(reader, text);
}

static void requirement_value_read(struct lp_reader *reader, struct lp_yaml_node *node,
                                   struct lp_experiment_requirement *requirement)
{
    static const char *const runtimes[] = {"container", "vm"};
    requirement->value = lp_parse_text(reader, node);
    if (!requirement->value)
        return;
    if (requirement->kind == LP_REQUIRES_FILE)
        requirement->value = lp_path_resolve(reader, requirement->value);
    else if (requirement->kind == LP_REQUIRES_MEMORY)
        lp_parse_size(reader, node, &requirement->bytes);
    else if (requirement->kind == LP_REQUIRES_RUNTIME)
        lp_parse_word(reader, node, runtimes, LP_COUNT(runtimes));
    else if (requirement->kind == LP_REQUIRES_FAULT)
        lp_parse_word(reader, node, lp_fault_words + 1, LP_FAULT_KINDS - 1);
}

void lp_experiment_requirements_read(struct lp_reader *reader, struct lp_yaml_node *node,
                                     struct lp_experiment_requirements *requires)
{
    if (!lp_experiment_is_list(reader, node, "requirements"))
        return;
    requires->items =
        lp_arena_new_array(reader->arena, struct lp_experiment_requirement, node->count + 1);
    for (size_t i = 0; i < node->count; i++) {
        struct lp_yaml_node *item = node->items[i];
        struct lp_experiment_requirement *requirement = &requires->items[requires->count];
        if (!lp_is_mapping(reader, item, "a requirement"))
            continue;
        int kind = lp_experiment_kind_find(reader, item, "a requirement", requirement_words,
                                           LP_REQUIRES_KINDS);
        if (kind < 0)
            continue;
        if (item->count != 1)
            lp_mistake_at(reader, item, "a requirement has one key");
        requirement->kind = (enum lp_experiment_requirement_kind)kind;
        requirement_value_read(reader, lp_yaml_find(item, requirement_words[kind]), requirement);
        requires->count++;
    }
}

static void variant_name_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    ((struct lp_experiment_variant *)into)->name = lp_parse_text(reader, node);
}

static void variant_descriptor_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    ((struct lp_experiment_variant *)into)->infrastructure =
        lp_experiment_infrastructure_take(reader, node);
}

static void variant_requires_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    lp_experiment_requirements_read(reader, node,
                                    &((struct lp_experiment_variant *)into)->requires);
}

static void variant_set_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    lp_parse_pairs(reader, node, &((struct lp_experiment_variant *)into)->set);
}

static void variant_break_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    bool is_broken = true;
    if (lp_parse_bool(reader, node, &is_broken))
        ((struct lp_experiment_variant *)into)->is_left_whole = !is_broken;
}

// compare: [a.yaml, {name: b, descriptor: b.yaml, requires: [...]}]
void lp_experiment_compare_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    static const struct lp_key keys[] = {{"name", variant_name_read, 0},
                                         {"descriptor", variant_descriptor_read, 0},
                                         {"requires", variant_requires_read, 0},
                                         {"set", variant_set_read, 0},
                                         {"break", variant_break_read, 0}};
    static const struct lp_schema schema = {"one that is compared", keys, LP_COUNT(keys), NULL, 0};
    struct lp_experiment *experiment = into;
    if (!lp_is_sequence(reader, node, "compare"))
        return;
    if (node->count < 2 || node->count > LP_EXPERIMENT_LIST_MAX) {
        lp_mistake_at(reader, node, "compare at least two descriptors: [a.yaml, b.yaml]");
        return;
    }
    experiment->compare =
        lp_arena_new_array(reader->arena, struct lp_experiment_variant, node->count);
    for (size_t i = 0; i < node->count; i++) {
        struct lp_experiment_variant *variant = &experiment->compare[i];
        if (node->items[i]->kind != LP_YAML_MAPPING) {
            variant->infrastructure = lp_experiment_infrastructure_take(reader, node->items[i]);
            continue;
        }
        lp_schema_read(reader, &schema, node->items[i], variant);
        if (!lp_yaml_find(node->items[i], "descriptor"))
            lp_mistake_at(reader, node->items[i], "'descriptor' is missing");
    }
    experiment->compare_count = node->count;
}

static const char *const reference_words[] = {"what",    "value",   "source",
                                              "differs", "variant", "figure"};
enum { REFERENCE_NEEDS = 3 }; // the first of them

#define REFERENCE_READER(field)                                                               \
    static void field##_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into) \
    {                                                                                         \
        ((struct lp_experiment_reference *)into)->field = lp_parse_text(reader, node);        \
    }
REFERENCE_READER(what)
REFERENCE_READER(value)
REFERENCE_READER(source)
REFERENCE_READER(differs)
REFERENCE_READER(variant)
REFERENCE_READER(figure)

static void reference_take(struct lp_reader *reader, struct lp_yaml_node *node,
                           struct lp_experiment_reference *reference)
{
    static const struct lp_key keys[] = {{"what", what_read, 0},       {"value", value_read, 0},
                                         {"source", source_read, 0},   {"differs", differs_read, 0},
                                         {"variant", variant_read, 0}, {"figure", figure_read, 0}};
    static const struct lp_schema schema = {"a reference", keys, LP_COUNT(keys), NULL, 0};
    size_t told = reader->sink.told;
    lp_schema_read(reader, &schema, node, reference);
    for (size_t i = 0; reader->sink.told == told && i < REFERENCE_NEEDS; i++)
        if (!lp_yaml_find(node, reference_words[i]))
            lp_mistake_at(reader, node,
                          "'%s' is missing: a figure of others says what, value "
                          "and source",
                          reference_words[i]);
}

void lp_experiment_reference_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    struct lp_experiment *experiment = into;
    if (!lp_experiment_is_list(reader, node, "references"))
        return;
    experiment->references =
        lp_arena_new_array(reader->arena, struct lp_experiment_reference, node->count + 1);
    for (size_t i = 0; i < node->count; i++)
        reference_take(reader, node->items[i], &experiment->references[i]);
    experiment->reference_count = node->count;
}

void lp_experiment_references_check(struct lp_reader *reader, const struct lp_yaml_node *node,
                                    const struct lp_experiment *experiment)
{
    for (size_t i = 0; i < experiment->reference_count; i++) {
        const char *wanted = experiment->references[i].variant;
        bool is_known = !wanted;
        for (size_t k = 0; k < experiment->compare_count; k++)
            is_known = is_known || lp_text_equal(experiment->compare[k].name, wanted);
        if (!is_known)
            lp_mistake_at(reader, node->items[i], "'compare' has no '%s'", wanted);
    }
}
