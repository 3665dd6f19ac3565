// Verdicts as sentences.
#include "logs/logs.h"

#include <inttypes.h>

#include "base/str.h"

enum { TEXT_SHOWN = 120 }; // bytes of a template

// `session opened for user *` (su)
static void add_state(const struct lp_log_states *states, uint16_t state, struct lp_str *text)
{
    if (state == LP_LOG_NOTHING) {
        lp_str_add(text, "the edge of the log");
        return;
    }
    struct lp_log_template template = lp_log_states_get(states, state);
    size_t shown = 0;
    while (shown < TEXT_SHOWN && template.text[shown])
        shown++;
    bool is_cut = template.text[shown];
    if (is_cut)
        shown = lp_utf8_valid(template.text, shown);
    if (shown) {
        lp_str_add_char(text, '`');
        lp_str_add_n(text, template.text, shown);
        lp_str_add(text, is_cut ? "...`" : "`");
    } else {
        lp_str_add(text, "an empty message");
    }
    if (template.tag[0])
        lp_str_printf(text, " (%s)", template.tag);
}

// 14.2 bits, rounded to the nearest tenth.
static void add_bits(int64_t bits, struct lp_str *text)
{
    uint64_t size = bits < 0 ? (uint64_t)-bits : (uint64_t)bits;
    uint64_t tenths = (size * 10 + LP_LOG_BIT / 2) / LP_LOG_BIT;
    lp_str_printf(text, "%s%" PRIu64 ".%" PRIu64 " bits", bits < 0 && tenths ? "-" : "",
                  tenths / 10, tenths % 10);
}

static void add_cases(const struct lp_log_verdict *verdict, struct lp_str *text)
{
    lp_str_printf(text, "in %" PRIu64 " of %" PRIu64 " cases", verdict->hits, verdict->cases);
}

static void explain_unexpected(const struct lp_log_states *states,
                               const struct lp_log_verdict *verdict, struct lp_str *text)
{
    lp_str_printf(text, "line %" PRIu64 " ", verdict->line);
    add_state(states, verdict->state, text);
    if (verdict->unfit != verdict->line) {
        lp_str_printf(text, " is followed by what was not expected, line %" PRIu64 " ",
                      verdict->unfit);
        add_state(states, verdict->after, text);
        lp_str_add(text, ": ");
        add_bits(verdict->score, text);
        return;
    }
    lp_str_add(text, " was not expected after ");
    add_state(states, verdict->before, text);
    lp_str_add(text, ": ");
    add_bits(verdict->score, text);
    lp_str_add(text, "; without it ");
    add_state(states, verdict->after, text);
    lp_str_add(text, " would have followed");
    if (!verdict->hits)
        return;
    lp_str_add(text, ", as ");
    add_cases(verdict, text);
}

static void explain_missing(const struct lp_log_states *states,
                            const struct lp_log_verdict *verdict, struct lp_str *text)
{
    lp_str_printf(text, "between line %" PRIu64 " ", verdict->line);
    add_state(states, verdict->state, text);
    lp_str_add(text, " and ");
    add_state(states, verdict->after, text);
    if (verdict->missing == LP_LOG_NOTHING) {
        lp_str_add(text, " nothing is missing");
        return;
    }
    lp_str_add(text, ", ");
    add_state(states, verdict->missing, text);
    lp_str_add(text, " is missing: ");
    add_bits(verdict->bits_missing, text);
    bool is_behind = verdict->evidence == LP_LOG_BEHIND;
    lp_str_add(text, is_behind ? " (before " : " (after ");
    add_state(states, is_behind ? verdict->after : verdict->state, text);
    lp_str_add(text, is_behind                                ? " it stands "
                     : verdict->evidence == LP_LOG_RIGHT_NEXT ? " it comes at once "
                                                              : " it follows ");
    add_cases(verdict, text);
    lp_str_add_char(text, ')');
}

static void explain_s3(const struct lp_log_states *states, const struct lp_log_verdict *verdict,
                       struct lp_str *text)
{
    lp_str_printf(text, "line %" PRIu64 " ", verdict->line);
    add_state(states, verdict->state, text);
    lp_str_add(text, " is followed by ");
    add_state(states, verdict->after, text);
    lp_str_add_char(text, ' ');
    add_cases(verdict, text);
    lp_str_add(text, " of the training log");
}

void lp_log_explain(const struct lp_log_states *states, const struct lp_log_verdict *verdict,
                    struct lp_str *ret_text)
{
    switch (verdict->list) {
    case LP_LOG_MISSING:
        explain_missing(states, verdict, ret_text);
        return;
    case LP_LOG_S3_MESSAGE:
    case LP_LOG_S3_TAG:
        explain_s3(states, verdict, ret_text);
        return;
    default:
        explain_unexpected(states, verdict, ret_text);
        return;
    }
}
