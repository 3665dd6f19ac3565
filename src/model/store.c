// Records of the journal: what this program can read.
#include "model/store.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/own.h"
#include "model/event.h"

int lp_record_event(const struct lp_record *record, struct lp_arena *arena,
                    struct lp_event *ret_event, struct lp_err *err)
{
    struct lp_err why;
    if (lp_event_parse(record->body, strlen(record->body), arena, ret_event, &why) < 0)
        return lp_err_set(err, LP_EUNSUPPORTED,
                          "journal record %" PRIu64 ": %s; it may be of another version of "
                          "Limpet. To keep what comes before it and go on from there: "
                          "limpet daemon --salvage",
                          record->seq, why.text);
    ret_event->seq = record->seq;
    ret_event->at_ms = record->at_ms;
    return 0;
}

bool lp_record_is_readable(const struct lp_record *record)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_event event;
    struct lp_err err;
    return record->kind != LP_RECORD_EVENT || lp_record_event(record, &arena, &event, &err) == 0;
}
