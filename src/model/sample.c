// One request of a load as it was seen from outside, and its row in the file.
#include "model/sample.h"

const char *lp_ending_word(uint8_t ending)
{
    static const char *const words[LP_END_COUNT] = {"good",    "not-sent", "connect", "timeout",
                                                    "closed",  "protocol", "status",  "body",
                                                    "aborted", "kept",     "lost",    "unread"};
    return ending < LP_END_COUNT ? words[ending] : "?";
}

static uint8_t *number_put(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *at++ = (uint8_t)(value >> (8 * i));
    return at;
}

static const uint8_t *number_take(const uint8_t *at, int bytes, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)*at++ << (8 * i);
    *ret_value = value;
    return at;
}

void lp_sample_encode(const struct lp_sample *sample, uint8_t ret_bytes[LP_SAMPLE_BYTES])
{
    uint8_t *at = ret_bytes;
    at = number_put(at, (uint64_t)sample->scheduled_us, 8);
    at = number_put(at, (uint64_t)sample->sent_us, 8);
    at = number_put(at, (uint64_t)sample->answered_us, 8);
    at = number_put(at, sample->status, 2);
    *at++ = sample->ending;
    *at++ = sample->flags;
    number_put(at, sample->write, 4);
}

void lp_sample_decode(const uint8_t bytes[LP_SAMPLE_BYTES], struct lp_sample *ret_sample)
{
    uint64_t scheduled, sent, answered, status, write;
    const uint8_t *at = number_take(bytes, 8, &scheduled);
    at = number_take(at, 8, &sent);
    at = number_take(at, 8, &answered);
    at = number_take(at, 2, &status);
    number_take(at + 2, 4, &write);
    *ret_sample = (struct lp_sample){
        .scheduled_us = (int64_t)scheduled,
        .sent_us = (int64_t)sent,
        .answered_us = (int64_t)answered,
        .status = (uint16_t)status,
        .ending = at[0],
        .flags = at[1],
        .write = (uint32_t)write,
    };
}
