// An order: an action together with all that a driver needs to carry it out. Put together by the
// engine from the catalog; everything in it is lent for the call of begin() only.
#pragma once

#include "model/action.h"
#include "model/descriptor.h"

struct lp_attachment { // a node's place on one network
    const struct lp_network *network;
    uint32_t network_index;  // in descriptor->networks: bridge "br<index>" of the infrastructure
    uint32_t subnet, prefix; // in force (chosen when the descriptor left it open)
    uint32_t address;        // IPv4, host byte order; MAC is 02:4c + the four bytes of it
    uint32_t gateway;        // the bridge's own address: first of the subnet; DNS listens there
};

struct lp_rendered_file {
    const char *target; // absolute path in the node
    const char *bytes;
    size_t count;
    uint32_t uid, gid, mode;
    bool is_secret;
};

struct lp_name_entry { // one name that resolves, on one network
    const char *name;
    uint32_t network_index;
    uint32_t address;
};

// Of the text of PUBLISHED: ports that could not be had are told as "port 80 (tcp on 0.0.0.0) "
// and these words, one after another.
#define LP_PORT_TROUBLE "cannot be published"

struct lp_port_entry {   // one published port and where it leads
    const char *host_ip; // NULL: all, of IPv4 and IPv6
    uint16_t host_port;
    bool is_udp;
    const char *service;
    uint32_t *backends; // addresses
    uint16_t node_port;
    size_t backend_count;
};

struct lp_order {
    struct lp_action action;
    const char *infra_name;
    const struct lp_descriptor *descriptor;
    const struct lp_service *service;        // node and application actions
    const struct lp_app *app;                // application actions
    const char *node_name;                   // "db-1"
    uint32_t ordinal;                        // 1
    const struct lp_image *image;            // ENSURE_IMAGE, START_NODE
    const struct lp_attachment *attachments; // node actions; for network actions: gateway rows,
    size_t attachment_count;                 // one a network, address == gateway
    const struct lp_rendered_file *files;    // START_NODE, RENDER: configs and secrets
    size_t file_count;
    // START_APP: argv and environment after templates; for WATCH of a COMMAND check, its argv.
    struct lp_texts argv;
    struct lp_pairs environment;
    const struct lp_check *check;      // WATCH
    uint32_t address;                  // WATCH: of the node on its first network
    const struct lp_name_entry *names; // PUBLISH
    size_t name_count;
    const struct lp_port_entry *ports; // PUBLISH
    size_t port_count;
    // INJECT_FAULT, HEAL_FAULT: what it is, and as it was asked for:
    // {"target":"db-1","options":{"command":"...","undo":"...","volume":"data",...}}
    const struct lp_fault_spec *fault_spec;
    const char *fault_text;
    const uint32_t *peers; // INJECT_FAULT: addresses that it is limited to; none: all
    size_t peer_count;
    bool with_volumes; // REMOVE_NETWORK: the infrastructure's named volumes go too
};
