// journalctl -o export: an entry is several lines, "FIELD=value" each, and a blank line behind it.
// A value that is not text stands on the lines behind its field's name: its length as 8 bytes,
// little endian, the value, a newline. Source: systemd, "Journal Export Format".
#include <string.h>

#include "logs/line_parts.h"

enum { HEADER_BYTES = 8, VALUE_BYTES_MAX = 1 << 20 }; // longer: taken for lines again

static void value_take(struct lp_log_entry *entry, enum lp_log_field field, struct lp_span value)
{
    struct lp_str *const texts[] = {[LP_LOG_FIELD_TEXT] = &entry->text,
                                    [LP_LOG_FIELD_TAG] = &entry->tag,
                                    [LP_LOG_FIELD_KEY] = &entry->key};
    if (field == LP_LOG_FIELD_TIME) {
        int64_t micros = 0;
        for (size_t i = 0; i < value.bytes && i < 18; i++)
            micros =
                micros * 10 + (value.at[i] >= '0' && value.at[i] <= '9' ? value.at[i] - '0' : 0);
        entry->at_ms = micros / 1000;
    } else if (field != LP_LOG_FIELD_OTHER) {
        if (field == LP_LOG_FIELD_TEXT)
            value = lp_log_text_cut(value);
        else if (value.bytes > LP_LOG_TAG_BYTES)
            value.bytes = LP_LOG_TAG_BYTES;
        lp_str_clear(texts[field]);
        lp_log_text_mend(value, texts[field]);
        entry->has_text |= field == LP_LOG_FIELD_TEXT;
    }
}

static enum lp_log_field field_find(struct lp_span name)
{
    static const char *const names[] = {[LP_LOG_FIELD_TEXT] = "MESSAGE",
                                        [LP_LOG_FIELD_TAG] = "SYSLOG_IDENTIFIER",
                                        [LP_LOG_FIELD_KEY] = "_PID",
                                        [LP_LOG_FIELD_TIME] = "__REALTIME_TIMESTAMP"};
    for (enum lp_log_field field = 0; field < LP_LOG_FIELD_OTHER; field++)
        if (lp_span_is(name, names[field]))
            return field;
    return LP_LOG_FIELD_OTHER;
}

// One line of a value that is not text; the newline behind the line is a byte of it, too.
static void binary_take(struct lp_log_entry *entry, struct lp_span line)
{
    size_t at = 0, bytes = line.bytes + 1;
    for (; at < bytes && entry->header_bytes < HEADER_BYTES; at++) {
        unsigned char byte = at < line.bytes ? (unsigned char)line.at[at] : '\n';
        entry->left |= (uint64_t)byte << (8 * entry->header_bytes++);
    }
    if (entry->header_bytes < HEADER_BYTES)
        return;
    if (entry->left > VALUE_BYTES_MAX || line.bytes > LP_LOG_LINE_BYTES) {
        entry->is_binary = false;
        return;
    }
    size_t part = entry->left < bytes - at ? (size_t)entry->left : bytes - at;
    struct lp_span value = {line.at + at, part < line.bytes - at ? part : line.bytes - at};
    if (at < line.bytes && value.bytes > 0) {
        value_take(entry, entry->field, value); // of several lines, the first one that says a thing
        entry->field = LP_LOG_FIELD_OTHER;
    }
    entry->left -= part;
    entry->is_binary = entry->left > 0 || at + part == bytes;
}

bool lp_log_entry_take(struct lp_log_entry *entry, struct lp_span line)
{
    if (line.bytes > LP_LOG_LINE_BYTES) // the rest was not kept, or is not to be seen
        line.bytes = LP_LOG_LINE_BYTES + 1;
    if (entry->is_binary) {
        binary_take(entry, line);
        return false;
    }
    if (line.bytes && line.at[line.bytes - 1] == '\r')
        line.bytes--;
    if (line.bytes == 0)
        return true;
    const char *equal = memchr(line.at, '=', line.bytes);
    struct lp_span name = {line.at, equal ? (size_t)(equal - line.at) : line.bytes};
    enum lp_log_field field = field_find(name);
    if (equal) {
        lp_span_skip(&line, name.bytes + 1);
        value_take(entry, field, line);
    } else {
        entry->is_binary = true;
        entry->field = field;
        entry->header_bytes = 0;
        entry->left = 0;
    }
    return false;
}

void lp_log_entry_clear(struct lp_log_entry *entry)
{
    lp_str_clear(&entry->tag);
    lp_str_clear(&entry->text);
    lp_str_clear(&entry->key);
    entry->at_ms = INT64_MIN;
    entry->has_text = false;
    entry->is_binary = false;
}

void lp_log_entry_release(struct lp_log_entry *entry)
{
    lp_str_release(&entry->tag);
    lp_str_release(&entry->text);
    lp_str_release(&entry->key);
}
