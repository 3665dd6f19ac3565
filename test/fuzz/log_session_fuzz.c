// Session files, grouped lines and models of sessions: whatever the bytes are, they are refused
// with a place, or the sessions tile their events, every name has a byte and a model prints as it
// was read.
#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "logs/session_parts.h"

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

// The bytes as a model; the checksum is put right, or nothing would come through.
static void model_try(const char *bytes, size_t count)
{
    struct lp_str text = {0}, again = {0};
    char sum[LP_SHA256_TEXT];
    lp_sha256_text(bytes, count, sum);
    lp_str_add_n(&text, bytes, count);
    lp_str_add(&text, sum);
    struct lp_log_session_model *model = NULL;
    struct lp_err err = {0};
    if (lp_log_session_model_parse(lp_str_text(&text), text.bytes, &model, &err) == 0) {
        lp_log_session_model_print(model, &again);
        lp_assert(again.bytes == text.bytes && memcmp(again.text, text.text, text.bytes) == 0);
        uint32_t event = 5;
        struct lp_log_session session = {.count = 1};
        struct lp_log_sessions sessions = {
            .events = &event, .event_count = 1, .sessions = &session, .count = 1};
        struct lp_log_session_verdict verdict;
        lp_log_session_score(model, &sessions, 0, &verdict);
        lp_log_session_model_close(model);
    } else {
        lp_assert(err.code == LP_ECORRUPT);
    }
    lp_str_release(&text);
    lp_str_release(&again);
}

// A session file that parses, as training: its model says the same after a way through a file.
static void train_try(const struct lp_log_sessions *sessions)
{
    struct lp_log_session_config config = {.allowed = 1, .with_order = true, .seed = 1};
    struct lp_log_session_model *model = NULL;
    struct lp_err err = {0};
    struct lp_str text = {0};
    if (sessions->event_count > 4096 || lp_log_session_train(sessions, &config, &model, &err) < 0)
        return;
    lp_log_session_model_print(model, &text);
    lp_log_session_model_close(model);
    lp_assert(text.bytes > LP_SHA256_TEXT - 1);
    model_try(text.text, text.bytes - (LP_SHA256_TEXT - 1));
    lp_str_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    enum { LINES = 64 };
    const char *text = (const char *)bytes;
    struct lp_log_sessions sessions = {0};
    struct lp_err err = {0};
    if (lp_log_sessions_parse(text, count, &sessions, &err) == 0) {
        train_try(&sessions);
        check(&sessions);
    } else {
        lp_assert(err.code == LP_EINPUT && strchr(err.text, ':') && sessions.count == 0);
    }
    model_try(text, count);
    uint16_t states[LINES] = {0};
    const struct lp_log_lines lines = {.states = states, .count = LINES};
    if (lp_log_sessions_group(text, count, "b_([0-9]+)|x+", &lines, &sessions, &err) == 0)
        check(&sessions);
    return 0;
}
