// What the network driver remembers of one infrastructure's network, as text beside it: enough to
// adopt it, to start its helpers again and to remove it, whatever was lost.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "drivers/place.h"
#include "model/limits.h"

struct lp_str;

struct lp_network_row {              // one bridge
    uint32_t index, gateway, prefix; // host byte order
    bool has_nat;
};

struct lp_network_mark {
    char name[LP_NAME_BYTES_MAX + 1]; // of the infrastructure
    uint32_t infra;                   // id
    uint32_t uplink;  // NAT: the host's address on the link; the other end is uplink + 1. 0: none
    bool is_complete; // else it was interrupted and has to be made or removed again
    size_t row_count;
    struct lp_network_row rows[LP_NETWORKS_MAX];
};

// /run/limpet-<root_id> and /run/limpet-<root_id>/<infra>: what is volatile lies where a reboot
// clears it, together with the namespaces it speaks of. dnsmasq, which is not root, reads there.
struct lp_place lp_network_folder(const struct lp_driver_env *env, const char *infra);
struct lp_place lp_network_file(const struct lp_driver_env *env, const char *infra,
                                const char *file);
// The host's end of the NAT link (at most 15 bytes) and what the names of all such ends start
// with, of any Limpet on the machine.
struct lp_place lp_network_uplink(const struct lp_driver_env *env, uint32_t infra);
#define LP_NETWORK_UPLINK_PREFIX "lpup"

bool lp_network_mark_has_nat(const struct lp_network_mark *mark);
void lp_network_mark_print(const struct lp_network_mark *mark, struct lp_str *ret_text);
LP_MUST_CHECK int lp_network_mark_parse(const char *text, struct lp_network_mark *ret_mark,
                                        struct lp_err *err);
