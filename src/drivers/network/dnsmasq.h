// dnsmasq as Limpet uses it: the text of its configuration, its names, and the one question that
// tells whether the names are in force.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/network/network_mark.h"
#include "model/order.h"

struct lp_dnsmasq_conf {
    const struct lp_network_mark *mark; // it listens on the bridges' gateway addresses
    const char *hosts_path, *pid_path; // without one dnsmasq would take the host's /run/dnsmasq.pid
    const char *upstream_path; // resolv.conf to ask for what is not ours; NULL: say no at once
    const char *user, *group;  // it gives root up for these; NULL: stays as it is
};

void lp_dnsmasq_conf_print(const struct lp_dnsmasq_conf *conf, struct lp_str *ret_text);

// "/run/systemd/resolve/resolv.conf" where the machine has it, since the stub of /etc/resolv.conf
// (127.0.0.53) cannot be reached from another namespace; else "/etc/resolv.conf".
const char *lp_dnsmasq_upstream_path(void);

enum { LP_NAMES_MARKER_BYTES = 64, LP_DNS_QUERY_BYTES = 128 };

// The hosts file: one line a name. Ends with a marker, a name made of the hash of all lines before
// it: it resolves exactly when this text is in force.
void lp_names_print(const struct lp_name_entry *names, size_t count, struct lp_str *ret_text,
                    char ret_marker[LP_NAMES_MARKER_BYTES]);
// Find the marker in a text made by lp_names_print; false when it has none.
bool lp_names_find_marker(const char *text, char ret_marker[LP_NAMES_MARKER_BYTES]);

// A DNS question for the address of name (RFC 1035, 4). Returns its size.
size_t lp_dns_query_print(const char *name, uint16_t id, uint8_t ret_bytes[LP_DNS_QUERY_BYTES]);
// Is this the answer to question id, with at least one address?
bool lp_dns_answer_has_address(const uint8_t *bytes, size_t count, uint16_t id);
