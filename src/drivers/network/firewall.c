// Rules of the kernel's packet filter, by libnftables.
#include "drivers/network/firewall.h"

#include <nftables/libnftables.h>
#include <string.h>

#include "base/own.h"
#include "drivers/network/network_ns.h"

int lp_firewall_run(int netns_fd, const char *commands, struct lp_err *err)
{
    LP_OWNS_FD int home_fd = -1;
    int code = lp_netns_visit(netns_fd, &home_fd, err);
    if (code < 0)
        return code;
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (nft) {
        (void)nft_ctx_buffer_output(nft);
        (void)nft_ctx_buffer_error(nft);
        if (nft_run_cmd_from_buffer(nft, commands) != 0) {
            const char *text = nft_ctx_get_error_buffer(nft);
            code = lp_err_set(err, LP_EIO, "firewall rules refused: %.*s", (int)strcspn(text, "\n"),
                              text);
        }
        nft_ctx_free(nft);
    } else {
        code = lp_err_set(err, LP_EUNSUPPORTED, "libnftables cannot be used");
    }
    lp_netns_leave(home_fd);
    return code;
}
