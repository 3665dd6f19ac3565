// Lines to states, every format and both cleanings: however the bytes are cut, the states are the
// same; a second reading adds no template; each template's own text is that template again.
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "logs/logs.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

struct reading {
    struct lp_log_states *states;
    struct lp_log_lines lines;
};

// chance 0: as a whole. Each part stands alone in memory, so that a read beyond it is seen.
static struct reading read_all(const struct lp_log_states_config *config, const char *bytes,
                               size_t count, uint32_t chance)
{
    struct reading reading = {.states = lp_log_states_open(config)};
    while (count > 0) {
        size_t part = chance ? 1 + (chance >> 16) % 37 : count;
        part = part < count ? part : count;
        char *exact = lp_heap_take(part);
        memcpy(exact, bytes, part);
        lp_log_states_feed(reading.states, exact, part, &reading.lines);
        lp_heap_free(exact);
        bytes += part;
        count -= part;
        chance = chance * 1664525 + 1013904223;
    }
    lp_log_states_end(reading.states, &reading.lines);
    return reading;
}

static void release(struct reading *reading)
{
    lp_log_lines_release(&reading->lines);
    lp_log_states_close(reading->states);
}

static void equal(const struct reading *a, const struct reading *b, bool with_keys)
{
    lp_assert(lp_log_states_format(a->states) == lp_log_states_format(b->states));
    lp_assert(a->lines.count == b->lines.count);
    lp_assert(lp_log_states_count(a->states) == lp_log_states_count(b->states));
    for (size_t i = 0; i < a->lines.count; i++) {
        lp_assert(a->lines.states[i] == b->lines.states[i]);
        lp_assert(!with_keys || a->lines.keys[i] == b->lines.keys[i]);
        lp_assert(!with_keys || a->lines.at_ms[i] == b->lines.at_ms[i]);
    }
    for (uint16_t i = 0; i < lp_log_states_count(a->states); i++) {
        struct lp_log_template one = lp_log_states_get(a->states, i);
        struct lp_log_template other = lp_log_states_get(b->states, i);
        lp_assert(strcmp(one.text, other.text) == 0 && strcmp(one.tag, other.tag) == 0);
        lp_assert(one.count == other.count && one.example == other.example);
    }
}

static bool is_printable(const char *text)
{
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            return false;
    return lp_utf8_valid(text, strlen(text)) == strlen(text);
}

static void templates_check(const struct reading *reading, const char *bytes, size_t count)
{
    size_t newlines = 0, with_state = 0;
    uint64_t counted = 0;
    for (size_t i = 0; i < count; i++)
        newlines += bytes[i] == '\n';
    // The journal's last entry ends where the bytes end: one line more stands for it.
    bool is_journal = lp_log_states_format(reading->states) == LP_LOG_JOURNAL;
    size_t whole = newlines + (count > 0 && bytes[count - 1] != '\n');
    lp_assert(reading->lines.count == whole || (is_journal && reading->lines.count == whole + 1));
    for (size_t i = 0; i < reading->lines.count; i++)
        with_state += reading->lines.states[i] != LP_LOG_NOTHING;
    for (uint16_t i = 0; i < lp_log_states_count(reading->states); i++) {
        struct lp_log_template template = lp_log_states_get(reading->states, i);
        lp_assert(is_printable(template.text) && is_printable(template.tag));
        lp_assert(strlen(template.tag) <= LP_LOG_TAG_BYTES);
        lp_assert(template.example >= 1 && template.example <= reading->lines.count);
        lp_assert(reading->lines.states[template.example - 1] == i);
        counted += template.count;
    }
    lp_assert(counted == with_state);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (count < 4)
        return 0;
    const char *log = (const char *)bytes + 4;
    count -= 4;
    struct lp_log_states_config config = {
        .format = (enum lp_log_format)(bytes[0] % LP_LOG_FORMATS),
        .cleaning = bytes[1] & 1 ? LP_LOG_NUMERALS : LP_LOG_TOKENS,
        .with_keys = bytes[1] & 2,
        .states_max = bytes[2] % 8, // 0: no bound; 1..7: most templates fold
    };
    struct reading whole = read_all(&config, log, count, 0);
    struct reading parts = read_all(&config, log, count, 1 + bytes[3] * 65537U);
    equal(&whole, &parts, config.with_keys);
    templates_check(&whole, log, count);
    size_t templates = lp_log_states_count(whole.states);
    for (uint16_t i = 0; i < templates; i++) {
        struct lp_log_template template = lp_log_states_get(whole.states, i);
        uint16_t again = lp_log_states_take(whole.states, template.tag, template.text);
        lp_assert(again == i);
    }
    lp_log_states_feed(whole.states, log, count, &whole.lines);
    lp_log_states_end(whole.states, &whole.lines);
    lp_assert(lp_log_states_count(whole.states) == templates);
    // No line's state depends on what came before it, unless templates had to fold.
    size_t first = parts.lines.count;
    if (config.states_max == 0 && lp_log_states_format(whole.states) != LP_LOG_JOURNAL)
        for (size_t i = 0; i < first; i++)
            lp_assert(whole.lines.states[first + i] == whole.lines.states[i]);
    release(&whole);
    release(&parts);
    return 0;
}
