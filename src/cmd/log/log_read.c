// How `limpet log` reads logs, models and numbers, and how it prints verdicts.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/log/log_input.h"
#include "cmd/log/log_parts.h"
#include "base/own.h"
#include "base/str.h"

enum { BLOCK_BYTES = 256 * 1024, BITS_MAX = 10000 };

int lp_log_config_take(const struct lp_cmd *cmd, struct lp_log_states_config *ret_config,
                       struct lp_err *err)
{
    struct lp_log_states_config config = {.format = LP_LOG_AUTO};
    const char *format = lp_option_value(cmd, "format");
    if (format && lp_log_format_find(format, &config.format, err) < 0)
        return lp_err_wrap(err, "--format");
    if (lp_option_is_given(cmd, "numerals"))
        config.cleaning = LP_LOG_NUMERALS;
    config.with_keys = lp_option_is_given(cmd, "by-process");
    *ret_config = config;
    return 0;
}

// What is fed with the bytes of a file.
typedef void take_bytes(void *context, const char *bytes, size_t count);

LP_MUST_CHECK static int file_read(const struct lp_cmd *cmd, const char *path, take_bytes *take,
                                   void *context, struct lp_err *err)
{
    static char bytes[BLOCK_BYTES];
    struct lp_log_input input;
    int code = lp_log_input_open(&input, path, lp_option_is_given(cmd, "format"), err);
    for (size_t count = code == 0; count > 0;) {
        code = lp_log_input_read(&input, bytes, sizeof(bytes), &count, err);
        if (code < 0)
            break;
        take(context, bytes, count);
    }
    int closing = lp_log_input_close(&input, code < 0 ? NULL : err);
    return code < 0 ? code : closing;
}

struct states_feed {
    struct lp_log_states *states;
    struct lp_log_lines *lines;
};

static void feed(void *context, const char *bytes, size_t count)
{
    const struct states_feed *to = context;
    lp_log_states_feed(to->states, bytes, count, to->lines);
}

int lp_log_file_states(const struct lp_cmd *cmd, const char *path, struct lp_log_states *states,
                       struct lp_log_lines *ret_lines, struct lp_err *err)
{
    enum lp_log_format format = LP_LOG_AUTO;
    const char *word = lp_option_value(cmd, "format");
    if (word && lp_log_format_find(word, &format, err) < 0)
        return lp_err_wrap(err, "--format");
    lp_log_states_format_set(states, format);
    struct states_feed to = {states, ret_lines};
    if (file_read(cmd, path, feed, &to, err) < 0)
        return err->code;
    lp_log_states_end(states, ret_lines);
    return 0;
}

static void add(void *context, const char *bytes, size_t count)
{
    lp_str_add_n(context, bytes, count);
}

int lp_log_file_whole(const struct lp_cmd *cmd, const char *path, struct lp_str *ret_bytes,
                      struct lp_err *err)
{
    return file_read(cmd, path, add, ret_bytes, err);
}

int lp_log_model_read(const struct lp_cmd *cmd, struct lp_log_model **ret_model, struct lp_err *err)
{
    if (lp_option_is_given(cmd, "numerals") || lp_option_is_given(cmd, "by-process"))
        return lp_err_set(err, LP_EINPUT,
                          "--numerals and --by-process are of the training; a model that is read "
                          "with -m keeps its own");
    return lp_log_model_load(lp_option_value(cmd, "model"), ret_model, err);
}

int lp_log_fail(struct lp_cmd *cmd)
{
    if (cmd->err.code == LP_ECORRUPT || cmd->err.code == LP_ENOTFOUND)
        cmd->err.code = LP_EINPUT;
    return lp_cmd_fail(cmd, &cmd->err);
}

int lp_log_number(const struct lp_cmd *cmd, const char *name, long low, long high, long otherwise,
                  long *ret_number, struct lp_err *err)
{
    char what[64];
    const char *text = lp_option_value(cmd, name);
    snprintf(what, sizeof(what), "--%s", name);
    if (!text) {
        *ret_number = otherwise;
        return 0;
    }
    return lp_number_parse(text, low, high, what, ret_number, err);
}

int lp_log_bits(const struct lp_cmd *cmd, const char *name, int64_t otherwise, int64_t *ret_bits,
                struct lp_err *err)
{
    const char *text = lp_option_value(cmd, name);
    if (!text) {
        *ret_bits = otherwise;
        return 0;
    }
    int64_t whole = 0, part = 0, unit = 1;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && whole < BITS_MAX; at++)
        whole = 10 * whole + (*at - '0');
    bool has_digits = at > text;
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9' && unit < 1000000; at++, unit *= 10)
            part = 10 * part + (*at - '0');
    if (!has_digits || *at)
        return lp_err_set(err, LP_EINPUT, "--%s: '%s' is no number of bits, such as 12 or 9.5",
                          name, text);
    *ret_bits = whole * LP_LOG_BIT + (part * LP_LOG_BIT + unit / 2) / unit;
    return 0;
}

int64_t lp_log_alarm_bits(enum lp_log_list list)
{
    enum { ALARM = 12, UNEXPECTED_MORE = 10 }; // MERGED takes as much from UNEXPECTED
    bool is_merged = list == LP_LOG_MERGED || list == LP_LOG_MISSING;
    return (is_merged ? ALARM : ALARM + UNEXPECTED_MORE) * (int64_t)LP_LOG_BIT;
}

const char *lp_log_bits_text(struct lp_cmd *cmd, int64_t bits)
{
    int64_t size = bits < 0 ? -bits : bits;
    int64_t tenths = (size * 10 + LP_LOG_BIT / 2) / LP_LOG_BIT;
    return lp_arena_printf(cmd->arena, "%s%" PRId64 ".%" PRId64, bits < 0 && tenths ? "-" : "",
                           tenths / 10, tenths % 10);
}

void lp_log_bits_json(struct lp_str *out, int64_t bits)
{
    int64_t size = bits < 0 ? -bits : bits; // 1/256 has eight digits behind the point
    lp_str_printf(out, "%s%" PRId64 ".%08" PRId64, bits < 0 ? "-" : "", size / LP_LOG_BIT,
                  size % LP_LOG_BIT * (100000000 / LP_LOG_BIT));
}

void lp_log_verdict_json(struct lp_str *out, const struct lp_log_states *states,
                         const struct lp_log_verdict *verdict)
{
    LP_OWNS_STR struct lp_str because = {0};
    lp_log_explain(states, verdict, &because);
    lp_str_printf(out, "\"line\":%" PRIu64 ",\"score\":", verdict->line);
    lp_log_bits_json(out, verdict->score);
    lp_str_printf(out, ",\"list\":\"%s\",\"template\":", lp_log_list_word(verdict->list));
    lp_str_add_json(out, lp_log_states_get(states, verdict->state).text);
    lp_str_add(out, ",\"tag\":");
    lp_str_add_json(out, lp_log_states_get(states, verdict->state).tag);
    lp_str_add(out, ",\"because\":");
    lp_str_add_json(out, lp_str_text(&because));
}

// Of two verdicts that say of one line that it does not fit, one tells more: that of the line
// itself. NULL: it was told.
static const struct lp_log_verdict *telling(const struct lp_log_verdict *verdicts, size_t count,
                                            size_t index, size_t told)
{
    const struct lp_log_verdict *verdict = &verdicts[index], *found = verdict;
    for (size_t i = 0; verdict->unfit && i < told; i++)
        if (verdicts[i].unfit == verdict->unfit)
            return NULL;
    for (size_t i = index + 1; verdict->unfit && i < count; i++)
        if (verdicts[i].unfit == verdict->unfit && verdicts[i].line == verdict->unfit)
            found = &verdicts[i];
    return found;
}

size_t lp_log_verdicts_once(struct lp_log_verdict *verdicts, size_t count, size_t most)
{
    size_t told = 0;
    for (size_t i = 0; i < count && told < most; i++) {
        bool is_nothing = verdicts[i].score * 20 < LP_LOG_BIT; // "0.0 bits"
        const struct lp_log_verdict *verdict =
            is_nothing ? NULL : telling(verdicts, count, i, told);
        if (verdict)
            verdicts[told++] = *verdict;
    }
    return told;
}
