// Random logs and the scores of all their lines, for log_scores.py to compare.
#include <inttypes.h>
#include <stdio.h>

#include "../unit/log_fixture.h"
#include "logs/judge.h"

enum { LOGS = 30 };

static void print_states(const char *word, const struct lp_log_lines *lines)
{
    printf("%s", word);
    for (size_t i = 0; i < lines->count; i++)
        printf(" %u", lines->states[i]);
    printf("\n");
}

static void print_scores(const struct lp_log_model *model, const struct lp_log_lines *lines,
                         bool is_streaming, enum lp_log_list list)
{
    const struct lp_log_rank_config config = {
        .list = list, .top = lines->count, .is_streaming = is_streaming};
    struct lp_log_verdict *verdicts = lp_heap_take((lines->count + 1) * sizeof *verdicts);
    int64_t *scores = lp_heap_take((lines->count + 1) * sizeof *scores);
    size_t count, judged = lines->count - 1;
    for (size_t i = 0; i < lines->count; i++)
        scores[i] = LP_LOG_NO_SCORE;
    lp_log_rank(model, lines, &config, verdicts, &count);
    for (size_t i = 0; i < count; i++)
        scores[verdicts[i].line - 1] = verdicts[i].score;
    if (is_streaming)
        judged = lines->count > LP_LOG_WINDOW ? lines->count - LP_LOG_WINDOW : 0;
    for (size_t i = 0; i < judged; i++)
        printf("score %d %d %zu %" PRId64 "\n", is_streaming, (int)list, i + 1, scores[i]);
    lp_heap_free(verdicts);
    lp_heap_free(scores);
}

int main(void)
{
    for (uint64_t seed = 1; seed <= LOGS; seed++) {
        struct lp_log_model *model = model_open();
        struct lp_log_lines past = lines_random(model, seed, seed * 7 % 160);
        struct lp_log_lines lines = lines_random(model, seed + 1000, seed % 3 ? seed % 9 + 1 : 130);
        for (size_t i = 0; seed % 5 == 0 && i < lines.count && i < past.count; i++)
            lines.states[i] = past.states[i]; // little that is new
        if (seed % 6 == 0) { // training but for one line: a few neighbours come more often
            lp_log_lines_release(&past);
            lp_log_lines_release(&lines);
            past = lines_random(model, seed, 400);
            lines = lines_random(model, seed, 400);
            memmove(lines.states + seed * 7, lines.states + seed * 7 + 1,
                    (--lines.count - seed * 7) * sizeof *lines.states);
        }
        printf("tags");
        for (size_t i = 0; i < lp_log_states_count(lp_log_model_states(model)); i++)
            printf(" %u", lp_log_states_get(lp_log_model_states(model), (uint16_t)i).tag_id);
        printf("\n");
        print_states("train", &past);
        print_states("test", &lines);
        lp_log_model_train(model, &past, 0, past.count);
        for (enum lp_log_list list = 0; list < LP_LOG_LISTS; list++)
            print_scores(model, &lines, false, list);
        for (enum lp_log_list list = 0; list <= LP_LOG_MERGED; list++)
            print_scores(model, &lines, true, list);
        lp_log_lines_release(&past);
        lp_log_lines_release(&lines);
        lp_log_model_close(model);
    }
    return 0;
}
