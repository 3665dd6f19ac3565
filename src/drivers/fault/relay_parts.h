// The inside of the relay: what happens to a frame, and where it waits.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "drivers/fault/relay.h"

enum {
    LP_RELAY_FRAME_BYTES = 70 * 1024, // a frame of 64 KiB that is cut only at the end of its way
    LP_RELAY_WAITING_BYTES = 64 * 1024 * 1024, // beyond: frames are lost, as in any full queue
    LP_RELAY_HEADER_BYTES = 10,                // struct virtio_net_hdr before each frame
};

struct lp_relay_frame {
    int64_t due_us;
    uint64_t order; // frames of one time keep their order
    uint8_t *bytes; // heap; the virtio header, then the frame
    size_t count;
    bool is_out; // from the node
};

struct lp_relay_queue { // a heap by due_us
    struct lp_relay_frame *items;
    size_t count, capacity, waiting_bytes;
    uint64_t orders;
};

// Takes bytes over. False: there is no room, and bytes were freed.
bool lp_relay_queue_add(struct lp_relay_queue *queue, const struct lp_relay_frame *frame);
int64_t lp_relay_queue_next_us(const struct lp_relay_queue *queue); // INT64_MAX when empty
struct lp_relay_frame lp_relay_queue_take(struct lp_relay_queue *queue);

struct lp_relay_fate { // what is to happen to one frame
    int64_t delay_us;
    bool is_twice, is_damaged;
};
struct lp_relay_dice {
    struct lp_rng rng;
    int64_t last_due_us[2]; // jitter does not let frames overtake each other
};
// frame: without the virtio header. is_out: it comes from the node.
bool lp_relay_is_meant(const struct lp_relay_spec *spec, const uint8_t *frame, size_t count,
                       bool is_out);
struct lp_relay_fate lp_relay_fate_of(const struct lp_relay_spec *spec, struct lp_relay_dice *dice);
// Flip one bit, so that the receiver can notice it: in the header of IP when the frame is still to
// be cut into packets, else anywhere behind the link header, with the checksum that it was sent
// with. bytes: with the virtio header.
void lp_relay_damage(struct lp_relay_dice *dice, uint8_t *bytes, size_t count);
