// The forwarder's file and its answer: printed by one side, parsed by the other.
#define _GNU_SOURCE
#include "drivers/network/forward_conf.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const char head[] = "limpet-forward 1";

void lp_forward_conf_print(const char *netns, uint64_t revision, const struct lp_port_entry *ports,
                           size_t count, struct lp_str *ret_text)
{
    lp_str_printf(ret_text, "%s\nnetns %s\nrevision %" PRIu64 "\n", head, netns, revision);
    for (size_t i = 0; i < count; i++) {
        const struct lp_port_entry *port = &ports[i];
        lp_str_printf(ret_text, "%s %s %u %u", port->is_udp ? "udp" : "tcp",
                      port->host_ip ? port->host_ip : "0.0.0.0", port->host_port, port->node_port);
        for (size_t k = 0; k < port->backend_count; k++) {
            uint32_t address = port->backends[k];
            lp_str_printf(ret_text, " %u.%u.%u.%u", address >> 24, address >> 16 & 255,
                          address >> 8 & 255, address & 255);
        }
        lp_str_add_char(ret_text, '\n');
    }
}

// A line being taken apart; `at` moves behind each word that was taken.
struct words {
    char *at;
    size_t line; // from 1, for messages
};

// The next word, cut off with a NUL; "" at the end of the line.
static char *word_take(struct words *words)
{
    char *word = words->at;
    size_t bytes = strcspn(word, " ");
    words->at += bytes;
    if (*words->at)
        *words->at++ = '\0';
    return word;
}

LP_MUST_CHECK static int number_take(struct words *words, uint64_t limit, uint64_t *ret_number,
                                     struct lp_err *err)
{
    const char *word = word_take(words);
    size_t digits = strspn(word, "0123456789");
    uint64_t number = digits && digits < 20 && !word[digits] ? strtoull(word, NULL, 10) : limit;
    if (!digits || digits >= 20 || word[digits] || number > limit)
        return lp_err_set(err, LP_EINPUT, "line %zu: '%.40s' is not a number up to %" PRIu64,
                          words->line, word, limit);
    *ret_number = number;
    return 0;
}

// Host address and port, as the configuration and the answer both have them.
LP_MUST_CHECK static int listen_take(struct words *words, char ret_host[LP_FORWARD_HOST_BYTES],
                                     uint16_t *ret_port, struct lp_err *err)
{
    const char *host = word_take(words);
    struct in6_addr bytes;
    if (strlen(host) >= LP_FORWARD_HOST_BYTES ||
        (inet_pton(AF_INET, host, &bytes) != 1 && inet_pton(AF_INET6, host, &bytes) != 1))
        return lp_err_set(err, LP_EINPUT, "line %zu: '%.60s' is not an address", words->line, host);
    uint64_t port = 0;
    int code = number_take(words, UINT16_MAX, &port, err);
    if (code < 0)
        return code;
    if (port == 0)
        return lp_err_set(err, LP_EINPUT, "line %zu: port 0", words->line);
    memcpy(ret_host, host, strlen(host) + 1);
    *ret_port = (uint16_t)port;
    return 0;
}

LP_MUST_CHECK static int backends_take(struct words *words, struct lp_arena *arena,
                                       struct lp_forward_port *port, struct lp_err *err)
{
    size_t count = 0;
    for (const char *at = words->at; *at; at++)
        count += *at == ' ';
    if (count >= LP_FORWARD_BACKENDS_MAX)
        return lp_err_set(err, LP_EFULL, "line %zu: more than %d backends", words->line,
                          LP_FORWARD_BACKENDS_MAX);
    port->backends = lp_arena_new_array(arena, uint32_t, count + 1);
    while (*words->at) {
        const char *word = word_take(words);
        struct in_addr bytes;
        if (inet_pton(AF_INET, word, &bytes) != 1)
            return lp_err_set(err, LP_EINPUT, "line %zu: '%.60s' is not a backend", words->line,
                              word);
        port->backends[port->backend_count++] = ntohl(bytes.s_addr);
    }
    return 0;
}

LP_MUST_CHECK static int port_take(struct words *words, struct lp_arena *arena,
                                   struct lp_forward_port *port, struct lp_err *err)
{
    uint64_t node_port = 0;
    int code = listen_take(words, port->host, &port->host_port, err);
    if (code == 0)
        code = number_take(words, UINT16_MAX, &node_port, err);
    if (code < 0)
        return code;
    if (node_port == 0)
        return lp_err_set(err, LP_EINPUT, "line %zu: node port 0", words->line);
    port->node_port = (uint16_t)node_port;
    return backends_take(words, arena, port, err);
}

LP_MUST_CHECK static int conf_line(struct words *words, struct lp_arena *arena,
                                   struct lp_forward_conf *conf, struct lp_err *err)
{
    const char *word = word_take(words);
    if (lp_text_equal(word, "netns")) {
        conf->netns = word_take(words);
        return conf->netns[0] == '/' ? 0
                                     : lp_err_set(err, LP_EINPUT,
                                                  "line %zu: no path of a "
                                                  "network namespace",
                                                  words->line);
    }
    if (lp_text_equal(word, "revision"))
        return number_take(words, INT64_MAX, &conf->revision, err);
    bool is_udp = lp_text_equal(word, "udp");
    if (!is_udp && !lp_text_equal(word, "tcp"))
        return lp_err_set(err, LP_EINPUT, "line %zu: unknown word '%.40s'", words->line, word);
    if (conf->port_count == LP_FORWARD_PORTS_MAX)
        return lp_err_set(err, LP_EFULL, "more than %d ports", LP_FORWARD_PORTS_MAX);
    struct lp_forward_port *port = &conf->ports[conf->port_count++];
    *port = (struct lp_forward_port){.is_udp = is_udp};
    return port_take(words, arena, port, err);
}

// Copy the text, check its first line, and count the others. Texts with NUL bytes are refused.
LP_MUST_CHECK static int text_open(const char *text, size_t bytes, struct lp_arena *arena,
                                   struct words *ret_words, struct lp_err *err)
{
    if (bytes > LP_FORWARD_CONF_BYTES_MAX)
        return lp_err_set(err, LP_EFULL, "more than %d bytes", LP_FORWARD_CONF_BYTES_MAX);
    if (bytes && memchr(text, '\0', bytes))
        return lp_err_set(err, LP_EINPUT, "a NUL byte");
    char *copy = lp_arena_text_n(arena, bytes ? text : "", bytes);
    size_t first = strcspn(copy, "\n");
    if (first != sizeof(head) - 1 || memcmp(copy, head, first) != 0)
        return lp_err_set(err, LP_EINPUT, "line 1: not '%s'", head);
    *ret_words = (struct words){copy + first + (copy[first] == '\n'), 2};
    return 0;
}

// Cut the next line off; NULL at the end.
static char *line_take(char **at)
{
    char *line = *at;
    if (!*line)
        return NULL;
    size_t bytes = strcspn(line, "\n");
    *at += bytes + (line[bytes] == '\n');
    line[bytes] = '\0';
    return line;
}

int lp_forward_conf_parse(const char *text, size_t bytes, struct lp_arena *arena,
                          struct lp_forward_conf *ret_conf, struct lp_err *err)
{
    struct words words;
    int code = text_open(text, bytes, arena, &words, err);
    if (code < 0)
        return code;
    size_t lines = 1;
    for (const char *at = words.at; *at; at++)
        lines += *at == '\n';
    if (lines > LP_FORWARD_PORTS_MAX + 2)
        lines = LP_FORWARD_PORTS_MAX + 2;
    struct lp_forward_conf conf = {.ports =
                                       lp_arena_new_array(arena, struct lp_forward_port, lines)};
    char *rest = words.at;
    for (char *line; code == 0 && (line = line_take(&rest)); words.line++) {
        words.at = line;
        if (conf.port_count >= lines)
            return lp_err_set(err, LP_EFULL, "more than %d ports", LP_FORWARD_PORTS_MAX);
        code = conf_line(&words, arena, &conf, err);
    }
    if (code < 0)
        return code;
    if (!conf.netns)
        return lp_err_set(err, LP_EINPUT, "no line with the network namespace");
    *ret_conf = conf;
    return 0;
}

void lp_forward_status_print(const struct lp_forward_status *status, struct lp_str *ret_text)
{
    lp_str_printf(ret_text, "%s\nrevision %" PRIu64 "\n", head, status->revision);
    for (size_t i = 0; i < status->trouble_count; i++) {
        const struct lp_forward_trouble *trouble = &status->troubles[i];
        lp_str_printf(ret_text, "busy %s %s %u %s\n", trouble->is_udp ? "udp" : "tcp",
                      trouble->host, trouble->host_port, trouble->reason);
    }
}

LP_MUST_CHECK static int trouble_take(struct words *words, struct lp_forward_trouble *trouble,
                                      struct lp_err *err)
{
    trouble->is_udp = lp_text_equal(word_take(words), "udp");
    int code = listen_take(words, trouble->host, &trouble->host_port, err);
    if (code < 0)
        return code;
    (void)snprintf(trouble->reason, sizeof(trouble->reason), "%s", words->at);
    return 0;
}

int lp_forward_status_parse(const char *text, size_t bytes, struct lp_arena *arena,
                            struct lp_forward_status *ret_status, struct lp_err *err)
{
    struct words words;
    int code = text_open(text, bytes, arena, &words, err);
    if (code < 0)
        return code;
    struct lp_forward_status status = {
        .troubles = lp_arena_new_array(arena, struct lp_forward_trouble, LP_FORWARD_PORTS_MAX)};
    char *rest = words.at;
    for (char *line; code == 0 && (line = line_take(&rest)); words.line++) {
        words.at = line;
        const char *word = word_take(&words);
        if (lp_text_equal(word, "revision"))
            code = number_take(&words, INT64_MAX, &status.revision, err);
        else if (!lp_text_equal(word, "busy") || status.trouble_count == LP_FORWARD_PORTS_MAX)
            return lp_err_set(err, LP_EINPUT, "line %zu: unknown or too much", words.line);
        else
            code = trouble_take(&words, &status.troubles[status.trouble_count++], err);
    }
    if (code < 0)
        return code;
    *ret_status = status;
    return 0;
}
