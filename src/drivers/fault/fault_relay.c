// Faults of a node's network that need a relay: delay, reorder, duplicate, corrupt. One relay a
// link (drivers/fault/relay.c). The undo: the relay's death, and the link back under its bridge.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "drivers/fault/fault_parts.h"
#include "drivers/network/network_ns.h"
#include "drivers/place.h"
#include "drivers/fault/relay.h"
#include "model/want.h"

enum { NUMBERS = 7, NUMBER_BYTES = 16, OUTPUT_BYTES = 512 };

static bool is_meant(const struct lp_fault_job *job, size_t place)
{
    return job->spec.network == LP_NONE || job->spec.network == job->networks[place];
}

static bool has_link(const json_t *links, json_int_t network)
{
    size_t i;
    const json_t *link;
    json_array_foreach (links, i, link) {
        if (json_integer_value(link) == network)
            return true;
    }
    return false;
}

// A link has room for one relay.
LP_MUST_CHECK static int links_check(const struct lp_faults *faults, const struct lp_fault_job *job,
                                     const json_t *links, struct lp_err *err)
{
    size_t i;
    const json_t *link;
    for (const struct lp_fault_job *other = faults->jobs; other; other = other->next) {
        const json_t *theirs = json_object_get(other->undo, "networks");
        if (other == job || other->phase != LP_FAULT_JOB_ACTIVE ||
            other->mark.node != job->mark.node ||
            lp_fault_hand_of(other->spec.kind) != &lp_fault_hand_relay)
            continue;
        json_array_foreach (theirs, i, link) {
            if (has_link(links, json_integer_value(link)))
                return lp_err_set(err, LP_ECONFLICT, "f%llu (%s) is on the link already",
                                  (unsigned long long)other->number,
                                  lp_fault_words[other->spec.kind]);
        }
    }
    return 0;
}

static int relay_prepare(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    json_t *links = json_array();
    for (size_t i = 0; i < job->place_count; i++)
        if (is_meant(job, i))
            json_array_append_new(links, json_integer(job->networks[i]));
    json_object_set_new(job->undo, "networks", links);
    bool has_peers = job->spec.peer_service != LP_NONE || job->spec.peer_node != LP_NONE;
    if (json_array_size(links) == 0)
        return lp_err_set(err, LP_EINPUT, "%s is not on that network", job->mark.name);
    if (links_check(faults, job, links, err) < 0)
        return err->code;
    return has_peers && job->peer_count == 0
               ? lp_err_set(err, LP_ENOTFOUND, "the peer has no node that could be meant")
               : 0;
}

static pid_t relay_pid(const struct lp_faults *faults, const struct lp_fault_job *job, size_t index)
{
    const json_t *pids = json_object_get(job->undo, "relays");
    pid_t pid = (pid_t)json_integer_value(json_array_get(pids, index));
    return lp_fault_worker_of(faults, job, pid, "relay");
}

// argv of the relay for the link on network k; texts in numbers.
static void argv_fill(const struct lp_fault_job *job, char numbers[][NUMBER_BYTES],
                      const char **argv)
{
    const uint32_t values[NUMBERS] = {
        job->spec.kind,     job->spec.delay_us,  job->spec.jitter_us, job->spec.distribution,
        job->spec.permille, job->spec.direction, job->spec.seed};
    size_t at = 7;
    for (size_t i = 0; i < NUMBERS + job->peer_count; i++) {
        snprintf(numbers[i], NUMBER_BYTES, "%u", i < NUMBERS ? values[i] : job->peers[i - NUMBERS]);
        argv[at++] = numbers[i];
    }
    argv[at] = NULL;
}

LP_MUST_CHECK static int relay_start(struct lp_faults *faults, struct lp_fault_job *job,
                                     uint32_t network, pid_t *ret_pid, struct lp_err *err)
{
    char program[512], mark[LP_FAULT_MARK_BYTES], tap[32];
    static char numbers[NUMBERS + LP_FAULT_PEERS_MAX][NUMBER_BYTES];
    const char *argv[NUMBERS + LP_FAULT_PEERS_MAX + 8] = {program, "relay", mark};
    struct lp_place netns = lp_place_netns(&faults->env, job->mark.infra_name);
    struct lp_place link = lp_place_veth(job->mark.node, network);
    struct lp_place bridge = lp_place_bridge(network);
    lp_program_again(program, sizeof(program));
    snprintf(tap, sizeof(tap), "r%xn%u", job->mark.node, network);
    lp_fault_worker_mark(faults, job, mark);
    argv[3] = netns.text;
    argv[4] = link.text;
    argv[5] = bridge.text;
    argv[6] = tap;
    argv_fill(job, numbers, argv);
    struct lp_child_spec spec = {.argv = argv, .is_detached = true};
    return lp_children_spawn(faults->children, &spec, job->number, ret_pid, err);
}

// The links' places on their bridges again, once no relay stands there.
LP_MUST_CHECK static int links_restore(struct lp_faults *faults, struct lp_fault_job *job,
                                       struct lp_err *err)
{
    size_t i;
    const json_t *network;
    LP_OWNS_FD int netns_fd = -1;
    if (lp_netns_open(lp_place_netns(&faults->env, job->mark.infra_name).text, &netns_fd, err) < 0)
        return err->code == LP_ENOTFOUND ? 0 : err->code;
    json_array_foreach (json_object_get(job->undo, "networks"), i, network) {
        uint32_t index = (uint32_t)json_integer_value(network);
        if (lp_relay_reattach(netns_fd, lp_place_veth(job->mark.node, index).text,
                              lp_place_bridge(index).text, err) < 0)
            return err->code;
    }
    return 0;
}

static bool relay_end(pid_t pid)
{
    char state = pid ? lp_fault_process_state(pid) : 0;
    if (state == 0 || state == 'Z')
        return true;
    kill(pid, SIGKILL);
    return false;
}

// True once none of them lives.
static bool relays_end(const struct lp_faults *faults, const struct lp_fault_job *job)
{
    bool is_over = true;
    pid_t pids[LP_FAULT_PLACES_MAX];
    for (size_t i = 0; i < json_array_size(json_object_get(job->undo, "relays")); i++)
        is_over = relay_end(relay_pid(faults, job, i)) && is_over;
    size_t count =
        job->is_found ? lp_fault_workers_find(faults, job, "relay", pids, LP_FAULT_PLACES_MAX) : 0;
    for (size_t i = 0; i < count; i++)
        is_over = relay_end(pids[i]) && is_over;
    return is_over;
}

static int relay_inject(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    size_t i, count = json_array_size(json_object_get(job->undo, "networks"));
    // Those of an earlier begin, or of an earlier life of the node, make room.
    for (int tries = 0; !relays_end(faults, job) && tries < 40; tries++)
        usleep(500);
    if (links_restore(faults, job, err) < 0)
        return err->code;
    json_t *pids = json_array();
    int result = 0;
    for (i = 0; i < count && result == 0; i++) {
        pid_t pid = 0;
        const json_t *network = json_array_get(json_object_get(job->undo, "networks"), i);
        result = relay_start(faults, job, (uint32_t)json_integer_value(network), &pid, err);
        json_array_append_new(pids, json_integer(pid));
    }
    json_object_set_new(job->undo, "relays", pids);
    return result == 0 ? lp_fault_job_save(faults, job, err) : result;
}

static int relay_look(struct lp_faults *faults, struct lp_fault_job *job, struct lp_str *ret_seen,
                      struct lp_err *err)
{
    size_t count = json_array_size(json_object_get(job->undo, "relays"));
    for (size_t i = 0; i < count; i++) {
        char path[64];
        LP_OWNS_STR struct lp_str name = {0};
        pid_t pid = relay_pid(faults, job, i);
        char state = pid ? lp_fault_process_state(pid) : 0;
        if (state == 0 || state == 'Z')
            return lp_err_set(err, LP_ECONFLICT,
                              "the relay has ended: another such fault may be on the link already");
        snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
        if (lp_file_read(path, 64, &name, NULL) < 0 ||
            !lp_text_starts(lp_str_text(&name), LP_RELAY_ON))
            return 0;
    }
    lp_str_printf(ret_seen, "frames pass through %zu relay%s", count, count == 1 ? "" : "s");
    return 1;
}

static int relay_undo(struct lp_faults *faults, struct lp_fault_job *job, struct lp_err *err)
{
    if (!relays_end(faults, job))
        return lp_err_set(err, LP_ETIMEOUT, "the relay is ending");
    return links_restore(faults, job, err);
}

const struct lp_fault_hand lp_fault_hand_relay = {
    .prepare = relay_prepare,
    .inject = relay_inject,
    .look = relay_look,
    .undo = relay_undo,
};
