// The network driver's parts as they see each other: one row per infrastructure, its helpers.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"
#include "drivers/child.h"
#include "drivers/network/dnsmasq.h"
#include "drivers/network/network_mark.h"
#include "model/driver.h"

enum lp_helper_kind { LP_HELPER_NAMES, LP_HELPER_PORTS, LP_HELPERS };

struct lp_helper { // dnsmasq or the forwarder
    pid_t pid;     // 0: does not run
    int pidfd;     // -1 then
    bool is_wanted;
    bool is_killed;                    // by us: its end is no news
    bool has_spoken;                   // it answered once: only then may it get SIGHUP
    uint32_t endings;                  // one soon after the other
    int64_t started_ms, restart_at_ms; // INT64_MAX: not due
    int status;                        // of the last end; -1: not known
};

enum lp_network_phase {
    LP_NETWORK_BEGUN,    // something may exist
    LP_NETWORK_STARTING, // all is there; dnsmasq has not answered yet
    LP_NETWORK_READY,
    LP_NETWORK_REMOVING, // waits for its helpers to be dead
};

struct lp_infra_net { // a network as the daemon knows it
    struct lp_network_mark mark;
    enum lp_network_phase phase;
    struct lp_helper helpers[LP_HELPERS];
    int64_t started_ms; // STARTING: since when

    int names_fd; // asks dnsmasq; -1: closed
    char marker[LP_NAMES_MARKER_BYTES];
    bool names_in_force;
    uint16_t question;
    uint32_t questions; // asked since the names changed
    int64_t ask_at_ms;  // INT64_MAX: not due

    uint64_t revision;  // wanted
    bool is_reply_owed; // PUBLISHED has not been said
    bool has_ports;
    uint64_t ports_revision; // the forwarder's
    int64_t hup_at_ms;       // forwarder: again then; INT64_MAX: not due
    int folder_watch;        // inotify; -1
    struct lp_str trouble;   // ports that could not be had, as told last
};

struct lp_network_event {
    enum lp_event_kind kind;
    uint32_t infra;
    uint64_t revision;
    char *text; // heap or NULL
};

struct lp_network_driver {
    struct lp_driver_env env;
    char *root, *root_id;
    char program[4096]; // what is started as "PROGRAM forward CONF"
    int epoll_fd, wake_fd, timer_fd, inotify_fd, host_fd;
    struct lp_children *children; // only to reap those that are ours
    struct lp_infra_net **rows;   // slots; NULL: free
    size_t row_capacity;
    struct lp_network_event *events;
    size_t event_count, event_capacity;
};

void lp_network_put(struct lp_network_driver *driver, const struct lp_infra_net *row,
                    enum lp_event_kind kind, const char *text);

struct lp_infra_net *lp_network_row_add(struct lp_network_driver *driver,
                                        const struct lp_network_mark *mark);
// Take over what exists, and tell of it; ends with DRIVERS_SYNCED (network_adopt.c).
void lp_network_adopt(struct lp_network_driver *driver);

// Helpers (network_helper.c).
LP_MUST_CHECK int lp_helper_start(struct lp_network_driver *driver, struct lp_infra_net *row,
                                  enum lp_helper_kind kind, struct lp_err *err);
void lp_helper_kill(struct lp_helper *helper);    // SIGKILL; its end is still to be noticed
void lp_helper_hang_up(struct lp_helper *helper); // SIGHUP, when it can take it
LP_MUST_CHECK int lp_helper_watch(struct lp_network_driver *driver, struct lp_infra_net *row,
                                  enum lp_helper_kind kind, pid_t pid, struct lp_err *err);
// Forget a helper that ended, and when it is wanted say when to start it again. Returns false when
// it still runs.
bool lp_helper_reap(struct lp_helper *helper);
const char *lp_helper_word(enum lp_helper_kind kind);
// Find the helpers of an earlier daemon, of all rows, in one look over /proc; those that live in a
// namespace that is gone, or that nobody knows, are killed.
void lp_helpers_adopt(struct lp_network_driver *driver);

// Namespace, links, rules, files (network_build.c).
LP_MUST_CHECK int lp_network_mark_save(struct lp_network_driver *driver,
                                       const struct lp_infra_net *row, struct lp_err *err);
// Make all but the processes. *ret_names_changed: dnsmasq has to be started anew.
LP_MUST_CHECK int lp_network_build(struct lp_network_driver *driver, struct lp_infra_net *row,
                                   const struct lp_network_mark *wanted, bool *ret_is_changed,
                                   struct lp_err *err);
// Remove all but the processes, which are dead already.
LP_MUST_CHECK int lp_network_clear(struct lp_network_driver *driver, struct lp_infra_net *row,
                                   struct lp_err *err);

// Names and ports (network_publish.c).
LP_MUST_CHECK int lp_network_names_write(struct lp_network_driver *driver, struct lp_infra_net *row,
                                         const struct lp_order *order, struct lp_err *err);
LP_MUST_CHECK int lp_network_ports_write(struct lp_network_driver *driver, struct lp_infra_net *row,
                                         const struct lp_order *order, struct lp_err *err);
void lp_network_ask(struct lp_network_driver *driver, struct lp_infra_net *row);
void lp_network_listen(struct lp_network_driver *driver, struct lp_infra_net *row);
void lp_network_ports_read(struct lp_network_driver *driver, struct lp_infra_net *row);
// Say PUBLISHED when names and ports are in force and it is owed.
void lp_network_settle(struct lp_network_driver *driver, struct lp_infra_net *row);

// What an epoll event stands for: a slot and one of these.
enum lp_network_source {
    LP_SOURCE_WAKE,
    LP_SOURCE_TIMER,
    LP_SOURCE_CHILDREN,
    LP_SOURCE_FOLDER,
    LP_SOURCE_NAMES,  // with slot
    LP_SOURCE_HELPER, // with slot
};
LP_MUST_CHECK int lp_network_watch(struct lp_network_driver *driver, int fd,
                                   const struct lp_infra_net *row, enum lp_network_source source,
                                   struct lp_err *err);
