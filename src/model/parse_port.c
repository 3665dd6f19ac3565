// Reads ports and expose. Ranges become one row a port.
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/limits.h"
#include "model/parse_service.h"

enum { RANGE_MAX = 1024 };

struct port_range {
    unsigned first, last;
};

static void published_note(struct lp_reader *reader, const struct lp_yaml_node *node,
                           const struct lp_service *service, const struct lp_port *port)
{
    if (reader->published_count == reader->published_capacity) {
        reader->published_capacity = reader->published_capacity ? 2 * reader->published_count : 16;
        struct lp_published *rows =
            lp_arena_new_array(reader->arena, struct lp_published, reader->published_capacity);
        for (size_t i = 0; i < reader->published_count; i++)
            rows[i] = reader->published[i];
        reader->published = rows;
    }
    reader->published[reader->published_count++] =
        (struct lp_published){node, service->name, *port};
}

static bool port_add(struct lp_reader *reader, const struct lp_yaml_node *node,
                     struct lp_service *service, const struct lp_port *port)
{
    size_t count = service->port_count;
    if (count == LP_PORTS_MAX) {
        lp_mistake_at(reader, node, "more than %d ports in service '%s'", LP_PORTS_MAX,
                      service->name);
        return false;
    }
    if ((count & (count - 1)) == 0) { // capacity is the next power of two
        struct lp_port *rows =
            lp_arena_new_array(reader->arena, struct lp_port, count ? 2 * count : 1);
        for (size_t i = 0; i < count; i++)
            rows[i] = service->ports[i];
        service->ports = rows;
    }
    service->ports[service->port_count++] = *port;
    if (port->host_port)
        published_note(reader, node, service, port);
    return true;
}

static bool number_parse(const char **text, unsigned *ret_port)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    unsigned long value = strtoul(*text, &end, 10);
    if (value < 1 || value > 65535)
        return false;
    *ret_port = (unsigned)value;
    *text = end;
    return true;
}

// "80" or "80-90", the whole text.
static bool range_parse(const char *text, struct port_range *ret_range)
{
    if (!number_parse(&text, &ret_range->first))
        return false;
    ret_range->last = ret_range->first;
    if (*text == '-') {
        text++;
        if (!number_parse(&text, &ret_range->last))
            return false;
    }
    return !*text && ret_range->last >= ret_range->first &&
           ret_range->last - ret_range->first < RANGE_MAX;
}

// The address in its one canonical text; NULL when it is none, which is told.
static const char *ip_read(struct lp_reader *reader, const struct lp_yaml_node *node,
                           const char *text)
{
    struct in6_addr address;
    char canonical[INET6_ADDRSTRLEN];
    size_t bytes = strlen(text);
    bool has_brackets = bytes > 2 && text[0] == '[' && text[bytes - 1] == ']';
    const char *bare = has_brackets ? lp_arena_text_n(reader->arena, text + 1, bytes - 2) : text;
    int family = has_brackets || strchr(bare, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(family, bare, &address) == 1 &&
        inet_ntop(family, &address, canonical, sizeof(canonical)))
        return lp_arena_text(reader->arena, canonical);
    lp_mistake_at(reader, node, "'%s' is not an address of this host", text);
    return NULL;
}

static void ranges_add(struct lp_reader *reader, const struct lp_yaml_node *node,
                       struct lp_service *service, const struct port_range ranges[2],
                       struct lp_port port)
{
    if (ranges[0].first && ranges[0].last - ranges[0].first != ranges[1].last - ranges[1].first) {
        lp_mistake_at(reader, node, "the two ranges of ports differ in length");
        return;
    }
    for (unsigned i = 0; i <= ranges[1].last - ranges[1].first; i++) {
        port.host_port = (uint16_t)(ranges[0].first ? ranges[0].first + i : 0);
        port.node_port = (uint16_t)(ranges[1].first + i);
        if (!port_add(reader, node, service, &port))
            return;
    }
}

// Cut "/tcp" or "/udp" off the end of text.
static bool protocol_cut(struct lp_reader *reader, const struct lp_yaml_node *node, char *text,
                         bool *ret_is_udp)
{
    char *slash = strrchr(text, '/');
    *ret_is_udp = false;
    if (!slash)
        return true;
    *slash = '\0';
    *ret_is_udp = strcmp(slash + 1, "udp") == 0;
    if (*ret_is_udp || strcmp(slash + 1, "tcp") == 0)
        return true;
    lp_mistake_at(reader, node, "protocol '%s' is not tcp or udp", slash + 1);
    return false;
}

#define PORT_SHAPES "[address:]host port:node port[/tcp or /udp], such as 8080:80"

static void short_read(struct lp_reader *reader, struct lp_yaml_node *node,
                       struct lp_service *service)
{
    const char *whole = lp_parse_text(reader, node);
    char *text = whole ? lp_arena_text(reader->arena, whole) : NULL;
    struct lp_port port = {0};
    struct port_range ranges[2] = {{0, 0}, {0, 0}};
    if (!text || !protocol_cut(reader, node, text, &port.is_udp))
        return;
    char *inner = strrchr(text, ':');
    if (!inner) {
        if (range_parse(text, &ranges[1]))
            lp_mistake_at(reader, node,
                          "'%s' names no port of the host; write %s:%s, or use expose", whole, text,
                          text);
        else
            lp_mistake_at(reader, node, "'%s' is not a port; write " PORT_SHAPES, whole);
        return;
    }
    *inner++ = '\0';
    char *outer = strrchr(text, ':');
    if (outer) {
        *outer++ = '\0';
        port.host_ip = ip_read(reader, node, text);
        if (!port.host_ip)
            return;
    } else {
        outer = text;
    }
    if (!range_parse(outer, &ranges[0]) || !range_parse(inner, &ranges[1]))
        lp_mistake_at(reader, node, "'%s' is not a port; write " PORT_SHAPES, whole);
    else
        ranges_add(reader, node, service, ranges, port);
}

struct port_draft {
    struct port_range target, published;
    const char *host_ip;
    bool is_udp, is_wrong;
};

static void range_read(struct lp_reader *reader, struct lp_yaml_node *value,
                       struct port_range *ret_range, bool *ret_is_wrong)
{
    const char *text = lp_parse_text(reader, value);
    if (text && range_parse(text, ret_range))
        return;
    if (text)
        lp_mistake_at(reader, value, "'%s' is not a port within 1 to 65535", text);
    *ret_is_wrong = true;
}

static void target_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct port_draft *draft = into;
    range_read(reader, value, &draft->target, &draft->is_wrong);
}

static void published_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct port_draft *draft = into;
    range_read(reader, value, &draft->published, &draft->is_wrong);
}

static void host_ip_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct port_draft *draft = into;
    const char *text = lp_parse_text(reader, value);
    draft->host_ip = text ? ip_read(reader, value, text) : NULL;
    draft->is_wrong = draft->is_wrong || !draft->host_ip;
}

static void protocol_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    static const char *const words[] = {"tcp", "udp"};
    struct port_draft *draft = into;
    int word = lp_parse_word(reader, value, words, LP_COUNT(words));
    draft->is_udp = word == 1;
    draft->is_wrong = draft->is_wrong || word < 0;
}

static void long_read(struct lp_reader *reader, struct lp_yaml_node *node,
                      struct lp_service *service)
{
    static const struct lp_key keys[] = {{"target", target_read, 0},
                                         {"published", published_read, 0},
                                         {"host_ip", host_ip_read, 0},
                                         {"protocol", protocol_read, 0}};
    const struct lp_schema schema = {"port", keys, LP_COUNT(keys), lp_compose_port,
                                     lp_compose_port_count};
    struct port_draft draft = {0};
    lp_schema_read(reader, &schema, node, &draft);
    if (draft.is_wrong)
        return;
    if (!draft.target.first || (!draft.published.first && !reader->input->is_canonical)) {
        lp_mistake_at(reader, node, "a port needs target (the node's) and published (the host's)");
        return;
    }
    const struct port_range ranges[2] = {draft.published, draft.target};
    ranges_add(reader, node, service, ranges,
               (struct lp_port){.host_ip = draft.host_ip, .is_udp = draft.is_udp});
}

void lp_read_ports(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    if (!lp_is_sequence(reader, value, "ports"))
        return;
    for (size_t i = 0; i < value->count; i++) {
        if (value->items[i]->kind == LP_YAML_MAPPING)
            long_read(reader, value->items[i], draft->service);
        else
            short_read(reader, value->items[i], draft->service);
    }
}

void lp_read_expose(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    if (!lp_is_sequence(reader, value, "expose"))
        return;
    for (size_t i = 0; i < value->count; i++) {
        struct lp_yaml_node *node = value->items[i];
        const char *whole = lp_parse_text(reader, node);
        char *text = whole ? lp_arena_text(reader->arena, whole) : NULL;
        struct lp_port port = {0};
        struct port_range ranges[2] = {{0, 0}, {0, 0}};
        if (!text || !protocol_cut(reader, node, text, &port.is_udp))
            continue;
        if (range_parse(text, &ranges[1]))
            ranges_add(reader, node, draft->service, ranges, port);
        else
            lp_mistake_at(reader, node, "'%s' is not a port such as 80 or 53/udp", whole);
    }
}
