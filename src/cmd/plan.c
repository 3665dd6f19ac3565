// `limpet plan`: what would be done, and nothing is done.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/descriptor_file.h"
#include "cmd/table.h"
#include "cmd/verb.h"
#include "drivers/store_sqlite.h"
#include "engine/engine.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"

static void plan_print(struct lp_cmd *cmd, const json_t *plan)
{
    size_t i;
    const json_t *step, *steps = json_object_get(plan, "steps");
    long long before_ms = -1;
    if (json_array_size(steps) == 0) {
        puts("Nothing would be done.");
        return;
    }
    json_array_foreach (steps, i, step) {
        LP_OWNS_STR struct lp_str line = {0};
        long long at_ms = lp_json_number(step, "at_ms");
        const char *when = at_ms == before_ms ? ""
                           : at_ms == 0
                               ? "at once"
                               : lp_arena_printf(cmd->arena, "after %s", lp_time_span(cmd, at_ms));
        lp_color_begin(&line, LP_DIM, cmd->has_color);
        lp_str_printf(&line, "%-16s  ", when);
        lp_color_end(&line, LP_DIM, cmd->has_color);
        lp_text_fit(&line, lp_json_text(step, "sentence"), 4000);
        puts(lp_str_text(&line));
        before_ms = at_ms;
    }
}

static int64_t wall_ms(void *context)
{
    (void)context;
    return lp_wall_ms();
}

// Where no daemon runs and none has run, nothing exists: the plan of an engine with an empty
// journal in a folder that is thrown away.
LP_MUST_CHECK static int plan_from_nothing(struct lp_cmd *cmd,
                                           const struct lp_descriptor_file *file, json_t **ret_plan)
{
    char folder[] = "/tmp/limpet-plan-XXXXXX";
    struct lp_engine *engine = NULL;
    LP_OWNS_STR struct lp_str json = {0};
    if (!mkdtemp(folder))
        return lp_err_set(&cmd->err, LP_EIO, "no folder can be made in /tmp");
    struct lp_engine_config config = {
        .root_id = "00000000",
        .clock = {wall_ms, wall_ms, NULL}, // read for moments only
        .seed = 1,
        .host = {.memory_bytes = UINT64_MAX / 4, .cpu_permille = 1000}};
    const char *path = lp_arena_printf(cmd->arena, "%s/journal.db", folder);
    int code = lp_store_sqlite_open(path, &config.store, &cmd->err);
    if (code == 0)
        code = lp_engine_open(&config, &engine, &cmd->err);
    if (code == 0)
        code = lp_engine_tick(engine, &cmd->err); // with no driver to wait for, all is seen now
    if (code == 0)
        code = lp_view_plan(engine, file->text, file->bytes, &json, &cmd->err);
    if (engine)
        lp_engine_close(engine);
    struct lp_err ignored;
    (void)!lp_dir_remove(folder, &ignored);
    if (code == 0)
        *ret_plan = json_loads(lp_str_text(&json), 0, NULL);
    return code;
}

LP_MUST_CHECK static int plan_ask(struct lp_cmd *cmd, const struct lp_call_spec *spec,
                                  const struct lp_descriptor_file *file, json_t **ret_plan)
{
    struct lp_client *client;
    if (lp_client_open(cmd->root, &client, &cmd->err) < 0)
        return cmd->err.code;
    int code = lp_client_call(client, spec, ret_plan, &cmd->err);
    bool is_absent = lp_client_is_absent(client);
    lp_client_close(client);
    bool has_journal = lp_path_exists(lp_arena_printf(cmd->arena, "%s/journal.db", cmd->root));
    if (code < 0 && is_absent && !has_journal && file)
        return plan_from_nothing(cmd, file, ret_plan);
    return code;
}

static const char *if_body(struct lp_cmd *cmd, const char *condition)
{
    json_t *body = json_pack("{s:s}", "if", condition);
    if (cmd->infra)
        json_object_set_new(body, "infrastructure", json_string(cmd->infra));
    const char *text = body ? lp_json_print(cmd, body) : "{}";
    json_decref(body);
    return text;
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    struct lp_descriptor_file file;
    json_t *plan = NULL;
    const char *condition = lp_option_value(cmd, "if");
    if (condition && argc > 1) {
        lp_err_set(&cmd->err, LP_EINPUT, "--if is about what runs, not about a file");
        return lp_cmd_fail(cmd, &cmd->err);
    }
    struct lp_call_spec spec = {.method = "POST", .path = "/v1/plan-if"};
    if (condition) {
        spec.body = if_body(cmd, condition);
    } else {
        int status = lp_descriptor_file_read(cmd, argc > 1 ? argv[1] : NULL, &file);
        if (status != LP_EXIT_DONE)
            return status;
        spec.path = "/v1/plan";
        spec.body = lp_descriptor_file_body(cmd, &file, false);
    }
    if (plan_ask(cmd, &spec, condition ? NULL : &file, &plan) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (cmd->is_json)
        lp_json_show(plan);
    else
        plan_print(cmd, plan);
    json_decref(plan);
    return LP_EXIT_DONE;
}

static const struct lp_option options[] = {
    {"if", 0, "WHAT", "suppose that this happened to what runs"},
    {"profile", 0, "NAME", "with the services of this profile; may be given again"},
    {"scale", 0, "SERVICE=N", "with so many nodes of this service; may be given again"},
    {0},
};

const struct lp_verb lp_verb_plan = {
    .name = "plan",
    .summary = "Say what would be done, and do nothing",
    .usage = "[FILE] [--profile NAME]... [--scale SERVICE=N]...\n--if WHAT",
    .help = "What `limpet up FILE` would do; or what the controller would do if something broke:\n"
            "'node db-1 lost', 'app db-1/NAME exited 1', 'app db-1/NAME hung', 'host local lost'.\n"
            "It is found by running a copy of the controller ahead, in a world where every order\n"
            "succeeds at once. With -o json: infrastructure and steps, each with at_ms, action,\n"
            "subject, because and sentence.",
    .options = options,
    .run = run,
    .most = 1,
};
