// The way out of an infrastructure whose networks say `nat: true`: a link to the host, addresses
// translated on both ends, and rules that let only those networks out.
#pragma once

#include "base/err.h"
#include "drivers/network/network_mark.h"

struct lp_nat {
    const struct lp_driver_env *env;
    struct lp_network_mark *mark; // uplink is chosen and written by lp_nat_ensure
    int infra_fd, host_fd;        // network namespaces
};

// Make it so, whatever is there already; the caller keeps the mark. The host's ip_forward is
// switched on if it is off, and that it was off is kept in /run/limpet-ip_forward.
LP_MUST_CHECK int lp_nat_ensure(const struct lp_nat *nat, struct lp_err *err);
// Choose the link's addresses, a pair that nobody uses, and write them into the mark; keeps what
// is chosen. To be saved before lp_nat_ensure.
LP_MUST_CHECK int lp_nat_choose(const struct lp_nat *nat, struct lp_err *err);
// Remove link and rules of the host's side; ip_forward is restored with the last link of any
// Limpet on the machine. Absent is fine. infra_fd is not used.
LP_MUST_CHECK int lp_nat_remove(const struct lp_nat *nat, struct lp_err *err);

// The rules as text for nft(8). The inner ones stand in the infrastructure's own namespace.
void lp_nat_inner_print(const struct lp_network_mark *mark, struct lp_str *ret_text);
void lp_nat_outer_print(const struct lp_network_mark *mark, const char *table, const char *link,
                        struct lp_str *ret_text);

// Would the kernel take such rules? Tried in the caller's namespace, which keeps them: to be called
// in one that is thrown away. LP_EIO, LP_EUNSUPPORTED: no, and why.
LP_MUST_CHECK int lp_nat_try(struct lp_err *err);
