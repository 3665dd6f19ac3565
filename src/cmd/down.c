// `limpet down`.
#include <stdio.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/daemon_start.h"
#include "cmd/descriptor_file.h"
#include "cmd/progress.h"
#include "cmd/table.h"
#include "cmd/target.h"
#include "cmd/verb.h"
#include "base/clock.h"
#include "base/file.h"

static int wait_gone(struct lp_progress *progress, int64_t limit_ms)
{
    struct lp_cmd *cmd = progress->cmd;
    lp_interrupt_watch();
    for (;;) {
        if (lp_progress_turn(progress) < 0) {
            lp_progress_erase(progress);
            return lp_progress_fail(progress);
        }
        int64_t passed_ms = lp_monotonic_ms() - progress->start_ms;
        bool is_over = passed_ms >= limit_ms;
        if (progress->row && !is_over && !lp_interrupt_came())
            continue;
        lp_progress_erase(progress);
        if (progress->row) {
            fprintf(stderr, "limpet down: %s is not gone after %s%s\n", progress->infra,
                    lp_time_span(cmd, passed_ms), is_over ? "" : "; it goes on going down");
            lp_progress_tell_unwell(progress);
            return LP_EXIT_FAILED;
        }
        if (!cmd->is_quiet)
            printf("%s is gone after %s\n", progress->infra, lp_time_span(cmd, passed_ms));
        return LP_EXIT_DONE;
    }
}

static int down(struct lp_cmd *cmd, struct lp_client *client, const char *infra, int64_t limit_ms)
{
    json_t *answer = NULL;
    const char *volumes = lp_option_is_given(cmd, "volumes") ? "true" : "false";
    if (!infra && lp_target_infra(cmd, client, &infra) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    struct lp_call_spec spec = {
        .method = "DELETE",
        .path = lp_arena_printf(cmd->arena, "/v1/infrastructures/%s?volumes=%s", infra, volumes)};
    if (lp_client_call(client, &spec, &answer, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    uint64_t seq = (uint64_t)lp_json_number(answer, "journal_seq");
    json_decref(answer);
    if (lp_option_is_given(cmd, "detach"))
        return LP_EXIT_DONE;
    struct lp_progress progress = {.cmd = cmd, .client = client, .infra = infra, .after = seq};
    int status = wait_gone(&progress, limit_ms);
    lp_progress_end(&progress);
    return status;
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    struct lp_descriptor_file file;
    struct lp_client *client;
    int64_t wait_ms;
    const char *infra = argc > 1 ? argv[1] : NULL;
    if (lp_option_wait_ms(cmd, &wait_ms, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (infra && lp_descriptor_file_is(infra)) {
        int status = lp_descriptor_file_read(cmd, infra, &file);
        if (status != LP_EXIT_DONE)
            return status;
        infra = file.descriptor->name;
    }
    if (lp_client_open(cmd->root, &client, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    // What a daemon that died has left behind can be taken down, too.
    bool has_journal = lp_path_exists(lp_arena_printf(cmd->arena, "%s/journal.db", cmd->root));
    int status = has_journal && lp_daemon_ensure(cmd, client) < 0
                     ? lp_cmd_fail(cmd, &cmd->err)
                     : down(cmd, client, infra, wait_ms);
    lp_client_close(client);
    return status;
}

static const struct lp_option options[] = {
    {"volumes", 'v', NULL, "its named volumes, and what is in them, go too"},
    {"wait", 0, "[TIME]", "wait until it is gone, at most so long (the default: 10m)"},
    {"detach", 'd', NULL, "do not wait"},
    {0},
};

const struct lp_verb lp_verb_down = {
    .name = "down",
    .summary = "Take an infrastructure down; nothing of it is left",
    .usage = "[NAME|FILE] [--volumes] [--wait[=TIME]|--detach]",
    .help = "Volumes and cached images stay, unless --volumes is given. Without NAME: the only\n"
            "infrastructure there is.",
    .options = options,
    .run = run,
    .most = 1,
};
