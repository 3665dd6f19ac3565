// What the relay does to a frame.
#include <linux/virtio_net.h>
#include <string.h>

#include "base/arena.h"
#include "drivers/fault/relay_parts.h"

enum { LINK_BYTES = 14, IP_BYTES = 20 };

// The queue.

static bool is_before(const struct lp_relay_frame *a, const struct lp_relay_frame *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

bool lp_relay_queue_add(struct lp_relay_queue *queue, const struct lp_relay_frame *frame)
{
    if (queue->waiting_bytes + frame->count > LP_RELAY_WAITING_BYTES) {
        lp_heap_free(frame->bytes);
        return false;
    }
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity ? queue->capacity * 2 : 256;
        queue->items = lp_heap_grow(queue->items, queue->capacity, sizeof(*queue->items));
    }
    struct lp_relay_frame added = *frame;
    added.order = queue->orders++;
    size_t at = queue->count++;
    for (; at > 0 && is_before(&added, &queue->items[(at - 1) / 2]); at = (at - 1) / 2)
        queue->items[at] = queue->items[(at - 1) / 2];
    queue->items[at] = added;
    queue->waiting_bytes += added.count;
    return true;
}

int64_t lp_relay_queue_next_us(const struct lp_relay_queue *queue)
{
    return queue->count ? queue->items[0].due_us : INT64_MAX;
}

struct lp_relay_frame lp_relay_queue_take(struct lp_relay_queue *queue)
{
    struct lp_relay_frame first = queue->items[0];
    struct lp_relay_frame last = queue->items[--queue->count];
    size_t at = 0, child;
    for (; (child = 2 * at + 1) < queue->count; at = child) {
        if (child + 1 < queue->count && is_before(&queue->items[child + 1], &queue->items[child]))
            child++;
        if (!is_before(&queue->items[child], &last))
            break;
        queue->items[at] = queue->items[child];
    }
    queue->items[at] = last;
    queue->waiting_bytes -= first.count;
    return first;
}

// Whom is it from or for?

static uint32_t read32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool is_ip(const uint8_t *frame, size_t count)
{
    return count >= LINK_BYTES + IP_BYTES && frame[12] == 0x08 && frame[13] == 0x00;
}

bool lp_relay_is_meant(const struct lp_relay_spec *spec, const uint8_t *frame, size_t count,
                       bool is_out)
{
    uint32_t direction = spec->fault.direction;
    if ((direction == LP_FAULT_IN && is_out) || (direction == LP_FAULT_OUT && !is_out))
        return false;
    if (spec->peer_count == 0)
        return true;
    if (!is_ip(frame, count))
        return false;
    uint32_t peer = read32(frame + LINK_BYTES + (is_out ? 16 : 12));
    for (size_t i = 0; i < spec->peer_count; i++)
        if (spec->peers[i] == peer)
            return true;
    return false;
}

// Chance.

// Around 0 with the jitter as its bound (uniform) or its standard deviation (normal: the sum of
// twelve even numbers, by the central limit theorem).
static int64_t jitter_of(const struct lp_fault_spec *fault, struct lp_rng *rng)
{
    int64_t jitter = fault->jitter_us, sum = 0;
    if (jitter == 0)
        return 0;
    if (fault->distribution == LP_FAULT_UNIFORM)
        return (int64_t)lp_rng_below(rng, 2 * (uint64_t)jitter + 1) - jitter;
    for (int i = 0; i < 12; i++)
        sum += (int64_t)lp_rng_below(rng, 65536) - 32768;
    return sum * jitter / 65536;
}

struct lp_relay_fate lp_relay_fate_of(const struct lp_relay_spec *spec, struct lp_relay_dice *dice)
{
    const struct lp_fault_spec *fault = &spec->fault;
    struct lp_relay_fate fate = {0};
    bool is_chosen = lp_rng_chance(&dice->rng, fault->permille);
    switch (fault->kind) {
    case LP_FAULT_DELAY:
        fate.delay_us = fault->delay_us + jitter_of(fault, &dice->rng);
        break;
    case LP_FAULT_REORDER: // those that are chosen overtake the others
        fate.delay_us = is_chosen ? 0 : fault->delay_us;
        break;
    case LP_FAULT_DUPLICATE:
        fate.is_twice = is_chosen;
        break;
    default:
        fate.is_damaged = is_chosen;
    }
    fate.delay_us = fate.delay_us > 0 ? fate.delay_us : 0;
    return fate;
}

// Damage.

static uint32_t sum_words(const uint8_t *bytes, size_t count)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < count; i += 2) {
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    if (count % 2)
        sum += (uint32_t)bytes[count - 1] << 8;
    return (sum & 0xffff) + (sum >> 16);
}

// The kernel leaves the checksum of a frame that stays on one machine to the last moment: what is
// sent on a wire has it. (Internet checksum: RFC 1071.)
static void checksum_complete(uint8_t *bytes, size_t count)
{
    struct virtio_net_hdr header;
    memcpy(&header, bytes, sizeof(header));
    uint8_t *frame = bytes + LP_RELAY_HEADER_BYTES;
    size_t frame_count = count - LP_RELAY_HEADER_BYTES;
    size_t place = (size_t)header.csum_start + header.csum_offset;
    if (!(header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || place + 2 > frame_count)
        return;
    uint32_t sum = ~sum_words(frame + header.csum_start, frame_count - header.csum_start) & 0xffff;
    frame[place] = (uint8_t)(sum >> 8);
    frame[place + 1] = (uint8_t)sum;
    header.flags = 0;
    header.csum_start = header.csum_offset = 0;
    memcpy(bytes, &header, sizeof(header));
}

void lp_relay_damage(struct lp_relay_dice *dice, uint8_t *bytes, size_t count)
{
    struct virtio_net_hdr header;
    memcpy(&header, bytes, sizeof(header));
    uint8_t *frame = bytes + LP_RELAY_HEADER_BYTES;
    size_t frame_count = count - LP_RELAY_HEADER_BYTES;
    if (frame_count <= LINK_BYTES)
        return;
    size_t most = frame_count - LINK_BYTES;
    if (header.gso_type == VIRTIO_NET_HDR_GSO_NONE)
        checksum_complete(bytes, count);
    else
        most = most < IP_BYTES ? most : IP_BYTES;
    size_t at = LINK_BYTES + (size_t)lp_rng_below(&dice->rng, most);
    frame[at] ^= (uint8_t)(1u << lp_rng_below(&dice->rng, 8));
}
