// An experiment: what is set up, broken, healed and cleaned up, and what must hold in between.
// Read from Limpet's own files and from those of the Chaos Toolkit (docs/experiments.md).
// Source: [S0] 5 (stages and checks); Chaos Toolkit, reference/api/experiment.md.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/fault.h"
#include "model/load.h"

struct lp_mistakes;
struct lp_yaml_node;

enum lp_experiment_check_kind {
    LP_EXPERIMENT_HTTP,      // a reply over HTTP is as expected
    LP_EXPERIMENT_TCP,       // a connection is accepted
    LP_EXPERIMENT_PING,      // an ICMP echo is answered
    LP_EXPERIMENT_EXEC,      // a command ends as expected, here or in a node
    LP_EXPERIMENT_NODE,      // the controller's word for a node
    LP_EXPERIMENT_LOG,       // an application has written a line since the run began
    LP_EXPERIMENT_METRIC,    // a count of the controller's, or a page of Prometheus text
    LP_EXPERIMENT_PROMQL,    // a query to a Prometheus
    LP_EXPERIMENT_TOLERANCE, // a probe of the Chaos Toolkit with its tolerance
    LP_EXPERIMENT_CHECKS
};
extern const char *const lp_experiment_check_words[LP_EXPERIMENT_CHECKS];

enum lp_experiment_until { // how long a check has to hold
    LP_EXPERIMENT_FOR,     // for_ms
    LP_EXPERIMENT_FAULTS_END,
    LP_EXPERIMENT_LOAD_END,
};

enum lp_tolerance_kind {
    LP_TOLERANCE_EQUAL,  // to values[0]
    LP_TOLERANCE_RANGE,  // least to most, inclusive
    LP_TOLERANCE_ONE_OF, // values
    LP_TOLERANCE_REGEX,
    LP_TOLERANCE_JSONPATH,
    LP_TOLERANCE_PROBE, // a probe of its own
};
struct lp_tolerance {
    enum lp_tolerance_kind kind;
    struct lp_texts values; // as JSON
    double least, most;
    const char *pattern; // REGEX, JSONPATH
    const char *target;  // status, body, stdout, ...; NULL: the value itself
    bool has_count;      // JSONPATH: exactly so many matches
    uint64_t count;
    struct lp_experiment_activity *probe;
};

struct lp_experiment_activity { // of the Chaos Toolkit
    bool is_http;               // else a process
    const char *url, *method;
    struct lp_pairs headers;
    const char *body; // NULL: none
    struct lp_texts argv;
    uint32_t timeout_ms;
    int expected_status; // 0: any
    bool is_tls_unverified;
    bool takes_value;               // as a tolerance: the judged output is its argument `value`
    struct lp_tolerance *tolerance; // NULL: none
};

struct lp_experiment_check {
    enum lp_experiment_check_kind kind;
    const char *name;   // always there
    const char *source; // as it was written, JSON: lp_experiment_check_read reads it again
    int line, column;   // where it stands in the file
    // Where: a URL; a service by the port it publishes; a node, from inside its network.
    const char *url, *service, *node;
    const char *host; // PING, TCP: an address
    uint16_t port;
    const char *path; // of HTTP
    const char *method, *body;
    struct lp_pairs headers;
    struct lp_load_statuses statuses[LP_LOAD_STATUSES_MAX];
    size_t status_count;
    const char *contains, *regex;
    const char *json_path, *json_equals; // equals NULL: it is enough that it is there
    uint32_t latency_ms;                 // slower is bad; 0: any
    struct lp_texts argv;
    int exit_code;              // EXEC
    const char *is;             // NODE: a word for its health or state
    const char *metric, *query; // METRIC, PROMQL
    bool has_least, has_most;   // METRIC, PROMQL
    double least, most;
    struct lp_experiment_activity *activity; // TOLERANCE

    uint32_t within_ms;  // the time for which it must hold begins at most so late; 0: at once
    uint32_t for_ms;     // it holds at every reading for so long; 0: one good reading
    uint32_t every_ms;   // from the beginning of a reading to that of the next
    uint32_t timeout_ms; // of one reading
    enum lp_experiment_until until;
    bool is_failure_expected; // good when the reading is bad
};

enum lp_experiment_step_kind {
    LP_EXPERIMENT_BREAK,
    LP_EXPERIMENT_HEAL,
    LP_EXPERIMENT_RUN, // exec
    LP_EXPERIMENT_SCALE,
    LP_EXPERIMENT_RESTART,
    LP_EXPERIMENT_UP,
    LP_EXPERIMENT_DOWN,
    LP_EXPERIMENT_WAIT,
    LP_EXPERIMENT_ASK,
    LP_EXPERIMENT_SWIZZLE, // break a random subset one by one, heal it in another random order
    LP_EXPERIMENT_REPEAT,
    LP_EXPERIMENT_RANDOM,
    LP_EXPERIMENT_REQUEST, // an activity of the Chaos Toolkit
    LP_EXPERIMENT_STEPS
};
extern const char *const lp_experiment_step_words[LP_EXPERIMENT_STEPS];

struct lp_experiment_steps {
    struct lp_experiment_step *items;
    size_t count;
};

struct lp_experiment_step {
    enum lp_experiment_step_kind kind;
    const char *name;     // always there
    const char *source;   // as it was written, JSON
    int line, column;     // where it stands in the file
    const char *target;   // of BREAK, HEAL, RESTART, DOWN; UP: a file; SWIZZLE: a service
    const char *fault;    // BREAK, SWIZZLE: its word
    const char *duration; // of the fault; never without a bound; NULL: the default of its kind
    const char *select;   // BREAK of a service
    struct lp_pairs options;
    struct lp_texts argv, undo; // RUN; undo: empty, or what cleanup runs
    const char *node;           // RUN: NULL: this machine
    uint32_t replicas;          // SCALE
    uint32_t timeout_ms;        // 0: none
    uint32_t wait_ms;           // WAIT; SWIZZLE, REPEAT: between one and the next
    bool is_wait_of_load;       // WAIT: until the load is so old
    const char *question;       // ASK
    uint32_t count;             // REPEAT: how often; RANDOM: how many are picked
    uint32_t share_permille;    // SWIZZLE: of the nodes
    bool has_seed;
    uint64_t seed;
    uint32_t weight; // among the choices of a RANDOM
    struct lp_experiment_steps inner;
    struct lp_experiment_activity *activity; // REQUEST
    bool is_background;                      // the next one does not wait for it
    bool may_fail;                           // its failure says nothing
};

struct lp_experiment_checks {
    struct lp_experiment_check *items;
    size_t count;
};

enum lp_experiment_stage_kind {
    LP_EXPERIMENT_SETUP,
    LP_EXPERIMENT_BREAKING,
    LP_EXPERIMENT_HEALING,
    LP_EXPERIMENT_CLEANUP,
    LP_EXPERIMENT_STAGES
};
extern const char *const lp_experiment_stage_words[LP_EXPERIMENT_STAGES];

struct lp_experiment_stage {
    enum lp_experiment_stage_kind kind;
    const char *name; // the word of its kind, when it has none of its own
    struct lp_experiment_steps steps;
    struct lp_experiment_checks checks;
};

enum lp_experiment_requirement_kind {
    LP_REQUIRES_COMMAND, // a program in the PATH
    LP_REQUIRES_FAULT,   // a kind of fault that this Limpet and machine can inject
    LP_REQUIRES_RUNTIME, // a kind of node: container, vm
    LP_REQUIRES_FILE,
    LP_REQUIRES_ENV,
    LP_REQUIRES_MEMORY, // bytes that are available
    LP_REQUIRES_KINDS
};
struct lp_experiment_requirement {
    enum lp_experiment_requirement_kind kind;
    const char *value;
    uint64_t bytes;
};

struct lp_experiment_requirements {
    struct lp_experiment_requirement *items;
    size_t count;
};

struct lp_experiment_variant { // one of those that are compared
    const char *name;          // NULL: follows from the infrastructure
    const char *infrastructure;
    struct lp_experiment_requirements requires; // of this one alone
    struct lp_pairs set;                        // what ${NAME} stands for in this one
    bool is_left_whole; // nothing is broken in it: the reference run of the others
};

struct lp_experiment_reference { // a figure of others, to be put beside ours
    const char *what, *value, *source;
    const char *differs;          // in the set-up; NULL
    const char *variant, *figure; // which of ours stands beside it; NULL: the first; none
};

struct lp_experiment {
    const char *title, *description; // description may be NULL
    const char *path;
    bool is_chaos_toolkit;
    bool has_controls;          // of the Chaos Toolkit: they are not run
    const char *source;         // the whole file as JSON
    const char *infrastructure; // a file or the name of a running one; NULL: none is needed
    struct lp_experiment_variant *compare;
    size_t compare_count;
    struct lp_experiment_requirements requires;
    struct lp_experiment_checks steady; // before and after
    uint32_t steady_for_ms, steady_within_ms;
    bool has_load;
    struct lp_load load;
    struct lp_experiment_stage *stages;
    size_t stage_count;
    struct lp_experiment_checks guards;
    uint32_t repeat;
    bool has_seed;
    uint64_t seed;
    struct lp_experiment_reference *references;
    size_t reference_count;
};

struct lp_experiment_input {
    const char *path; // for messages, and to resolve relative paths against its folder
    const char *text;
    size_t bytes;
    const struct lp_pairs *variables; // for ${NAME}
};

// Read a file of either dialect. All that lives in arena. LP_EINPUT: ret_mistakes has every
// mistake of the file with its place, and err the first one.
LP_MUST_CHECK int lp_experiment_parse(const struct lp_experiment_input *input,
                                      struct lp_arena *arena, struct lp_mistakes *ret_mistakes,
                                      struct lp_experiment *ret_experiment, struct lp_err *err);
// Read the source of one check again.
LP_MUST_CHECK int lp_experiment_check_read(const char *source, struct lp_arena *arena,
                                           struct lp_experiment_check *ret_check,
                                           struct lp_err *err);
// The same for the source of an activity of the Chaos Toolkit.
LP_MUST_CHECK int lp_experiment_activity_read(const char *source, struct lp_arena *arena,
                                              struct lp_experiment_activity *ret_activity,
                                              struct lp_err *err);
// A tree of YAML as JSON text.
void lp_yaml_print_json(const struct lp_yaml_node *node, struct lp_str *ret_text);
