// Listings for people: aligned columns, times as people say them, colours by health.
#define _GNU_SOURCE
#include "cmd/table.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/cmd.h"
#include "base/clock.h"
#include "base/own.h"

static const char *const codes[] = {"", "32", "33", "31", "2", "1"};

void lp_color_begin(struct lp_str *out, enum lp_color color, bool has_color)
{
    if (has_color && color != LP_PLAIN)
        lp_str_printf(out, "\033[%sm", codes[color]);
}

void lp_color_end(struct lp_str *out, enum lp_color color, bool has_color)
{
    if (has_color && color != LP_PLAIN)
        lp_str_add(out, "\033[0m");
}

// One character of valid UTF-8 at text; its bytes.
static size_t character(const char *text, uint32_t *ret_code)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t bytes = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (lp_utf8_valid(text, strnlen(text, bytes)) != bytes) {
        *ret_code = 0xfffd;
        return 1;
    }
    *ret_code = bytes == 1 ? at[0] : at[0] & (0xff >> (bytes + 1));
    for (size_t i = 1; i < bytes; i++)
        *ret_code = *ret_code << 6 | (at[i] & 0x3f);
    return bytes;
}

// Source: Unicode 15, East Asian Width W and F, and combining marks, in their large blocks.
static size_t width_of(uint32_t code)
{
    if ((code >= 0x300 && code < 0x370) || (code >= 0x200b && code < 0x2010) || code == 0xfe0f)
        return 0;
    bool is_wide = (code >= 0x1100 && code < 0x1160) || (code >= 0x2e80 && code < 0xa4d0) ||
                   (code >= 0xac00 && code < 0xd7a4) || (code >= 0xf900 && code < 0xfb00) ||
                   (code >= 0xff00 && code < 0xff61) || (code >= 0x1f300 && code < 0x1f650) ||
                   (code >= 0x20000 && code < 0x40000);
    return is_wide ? 2 : 1;
}

size_t lp_text_width(const char *text)
{
    size_t width = 0;
    uint32_t code;
    for (; *text; width += width_of(code))
        text += character(text, &code);
    return width;
}

void lp_text_fit(struct lp_str *out, const char *text, size_t columns)
{
    bool is_cut = lp_text_width(text) > columns;
    size_t room = is_cut && columns ? columns - 1 : columns;
    uint32_t code;
    while (*text) {
        size_t bytes = character(text, &code);
        if (width_of(code) > room)
            break;
        room -= width_of(code);
        if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xfffd)
            lp_str_add_char(out, '?');
        else
            lp_str_add_n(out, text, bytes);
        text += bytes;
    }
    if (is_cut && columns)
        lp_str_add(out, "…");
}

void lp_table_add(struct lp_cmd *cmd, struct lp_table *table, const struct lp_cell *cells)
{
    lp_assert(table->columns > 0 && table->columns <= LP_TABLE_COLUMNS_MAX);
    if (table->rows == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 16;
        struct lp_cell *grown =
            lp_arena_new_array(cmd->arena, struct lp_cell, capacity * table->columns);
        if (table->rows)
            memcpy(grown, table->cells, table->rows * table->columns * sizeof(*grown));
        table->cells = grown;
        table->capacity = capacity;
    }
    memcpy(&table->cells[table->rows++ * table->columns], cells,
           table->columns * sizeof(*table->cells));
}

void lp_table_render(const struct lp_table *table, bool has_color, struct lp_str *ret_text)
{
    size_t widths[LP_TABLE_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < table->rows * table->columns; i++) {
        size_t width = lp_text_width(table->cells[i].text);
        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
    for (size_t row = 0; row < table->rows; row++) {
        size_t columns = table->columns; // no blanks at the ends of lines
        while (columns > 1 && !table->cells[row * table->columns + columns - 1].text[0])
            columns--;
        for (size_t i = 0; i < columns; i++) {
            const struct lp_cell *cell = &table->cells[row * table->columns + i];
            size_t width = lp_text_width(cell->text);
            lp_color_begin(ret_text, cell->color, has_color);
            lp_text_fit(ret_text, cell->text, width);
            lp_color_end(ret_text, cell->color, has_color);
            bool is_last = i + 1 == columns;
            for (; !is_last && width < widths[i] + 2; width++)
                lp_str_add_char(ret_text, ' ');
        }
        lp_str_add_char(ret_text, '\n');
    }
}

void lp_table_print(const struct lp_cmd *cmd, const struct lp_table *table)
{
    LP_OWNS_STR struct lp_str text = {0};
    if (table->rows < 2)
        return;
    lp_table_render(table, cmd->has_color, &text);
    fputs(lp_str_text(&text), stdout);
}

enum lp_color lp_health_color(const char *health)
{
    static const struct {
        const char *word;
        enum lp_color color;
    } colors[] = {
        {"healthy", LP_GREEN}, {"completed", LP_GREEN}, {"unhealthy", LP_RED},
        {"gave up", LP_RED},   {"stopping", LP_DIM},    {"going down", LP_DIM},
    };
    for (size_t i = 0; i < sizeof(colors) / sizeof(*colors); i++)
        if (strcmp(colors[i].word, health) == 0)
            return colors[i].color;
    return LP_YELLOW;
}

const char *lp_time_span(struct lp_cmd *cmd, int64_t ms)
{
    long long s = ms / 1000;
    if (ms < 1000)
        return lp_arena_printf(cmd->arena, "%lld ms", (long long)(ms < 0 ? 0 : ms));
    if (s < 10)
        return lp_arena_printf(cmd->arena, "%lld.%lld s", s, (long long)(ms / 100 % 10));
    if (s < 60)
        return lp_arena_printf(cmd->arena, "%lld s", s);
    if (s < 3600)
        return lp_arena_printf(cmd->arena, "%lld min %lld s", s / 60, s % 60);
    return lp_arena_printf(cmd->arena, "%lld h %lld min", s / 3600, s / 60 % 60);
}

const char *lp_time_ago(struct lp_cmd *cmd, int64_t at_ms)
{
    long long s = (lp_wall_ms() - at_ms) / 1000;
    if (at_ms <= 0)
        return "";
    if (s < 1)
        return "just now";
    if (s < 60)
        return lp_arena_printf(cmd->arena, "%lld s ago", s);
    if (s < 3600)
        return lp_arena_printf(cmd->arena, "%lld min ago", s / 60);
    if (s < 48 * 3600)
        return lp_arena_printf(cmd->arena, "%lld h ago", s / 3600);
    return lp_arena_printf(cmd->arena, "%lld days ago", s / 86400);
}

const char *lp_time_of_day(struct lp_cmd *cmd, int64_t at_ms)
{
    time_t then = (time_t)(at_ms / 1000), now = time(NULL);
    struct tm local, today;
    char text[32] = "?";
    if (localtime_r(&then, &local) && localtime_r(&now, &today)) {
        bool is_today = local.tm_yday == today.tm_yday && local.tm_year == today.tm_year;
        strftime(text, sizeof(text), is_today ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &local);
    }
    return lp_arena_printf(cmd->arena, "%s.%03d", text, (int)(at_ms % 1000));
}
