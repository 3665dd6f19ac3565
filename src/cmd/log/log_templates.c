// `limpet log templates`: what a log's lines are made from.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/log/log_parts.h"
#include "cmd/table.h"
#include "base/own.h"
#include "base/str.h"

enum { TEXT_COLUMNS = 100 };

struct row {
    struct lp_log_template template;
    uint16_t state;
};

static int order(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->template.count != y->template.count)
        return x->template.count < y->template.count ? 1 : -1;
    return x->state < y->state ? -1 : 1;
}

static void json_print(const struct row *row)
{
    LP_OWNS_STR struct lp_str out = {0};
    lp_str_printf(&out, "{\"state\":%u,\"count\":%" PRIu64 ",\"example\":%" PRIu64 ",\"tag\":",
                  row->state, row->template.count, row->template.example);
    lp_str_add_json(&out, row->template.tag);
    lp_str_add(&out, ",\"template\":");
    lp_str_add_json(&out, row->template.text);
    lp_str_add(&out, row->template.is_other ? ",\"other\":true}" : "}");
    puts(lp_str_text(&out));
}

static void table_print(struct lp_cmd *cmd, const struct row *rows, size_t count)
{
    struct lp_table table = {.columns = 4};
    lp_table_add(cmd, &table,
                 (struct lp_cell[]){
                     {"COUNT", LP_DIM}, {"FIRST", LP_DIM}, {"TAG", LP_DIM}, {"TEMPLATE", LP_DIM}});
    for (size_t i = 0; i < count; i++) {
        struct lp_str text = {0};
        lp_text_fit(&text, rows[i].template.text, TEXT_COLUMNS);
        lp_table_add(
            cmd, &table,
            (struct lp_cell[]){
                {lp_arena_printf(cmd->arena, "%" PRIu64, rows[i].template.count), LP_PLAIN},
                {lp_arena_printf(cmd->arena, "%" PRIu64, rows[i].template.example), LP_DIM},
                {rows[i].template.tag, LP_PLAIN},
                {lp_arena_text(cmd->arena, lp_str_text(&text)), LP_PLAIN}});
        lp_str_release(&text);
    }
    lp_table_print(cmd, &table);
}

static int show(struct lp_cmd *cmd, const struct lp_log_states *states, size_t lines, long top)
{
    size_t count = lp_log_states_count(states), shown = 0;
    struct row *rows = lp_arena_new_array(cmd->arena, struct row, count + 1);
    for (size_t i = 0; i < count; i++)
        rows[shown++] = (struct row){lp_log_states_get(states, (uint16_t)i), (uint16_t)i};
    qsort(rows, shown, sizeof(*rows), order);
    if (top > 0 && (size_t)top < shown)
        shown = (size_t)top;
    for (size_t i = 0; cmd->is_json && i < shown; i++)
        json_print(&rows[i]);
    if (!cmd->is_json) {
        table_print(cmd, rows, shown);
        printf("%zu lines, %zu templates, format %s\n", lines, count,
               lp_log_format_word(lp_log_states_format(states)));
    }
    return LP_EXIT_DONE;
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    struct lp_log_states_config config;
    struct lp_log_lines lines = {0};
    long top;
    if (lp_log_config_take(cmd, &config, &cmd->err) < 0 ||
        lp_log_number(cmd, "top", 1, LP_LOG_STATES_MAX, 0, &top, &cmd->err) < 0)
        return lp_log_fail(cmd);
    struct lp_log_states *states = lp_log_states_open(&config);
    size_t count = 0;
    int code = 0;
    for (int i = 1; i < argc && code == 0; i++) {
        code = lp_log_file_states(cmd, argv[i], states, &lines, &cmd->err);
        count += lines.count;
        lines.count = 0;
    }
    int status = code < 0 ? lp_log_fail(cmd) : show(cmd, states, count, top);
    lp_log_lines_release(&lines);
    lp_log_states_close(states);
    return status;
}

static const struct lp_option options[] = {
    LP_LOG_READ_OPTIONS,
    {"top", 0, "N", "only the N most frequent"},
    {0},
};

const struct lp_verb lp_log_verb_templates = {
    .name = "log templates",
    .summary = "List what lines are made from, with counts",
    .usage = "[OPTIONS] FILE...",
    .help = "A template is a line without its varying parts. FIRST is the line where it was first\n"
            "seen. With -o json, one object a line: state, count, example, tag, template.",
    .options = options,
    .run = run,
    .least = 1,
    .most = -1,
};
