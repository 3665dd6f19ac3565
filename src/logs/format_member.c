// Named members of a line, as JSON objects and lines of key=value have them: which one is the
// message, which says who wrote it, and what it is about.
#include <string.h>

#include "logs/line_parts.h"

// By how surely they are what they seem to be.
static const char *const messages[] = {
    "message", "msg",  "MESSAGE", "short_message", "@m",    "@mt",    "log",     "event",
    "text",    "body", "summary", "textPayload",   "error", "reason", "request", NULL};
static const char *const writers[] = {
    "logger",        "component", "log.logger", "logger_name", "SYSLOG_IDENTIFIER",
    "SourceContext", "service",   "target",     "module",      "subsystem",
    "caller",        "name",      "app",        "unit",        "source",
    "tag",           "type",      "c",          NULL};
static const char *const keys[] = {"request_id", "trace_id", "_PID", "pid", "session", "ctx", NULL};

static void note(const char *const *names, struct lp_span name, struct lp_span value,
                 struct lp_log_member *member)
{
    for (unsigned rank = 1; *names && (!member->rank || rank < member->rank); names++, rank++) {
        if (!lp_span_is(name, *names))
            continue;
        *member = (struct lp_log_member){.value = value, .rank = rank};
        return;
    }
}

void lp_log_member_note(struct lp_log_members *members, struct lp_span name, struct lp_span value)
{
    note(messages, name, value, &members->message);
    note(keys, name, value, &members->key);
    value = lp_log_place_cut(value);
    if (lp_log_is_name(value))
        note(writers, name, value, &members->writer);
}

// Newlines at its end, as JSON writes them.
static struct lp_span ended(struct lp_span text)
{
    while (text.bytes > 1 && text.at[text.bytes - 2] == '\\' &&
           (text.at[text.bytes - 1] == 'n' || text.at[text.bytes - 1] == 'r'))
        text.bytes -= 2;
    return text;
}

void lp_log_members_tell(const struct lp_log_members *members, struct lp_log_head *head)
{
    if (members->message.rank)
        head->text = ended(members->message.value);
    head->tag = members->writer.value;
    head->key = members->key.value;
    // A container's engine wraps lines up that have a form of their own.
    struct lp_log_head inner;
    if (members->message.rank == 0 || head->tag.bytes > 0 ||
        !(lp_log_split_level(head->text, &inner) || lp_log_split_syslog(head->text, &inner)) ||
        inner.tag.bytes == 0)
        return;
    head->tag = inner.tag;
    head->text = inner.text;
    head->key = head->key.bytes ? head->key : inner.key;
}
