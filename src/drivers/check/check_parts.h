// The check driver's parts as they see each other: one watch per application, one check of it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "drivers/check/http_probe.h"
#include "model/driver.h"

struct lp_init_exec;

enum { LP_CHECK_TEXT_BYTES = 256 };

struct lp_watch {
    uint64_t order_id; // of the order that made it
    // What is watched. Texts stand in `memory`, which the watch owns.
    char *memory;
    uint32_t infra, service, node, app, incarnation, run;
    enum lp_check_kind kind;
    const char *mistake; // the check can never succeed, and why; else NULL
    uint32_t address;    // whom to ask
    uint16_t port;
    const char *netns, *init_socket, *url, *request;
    struct lp_texts argv;
    struct lp_pairs environment;
    const char *user, *working_dir;
    uint32_t interval_ms, timeout_ms, start_period_ms, start_interval_ms;

    // When.
    size_t heap_index;
    int64_t at_ms; // next thing to do: begin a check, or give the running one up
    int64_t born_ms, begun_us, tell_at_ms;
    bool has_succeeded, has_told, was_ok;

    // The running check.
    bool is_running, is_connected, is_raw_ping;
    uint32_t events; // as waited for
    int fd;          // -1: none
    struct lp_init_exec *exec;
    size_t request_sent, drained_bytes;
    uint16_t sequence;
    struct lp_http_answer answer;
    char line[LP_CHECK_TEXT_BYTES]; // the command's first line of output
    size_t line_bytes;
    bool has_line;
};

struct lp_check_outcome {
    bool is_over, is_ok;
    char text[LP_CHECK_TEXT_BYTES * 2];
};

// Begin one check. May be over at once. The watch's fd (or exec's) is to be waited on afterwards.
void lp_check_begin(struct lp_watch *watch, struct lp_check_outcome *ret_outcome);
// Its handle is ready: go on.
void lp_check_go_on(struct lp_watch *watch, struct lp_check_outcome *ret_outcome);
// Its time is over: what is known now is the answer.
void lp_check_give_up(struct lp_watch *watch, struct lp_check_outcome *ret_outcome);
void lp_check_end(struct lp_watch *watch); // close what is open
int lp_check_fd(const struct lp_watch *watch);
uint32_t lp_check_epoll_events(const struct lp_watch *watch); // what to wait for on it now

// Pure: when to look again after an answer at now_ms. Until the first success after a tenth of the
// time waited so far, at least 5 ms (20 ms for a command), at most start_interval (within the start
// period) or interval: readiness is seen at most that late. Afterwards every interval_ms, counted
// from beginning to beginning, at a phase that depends on the node, so that the checks of many
// nodes spread; at once (now_ms) when the check took longer than that. Reads begun_us of the check
// that was answered.
int64_t lp_check_next_ms(const struct lp_watch *watch, int64_t now_ms);
