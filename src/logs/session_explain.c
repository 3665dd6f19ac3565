// Verdicts of sessions as sentences.
#include "logs/session_parts.h"

#include <inttypes.h>

#include "base/str.h"

enum { TEXT_SHOWN = 120 }; // bytes of a template

const char *lp_log_channel_word(enum lp_log_channel channel)
{
    static const char *const words[] = {"none", "new", "count", "sum", "order"};
    return words[channel];
}

static void add_event(const struct lp_log_session_model *model, uint32_t event, struct lp_str *text)
{
    if (!model->states || event >= lp_log_states_count(model->states)) {
        lp_str_printf(text, "`%" PRIu32 "`", event);
        return;
    }
    const char *shown = lp_log_states_get(model->states, (uint16_t)event).text;
    size_t bytes = 0;
    while (bytes < TEXT_SHOWN && shown[bytes])
        bytes++;
    bool is_cut = shown[bytes];
    lp_str_add_char(text, '`');
    lp_str_add_n(text, shown, is_cut ? lp_utf8_valid(shown, bytes) : bytes);
    lp_str_add(text, is_cut ? "...`" : "`");
}

// Rounded to the nearest tenth.
static void add_bits(int64_t score, struct lp_str *text)
{
    uint64_t tenths = score < 0 ? 0 : ((uint64_t)score * 10 + LP_LOG_BIT / 2) / LP_LOG_BIT;
    lp_str_printf(text, "%" PRIu64 ".%" PRIu64 " bits", tenths / 10, tenths % 10);
}

static void explain_count(const struct lp_log_session_model *model,
                          const struct lp_log_session_verdict *verdict, struct lp_str *text)
{
    if (!model->tree.count) {
        lp_str_add(text, "training has no events");
        return;
    }
    add_event(model, verdict->event, text);
    uint32_t least = verdict->expected;
    uint32_t value = lp_log_session_value(least);
    lp_str_printf(text, " seen %" PRIu32 " time%s, expected %" PRIu32, verdict->seen,
                  verdict->seen == 1 ? "" : "s", least);
    if (value > 4)
        lp_str_printf(text, " to %" PRIu64, 2 * ((uint64_t)least - 3) + 2);
    if (verdict->has_because) {
        lp_str_add(text, " because ");
        add_event(model, verdict->because_event, text);
        lp_str_printf(text, " = %" PRIu32, verdict->because_seen);
    }
}

static void explain_order(const struct lp_log_session_model *model,
                          const struct lp_log_session_verdict *verdict, struct lp_str *text)
{
    if (verdict->is_end)
        lp_str_add(text, "the session ends");
    else
        add_event(model, verdict->event, text);
    if (verdict->has_because) {
        lp_str_add(text, " after ");
        add_event(model, verdict->because_event, text);
    } else if (verdict->is_end) {
        lp_str_add(text, " without an event");
    } else {
        lp_str_add(text, " at the start of the session");
    }
}

void lp_log_session_explain(const struct lp_log_session_model *model,
                            const struct lp_log_session_verdict *verdict, struct lp_str *ret_text)
{
    if (verdict->channel == LP_LOG_CHANNEL_NEW) {
        add_event(model, verdict->event, ret_text);
        lp_str_add(ret_text, " was never seen in training");
        return;
    }
    if (verdict->channel == LP_LOG_CHANNEL_SUM)
        lp_str_add(ret_text, "the counts do not fit each other, most of all ");
    if (verdict->channel == LP_LOG_CHANNEL_ORDER)
        explain_order(model, verdict, ret_text);
    else
        explain_count(model, verdict, ret_text);
    lp_str_add(ret_text, " (");
    add_bits(verdict->score, ret_text);
    lp_str_add_char(ret_text, ')');
}
