// Reads the checks of an experiment.
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/experiment_parts.h"
#include "model/load_parts.h"

const char *const lp_experiment_check_words[LP_EXPERIMENT_CHECKS] = {
    [LP_EXPERIMENT_HTTP] = "http",           [LP_EXPERIMENT_TCP] = "tcp",
    [LP_EXPERIMENT_PING] = "ping",           [LP_EXPERIMENT_EXEC] = "exec",
    [LP_EXPERIMENT_NODE] = "node",           [LP_EXPERIMENT_LOG] = "log",
    [LP_EXPERIMENT_METRIC] = "metric",       [LP_EXPERIMENT_PROMQL] = "promql",
    [LP_EXPERIMENT_TOLERANCE] = "tolerance",
};

const char *lp_experiment_regex_read(struct lp_reader *reader, struct lp_yaml_node *node)
{
    regex_t regex;
    char why[200];
    const char *text = lp_parse_text(reader, node);
    if (!text)
        return NULL;
    // The C library's compiler needs memory beyond all measure for nested bounds.
    int code =
        strlen(text) > 1000 || strchr(text, '{') ? REG_BADBR : regcomp(&regex, text, REG_EXTENDED);
    if (code == 0) {
        regfree(&regex);
        return text;
    }
    regerror(code, NULL, why, sizeof(why));
    lp_mistake_at(reader, node, "'%.200s': %s", text,
                  code == REG_BADBR ? "at most 1000 bytes, and no {bounds}" : why);
    return NULL;
}

bool lp_experiment_real_read(struct lp_reader *reader, struct lp_yaml_node *node,
                             double *ret_number)
{
    char *end;
    const char *text = lp_parse_text(reader, node);
    if (!text)
        return false;
    double number = strtod(text, &end);
    if (end == text || *end || !(number > -1e300 && number < 1e300)) {
        lp_mistake_at(reader, node, "'%s' is not a number", text);
        return false;
    }
    *ret_number = number;
    return true;
}

static void within_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    ((struct lp_experiment_check *)into)->within_ms = lp_experiment_span_take(reader, node);
}

static void for_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    ((struct lp_experiment_check *)into)->for_ms = lp_experiment_span_take(reader, node);
}

static void every_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    uint32_t ms = lp_experiment_span_take(reader, node);
    if (ms < 10)
        lp_mistake_at(reader, node, "a check is read at most every 10ms");
    else
        ((struct lp_experiment_check *)into)->every_ms = ms;
}

static void timeout_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    uint32_t ms = lp_experiment_span_take(reader, node);
    if (ms == 0)
        lp_mistake_at(reader, node, "nothing answers in no time");
    else
        ((struct lp_experiment_check *)into)->timeout_ms = ms;
}

static void until_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    static const char *const words[] = {"faults-end", "load-end"};
    int word = lp_parse_word(reader, node, words, LP_COUNT(words));
    if (word >= 0)
        ((struct lp_experiment_check *)into)->until =
            word == 0 ? LP_EXPERIMENT_FAULTS_END : LP_EXPERIMENT_LOAD_END;
}

static void expect_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    static const char *const words[] = {"pass", "fail"};
    ((struct lp_experiment_check *)into)->is_failure_expected =
        lp_parse_word(reader, node, words, LP_COUNT(words)) == 1;
}

static void name_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    const char *name = lp_parse_text(reader, node);
    if (name)
        ((struct lp_experiment_check *)into)->name = name;
}

#define TEXT_READER(field)                                                                    \
    static void field##_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into) \
    {                                                                                         \
        ((struct lp_experiment_check *)into)->field = lp_parse_text(reader, node);            \
    }
TEXT_READER(service)
TEXT_READER(node)
TEXT_READER(method)
TEXT_READER(body)
TEXT_READER(contains)
TEXT_READER(is)

static void path_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    const char *path = lp_parse_text(reader, node);
    if (path && path[0] != '/')
        lp_mistake_at(reader, node, "'%s': a path begins with /", path);
    ((struct lp_experiment_check *)into)->path = path;
}

static void port_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    uint64_t port = 0;
    if (lp_parse_number(reader, node, (struct lp_range){1, 65535}, &port))
        ((struct lp_experiment_check *)into)->port = (uint16_t)port;
}

static void headers_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    lp_parse_pairs(reader, node, &((struct lp_experiment_check *)into)->headers);
}

static void status_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    struct lp_experiment_check *check = into;
    lp_load_statuses_parse(reader, node, check->statuses, &check->status_count);
}

static void regex_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    ((struct lp_experiment_check *)into)->regex = lp_experiment_regex_read(reader, node);
}

static void json_path_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    ((struct lp_experiment_check *)into)->json_path = lp_parse_text(reader, node);
}

static void json_equals_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    ((struct lp_experiment_check *)into)->json_equals = lp_experiment_source(reader, node);
}

// json: status.ok, or {path: status.ok, equals: true}
static void json_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    static const struct lp_key keys[] = {{"path", json_path_read, 0},
                                         {"equals", json_equals_read, 0}};
    static const struct lp_schema schema = {"json", keys, LP_COUNT(keys), NULL, 0};
    if (node->kind == LP_YAML_MAPPING)
        lp_schema_read(reader, &schema, node, into);
    else
        json_path_read(reader, node, into);
    if (node->kind == LP_YAML_MAPPING && !lp_yaml_find(node, "path"))
        lp_mistake_at(reader, node, "'path' is missing: where in the JSON to look");
}

static void latency_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    ((struct lp_experiment_check *)into)->latency_ms = lp_experiment_span_take(reader, node);
}

static void exit_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    uint64_t code = 0;
    if (lp_parse_number(reader, node, (struct lp_range){0, 255}, &code))
        ((struct lp_experiment_check *)into)->exit_code = (int)code;
}

static void least_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    struct lp_experiment_check *check = into;
    check->has_least = lp_experiment_real_read(reader, node, &check->least);
}

static void most_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    struct lp_experiment_check *check = into;
    check->has_most = lp_experiment_real_read(reader, node, &check->most);
}

static void equals_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    struct lp_experiment_check *check = into;
    least_read(reader, node, into);
    check->has_most = check->has_least;
    check->most = check->least;
}

static void url_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    const char *url = lp_parse_text(reader, node);
    if (url && !lp_text_starts(url, "http://") && !lp_text_starts(url, "https://"))
        lp_mistake_at(reader, node, "'%s': a URL is written http://127.0.0.1:8080/path", url);
    ((struct lp_experiment_check *)into)->url = url;
}

// What stands behind the word of the kind, written short.
static void target_read(struct lp_reader *reader, struct lp_yaml_node *node, void *into)
{
    struct lp_experiment_check *check = into;
    const char *text;
    if (check->kind == LP_EXPERIMENT_HTTP) {
        if (node->kind == LP_YAML_SCALAR)
            url_read(reader, node, into);
        return;
    }
    if (check->kind == LP_EXPERIMENT_EXEC) {
        lp_parse_argv(reader, node, &check->argv);
        return;
    }
    if (check->kind == LP_EXPERIMENT_TCP && node->kind == LP_YAML_MAPPING)
        return; // its keys are read as those beside it are
    text = lp_parse_text(reader, node);
    if (check->kind == LP_EXPERIMENT_NODE || check->kind == LP_EXPERIMENT_LOG)
        check->node = text;
    else if (check->kind == LP_EXPERIMENT_METRIC)
        check->metric = text;
    else if (check->kind == LP_EXPERIMENT_PROMQL)
        check->query = text;
    else if (check->kind == LP_EXPERIMENT_TCP || check->kind == LP_EXPERIMENT_PING)
        check->host = text;
}

enum { // keys of a kind, as bits
    K_WHERE = 1,
    K_HTTP = 2,
    K_OUTPUT = 4, // contains, regex
    K_EXEC = 8,
    K_IS = 16,
    K_NUMBER = 32,
    K_URL = 64,
};
static const unsigned kind_keys[LP_EXPERIMENT_CHECKS] = {
    [LP_EXPERIMENT_HTTP] = K_WHERE | K_HTTP | K_OUTPUT | K_URL,
    [LP_EXPERIMENT_TCP] = K_WHERE,
    [LP_EXPERIMENT_PING] = 0,
    [LP_EXPERIMENT_EXEC] = K_EXEC | K_OUTPUT,
    [LP_EXPERIMENT_NODE] = K_IS,
    [LP_EXPERIMENT_LOG] = K_OUTPUT,
    [LP_EXPERIMENT_METRIC] = K_NUMBER | K_URL | K_WHERE,
    [LP_EXPERIMENT_PROMQL] = K_NUMBER | K_URL | K_WHERE,
};
static const struct {
    struct lp_key key;
    unsigned of; // 0: of every kind
} check_keys[] = {
    {{"name", name_read, 0}, 0},
    {{"within", within_read, 0}, 0},
    {{"for", for_read, 0}, 0},
    {{"every", every_read, 0}, 0},
    {{"timeout", timeout_read, 0}, 0},
    {{"until", until_read, 0}, 0},
    {{"expect", expect_read, 0}, 0},
    {{"url", url_read, 0}, K_URL},
    {{"service", service_read, 0}, K_WHERE},
    {{"node", node_read, 0}, K_WHERE | K_EXEC},
    {{"port", port_read, 0}, K_WHERE},
    {{"path", path_read, 0}, K_HTTP},
    {{"method", method_read, 0}, K_HTTP},
    {{"headers", headers_read, 0}, K_HTTP},
    {{"body", body_read, 0}, K_HTTP},
    {{"status", status_read, 0}, K_HTTP},
    {{"json", json_read, 0}, K_HTTP},
    {{"latency", latency_read, 0}, K_HTTP},
    {{"contains", contains_read, 0}, K_OUTPUT},
    {{"regex", regex_read, 0}, K_OUTPUT},
    {{"exit", exit_read, 0}, K_EXEC},
    {{"is", is_read, 0}, K_IS},
    {{"least", least_read, 0}, K_NUMBER},
    {{"most", most_read, 0}, K_NUMBER},
    {{"equals", equals_read, 0}, K_NUMBER},
};

// What only the whole check shows to be wrong.
static void whole_check(struct lp_reader *reader, const struct lp_yaml_node *node,
                        struct lp_experiment_check *check)
{
    int places = (check->url != NULL) + (check->service != NULL) + (check->node != NULL) +
                 (check->host != NULL);
    switch (check->kind) {
    case LP_EXPERIMENT_HTTP:
        if (places != 1)
            lp_mistake_at(reader, node,
                          "say where: one of a URL, 'service' (the port it publishes) and 'node'");
        if (check->url && (check->path || check->port))
            lp_mistake_at(reader, node, "path and port stand in the URL");
        break;
    case LP_EXPERIMENT_TCP:
        if (places != 1 || ((check->host || check->node) && !check->port))
            lp_mistake_at(reader, node, "say where: an address, 'node' or 'service', and a 'port'");
        break;
    case LP_EXPERIMENT_LOG:
        if (!check->contains && !check->regex)
            lp_mistake_at(reader, node, "say what to look for: 'contains' or 'regex'");
        break;
    case LP_EXPERIMENT_METRIC:
    case LP_EXPERIMENT_PROMQL:
        if (!check->has_least && !check->has_most)
            lp_mistake_at(reader, node, "say what is good: 'least', 'most' or 'equals'");
        if (check->kind == LP_EXPERIMENT_PROMQL && !check->url)
            lp_mistake_at(reader, node, "'url' of the Prometheus is missing");
        if (check->kind == LP_EXPERIMENT_METRIC && !check->url && !check->service)
            lp_mistake_at(reader, node, "say whose: 'service', or the 'url' of a page");
        break;
    default:
        break;
    }
    if (check->until != LP_EXPERIMENT_FOR && check->for_ms)
        lp_mistake_at(reader, node, "either 'until' or 'for'");
    if (check->kind == LP_EXPERIMENT_NODE && !check->is)
        check->is = "healthy";
}

static void defaults_set(struct lp_reader *reader, const struct lp_yaml_node *node,
                         struct lp_experiment_check *check)
{
    const struct lp_yaml_node *value = lp_yaml_find(node, lp_experiment_check_words[check->kind]);
    LP_OWNS_STR struct lp_str name = {0};
    *check = (struct lp_experiment_check){.kind = check->kind,
                                          .every_ms = LP_EXPERIMENT_EVERY_MS,
                                          .timeout_ms = LP_EXPERIMENT_TIMEOUT_MS,
                                          .statuses = {{200, 399}},
                                          .status_count = 1,
                                          .source = lp_experiment_source(reader, node),
                                          .line = node->place.line,
                                          .column = node->place.column};
    lp_str_add(&name, lp_experiment_check_words[check->kind]);
    lp_str_add_char(&name, ' ');
    if (value && value->kind == LP_YAML_SCALAR)
        lp_str_add(&name, value->value ? value->value : value->text);
    else if (value)
        lp_yaml_print_json(value, &name);
    size_t bytes = lp_utf8_valid(lp_str_text(&name), name.bytes < 80 ? name.bytes : 80);
    check->name = lp_arena_text_n(reader->arena, lp_str_text(&name), bytes);
}

void lp_experiment_check_take(struct lp_reader *reader, struct lp_yaml_node *node,
                              struct lp_experiment_check *ret_check)
{
    struct lp_key keys[LP_COUNT(check_keys) + 1];
    size_t count = 0, last = LP_EXPERIMENT_TOLERANCE;
    *ret_check = (struct lp_experiment_check){.name = "?", .source = "{}"};
    if (!lp_is_mapping(reader, node, "a check"))
        return;
    // `node: web-1` is a check of its own, and where the other kinds look.
    bool has_other = false;
    for (size_t i = 0; i < last; i++)
        has_other = has_other ||
                    (i != LP_EXPERIMENT_NODE && lp_yaml_find(node, lp_experiment_check_words[i]));
    int kind = LP_EXPERIMENT_NODE;
    if (has_other || !lp_yaml_find(node, "node")) {
        const char *words[LP_EXPERIMENT_CHECKS];
        for (size_t i = 0; i < last; i++)
            words[i] = i == LP_EXPERIMENT_NODE && has_other ? "" : lp_experiment_check_words[i];
        kind = lp_experiment_kind_find(reader, node, "a check", words, last);
    }
    if (kind < 0)
        return;
    ret_check->kind = (enum lp_experiment_check_kind)kind;
    defaults_set(reader, node, ret_check);
    keys[count++] = (struct lp_key){lp_experiment_check_words[kind], target_read, 0};
    for (size_t i = 0; i < LP_COUNT(check_keys); i++)
        if ((!check_keys[i].of || (check_keys[i].of & kind_keys[kind])) &&
            strcmp(check_keys[i].key.name, keys[0].name) != 0)
            keys[count++] = check_keys[i].key;
    const struct lp_schema schema = {"a check", keys, count, NULL, 0};
    size_t told = reader->sink.told;
    lp_schema_read(reader, &schema, node, ret_check);
    // http: {url: ..., status: ...} and tcp: {node: ...} are the same as their keys beside it.
    struct lp_yaml_node *inner = lp_yaml_find(node, lp_experiment_check_words[kind]);
    if (inner->kind == LP_YAML_MAPPING &&
        (kind == LP_EXPERIMENT_HTTP || kind == LP_EXPERIMENT_TCP)) {
        const struct lp_schema inside = {lp_experiment_check_words[kind], keys + 1, count - 1, NULL,
                                         0};
        lp_schema_read(reader, &inside, inner, ret_check);
    }
    if (reader->sink.told == told)
        whole_check(reader, node, ret_check);
}

void lp_experiment_checks_read(struct lp_reader *reader, struct lp_yaml_node *node,
                               struct lp_experiment_checks *ret_checks)
{
    if (!lp_experiment_is_list(reader, node, "checks"))
        return;
    ret_checks->items =
        lp_arena_new_array(reader->arena, struct lp_experiment_check, node->count + 1);
    ret_checks->count = node->count;
    for (size_t i = 0; i < node->count; i++)
        lp_experiment_check_take(reader, node->items[i], &ret_checks->items[i]);
}
