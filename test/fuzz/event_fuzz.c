// Fuzzer of the events' and actions' JSON: whatever parses prints, and parses again to the same.
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "model/action.h"
#include "model/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void event_round(const char *text, size_t bytes)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str first = {0};
    LP_OWNS_STR struct lp_str second = {0};
    struct lp_event event;
    struct lp_err err = {0};
    if (lp_event_parse(text, bytes, &arena, &event, &err) < 0) {
        assert(err.code == LP_EINPUT && err.text[0]);
        return;
    }
    lp_event_print(&event, &first);
    int again = lp_event_parse(first.text, first.bytes, &arena, &event, &err);
    assert(again == 0);
    lp_event_print(&event, &second);
    assert(strcmp(first.text, second.text) == 0);
}

static void action_round(const char *text, size_t bytes)
{
    LP_OWNS_STR struct lp_str first = {0};
    LP_OWNS_STR struct lp_str second = {0};
    struct lp_action action;
    struct lp_err err = {0};
    if (lp_action_parse(text, bytes, &action, &err) < 0)
        return;
    lp_action_print(&action, &first);
    int again = lp_action_parse(first.text, first.bytes, &action, &err);
    assert(again == 0);
    lp_action_print(&action, &second);
    assert(strcmp(first.text, second.text) == 0);
    lp_because_print(&action.because, &first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    event_round((const char *)data, bytes);
    action_round((const char *)data, bytes);
    return 0;
}
