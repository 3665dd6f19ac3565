// The descriptor: what one file says about an infrastructure, after interpolation, with defaults
// filled in. Plain data in one arena; read-only once parsed. Shape: the Compose Specification plus
// Limpet's keys (applications, setup, build recipes, readiness, reload, templates).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct lp_str;

struct lp_texts {
    const char **items;
    size_t count;
};

struct lp_pair {
    const char *key, *value;
};
struct lp_pairs {
    struct lp_pair *items;
    size_t count;
};

enum lp_check_kind {
    LP_CHECK_NONE,
    LP_CHECK_COMMAND, // argv, run inside the node; exit 0 is healthy
    LP_CHECK_HTTP,    // url; host part "localhost" means the node; 2xx and 3xx are healthy
    LP_CHECK_TCP,     // port accepts a connection
    LP_CHECK_PING,    // the node answers an ICMP echo
};

struct lp_check { // Compose's healthcheck; times in milliseconds
    enum lp_check_kind kind;
    struct lp_texts argv; // COMMAND; CMD-SHELL arrives here as {"/bin/sh", "-c", text}
    const char *url;      // HTTP
    uint16_t port;        // TCP
    uint32_t interval_ms, timeout_ms, start_period_ms, start_interval_ms;
    uint32_t retries; // failures in a row that make a suspicion
};

enum lp_restart_condition { LP_RESTART_NO, LP_RESTART_ON_FAILURE, LP_RESTART_ALWAYS };

struct lp_restart_policy {
    enum lp_restart_condition condition;
    uint32_t delay_ms;     // before the second attempt; doubles from there (back-off)
    uint32_t max_attempts; // within window_ms; 0: no bound
    uint32_t window_ms;
};

enum lp_depend_condition { LP_DEPEND_STARTED, LP_DEPEND_HEALTHY, LP_DEPEND_COMPLETED };

struct lp_depend {
    const char *service;
    const char *app; // NULL: the whole service
    enum lp_depend_condition condition;
};
struct lp_depends {
    struct lp_depend *items;
    size_t count;
};

// What to do when a rendered file of the service changes.
enum lp_reload_kind { LP_RELOAD_RESTART, LP_RELOAD_COMMAND, LP_RELOAD_SIGNAL, LP_RELOAD_NOTHING };
struct lp_reload {
    enum lp_reload_kind kind;
    struct lp_texts argv; // COMMAND, run inside the node
    int signal;           // SIGNAL
};

enum lp_app_kind { LP_APP_SERVE, LP_APP_SETUP };

// One supervised process of a node, or one one-shot setup step. A service's `apps` lists the setup
// steps first, in their order (each waits for the one before), then the applications.
struct lp_app {
    const char *name; // unique in its service; the short form is named after the service
    enum lp_app_kind kind;
    struct lp_texts argv;        // entrypoint and command together; never empty
    const char *working_dir;     // NULL: the image's "/"
    const char *user;            // NULL: root of the node; else name, uid, name:group, uid:gid
    struct lp_pairs environment; // the service's, overlaid by the application's own
    struct lp_depends depends;   // app == NULL with service == own service is refused
    struct lp_check readiness;   // NONE: the health check; NONE there too: ready when started
    struct lp_check health;
    struct lp_restart_policy restart;
    struct lp_reload reload;
    int stop_signal;
    uint32_t stop_grace_ms;
    const char *creates; // SETUP: done when this path exists in the node; NULL: a done-mark
    uint32_t timeout_ms; // SETUP: time limit, default 300 s
};

enum lp_mount_kind { LP_MOUNT_VOLUME, LP_MOUNT_BIND, LP_MOUNT_TMPFS };
struct lp_mount {
    enum lp_mount_kind kind;
    const char *source; // VOLUME: its name; BIND: absolute path on the host; TMPFS: NULL
    const char *target; // absolute path in the node
    bool is_read_only;
    bool has_layer;      // VOLUME: faults of its disk reach what is open already (faults: true)
    uint64_t size_bytes; // TMPFS; 0: no own bound
};

struct lp_port {
    const char *host_ip; // canonical text; NULL: all addresses, IPv4 and IPv6
    uint16_t host_port;  // 0: not published (expose)
    uint16_t node_port;
    bool is_udp;
};

struct lp_file_use {    // a config or secret as a service uses it
    const char *source; // name under configs: or secrets:
    const char *target; // absolute path in the node
    uint32_t uid, gid, mode;
};

struct lp_network_use {
    const char *network;
    struct lp_texts aliases;
    uint32_t address; // wanted IPv4 address in host byte order, 0: any (only with one replica)
};

struct lp_recipe_file {
    const char *path;    // absolute, in the image
    const char *content; // exact bytes as text; NULL when source is set
    const char *source;  // absolute path on the host
    uint32_t mode;
};

struct lp_recipe {    // how Limpet builds an image
    const char *base; // "debian:bookworm" or any image reference, paths absolute
    struct lp_texts packages;
    struct lp_recipe_file *files; // copied before the run steps
    size_t file_count;
    struct lp_texts run; // shell commands, in order
};

enum lp_image_kind {
    LP_IMAGE_HOST,      // this machine's root, read-only, secrets masked
    LP_IMAGE_DIRECTORY, // reference: absolute path
    LP_IMAGE_TAR,       // reference: absolute path
    LP_IMAGE_OCI,       // reference: "path:tag" of an OCI layout
    LP_IMAGE_REGISTRY,  // reference: "name:tag" for skopeo
    LP_IMAGE_RECIPE,    // recipe
};
struct lp_image {
    enum lp_image_kind kind;
    const char *reference;    // as written; for a recipe a generated one
    struct lp_recipe *recipe; // RECIPE only
    const char *hash;         // 64 hex digits: what makes two images the same
};

struct lp_service {
    const char *name;
    struct lp_image image;
    struct lp_app *apps;
    size_t app_count;
    uint32_t replicas;
    const char *hostname;  // NULL: the node's name
    struct lp_port *ports; // published and exposed
    size_t port_count;
    struct lp_mount *mounts;
    size_t mount_count;
    struct lp_file_use *configs, *secrets;
    size_t config_count, secret_count;
    struct lp_depends depends; // gates the start of its nodes; app is NULL
    struct lp_network_use *networks;
    size_t network_count;
    uint64_t memory_bytes;  // limits; 0: none
    uint32_t cpu_permille;  // 1000 is one core; 0: none
    uint32_t pids;          // 0: none
    uint32_t stop_grace_ms; // of the whole node
    bool is_read_only, is_privileged;
    bool is_unbreakable;               // breakable: false: no fault on purpose may be aimed at it
    bool is_clock_adjustable;          // clock: adjustable: its programs load the clock library
    struct lp_texts cap_add, cap_drop; // "CAP_NET_ADMIN", "ALL"
    struct lp_pairs labels;
    struct lp_texts observes; // services whose addresses its templates mention; derived
    bool owns_state;          // has a volume or bind mount that is writable; derived
    // Fingerprint of all that needs a new node when it changes (not: replicas, config contents).
    uint64_t node_hash;
    uint64_t files_hash; // fingerprint of the unrendered contents of its configs
};

struct lp_network {
    const char *name;
    uint32_t subnet; // IPv4 in host byte order; 0: Limpet chooses
    uint32_t prefix; // bits; 0 with subnet 0
    bool has_nat;    // `nat: true`: nodes reach the outside
};

struct lp_config {
    const char *name;
    const char *content; // template, or verbatim text of the file
    bool is_template;    // inline content is; file contents are taken as they are
};

struct lp_secret { // neither file nor content: the canonical text was read, which has no content
    const char *name;
    const char *file;    // absolute path, or NULL
    const char *content; // taken from an environment variable, or NULL; never printed
};

struct lp_descriptor {
    const char *name;
    struct lp_service *services; // in the order of the file
    size_t service_count;
    struct lp_network *networks; // at least "default" when a service uses none
    size_t network_count;
    const char **volumes; // names
    size_t volume_count;
    struct lp_config *configs;
    size_t config_count;
    struct lp_secret *secrets;
    size_t secret_count;
};

struct lp_mistake {
    const char *file;
    int line, column; // 1-based; 0: the whole file
    const char *text; // what is wrong, and what would be right
};
struct lp_mistakes { // in the order of the file; ends at LP_DESCRIPTOR_MISTAKES_MAX
    struct lp_mistake items[100];
    size_t count;
};

struct lp_parse_input {
    const char *path; // for messages, and to resolve relative paths against its folder
    const char *text;
    size_t bytes;
    const struct lp_pairs *environment; // for ${VAR}; the caller has merged .env below it
    const struct lp_texts *profiles;    // enabled ones; services of others are left out
    bool is_canonical; // text is lp_descriptor_print's: no interpolation, paths are absolute
};

// Parse and check a whole descriptor. On success *ret_descriptor lives in arena. On failure
// returns LP_EINPUT, fills mistakes (all of the file, at least one) and err with the first.
// Reads env_file, config files and recipe sources that the descriptor names; nothing else.
LP_MUST_CHECK int lp_descriptor_parse(const struct lp_parse_input *input, struct lp_arena *arena,
                                      struct lp_mistakes *ret_mistakes,
                                      const struct lp_descriptor **ret_descriptor,
                                      struct lp_err *err);

// The one canonical text (JSON, which is YAML): parse(print(d)) equals d, and equal descriptors
// print equal bytes. Secret contents are left out (has_content is kept).
void lp_descriptor_print(const struct lp_descriptor *descriptor, struct lp_str *ret_text);

// May be NULL.
const struct lp_service *lp_descriptor_find_service(const struct lp_descriptor *descriptor,
                                                    const char *name);
const struct lp_app *lp_service_find_app(const struct lp_service *service, const char *name);
