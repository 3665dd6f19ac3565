// Every bound in one place. What grows beyond is refused with a reason, never cut silently.
#pragma once

enum {
    // The descriptor, as text.
    LP_DESCRIPTOR_BYTES_MAX = 1024 * 1024,
    LP_YAML_DEPTH_MAX = 32,
    LP_YAML_NODES_MAX = 100 * 1000, // after aliases are expanded
    LP_DESCRIPTOR_MISTAKES_MAX = 100,
    LP_NAME_BYTES_MAX = 63, // of an infrastructure, service, network, ...: a DNS label

    // The descriptor, as nouns.
    LP_SERVICES_MAX = 512, // of one infrastructure
    LP_APPS_MAX = 32,      // applications and setup steps of one service
    LP_REPLICAS_MAX = 10000,
    LP_DEPENDS_MAX = 16, // of one service or application
    LP_OBSERVES_MAX = 16,
    LP_NETWORKS_MAX = 16,
    LP_TEMPLATE_BYTES_MAX = 4 * 1024 * 1024, // a rendered template

    // The controller's tables, unless the configuration says otherwise.
    LP_INFRAS_DEFAULT = 64,
    LP_TABLE_SERVICES_DEFAULT = 1024,
    LP_TABLE_NODES_DEFAULT = 4096,
    LP_TABLE_APPS_DEFAULT = 8192,
    LP_TABLE_IMAGES_DEFAULT = 256,
    LP_TABLE_HOSTS_DEFAULT = 64,
};
