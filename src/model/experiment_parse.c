// Reads an experiment: what stands at the top of its file, and its stages.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/duration.h"
#include "model/experiment_parts.h"
#include "model/load_parts.h"

const char *const lp_experiment_stage_words[LP_EXPERIMENT_STAGES] = {
    [LP_EXPERIMENT_SETUP] = "setup",
    [LP_EXPERIMENT_BREAKING] = "break",
    [LP_EXPERIMENT_HEALING] = "heal",
    [LP_EXPERIMENT_CLEANUP] = "cleanup",
};
enum { STEADY_FOR_MS = 2000, STEADY_WITHIN_MS = 30 * 1000 };

// A scalar that JSON can hold as it is written: a number, true, false.
static bool is_json_word(const char *text)
{
    char *end;
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return true;
    const char *digits = *text == '-' ? text + 1 : text;
    if (*digits < '0' || *digits > '9' || (digits[0] == '0' && digits[1] >= '0') ||
        strspn(digits, "0123456789.eE+-") != strlen(digits) || strlen(text) > 15)
        return false;
    strtod(text, &end);
    return !*end && end[-1] != '.' && !strstr(digits, ".e") && !strstr(digits, ".E");
}

void lp_yaml_print_json(const struct lp_yaml_node *node, struct lp_str *ret_text)
{
    if (node->kind == LP_YAML_SCALAR) {
        const char *text = node->value ? node->value : node->text;
        if (lp_yaml_is_null(node))
            lp_str_add(ret_text, "null");
        else if (node->is_plain && is_json_word(text))
            lp_str_add(ret_text, text);
        else
            lp_str_add_json(ret_text, text);
        return;
    }
    bool is_mapping = node->kind == LP_YAML_MAPPING;
    lp_str_add_char(ret_text, is_mapping ? '{' : '[');
    for (size_t i = 0; i < node->count; i++) {
        lp_str_add(ret_text, i ? "," : "");
        if (is_mapping) {
            lp_str_add_json(ret_text, node->keys[i]->text);
            lp_str_add_char(ret_text, ':');
        }
        lp_yaml_print_json(node->items[i], ret_text);
    }
    lp_str_add_char(ret_text, is_mapping ? '}' : ']');
}

const char *lp_experiment_source(struct lp_reader *reader, const struct lp_yaml_node *node)
{
    LP_OWNS_STR struct lp_str text = {0};
    // Subtrees that aliases share are written out each time: the whole stays within the bound.
    if (node->total_bytes > LP_YAML_BYTES_MAX - reader->expanded_bytes)
        return "null";
    lp_yaml_print_json(node, &text);
    reader->expanded_bytes += node->total_bytes;
    return lp_arena_text_n(reader->arena, lp_str_text(&text), text.bytes);
}

static const char *variable_find(const struct lp_pairs *variables, const char *name, size_t bytes)
{
    for (size_t i = variables ? variables->count : 0; i > 0; i--) { // the last one wins
        const struct lp_pair *pair = &variables->items[i - 1];
        if (strncmp(pair->key, name, bytes) == 0 && !pair->key[bytes])
            return pair->value;
    }
    return NULL;
}

// $name of the Chaos Toolkit, when there is such a variable: its value and where the text goes on.
static const char *bare_find(const struct lp_experiment_variables *variables, const char *dollar,
                             const char **ret_rest)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    size_t bytes = dollar[0] == '$' ? strspn(dollar + 1, letters) : 0;
    if (!variables->may_miss || bytes == 0 || (dollar[1] >= '0' && dollar[1] <= '9'))
        return NULL;
    *ret_rest = dollar + 1 + bytes;
    return variable_find(variables->pairs, dollar + 1, bytes);
}

static const char *text_substitute(struct lp_reader *reader, const struct lp_yaml_node *node,
                                   const struct lp_experiment_variables *variables)
{
    LP_OWNS_STR struct lp_str out = {0};
    for (const char *c = node->text; *c;) {
        const char *end = c[0] == '$' && c[1] == '{' ? strchr(c, '}') : NULL;
        if (c[0] == '$' && c[1] == '$' && c[2] == '{') {
            lp_str_add(&out, "${");
            c += 3;
            continue;
        }
        const char *rest = NULL, *bare = bare_find(variables, c, &rest);
        if (bare)
            lp_str_add(&out, bare);
        else if (!end)
            lp_str_add_char(&out, *c);
        if (bare || !end) {
            c = bare ? rest : c + 1;
            continue;
        }
        const char *name = c + 2, *dash = memchr(name, ':', (size_t)(end - name));
        bool has_default = dash && dash[1] == '-';
        size_t bytes = (size_t)((has_default ? dash : end) - name);
        const char *value = variable_find(variables->pairs, name, bytes);
        if (value)
            lp_str_add(&out, value);
        else if (has_default)
            lp_str_add_n(&out, dash + 2, (size_t)(end - dash - 2));
        else if (variables->may_miss)
            lp_str_add_n(&out, c, (size_t)(end + 1 - c));
        else
            lp_mistake_at(reader, node, "${%.*s} is not set; --set %.*s=VALUE gives it one",
                          (int)bytes, name, (int)bytes, name);
        c = end + 1;
        if (out.bytes > LP_YAML_BYTES_MAX - reader->expanded_bytes) {
            lp_mistake_at(reader, node, "the variables make the text too long");
            break;
        }
    }
    reader->expanded_bytes += out.bytes;
    return lp_arena_text_n(reader->arena, lp_str_text(&out), out.bytes);
}

void lp_experiment_substitute(struct lp_reader *reader, struct lp_yaml_node *node,
                              const struct lp_experiment_variables *variables)
{
    if (node->kind == LP_YAML_SCALAR) {
        if (!node->value && strchr(node->text, '$'))
            node->value = text_substitute(reader, node, variables);
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        lp_experiment_substitute(reader, node->items[i], variables);
}

bool lp_experiment_is_list(struct lp_reader *reader, const struct lp_yaml_node *node,
                           const char *what)
{
    if (!lp_is_sequence(reader, node, what))
        return false;
    if (node->count <= LP_EXPERIMENT_LIST_MAX)
        return true;
    lp_mistake_at(reader, node, "%zu %s; at most %d", node->count, what, LP_EXPERIMENT_LIST_MAX);
    return false;
}

uint32_t lp_experiment_span_take(struct lp_reader *reader, struct lp_yaml_node *node)
{
    uint32_t ms = 0;
    return lp_load_span_parse(reader, node, &ms) ? ms : 0;
}

int lp_experiment_kind_find(struct lp_reader *reader, struct lp_yaml_node *node, const char *what,
                            const char *const *words, size_t count)
{
    int found = -1;
    LP_OWNS_STR struct lp_str all = {0};
    for (size_t i = 0; i < count; i++) {
        const struct lp_yaml_node *value = words[i][0] ? lp_yaml_find(node, words[i]) : NULL;
        if (words[i][0])
            lp_str_printf(&all, "%s%s", all.bytes ? ", " : "", words[i]);
        if (value && found >= 0) {
            lp_mistake_at(reader, value, "%s is one thing: either '%s' or '%s'", what, words[found],
                          words[i]);
            return -1;
        }
        found = value ? (int)i : found;
    }
    if (found >= 0)
        return found;
    const char *hint = "";
    for (size_t i = 0; !*hint && i < node->count; i++)
        hint = lp_hint_nearest(reader, node->keys[i]->text, words, count);
    lp_mistake_at(reader, node, "%s has one of the keys %s%s", what, lp_str_text(&all), hint);
    return -1;
}

// The parts at the top.
static void title_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    ((struct lp_experiment *)into)->title = lp_parse_text(reader, node);
}

static void description_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    ((struct lp_experiment *)into)->description = lp_parse_text(reader, node);
}

static void infrastructure_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    ((struct lp_experiment *)into)->infrastructure =
        lp_experiment_infrastructure_take(reader, node);
}

static void requires_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    lp_experiment_requirements_read(reader, node, &((struct lp_experiment *)into)->requires);
}

static void steady_checks_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    lp_experiment_checks_read(reader, node, &((struct lp_experiment *)into)->steady);
}

static void steady_for_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    lp_load_span_parse(reader, node, &((struct lp_experiment *)into)->steady_for_ms);
}

static void steady_within_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    lp_load_span_parse(reader, node, &((struct lp_experiment *)into)->steady_within_ms);
}

// A list of checks, or {for: 5s, within: 30s, checks: [...]}.
static void steady_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    static const struct lp_key keys[] = {{"for", steady_for_read, 0},
                                         {"within", steady_within_read, 0},
                                         {"checks", steady_checks_read, 0}};
    static const struct lp_schema schema = {"steady_state", keys, LP_COUNT(keys), NULL, 0};
    if (node->kind == LP_YAML_SEQUENCE)
        steady_checks_read(reader, node, into);
    else
        lp_schema_read(reader, &schema, node, into);
}

static void load_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    struct lp_experiment *experiment = into;
    experiment->has_load = true;
    lp_parse_load(reader, node, &experiment->load);
}

static void guards_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    lp_experiment_checks_read(reader, node, &((struct lp_experiment *)into)->guards);
}

static void repeat_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    uint64_t count = 1;
    if (lp_parse_number(reader, node, (struct lp_range){1, LP_EXPERIMENT_REPEAT_MAX}, &count))
        ((struct lp_experiment *)into)->repeat = (uint32_t)count;
}

static void seed_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    struct lp_experiment *experiment = into;
    experiment->has_seed =
        lp_parse_number(reader, node, (struct lp_range){0, UINT32_MAX}, &experiment->seed);
}

static void stage_name_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    const char *name = lp_parse_text(reader, node);
    if (name)
        ((struct lp_experiment_stage *)into)->name = name;
}

static void stage_steps_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    lp_experiment_steps_read(reader, node, &((struct lp_experiment_stage *)into)->steps);
}

static void stage_checks_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    lp_experiment_checks_read(reader, node, &((struct lp_experiment_stage *)into)->checks);
}

static bool stage_read(struct lp_reader *reader, struct lp_yaml_node *node,
                       struct lp_experiment_stage *stage)
{
    if (!lp_is_mapping(reader, node, "a stage"))
        return false;
    int kind = lp_experiment_kind_find(reader, node, "a stage", lp_experiment_stage_words,
                                       LP_EXPERIMENT_STAGES);
    if (kind < 0)
        return false;
    const char *word = lp_experiment_stage_words[kind];
    const struct lp_key keys[] = {{"name", stage_name_read, 0},
                                  {word, stage_steps_read, 0},
                                  {"checks", stage_checks_read, 0}};
    const struct lp_schema schema = {"a stage", keys, LP_COUNT(keys), NULL, 0};
    *stage =
        (struct lp_experiment_stage){.kind = (enum lp_experiment_stage_kind)kind, .name = word};
    lp_schema_read(reader, &schema, node, stage);
    return true;
}

// setup first, cleanup last: anything else would not be done in the order in which it is read.
static void stages_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    struct lp_experiment *experiment = into;
    int latest = LP_EXPERIMENT_SETUP;
    bool has_break = false;
    if (!lp_experiment_is_list(reader, node, "stages"))
        return;
    experiment->stages =
        lp_arena_new_array(reader->arena, struct lp_experiment_stage, node->count + 1);
    for (size_t i = 0; i < node->count; i++) {
        struct lp_experiment_stage *stage = &experiment->stages[experiment->stage_count];
        if (!stage_read(reader, node->items[i], stage))
            continue;
        int rank = stage->kind == LP_EXPERIMENT_HEALING ? LP_EXPERIMENT_BREAKING : (int)stage->kind;
        if (rank < latest)
            lp_mistake_at(reader, node->items[i], "'%s' comes before '%s'",
                          lp_experiment_stage_words[stage->kind],
                          lp_experiment_stage_words[latest]);
        if (stage->kind == LP_EXPERIMENT_HEALING && !has_break)
            lp_mistake_at(reader, node->items[i], "nothing is broken yet that could be healed");
        has_break = has_break || stage->kind == LP_EXPERIMENT_BREAKING;
        latest = rank;
        experiment->stage_count++;
    }
}

static const struct lp_key top_keys[] = {
    {"title", title_read, 0},
    {"description", description_read, 0},
    {"infrastructure", infrastructure_read, 0},
    {"compare", lp_experiment_compare_read, 0},
    {"requires", requires_read, 0},
    {"steady_state", steady_read, 0},
    {"load", load_read, 0},
    {"stages", stages_read, 0},
    {"abort_when", guards_read, 0},
    {"repeat", repeat_read, 0},
    {"seed", seed_read, 0},
    {"reference", lp_experiment_reference_read, 0},
};

// What only the whole experiment shows to be wrong.
static void whole_check(struct lp_reader *reader, const struct lp_yaml_node *root,
                        const struct lp_experiment *experiment)
{
    if (!lp_yaml_find(root, "title"))
        lp_mistake_at(reader, root, "'title' is missing");
    if (!lp_yaml_find(root, "stages"))
        lp_mistake_at(reader, root, "'stages' is missing: what is set up, broken and healed");
    if (experiment->infrastructure && experiment->compare_count)
        lp_mistake_at(reader, lp_yaml_find(root, "compare"),
                      "either 'infrastructure' or 'compare', which names several");
    if (experiment->reference_count)
        lp_experiment_references_check(reader, lp_yaml_find(root, "reference"), experiment);
    const struct lp_yaml_node *steady = lp_yaml_find(root, "steady_state");
    if (steady && steady->kind == LP_YAML_SEQUENCE && !steady->count)
        lp_mistake_at(reader, steady, "at least one check: what is to hold before and after");
    if (!steady && lp_yaml_find(root, "stages"))
        lp_mistake_at(reader, root,
                      "'steady_state' is missing: checks that must hold before anything is broken");
}

static void root_read(struct lp_reader *reader, struct lp_yaml_node *root,
                      struct lp_experiment *experiment)
{
    static const struct lp_schema schema = {"an experiment", top_keys, LP_COUNT(top_keys), NULL, 0};
    if (!lp_is_mapping(reader, root, "an experiment"))
        return;
    experiment->source = lp_experiment_source(reader, root);
    if (lp_yaml_find(root, "method") || lp_yaml_find(root, "steady-state-hypothesis")) {
        experiment->is_chaos_toolkit = true;
        lp_experiment_chaos_read(reader, root, experiment);
        return;
    }
    const struct lp_experiment_variables variables = {.pairs = reader->input->environment};
    lp_experiment_substitute(reader, root, &variables);
    lp_schema_read(reader, &schema, root, experiment);
    whole_check(reader, root, experiment);
}

static struct lp_reader reader_of(const struct lp_parse_input *input, struct lp_arena *arena,
                                  struct lp_mistakes *mistakes)
{
    const char *slash = strrchr(input->path, '/');
    char *folder =
        lp_arena_text_n(arena, slash ? input->path : "/",
                        slash && slash > input->path ? (size_t)(slash - input->path) : 1);
    mistakes->count = 0;
    return (struct lp_reader){.input = input,
                              .sink = {.mistakes = mistakes, .arena = arena, .file = input->path},
                              .arena = arena,
                              .folder = folder};
}

static int verdict(struct lp_mistakes *mistakes, const char *path, struct lp_err *err)
{
    if (!mistakes->count)
        return 0;
    lp_mistakes_sort(mistakes, path);
    const struct lp_mistake *first = &mistakes->items[0];
    return lp_err_set(err, LP_EINPUT, "%s:%d:%d: %s", first->file, first->line, first->column,
                      first->text);
}

int lp_experiment_parse(const struct lp_experiment_input *input, struct lp_arena *arena,
                        struct lp_mistakes *ret_mistakes, struct lp_experiment *ret_experiment,
                        struct lp_err *err)
{
    const struct lp_parse_input inner = {.path = input->path,
                                         .text = input->text,
                                         .bytes = input->bytes,
                                         .environment = input->variables,
                                         .is_canonical = true};
    struct lp_reader reader = reader_of(&inner, arena, ret_mistakes);
    *ret_experiment = (struct lp_experiment){.path = input->path,
                                             .repeat = 1,
                                             .steady_for_ms = STEADY_FOR_MS,
                                             .steady_within_ms = STEADY_WITHIN_MS};
    struct lp_yaml_node *root = lp_yaml_parse(input->text, input->bytes, &reader.sink);
    if (root)
        root_read(&reader, root, ret_experiment);
    return verdict(ret_mistakes, input->path, err);
}

static struct lp_yaml_node *source_open(const struct lp_parse_input *input, struct lp_arena *arena,
                                        struct lp_reader *ret_reader)
{
    struct lp_mistakes *mistakes = lp_arena_new(arena, struct lp_mistakes);
    *ret_reader = reader_of(input, arena, mistakes);
    return lp_yaml_parse(input->text, input->bytes, &ret_reader->sink);
}

int lp_experiment_check_read(const char *source, struct lp_arena *arena,
                             struct lp_experiment_check *ret_check, struct lp_err *err)
{
    const struct lp_parse_input input = {
        .path = "check", .text = source, .bytes = strlen(source), .is_canonical = true};
    struct lp_reader reader;
    struct lp_yaml_node *root = source_open(&input, arena, &reader);
    if (root)
        lp_experiment_check_take(&reader, root, ret_check);
    return verdict(reader.sink.mistakes, "check", err);
}

int lp_experiment_activity_read(const char *source, struct lp_arena *arena,
                                struct lp_experiment_activity *ret_activity, struct lp_err *err)
{
    const struct lp_parse_input input = {
        .path = "activity", .text = source, .bytes = strlen(source), .is_canonical = true};
    struct lp_reader reader;
    struct lp_yaml_node *root = source_open(&input, arena, &reader);
    if (root)
        lp_experiment_activity_take(&reader, root, ret_activity);
    return verdict(reader.sink.mistakes, "activity", err);
}
