// Linux capabilities by name, as sets of bits.
#define _GNU_SOURCE
#include "drivers/crun/bundle_caps.h"

#include <string.h>
#include <strings.h>
#include <sys/prctl.h>

#include "base/spelling.h"
#include "base/str.h"

static const char *const names[] = { // in the order of linux/capability.h
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE"};
enum { NAME_COUNT = sizeof(names) / sizeof(names[0]) };

static int name_find(const char *name)
{
    if (strncasecmp(name, "CAP_", 4) == 0)
        name += 4;
    for (int i = 0; i < NAME_COUNT; i++) {
        if (strcasecmp(names[i], name) == 0)
            return i;
    }
    return -1;
}

int lp_caps_has(uint64_t caps, const char *name)
{
    int bit = name_find(name);
    lp_assert(bit >= 0);
    return (int)(caps >> (unsigned)(bit >= 0 ? bit : 0) & 1);
}

uint64_t lp_caps_default(void)
{
    static const char *const kept[] = {"CHOWN",   "DAC_OVERRIDE", "FSETID",           "FOWNER",
                                       "MKNOD",   "NET_RAW",      "SETGID",           "SETUID",
                                       "SETFCAP", "SETPCAP",      "NET_BIND_SERVICE", "SYS_CHROOT",
                                       "KILL",    "AUDIT_WRITE"};
    uint64_t caps = 0;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        caps |= UINT64_C(1) << name_find(kept[i]);
    return caps;
}

uint64_t lp_caps_all(void)
{
    uint64_t caps = 0;
    for (int i = 0; i < NAME_COUNT; i++) {
        if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
            caps |= UINT64_C(1) << i;
    }
    return caps;
}

static int names_collect(const struct lp_texts *texts, uint64_t *ret_caps, struct lp_err *err)
{
    for (size_t i = 0; i < texts->count; i++) {
        if (strcasecmp(texts->items[i], "ALL") == 0) {
            *ret_caps |= lp_caps_all();
            continue;
        }
        int bit = name_find(texts->items[i]);
        if (bit < 0) {
            const char *near = lp_spelling_nearest(texts->items[i], names, NAME_COUNT);
            return lp_err_set(err, LP_EINPUT, "unknown capability %s%s%s%s", texts->items[i],
                              near ? ": did you mean " : "", near ? near : "", near ? "?" : "");
        }
        *ret_caps |= UINT64_C(1) << bit;
    }
    return 0;
}

int lp_caps_change(uint64_t *caps, const struct lp_texts *add, const struct lp_texts *drop,
                   struct lp_err *err)
{
    uint64_t added = 0, dropped = 0;
    int result = names_collect(drop, &dropped, err);
    if (result == 0)
        result = names_collect(add, &added, err);
    if (result == 0)
        *caps = (*caps & ~dropped) | added;
    return result;
}

void lp_caps_print(uint64_t caps, struct lp_str *ret_json)
{
    const char *separator = "[";
    for (int i = 0; i < NAME_COUNT; i++) {
        if (!(caps >> i & 1))
            continue;
        lp_str_printf(ret_json, "%s\"CAP_%s\"", separator, names[i]);
        separator = ",";
    }
    lp_str_add(ret_json, *separator == '[' ? "[]" : "]");
}
