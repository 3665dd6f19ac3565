// Reads the steps of an experiment: what is done.
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/duration.h"
#include "model/experiment_parts.h"

const char *const lp_experiment_step_words[LP_EXPERIMENT_STEPS] = {
    [LP_EXPERIMENT_BREAK] = "break",     [LP_EXPERIMENT_HEAL] = "heal",
    [LP_EXPERIMENT_RUN] = "exec",        [LP_EXPERIMENT_SCALE] = "scale",
    [LP_EXPERIMENT_RESTART] = "restart", [LP_EXPERIMENT_UP] = "up",
    [LP_EXPERIMENT_DOWN] = "down",       [LP_EXPERIMENT_WAIT] = "wait",
    [LP_EXPERIMENT_ASK] = "ask",         [LP_EXPERIMENT_SWIZZLE] = "swizzle",
    [LP_EXPERIMENT_REPEAT] = "repeat",   [LP_EXPERIMENT_RANDOM] = "random",
    [LP_EXPERIMENT_REQUEST] = "request",
};

// The options of faults, as `limpet break` has them.
static const char *const fault_options[] = {
    "delay",     "jitter", "distribution", "share",  "rate", "workers", "leave", "jump", "drift",
    "direction", "peer",   "network",      "volume", "on",   "command", "undo",  "seed"};

static void name_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    const char *name = lp_parse_text(reader, node);
    if (name)
        ((struct lp_experiment_step *)into)->name = name;
}

static void fault_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    ((struct lp_experiment_step *)into)->fault = lp_parse_text(reader, node);
}

static void select_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    ((struct lp_experiment_step *)into)->select = lp_parse_text(reader, node);
}

static void for_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    const char *text = lp_parse_text(reader, node);
    if (text && strcmp(text, "ever") == 0)
        lp_mistake_at(reader, node,
                      "a fault of an experiment has an end, so that it ends even "
                      "when the experiment is killed: give a time such as 1m");
    else if (text && lp_experiment_span_take(reader, node))
        ((struct lp_experiment_step *)into)->duration = text;
    else if (text)
        lp_mistake_at(reader, node, "a fault lasts a while: give a time such as 30s");
}

static void seed_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    struct lp_experiment_step *step = into;
    step->has_seed = lp_parse_number(reader, node, (struct lp_range){0, UINT32_MAX}, &step->seed);
}

static void node_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    ((struct lp_experiment_step *)into)->node = lp_parse_text(reader, node);
}

static void undo_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    lp_parse_argv(reader, node, &((struct lp_experiment_step *)into)->undo);
}

static void timeout_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    ((struct lp_experiment_step *)into)->timeout_ms = lp_experiment_span_take(reader, node);
}

static void background_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    lp_parse_bool(reader, node, &((struct lp_experiment_step *)into)->is_background);
}

static void may_fail_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    lp_parse_bool(reader, node, &((struct lp_experiment_step *)into)->may_fail);
}

static void every_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    ((struct lp_experiment_step *)into)->wait_ms = lp_experiment_span_take(reader, node);
}

static void share_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    uint32_t permille = 0;
    const char *text = lp_parse_text(reader, node);
    size_t bytes = text ? strlen(text) : 0;
    if (!text)
        return;
    bool is_percent = bytes > 1 && text[bytes - 1] == '%';
    const char *number = lp_arena_text_n(reader->arena, text, is_percent ? bytes - 1 : bytes);
    bool is_number = lp_permille_parse(number, &permille);
    permille = is_percent ? permille / 100 : permille;
    if (!is_number || permille == 0 || permille > 1000)
        lp_mistake_at(reader, node, "'%s' is not a share such as 50%% or 0.5", text);
    else
        ((struct lp_experiment_step *)into)->share_permille = permille;
}

static void pick_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    uint64_t count = 0;
    if (lp_parse_number(reader, node, (struct lp_range){1, LP_EXPERIMENT_REPEAT_MAX}, &count))
        ((struct lp_experiment_step *)into)->count = (uint32_t)count;
}

static void do_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    lp_experiment_steps_read(reader, node, &((struct lp_experiment_step *)into)->inner);
}

static void weight_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    uint64_t weight = 1;
    if (lp_parse_number(reader, node, (struct lp_range){1, 1000}, &weight))
        ((struct lp_experiment_step *)into)->weight = (uint32_t)weight;
}

// One choice of a `random`: {weight: 3, do: [...]}.
static void choice_read(struct lp_reader *reader, struct lp_yaml_node *node,
                        struct lp_experiment_step *choice)
{
    static const struct lp_key keys[] = {
        {"name", name_read, 0}, {"weight", weight_read, 0}, {"do", do_read, 0}};
    static const struct lp_schema schema = {"a choice", keys, LP_COUNT(keys), NULL, 0};
    *choice = (struct lp_experiment_step){.kind = LP_EXPERIMENT_REPEAT,
                                          .name = "choice",
                                          .source = lp_experiment_source(reader, node),
                                          .count = 1,
                                          .weight = 1};
    lp_schema_read(reader, &schema, node, choice);
    if (node->kind == LP_YAML_MAPPING && !lp_yaml_find(node, "do"))
        lp_mistake_at(reader, node, "'do' is missing: the steps of this choice");
}

static void choices_read(struct lp_reader *reader, struct lp_yaml_node *node,
                         struct lp_experiment_step *step)
{
    if (!lp_experiment_is_list(reader, node, "choices"))
        return;
    if (node->count == 0) {
        lp_mistake_at(reader, node, "random: [{weight: 3, do: [steps]}, ...]");
        return;
    }
    step->inner.items = lp_arena_new_array(reader->arena, struct lp_experiment_step, node->count);
    step->inner.count = node->count;
    for (size_t i = 0; i < node->count; i++)
        choice_read(reader, node->items[i], &step->inner.items[i]);
}

// wait: 5s, or wait: {load: 20s}
static void wait_read(struct lp_reader *reader, struct lp_yaml_node *node,
                      struct lp_experiment_step *step)
{
    struct lp_yaml_node *span = node;
    if (node->kind == LP_YAML_MAPPING) {
        span = node->count == 1 ? lp_yaml_find(node, "load") : NULL;
        step->is_wait_of_load = true;
    }
    if (span)
        step->wait_ms = lp_experiment_span_take(reader, span);
    else
        lp_mistake_at(reader, node, "wait: TIME, or wait: {load: TIME} since the load began");
}

// scale: {web: 5}
static void scale_read(struct lp_reader *reader, struct lp_yaml_node *node,
                       struct lp_experiment_step *step)
{
    uint64_t count = 0;
    if (node->kind != LP_YAML_MAPPING || node->count != 1) {
        lp_mistake_at(reader, node, "scale: {SERVICE: NUMBER}");
        return;
    }
    if (lp_parse_number(reader, node->items[0], (struct lp_range){0, LP_REPLICAS_MAX}, &count))
        step->replicas = (uint32_t)count;
    step->target = node->keys[0]->text;
}

static void main_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    struct lp_experiment_step *step = into;
    uint64_t count = 1;
    switch (step->kind) {
    case LP_EXPERIMENT_RUN:
        lp_parse_argv(reader, node, &step->argv);
        break;
    case LP_EXPERIMENT_SCALE:
        scale_read(reader, node, step);
        break;
    case LP_EXPERIMENT_WAIT:
        wait_read(reader, node, step);
        break;
    case LP_EXPERIMENT_ASK:
        step->question = lp_parse_text(reader, node);
        break;
    case LP_EXPERIMENT_REPEAT:
        if (lp_parse_number(reader, node, (struct lp_range){1, LP_EXPERIMENT_REPEAT_MAX}, &count))
            step->count = (uint32_t)count;
        break;
    case LP_EXPERIMENT_RANDOM:
        choices_read(reader, node, step);
        break;
    default:
        step->target = lp_parse_text(reader, node);
        break;
    }
}

enum { // keys of a kind, as bits
    K_FAULT = 1,
    K_SELECT = 2,
    K_RUN = 4,
    K_EVERY = 8,
    K_SEED = 16,
    K_SHARE = 32,
    K_PICK = 64,
    K_DO = 128,
    K_TIMEOUT = 256,
};
static const unsigned kind_keys[LP_EXPERIMENT_STEPS] = {
    [LP_EXPERIMENT_BREAK] = K_FAULT | K_SELECT,
    [LP_EXPERIMENT_RUN] = K_RUN | K_TIMEOUT,
    [LP_EXPERIMENT_UP] = K_TIMEOUT,
    [LP_EXPERIMENT_DOWN] = K_TIMEOUT,
    [LP_EXPERIMENT_SWIZZLE] = K_FAULT | K_EVERY | K_SHARE,
    [LP_EXPERIMENT_REPEAT] = K_EVERY | K_DO,
    [LP_EXPERIMENT_RANDOM] = K_EVERY | K_PICK | K_SEED,
};
static const struct {
    struct lp_key key;
    unsigned of; // 0: of every kind
} step_keys[] = {
    {{"name", name_read, 0}, 0},
    {{"background", background_read, 0}, 0},
    {{"may_fail", may_fail_read, 0}, 0},
    {{"fault", fault_read, 0}, K_FAULT},
    {{"for", for_read, 0}, K_FAULT},
    {{"select", select_read, 0}, K_SELECT},
    {{"node", node_read, 0}, K_RUN},
    {{"undo", undo_read, 0}, K_RUN},
    {{"timeout", timeout_read, 0}, K_TIMEOUT},
    {{"every", every_read, 0}, K_EVERY},
    {{"seed", seed_read, 0}, K_SEED},
    {{"of_nodes", share_read, 0}, K_SHARE},
    {{"pick", pick_read, 0}, K_PICK},
    {{"do", do_read, 0}, K_DO},
};

static void options_take(struct lp_reader *reader, struct lp_yaml_node *node,
                         struct lp_experiment_step *step)
{
    step->options.items =
        lp_arena_new_array(reader->arena, struct lp_pair, LP_COUNT(fault_options));
    for (size_t i = 0; i < LP_COUNT(fault_options); i++) {
        struct lp_yaml_node *value = lp_yaml_find(node, fault_options[i]);
        const char *text = value ? lp_parse_text(reader, value) : NULL;
        if (text)
            step->options.items[step->options.count++] = (struct lp_pair){fault_options[i], text};
    }
}

// The fault as the daemon will read it, so that its mistakes are told before anything is touched.
static void fault_check(struct lp_reader *reader, struct lp_yaml_node *node,
                        struct lp_experiment_step *step)
{
    struct lp_fault_spec spec;
    struct lp_err err;
    struct lp_yaml_node *fault = lp_yaml_find(node, "fault");
    options_take(reader, node, step);
    if (!fault) {
        lp_mistake_at(reader, node,
                      "'fault' is missing: kill, cut, delay, ...; `limpet faults "
                      "--kinds` tells what each does");
        return;
    }
    if (step->fault && lp_fault_parse(step->fault, step->duration, &step->options, &spec, &err) < 0)
        lp_mistake_at(reader, fault, "%s", err.text);
    else if (step->fault && step->kind == LP_EXPERIMENT_SWIZZLE && spec.duration_ms == 0)
        lp_mistake_at(reader, fault,
                      "a swizzle restores what it stops: give it a fault that "
                      "lasts, or 'for'");
}

static void whole_check(struct lp_reader *reader, struct lp_yaml_node *node,
                        struct lp_experiment_step *step)
{
    if (kind_keys[step->kind] & K_FAULT)
        fault_check(reader, node, step);
    if (step->kind == LP_EXPERIMENT_RUN && step->argv.count == 0)
        lp_mistake_at(reader, node, "exec: which command?");
    if (step->kind == LP_EXPERIMENT_REPEAT && !step->inner.count)
        lp_mistake_at(reader, node, "'do' is missing: the steps to repeat");
    if (step->kind == LP_EXPERIMENT_RANDOM && step->count == 0)
        step->count = 1;
}

static void defaults_set(struct lp_reader *reader, const struct lp_yaml_node *node,
                         struct lp_experiment_step *step)
{
    const struct lp_yaml_node *value = lp_yaml_find(node, lp_experiment_step_words[step->kind]);
    const struct lp_yaml_node *fault = lp_yaml_find(node, "fault");
    LP_OWNS_STR struct lp_str name = {0};
    bool has_timeout = (kind_keys[step->kind] & K_TIMEOUT) != 0;
    bool is_long = step->kind == LP_EXPERIMENT_UP || step->kind == LP_EXPERIMENT_DOWN;
    *step = (struct lp_experiment_step){
        .kind = step->kind,
        .share_permille = 500,
        .timeout_ms = has_timeout ? LP_EXPERIMENT_STEP_TIMEOUT_MS * (is_long ? 10 : 1) : 0,
        .source = lp_experiment_source(reader, node),
        .line = node->place.line,
        .column = node->place.column};
    lp_str_add(&name, lp_experiment_step_words[step->kind]);
    lp_str_add_char(&name, ' ');
    if (value->kind == LP_YAML_SCALAR)
        lp_str_add(&name, value->value ? value->value : value->text);
    else if (step->kind != LP_EXPERIMENT_RANDOM)
        lp_yaml_print_json(value, &name);
    if (fault && fault->kind == LP_YAML_SCALAR && (kind_keys[step->kind] & K_FAULT))
        lp_str_printf(&name, ": %s", fault->value ? fault->value : fault->text);
    size_t bytes = lp_utf8_valid(lp_str_text(&name), name.bytes < 80 ? name.bytes : 80);
    step->name = lp_arena_text_n(reader->arena, lp_str_text(&name), bytes);
}

static void step_read(struct lp_reader *reader, struct lp_yaml_node *node,
                      struct lp_experiment_step *step)
{
    struct lp_key keys[LP_COUNT(step_keys) + LP_COUNT(fault_options) + 1];
    size_t count = 0;
    *step = (struct lp_experiment_step){.kind = LP_EXPERIMENT_WAIT, .name = "?", .source = "{}"};
    if (!lp_is_mapping(reader, node, "a step"))
        return;
    int kind = lp_experiment_kind_find(reader, node, "a step", lp_experiment_step_words,
                                       LP_EXPERIMENT_REQUEST);
    if (kind < 0)
        return;
    step->kind = (enum lp_experiment_step_kind)kind;
    defaults_set(reader, node, step);
    keys[count++] = (struct lp_key){lp_experiment_step_words[kind], main_read, 0};
    for (size_t i = 0; i < LP_COUNT(step_keys); i++)
        if (!step_keys[i].of || (step_keys[i].of & kind_keys[kind]))
            keys[count++] = step_keys[i].key;
    for (size_t i = 0; (kind_keys[kind] & K_FAULT) && i < LP_COUNT(fault_options); i++)
        keys[count++] = (struct lp_key){fault_options[i], NULL, LP_KEY_IGNORED};
    const struct lp_schema schema = {"a step", keys, count, NULL, 0};
    size_t told = reader->sink.told;
    lp_schema_read(reader, &schema, node, step);
    if (kind == LP_EXPERIMENT_SWIZZLE && lp_yaml_find(node, "seed"))
        seed_read(reader, lp_yaml_find(node, "seed"), step);
    if (reader->sink.told == told)
        whole_check(reader, node, step);
}

void lp_experiment_steps_read(struct lp_reader *reader, struct lp_yaml_node *node,
                              struct lp_experiment_steps *ret_steps)
{
    if (!lp_experiment_is_list(reader, node, "steps"))
        return;
    ret_steps->items =
        lp_arena_new_array(reader->arena, struct lp_experiment_step, node->count + 1);
    ret_steps->count = node->count;
    for (size_t i = 0; i < node->count; i++)
        step_read(reader, node->items[i], &ret_steps->items[i]);
}
