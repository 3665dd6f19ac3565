// Reads experiments of the Chaos Toolkit: JSON or YAML, process and http providers, tolerances,
// pauses, background activities, rollbacks, configuration and secrets.
// Source: Chaos Toolkit, reference/api/experiment.md; chaostoolkit-lib 1.45.0.
#include <string.h>

#include "base/str.h"
#include "model/experiment_parts.h"
#include "model/interpolate.h"

// The toolkit itself waits without a bound; nothing here does.
enum { HTTP_TIMEOUT_MS = 60 * 1000, PROCESS_TIMEOUT_MS = 3600 * 1000 };

static void text_read(struct lp_reader *reader, struct lp_yaml_node *mapping, const char *key,
                      const char **ret_text)
{
    struct lp_yaml_node *node = lp_yaml_find(mapping, key);
    if (node && !lp_yaml_is_null(node))
        *ret_text = lp_parse_text(reader, node);
}

// Seconds, a number; of [connect, read] the sum.
static void seconds_read(struct lp_reader *reader, struct lp_yaml_node *node, uint32_t *ret_ms)
{
    double sum = 0, part = 0;
    size_t count = node->kind == LP_YAML_SEQUENCE ? node->count : 1;
    for (size_t i = 0; i < count; i++) {
        struct lp_yaml_node *item = node->kind == LP_YAML_SEQUENCE ? node->items[i] : node;
        if (!lp_experiment_real_read(reader, item, &part))
            return;
        sum += part;
    }
    if (sum < 0 || sum > 86400)
        lp_mistake_at(reader, node, "a time in seconds, at most a day");
    else if (sum > 0) // none: as if it were not there
        *ret_ms = (uint32_t)(sum * 1000);
}

// Tolerances.
static void values_take(struct lp_reader *reader, struct lp_yaml_node *node,
                        struct lp_tolerance *tolerance)
{
    for (size_t i = 0; i < node->count; i++)
        lp_texts_add(reader->arena, &tolerance->values,
                     lp_experiment_source(reader, node->items[i]));
}

static void range_take(struct lp_reader *reader, struct lp_yaml_node *node,
                       struct lp_tolerance *tolerance)
{
    tolerance->kind = LP_TOLERANCE_RANGE;
    if (node->kind != LP_YAML_SEQUENCE || node->count != 2)
        lp_mistake_at(reader, node, "a range is [lowest, highest]");
    else if (lp_experiment_real_read(reader, node->items[0], &tolerance->least))
        lp_experiment_real_read(reader, node->items[1], &tolerance->most);
}

static void jsonpath_take(struct lp_reader *reader, struct lp_yaml_node *node,
                          struct lp_tolerance *tolerance)
{
    struct lp_yaml_node *expect = lp_yaml_find(node, "expect"),
                        *count = lp_yaml_find(node, "count");
    tolerance->kind = LP_TOLERANCE_JSONPATH;
    text_read(reader, node, "path", &tolerance->pattern);
    if (!tolerance->pattern)
        lp_mistake_at(reader, node, "'path' of the jsonpath is missing");
    if (expect && expect->kind == LP_YAML_SEQUENCE)
        values_take(reader, expect, tolerance);
    else if (expect)
        lp_texts_add(reader->arena, &tolerance->values, lp_experiment_source(reader, expect));
    if (count)
        tolerance->has_count =
            lp_parse_number(reader, count, (struct lp_range){0, UINT32_MAX}, &tolerance->count);
}

// Does it take the output of the probe that it judges? By its name, as its authors have it.
static bool takes_value(const struct lp_yaml_node *node)
{
    const struct lp_yaml_node *provider = lp_yaml_find(node, "provider");
    bool has_provider = provider && provider->kind == LP_YAML_MAPPING;
    const struct lp_yaml_node *arguments =
        has_provider ? lp_yaml_find(provider, "arguments") : NULL;
    return arguments && arguments->kind == LP_YAML_MAPPING;
}

static void object_take(struct lp_reader *reader, struct lp_yaml_node *node,
                        struct lp_tolerance *tolerance)
{
    static const char *const words[] = {"probe", "regex", "jsonpath", "range"};
    struct lp_yaml_node *type = lp_yaml_find(node, "type");
    if (!type) {
        lp_mistake_at(reader, node,
                      "'type' of the tolerance is missing: probe, regex, jsonpath "
                      "or range");
        return;
    }
    int word = lp_parse_word(reader, type, words, LP_COUNT(words));
    text_read(reader, node, "target", &tolerance->target);
    if (word == 0) {
        tolerance->kind = LP_TOLERANCE_PROBE;
        tolerance->probe = lp_arena_new(reader->arena, struct lp_experiment_activity);
        lp_experiment_activity_take(reader, node, tolerance->probe);
        tolerance->probe->takes_value = takes_value(node);
    } else if (word == 1) {
        struct lp_yaml_node *pattern = lp_yaml_find(node, "pattern");
        tolerance->kind = LP_TOLERANCE_REGEX;
        if (pattern)
            tolerance->pattern = lp_experiment_regex_read(reader, pattern);
        else
            lp_mistake_at(reader, node, "'pattern' is missing");
    } else if (word == 2) {
        jsonpath_take(reader, node, tolerance);
    } else if (word == 3) {
        struct lp_yaml_node *range = lp_yaml_find(node, "range");
        if (range)
            range_take(reader, range, tolerance);
        else
            lp_mistake_at(reader, node, "'range' is missing");
    }
}

static struct lp_tolerance *tolerance_read(struct lp_reader *reader, struct lp_yaml_node *node)
{
    struct lp_tolerance *tolerance = lp_arena_new(reader->arena, struct lp_tolerance);
    if (node->kind == LP_YAML_MAPPING) {
        object_take(reader, node, tolerance);
    } else if (node->kind == LP_YAML_SCALAR) {
        lp_texts_add(reader->arena, &tolerance->values, lp_experiment_source(reader, node));
    } else { // both providers have a status: it is one of them, also when there are two
        tolerance->kind = LP_TOLERANCE_ONE_OF;
        values_take(reader, node, tolerance);
    }
    return tolerance;
}

// Providers. What is null or empty is left out.
static void argument_add(struct lp_reader *reader, struct lp_yaml_node *node, struct lp_texts *argv)
{
    const char *text = lp_yaml_is_null(node) ? NULL : lp_parse_text(reader, node);
    if (text && *text)
        lp_texts_add(reader->arena, argv, text);
}

// Arguments in one text are the shell's to split, as its authors have it.
static void process_take(struct lp_reader *reader, struct lp_yaml_node *provider,
                         struct lp_experiment_activity *activity)
{
    struct lp_yaml_node *arguments = lp_yaml_find(provider, "arguments");
    const char *path = NULL;
    text_read(reader, provider, "path", &path);
    if (!path) {
        lp_mistake_at(reader, provider, "'path' of the process is missing");
        return;
    }
    if (arguments && arguments->kind == LP_YAML_SCALAR && !lp_yaml_is_null(arguments)) {
        const char *text = lp_parse_text(reader, arguments);
        lp_texts_add(reader->arena, &activity->argv, "/bin/sh");
        lp_texts_add(reader->arena, &activity->argv, "-c");
        lp_texts_add(reader->arena, &activity->argv,
                     lp_arena_printf(reader->arena, "%s %s", path, text ? text : ""));
        return;
    }
    lp_texts_add(reader->arena, &activity->argv, path);
    for (size_t i = 0; arguments && i < arguments->count; i++) {
        if (arguments->kind == LP_YAML_MAPPING)
            lp_texts_add(reader->arena, &activity->argv, arguments->keys[i]->text);
        argument_add(reader, arguments->items[i], &activity->argv);
    }
}

static const char *upper_of(struct lp_reader *reader, const char *text)
{
    char *upper = lp_arena_text(reader->arena, text);
    for (char *c = upper; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    return upper;
}

static void http_take(struct lp_reader *reader, struct lp_yaml_node *provider,
                      struct lp_experiment_activity *activity)
{
    struct lp_yaml_node *headers = lp_yaml_find(provider, "headers");
    struct lp_yaml_node *arguments = lp_yaml_find(provider, "arguments");
    struct lp_yaml_node *status = lp_yaml_find(provider, "expected_status");
    struct lp_yaml_node *verify_tls = lp_yaml_find(provider, "verify_tls");
    bool is_verified = true;
    uint64_t number = 0;
    activity->is_http = true;
    activity->timeout_ms = HTTP_TIMEOUT_MS;
    activity->method = "GET";
    text_read(reader, provider, "url", &activity->url);
    text_read(reader, provider, "method", &activity->method);
    if (activity->method)
        activity->method = upper_of(reader, activity->method);
    if (verify_tls)
        lp_parse_bool(reader, verify_tls, &is_verified);
    activity->is_tls_unverified = !is_verified;
    if (!activity->url)
        lp_mistake_at(reader, provider, "'url' is missing");
    else if (!lp_text_starts(activity->url, "http://") &&
             !lp_text_starts(activity->url, "https://"))
        lp_mistake_at(reader, lp_yaml_find(provider, "url"), "'%s' is not a URL", activity->url);
    if (headers)
        lp_parse_pairs(reader, headers, &activity->headers);
    if (arguments && !lp_yaml_is_null(arguments))
        activity->body = lp_experiment_source(reader, arguments);
    if (status && lp_parse_number(reader, status, (struct lp_range){100, 599}, &number))
        activity->expected_status = (int)number;
}

void lp_experiment_activity_take(struct lp_reader *reader, struct lp_yaml_node *node,
                                 struct lp_experiment_activity *ret_activity)
{
    static const char *const words[] = {"process", "http"};
    *ret_activity = (struct lp_experiment_activity){.timeout_ms = PROCESS_TIMEOUT_MS};
    if (!lp_is_mapping(reader, node, "an activity"))
        return;
    struct lp_yaml_node *provider = lp_yaml_find(node, "provider");
    struct lp_yaml_node *tolerance = lp_yaml_find(node, "tolerance");
    if (!provider) {
        lp_mistake_at(reader, node, "'provider' is missing");
        return;
    }
    if (!lp_is_mapping(reader, provider, "a provider"))
        return;
    struct lp_yaml_node *type = lp_yaml_find(provider, "type");
    struct lp_yaml_node *timeout = lp_yaml_find(provider, "timeout");
    const char *word = type ? lp_parse_text(reader, type) : NULL;
    if (word && strcmp(word, "python") == 0)
        lp_mistake_at(reader, type,
                      "Limpet runs no Python inside itself: use the process provider "
                      "with path: python3");
    else if (!type)
        lp_mistake_at(reader, provider, "'type' of the provider is missing: process or http");
    else if (word && strcmp(word, "process") == 0)
        process_take(reader, provider, ret_activity);
    else if (word && strcmp(word, "http") == 0)
        http_take(reader, provider, ret_activity);
    else if (word)
        lp_parse_word(reader, type, words, LP_COUNT(words));
    if (timeout && !lp_yaml_is_null(timeout))
        seconds_read(reader, timeout, &ret_activity->timeout_ms);
    if (tolerance)
        ret_activity->tolerance = tolerance_read(reader, tolerance);
}

// Activities.
struct draft {
    struct lp_reader *reader;
    struct lp_yaml_node *root;
};

// {ref: NAME} stands for the activity of that name, wherever it was written.
static struct lp_yaml_node *named_find(struct lp_yaml_node *list, const char *name)
{
    for (size_t i = 0; list && list->kind == LP_YAML_SEQUENCE && i < list->count; i++) {
        struct lp_yaml_node *item = list->items[i];
        const struct lp_yaml_node *own =
            item->kind == LP_YAML_MAPPING ? lp_yaml_find(item, "name") : NULL;
        if (own && own->kind == LP_YAML_SCALAR && strcmp(own->text, name) == 0)
            return item;
    }
    return NULL;
}

static struct lp_yaml_node *ref_follow(const struct draft *draft, struct lp_yaml_node *node)
{
    struct lp_yaml_node *ref = node->kind == LP_YAML_MAPPING ? lp_yaml_find(node, "ref") : NULL;
    const char *name = ref ? lp_parse_text(draft->reader, ref) : NULL;
    if (!name)
        return ref ? NULL : node;
    struct lp_yaml_node *hypothesis = lp_yaml_find(draft->root, "steady-state-hypothesis");
    struct lp_yaml_node *found = named_find(lp_yaml_find(draft->root, "method"), name);
    if (!found && hypothesis && hypothesis->kind == LP_YAML_MAPPING)
        found = named_find(lp_yaml_find(hypothesis, "probes"), name);
    if (!found)
        found = named_find(lp_yaml_find(draft->root, "rollbacks"), name);
    if (!found)
        lp_mistake_at(draft->reader, ref, "there is no activity named '%s'", name);
    return found;
}

static const char *name_of(struct lp_reader *reader, struct lp_yaml_node *node)
{
    const char *name = NULL;
    text_read(reader, node, "name", &name);
    if (!name)
        lp_mistake_at(reader, node, "'name' of the activity is missing");
    return name ? name : "?";
}

static void probe_take(const struct draft *draft, struct lp_yaml_node *node,
                       struct lp_experiment_check *check)
{
    struct lp_reader *reader = draft->reader;
    *check = (struct lp_experiment_check){.kind = LP_EXPERIMENT_TOLERANCE,
                                          .name = "?",
                                          .source = "{}",
                                          .every_ms = LP_EXPERIMENT_EVERY_MS};
    node = ref_follow(draft, node);
    if (!node || !lp_is_mapping(reader, node, "a probe"))
        return;
    check->name = name_of(reader, node);
    check->source = lp_experiment_source(reader, node);
    check->activity = lp_arena_new(reader->arena, struct lp_experiment_activity);
    lp_experiment_activity_take(reader, node, check->activity);
    check->timeout_ms = check->activity->timeout_ms;
    if (!check->activity->tolerance)
        lp_mistake_at(reader, node, "'tolerance' is missing: a probe of the hypothesis has one");
}

static void hypothesis_read(const struct draft *draft, struct lp_yaml_node *node,
                            struct lp_experiment *experiment)
{
    if (lp_yaml_is_null(node) || !lp_is_mapping(draft->reader, node, "the hypothesis"))
        return;
    struct lp_yaml_node *probes = lp_yaml_find(node, "probes");
    if (!probes || !lp_experiment_is_list(draft->reader, probes, "probes"))
        return;
    experiment->steady.items =
        lp_arena_new_array(draft->reader->arena, struct lp_experiment_check, probes->count + 1);
    experiment->steady.count = probes->count;
    for (size_t i = 0; i < probes->count; i++)
        probe_take(draft, probes->items[i], &experiment->steady.items[i]);
}

static void pause_add(struct lp_reader *reader, struct lp_yaml_node *pauses, const char *when,
                      struct lp_experiment_steps *steps)
{
    struct lp_yaml_node *pause =
        pauses && pauses->kind == LP_YAML_MAPPING ? lp_yaml_find(pauses, when) : NULL;
    uint32_t ms = 0;
    if (pause)
        seconds_read(reader, pause, &ms);
    if (ms)
        steps->items[steps->count++] =
            (struct lp_experiment_step){.kind = LP_EXPERIMENT_WAIT,
                                        .name = lp_arena_printf(reader->arena, "pause %s", when),
                                        .source = "{}",
                                        .wait_ms = ms};
}

static void activity_add(const struct draft *draft, struct lp_yaml_node *node,
                         struct lp_experiment_steps *steps)
{
    struct lp_reader *reader = draft->reader;
    node = ref_follow(draft, node);
    if (!node || !lp_is_mapping(reader, node, "an activity"))
        return;
    struct lp_yaml_node *pauses = lp_yaml_find(node, "pauses");
    struct lp_yaml_node *background = lp_yaml_find(node, "background");
    pause_add(reader, pauses, "before", steps);
    struct lp_experiment_step *step = &steps->items[steps->count++];
    *step = (struct lp_experiment_step){
        .kind = LP_EXPERIMENT_REQUEST,
        .name = name_of(reader, node),
        .source = lp_experiment_source(reader, node),
        .activity = lp_arena_new(reader->arena, struct lp_experiment_activity),
        .may_fail = true};
    lp_experiment_activity_take(reader, node, step->activity);
    step->timeout_ms = step->activity->timeout_ms;
    if (background)
        lp_parse_bool(reader, background, &step->is_background);
    pause_add(reader, pauses, "after", steps);
}

static void activities_read(const struct draft *draft, const char *key,
                            enum lp_experiment_stage_kind kind, struct lp_experiment *experiment)
{
    struct lp_reader *reader = draft->reader;
    struct lp_yaml_node *node = lp_yaml_find(draft->root, key);
    struct lp_experiment_stage *stage = &experiment->stages[experiment->stage_count];
    if (!node || lp_yaml_is_null(node) || !lp_experiment_is_list(reader, node, "activities"))
        return;
    *stage = (struct lp_experiment_stage){.kind = kind, .name = key};
    stage->steps.items =
        lp_arena_new_array(reader->arena, struct lp_experiment_step, 3 * node->count + 1);
    for (size_t i = 0; i < node->count; i++)
        activity_add(draft, node->items[i], &stage->steps);
    experiment->stage_count++;
}

// Configuration and secrets.
static void setting_add(struct lp_reader *reader, const char *name, struct lp_yaml_node *value,
                        struct lp_pairs *pairs)
{
    const char *text = NULL, *key = NULL, *type = NULL;
    if (value->kind == LP_YAML_MAPPING) {
        text_read(reader, value, "type", &type);
        text_read(reader, value, "key", &key);
        text_read(reader, value, "default", &text);
        const char *found = type && strcmp(type, "env") == 0 && key
                                ? lp_pairs_find(reader->input->environment, key)
                                : NULL;
        text = found ? found : text;
        if (type && strcmp(type, "env") != 0)
            lp_mistake_at(reader, value, "type: %s: Limpet knows type: env", type);
        else if (!text && key)
            lp_mistake_at(reader, value, "%s is not in the environment", key);
    } else if (value->kind == LP_YAML_SCALAR && !lp_yaml_is_null(value)) {
        text = lp_parse_text(reader, value);
    }
    // What --set and the environment's own ${name} say wins over the file.
    if (text)
        pairs->items[pairs->count++] = (struct lp_pair){name, text};
}

static void settings_add(struct lp_reader *reader, struct lp_yaml_node *node,
                         struct lp_pairs *pairs)
{
    struct lp_pairs grown = {
        lp_arena_new_array(reader->arena, struct lp_pair, pairs->count + node->count + 1), 0};
    for (; grown.count < pairs->count; grown.count++)
        grown.items[grown.count] = pairs->items[grown.count];
    for (size_t i = 0; i < node->count; i++)
        setting_add(reader, node->keys[i]->text, node->items[i], &grown);
    *pairs = grown;
}

static void settings_read(struct lp_reader *reader, struct lp_yaml_node *root,
                          struct lp_pairs *pairs)
{
    struct lp_yaml_node *configuration = lp_yaml_find(root, "configuration");
    struct lp_yaml_node *secrets = lp_yaml_find(root, "secrets");
    if (secrets && secrets->kind == LP_YAML_MAPPING)
        for (size_t i = 0; i < secrets->count; i++)
            if (secrets->items[i]->kind == LP_YAML_MAPPING)
                settings_add(reader, secrets->items[i], pairs);
    if (configuration && configuration->kind == LP_YAML_MAPPING)
        settings_add(reader, configuration, pairs);
}

// Do any of them stand in it? They are Python, and what they add is not done.
static bool has_controls(const struct lp_yaml_node *node)
{
    bool is_any = node->kind == LP_YAML_MAPPING && lp_yaml_find(node, "controls") &&
                  lp_yaml_find(node, "controls")->count;
    for (size_t i = 0; node->kind != LP_YAML_SCALAR && !is_any && i < node->count; i++)
        is_any = has_controls(node->items[i]);
    return is_any;
}

void lp_experiment_chaos_read(struct lp_reader *reader, struct lp_yaml_node *root,
                              struct lp_experiment *ret_experiment)
{
    static const char *const substituted[] = {"title", "description", "steady-state-hypothesis",
                                              "method", "rollbacks"};
    const struct draft draft = {reader, root};
    struct lp_pairs pairs = {0};
    ret_experiment->has_controls = has_controls(root);
    settings_read(reader, root, &pairs);
    const struct lp_experiment_variables variables = {&pairs, true};
    for (size_t i = 0; i < LP_COUNT(substituted); i++)
        if (lp_yaml_find(root, substituted[i]))
            lp_experiment_substitute(reader, lp_yaml_find(root, substituted[i]), &variables);
    text_read(reader, root, "title", &ret_experiment->title);
    text_read(reader, root, "description", &ret_experiment->description);
    if (!ret_experiment->title)
        lp_mistake_at(reader, root, "'title' is missing");
    struct lp_yaml_node *hypothesis = lp_yaml_find(root, "steady-state-hypothesis");
    ret_experiment->steady_for_ms = 0;
    ret_experiment->steady_within_ms = 0;
    if (hypothesis)
        hypothesis_read(&draft, hypothesis, ret_experiment);
    ret_experiment->stages = lp_arena_new_array(reader->arena, struct lp_experiment_stage, 2);
    if (!lp_yaml_find(root, "method"))
        lp_mistake_at(reader, root, "'method' is missing");
    activities_read(&draft, "method", LP_EXPERIMENT_BREAKING, ret_experiment);
    activities_read(&draft, "rollbacks", LP_EXPERIMENT_CLEANUP, ret_experiment);
}
