// One reading of a check, or one activity of the Chaos Toolkit: done in a process of its own, so
// that nothing it waits for can hold an experiment up.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "model/experiment.h"

struct lp_cmd;

struct lp_probe { // of `limpet probe`
    struct lp_cmd *cmd;
    int64_t since_ms; // of the run: what was logged before does not count
    bool is_ok;
    json_t *output;     // what was seen, for a journal; NULL
    struct lp_str text; // the same in words
};

struct lp_http_call {
    const char *url, *method, *body;
    const struct lp_pairs *headers;
    uint32_t timeout_ms;
    bool is_tls_unverified; // whoever answers, whatever certificate it shows
};
struct lp_http_reply {
    int status;
    int64_t took_us;
    struct lp_str body;
    json_t *headers;
};
// Fails with LP_EIO when there is no whole reply in time. The reply is released by the caller.
LP_MUST_CHECK int lp_probe_http(const struct lp_http_call *call, struct lp_http_reply *ret_reply,
                                struct lp_err *err);
void lp_http_reply_release(struct lp_http_reply *reply);
// From here on this process is inside the network of the infrastructure.
LP_MUST_CHECK int lp_probe_network_enter(const struct lp_cmd *cmd, struct lp_err *err);
// The address of a node, and where this machine reaches the port of a service.
LP_MUST_CHECK int lp_probe_node_address(struct lp_cmd *cmd, const char *node,
                                        const char **ret_address, struct lp_err *err);
LP_MUST_CHECK int lp_probe_service_port(struct lp_cmd *cmd, const char *service, uint16_t port,
                                        const char **ret_address, struct lp_err *err);

// Each takes one reading. A bad one is no error; an error becomes a bad one.
LP_MUST_CHECK int lp_probe_check(struct lp_probe *probe, const struct lp_experiment_check *check,
                                 struct lp_err *err);
// Of http and metric, prometheus (probe_web.c).
LP_MUST_CHECK int lp_probe_web(struct lp_probe *probe, const struct lp_experiment_check *check,
                               struct lp_err *err);
LP_MUST_CHECK int lp_probe_metric(struct lp_probe *probe, const struct lp_experiment_check *check,
                                  struct lp_err *err);
// An activity; without a tolerance it is good when it could be done (probe_activity.c).
LP_MUST_CHECK int lp_probe_activity(struct lp_probe *probe,
                                    const struct lp_experiment_activity *activity,
                                    struct lp_err *err);
bool lp_probe_regex_matches(const char *regex, const char *text);
