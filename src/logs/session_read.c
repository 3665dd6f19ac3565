// Sessions as they come in: a file with one session a line, or raw lines grouped by an id.
#include "logs/logs.h"

#include <regex.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"

struct lp_log_session_names {
    struct lp_arena arena;
};

void lp_log_sessions_release(struct lp_log_sessions *sessions)
{
    lp_heap_free(sessions->events);
    lp_heap_free(sessions->sessions);
    if (sessions->names)
        lp_arena_release(&sessions->names->arena);
    lp_heap_free(sessions->names);
    *sessions = (struct lp_log_sessions){0};
}

static const char *name_keep(struct lp_log_sessions *sessions, const char *text, size_t bytes)
{
    if (!sessions->names)
        sessions->names = lp_heap_take(sizeof *sessions->names);
    return lp_arena_text_n(&sessions->names->arena, text, bytes);
}

static void session_add(struct lp_log_sessions *sessions, const char *name, size_t line)
{
    if (sessions->count == sessions->capacity) {
        sessions->capacity = sessions->capacity ? 2 * sessions->capacity : 64;
        sessions->sessions =
            lp_heap_grow(sessions->sessions, sessions->capacity, sizeof *sessions->sessions);
    }
    sessions->sessions[sessions->count++] =
        (struct lp_log_session){.name = name, .first = sessions->event_count, .line = line};
}

// Add to the session that was added last.
static void event_add(struct lp_log_sessions *sessions, uint32_t event)
{
    if (sessions->event_count == sessions->event_capacity) {
        sessions->event_capacity = sessions->event_capacity ? 2 * sessions->event_capacity : 256;
        sessions->events =
            lp_heap_grow(sessions->events, sessions->event_capacity, sizeof *sessions->events);
    }
    sessions->events[sessions->event_count++] = event;
    sessions->sessions[sessions->count - 1].count++;
}

// ---- a file with one session a line

struct text_line {
    const char *bytes;
    size_t count, number; // number: 1-based
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static size_t blanks_skip(const struct text_line *line, size_t at)
{
    while (at < line->count && is_blank(line->bytes[at]))
        at++;
    return at;
}

LP_MUST_CHECK static int event_parse(const struct text_line *line, size_t *at, uint32_t *ret_event,
                                     struct lp_err *err)
{
    size_t start = *at;
    uint64_t value = 0;
    for (; *at < line->count && line->bytes[*at] >= '0' && line->bytes[*at] <= '9'; ++*at) {
        value = 10 * value + (uint64_t)(line->bytes[*at] - '0');
        if (value > UINT32_MAX)
            return lp_err_set(err, LP_EINPUT, "%zu:%zu: an event id is at most %u", line->number,
                              start + 1, UINT32_MAX);
    }
    if (*at == start || (*at < line->count && !is_blank(line->bytes[*at])))
        return lp_err_set(err, LP_EINPUT,
                          "%zu:%zu: expected an event id: a whole number (lines of a log "
                          "need --group-by)",
                          line->number, *at + 1);
    *ret_event = (uint32_t)value;
    return 0;
}

LP_MUST_CHECK static int line_parse(const struct text_line *line, struct lp_log_sessions *sessions,
                                    struct lp_err *err)
{
    size_t at = blanks_skip(line, 0);
    if (at == line->count)
        return 0;
    const char *comma = memchr(line->bytes, ',', line->count);
    size_t name_end = comma ? (size_t)(comma - line->bytes) : 0;
    if (comma && memchr(line->bytes, 0, name_end))
        return lp_err_set(err, LP_EINPUT, "%zu:1: a name without NUL bytes", line->number);
    if (comma && name_end == at)
        return lp_err_set(err, LP_EINPUT, "%zu:%zu: expected a name before ','", line->number,
                          at + 1);
    size_t after = name_end + 1;
    while (name_end > at && is_blank(line->bytes[name_end - 1]))
        name_end--;
    session_add(sessions, comma ? name_keep(sessions, line->bytes + at, name_end - at) : NULL,
                line->number);
    if (comma)
        at = blanks_skip(line, after);
    while (at < line->count) {
        uint32_t event = 0;
        int rc = event_parse(line, &at, &event, err);
        if (rc < 0)
            return rc;
        event_add(sessions, event);
        at = blanks_skip(line, at);
    }
    return 0;
}

// The line that starts at `at`, without its newline.
static struct text_line line_at(const char *bytes, size_t count, size_t at, size_t number)
{
    const char *end = memchr(bytes + at, '\n', count - at);
    size_t length = end ? (size_t)(end - bytes) - at : count - at;
    return (struct text_line){.bytes = bytes + at, .count = length, .number = number};
}

int lp_log_sessions_parse(const char *bytes, size_t count, struct lp_log_sessions *ret_sessions,
                          struct lp_err *err)
{
    struct lp_log_sessions sessions = {0};
    size_t number = 0;
    for (size_t at = 0; at < count;) {
        struct text_line line = line_at(bytes, count, at, ++number);
        int rc = line_parse(&line, &sessions, err);
        if (rc < 0) {
            lp_log_sessions_release(&sessions);
            return rc;
        }
        at += line.count + 1;
    }
    *ret_sessions = sessions;
    return 0;
}

// ---- raw lines, grouped by an id

struct group {
    struct lp_log_sessions sessions; // their `count` grows first, their events are filled in last
    uint32_t *slots;                 // open addressing; session + 1, 0 for free
    size_t slot_count;               // a power of two
    size_t *session_of;              // [line]: session + 1, 0 for none
    char *text;                      // the line at hand with a NUL behind it, as regexec wants it
};

static size_t slot_of(const struct group *group, const char *name, size_t bytes)
{
    size_t slot = lp_fnv(LP_FNV_START, name, bytes) & (group->slot_count - 1);
    for (; group->slots[slot]; slot = (slot + 1) & (group->slot_count - 1)) {
        const char *known = group->sessions.sessions[group->slots[slot] - 1].name;
        if (strlen(known) == bytes && memcmp(known, name, bytes) == 0)
            break;
    }
    return slot;
}

static void slots_grow(struct group *group)
{
    lp_heap_free(group->slots);
    group->slot_count = group->slot_count ? 2 * group->slot_count : 256;
    group->slots = lp_heap_take(group->slot_count * sizeof *group->slots);
    for (size_t i = 0; i < group->sessions.count; i++) {
        const char *name = group->sessions.sessions[i].name;
        group->slots[slot_of(group, name, strlen(name))] = (uint32_t)i + 1;
    }
}

static uint32_t session_take(struct group *group, const char *name, size_t bytes, size_t line)
{
    if (2 * group->sessions.count >= group->slot_count)
        slots_grow(group);
    size_t slot = slot_of(group, name, bytes);
    if (!group->slots[slot]) {
        session_add(&group->sessions, name_keep(&group->sessions, name, bytes), line);
        group->slots[slot] = (uint32_t)group->sessions.count;
    }
    return group->slots[slot];
}

// The session + 1 that the line belongs to, 0 for none.
static uint32_t line_match(struct group *group, const regex_t *regex, const struct text_line *line)
{
    size_t length = line->count < LP_LOG_LINE_BYTES ? line->count : LP_LOG_LINE_BYTES;
    memcpy(group->text, line->bytes, length);
    group->text[length] = 0;
    regmatch_t found[2] = {{.rm_so = 0, .rm_eo = (regoff_t)length}};
    if (regexec(regex, group->text, 2, found, REG_STARTEND) != 0)
        return 0;
    const regmatch_t *id = regex->re_nsub && found[1].rm_so >= 0 ? &found[1] : &found[0];
    const char *name = group->text + id->rm_so;
    size_t bytes = (size_t)(id->rm_eo - id->rm_so);
    if (bytes == 0 || memchr(name, 0, bytes))
        return 0;
    return session_take(group, name, bytes, line->number);
}

// Lay the events out: those of the first session, then those of the second, ...
static void events_place(struct group *group, const struct lp_log_lines *lines)
{
    struct lp_log_sessions *sessions = &group->sessions;
    for (size_t i = 0; i < sessions->count; i++) {
        sessions->sessions[i].first = sessions->event_count;
        sessions->event_count += sessions->sessions[i].count;
        sessions->sessions[i].count = 0;
    }
    sessions->event_capacity = sessions->event_count;
    sessions->events = lp_heap_grow(NULL, sessions->event_count + 1, sizeof *sessions->events);
    for (size_t i = 0; i < lines->count; i++) {
        if (!group->session_of[i])
            continue;
        lp_assert(group->session_of[i] <= sessions->count && sessions->sessions);
        struct lp_log_session *session = &sessions->sessions[group->session_of[i] - 1];
        sessions->events[session->first + session->count++] = lines->states[i];
    }
}

int lp_log_sessions_group(const char *bytes, size_t count, const char *regex,
                          const struct lp_log_lines *lines, struct lp_log_sessions *ret_sessions,
                          struct lp_err *err)
{
    regex_t compiled;
    int failed = regcomp(&compiled, regex, REG_EXTENDED);
    if (failed) {
        char why[256];
        regerror(failed, &compiled, why, sizeof why);
        return lp_err_set(err, LP_EINPUT, "regular expression %s: %s", regex, why);
    }
    struct group group = {.session_of = lp_heap_take((lines->count + 1) * sizeof(size_t)),
                          .text = lp_heap_take(LP_LOG_LINE_BYTES + 1)};
    size_t i = 0;
    for (size_t at = 0; at < count && i < lines->count; i++) {
        struct text_line line = line_at(bytes, count, at, i + 1);
        if (lines->states[i] != LP_LOG_NOTHING)
            group.session_of[i] = line_match(&group, &compiled, &line);
        lp_assert(!group.session_of[i] || group.sessions.sessions);
        if (group.session_of[i])
            group.sessions.sessions[group.session_of[i] - 1].count++;
        at += line.count + 1;
    }
    events_place(&group, lines);
    *ret_sessions = group.sessions;
    lp_heap_free(group.session_of);
    lp_heap_free(group.slots);
    lp_heap_free(group.text);
    regfree(&compiled);
    return 0;
}
