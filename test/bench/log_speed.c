// How fast the whole way from bytes to a top list is: templates, counts, all scores, by one thread.
// usage: log_speed [TOP] <LOG; prints JSON: bytes, lines, states, seconds of reading, of ranking.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "logs/logs.h"

enum { CHUNK = 1 << 18 };

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// The most memory so far. Not getrusage: its figure begins with that of whoever started this
// program.
static long memory_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof(line), status))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    if (status)
        fclose(status);
    return kib;
}

int main(int argc, char **argv)
{
    size_t top = argc > 1 ? (size_t)atoi(argv[1]) : 10, found = 0, bytes = 0;
    struct lp_log_states_config config = {.format = LP_LOG_AUTO, .cleaning = LP_LOG_TOKENS};
    struct lp_log_model *model = lp_log_model_open(&config);
    struct lp_log_states *states = lp_log_model_states(model);
    struct lp_log_lines lines = {0};
    char *chunk = lp_heap_take(CHUNK);
    double start = now_s();
    for (ssize_t count; (count = read(0, chunk, CHUNK)) > 0;) {
        lp_log_states_feed(states, chunk, (size_t)count, &lines);
        bytes += (size_t)count;
    }
    lp_log_states_end(states, &lines);
    double read_s = now_s() - start;
    start = now_s();
    lp_log_model_train(model, &lines, 0, lines.count);
    double train_s = now_s() - start;
    struct lp_log_rank_config rank = {.list = LP_LOG_MERGED, .top = top};
    struct lp_log_verdict *verdicts = lp_heap_take((top + 1) * sizeof(*verdicts));
    start = now_s();
    lp_log_rank(model, &lines, &rank, verdicts, &found);
    double rank_s = now_s() - start;
    printf("{\"bytes\":%zu,\"lines\":%zu,\"states\":%zu,\"format\":\"%s\",\"read_s\":%.4f,"
           "\"train_s\":%.4f,\"rank_s\":%.4f,\"rss_kib\":%ld}\n",
           bytes, lines.count, lp_log_states_count(states),
           lp_log_format_word(lp_log_states_format(states)), read_s, train_s, rank_s, memory_kib());
    lp_log_lines_release(&lines);
    lp_log_model_close(model);
    lp_heap_free(verdicts);
    lp_heap_free(chunk);
    return 0;
}
