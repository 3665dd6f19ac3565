// The inside of the clock library, which a node's programs load (LD_PRELOAD) when the service says
// `clock: adjustable`. It answers for the C library's clock functions: the machine's time, changed
// by what the page says. It needs no C library itself, so that programs of any may load it.
// What is reached and what is not: docs/faults.md.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "model/clock_page.h"

enum lp_clock_kind { LP_CLOCK_REAL, LP_CLOCK_MONOTONIC, LP_CLOCK_OTHER };

#define LP_CLOCK_EXPORT __attribute__((visibility("default")))
enum { LP_CLOCK_SECOND_NS = 1000000000 };

// clock_machine.c: the machine's clocks. 0 or -errno.
long lp_clock_machine(clockid_t id, struct timespec *ret_at);
int64_t lp_clock_machine_ns(clockid_t id); // of clocks that are always there

// clock_setting.c: what the page says. False: the clocks are the machine's.
bool lp_clock_setting_find(struct lp_clock_setting *ret_setting);
enum lp_clock_kind lp_clock_kind_of(clockid_t id);
// How far the node's clock of that kind is ahead of the machine's, at a moment of the machine's
// CLOCK_MONOTONIC.
int64_t lp_clock_ahead_ns(const struct lp_clock_setting *setting, enum lp_clock_kind kind,
                          int64_t monotonic_ns);
// A deadline on the node's clock as one on the machine's. Those that a clock cannot reach are left
// as they are.
struct timespec lp_clock_deadline(enum lp_clock_kind kind, const struct timespec *deadline);
// Which clock is a deadline of? The time since the machine began is far from that since 1970.
enum lp_clock_kind lp_clock_deadline_kind(const struct timespec *deadline);

// clock_next.c: the C library's own function of that name, found once and kept in *cache (NULL: it
// has none), and its errno.
void *lp_clock_next(const char *name, void **cache);
int lp_clock_fail(long code); // -errno as the kernel gives it: sets errno, returns -1
