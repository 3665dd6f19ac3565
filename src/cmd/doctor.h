// What this machine can do: findings, each made by one probe that really tries.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum lp_finding_state { LP_FINDING_OK, LP_FINDING_MISSING, LP_FINDING_CANNOT };

struct lp_finding {
    const char *name;
    enum lp_finding_state state;
    bool is_needed;     // without it the main job does not work
    char detail[512];   // what was seen
    const char *advice; // what to install or do; NULL when nothing is to be done
};

// Write state and detail.
__attribute__((format(printf, 3, 4))) void
lp_finding_set(struct lp_finding *finding, enum lp_finding_state state, const char *fmt, ...);

// Probes. Each writes state and detail, and leaves nothing behind. Those marked (thrown away) must
// run in a process with mount and network namespaces of its own, which ends afterwards; `folder`
// is an empty folder for their files, removed by the caller.
void lp_probe_kernel(struct lp_finding *finding, const char *folder);
void lp_probe_capabilities(struct lp_finding *finding, const char *folder);
void lp_probe_cgroup(struct lp_finding *finding, const char *folder);
void lp_probe_overlay(struct lp_finding *finding, const char *folder); // (thrown away)
void lp_probe_id_map(struct lp_finding *finding, const char *folder);  // (thrown away)
void lp_probe_bridge(struct lp_finding *finding, const char *folder);  // (thrown away)
void lp_probe_nat(struct lp_finding *finding, const char *folder);     // (thrown away)
void lp_probe_netem(struct lp_finding *finding, const char *folder);   // (thrown away)
void lp_probe_fuse(struct lp_finding *finding, const char *folder);    // (thrown away)
void lp_probe_kvm(struct lp_finding *finding, const char *folder);
void lp_probe_crun(struct lp_finding *finding, const char *folder); // (thrown away)
void lp_probe_runc(struct lp_finding *finding, const char *folder); // (thrown away)
void lp_probe_qemu(struct lp_finding *finding, const char *folder);
void lp_probe_criu(struct lp_finding *finding, const char *folder);
void lp_probe_dnsmasq(struct lp_finding *finding, const char *folder);
void lp_probe_mmdebstrap(struct lp_finding *finding, const char *folder);
void lp_probe_skopeo(struct lp_finding *finding, const char *folder);
void lp_probe_umoci(struct lp_finding *finding, const char *folder);
