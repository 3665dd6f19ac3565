// Files of KEY=VALUE lines: env_file, and the .env beside a descriptor.
#pragma once

#include "model/descriptor.h"

// Parse the text of such a file. Empty lines, lines that start with '#' and an `export ` before the
// key are skipped. 'single quotes' keep all as it is; "double quotes" know \n \t \r \" \\ \$;
// without quotes the value ends before " #" and loses the blanks around it. No interpolation.
// Pairs are in the order of the file, the last of equal keys counts. LP_EINPUT: *ret_line is where.
LP_MUST_CHECK int lp_env_file_parse(const char *text, struct lp_arena *arena,
                                    struct lp_pairs *ret_pairs, int *ret_line, struct lp_err *err);
