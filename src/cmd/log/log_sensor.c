// What is odd in the log of an application, told to the daemon as a suspicion.
#include "cmd/log/log_sensor.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/node_find.h"
#include "cmd/table.h"

enum { BECAUSE_COLUMNS = 400 };

struct lp_log_sensor {
    struct lp_cmd *cmd;
    struct lp_client *client;
    bool is_failing;
};

int lp_log_sensor_open(struct lp_cmd *cmd, struct lp_log_sensor **ret_sensor, struct lp_err *err)
{
    struct lp_client *client = NULL;
    if (lp_client_open(cmd->root, &client, err) < 0)
        return err->code;
    struct lp_log_sensor *sensor = lp_heap_take(sizeof(*sensor));
    *sensor = (struct lp_log_sensor){.cmd = cmd, .client = client};
    *ret_sensor = sensor;
    return 0;
}

void lp_log_sensor_close(struct lp_log_sensor *sensor)
{
    if (!sensor)
        return;
    lp_client_close(sensor->client);
    lp_heap_free(sensor);
}

// "web-1/httpd" for <log folder of web-1>/httpd.log; NULL: it is no node's.
static const char *target_of(const struct lp_log_sensor *sensor, const char *path,
                             struct lp_arena *arena)
{
    struct lp_found_nodes nodes;
    if (lp_nodes_find(sensor->cmd->root, sensor->cmd->infra, NULL, arena, &nodes, NULL) < 0)
        return NULL;
    for (size_t i = 0; i < nodes.count; i++) {
        size_t bytes = strlen(nodes.items[i].log_folder);
        if (strncmp(path, nodes.items[i].log_folder, bytes) != 0 || path[bytes] != '/')
            continue;
        const char *app = path + bytes + 1, *end = strrchr(app, '.');
        if (end && strcmp(end, ".log") == 0 && !strchr(app, '/'))
            return lp_arena_printf(arena, "%s/%.*s", nodes.items[i].name, (int)(end - app), app);
    }
    return NULL;
}

void lp_log_sensor_tell(struct lp_log_sensor *sensor, const char *path, const char *because)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_err err = {0};
    const char *target = target_of(sensor, path, &arena);
    if (!target)
        return;
    lp_text_fit(&text, because, BECAUSE_COLUMNS);
    json_t *body = json_pack("{s:s,s:s,s:s}", "infrastructure", sensor->cmd->infra, "target",
                             target, "because", lp_str_text(&text));
    LP_OWNS_TEXT char *json = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (!json)
        return; // not a text that JSON can hold
    struct lp_call_spec spec = {.method = "POST", .path = "/v1/suspicions", .body = json};
    bool is_taken = lp_client_call(sensor->client, &spec, NULL, &err) == 0;
    if (!is_taken && !sensor->is_failing)
        fprintf(stderr, "limpet log watch: a suspicion of %s was not taken: %s\n", target,
                err.text);
    sensor->is_failing = !is_taken;
}
