// The keys of the Compose Specification that Limpet does not support, each with what to do
// instead where there is something. docs/descriptor.md lists them too.
#include "model/parse.h"

#define TABLE(name)                             \
    const size_t name##_count = LP_COUNT(name); \
    _Static_assert(LP_COUNT(name) > 0, "empty table")

const struct lp_refused lp_compose_top[] = {
    {"include", "put all services in one file"},
    {"models", NULL},
};
TABLE(lp_compose_top);

const struct lp_refused lp_compose_service[] = {
    {"annotations", "use labels"},
    {"attach", "read output with 'limpet logs'"},
    {"blkio_config", NULL},
    {"cgroup", NULL},
    {"cgroup_parent", NULL},
    {"container_name", "nodes are named SERVICE-1, SERVICE-2, ..."},
    {"cpu_count", "use deploy.resources.limits.cpus"},
    {"cpu_percent", "use deploy.resources.limits.cpus"},
    {"cpu_period", "use deploy.resources.limits.cpus"},
    {"cpu_quota", "use deploy.resources.limits.cpus"},
    {"cpu_rt_period", NULL},
    {"cpu_rt_runtime", NULL},
    {"cpu_shares", "use deploy.resources.limits.cpus"},
    {"cpus", "use deploy.resources.limits.cpus"},
    {"cpuset", NULL},
    {"credential_spec", NULL},
    {"develop", NULL},
    {"device_cgroup_rules", NULL},
    {"devices", "use 'privileged: true' for trusted nodes"},
    {"dns", "names resolve by Limpet's own DNS"},
    {"dns_opt", NULL},
    {"dns_search", NULL},
    {"domainname", NULL},
    {"driver_opts", NULL},
    {"extends", "use YAML anchors and '<<'"},
    {"external_links", NULL},
    {"extra_hosts", "put the file under configs with target /etc/hosts"},
    {"gpus", NULL},
    {"group_add", NULL},
    {"ipc", NULL},
    {"isolation", NULL},
    {"label_file", "use labels"},
    {"links", "services on one network find each other by name"},
    {"logging", "output is kept; read it with 'limpet logs'"},
    {"mac_address", "the address decides it"},
    {"mem_limit", "use deploy.resources.limits.memory"},
    {"mem_reservation", NULL},
    {"mem_swappiness", NULL},
    {"memswap_limit", NULL},
    {"models", NULL},
    {"network_mode", "use networks"},
    {"oom_kill_disable", NULL},
    {"oom_score_adj", NULL},
    {"pid", NULL},
    {"pids_limit", "use deploy.resources.limits.pids"},
    {"platform", NULL},
    {"post_start", "use setup"},
    {"pre_stop", NULL},
    {"provider", NULL},
    {"pull_policy", NULL},
    {"runtime", NULL},
    {"security_opt", NULL},
    {"shm_size", "mount a tmpfs on /dev/shm with a size"},
    {"stdin_open", NULL},
    {"storage_opt", NULL},
    {"sysctls", NULL},
    {"tty", NULL},
    {"ulimits", NULL},
    {"use_api_socket", NULL},
    {"userns_mode", NULL},
    {"uts", NULL},
    {"volumes_from", "name the volume in both services"},
};
TABLE(lp_compose_service);

const struct lp_refused lp_compose_deploy[] = {
    {"endpoint_mode", NULL},
    {"labels", "use the service's labels"},
    {"placement", NULL},
    {"rollback_config", NULL},
    {"update_config", "nodes are replaced one at a time"},
};
TABLE(lp_compose_deploy);

const struct lp_refused lp_compose_resources[] = {
    {"reservations", "use limits"},
};
TABLE(lp_compose_resources);

const struct lp_refused lp_compose_limits[] = {
    {"devices", NULL},
};
TABLE(lp_compose_limits);

#define RECIPE "Limpet does not read Dockerfiles: write base, packages, run and files"
const struct lp_refused lp_compose_build[] = {
    {"additional_contexts", RECIPE},
    {"args", "use ${VARIABLES} in the recipe"},
    {"cache_from", NULL},
    {"cache_to", NULL},
    {"context", RECIPE},
    {"dockerfile", RECIPE},
    {"dockerfile_inline", RECIPE},
    {"entitlements", NULL},
    {"extra_hosts", NULL},
    {"isolation", NULL},
    {"labels", NULL},
    {"network", NULL},
    {"no_cache", NULL},
    {"platforms", NULL},
    {"privileged", NULL},
    {"provenance", NULL},
    {"pull", NULL},
    {"sbom", NULL},
    {"secrets", NULL},
    {"shm_size", NULL},
    {"ssh", NULL},
    {"tags", NULL},
    {"target", RECIPE},
    {"ulimits", NULL},
};
TABLE(lp_compose_build);

const struct lp_refused lp_compose_network[] = {
    {"attachable", NULL},
    {"driver_opts", NULL},
    {"enable_ipv4", "networks are IPv4"},
    {"enable_ipv6", "networks are IPv4"},
    {"external", "every infrastructure has networks of its own"},
    {"labels", NULL},
    {"name", "the key is the name"},
};
TABLE(lp_compose_network);

const struct lp_refused lp_compose_ipam[] = {
    {"options", NULL},
};
TABLE(lp_compose_ipam);

const struct lp_refused lp_compose_subnet[] = {
    {"aux_addresses", NULL},
    {"gateway", "the gateway is the first address of the subnet"},
    {"ip_range", NULL},
};
TABLE(lp_compose_subnet);

const struct lp_refused lp_compose_volume[] = {
    {"driver_opts", "use a bind mount"},
    {"external", "every infrastructure has volumes of its own; use a bind mount"},
    {"labels", NULL},
    {"name", "the key is the name"},
};
TABLE(lp_compose_volume);

const struct lp_refused lp_compose_file[] = {
    {"driver", NULL},
    {"driver_opts", NULL},
    {"external", "use file"},
    {"labels", NULL},
    {"name", "the key is the name"},
    {"template_driver", "inline content is a template of Limpet's own"},
};
TABLE(lp_compose_file);

const struct lp_refused lp_compose_network_use[] = {
    {"driver_opts", NULL},    {"gw_priority", NULL},
    {"interface_name", NULL}, {"ipv6_address", "networks are IPv4"},
    {"link_local_ips", NULL}, {"mac_address", "the address decides it"},
    {"priority", NULL},
};
TABLE(lp_compose_network_use);

const struct lp_refused lp_compose_port[] = {
    {"app_protocol", NULL},
    {"mode", "ports are published on the host"},
    {"name", NULL},
};
TABLE(lp_compose_port);

const struct lp_refused lp_compose_mount[] = {
    {"bind", "the source must exist; there are no options"},
    {"cluster", NULL},
    {"consistency", NULL},
    {"image", NULL},
    {"volume", "there are no options"},
};
TABLE(lp_compose_mount);
