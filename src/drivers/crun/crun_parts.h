// What the files of the container driver share: its rows and the steps of a node's life.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "drivers/crun/bundle.h"
#include "drivers/crun/cgroup.h"
#include "drivers/companion.h"
#include "drivers/child.h"
#include "drivers/crun/init_link.h"
#include "drivers/crun/node_mark.h"
#include "drivers/crun/node_space.h"
#include "drivers/place.h"
#include "model/driver.h"
#include "model/limits.h"

struct lp_init_exec;

enum {
    LP_CRUN_START_MS = 30 * 1000, // crun itself: then it hangs
    LP_CRUN_HELLO_MS = 10 * 1000, // a new limpet-init, under load
    LP_CRUN_ADOPT_MS = 3 * 1000,  // one that ran already
    LP_CRUN_IDLE_MS = 3 * 1000,   // nothing heard for so long: ask
    LP_CRUN_MUTE_MS = 4 * 1000,   // asked, and nothing heard: mute
    LP_CRUN_FENCE_MS = 200,       // kill again, and look again
    LP_CRUN_RELOAD_MS = 30 * 1000,
};

enum lp_crun_phase {
    LP_CRUN_DEAD,     // nothing of it runs; its folder may exist
    LP_CRUN_QUEUED,   // prepared, waits for its turn to start
    LP_CRUN_STARTING, // crun works
    LP_CRUN_WAITING,  // runs; limpet-init has not said hello yet
    LP_CRUN_UP,
};

struct lp_crun_layer { // a volume whose disk may fail on purpose, from the node's start on
    struct lp_node_mount *mount;
    const char *source, *target;
};

struct lp_crun_start { // what is needed between START_NODE and the first hello
    struct lp_arena arena;
    uint64_t action_id;
    struct lp_bundle bundle;
    struct lp_node_stage stage;
    struct lp_attachment *attachments;
    size_t attachment_count;
    struct lp_crun_layer *layers;
    size_t layer_count;
    uint32_t cpu_permille;
    int user_fd, net_fd, listen_fd;
};

struct lp_crun_reload { // a reload command that runs in the node
    struct lp_init_exec *exec;
    const char *app; // in the node's render arena
    bool is_over;
};

struct lp_crun_render {
    struct lp_arena arena;
    uint64_t revision;
    struct lp_crun_reload *reloads;
    size_t count, left;
    int64_t deadline_ms;
    struct lp_str trouble; // what went wrong, for the event's text
};

struct lp_crun_served { // a layer that a volume of a living node has
    int pidfd;
    char *target; // heap
};

struct lp_crun_node {
    struct lp_node_mark mark;
    enum lp_crun_phase phase;
    bool is_fencing;  // death ordered, not confirmed
    bool is_removing; // and its objects are to go
    bool is_adopting; // what its limpet-init tells about applications is news to the engine
    bool is_mute;     // told so
    bool owes_up;     // it answers again, which is told when its applications were
    bool has_failed;  // the start failed; failure says why
    bool is_oom;
    bool has_stragglers; // its crun was killed: what that had begun may still be at work
    pid_t pid;
    int pidfd; // -1: none
    struct lp_init_link *link;
    bool waits_writable;
    uint32_t runs[LP_APPS_MAX]; // the last start of each application that was told
    uint64_t oom_kills;         // seen so far
    int32_t status;
    int64_t deadline_ms;        // of hello, of stopping, of the next look while fencing; INT64_MAX
    int64_t heard_ms, asked_ms; // asked_ms 0: not waiting for an answer
    struct lp_crun_start *start;
    struct lp_crun_render *render;
    struct lp_crun_served *served; // heap
    size_t served_count;
    char *failure; // heap; of the last start, or why it had to end
};

struct lp_crun_event {
    struct lp_event event;
    char *text; // heap
};

struct lp_crun {
    struct lp_driver_env env; // own copies
    struct lp_cgroup_layout cgroups;
    struct lp_children *children;
    int epoll_fd, wake_fd, timer_fd;
    int program_fd; // crun itself, for children; -1: not opened, or found by its name
    const char *stage_folder;
    char init_path[LP_COMPANION_PATH_MAX];
    struct lp_crun_node **nodes; // by node id; NULL: unknown
    size_t node_capacity;
    uint32_t *queue; // node ids in order of START_NODE
    size_t queue_count, queue_capacity, starting_count, starting_max;
    struct lp_crun_event *events;
    size_t event_count, event_capacity;
    size_t adopting_count; // hello not heard of yet
    bool is_synced;
    int64_t timer_ms;       // when the timer is set to; INT64_MAX: not
    uint64_t folder_serial; // of ".gone-N"
};

// crun_rows.c: the nodes, the events owed, the waiting.
struct lp_crun_node *lp_crun_find(const struct lp_crun *crun, uint32_t node); // may be NULL
struct lp_crun_node *lp_crun_add(struct lp_crun *crun, const struct lp_node_mark *mark);
// An event about the node, and how to fill one in further. text is copied; may be NULL.
struct lp_event *lp_crun_put(struct lp_crun *crun, const struct lp_crun_node *node,
                             enum lp_event_kind kind, const char *text);
enum lp_crun_watch {
    LP_CRUN_WATCH_PIDFD = 1,
    LP_CRUN_WATCH_LINK,
    LP_CRUN_WATCH_EXEC,
    LP_CRUN_WATCH_LAYER
};
LP_MUST_CHECK int lp_crun_watch(struct lp_crun *crun, const struct lp_crun_node *node,
                                enum lp_crun_watch kind, int fd, struct lp_err *err);
void lp_crun_wake_at(struct lp_crun *crun, int64_t at_ms);
void lp_crun_synced_check(struct lp_crun *crun);

// crun_prepare.c: START_NODE up to the queue: the folder, the files, what config.json will say.
LP_MUST_CHECK int lp_crun_prepare(struct lp_crun *crun, struct lp_crun_node *node,
                                  const struct lp_order *order, struct lp_err *err);
void lp_crun_start_free(struct lp_crun_node *node);

// crun_start.c: from the queue to limpet-init's hello.
LP_MUST_CHECK int lp_crun_start_begin(struct lp_crun *crun, const struct lp_order *order,
                                      struct lp_err *err);
void lp_crun_start_next(struct lp_crun *crun); // start what may start now
void lp_crun_start_ended(void *context, const struct lp_child_exit *exit); // crun or rm ended
void lp_crun_start_fail(struct lp_crun *crun, struct lp_crun_node *node, const char *why);
void lp_crun_failure_note(struct lp_crun_node *node, const char *why);
// SIGKILL to whatever of a crun still works on the node: its worker is in a session of its own, and
// goes on when the crun that was started is killed. Was there any? Ask until there is none.
bool lp_crun_stragglers_kill(const struct lp_crun *crun, const struct lp_node_mark *mark);

// crun_layer.c: the layers of a node's volumes.
LP_MUST_CHECK int lp_crun_layers_start(struct lp_crun *crun, struct lp_crun_node *node,
                                       struct lp_err *err);
// Let go of their mounts: those that are not in the node by now are gone, and who serves them ends.
void lp_crun_layers_release(struct lp_crun_start *start);
// Of a node that answers: a layer that ends while its mount is there leaves a volume that is dead,
// and so is the node then.
void lp_crun_layers_watch(struct lp_crun *crun, struct lp_crun_node *node);
void lp_crun_layers_check(struct lp_crun *crun, struct lp_crun_node *node); // one has ended
void lp_crun_layers_forget(struct lp_crun_node *node);
enum { LP_CRUN_LAYER_TAG = 2 }; // upper half of a layer's tag as a child

// crun_life.c: alive, mute, dead, gone.
LP_MUST_CHECK int lp_crun_link(struct lp_crun *crun, struct lp_crun_node *node, struct lp_err *err);
void lp_crun_unlink(struct lp_crun *crun, struct lp_crun_node *node);
void lp_crun_forget(struct lp_crun *crun, struct lp_crun_node *node); // frees it and all it holds
LP_MUST_CHECK int lp_crun_attach(struct lp_crun *crun, struct lp_crun_node *node,
                                 struct lp_err *err); // pidfd of the running node
// REMOVE_NETWORK: what of the infrastructure outlived its nodes. No reply.
LP_MUST_CHECK int lp_crun_infra_remove(struct lp_crun *crun, const struct lp_order *order,
                                       struct lp_err *err);
LP_MUST_CHECK int lp_crun_life_begin(struct lp_crun *crun, const struct lp_order *order,
                                     struct lp_err *err); // STOP_, FENCE_, REMOVE_NODE
void lp_crun_fence(struct lp_crun *crun, struct lp_crun_node *node);
void lp_crun_process_ended(struct lp_crun *crun, struct lp_crun_node *node);
void lp_crun_tick(struct lp_crun *crun, struct lp_crun_node *node, int64_t now_ms);
void lp_crun_set_mute(struct lp_crun *crun, struct lp_crun_node *node);
// The child that removed a node's folder has ended.
void lp_crun_folder_removed(struct lp_crun *crun, uint32_t node, int status);
// Remove a folder that was set aside in a child of its own; node LP_NONE: tell nobody.
LP_MUST_CHECK int lp_crun_folder_remove(struct lp_crun *crun, const char *path, uint32_t node,
                                        struct lp_err *err);

// crun_app.c: applications and what limpet-init tells.
LP_MUST_CHECK int lp_crun_app_begin(struct lp_crun *crun, const struct lp_order *order,
                                    struct lp_err *err);
void lp_crun_link_ready(struct lp_crun *crun, struct lp_crun_node *node);

// crun_render.c: RENDER.
LP_MUST_CHECK int lp_crun_render_begin(struct lp_crun *crun, const struct lp_order *order,
                                       struct lp_err *err);
void lp_crun_render_ready(struct lp_crun *crun, struct lp_crun_node *node);
void lp_crun_render_tick(struct lp_crun *crun, struct lp_crun_node *node, int64_t now_ms);
void lp_crun_render_drop(struct lp_crun_node *node);

// crun_adopt.c: what runs already.
LP_MUST_CHECK int lp_crun_adopt(struct lp_crun *crun, struct lp_err *err);
