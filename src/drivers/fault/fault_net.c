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

// How what goes out is lost. A packet that the filter drops on its way out is told to whoever sends
// it (EPERM); one that a network loses is not. So it is sent elsewhere, as seen by its sender: to
// the loopback, which takes no frame that bears the address of another.
enum way { WAY_IN, WAY_OUT, WAY_OUT_TOLD };
static const char *const lost[] = {"drop", "fwd to \"lo\"", "drop"};

static void verdict_add(const struct lp_fault_job *job, enum way way, struct lp_str *rules)
{
    switch (job->spec.kind) {
    case LP_FAULT_LOSS:
        lp_str_printf(rules, "numgen random mod 1000 < %u ", job->spec.permille);
        break;
    case LP_FAULT_BANDWIDTH:
        // A twentieth of a second may come at once, and one large packet at least.
        lp_str_printf(
            rules, "limit rate over %llu bytes/second burst %llu bytes ",
            (unsigned long long)job->spec.bytes,
            (unsigned long long)(job->spec.bytes / 20 > 65536 ? job->spec.bytes / 20 : 65536));
        break;
    default:
        break;
    }
    lp_str_printf(rules, "counter %s\n", lost[way]);
}

static bool is_meant(const struct lp_fault_job *job, size_t place)
{
    return job->spec.network == LP_NONE || job->spec.network == job->networks[place];
}

static void rule_add(const struct lp_fault_job *job, enum way way, struct lp_str *rules)
{
    bool is_in = way == WAY_IN;
    if (job->spec.kind == LP_FAULT_DNS)
        lp_str_printf(rules, "meta l4proto { udp, tcp } th %s 53 ", is_in ? "sport" : "dport");
    else
        peers_add(job, is_in ? "saddr" : "daddr", rules);
    verdict_add(job, way, rules);
}

static void hook_add(const struct lp_fault_job *job, enum way way, struct lp_str *rules)
{
    const char *comma = "";
    if (way != WAY_OUT) {
        lp_str_add(rules, way == WAY_IN ? "input" : "output");
        return;
    }
    lp_str_add(rules, "egress devices = {");
    for (size_t i = 0; i < job->place_count; i++) {
        if (!is_meant(job, i))
            continue;
        lp_str_printf(rules, "%s \"eth%zu\"", comma, i);
        comma = ",";
    }
    lp_str_add(rules, " }");
}

// The interfaces meant: all but the loopback, or the one on the network. A rule for each, so that a
// rate is that of a link.
static void chain_add(const struct lp_fault_job *job, enum way way, struct lp_str *rules)
{
    lp_str_printf(rules, " chain %s {\n  type filter hook ", way == WAY_IN ? "in" : "out");
    hook_add(job, way, rules);
    lp_str_add(rules, " priority -300; policy accept;\n");
    if (way == WAY_OUT)
        lp_str_add(rules, "  meta protocol arp return\n"); // as the other hooks, which never see it
    for (size_t i = 0; i < job->place_count; i++) {
        if (!is_meant(job, i))
            continue;
        lp_str_printf(rules, "  %s \"eth%zu\" ", way == WAY_IN ? "iifname" : "oifname", i);
        rule_add(job, way, rules);
    }
    lp_str_add(rules, " }\n");
}

static void tables_remove(const char *name, bool is_told, struct lp_str *rules)
{
    // Made, so that removing it cannot fail.
    lp_str_printf(rules, "table inet %s\ndelete table inet %s\n", name, name);
    if (!is_told)
        lp_str_printf(rules, "table netdev %s\ndelete table netdev %s\n", name, name);
}

// is_told: a kernel that has no hook behind the output is made do with one that tells the sender.
static void tables_add(const struct lp_fault_job *job, bool is_told, struct lp_str *rules)
{
    char name[40];
    table_name(job, name);
    // What an earlier begin may have left goes first. Not otherwise: a removal makes the kernel
    // wait until no packet is on its way through the rules.
    if (json_object_get(job->undo, "is_in"))
        tables_remove(name, is_told, rules);
    lp_str_printf(rules, "table inet %s {\n", name);
    if (job->spec.direction != LP_FAULT_OUT)
        chain_add(job, WAY_IN, rules);
    if (job->spec.direction != LP_FAULT_IN && is_told)
        chain_add(job, WAY_OUT_TOLD, rules);
    lp_str_add(rules, "}\n");
    if (job->spec.direction == LP_FAULT_IN || is_told)
        return;
    lp_str_printf(rules, "table netdev %s {\n", name);
    chain_add(job, WAY_OUT, rules);
    lp_str_add(rules, "}\n");
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
    LP_OWNS_FD int netns_fd = -1;
    int result = lp_fault_netns(faults, job, &netns_fd, err);
    for (int is_told = 0; is_told <= 1 && result == 0; is_told++) {
        LP_OWNS_STR struct lp_str rules = {0};
        tables_add(job, is_told, &rules);
        json_object_set_new(job->undo, "is_in", json_true());
        json_object_set_new(job->undo, "is_told", json_boolean(is_told));
        result = lp_firewall_run(netns_fd, lp_str_text(&rules), err);
        if (result == 0)
            return 0;
        result = is_told ? result : 0;
    }
    return result;
}

// The kernel takes a table in whole: what it has accepted holds for the next packet.
static int net_look(struct lp_faults *faults, struct lp_fault_job *job, struct lp_str *ret_seen,
                    struct lp_err *err)
{
    pid_t pid;
    if (lp_fault_node_pid(faults, job, &pid, err) < 0)
        return err->code;
    lp_str_add(ret_seen, "the rules are in force");
    if (json_is_true(json_object_get(job->undo, "is_told")) && job->spec.direction != LP_FAULT_IN)
        lp_str_add(ret_seen, "; on this kernel a sender is told of what is lost (EPERM)");
    return 1;
}

static int net_undo(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    char name[40];
    LP_OWNS_FD int netns_fd = -1;
    if (lp_fault_netns(faults, job, &netns_fd, err) < 0)
        return err->code == LP_ENOTFOUND ? 0 : err->code; // gone with the node
    int result = 0;
    table_name(job, name);
    for (int is_told = 0; is_told <= 1; is_told++) { // where there are no such tables, none is left
        LP_OWNS_STR struct lp_str rules = {0};
        tables_remove(name, is_told, &rules);
        result = lp_firewall_run(netns_fd, lp_str_text(&rules), err);
        if (result == 0)
            return 0;
    }
    return result;
}

const struct lp_fault_hand lp_fault_hand_net = {
    .prepare = net_prepare,
    .inject = net_inject,
    .look = net_look,
    .undo = net_undo,
};
