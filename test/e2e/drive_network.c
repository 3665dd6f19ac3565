// Drives the network and the check driver by hand-made orders from standard input, and prints the
// events they tell: end-to-end tests without an engine. "PROGRAM forward CONF" is the forwarder.
//   ensure ID NAME SUBNET/PREFIX[,nat]...     subnet as dotted address; gateway is its first
//   publish ID NAME REVISION [name=NAME@INDEX:ADDRESS | port=[udp,]IP:PORT>NODEPORT@ADDRESS,...]...
//   remove ID NAME
//   watch ID NAME NODE APP RUN ADDRESS INTERVAL TIMEOUT (http URL | tcp PORT | ping | command
//   ARG...) unwatch ID NAME NODE APP wait MS [WORD]        print events until one with this word
//   (exit of the wait), or MS passed
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/str.h"
#include "drivers/check/check.h"
#include "drivers/network/forward.h"
#include "drivers/network/network.h"

enum { DRIVERS = 2, ITEMS = 64 };
static const struct lp_driver *const drivers[DRIVERS] = {&lp_driver_network, &lp_driver_check};
static void *selves[DRIVERS];
static const char *awaited; // the word that ends a wait
static int has_come;

static uint32_t address_parse(const char *text)
{
    struct in_addr bytes = {0};
    if (inet_pton(AF_INET, text, &bytes) != 1) {
        fprintf(stderr, "not an address: %s\n", text);
        exit(2);
    }
    return ntohl(bytes.s_addr);
}

static uint32_t number_parse(const char *text)
{
    return text ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

static void event_put(struct lp_inbox *inbox, const struct lp_event *event)
{
    (void)inbox;
    printf("event %s", lp_event_word(event->kind));
    if (event->infra != LP_NONE)
        printf(" infra=%u", event->infra);
    if (event->node != LP_NONE)
        printf(" node=%u app=%u run=%u", event->node, event->app, event->run);
    if (event->kind == LP_EVENT_READING)
        printf(" %s", event->is_ok ? "ok" : "failed");
    if (event->revision)
        printf(" revision=%lu", (unsigned long)event->revision);
    printf("%s%s\n", event->text ? " : " : "", event->text ? event->text : "");
    has_come |= awaited && lp_text_equal(awaited, lp_event_word(event->kind));
}

static void collect(void)
{
    struct lp_inbox inbox = {event_put};
    for (int i = 0; i < DRIVERS; i++) {
        struct lp_err err;
        if (drivers[i]->collect(selves[i], &inbox, &err) < 0)
            printf("error %s\n", err.text);
    }
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_for(const char *word, int64_t limit_ms)
{
    int64_t end_ms = now_ms() + limit_ms;
    awaited = word;
    has_come = 0;
    while (!has_come) {
        int64_t left_ms = end_ms - now_ms();
        if (left_ms <= 0) {
            printf("%s\n", word ? "timeout" : "waited");
            return;
        }
        struct pollfd fds[DRIVERS];
        for (int i = 0; i < DRIVERS; i++)
            fds[i] = (struct pollfd){drivers[i]->wait_fd(selves[i]), POLLIN, 0};
        poll(fds, DRIVERS, (int)left_ms);
        collect();
    }
    printf("heard\n");
}

static void begin(const struct lp_order *order)
{
    for (int i = 0; i < DRIVERS; i++) {
        struct lp_err err = {0};
        if (!(drivers[i]->action_kinds >> order->action.kind & 1))
            continue;
        if (drivers[i]->begin(selves[i], order, &err) < 0)
            printf("error %s\n", err.text);
    }
}

static void ensure(struct lp_order *order)
{
    static struct lp_network networks[ITEMS];
    static struct lp_attachment places[ITEMS];
    for (char *word; (word = strtok(NULL, " "));) {
        uint32_t index = (uint32_t)order->attachment_count;
        char *slash = strchr(word, '/');
        *slash = '\0';
        networks[index] = (struct lp_network){.has_nat = strstr(slash + 1, ",nat") != NULL};
        places[index] = (struct lp_attachment){.network = &networks[index],
                                               .network_index = index,
                                               .subnet = address_parse(word),
                                               .prefix = number_parse(slash + 1)};
        places[index].address = places[index].gateway = places[index].subnet + 1;
        order->attachment_count++;
    }
    order->attachments = places;
    begin(order);
}

static void name_add(char *text, struct lp_name_entry *name)
{
    char *at = strchr(text, '@'), *colon = strchr(at, ':');
    *at = *colon = '\0';
    *name = (struct lp_name_entry){text, number_parse(at + 1), address_parse(colon + 1)};
}

static void port_add(char *text, struct lp_port_entry *port, uint32_t *backends)
{
    *port = (struct lp_port_entry){.service = "s", .backends = backends};
    if (lp_text_starts(text, "udp,")) {
        port->is_udp = true;
        text += 4;
    }
    char *arrow = strchr(text, '>'), *at = strchr(arrow, '@');
    *arrow = *at = '\0';
    char *colon = strrchr(text, ':');
    *colon = '\0';
    port->host_ip = *text ? text : NULL;
    port->host_port = (uint16_t)number_parse(colon + 1);
    port->node_port = (uint16_t)number_parse(arrow + 1);
    char *rest;
    for (char *one = strtok_r(at + 1, ",", &rest); one; one = strtok_r(NULL, ",", &rest))
        backends[port->backend_count++] = address_parse(one);
}

static void publish(struct lp_order *order)
{
    static struct lp_name_entry names[ITEMS];
    static struct lp_port_entry ports[ITEMS];
    static uint32_t backends[ITEMS][ITEMS];
    order->action.revision = number_parse(strtok(NULL, " "));
    for (char *word; (word = strtok(NULL, " "));) {
        if (lp_text_starts(word, "name="))
            name_add(word + 5, &names[order->name_count++]);
        else
            port_add(word + 5, &ports[order->port_count], backends[order->port_count]),
                order->port_count++;
    }
    order->names = names;
    order->ports = ports;
    begin(order);
}

static void watch(struct lp_order *order, bool is_off)
{
    static char node_name[32];
    static struct lp_check check;
    static const char *argv[ITEMS];
    order->action.node = number_parse(strtok(NULL, " "));
    order->action.app = number_parse(strtok(NULL, " "));
    snprintf(node_name, sizeof(node_name), "n-%u", order->action.node);
    order->node_name = node_name;
    order->action.kind = is_off ? LP_ACTION_UNWATCH : LP_ACTION_WATCH;
    if (!is_off) {
        order->action.run = number_parse(strtok(NULL, " "));
        order->address = address_parse(strtok(NULL, " "));
        check = (struct lp_check){.start_interval_ms = 100, .start_period_ms = 10000};
        check.interval_ms = number_parse(strtok(NULL, " "));
        check.timeout_ms = number_parse(strtok(NULL, " "));
        const char *kind = strtok(NULL, " "), *argument = strtok(NULL, " ");
        check.url = argument;
        check.port = (uint16_t)number_parse(argument);
        check.kind = lp_text_equal(kind, "http")   ? LP_CHECK_HTTP
                     : lp_text_equal(kind, "tcp")  ? LP_CHECK_TCP
                     : lp_text_equal(kind, "ping") ? LP_CHECK_PING
                                                   : LP_CHECK_COMMAND;
        order->argv = (struct lp_texts){argv, 0};
        for (; argument; argument = strtok(NULL, " "))
            argv[order->argv.count++] = argument;
        order->check = &check;
    }
    begin(order);
}

static void command_run(char *line)
{
    char *verb = strtok(line, " ");
    if (!verb)
        return;
    if (lp_text_equal(verb, "wait")) {
        int64_t limit_ms = number_parse(strtok(NULL, " "));
        wait_for(strtok(NULL, " "), limit_ms);
        return;
    }
    static uint64_t next_id;
    struct lp_order order = {.action = {.id = ++next_id, .incarnation = 1}};
    order.action.service = order.action.node = order.action.app = LP_NONE;
    order.action.infra = number_parse(strtok(NULL, " "));
    order.infra_name = strtok(NULL, " ");
    bool is_off = lp_text_equal(verb, "unwatch");
    if (lp_text_equal(verb, "ensure")) {
        order.action.kind = LP_ACTION_ENSURE_NETWORK;
        ensure(&order);
    } else if (lp_text_equal(verb, "publish")) {
        order.action.kind = LP_ACTION_PUBLISH;
        publish(&order);
    } else if (lp_text_equal(verb, "remove")) {
        order.action.kind = LP_ACTION_REMOVE_NETWORK;
        begin(&order);
    } else if (is_off || lp_text_equal(verb, "watch")) {
        watch(&order, is_off);
    } else {
        printf("error unknown verb %s\n", verb);
    }
}

int main(int argc, char **argv)
{
    struct lp_err err;
    if (argc == 3 && lp_text_equal(argv[1], "forward")) {
        if (lp_forward_run(argv[2], &err) < 0)
            fprintf(stderr, "forward: %s\n", err.text);
        return 1;
    }
    if (argc != 3) {
        fprintf(stderr, "usage: drive_network ROOT ROOT_ID\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct lp_driver_env env = {argv[1], argv[2]};
    for (int i = 0; i < DRIVERS; i++) {
        if (drivers[i]->open(&env, &selves[i], &err) < 0) {
            fprintf(stderr, "open %s: %s\n", drivers[i]->name, err.text);
            return 1;
        }
    }
    char line[4096];
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        command_run(line);
    }
    for (int i = 0; i < DRIVERS; i++)
        drivers[i]->close(selves[i]);
    return 0;
}
