// Which infrastructure a person means who did not say it.
#include "cmd/target.h"

#include <string.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "base/own.h"
#include "base/spelling.h"
#include "base/str.h"

// In the words of the listing's objects under `key`, each once: "a, b, c".
static void add_names(const json_t *listing, const char *key, struct lp_str *text)
{
    size_t i;
    const json_t *entry;
    const char *before = "";
    json_array_foreach (listing, i, entry) {
        const char *name = lp_json_text(entry, key);
        if (strcmp(name, before) != 0)
            lp_str_printf(text, "%s%s", text->bytes ? ", " : "", name);
        before = name;
    }
}

int lp_target_infra(struct lp_cmd *cmd, struct lp_client *client, const char **ret_infra)
{
    LP_OWNS_STR struct lp_str names = {0};
    json_t *infras = NULL;
    *ret_infra = cmd->infra;
    if (cmd->infra)
        return 0;
    if (lp_client_get(client, &infras, &cmd->err, "/v1/infrastructures", LP_QUERY_END) < 0)
        return cmd->err.code;
    int code = 0;
    if (json_array_size(infras) == 1) {
        *ret_infra =
            lp_arena_text(cmd->arena, lp_json_text(json_array_get(infras, 0), "infrastructure"));
    } else if (json_array_size(infras) == 0) {
        code = lp_err_set(&cmd->err, LP_ENOTFOUND,
                          "there is no infrastructure; `limpet up FILE` brings one up");
    } else {
        add_names(infras, "infrastructure", &names);
        code = lp_err_set(&cmd->err, LP_EINPUT,
                          "there are several infrastructures (%s): say which with --infra",
                          lp_str_text(&names));
    }
    json_decref(infras);
    return code;
}

// Nodes that target names, each with its infrastructure; candidates are all names, for spelling.
struct found {
    const char *infra;
    struct lp_str infras; // those that have it
    size_t count;
};

static void nodes_search(struct lp_cmd *cmd, const json_t *nodes, const char *name,
                         struct found *found)
{
    size_t i;
    const json_t *node;
    json_array_foreach (nodes, i, node) {
        const char *infra = lp_json_text(node, "infrastructure");
        if (strcmp(lp_json_text(node, "node"), name) != 0 &&
            strcmp(lp_json_text(node, "service"), name) != 0)
            continue;
        if (found->infra && strcmp(found->infra, infra) == 0)
            continue;
        found->infra = lp_arena_text(cmd->arena, infra);
        found->count++;
        lp_str_printf(&found->infras, "%s%s", found->infras.bytes ? ", " : "", infra);
    }
}

static int missing_tell(struct lp_cmd *cmd, const json_t *nodes, const char *name)
{
    size_t i, count = 0, size = json_array_size(nodes);
    const json_t *node;
    const char **names = lp_arena_new_array(cmd->arena, const char *, 2 * size + 1);
    json_array_foreach (nodes, i, node) {
        names[count++] = lp_json_text(node, "node");
        names[count++] = lp_json_text(node, "service");
    }
    const char *nearest = lp_spelling_nearest(name, names, count);
    if (nearest)
        return lp_err_set(&cmd->err, LP_ENOTFOUND,
                          "there is no node or service '%s'; did you mean '%s'?", name, nearest);
    return lp_err_set(&cmd->err, LP_ENOTFOUND, "there is no node or service '%s'", name);
}

int lp_target_infra_of(struct lp_cmd *cmd, struct lp_client *client, const char *target,
                       const char **ret_infra)
{
    struct found found = {0};
    json_t *nodes = NULL, *services = NULL;
    const char *name = lp_arena_text_n(cmd->arena, target, strcspn(target, "/"));
    *ret_infra = cmd->infra;
    if (cmd->infra)
        return 0;
    if (lp_client_get(client, &nodes, &cmd->err, "/v1/nodes", LP_QUERY_END) < 0)
        return cmd->err.code;
    if (lp_client_get(client, &services, &cmd->err, "/v1/services", LP_QUERY_END) < 0) {
        json_decref(nodes);
        return cmd->err.code;
    }
    json_array_extend(nodes, services); // a service may have no nodes now
    nodes_search(cmd, nodes, name, &found);
    int code = 0;
    if (found.count == 1)
        *ret_infra = found.infra;
    else if (found.count == 0)
        code = missing_tell(cmd, nodes, name);
    else
        code = lp_err_set(&cmd->err, LP_EINPUT,
                          "several infrastructures have '%s' (%s): say which with --infra", name,
                          lp_str_text(&found.infras));
    json_decref(nodes);
    json_decref(services);
    lp_str_release(&found.infras);
    return code;
}
