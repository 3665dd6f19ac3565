// Waiting until faults are in effect, or undone: the journal is read from the request on.
#include "cmd/fault_wait.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "cmd/table.h"

enum { PATIENCE_MS = 120 * 1000 };

struct waiting {
    struct lp_cmd *cmd;
    struct lp_client *client;
    const char *good, *bad;
    json_t *open; // numbers of faults that nothing was heard of yet
    long long after;
    int status;
};

static void tell(const struct waiting *waiting, const json_t *event)
{
    if (waiting->cmd->is_json)
        lp_json_show(event);
    else if (!waiting->cmd->is_quiet)
        puts(lp_json_text(event, "sentence"));
}

// Takes the fault of this event off the list, if it is one that is waited for.
static void event_take(struct waiting *waiting, const json_t *event)
{
    const char *kind = lp_json_text(event, "kind");
    // Its time may be over, or somebody heals it, before its effect was seen.
    bool is_early = waiting->bad && strcmp(kind, "fault-healed") == 0;
    bool is_bad = is_early || (waiting->bad && strcmp(kind, waiting->bad) == 0);
    size_t i;
    const json_t *fault;
    if (!is_bad && strcmp(kind, waiting->good) != 0)
        return;
    const char *number = lp_arena_printf(
        waiting->cmd->arena, "f%lld", lp_json_number(json_object_get(event, "body"), "revision"));
    json_array_foreach (waiting->open, i, fault) {
        if (strcmp(json_string_value(fault), number) != 0)
            continue;
        json_array_remove(waiting->open, i);
        tell(waiting, event);
        if (is_early)
            fprintf(stderr, "limpet %s: the effect of %s was not seen before it was undone\n",
                    waiting->cmd->verb->name, number);
        waiting->status = is_bad ? LP_EXIT_FAILED : waiting->status;
        return;
    }
}

LP_MUST_CHECK static int turn(struct waiting *waiting)
{
    json_t *page = NULL;
    size_t i;
    const json_t *event;
    const char *after = lp_arena_printf(waiting->cmd->arena, "%lld", waiting->after);
    if (lp_client_get(waiting->client, &page, &waiting->cmd->err, "/v1/events", "after", after,
                      "limit", "1000", "wait_ms", "1000", LP_QUERY_END) < 0)
        return waiting->cmd->err.code;
    json_array_foreach (json_object_get(page, "events"), i, event) {
        event_take(waiting, event);
    }
    waiting->after = lp_json_number(page, "next");
    json_decref(page);
    return 0;
}

// Somebody has stopped waiting, not what was waited for.
static void interrupted_tell(const struct waiting *waiting)
{
    size_t i;
    const json_t *fault;
    bool is_break = waiting->bad != NULL;
    fprintf(stderr, "limpet %s: interrupted;", waiting->cmd->verb->name);
    json_array_foreach (waiting->open, i, fault) {
        fprintf(stderr, " %s", json_string_value(fault));
    }
    fputs(is_break ? " may still come into effect: limpet heal takes it back\n"
                   : " will be undone all the same\n",
          stderr);
}

int lp_fault_wait(struct lp_cmd *cmd, struct lp_client *client, const json_t *answer,
                  const char *good, const char *bad)
{
    struct waiting waiting = {.cmd = cmd,
                              .client = client,
                              .good = good,
                              .bad = bad,
                              .open = json_deep_copy(json_object_get(answer, "faults")),
                              // the request's own events are the last of these
                              .after = lp_json_number(answer, "journal_seq"),
                              .status = LP_EXIT_DONE};
    int64_t end_ms = lp_monotonic_ms() + PATIENCE_MS;
    int code = 0;
    lp_interrupt_watch();
    while (code == 0 && json_array_size(waiting.open) > 0 && !lp_interrupt_came()) {
        if (lp_monotonic_ms() > end_ms)
            code = lp_err_set(&cmd->err, LP_ETIMEOUT,
                              "nothing was heard of it for two minutes; limpet events tells more");
        else
            code = turn(&waiting);
    }
    if (json_array_size(waiting.open) > 0 && lp_interrupt_came()) {
        interrupted_tell(&waiting);
        waiting.status = LP_EXIT_FAILED;
    }
    json_decref(waiting.open);
    return code < 0 && !lp_interrupt_came() ? lp_cmd_fail(cmd, &cmd->err) : waiting.status;
}
