// The system calls a node may make, as the "seccomp" object of an OCI config. Deny by default: what
// is not listed does not exist for the node (ENOSYS), so that what a later kernel adds is not
// reachable before somebody has thought about it, and programs fall back as on an older kernel.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct lp_str;

// capabilities: bits as in bundle_caps.h. Some allow calls that only make sense with them:
// SYS_ADMIN mounts and namespaces, SYS_TIME setting clocks, SYS_PTRACE looking into processes, ...
void lp_seccomp_print(uint64_t capabilities, struct lp_str *ret_json);
// Is the call allowed with these capabilities (some only with certain arguments)?
bool lp_seccomp_allows(const char *name, uint64_t capabilities);
