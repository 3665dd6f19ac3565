// Requests that a person makes of what runs: one POST about one target.
#include "cmd/ask.h"

#include <stdio.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/target.h"

int lp_ask(struct lp_cmd *cmd, const char *path, const char *target, json_t *body, const char *done)
{
    struct lp_client *client = NULL;
    const char *infra = NULL;
    struct lp_call_spec spec = {.method = "POST", .path = path};
    int code = lp_client_open(cmd->root, &client, &cmd->err);
    if (code == 0)
        code = lp_target_infra_of(cmd, client, target, &infra);
    if (code == 0) {
        json_object_set_new(body, "infrastructure", json_string(infra));
        spec.body = lp_json_print(cmd, body);
        code = lp_client_call(client, &spec, NULL, &cmd->err);
    }
    json_decref(body);
    lp_client_close(client);
    if (code < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (!cmd->is_quiet)
        puts(done);
    return LP_EXIT_DONE;
}
