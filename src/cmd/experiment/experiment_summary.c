// What a person reads at the end of an experiment: what the load met, run by run and over all.
#include <stdio.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/experiment/experiment.h"
#include "cmd/table.h"
#include "core/outcome_set.h"
#include "base/own.h"

static const char *span_of(struct lp_cmd *cmd, const json_t *outcome, const char *key)
{
    const json_t *value = json_object_get(outcome, key);
    if (!json_is_integer(value))
        return "-";
    return lp_arena_printf(cmd->arena, "%.3f s", (double)json_integer_value(value) / 1e6);
}

static const char *share_of(struct lp_cmd *cmd, const json_t *outcome, const char *key)
{
    const json_t *value = json_object_get(outcome, key);
    if (!json_is_integer(value))
        return "-";
    return lp_arena_printf(cmd->arena, "%.3f %%", (double)json_integer_value(value) / 1e4);
}

static void run_add(struct lp_cmd *cmd, struct lp_table *table, const json_t *result,
                    const json_t *run)
{
    const json_t *outcome = json_object_get(json_object_get(run, "load"), "outcome");
    const json_t *variant =
        json_array_get(json_object_get(result, "variants"), (size_t)lp_json_number(run, "variant"));
    const json_t *writes = json_object_get(outcome, "writes");
    if (!outcome)
        return;
    lp_table_add(
        cmd, table,
        (struct lp_cell[]){
            {lp_arena_printf(cmd->arena, "%lld", lp_json_number(run, "run")), LP_PLAIN},
            {lp_json_text(variant, "name"), LP_PLAIN},
            {share_of(cmd, outcome, "availability_ppm"), LP_PLAIN},
            {lp_arena_printf(cmd->arena, "%lld", lp_json_number(outcome, "failed")), LP_PLAIN},
            {lp_arena_printf(cmd->arena, "%lld", lp_json_number(writes, "acknowledged_then_lost")),
             LP_PLAIN},
            {span_of(cmd, outcome, "longest_gap_us"), LP_PLAIN},
            {span_of(cmd, outcome, "to_detect_us"), LP_PLAIN},
            {span_of(cmd, outcome, "to_repair_us"), LP_PLAIN},
            {span_of(cmd, outcome, "to_full_us"), LP_PLAIN}});
}

void lp_experiment_summary_print(struct lp_cmd *cmd, const json_t *result)
{
    struct lp_table table = {.columns = 9};
    size_t i;
    const json_t *run;
    lp_table_add(cmd, &table,
                 (struct lp_cell[]){{"RUN", LP_DIM},
                                    {"VARIANT", LP_DIM},
                                    {"AVAILABLE", LP_DIM},
                                    {"FAILED", LP_DIM},
                                    {"LOST", LP_DIM},
                                    {"LONGEST GAP", LP_DIM},
                                    {"DETECTED", LP_DIM},
                                    {"REPAIRED", LP_DIM},
                                    {"FULL AGAIN", LP_DIM}});
    json_array_foreach (json_object_get(result, "runs"), i, run) {
        run_add(cmd, &table, result, run);
    }
    lp_table_print(cmd, &table);
}
