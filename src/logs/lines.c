// The lines of a log as states: the array that readers fill and scorers read.
#include "logs/logs.h"

#include "base/arena.h"

void lp_log_lines_release(struct lp_log_lines *lines)
{
    lp_heap_free(lines->states);
    lp_heap_free(lines->keys);
    lp_heap_free(lines->at_ms);
    *lines = (struct lp_log_lines){0};
}
