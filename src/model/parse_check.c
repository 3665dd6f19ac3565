// Reads health checks and readiness checks.
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/parse_service.h"

// Compose's defaults for a health check; quicker ones for readiness, which somebody waits for.
enum {
    HEALTH_INTERVAL_MS = 30 * 1000,
    HEALTH_TIMEOUT_MS = 30 * 1000,
    START_INTERVAL_MS = 5 * 1000,
    READINESS_INTERVAL_MS = 500,
    READINESS_TIMEOUT_MS = 5 * 1000,
    RETRIES = 3,
};

struct check_draft {
    struct lp_check check;
    bool is_disabled, has_test;
};

// http://HOST[:PORT][/PATH], where HOST is localhost (the node) or an IPv4 address. NULL, or what
// is wrong with it.
static const char *url_fault(const char *url)
{
    char host[INET_ADDRSTRLEN] = {0}, *end;
    struct in_addr address;
    if (lp_text_starts(url, "https://"))
        return "a check speaks http, not https";
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return "a URL holds no blanks";
    size_t bytes = lp_text_starts(url, "http://") ? strcspn(url + 7, ":/?#") : 0;
    if (!bytes)
        return "a URL is written http://localhost:8080/health";
    if (bytes < sizeof(host))
        memcpy(host, url + 7, bytes);
    if (strcmp(host, "localhost") != 0 && inet_pton(AF_INET, host, &address) != 1)
        return "the host must be localhost, which is the node, or an IPv4 address";
    const char *rest = url + 7 + bytes;
    if (*rest != ':')
        return NULL;
    unsigned long port = isdigit((unsigned char)rest[1]) ? strtoul(rest + 1, &end, 10) : 0;
    return port < 1 || port > 65535 || !strchr("/?", *end) ? "its port is not within 1 to 65535"
                                                           : NULL;
}

static void url_read(struct lp_reader *reader, struct lp_yaml_node *node, struct lp_check *check)
{
    const char *url = lp_parse_text(reader, node);
    const char *fault = url ? url_fault(url) : NULL;
    if (fault)
        lp_mistake_at(reader, node, "'%s': %s", url, fault);
    check->url = url;
}

static void port_read(struct lp_reader *reader, struct lp_yaml_node *node, struct lp_check *check)
{
    uint64_t port = 0;
    if (lp_parse_number(reader, node, (struct lp_range){1, 65535}, &port))
        check->port = (uint16_t)port;
}

static void command_read(struct lp_reader *reader, struct lp_yaml_node *node,
                         struct lp_check *check)
{
    struct lp_texts all;
    if (!lp_parse_texts(reader, node, &all))
        return;
    check->argv = (struct lp_texts){all.items + 1, all.count - 1};
}

static void shell_set(struct lp_reader *reader, const char *text, struct lp_check *check)
{
    check->kind = LP_CHECK_COMMAND;
    check->argv = (struct lp_texts){0};
    lp_texts_add(reader->arena, &check->argv, "/bin/sh");
    lp_texts_add(reader->arena, &check->argv, "-c");
    lp_texts_add(reader->arena, &check->argv, text);
}

static void shell_read(struct lp_reader *reader, struct lp_yaml_node *node, struct lp_check *check)
{
    const char *text = lp_parse_text(reader, node);
    if (text)
        shell_set(reader, text, check);
}

static const struct check_form {
    const char *word;
    enum lp_check_kind kind;
    size_t least, most; // items after the word
    void (*read)(struct lp_reader *reader, struct lp_yaml_node *node, struct lp_check *check);
    const char *shape;
} forms[] = {
    {"NONE", LP_CHECK_NONE, 0, 0, NULL, "[NONE]"},
    {"CMD", LP_CHECK_COMMAND, 1, SIZE_MAX, NULL, "[CMD, program, argument, ...]"},
    {"CMD-SHELL", LP_CHECK_COMMAND, 1, 1, shell_read, "[CMD-SHELL, command line]"},
    {"HTTP", LP_CHECK_HTTP, 1, 1, url_read, "[HTTP, http://localhost:8080/health]"},
    {"TCP", LP_CHECK_TCP, 1, 1, port_read, "[TCP, 5432]"},
    {"PING", LP_CHECK_PING, 0, 0, NULL, "[PING]"},
};

static void form_read(struct lp_reader *reader, struct lp_yaml_node *value, struct lp_check *check)
{
    const char *word = value->count ? lp_parse_text(reader, value->items[0]) : NULL;
    if (!word) {
        if (!value->count)
            lp_mistake_at(reader, value, "an empty test");
        return;
    }
    const char *words[LP_COUNT(forms)];
    for (size_t i = 0; i < LP_COUNT(forms); i++) {
        const struct check_form *form = &forms[i];
        words[i] = form->word;
        if (strcmp(form->word, word) != 0)
            continue;
        if (value->count - 1 < form->least || value->count - 1 > form->most) {
            lp_mistake_at(reader, value, "this test is written %s", form->shape);
            return;
        }
        check->kind = form->kind;
        if (form->read)
            form->read(reader, value->items[1], check);
        else if (form->kind == LP_CHECK_COMMAND)
            command_read(reader, value, check);
        return;
    }
    lp_mistake_at(reader, value->items[0],
                  "'%s' is not a kind of test: NONE, CMD, CMD-SHELL, HTTP, TCP or PING%s", word,
                  lp_hint_nearest(reader, word, words, LP_COUNT(words)));
}

static void test_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct check_draft *draft = into;
    draft->has_test = true;
    if (value->kind == LP_YAML_SEQUENCE) {
        form_read(reader, value, &draft->check);
        return;
    }
    const char *text = lp_parse_text(reader, value);
    if (text && strcmp(text, "NONE") != 0)
        shell_set(reader, text, &draft->check);
}

static void interval_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct check_draft *draft = into;
    if (lp_parse_duration(reader, value, &draft->check.interval_ms) && !draft->check.interval_ms)
        lp_mistake_at(reader, value, "the interval must be longer than nothing");
}

static void timeout_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct check_draft *draft = into;
    if (lp_parse_duration(reader, value, &draft->check.timeout_ms) && !draft->check.timeout_ms)
        lp_mistake_at(reader, value, "the timeout must be longer than nothing");
}

static void retries_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct check_draft *draft = into;
    uint64_t retries = 0;
    if (lp_parse_number(reader, value, (struct lp_range){1, 1000}, &retries))
        draft->check.retries = (uint32_t)retries;
}

static void start_period_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct check_draft *draft = into;
    lp_parse_duration(reader, value, &draft->check.start_period_ms);
}

static void start_interval_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct check_draft *draft = into;
    if (lp_parse_duration(reader, value, &draft->check.start_interval_ms) &&
        !draft->check.start_interval_ms)
        lp_mistake_at(reader, value, "the interval must be longer than nothing");
}

static void disable_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct check_draft *draft = into;
    lp_parse_bool(reader, value, &draft->is_disabled);
}

static void check_read(struct lp_reader *reader, struct lp_yaml_node *value,
                       struct check_draft *draft, struct lp_check *ret_check)
{
    static const struct lp_key keys[] = {{"test", test_read, 0},
                                         {"interval", interval_read, 0},
                                         {"timeout", timeout_read, 0},
                                         {"retries", retries_read, 0},
                                         {"start_period", start_period_read, 0},
                                         {"start_interval", start_interval_read, 0},
                                         {"disable", disable_read, 0}};
    const struct lp_schema schema = {"check", keys, LP_COUNT(keys), NULL, 0};
    draft->check.retries = RETRIES;
    lp_schema_read(reader, &schema, value, draft);
    if (value->kind == LP_YAML_MAPPING && !draft->has_test && !draft->is_disabled)
        lp_mistake_at(reader, value, "a check needs a test");
    if (draft->is_disabled || draft->check.kind == LP_CHECK_NONE)
        draft->check = (struct lp_check){0};
    *ret_check = draft->check;
}

void lp_read_healthcheck(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *app = into;
    struct check_draft draft = {.check = {.interval_ms = HEALTH_INTERVAL_MS,
                                          .timeout_ms = HEALTH_TIMEOUT_MS,
                                          .start_interval_ms = START_INTERVAL_MS}};
    check_read(reader, value, &draft, &app->app.health);
}

void lp_read_readiness(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_app_draft *app = into;
    struct check_draft draft = {.check = {.interval_ms = READINESS_INTERVAL_MS,
                                          .timeout_ms = READINESS_TIMEOUT_MS,
                                          .start_interval_ms = READINESS_INTERVAL_MS}};
    check_read(reader, value, &draft, &app->app.readiness);
}
