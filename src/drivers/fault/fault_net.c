// Faults of a node's network that the packet filter can do: a table of its own, "limpet_f<number>",
// in the node's network namespace. The undo is the table's removal; a node that dies takes it
// along.
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "drivers/fault/fault_parts.h"
#include "drivers/network/firewall.h"
#include "model/want.h"

static void table_name(const struct lp_fault_job *job, char ret_name[40])
{
    snprintf(ret_name, 40, "limpet_f%llu", (unsigned long long)job->number);
}

static void address_add(uint32_t address, struct lp_str *rules)
{
    lp_str_printf(rules, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
                  address & 255);
}

// "ip saddr { ... } " when it is limited to peers.
static void peers_add(const struct lp_fault_job *job, const char *side, struct lp_str *rules)
{
    if (job->spec.peer_service == LP_NONE && job->spec.peer_node == LP_NONE)
        return;
    lp_str_printf(rules, "ip %s { 0.0.0.0", side); // a set must not be empty
    for (size_t i = 0; i < job->peer_count; i++) {
        lp_str_add(rules, ", ");
        address_add(job->peers[i], rules);
    }
    lp_str_add(rules, " } ");
}

static void verdict_add(const struct lp_fault_job *job, struct lp_str *rules)
{
    switch (job->spec.kind) {
    case LP_FAULT_LOSS:
        lp_str_printf(rules, "numgen random mod 1000 < %u counter drop\n", job->spec.permille);
        break;
    case LP_FAULT_BANDWIDTH:
        // A twentieth of a second may come at once, and one large packet at least.
        lp_str_printf(
            rules, "limit rate over %llu bytes/second burst %llu bytes counter drop\n",
            (unsigned long long)job->spec.bytes,
            (unsigned long long)(job->spec.bytes / 20 > 65536 ? job->spec.bytes / 20 : 65536));
        break;
    default:
        lp_str_add(rules, "counter drop\n");
    }
}

// The interfaces meant: all but the loopback, or the one on the network.
static void chain_add(const struct lp_fault_job *job, bool is_in, struct lp_str *rules)
{
    const char *way = is_in ? "iifname" : "oifname";
    lp_str_printf(rules, " chain %s {\n  type filter hook %s priority -300; policy accept;\n",
                  is_in ? "in" : "out", is_in ? "input" : "output");
    if (job->spec.kind == LP_FAULT_DNS) {
        lp_str_printf(rules, "  %s != \"lo\" meta l4proto { udp, tcp } th %s 53 counter drop\n }\n",
                      way, is_in ? "sport" : "dport");
        return;
    }
    for (size_t i = 0; i < job->place_count; i++) {
        if (job->spec.network != LP_NONE && job->spec.network != job->networks[i])
            continue;
        lp_str_printf(rules, "  %s \"eth%zu\" ", way, i);
        peers_add(job, is_in ? "saddr" : "daddr", rules);
        verdict_add(job, rules);
    }
    lp_str_add(rules, " }\n");
}

static int net_prepare(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    (void)faults;
    bool is_on_it = job->spec.network == LP_NONE;
    for (size_t i = 0; i < job->place_count; i++)
        is_on_it = is_on_it || job->networks[i] == job->spec.network;
    return is_on_it && job->place_count > 0
               ? 0
               : lp_err_set(err, LP_EINPUT, "%s is not on that network", job->mark.name);
}

static int net_inject(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    char table[40];
    LP_OWNS_FD int netns_fd = -1;
    LP_OWNS_STR struct lp_str rules = {0};
    if (lp_fault_netns(faults, job, &netns_fd, err) < 0)
        return err->code;
    table_name(job, table);
    // What an earlier begin may have left goes first (made, so that removing it cannot fail). Not
    // otherwise: a removal makes the kernel wait until no packet is on its way through the rules.
    if (json_object_get(job->undo, "is_in"))
        lp_str_printf(&rules, "table inet %s\ndelete table inet %s\n", table, table);
    json_object_set_new(job->undo, "is_in", json_true());
    lp_str_printf(&rules, "table inet %s {\n", table);
    if (job->spec.direction != LP_FAULT_OUT)
        chain_add(job, true, &rules);
    if (job->spec.direction != LP_FAULT_IN)
        chain_add(job, false, &rules);
    lp_str_add(&rules, "}\n");
    return lp_firewall_run(netns_fd, lp_str_text(&rules), err);
}

// The kernel takes a table in whole: what it has accepted holds for the next packet.
static int net_look(struct lp_faults *faults, struct lp_fault_job *job, struct lp_str *ret_seen,
                    struct lp_err *err)
{
    pid_t pid;
    if (lp_fault_node_pid(faults, job, &pid, err) < 0)
        return err->code;
    lp_str_add(ret_seen, "the rules are in force");
    return 1;
}

static int net_undo(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    char commands[128], table[40];
    LP_OWNS_FD int netns_fd = -1;
    if (lp_fault_netns(faults, job, &netns_fd, err) < 0)
        return err->code == LP_ENOTFOUND ? 0 : err->code; // gone with the node
    table_name(job, table);
    snprintf(commands, sizeof(commands), "table inet %s\ndelete table inet %s\n", table, table);
    return lp_firewall_run(netns_fd, commands, err);
}

const struct lp_fault_hand lp_fault_hand_net = {
    .prepare = net_prepare,
    .inject = net_inject,
    .look = net_look,
    .undo = net_undo,
};
