// Session files and grouped lines: whatever the bytes are, they are refused with a place, or the
// sessions tile their events and every name has a byte.
#include <stdint.h>
#include <string.h>

#include "logs/logs.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void check(struct lp_log_sessions *sessions)
{
    size_t next = 0;
    for (size_t i = 0; i < sessions->count; i++) {
        const struct lp_log_session *session = &sessions->sessions[i];
        lp_assert(session->first == next);
        lp_assert(!session->name || strlen(session->name) > 0);
        next += session->count;
    }
    lp_assert(next == sessions->event_count);
    lp_log_sessions_release(sessions);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    enum { LINES = 64 };
    const char *text = (const char *)bytes;
    struct lp_log_sessions sessions = {0};
    struct lp_err err = {0};
    if (lp_log_sessions_parse(text, count, &sessions, &err) == 0)
        check(&sessions);
    else
        lp_assert(err.code == LP_EINPUT && strchr(err.text, ':') && sessions.count == 0);
    uint16_t states[LINES] = {0};
    const struct lp_log_lines lines = {.states = states, .count = LINES};
    if (lp_log_sessions_group(text, count, "b_([0-9]+)|x+", &lines, &sessions, &err) == 0)
        check(&sessions);
    return 0;
}
