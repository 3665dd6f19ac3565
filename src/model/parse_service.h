// The reader of one service: drafts that collect its keys until all of them are known.
#pragma once

#include "model/parse.h"

struct lp_app_draft {
    struct lp_app app; // argv and environment are set last
    struct lp_texts entrypoint, command;
    struct lp_pairs inherited;   // environment of the service
    struct lp_pairs environment; // own
    bool has_restart;            // `restart` was given here
    bool has_command;            // command or entrypoint
    bool is_command_wrong;       // which was told already
};

struct lp_service_draft {
    struct lp_app_draft base; // first: the keys that services and applications share read into it
    struct lp_service *service;
    struct lp_pairs env_file;
    struct lp_yaml_node *applications, *setup, *scale, *check;
    bool has_grace;
    bool has_unknown; // an unknown key: it may have been meant to be what is missing
};

void lp_parse_service(struct lp_reader *reader, const struct lp_yaml_node *key,
                      struct lp_yaml_node *value, struct lp_service *ret_service);
// Applications and setup steps, from the long or the short form (parse_app.c).
void lp_parse_apps(struct lp_reader *reader, const struct lp_yaml_node *key,
                   const struct lp_service_draft *draft);

// Readers of keys. into: struct lp_app_draft (parse_app.c) ...
lp_key_read lp_read_command, lp_read_entrypoint, lp_read_environment, lp_read_working_dir,
    lp_read_user, lp_read_stop_signal, lp_read_stop_grace;
// ... (parse_check.c) ...
lp_key_read lp_read_healthcheck, lp_read_readiness;
// ... (parse_policy.c) ...
lp_key_read lp_read_restart, lp_read_restart_policy, lp_read_reload;
// ... or struct lp_depends (parse_depend.c) ...
lp_key_read lp_read_depends;
// ... or struct lp_service_draft (parse_port.c, parse_mount.c, parse_use.c, parse_env_file.c,
// parse_deploy.c).
lp_key_read lp_read_ports, lp_read_expose, lp_read_volumes, lp_read_tmpfs, lp_read_configs,
    lp_read_secrets, lp_read_networks, lp_read_env_file, lp_read_deploy, lp_read_scale;
// image and build of a service (parse_image.c).
void lp_parse_image(struct lp_reader *reader, const struct lp_yaml_node *key,
                    const struct lp_yaml_node *service, struct lp_image *ret_image);
void lp_restart_default(struct lp_restart_policy *ret_policy);
