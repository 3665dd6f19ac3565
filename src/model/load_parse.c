// Reads a load from YAML: `load:` of an experiment, a file of its own, or the command line's words.
#include <string.h>

#include "base/str.h"
#include "model/duration.h"
#include "model/load_parts.h"

enum {
    TIMEOUT_MS = 10 * 1000,
    DELAYED_AFTER_MS = 1000,
    CONNECTIONS = 256,
    OUTSTANDING = 10000,
    OUTSTANDING_MAX = 1000 * 1000,
    RATE_PERMILLE_MAX = 1000 * 1000 * 1000,
};

static bool rate_parse(struct lp_reader *reader, struct lp_yaml_node *node, uint32_t *ret_permille)
{
    const char *text = lp_parse_text(reader, node);
    if (!text)
        return false;
    if (lp_permille_parse(text, ret_permille) && *ret_permille <= RATE_PERMILLE_MAX)
        return true;
    lp_mistake_at(reader, node, "'%s' is not a rate in requests a second, such as 200 or 0.5",
                  text);
    return false;
}

// The keys of the profiles, and whose they are.
static const struct {
    const char *key;
    enum lp_load_profile profile;
} profile_keys[] = {{"rate", LP_LOAD_CONSTANT}, {"for", LP_LOAD_CONSTANT},
                    {"peak", LP_LOAD_PYRAMID},  {"up", LP_LOAD_PYRAMID},
                    {"hold", LP_LOAD_PYRAMID},  {"down", LP_LOAD_PYRAMID},
                    {"steps", LP_LOAD_STEPS}};

static const char *const profile_words[LP_LOAD_PROFILES] = {"constant", "pyramid", "steps"};

// What is not said follows from the keys that are there.
static bool profile_choose(struct lp_reader *reader, struct lp_yaml_node *node,
                           enum lp_load_profile *ret_profile)
{
    struct lp_yaml_node *word = lp_yaml_find(node, "profile");
    int chosen = word ? lp_parse_word(reader, word, profile_words, LP_LOAD_PROFILES)
                 : lp_yaml_find(node, "peak")  ? LP_LOAD_PYRAMID
                 : lp_yaml_find(node, "steps") ? LP_LOAD_STEPS
                                               : LP_LOAD_CONSTANT;
    bool is_good = chosen >= 0;
    if (is_good)
        *ret_profile = (enum lp_load_profile)chosen;
    for (size_t i = 0; chosen >= 0 && i < LP_COUNT(profile_keys); i++) {
        const char *key = profile_keys[i].key;
        const struct lp_yaml_node *value = lp_yaml_find(node, key);
        bool is_wanted = profile_keys[i].profile == *ret_profile;
        if (is_wanted && !value)
            lp_mistake_at(reader, node, "'%s' is missing: the profile %s needs it", key,
                          profile_words[chosen]);
        if (!is_wanted && value)
            lp_mistake_at(reader, value, "the profile %s has no '%s'", profile_words[chosen], key);
        is_good = is_good && is_wanted == (value != NULL);
    }
    return is_good;
}

static void step_read(struct lp_reader *reader, struct lp_yaml_node *node,
                      struct lp_load_stage *stage)
{
    static const struct lp_key keys[] = {{"rate", NULL, LP_KEY_IGNORED},
                                         {"to", NULL, LP_KEY_IGNORED},
                                         {"for", NULL, LP_KEY_IGNORED}};
    const struct lp_schema schema = {"a step", keys, LP_COUNT(keys), NULL, 0};
    lp_schema_read(reader, &schema, node, NULL);
    if (node->kind != LP_YAML_MAPPING)
        return;
    struct lp_yaml_node *rate = lp_yaml_find(node, "rate"), *to = lp_yaml_find(node, "to"),
                        *span = lp_yaml_find(node, "for");
    if (!rate || !span) {
        lp_mistake_at(reader, node,
                      "a step has a 'rate', at will another one 'to' which it goes, "
                      "and 'for' how long");
        return;
    }
    if (rate_parse(reader, rate, &stage->from_permille))
        stage->to_permille = stage->from_permille;
    if (to)
        rate_parse(reader, to, &stage->to_permille);
    lp_load_span_parse(reader, span, &stage->for_ms);
}

static void steps_read(struct lp_reader *reader, struct lp_yaml_node *node, struct lp_load *load)
{
    if (!lp_is_sequence(reader, node, "steps"))
        return;
    if (node->count == 0 || node->count > LP_LOAD_STAGES_MAX) {
        lp_mistake_at(reader, node, "%zu steps; from 1 to %d of them", node->count,
                      LP_LOAD_STAGES_MAX);
        return;
    }
    load->stages = lp_arena_new_array(reader->arena, struct lp_load_stage, node->count);
    for (size_t i = 0; i < node->count; i++)
        step_read(reader, node->items[i], &load->stages[load->stage_count++]);
}

static void constant_read(struct lp_reader *reader, const struct lp_yaml_node *node,
                          struct lp_load *load)
{
    struct lp_load_stage *stage = lp_arena_new(reader->arena, struct lp_load_stage);
    if (rate_parse(reader, lp_yaml_find(node, "rate"), &stage->from_permille))
        stage->to_permille = stage->from_permille;
    lp_load_span_parse(reader, lp_yaml_find(node, "for"), &stage->for_ms);
    load->stages = stage;
    load->stage_count = 1;
}

static void pyramid_read(struct lp_reader *reader, const struct lp_yaml_node *node,
                         struct lp_load *load)
{
    struct lp_load_stage *stages = lp_arena_new_array(reader->arena, struct lp_load_stage, 3);
    uint32_t peak = 0;
    rate_parse(reader, lp_yaml_find(node, "peak"), &peak);
    stages[0].to_permille = stages[1].from_permille = peak;
    stages[1].to_permille = stages[2].from_permille = peak;
    lp_load_span_parse(reader, lp_yaml_find(node, "up"), &stages[0].for_ms);
    lp_load_span_parse(reader, lp_yaml_find(node, "hold"), &stages[1].for_ms);
    lp_load_span_parse(reader, lp_yaml_find(node, "down"), &stages[2].for_ms);
    load->stages = stages;
    load->stage_count = 3;
}

static void profile_read(struct lp_reader *reader, struct lp_yaml_node *node, struct lp_load *load)
{
    size_t told = reader->sink.told;
    if (!profile_choose(reader, node, &load->profile))
        return;
    if (load->profile == LP_LOAD_STEPS)
        steps_read(reader, lp_yaml_find(node, "steps"), load);
    else if (load->profile == LP_LOAD_PYRAMID)
        pyramid_read(reader, node, load);
    else
        constant_read(reader, node, load);
    if (reader->sink.told != told)
        return;
    uint64_t total = lp_load_total(load);
    if (total == 0)
        lp_mistake_at(reader, node, "no request at all: the rate or the time is 0");
    else if (total > LP_LOAD_ARRIVALS_MAX)
        lp_mistake_at(reader, node, "%llu requests; at most %d", (unsigned long long)total,
                      LP_LOAD_ARRIVALS_MAX);
}

static void timeout_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    uint32_t *timeout_ms = &((struct lp_load_draft *)into)->load->timeout_ms;
    if (lp_load_span_parse(reader, node, timeout_ms) && *timeout_ms == 0)
        lp_mistake_at(reader, node, "nothing is answered in no time");
}

static void delayed_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    lp_load_span_parse(reader, node, &((struct lp_load_draft *)into)->load->delayed_after_ms);
}

static void connections_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    uint64_t count = CONNECTIONS;
    if (lp_parse_number(reader, node, (struct lp_range){1, LP_LOAD_CONNECTIONS_MAX}, &count))
        ((struct lp_load_draft *)into)->load->connections = (uint32_t)count;
}

static void outstanding_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    uint64_t count = OUTSTANDING;
    if (lp_parse_number(reader, node, (struct lp_range){1, OUTSTANDING_MAX}, &count))
        ((struct lp_load_draft *)into)->load->outstanding = (uint32_t)count;
}

static void keep_alive_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    lp_parse_bool(reader, node, &((struct lp_load_draft *)into)->load->is_keep_alive);
}

static const struct lp_key load_keys[] = {
    {"requests", lp_load_requests_read, 0}, {"timeout", timeout_read, 0},
    {"delayed_after", delayed_read, 0},     {"connections", connections_read, 0},
    {"outstanding", outstanding_read, 0},   {"keep_alive", keep_alive_read, 0},
    {"profile", NULL, LP_KEY_IGNORED},      {"rate", NULL, LP_KEY_IGNORED}, // profile_read's
    {"for", NULL, LP_KEY_IGNORED},          {"peak", NULL, LP_KEY_IGNORED},
    {"up", NULL, LP_KEY_IGNORED},           {"hold", NULL, LP_KEY_IGNORED},
    {"down", NULL, LP_KEY_IGNORED},         {"steps", NULL, LP_KEY_IGNORED},
};

void lp_parse_load(struct lp_reader *reader, struct lp_yaml_node *node, struct lp_load *ret_load)
{
    struct lp_load_request *request = lp_arena_new(reader->arena, struct lp_load_request);
    struct lp_load_draft draft = {.load = ret_load};
    struct lp_key keys[LP_COUNT(load_keys) + 16];
    size_t own = lp_load_request_key_count - 1, count = LP_COUNT(load_keys);
    lp_assert(own <= 16);
    *ret_load = (struct lp_load){.timeout_ms = TIMEOUT_MS,
                                 .delayed_after_ms = DELAYED_AFTER_MS,
                                 .connections = CONNECTIONS,
                                 .outstanding = OUTSTANDING,
                                 .is_keep_alive = true};
    if (!lp_is_mapping(reader, node, "a load"))
        return;
    bool has_list = lp_yaml_find(node, "requests") != NULL;
    memcpy(keys, load_keys, sizeof(load_keys));
    for (size_t i = 0; i < own; i++) {
        const struct lp_yaml_node *value = lp_yaml_find(node, lp_load_request_keys[i].name);
        keys[count++] = lp_load_request_keys[i];
        if (has_list && value)
            lp_mistake_at(reader, value, "'%s' belongs to each of the requests, not beside them",
                          lp_load_request_keys[i].name);
    }
    lp_load_request_begin(&draft, request);
    const struct lp_schema schema = {"a load", keys, count, NULL, 0};
    lp_schema_read(reader, &schema, node, &draft);
    if (!has_list) {
        lp_load_request_end(reader, node, request);
        ret_load->requests = request;
        ret_load->request_count = 1;
    }
    profile_read(reader, node, ret_load);
}

int lp_load_read(const char *path, const struct lp_str *text, struct lp_arena *arena,
                 struct lp_mistakes *ret_mistakes, struct lp_load *ret_load, struct lp_err *err)
{
    const struct lp_parse_input input = {
        .path = path, .text = lp_str_text(text), .bytes = text->bytes, .is_canonical = true};
    struct lp_reader reader = {
        .input = &input,
        .sink = {.mistakes = ret_mistakes, .arena = arena, .file = path},
        .arena = arena,
        .folder = "/",
    };
    ret_mistakes->count = 0;
    struct lp_yaml_node *root = lp_yaml_parse(input.text, input.bytes, &reader.sink);
    if (root) {
        struct lp_yaml_node *inner =
            root->kind == LP_YAML_MAPPING && root->count == 1 ? lp_yaml_find(root, "load") : NULL;
        lp_parse_load(&reader, inner ? inner : root, ret_load);
    }
    if (!ret_mistakes->count)
        return 0;
    lp_mistakes_sort(ret_mistakes, path);
    const struct lp_mistake *first = &ret_mistakes->items[0];
    return lp_err_set(err, LP_EINPUT, "%s:%d:%d: %s", first->file, first->line, first->column,
                      first->text);
}
