// Model files: whatever is in them is refused with a reason, or can be scored with, walked over,
// printed and read again.
#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "logs/model_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void use(struct lp_log_model *model)
{
    enum { LINES = 64, TOP = 8 };
    uint16_t states[LINES];
    lp_log_model_walk(model, 1, states, LINES);
    const struct lp_log_lines lines = {.states = states, .count = LINES};
    struct lp_log_verdict verdicts[TOP];
    size_t found;
    for (enum lp_log_list list = 0; list < LP_LOG_LISTS; list++)
        for (int is_streaming = 0; is_streaming < 2; is_streaming++) {
            const struct lp_log_rank_config config = {
                .list = list, .top = TOP, .is_streaming = is_streaming};
            lp_log_rank(model, &lines, &config, verdicts, &found);
            struct lp_str text = {0};
            for (size_t i = 0; i < found; i++)
                lp_log_explain(lp_log_model_states(model), &verdicts[i], &text);
            lp_str_release(&text);
        }
    lp_log_model_distance_ppm(model, &lines);
    lp_log_model_decay(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct lp_log_model *model = NULL;
    struct lp_err err;
    struct lp_str text = {0};
    // With the checksum that belongs to it, or nothing behind the checksum would ever be reached.
    char sum[LP_SHA256_TEXT];
    lp_sha256_text(bytes, count, sum);
    lp_str_add_n(&text, (const char *)bytes, count);
    lp_str_add_n(&text, sum, LP_SHA256_TEXT - 1);
    if (lp_log_model_parse(lp_str_text(&text), text.bytes, &model, &err) == LP_OK) {
        struct lp_log_model *again = NULL;
        lp_log_model_print(model, &text);
        lp_assert(lp_log_model_parse(lp_str_text(&text), text.bytes, &again, &err) == LP_OK);
        lp_log_model_close(again);
        use(model);
        lp_log_model_close(model);
    }
    lp_str_release(&text);
    return 0;
}
