// limpet relay: a bad line on purpose; the fault driver starts it.
#include "drivers/fault/relay.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/verb.h"

enum { PEERS_MAX = 1024 };

static uint32_t number(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 10);
}

// MARK NETNS LINK BRIDGE TAP KIND DELAY_US JITTER_US DISTRIBUTION PERMILLE DIRECTION SEED [PEER...]
static int relay_run(struct lp_cmd *cmd, int argc, char **argv)
{
    uint32_t peers[PEERS_MAX];
    struct lp_relay_spec spec = {.netns = argv[2],
                                 .link = argv[3],
                                 .bridge = argv[4],
                                 .tap = argv[5],
                                 .fault = {.kind = number(argv[6]),
                                           .delay_us = number(argv[7]),
                                           .jitter_us = number(argv[8]),
                                           .distribution = number(argv[9]),
                                           .permille = number(argv[10]),
                                           .direction = number(argv[11]),
                                           .seed = number(argv[12])},
                                 .peers = peers};
    for (int i = 13; i < argc && spec.peer_count < PEERS_MAX; i++)
        peers[spec.peer_count++] = number(argv[i]);
    if (lp_relay_run(&spec, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    return LP_EXIT_DONE;
}

const struct lp_verb lp_verb_relay = {
    .name = "relay",
    .summary = "Pass frames on late, twice, damaged or in another order",
    .usage =
        "MARK NETNS LINK BRIDGE TAP KIND DELAY JITTER DISTRIBUTION SHARE DIRECTION SEED [PEER...]",
    .run = relay_run,
    .least = 12,
    .most = -1,
    .is_hidden = true,
};
