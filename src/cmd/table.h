// Listings for people: aligned columns, times as people say them, colours by health.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct lp_cmd;

enum lp_color { LP_PLAIN, LP_GREEN, LP_YELLOW, LP_RED, LP_DIM, LP_BOLD };

struct lp_cell {
    const char *text; // in the arena of cmd, or constant
    enum lp_color color;
};

enum { LP_TABLE_COLUMNS_MAX = 12 };
struct lp_table { // {.columns = N} is ready for use
    size_t columns, rows, capacity;
    struct lp_cell *cells;
};

// One row of table->columns cells. The table's memory is cmd's arena.
void lp_table_add(struct lp_cmd *cmd, struct lp_table *table, const struct lp_cell *cells);
// Append all rows; columns are as wide as their widest cell. A lone header prints nothing.
void lp_table_render(const struct lp_table *table, bool has_color, struct lp_str *ret_text);
void lp_table_print(const struct lp_cmd *cmd, const struct lp_table *table);

// How many columns of a terminal the text takes: characters, not bytes; wide ones count twice.
size_t lp_text_width(const char *text);
// Append text, cut to `columns` with an ellipsis when it is longer; control characters become '?',
// so that nothing from outside can drive the terminal.
void lp_text_fit(struct lp_str *out, const char *text, size_t columns);
void lp_color_begin(struct lp_str *out, enum lp_color color, bool has_color);
void lp_color_end(struct lp_str *out, enum lp_color color, bool has_color);
// Of "healthy", "gave up", ...
enum lp_color lp_health_color(const char *health);
// "3 min ago"; "2 min 3 s".
const char *lp_time_ago(struct lp_cmd *cmd, int64_t at_ms);
const char *lp_time_span(struct lp_cmd *cmd, int64_t ms);
// "14:03:12.345", with the date when it is not of today.
const char *lp_time_of_day(struct lp_cmd *cmd, int64_t at_ms);
