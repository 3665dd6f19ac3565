// How `limpet log` reads logs, models and numbers, and how it prints verdicts.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

static int file_open(const char *path, struct lp_err *err)
{
    if (strcmp(path, "-") == 0)
        return dup(STDIN_FILENO);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return lp_err_set(err, errno == ENOENT ? LP_EINPUT : LP_EIO, "%s: %s", path,
                          strerror(errno));
    return fd;
}

// The next bytes; 0 at the end, or an error.
LP_MUST_CHECK static int block_read(int fd, const char *path, char *bytes, size_t *ret_count,
                                    struct lp_err *err)
{
    ssize_t count;
    do
        count = read(fd, bytes, BLOCK_BYTES);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return lp_err_set(err, errno == EISDIR ? LP_EINPUT : LP_EIO, "%s: %s", path,
                          strerror(errno));
    *ret_count = (size_t)count;
    return 0;
}

int lp_log_file_states(const struct lp_cmd *cmd, const char *path, struct lp_log_states *states,
                       struct lp_log_lines *ret_lines, struct lp_err *err)
{
    LP_OWNS_FD int fd = file_open(path, err);
    if (fd < 0)
        return fd == -1 ? LP_EIO : err->code;
    enum lp_log_format format = LP_LOG_AUTO;
    const char *word = lp_option_value(cmd, "format");
    if (word && lp_log_format_find(word, &format, err) < 0)
        return lp_err_wrap(err, "--format");
    lp_log_states_format_set(states, format);
    char *bytes = lp_arena_take(cmd->arena, BLOCK_BYTES);
    for (size_t count = 1; count > 0;) {
        if (block_read(fd, path, bytes, &count, err) < 0)
            return err->code;
        lp_log_states_feed(states, bytes, count, ret_lines);
    }
    lp_log_states_end(states, ret_lines);
    return 0;
}

int lp_log_file_whole(const char *path, struct lp_str *ret_bytes, struct lp_err *err)
{
    LP_OWNS_FD int fd = file_open(path, err);
    if (fd < 0)
        return fd == -1 ? LP_EIO : err->code;
    static char bytes[BLOCK_BYTES];
    for (size_t count = 1; count > 0;) {
        if (block_read(fd, path, bytes, &count, err) < 0)
            return err->code;
        lp_str_add_n(ret_bytes, bytes, count);
    }
    return 0;
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
