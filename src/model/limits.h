// Every bound in one place. What grows beyond is refused with a reason, never cut silently.
#pragma once

enum {
    // The descriptor, as text.
    LP_DESCRIPTOR_BYTES_MAX = 1024 * 1024,
    LP_YAML_DEPTH_MAX = 32,
    LP_YAML_NODES_MAX = 100 * 1000,      // after aliases are expanded
    LP_YAML_BYTES_MAX = 8 * 1024 * 1024, // text after aliases and variables are expanded
    LP_YAML_KEY_BYTES_MAX = 512,
    LP_YAML_ANCHORS_MAX = 1024,
    LP_DESCRIPTOR_MISTAKES_MAX = 100,
    LP_CANONICAL_BYTES_MAX = 64 * 1024 * 1024, // lp_descriptor_print's text
    LP_NAME_BYTES_MAX = 63, // of an infrastructure, service, network, ...: a DNS label

    // The descriptor, as nouns.
    LP_SERVICES_MAX = 512, // of one infrastructure
    LP_APPS_MAX = 32,      // applications and setup steps of one service
    LP_REPLICAS_MAX = 10000,
    LP_DEPENDS_MAX = 16, // of one service or application
    LP_OBSERVES_MAX = 16,
    LP_NETWORKS_MAX = 16, // of one infrastructure
    LP_VOLUMES_MAX = 1024,
    LP_MOUNTS_MAX = 256,                         // of one service
    LP_PORTS_MAX = 2048,                         // of one service, ranges expanded
    LP_FILES_MAX = 1024,                         // configs, and secrets, of one infrastructure
    LP_CONFIG_BYTES_MAX = 1024 * 1024,           // one config, secret or env_file
    LP_FILES_BYTES_MAX = 8 * 1024 * 1024,        // all files that one descriptor reads as text
    LP_RECIPE_FILE_BYTES_MAX = 64 * 1024 * 1024, // one source file of a build recipe
    LP_TEMPLATE_BYTES_MAX = 4 * 1024 * 1024,     // a rendered template

    LP_FAULTS_MAX = 256, // on purpose, at a time

    // A load.
    LP_LOAD_REQUESTS_MAX = 16, // different ones in a plan
    LP_LOAD_STAGES_MAX = 1000,
    LP_LOAD_STATUSES_MAX = 8,        // ranges that one request expects
    LP_LOAD_SHARES_MAX = 1000,       // sum of the shares of its requests
    LP_LOAD_ARRIVALS_MAX = 20000000, // 32 bytes each
    LP_LOAD_CONNECTIONS_MAX = 16384,
    LP_LOAD_TEXT_BYTES_MAX = 1024 * 1024, // a body or header value that is sent
    LP_LOAD_BODY_BYTES_MAX = 256 * 1024,  // of a reply, as far as it is looked at

    // An experiment.
    LP_EXPERIMENT_LIST_MAX = 64, // stages; steps or checks of one of them
    LP_EXPERIMENT_REPEAT_MAX = 1000,
    LP_TRIAL_STEPS_MAX = 4096, // of one run, after repetitions and choices are written out
    LP_TRIAL_CHECKS_MAX = 512,
    LP_TRIAL_STAGES_MAX = 72,

    LP_PLAN_CAPACITY = 512, // orders of one step; what a full plan leaves over is part of the state

    // The controller's tables, unless the configuration says otherwise.
    LP_INFRAS_DEFAULT = 64,
    LP_TABLE_SERVICES_DEFAULT = 1024,
    LP_TABLE_NODES_DEFAULT = 4096,
    LP_TABLE_APPS_DEFAULT = 8192,
    LP_TABLE_IMAGES_DEFAULT = 256,
    LP_TABLE_HOSTS_DEFAULT = 64,
};
