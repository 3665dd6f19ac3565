// The OCI bundle of a node: config.json, a pure function of what the node is to be.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/descriptor.h"

struct lp_str;

struct lp_bundle_mount {
    const char *source; // NULL: a tmpfs
    const char *target;
    bool is_read_only;
    bool is_executable;  // else noexec too; always nosuid and nodev
    uint64_t size_bytes; // tmpfs; 0: half of the memory, the kernel's own bound
    uint32_t mode;       // tmpfs; 0: 1777
};

struct lp_bundle {
    const char *root_path; // absolute
    const char *hostname;
    const char *cgroup_path; // as lp_place_cgroup
    const char *const *argv; // of PID 1; NULL-terminated
    bool is_privileged;      // all capabilities, no seccomp, nothing masked
    bool is_read_only;
    bool masks_host;               // the root is this machine's: hide its secrets
    const char *limpet_root;       // hidden as well when masks_host
    const char *user_ns;           // path of the user namespace, NULL: the host's
    const char *network_ns;        // path
    uint64_t capabilities;         // of PID 1
    uint64_t process_capabilities; // of what it starts: which system calls there are
    uint64_t memory_bytes;         // 0: none
    uint32_t pids;                 // 0: none
    const struct lp_bundle_mount *mounts;
    size_t mount_count;
};

void lp_bundle_print(const struct lp_bundle *bundle, struct lp_str *ret_json);
