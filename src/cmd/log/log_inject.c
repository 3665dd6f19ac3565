// `limpet log inject`: anomalies put into a log on purpose, with the truth beside it.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/log/log_parts.h"
#include "base/handover.h"
#include "base/own.h"
#include "base/rng.h"
#include "base/str.h"

enum { EDITS_MAX = 100000 };

struct damage {
    struct lp_str bytes; // of the log
    size_t *starts;      // [lines + 1] where lines begin
    struct lp_log_lines lines;
    struct lp_log_edit *edits;
    size_t edit_count;
};

static void starts_find(struct lp_cmd *cmd, struct damage *damage)
{
    const char *text = lp_str_text(&damage->bytes);
    size_t at = 0, bytes = damage->bytes.bytes;
    damage->starts = lp_arena_new_array(cmd->arena, size_t, damage->lines.count + 1);
    for (size_t i = 0; i < damage->lines.count; i++) {
        const char *newline = at < bytes ? memchr(text + at, '\n', bytes - at) : NULL;
        damage->starts[i] = at;
        at = newline ? (size_t)(newline - text) + 1 : bytes;
    }
    damage->starts[damage->lines.count] = bytes;
}

static void line_add(const struct damage *damage, size_t line, struct lp_str *out)
{
    const char *text = lp_str_text(&damage->bytes) + damage->starts[line];
    size_t bytes = damage->starts[line + 1] - damage->starts[line];
    lp_str_add_n(out, text, bytes);
    if (bytes == 0 || text[bytes - 1] != '\n') // the last line got a follower
        lp_str_add_char(out, '\n');
}

// Any of the lines with this state, so that varying parts vary.
static size_t source_draw(const struct damage *damage, uint16_t state, struct lp_rng *rng)
{
    size_t found = 0, seen = 0;
    for (size_t i = 0; i < damage->lines.count; i++)
        if (damage->lines.states[i] == state && lp_rng_below(rng, ++seen) == 0)
            found = i;
    return found;
}

static void text_make(const struct damage *damage, uint64_t seed, struct lp_str *out)
{
    struct lp_rng rng;
    size_t next = 0;
    lp_rng_init(&rng, seed + 1);
    for (size_t i = 0; i < damage->lines.count; i++) {
        bool is_edit = next < damage->edit_count && damage->edits[next].at == i;
        if (is_edit && damage->edits[next].is_insertion)
            line_add(damage, source_draw(damage, damage->edits[next].state, &rng), out);
        if (!is_edit || damage->edits[next].is_insertion)
            line_add(damage, i, out);
        next += is_edit;
    }
}

LP_MUST_CHECK static int truth_write(struct lp_cmd *cmd, const struct damage *damage,
                                     const char *path)
{
    LP_OWNS_STR struct lp_str out = {0};
    struct lp_log_lines damaged = {0};
    uint64_t *truth = lp_arena_new_array(cmd->arena, uint64_t, 2 * damage->edit_count + 1);
    size_t count =
        lp_log_inject_apply(&damage->lines, damage->edits, damage->edit_count, &damaged, truth);
    lp_log_lines_release(&damaged);
    for (size_t i = 0; i < count; i++)
        lp_str_printf(&out, "%" PRIu64 "\n", truth[i]);
    return lp_handover_write(path, lp_str_text(&out), out.bytes, 0644, &cmd->err);
}

LP_MUST_CHECK static int inject(struct lp_cmd *cmd, const char *path, struct damage *damage)
{
    struct lp_log_inject_config config = {.is_hard = lp_option_is_given(cmd, "hard")};
    long insert, delete, seed;
    if (lp_log_number(cmd, "insert", 0, EDITS_MAX, 0, &insert, &cmd->err) < 0 ||
        lp_log_number(cmd, "delete", 0, EDITS_MAX, 0, &delete, &cmd->err) < 0 ||
        lp_log_number(cmd, "seed", 0, INT64_MAX, 1, &seed, &cmd->err) < 0)
        return cmd->err.code;
    if (insert + delete == 0)
        return lp_err_set(&cmd->err, LP_EINPUT, "what is to be done? --insert N, --delete N");
    config.insert = (size_t)insert;
    config.delete = (size_t) delete;
    config.seed = (uint64_t)seed;
    damage->edit_count = config.insert + config.delete;
    damage->edits = lp_arena_new_array(cmd->arena, struct lp_log_edit, damage->edit_count + 1);
    if (lp_log_inject(&damage->lines, &config, damage->edits, &cmd->err) < 0)
        return lp_err_wrap(&cmd->err, "%s", path);
    LP_OWNS_STR struct lp_str out = {0};
    starts_find(cmd, damage);
    text_make(damage, config.seed, &out);
    if (lp_handover_write(lp_option_value(cmd, "out"), lp_str_text(&out), out.bytes, 0644,
                          &cmd->err) < 0)
        return cmd->err.code;
    const char *truth = lp_option_value(cmd, "truth");
    return truth ? truth_write(cmd, damage, truth) : 0;
}

LP_MUST_CHECK static int log_read(struct lp_cmd *cmd, const char *path, struct damage *damage)
{
    struct lp_log_states_config config;
    if (lp_log_config_take(cmd, &config, &cmd->err) < 0 ||
        lp_log_file_whole(cmd, path, &damage->bytes, &cmd->err) < 0)
        return cmd->err.code;
    struct lp_log_states *states = lp_log_states_open(&config);
    lp_log_states_feed(states, lp_str_text(&damage->bytes), damage->bytes.bytes, &damage->lines);
    lp_log_states_end(states, &damage->lines);
    bool is_journal = lp_log_states_format(states) == LP_LOG_JOURNAL;
    lp_log_states_close(states);
    if (is_journal)
        return lp_err_set(&cmd->err, LP_EUNSUPPORTED,
                          "%s: an entry of a journal is many lines; inject takes one line each",
                          path);
    return 0;
}

// Before the work begins.
LP_MUST_CHECK static int outs_check(struct lp_cmd *cmd)
{
    const char *truth = lp_option_value(cmd, "truth");
    int code = lp_handover_check_file(lp_option_value(cmd, "out"), &cmd->err);
    return code == 0 && truth ? lp_handover_check_file(truth, &cmd->err) : code;
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    (void)argc;
    struct damage damage = {0};
    int code = 0;
    if (!lp_option_is_given(cmd, "out"))
        code = lp_err_set(&cmd->err, LP_EINPUT, "-o says where the damaged log goes");
    else
        code = outs_check(cmd);
    if (code == 0)
        code = log_read(cmd, argv[1], &damage);
    if (code == 0)
        code = inject(cmd, argv[1], &damage);
    lp_log_lines_release(&damage.lines);
    lp_str_release(&damage.bytes);
    return code < 0 ? lp_log_fail(cmd) : LP_EXIT_DONE;
}

static const struct lp_option options[] = {
    {"insert", 0, "N", "lines to insert: types drawn evenly over the types of the log"},
    {"delete", 0, "N", "lines to delete: ones that were expected behind the line before"},
    {"hard", 0, NULL, "types as frequent as they are, and any line"},
    {"seed", 0, "S", "of its chance (default 1)"},
    {"out", 'o', "OUT", "where the damaged log goes"},
    {"truth", 0, "FILE", "where the numbers of the damaged lines go"},
    LP_LOG_READ_OPTIONS,
    {0},
};

const struct lp_verb lp_log_verb_inject = {
    .name = "log inject",
    .summary = "Damage a log on purpose, with the truth beside it",
    .usage = "FILE --insert N --delete N [--seed S] -o OUT --truth FILE",
    .help =
        "At least 4 lines apart. The truth has one 1-based line number of OUT a line: for an\n"
        "insertion the inserted line and the one before it, for a deletion the line before the\n"
        "gap.",
    .options = options,
    .run = run,
    .least = 1,
    .most = 1,
};
