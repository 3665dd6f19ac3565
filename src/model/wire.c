// Frames between limpet-init and its clients: put together and taken apart.
#include "model/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/descriptor.h"
#include "base/str.h"

static void header_write(char *at, uint32_t bytes, uint16_t type, uint16_t app)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(bytes >> (8 * i));
    for (int i = 0; i < 2; i++) {
        at[4 + i] = (char)(type >> (8 * i));
        at[6 + i] = (char)(app >> (8 * i));
    }
}

static uint32_t number_read(const char *at, int bytes)
{
    uint32_t number = 0;
    for (int i = 0; i < bytes; i++)
        number |= (uint32_t)(unsigned char)at[i] << (8 * i);
    return number;
}

size_t lp_wire_head(struct lp_str *out, uint16_t type, uint16_t app)
{
    char header[LP_WIRE_HEADER_BYTES];
    header_write(header, 0, type, app);
    lp_str_add_n(out, header, sizeof(header));
    return out->bytes - sizeof(header);
}

void lp_wire_add(struct lp_str *out, const char *key, const char *value)
{
    if (!value)
        return;
    lp_str_add(out, key);
    lp_str_add_char(out, '=');
    lp_str_add_n(out, value, strlen(value) + 1);
}

void lp_wire_add_number(struct lp_str *out, const char *key, int64_t number)
{
    lp_str_printf(out, "%s=%lld", key, (long long)number);
    lp_str_add_n(out, "", 1);
}

void lp_wire_add_command(struct lp_str *out, const struct lp_texts *argv,
                         const struct lp_pairs *environment)
{
    for (size_t i = 0; i < argv->count; i++)
        lp_wire_add(out, "arg", argv->items[i]);
    for (size_t i = 0; i < environment->count; i++) {
        const struct lp_pair *pair = &environment->items[i];
        lp_str_add(out, "env=");
        lp_str_add(out, pair->key);
        lp_str_add_char(out, '=');
        lp_str_add(out, pair->value ? pair->value : "");
        lp_str_add_n(out, "", 1);
    }
}

int lp_wire_seal(struct lp_str *out, size_t at, struct lp_err *err)
{
    lp_assert(out->bytes >= at + LP_WIRE_HEADER_BYTES);
    size_t bytes = out->bytes - at - LP_WIRE_HEADER_BYTES;
    if (bytes > LP_WIRE_PAYLOAD_MAX) {
        out->bytes = at;
        out->text[at] = '\0';
        return lp_err_set(err, LP_EFULL, "a frame of %zu bytes is longer than %d bytes", bytes,
                          LP_WIRE_PAYLOAD_MAX);
    }
    char *header = out->text + at;
    header_write(header, (uint32_t)bytes, (uint16_t)number_read(header + 4, 2),
                 (uint16_t)number_read(header + 6, 2));
    return 0;
}

void lp_wire_add_raw(struct lp_str *out, uint16_t type, const void *bytes, size_t count)
{
    lp_assert(count <= LP_WIRE_PAYLOAD_MAX);
    size_t at = lp_wire_head(out, type, 0);
    lp_str_add_n(out, bytes, count);
    header_write(out->text + at, (uint32_t)count, type, 0);
}

long lp_wire_parse(const char *bytes, size_t count, struct lp_wire_frame *ret_frame)
{
    if (count < 4)
        return 0;
    uint32_t payload = number_read(bytes, 4);
    if (payload > LP_WIRE_PAYLOAD_MAX) // told before the rest arrives: a flood ends here
        return LP_ECORRUPT;
    if (count < LP_WIRE_HEADER_BYTES + (size_t)payload)
        return 0;
    *ret_frame = (struct lp_wire_frame){
        .type = (uint16_t)number_read(bytes + 4, 2),
        .app = (uint16_t)number_read(bytes + 6, 2),
        .payload = bytes + LP_WIRE_HEADER_BYTES,
        .bytes = payload,
    };
    return LP_WIRE_HEADER_BYTES + (long)payload;
}

int lp_wire_next(const struct lp_wire_frame *frame, size_t *cursor, struct lp_wire_field *ret_field)
{
    if (*cursor >= frame->bytes)
        return 0;
    const char *start = frame->payload + *cursor;
    const char *end = memchr(start, '\0', frame->bytes - *cursor);
    if (!end)
        return LP_ECORRUPT;
    const char *equals = memchr(start, '=', (size_t)(end - start));
    if (!equals || equals == start)
        return LP_ECORRUPT;
    *ret_field = (struct lp_wire_field){start, (size_t)(equals - start), equals + 1};
    *cursor += (size_t)(end - start) + 1;
    return 1;
}

bool lp_wire_is(const struct lp_wire_field *field, const char *key)
{
    return strlen(key) == field->key_bytes && memcmp(key, field->key, field->key_bytes) == 0;
}

int lp_wire_number(const struct lp_wire_field *field, int64_t low, int64_t high,
                   int64_t *ret_number)
{
    const char *digits = field->value + (field->value[0] == '-');
    if (digits[0] < '0' || digits[0] > '9') // strtoll would take blanks and signs
        return LP_ECORRUPT;
    char *end = NULL;
    errno = 0;
    long long number = strtoll(field->value, &end, 10);
    if (errno != 0 || *end != '\0' || number < low || number > high)
        return LP_ECORRUPT;
    *ret_number = number;
    return 0;
}

static const char *const phase_words[] = {
    [LP_INIT_IDLE] = "idle",     [LP_INIT_STARTING] = "starting", [LP_INIT_RUNNING] = "running",
    [LP_INIT_ENDING] = "ending", [LP_INIT_ENDED] = "ended",       [LP_INIT_UNSTARTED] = "unstarted",
};

const char *lp_init_phase_word(enum lp_init_phase phase)
{
    return phase_words[phase];
}

int lp_init_phase_parse(const char *word, enum lp_init_phase *ret_phase)
{
    for (size_t i = 0; i < sizeof(phase_words) / sizeof(phase_words[0]); i++)
        if (strcmp(phase_words[i], word) == 0) {
            *ret_phase = (enum lp_init_phase)i;
            return 0;
        }
    return LP_ECORRUPT;
}
