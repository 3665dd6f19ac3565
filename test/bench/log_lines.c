// The tag and the template of each line of a log, to hold against what others say they are.
// usage: log_lines <LOG; prints one line a line: tag, tab, template.
#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "logs/logs.h"

enum { CHUNK = 1 << 18 };

int main(void)
{
    struct lp_log_states_config config = {.format = LP_LOG_AUTO, .cleaning = LP_LOG_TOKENS};
    struct lp_log_states *states = lp_log_states_open(&config);
    struct lp_log_lines lines = {0};
    char *chunk = lp_heap_take(CHUNK);
    for (ssize_t count; (count = read(0, chunk, CHUNK)) > 0;)
        lp_log_states_feed(states, chunk, (size_t)count, &lines);
    lp_log_states_end(states, &lines);
    for (size_t i = 0; i < lines.count; i++) {
        if (lines.states[i] == LP_LOG_NOTHING) {
            puts("\t");
            continue;
        }
        struct lp_log_template template = lp_log_states_get(states, lines.states[i]);
        printf("%s\t%s\n", template.tag, template.text);
    }
    lp_log_lines_release(&lines);
    lp_log_states_close(states);
    lp_heap_free(chunk);
    return 0;
}
