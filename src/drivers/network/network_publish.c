// Names and published ports: written, and waited for until they are in force.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "drivers/network/forward_conf.h"
#include "drivers/network/network_ns.h"
#include "drivers/network/network_parts.h"
#include "drivers/network/network_port.h"

enum { ASK_FIRST_MS = 1, ASK_LAST_MS = 100, HUP_AGAIN_MS = 1000 };

int lp_network_names_write(struct lp_network_driver *driver, struct lp_infra_net *row,
                           const struct lp_order *order, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str text = {0};
    char marker[LP_NAMES_MARKER_BYTES];
    lp_names_print(order->names, order->name_count, &text, marker);
    if (lp_text_equal(marker, row->marker)) // the very same names: nothing to tell dnsmasq
        return 0;
    int code = lp_file_write(lp_network_file(&driver->env, row->mark.name, "names/hosts").text,
                             lp_str_text(&text), text.bytes, 0644, err);
    if (code < 0)
        return code;
    memcpy(row->marker, marker, sizeof(marker));
    row->names_in_force = false;
    row->questions = 0;
    row->ask_at_ms = lp_monotonic_ms() + ASK_FIRST_MS;
    lp_helper_hang_up(&row->helpers[LP_HELPER_NAMES]);
    return 0;
}

// Each port as often as it is listened on: "all addresses" are those of IPv4 and, where the
// machine has it, of IPv6.
static size_t ports_spread(const struct lp_order *order, struct lp_arena *arena,
                           struct lp_port_entry **ret_ports)
{
    bool has_ipv6 = access("/proc/net/if_inet6", F_OK) == 0;
    size_t count = 0;
    *ret_ports = lp_arena_new_array(arena, struct lp_port_entry, 2 * order->port_count + 1);
    for (size_t i = 0; i < order->port_count; i++) {
        struct lp_port_entry *port = &(*ret_ports)[count++];
        *port = order->ports[i];
        if (port->host_ip)
            continue;
        port->host_ip = "0.0.0.0";
        if (has_ipv6) {
            (*ret_ports)[count] = *port;
            (*ret_ports)[count++].host_ip = "::";
        }
    }
    return count;
}

int lp_network_ports_write(struct lp_network_driver *driver, struct lp_infra_net *row,
                           const struct lp_order *order, struct lp_err *err)
{
    struct lp_helper *helper = &row->helpers[LP_HELPER_PORTS];
    row->has_ports = order->port_count > 0;
    if (!row->has_ports) {
        lp_helper_kill(helper);
        row->hup_at_ms = INT64_MAX;
        lp_str_clear(&row->trouble);
        (void)unlink(lp_network_file(&driver->env, row->mark.name, "forward.conf").text);
        return 0;
    }
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_port_entry *ports;
    size_t count = ports_spread(order, &arena, &ports);
    lp_forward_conf_print(lp_place_netns(&driver->env, row->mark.name).text, row->revision, ports,
                          count, &text);
    int code = lp_file_write(lp_network_file(&driver->env, row->mark.name, "forward.conf").text,
                             lp_str_text(&text), text.bytes, 0600, err);
    if (code < 0)
        return code;
    helper->is_wanted = true;
    if (helper->pidfd < 0) {
        (void)unlink(lp_network_file(&driver->env, row->mark.name, "forward.status").text);
        row->ports_revision = 0;
        return lp_helper_start(driver, row, LP_HELPER_PORTS, err);
    }
    lp_helper_hang_up(helper);
    row->hup_at_ms = lp_monotonic_ms() + HUP_AGAIN_MS;
    return 0;
}

LP_MUST_CHECK static int names_socket(struct lp_network_driver *driver, struct lp_infra_net *row,
                                      struct lp_err *err)
{
    LP_OWNS_FD int netns_fd = -1;
    LP_OWNS_FD int fd = -1;
    int code = lp_netns_open(lp_place_netns(&driver->env, row->mark.name).text, &netns_fd, err);
    if (code == 0)
        code = lp_netns_socket(netns_fd, (const int[]){AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0}, &fd,
                               err);
    if (code < 0)
        return code;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(53),
                             .sin_addr.s_addr = htonl(row->mark.rows[0].gateway)};
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        return lp_err_set(err, LP_EIO, "reach dnsmasq: %s", strerror(errno));
    code = lp_network_watch(driver, fd, row, LP_SOURCE_NAMES, err);
    if (code == 0)
        row->names_fd = lp_fd_take(&fd);
    return code;
}

void lp_network_ask(struct lp_network_driver *driver, struct lp_infra_net *row)
{
    uint8_t query[LP_DNS_QUERY_BYTES];
    int64_t delay_ms = row->questions < 7 ? ASK_FIRST_MS << row->questions : ASK_LAST_MS;
    row->questions++;
    row->ask_at_ms = lp_monotonic_ms() + delay_ms;
    if (row->names_fd < 0 && names_socket(driver, row, NULL) < 0)
        return;
    size_t bytes = lp_dns_query_print(row->marker, ++row->question, query);
    (void)send(row->names_fd, query, bytes, MSG_NOSIGNAL); // unheard: asked again
}

void lp_network_listen(struct lp_network_driver *driver, struct lp_infra_net *row)
{
    struct lp_helper *helper = &row->helpers[LP_HELPER_NAMES];
    uint8_t answer[512];
    for (ssize_t count; row->names_fd >= 0;) {
        count = recv(row->names_fd, answer, sizeof(answer), 0);
        if (count < 0 && errno == ECONNREFUSED)
            continue; // it does not listen yet
        if (count < 0)
            return;
        // An answer to an earlier question may speak of names that are no more.
        if (count < 12 || answer[0] != row->question >> 8 || answer[1] != (row->question & 255))
            continue;
        bool is_first = !helper->has_spoken;
        helper->has_spoken = true;
        if (lp_dns_answer_has_address(answer, (size_t)count, row->question)) {
            row->names_in_force = true;
            row->ask_at_ms = INT64_MAX;
            close(lp_fd_take(&row->names_fd));
            if (row->phase == LP_NETWORK_STARTING) {
                row->phase = LP_NETWORK_READY;
                lp_network_put(driver, row, LP_EVENT_NETWORK_READY, NULL);
            }
            lp_network_settle(driver, row);
        } else if (is_first || row->questions % 8 == 0) {
            lp_helper_hang_up(helper); // it lives, with names read before they were written
        }
    }
}

// The answer of the forwarder in words: "port 80 (tcp, on 0.0.0.0) ...; port 81 ...".
static void trouble_print(const struct lp_forward_status *status, struct lp_str *ret_text)
{
    for (size_t i = 0; i < status->trouble_count; i++) {
        const struct lp_forward_trouble *trouble = &status->troubles[i];
        char holder[64];
        lp_str_printf(ret_text, "%sport %u (%s on %s) " LP_PORT_TROUBLE, i ? "; " : "",
                      trouble->host_port, trouble->is_udp ? "udp" : "tcp", trouble->host);
        if (lp_port_find_holder(trouble->host_port, trouble->is_udp, holder, sizeof(holder)))
            lp_str_printf(ret_text, ": %s has it", holder);
        else
            lp_str_printf(ret_text, ": %s", trouble->reason);
    }
    if (status->trouble_count)
        lp_str_add(ret_text, "; it is tried again every second");
}

void lp_network_ports_read(struct lp_network_driver *driver, struct lp_infra_net *row)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0};
    LP_OWNS_STR struct lp_str trouble = {0};
    struct lp_forward_status status;
    if (lp_file_read(lp_network_file(&driver->env, row->mark.name, "forward.status").text,
                     LP_FORWARD_CONF_BYTES_MAX, &text, NULL) < 0 ||
        lp_forward_status_parse(lp_str_text(&text), text.bytes, &arena, &status, NULL) < 0)
        return; // not answered yet
    struct lp_helper *helper = &row->helpers[LP_HELPER_PORTS];
    if (!row->has_ports || helper->pidfd < 0)
        return;
    helper->has_spoken = true;
    row->ports_revision = status.revision;
    if (status.revision != row->revision) { // it had read an earlier file
        lp_helper_hang_up(helper);
        row->hup_at_ms = lp_monotonic_ms() + HUP_AGAIN_MS;
        return;
    }
    row->hup_at_ms = INT64_MAX;
    trouble_print(&status, &trouble);
    if (!lp_text_equal(lp_str_text(&trouble), lp_str_text(&row->trouble))) {
        bool is_over = trouble.bytes == 0;
        lp_str_clear(&row->trouble);
        lp_str_add(&row->trouble, lp_str_text(&trouble));
        if (!row->is_reply_owed)
            lp_network_put(driver, row, LP_EVENT_PUBLISHED,
                           is_over ? "all ports are published now" : lp_str_text(&trouble));
    }
    lp_network_settle(driver, row);
}

void lp_network_settle(struct lp_network_driver *driver, struct lp_infra_net *row)
{
    bool has_ports_in_force = !row->has_ports || row->ports_revision == row->revision;
    if (!row->is_reply_owed || !row->names_in_force || !has_ports_in_force)
        return;
    row->is_reply_owed = false;
    lp_network_put(driver, row, LP_EVENT_PUBLISHED,
                   row->trouble.bytes ? lp_str_text(&row->trouble) : NULL);
}
