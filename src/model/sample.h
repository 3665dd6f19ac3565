// One request of a load as it was seen from outside, and the compact file of them (docs/load.md).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lp_ending {
    LP_END_GOOD,     // answered as expected
    LP_END_NOT_SENT, // too many were outstanding, or no connection came free within the timeout
    LP_END_CONNECT,  // no connection was to be had
    LP_END_TIMEOUT,  // no whole answer within the timeout, counted from the scheduled time
    LP_END_CLOSED,   // the connection ended before the answer did
    LP_END_PROTOCOL, // what came is not HTTP/1.1, or passes a bound
    LP_END_STATUS,   // answered with a status that is not expected
    LP_END_BODY,     // answered with a body that is not expected
    LP_END_ABORTED,  // the load was ended while it was under way: neither good nor failed
    LP_END_KEPT,     // read back: an acknowledged write is there
    LP_END_LOST,     // read back: answered, and the acknowledged write is not there
    LP_END_UNREAD,   // read back: nobody answered the question
    LP_END_COUNT,    // how many there are
    LP_END_TRAILER = 255, // not a request: the last row of a whole file
};
enum { LP_SAMPLE_BYTES = 32, LP_SAMPLE_REQUEST_MASK = 0x0f, LP_SAMPLE_HAD_CONNECTION = 0x80 };

struct lp_sample { // times in microseconds from the start of the load
    int64_t scheduled_us;
    int64_t sent_us;     // its first byte was handed to the kernel; -1: never
    int64_t answered_us; // its answer was whole, whatever it said; -1: never
    uint16_t status;     // of HTTP; 0: none
    uint8_t ending;      // enum lp_ending
    uint8_t flags;       // which request of the plan (LP_SAMPLE_REQUEST_MASK), and whether an open
                         // connection was free when its time came (LP_SAMPLE_HAD_CONNECTION)
    uint32_t write;      // number of a write that is to be read back, from 1; 0: none
};

// A word for an ending: "good", "not-sent", ...; "?" for what is none.
const char *lp_ending_word(uint8_t ending);
// Did the request end in a way that the service, or the way to it, is to blame for?
static inline bool lp_ending_is_failure(uint8_t ending)
{
    return ending > LP_END_GOOD && ending < LP_END_ABORTED;
}
// Is the row about an acknowledged write that was read back, and not an arrival of the plan?
static inline bool lp_ending_is_read_back(uint8_t ending)
{
    return ending >= LP_END_KEPT && ending < LP_END_COUNT;
}

// The row of the file: little endian, in the order of the struct.
void lp_sample_encode(const struct lp_sample *sample, uint8_t ret_bytes[LP_SAMPLE_BYTES]);
void lp_sample_decode(const uint8_t bytes[LP_SAMPLE_BYTES], struct lp_sample *ret_sample);
