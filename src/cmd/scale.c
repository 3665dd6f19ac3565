// `limpet scale`.
#include <string.h>

#include "cmd/ask.h"
#include "cmd/verb.h"
#include "model/limits.h"

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    int status = LP_EXIT_DONE;
    for (int i = 1; i < argc; i++) // all of them are looked at before the first is asked for
        if (!strchr(argv[i], '=')) {
            lp_err_set(&cmd->err, LP_EINPUT, "'%s': SERVICE=NUMBER is wanted, as web=3", argv[i]);
            return lp_cmd_fail(cmd, &cmd->err);
        }
    for (int i = 1; i < argc && status == LP_EXIT_DONE; i++) {
        const char *equals = strchr(argv[i], '=');
        const char *service = lp_arena_text_n(cmd->arena, argv[i], (size_t)(equals - argv[i]));
        long replicas = 0;
        if (lp_number_parse(equals + 1, 0, LP_REPLICAS_MAX, service, &replicas, &cmd->err) < 0)
            return lp_cmd_fail(cmd, &cmd->err);
        json_t *body = json_pack("{s:s, s:i}", "service", service, "replicas", (int)replicas);
        const char *done = lp_arena_printf(cmd->arena, "%s: %ld node%s wanted", service, replicas,
                                           replicas == 1 ? "" : "s");
        status = lp_ask(cmd, "/v1/services/scale", service, body, done);
    }
    return status;
}

const struct lp_verb lp_verb_scale = {
    .name = "scale",
    .summary = "Set how many nodes a service has",
    .usage = "SERVICE=N...",
    .help =
        "It holds until a descriptor with another number is brought up. The highest numbers go\n"
        "first.",
    .run = run,
    .least = 1,
    .most = -1,
};
